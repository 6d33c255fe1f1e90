//! The errors of this module: JavaScript `Error`s that also have a `code`, which programs may compare.

use handfast_codec::{DecodeError, ErrorCode};
use handfast_session::{ApiMisuse, LoadError, SendError};
use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

/// Why a call was refused. In JavaScript it is an `Error` with this `code` and a message for people.
#[derive(Debug)]
pub struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    /// Returns the refusal of an argument.
    pub(super) fn argument(message: &str) -> Self {
        Self { code: "BAD_ARGUMENT", message: message.to_owned() }
    }

    /// Returns a refusal with another code.
    pub(super) fn new(code: &'static str, message: &str) -> Self {
        Self { code, message: message.to_owned() }
    }
}

/// Converts an error into one for the page.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(super) fn refused(error: impl Coded) -> Refusal {
    Refusal { code: error.code(), message: error.to_string() }
}

impl From<Refusal> for JsValue {
    fn from(Refusal { code, message }: Refusal) -> Self {
        let error = Error::new(&message);
        // Setting a field of a new object cannot fail.
        let _ = Reflect::set(&error, &"code".into(), &code.into());
        error.into()
    }
}

/// An error with a code for programs, which stays the same when the message changes.
pub(super) trait Coded: core::fmt::Display {
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

/// What the crate `media` says of a list or a content id that was passed in.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_the_code_of_its_cause_at_any_depth() {
        let refusal = refused(SendError::from(ApiMisuse::TooLarge));
        assert_eq!((refusal.code, refusal.message.as_str()), ("TOO_LARGE", "an argument is over its limit"));
        let misuse = ApiMisuse::WrongState { is: "none", needs: "a link" };
        assert_eq!(refused(misuse).code, "WRONG_STATE");
        assert_eq!(refused(LoadError::Damaged).code, "STORE_DAMAGED");
        assert_eq!(Refusal::argument("no").code, "BAD_ARGUMENT");
    }
}
