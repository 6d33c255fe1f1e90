//! Programs in Python that stand beside the page: servers of a test.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::processes::keeper::Keeper;

/// A running program. It ends with this value.
pub(super) struct Script {
    child: Child,
    output: Option<ChildStdout>,
}

impl Script {
    /// Starts a program, given as its text.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(keeper: &Keeper, text: &str, words: &[&str]) -> Result<Self> {
        let mut command = Command::new("python3");
        let _ = command.args(["-c", text]).args(words).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().context("python3 cannot be started")?;
        let script = Self { output: child.stdout.take(), child };
        keeper.hold(script.child.id())?;
        Ok(script)
    }

    /// The lines that it prints; once.
    ///
    /// # Errors
    /// They were asked for before.
    pub(super) fn lines(&mut self) -> Result<Lines<BufReader<ChildStdout>>> {
        Ok(BufReader::new(self.output.take().context("python3 has no output")?).lines())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
