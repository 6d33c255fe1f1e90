//! The errors of this module: JavaScript `Error`s that also have a `code`, which programs may compare.

use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

use crate::coded::Coded;

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

#[cfg(test)]
mod tests {
    use handfast_session::{ApiMisuse, LoadError, SendError};

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
