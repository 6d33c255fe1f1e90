//! Reports of earlier runs: `report.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::finding::{Class, Finding};
use super::outcome::Column;
use super::protocol::Hello;
use super::report::SCHEMA;
use crate::case::{Case, Verdict};
use crate::damaged::{Damaged, damaged, of_schema};

/// What came of an earlier run.
pub(super) struct Stored {
    pub(super) columns: Vec<Column>,
    /// Its cases, as far as a report has them: without their inputs.
    pub(super) cases: Vec<Case>,
    pub(super) stale: Vec<String>,
}

#[derive(Deserialize)]
struct Report {
    implementations: Vec<Implementation>,
    cases: Vec<Row>,
    #[serde(default)]
    stale: Vec<String>,
}

#[derive(Deserialize)]
struct Implementation {
    command: String,
    took_ms: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    roles: BTreeSet<String>,
    /// Why it said nothing about itself.
    hello: Option<Outcome>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    reqs: Vec<String>,
    op: String,
    result: Verdict,
    outcomes: Vec<Option<Outcome>>,
}

#[derive(Deserialize)]
struct Outcome {
    class: Class,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    stderr: String,
    answer: Option<Value>,
    expected: Option<String>,
}

impl Stored {
    /// Reads a report.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).or_else(|error| damaged(path, error))?;
        Ok(Self::parse(path, &text)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Damaged> {
        let report: Report = of_schema(path, text, SCHEMA)?;
        let mut findings = vec![BTreeMap::new(); report.implementations.len()];
        let mut cases = Vec::new();
        for row in report.cases {
            if row.outcomes.len() != findings.len() {
                return damaged(path, format!("{}: not one outcome for each implementation", row.id));
            }
            for (findings, outcome) in findings.iter_mut().zip(row.outcomes) {
                let finding = outcome.map(finding);
                findings.extend(finding.map(|finding| (row.id.clone(), finding)));
            }
            cases.push(case(row.id, row.reqs, row.op, row.result));
        }
        let columns = report.implementations.into_iter().zip(findings);
        let columns = columns.map(|(implementation, findings)| column(implementation, findings)).collect();
        Ok(Self { columns, cases, stale: report.stale })
    }
}

fn column(of: Implementation, findings: BTreeMap<String, Finding>) -> Column {
    let hello = match of.hello {
        Some(outcome) => Err(finding(outcome)),
        None => Ok(Hello { name: of.name, version: of.version, roles: of.roles, ops: None }),
    };
    Column { command: of.command, hello, findings, took: Duration::from_millis(of.took_ms) }
}

fn finding(outcome: Outcome) -> Finding {
    let Outcome { class, reason, stderr, answer, expected } = outcome;
    Finding { answer, stderr, expected, ..Finding::new(class, reason) }
}

fn case(id: String, reqs: Vec<String>, op: String, result: Verdict) -> Case {
    Case {
        id,
        reqs,
        comment: String::new(),
        mutator: None,
        op,
        input: Map::new(),
        result,
        out: Map::new(),
        error: None,
        debug: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_another_form_is_refused_by_its_name() {
        for (text, part) in [
            (r#"{"schema":"handfast-report.v9"}"#, "its schema is \"handfast-report.v9\""),
            (r#"{"schema":"handfast-report.v1","implementations":[]}"#, "cases"),
            (
                r#"{"schema":"handfast-report.v1","implementations":[{"command":"x","took_ms":1}],
                    "cases":[{"id":"a","reqs":[],"op":"x","result":"valid","outcomes":[]}]}"#,
                "not one outcome for each implementation",
            ),
        ] {
            let told = Stored::parse(Path::new("a/report.json"), text).err().map(|error| error.to_string());
            let told = told.expect("refused");
            assert!(told.contains("a/report.json") && told.contains(part), "{told}");
        }
    }
}
