//! Errors of the operating system, with the system's text.

use std::fmt;
use std::io::{self, ErrorKind};

/// An error of the operating system that can be compared and cloned. It is displayed as the system's text,
/// without a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemError {
    kind: ErrorKind,
    words: String,
}

impl SystemError {
    /// Returns the error's kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns an error's text without the number, such as `(os error 2)`, that Rust's standard library
    /// appends to the system's text.
    #[must_use]
    pub fn without_number(text: &str) -> String {
        let mut parts = text.split(" (os error ");
        let mut words = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let behind = part.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '-');
            words.push_str(behind.strip_prefix(')').unwrap_or(behind));
        }
        words
    }
}

impl From<&io::Error> for SystemError {
    fn from(error: &io::Error) -> Self {
        let kind = error.kind();
        // Only an error that has a number, or contains another error, has a text of its own.
        let has_words = error.raw_os_error().is_some() || error.get_ref().is_some();
        let words = if has_words { Self::without_number(&error.to_string()) } else { words_of(kind) };
        Self { kind, words }
    }
}

impl From<io::Error> for SystemError {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<ErrorKind> for SystemError {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, words: words_of(kind) }
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Returns a text for an error that has none of its own. The standard library's text ("entity not found")
/// does not help users.
fn words_of(kind: ErrorKind) -> String {
    let words = match kind {
        ErrorKind::NotFound => "No such file or directory",
        ErrorKind::PermissionDenied => "Permission denied",
        ErrorKind::AlreadyExists => "File exists",
        ErrorKind::TimedOut => "no answer in time",
        ErrorKind::ConnectionRefused => "Connection refused",
        ErrorKind::UnexpectedEof => "it is shorter than it should be",
        ErrorKind::InvalidData => "it is not what it should be",
        ErrorKind::InvalidInput => "it cannot be used so",
        ErrorKind::StorageFull => "No space left on device",
        ErrorKind::NotADirectory => "Not a directory",
        ErrorKind::IsADirectory => "Is a directory",
        ErrorKind::ReadOnlyFilesystem => "Read-only file system",
        ErrorKind::WouldBlock => "it is in use",
        other => {
            let words = other.to_string();
            // Rust's texts for these error kinds do not name a cause.
            let is_empty = words.starts_with("uncategorized") || other == ErrorKind::Other;
            return if is_empty { "the system does not say why".to_owned() } else { words };
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_shown_once_and_without_a_number() {
        for number in 1..=133 {
            let shown = SystemError::from(io::Error::from_raw_os_error(number)).to_string();
            assert!(!shown.contains("os error") && !shown.contains("uncategorized"), "{number}: {shown}");
            assert!(!shown.is_empty());
        }
        let missing = SystemError::from(io::Error::from_raw_os_error(2));
        assert_eq!(
            (missing.kind(), missing.to_string().as_str()),
            (ErrorKind::NotFound, "No such file or directory")
        );
        assert_eq!(SystemError::from(ErrorKind::NotFound).to_string(), "No such file or directory");
        assert_eq!(
            SystemError::from(io::Error::other("lock in it is a link")).to_string(),
            "lock in it is a link"
        );
        assert_eq!(SystemError::from(ErrorKind::Other).to_string(), "the system does not say why");
    }

    #[test]
    fn numbers_are_taken_out_wherever_they_stand() {
        assert_eq!(SystemError::without_number("a (os error 2): b (os error 113)"), "a: b");
        assert_eq!(SystemError::without_number("no number (os error x)"), "no numberx)");
        assert_eq!(SystemError::without_number(""), "");
    }
}
