//! The error of all calls.

use core::fmt::Display;

use handfast::coded::Coded;

/// Why a call was refused. The machine is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum Refusal {
    /// The call was refused.
    #[error("{reason} ({code})")]
    Refused {
        /// What programs may compare, such as `BUSY`, `WRONG_STATE` or `BAD_ARGUMENT`.
        code: String,
        /// The reason, for people.
        reason: String,
    },
}

impl Refusal {
    /// Returns a refusal with this code.
    pub(crate) fn new(code: &str, reason: impl Display) -> Self {
        Self::Refused { code: code.to_owned(), reason: reason.to_string() }
    }

    /// Returns the refusal of an argument.
    pub(crate) fn argument(reason: impl Display) -> Self {
        Self::new("BAD_ARGUMENT", reason)
    }
}

/// Converts an error of a machine.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(crate) fn refused(error: impl Coded) -> Refusal {
    Refusal::new(error.code(), &error)
}
