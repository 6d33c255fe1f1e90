//! What came of a run, for reports.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::finding::{Class, Finding};
use super::protocol::Hello;
use super::text::{printable, quoted};
use crate::case::Case;

/// What came of one shim.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what reports show")]
pub struct Column {
    /// The command that started it.
    pub command: String,
    /// What it says about itself; why not, if it did not.
    pub hello: Result<Hello, Finding>,
    /// What came of each case that is about one of its roles, by id.
    pub findings: BTreeMap<String, Finding>,
    /// How long all of it took.
    pub took: Duration,
}

/// A run over all shims.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "what reports show")]
pub struct Run {
    /// The cases that were selected, in the order of the files.
    pub cases: Vec<Case>,
    /// The shims, in the order given.
    pub columns: Vec<Column>,
    /// The options without which a case that is run again might end otherwise.
    pub words: Vec<String>,
    /// What was expected to fail and did not, or is not there, with why.
    pub stale: Vec<String>,
}

impl Column {
    /// How many cases ended so.
    #[must_use]
    pub fn count(&self, class: Class) -> usize {
        self.findings.values().filter(|finding| finding.class == class).count()
    }

    /// What it is called: its own name, or its command.
    #[must_use]
    pub fn name(&self) -> &str {
        self.hello.as_ref().map_or(&self.command, |hello| &hello.name)
    }
}

impl Run {
    /// The line that runs one case of an implementation again.
    pub(super) fn reproduction(&self, column: &Column, id: &str) -> String {
        let (verb, option) = match id.split('/').next() {
            Some("live") if column.command.starts_with("ws://") => ("live", "--relay"),
            Some("live") => ("live", "--shim"),
            Some("peer") => ("peer", "--shim"),
            _ => ("run", "--shim"),
        };
        let mut words = vec![program(), verb.to_owned()];
        words.extend([option, &column.command, "--case", id].into_iter().map(quoted));
        words.extend(self.words.iter().map(|word| quoted(word)));
        words.join(" ")
    }
}

/// How this program was called: a launcher says by a variable what it is itself.
fn program() -> String {
    std::env::var("HANDFAST_CONFORMANCE_CALLED")
        .map_or_else(|_| "handfast-conformance".to_owned(), |name| printable(&name))
}
