//! What the command line prints. A reader that went away ends nothing: a run goes on, and its exit code still counts.

use std::io::{self, Write};

/// Standard output cannot take what is printed: most often its disk is full.
#[derive(Debug)]
pub struct Unwritable(io::Error);

impl std::fmt::Display for Unwritable {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "standard output cannot be written: {}", self.0)
    }
}

impl std::error::Error for Unwritable {}

/// Prints a text as it is, at once. When nobody reads it any more (`| head`), it is dropped without a word.
///
/// # Errors
///
/// [`Unwritable`] for every other reason.
pub fn print(text: &str) -> Result<(), Unwritable> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints a line, as [`print()`] does.
///
/// # Errors
///
/// [`Unwritable`].
pub fn print_line(line: &str) -> Result<(), Unwritable> {
    print(&format!("{line}\n"))
}

/// Says on standard error why the program ends. There is nobody to tell when that cannot be written either.
pub fn complain(reason: &str) {
    let _ = writeln!(io::stderr(), "{reason}");
}

fn written(done: io::Result<()>) -> Result<(), Unwritable> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Unwritable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_gone_is_no_error_and_a_full_disk_is() {
        assert!(written(Ok(())).is_ok());
        assert!(written(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        let full = written(Err(io::ErrorKind::StorageFull.into())).expect_err("it is full");
        assert!(full.to_string().starts_with("standard output cannot be written: "), "{full}");
        assert!(written(Err(io::ErrorKind::PermissionDenied.into())).is_err());
    }
}
