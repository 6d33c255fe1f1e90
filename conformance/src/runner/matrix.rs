//! Implementations side by side: what of each topic passes, and which cases do not end everywhere as they do elsewhere.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::finding::Class;
use super::outcome::{Column, Run};
use super::text::printable;

/// The form of the matrix in JSON.
const SCHEMA: &str = "handfast-matrix.v1";
/// How many cases that differ are printed; the JSON and the page have all.
const PRINTED_MAX: usize = 40;
/// The widest class in a column.
const CELL: usize = 12;

/// A run, by topic and implementation.
pub(super) struct Matrix<'a> {
    run: &'a Run,
    pub(super) rows: Vec<TopicRow<'a>>,
    /// The cases that do not end in the same class at all implementations that were asked, each with its classes.
    pub(super) differing: Vec<(&'a str, Vec<Option<Class>>)>,
}

/// The cases of one topic.
pub(super) struct TopicRow<'a> {
    pub(super) topic: &'a str,
    /// By implementation; none where no case of the topic was asked.
    pub(super) cells: Vec<Option<Cell>>,
}

/// What came of a topic at one implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) asked: usize,
    pub(super) passed: usize,
}

/// The first part of a case's id, or the first two where there are more before its own name.
fn topic(id: &str) -> &str {
    let end = id.match_indices('/').take(2).last();
    end.and_then(|(at, _)| id.get(..at)).unwrap_or(id)
}

impl<'a> Matrix<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        let topics: BTreeSet<&str> = run.cases.iter().map(|case| topic(&case.id)).collect();
        let row = |name: &'a str| {
            let cells = run.columns.iter().map(|column| Cell::of(column, |id| topic(id) == name));
            TopicRow { topic: name, cells: cells.collect() }
        };
        let rows = topics.into_iter().map(row).collect();
        let classes = |id: &str| -> Vec<_> {
            run.columns.iter().map(|column| column.findings.get(id).map(|finding| finding.class)).collect()
        };
        let differs = |classes: &[Option<Class>]| classes.iter().flatten().collect::<BTreeSet<_>>().len() > 1;
        let of_cases = run.cases.iter().map(|case| (case.id.as_str(), classes(&case.id)));
        Self { run, rows, differing: of_cases.filter(|(_, classes)| differs(classes)).collect() }
    }

    /// The matrix for a terminal: implementations have numbers, since their names may be long.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for (number, column) in (1..).zip(&self.run.columns) {
            let _ = writeln!(out, "{number}: {}", about(column));
        }
        let numbers = (1..=self.run.columns.len()).map(|number| format!("{number:>CELL$}"));
        let heads: String = numbers.collect();
        let width = self.rows.iter().map(|row| row.topic.len()).max().unwrap_or_default().max(6);
        let _ = writeln!(out, "\n{:<width$}{heads}", "topic");
        let line = |out: &mut String, name: &str, cells: &[Option<Cell>]| {
            let _ = write!(out, "{name:<width$}");
            for cell in cells {
                let _ = write!(out, "{:>CELL$}", shown(*cell));
            }
            out.push('\n');
        };
        for row in &self.rows {
            line(&mut out, row.topic, &row.cells);
        }
        let all: Vec<_> = self.run.columns.iter().map(|column| Cell::of(column, |_| true)).collect();
        line(&mut out, "in all", &all);
        if self.differing.is_empty() {
            out.push_str("\nevery case ends in the same way wherever it was asked\n");
            return out;
        }
        let shown_ids = self.differing.iter().take(PRINTED_MAX).map(|(id, _)| id.len());
        let width = shown_ids.max().unwrap_or_default();
        let _ = writeln!(out, "\ncases that differ: {}\n{:<width$}{heads}", self.differing.len(), "");
        for (id, classes) in self.differing.iter().take(PRINTED_MAX) {
            let _ = write!(out, "{id:<width$}");
            for class in classes {
                let _ = write!(out, "{:>CELL$}", class.map_or("-", Class::name));
            }
            out.push('\n');
        }
        if self.differing.len() > PRINTED_MAX {
            let more = self.differing.len() - PRINTED_MAX;
            let _ = writeln!(out, "... and {more} more, which --format json and html have");
        }
        out
    }

    /// The matrix for programs.
    pub(super) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let cell =
                |cell: &Option<Cell>| cell.map(|cell| json!({ "asked": cell.asked, "passed": cell.passed }));
            json!({ "topic": row.topic, "cells": row.cells.iter().map(cell).collect::<Vec<_>>() })
        });
        let differing = self.differing.iter().map(|(id, classes)| json!({ "id": id, "classes": classes }));
        json!({
            "schema": SCHEMA,
            "implementations": self.run.columns.iter().map(implementation).collect::<Vec<_>>(),
            "topics": rows.collect::<Vec<_>>(),
            "differing": differing.collect::<Vec<_>>(),
            "stale": self.run.stale,
        })
    }
}

impl Cell {
    fn of(column: &Column, is_in: impl Fn(&str) -> bool) -> Option<Self> {
        let mut cell = Self { asked: 0, passed: 0 };
        for (_, finding) in column.findings.iter().filter(|(id, _)| is_in(id)) {
            cell.asked += 1;
            cell.passed += usize::from(finding.class == Class::Pass);
        }
        (cell.asked > 0).then_some(cell)
    }
}

/// How many of how many pass; a dash where nothing was asked.
pub(super) fn shown(cell: Option<Cell>) -> String {
    cell.map_or_else(|| "-".to_owned(), |cell| format!("{}/{}", cell.passed, cell.asked))
}

fn about(column: &Column) -> String {
    match &column.hello {
        Ok(hello) => {
            let roles: Vec<&str> = hello.roles.iter().map(String::as_str).collect();
            format!("{} {} ({})", printable(&hello.name), printable(&hello.version), roles.join(", "))
        }
        Err(finding) => {
            format!("{}: {} {}", column.command, finding.class.name(), printable(&finding.reason))
        }
    }
}

fn implementation(column: &Column) -> Value {
    let counts: Map<String, Value> =
        Class::ALL.iter().map(|class| (class.name().to_owned(), column.count(*class).into())).collect();
    let version = column.hello.as_ref().map_or(Value::Null, |hello| hello.version.as_str().into());
    json!({ "name": column.name(), "version": version, "command": column.command, "counts": counts })
}
