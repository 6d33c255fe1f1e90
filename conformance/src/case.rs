//! The form of a vector file.

use anyhow::{Context, Result, bail, ensure};
use handfast_codec::error::{Area, ErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ops;

/// The form that this build reads and writes.
pub const SCHEMA: &str = "handfast-vectors.v1";

/// One file of vectors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorFile {
    /// The form of this file: [`SCHEMA`].
    pub schema: String,
    /// The version of the specification.
    pub spec: String,
    /// The file's name without its ending.
    pub topic: String,
    /// What the file is about, for a person.
    pub comment: String,
    /// The number of cases.
    pub count: usize,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A name that never changes.
    pub id: String,
    /// The requirements of the specification that it shows.
    pub reqs: Vec<String>,
    /// What is special about it, for a person.
    pub comment: String,
    /// What made the input of another one, if anything did: a row of the table of mutators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutator: Option<String>,
    /// What to do with the input: see the README.
    pub op: String,
    /// The input.
    #[serde(rename = "in")]
    pub input: Map<String, Value>,
    /// Whether the input is to be accepted.
    pub result: Verdict,
    /// The output, if it is.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub out: Map<String, Value>,
    /// The error, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorName>,
    /// Values on the way to the output, to find where an implementation goes wrong.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub debug: Map<String, Value>,
}

/// Whether an input is to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Verdict {
    /// It is.
    Valid,
    /// It is not.
    Invalid,
}

/// An error of the specification's registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorName {
    /// The area of the code.
    pub area: String,
    /// The name of the code.
    pub code: String,
}

impl From<ErrorCode> for ErrorName {
    fn from(code: ErrorCode) -> Self {
        let area = match code.area() {
            Area::Framing => "framing",
            Area::Handshake => "handshake",
            Area::Link => "link",
            Area::Channel => "channel",
            Area::Session => "session",
            Area::Stream => "stream",
            Area::Relay => "relay",
            Area::Limit => "limit",
            Area::Internal => "internal",
            _ => "unknown",
        };
        Self { area: area.to_owned(), code: code.name().to_owned() }
    }
}

impl VectorFile {
    pub(crate) fn new(topic: &str, comment: &str, cases: Vec<Case>) -> Result<Self> {
        let mut ids: Vec<_> = cases.iter().map(|case| &case.id).collect();
        ids.sort_unstable();
        for pair in ids.windows(2) {
            ensure!(pair.first() != pair.last(), "two cases are named {:?}", pair.first());
        }
        Ok(Self {
            schema: SCHEMA.to_owned(),
            spec: "1".to_owned(),
            topic: topic.to_owned(),
            comment: comment.to_owned(),
            count: cases.len(),
            cases,
        })
    }

    /// Returns the file's text.
    ///
    /// # Errors
    ///
    /// None that can happen: every value has a JSON form.
    pub fn to_text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl Case {
    /// Makes a case that is accepted; the output is what the operation gives.
    pub(crate) fn valid(id: &str, reqs: &[&str], comment: &str, op: &str, input: Value) -> Result<Self> {
        let mut case = Self::new(id, reqs, comment, op, input, Verdict::Valid)?;
        match case.run()? {
            Ok(outcome) => (case.out, case.debug) = (outcome.out, outcome.debug),
            Err(code) => bail!("{id} is to be valid, and ends with {code}"),
        }
        Ok(case)
    }

    /// Makes a case that is refused with this code, and shows that it is.
    pub(crate) fn invalid(
        id: &str,
        reqs: &[&str],
        comment: &str,
        op: &str,
        input: Value,
        code: ErrorCode,
    ) -> Result<Self> {
        let mut case = Self::new(id, reqs, comment, op, input, Verdict::Invalid)?;
        match case.run()? {
            Err(found) if found == code => case.error = Some(code.into()),
            Err(found) => bail!("{id} is to end with {code}, and ends with {found}"),
            Ok(_) => bail!("{id} is to end with {code}, and is accepted"),
        }
        Ok(case)
    }

    fn new(id: &str, reqs: &[&str], comment: &str, op: &str, input: Value, result: Verdict) -> Result<Self> {
        let Value::Object(input) = input else { bail!("{id}: the input is an object") };
        Ok(Self {
            id: id.to_owned(),
            reqs: reqs.iter().map(|req| (*req).to_owned()).collect(),
            comment: comment.to_owned(),
            mutator: None,
            op: op.to_owned(),
            input,
            result,
            out: Map::new(),
            error: None,
            debug: Map::new(),
        })
    }

    fn run(&self) -> Result<Result<ops::Outcome, ErrorCode>> {
        ops::run(&self.op, &self.input).with_context(|| format!("case {}", self.id))
    }

    /// Runs the case, and compares what comes out with what it says.
    ///
    /// # Errors
    ///
    /// If the two differ, or the case is malformed.
    pub fn check(&self) -> Result<()> {
        match (self.run()?, self.result) {
            (Ok(outcome), Verdict::Valid) => {
                ensure!(outcome.out == self.out, "{}: the output differs", self.id);
                ensure!(outcome.debug == self.debug, "{}: a value on the way differs", self.id);
            }
            (Err(code), Verdict::Invalid) => {
                let found = ErrorName::from(code);
                ensure!(self.error.as_ref() == Some(&found), "{}: ends with {}", self.id, found.code);
            }
            (Ok(_), Verdict::Invalid) => bail!("{}: is accepted", self.id),
            (Err(code), Verdict::Valid) => bail!("{}: is refused with {code}", self.id),
        }
        Ok(())
    }
}
