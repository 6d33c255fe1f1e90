//! How an operation ends.

use anyhow::Result;
use handfast_codec::error::ErrorCode;
use serde_json::{Map, Value};

use crate::describe::object;

/// What an accepted input gives.
#[derive(Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the two parts of a case's outcome")]
pub struct Outcome {
    /// The output.
    pub out: Map<String, Value>,
    /// Values on the way.
    pub debug: Map<String, Value>,
}

impl Outcome {
    pub(super) fn of(out: Value) -> Self {
        Self { out: object(out), debug: Map::new() }
    }

    pub(super) fn with_debug(self, debug: Value) -> Self {
        Self { debug: object(debug), ..self }
    }
}

/// The outcome of a case: an output, or a code.
pub(super) type Ending = Result<Outcome, ErrorCode>;
