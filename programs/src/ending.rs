//! A program's output and last error message, and what happens when nobody can read them.

use std::error::Error;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use handfast::SystemError;

/// The error that standard output cannot be written, most often because its disk is full. The program then
/// ends with exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("standard output cannot be written: {0}")]
pub struct Unwritable(SystemError);

/// Converts the result of printing an answer. If the reader has closed its end (`| head`) it has what it
/// wanted, so that is not an error.
///
/// # Errors
/// [`Unwritable`] for any other failure.
pub(super) fn printed(done: io::Result<()>) -> Result<(), Unwritable> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Unwritable(error.into())),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Handles the result of printing an event in a program that continues anyway. The first failure is reported
/// on standard error.
pub fn told(done: io::Result<()>) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if let Err(error) = printed(done)
        && !SAID.swap(true, Ordering::Relaxed)
    {
        complain(&format!("{error}; what happens is not shown any more"));
    }
}

/// Writes a line to standard error. A failure is ignored, because it could not be reported anywhere.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Returns an error and its causes in one line. A text that occurs more than once is included once.
#[must_use]
pub fn reason(error: &(dyn Error + 'static)) -> String {
    let mut said = SystemError::without_number(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = SystemError::without_number(&error.to_string());
        if !said.contains(&words) {
            said.push_str(": ");
            said.push_str(&words);
        }
        cause = error.source();
    }
    said
}

/// Makes all files that this process creates accessible to its user only. Call it first in the program.
pub(super) fn keep_files_private() {
    let _ = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot use it ({reason})")]
    struct Outer {
        #[source]
        reason: io::Error,
    }

    #[test]
    fn each_cause_is_said_once() {
        let outer = Outer { reason: io::Error::from_raw_os_error(2) };
        assert_eq!(reason(&outer), "cannot use it (No such file or directory)");
        let inner: io::Error = io::Error::other(outer);
        assert_eq!(reason(&inner), "cannot use it (No such file or directory)");
    }

    #[test]
    fn a_reader_that_is_gone_is_no_error() {
        assert_eq!(printed(Ok(())), Ok(()));
        assert_eq!(printed(Err(io::ErrorKind::BrokenPipe.into())), Ok(()));
        let full = printed(Err(io::Error::from_raw_os_error(28))).expect_err("full");
        assert_eq!(full.to_string(), "standard output cannot be written: No space left on device");
    }
}
