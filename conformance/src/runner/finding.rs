//! What came of one case.

use std::time::Duration;

use handfast_codec::error::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::protocol::Answer;

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "the classes of the reports")]
pub enum Class {
    /// As the case says.
    #[serde(rename = "PASS")]
    Pass,
    /// Refused in the right area with another code.
    #[serde(rename = "PASS-AREA")]
    PassArea,
    /// Not as the case says, or not by the protocol.
    #[serde(rename = "FAIL")]
    Fail,
    /// The shim ended.
    #[serde(rename = "CRASH")]
    Crash,
    /// The shim did not answer in time.
    #[serde(rename = "HANG")]
    Hang,
    /// The shim cannot do this, and had not said that it could.
    #[serde(rename = "UNSUPPORTED")]
    Unsupported,
    /// Not asked, for a reason that is given.
    #[serde(rename = "SKIPPED")]
    Skipped,
}

impl Class {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 7] =
        [Self::Pass, Self::PassArea, Self::Fail, Self::Crash, Self::Hang, Self::Unsupported, Self::Skipped];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::PassArea => "PASS-AREA",
            Self::Fail => "FAIL",
            Self::Crash => "CRASH",
            Self::Hang => "HANG",
            Self::Unsupported => "UNSUPPORTED",
            Self::Skipped => "SKIPPED",
        }
    }

    /// Whether the implementation did something wrong, when right areas are enough or not.
    #[must_use]
    pub const fn is_failure(self, strict: bool) -> bool {
        match self {
            Self::Fail | Self::Crash | Self::Hang => true,
            Self::PassArea => strict,
            Self::Pass | Self::Unsupported | Self::Skipped => false,
        }
    }
}

/// What came of one case.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what reports show")]
pub struct Finding {
    /// How it ended.
    pub class: Class,
    /// Why, for a person. Empty if it passed.
    pub reason: String,
    /// What the shim answered, if it did.
    pub answer: Option<Value>,
    /// The end of what the shim wrote to its standard error, if that was looked at.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
    /// Why this failure was expected, if it was.
    pub expected: Option<String>,
}

impl Finding {
    pub(super) fn new(class: Class, reason: impl Into<String>) -> Self {
        let took = Duration::ZERO;
        Self { class, reason: reason.into(), answer: None, stderr: String::new(), took, expected: None }
    }

    /// As the case says.
    pub(crate) fn pass() -> Self {
        Self::new(Class::Pass, "")
    }

    /// Not as the case says.
    pub(crate) fn fail(reason: String) -> Self {
        Self::new(Class::Fail, reason)
    }

    /// Refused, with another code than the right one.
    pub(crate) fn other_code(right: ErrorCode, found: ErrorCode) -> Self {
        let class = if right.area() == found.area() { Class::PassArea } else { Class::Fail };
        Self::new(class, format!("refused with {}, right is {}", found.name(), right.name()))
    }

    /// Not there yet.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::new(Class::Unsupported, format!("not supported: {what}"))
    }

    pub(super) fn with_answer(self, answer: &Answer) -> Self {
        let answer = match answer {
            Answer::Accepted { out } => serde_json::json!({ "ok": true, "out": out }),
            Answer::Refused { area, code } => {
                serde_json::json!({ "ok": false, "area": area, "code": code })
            }
            Answer::Unsupported(what) => serde_json::json!({ "unsupported": what }),
        };
        Self { answer: Some(answer), ..self }
    }
}
