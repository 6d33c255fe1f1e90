//! Cases of commands before they are run.

use anyhow::Result;
use handfast_codec::ErrorCode;
use serde_json::Value;

use crate::case::Case;

/// A case that is not run yet.
pub(super) struct Given {
    pub(super) name: String,
    pub(super) reqs: Vec<&'static str>,
    pub(super) comment: &'static str,
    pub(super) op: &'static str,
    pub(super) input: Value,
    pub(super) code: Option<ErrorCode>,
}

impl Given {
    pub(super) fn case(&self) -> Result<Case> {
        let prefix = if self.code.is_some() { "refuse-commands" } else { "commands" };
        let id = format!("{prefix}/{}", self.name);
        match self.code {
            Some(code) => Case::invalid(&id, &self.reqs, self.comment, self.op, self.input.clone(), code),
            None => Case::valid(&id, &self.reqs, self.comment, self.op, self.input.clone()),
        }
    }
}
