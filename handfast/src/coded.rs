//! The codes of refused calls, by which programs in other languages tell them apart.

use handfast_codec::{DecodeError, ErrorCode};
use handfast_session::{ApiMisuse, LoadError, SendError};

/// An error with a code for programs, which stays the same when the message changes.
pub trait Coded: core::fmt::Display {
    /// Returns the code: words in capitals, with `_` between them.
    fn code(&self) -> &'static str;
}

impl Coded for SendError {
    fn code(&self) -> &'static str {
        match self {
            Self::Busy => "BUSY",
            Self::OutboxFull => "OUTBOX_FULL",
            Self::TooManyUnsettled { .. } => "TOO_MANY_UNSETTLED",
            Self::KnownKey => "KNOWN_KEY",
            Self::TooLarge => "TOO_LARGE",
            Self::TooMany => "TOO_MANY",
            Self::Ended => "LINK_ENDED",
            Self::Misuse(misuse) => misuse.code(),
            _ => "INTERNAL",
        }
    }
}

impl Coded for ApiMisuse {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "TOO_LARGE",
            Self::ReservedSlot => "BAD_ARGUMENT",
            // What is left says that the call does not fit what there is now.
            _ => "WRONG_STATE",
        }
    }
}

impl Coded for LoadError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoLink => "NOT_LINKED",
            Self::Revoked => "LINK_ENDED",
            _ => "STORE_DAMAGED",
        }
    }
}

/// What [`crate::media`] says of a list or a content id that was passed in.
impl Coded for ErrorCode {
    fn code(&self) -> &'static str {
        "BAD_ARGUMENT"
    }
}

impl Coded for DecodeError {
    fn code(&self) -> &'static str {
        "BAD_ARGUMENT"
    }
}
