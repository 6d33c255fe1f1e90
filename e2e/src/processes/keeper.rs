//! Ends the demo's processes on every way out, also Ctrl-C and a kill of the demo itself.
//!
//! The keeper is a process of its own in its own process group. It reads `+pid` and `-pid` lines; when its input
//! closes, because the demo ended in whatever way, it ends every process that is still on its list.

use std::collections::BTreeSet;
use std::io::{BufRead as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};

/// The demo's hold on its keeper.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    child: Child,
    input: Option<ChildStdin>,
}

impl Keeper {
    /// Starts the keeper.
    ///
    /// # Errors
    /// This program cannot be started a second time.
    pub(crate) fn start() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let _ = command.arg("keep").process_group(0).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().context("the keeper of the processes cannot be started")?;
        let input = child.stdin.take();
        Ok(Self { inner: Arc::new(Mutex::new(Inner { child, input })) })
    }

    /// Is a keeper for tests, whose processes end by being dropped.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let child = Command::new("true").spawn().unwrap();
        Self { inner: Arc::new(Mutex::new(Inner { child, input: None })) }
    }

    /// Tells the keeper of a process that was just started.
    pub(crate) fn hold(&self, pid: u32) -> Result<()> {
        self.tell(&format!("+{pid}\n")).context("the keeper of the processes does not listen")
    }

    /// Tells the keeper that a process has ended and was waited for.
    pub(crate) fn release(&self, pid: u32) {
        // A keeper that is gone has already ended everything.
        let _ = self.tell(&format!("-{pid}\n"));
    }

    fn tell(&self, line: &str) -> std::io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut inner.input {
            Some(input) => input.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Is the keeper: reads its standard input to the end, then ends what is still on the list.
///
/// # Errors
/// Standard input cannot be read.
pub fn keep() -> Result<()> {
    let mut held = BTreeSet::new();
    for line in std::io::stdin().lock().lines() {
        note(&mut held, &line?);
    }
    for pid in held {
        let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
    }
    Ok(())
}

fn note(held: &mut BTreeSet<u32>, line: &str) {
    if let Some(pid) = line.strip_prefix('+').and_then(|pid| pid.parse().ok()) {
        let _ = held.insert(pid);
    } else if let Some(pid) = line.strip_prefix('-').and_then(|pid| pid.parse().ok()) {
        let _ = held.remove(&pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_released_is_held() {
        let mut held = BTreeSet::new();
        for line in ["+10", "+11", "-10", "nonsense", "+12", "-99"] {
            note(&mut held, line);
        }
        assert_eq!(held, BTreeSet::from([11, 12]));
    }
}
