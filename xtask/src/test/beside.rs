//! A step that runs beside the one before it, since it waits more than it works.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::command;

/// A task of this program in a process of its own. Its output is kept, and printed in its turn.
pub(super) struct Beside {
    child: Child,
    output: File,
}

impl Beside {
    /// Starts `cargo xtask` with these words.
    ///
    /// # Errors
    /// The process or the file of its output cannot be made.
    pub(super) fn start(words: &[&str]) -> Result<Self> {
        let output = tempfile::tempfile().context("no temporary file can be made")?;
        let program = std::env::current_exe().context("this program does not know where it lies")?;
        let child = command::program(program, words)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn()
            .with_context(|| format!("`cargo xtask {}` cannot be started", words.join(" ")))?;
        Ok(Self { child, output })
    }

    /// Waits for its end, and prints what it wrote.
    ///
    /// # Errors
    /// It ended with another exit code than 0.
    pub(super) fn finish(mut self) -> Result<()> {
        let status = self.child.wait()?;
        let mut text = Vec::new();
        self.output.rewind()?;
        let _ = self.output.read_to_end(&mut text)?;
        std::io::stdout().write_all(&text)?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // One that has ended cannot be killed; its own processes end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_well_and_what_does_not_are_told_apart() {
        // This is the program of the tests, which knows these two options.
        Beside::start(&["--list", "--format=terse"]).unwrap().finish().unwrap();
        let error = Beside::start(&["--no-such-option"]).unwrap().finish().unwrap_err();
        assert!(error.to_string().starts_with("it ended with "), "{error}");
    }
}
