//! `report.json`: everything, for programs.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::super::finding::{Class, Finding};
use super::super::matrix::Matrix;
use super::super::outcome::{Column, Run};
use super::super::rules::Rules;

/// The form of the report.
pub(in super::super) const SCHEMA: &str = "handfast-report.v1";

pub(super) fn text(run: &Run, rules: Rules) -> Result<String> {
    let cases: Vec<Value> = run
        .cases
        .iter()
        .map(|case| {
            let outcomes = run.columns.iter().map(|column| column.findings.get(&case.id).map(finding));
            let outcomes: Vec<_> = outcomes.collect();
            json!({ "id": case.id, "reqs": case.reqs, "op": case.op, "result": case.result, "outcomes": outcomes })
        })
        .collect();
    let report = json!({
        "schema": SCHEMA,
        "runner": env!("CARGO_PKG_VERSION"),
        "level": rules.level.name(),
        "complete": rules.complete,
        "stale": run.stale,
        "implementations": run.columns.iter().map(implementation).collect::<Vec<_>>(),
        "cases": cases,
        "matrix": Matrix::of(run).json(),
    });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn implementation(column: &Column) -> Value {
    let counts: Map<String, Value> =
        Class::ALL.iter().map(|class| (class.name().to_owned(), column.count(*class).into())).collect();
    let took = u64::try_from(column.took.as_millis()).unwrap_or(u64::MAX);
    let mut value = json!({ "command": column.command, "took_ms": took, "counts": counts });
    match &column.hello {
        Ok(hello) => {
            value["name"] = hello.name.as_str().into();
            value["version"] = hello.version.as_str().into();
            value["roles"] = hello.roles.iter().cloned().collect();
        }
        Err(failure) => value["hello"] = finding(failure),
    }
    value
}

/// A finding; null stands where a case is not about a role of the implementation.
fn finding(finding: &Finding) -> Value {
    let mut value = json!({ "class": finding.class });
    if !finding.reason.is_empty() {
        value["reason"] = finding.reason.as_str().into();
    }
    if !finding.stderr.is_empty() {
        value["stderr"] = finding.stderr.as_str().into();
    }
    if let Some(reason) = &finding.expected {
        value["expected"] = reason.as_str().into();
    }
    if finding.class != Class::Pass
        && let Some(answer) = &finding.answer
    {
        value["answer"] = answer.clone();
    }
    value
}
