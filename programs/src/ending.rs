//! What a program prints, how it says why it ends, and what becomes of both when nobody can read it.

use std::error::Error;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use handfast::SystemError;

/// Standard output cannot take what was asked for: most often its disk is full. Exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("standard output cannot be written: {0}")]
pub struct Unwritable(SystemError);

/// What comes of printing an answer. A reader that is gone (`| head`) has what it wanted: that is no error.
///
/// # Errors
/// [`Unwritable`].
pub fn printed(done: io::Result<()>) -> Result<(), Unwritable> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Unwritable(error.into())),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What comes of printing an event of a program that goes on: it says once that events are lost.
pub fn told(done: io::Result<()>) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if let Err(error) = printed(done)
        && !SAID.swap(true, Ordering::Relaxed)
    {
        complain(&format!("{error}; what happens is not shown any more"));
    }
}

/// Writes a line to standard error. There is nobody to tell when that cannot be written.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// An error and its causes in one line, each said once.
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

/// Makes every file that this process creates readable and writable by its user alone. Call it first.
pub fn keep_files_private() {
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
