//! Why a case failed, for somebody who sees it for the first time: on a terminal and in the reports.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::annotate::{self, Layout};
use super::finding::Finding;
use super::requirements;
use super::text::{printable, wrapped};
use crate::case::{Case, Verdict};
use crate::grammar::{Grammar, WIRE};

/// How many letters a line has, where it can be broken.
const WIDTH: usize = 100;
/// How many lines of a value, and rows of bytes, are printed; the reports have all.
const LINES_MAX: usize = 40;
/// What stands before the line that runs one case again.
const ALONE: &str = "this case alone (if it passes alone, what was asked before matters: --jobs 1):";
/// How many letters of a text within a value are printed.
const TEXT_MAX: usize = 120;

/// What explains the failures of a run: the texts of the requirements, and the layouts of all bytes.
pub(super) struct Explainer {
    grammar: Grammar,
    requirements: BTreeMap<&'static str, &'static str>,
}

/// What the specification says must come of a case.
pub(super) fn expected(case: &Case) -> Value {
    match (case.result, &case.error) {
        (Verdict::Invalid, Some(error)) => json!({ "ok": false, "area": error.area, "code": error.code }),
        _ => json!({ "ok": true, "out": case.out }),
    }
}

impl Explainer {
    /// Reads requirements and grammar.
    ///
    /// # Errors
    ///
    /// None that can happen: both are part of the program.
    pub(super) fn new() -> Result<Self> {
        let sections = requirements::sections();
        let requirements = sections.iter().flat_map(|section| &section.requirements);
        let requirements = requirements.map(|requirement| (requirement.id, requirement.text)).collect();
        Ok(Self { grammar: Grammar::parse(WIRE)?, requirements })
    }

    /// The requirements of a case, each with its text.
    pub(super) fn requirements<'a>(&self, case: &'a Case) -> Vec<(&'a str, &'static str)> {
        let text = |req: &String| self.requirements.get(req.as_str()).copied();
        let of = |req| text(req).unwrap_or("is not in this version's text");
        case.reqs.iter().map(|req| (req.as_str(), of(req))).collect()
    }

    /// The bytes of a case by the grammar; none if they have no layout of their own. Where a case must be accepted, what the
    /// grammar does not know is for the reader to take or pass over, and no refusal.
    ///
    /// # Errors
    ///
    /// None that can happen: the grammar has all names.
    pub(super) fn layout(&self, case: &Case) -> Result<Option<Layout>> {
        let mut layout = annotate::layout(&self.grammar, case)?;
        if let (Some(layout), Verdict::Valid) = (&mut layout, case.result) {
            layout.refusal = None;
        }
        Ok(layout)
    }

    /// Everything about a failure, line by line; `again` is the line that runs the case again.
    ///
    /// # Errors
    ///
    /// None that can happen.
    pub(super) fn lines(&self, case: &Case, finding: &Finding, again: &str) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        if !case.comment.is_empty() {
            lines.push(format!("the case: {}", case.comment));
        }
        lines.push("the specification:".to_owned());
        for (id, text) in self.requirements(case) {
            lines.extend(wrapped(&format!("[{id}] {text}"), WIDTH, "  "));
        }
        lines.extend(answers(case, finding));
        if let Some(layout) = self.layout(case)? {
            lines.extend(bytes(&layout));
        }
        if !is_played(case) {
            lines.extend(value("the request", &json!({ "op": case.op, "in": case.input })));
        }
        lines.extend([ALONE.to_owned(), format!("  {again}")]);
        Ok(lines)
    }
}

/// Whether the case is a conversation, of which there is no single answer.
fn is_played(case: &Case) -> bool {
    matches!(case.op.as_str(), "session" | "live")
}

/// What must come, and what came.
fn answers(case: &Case, finding: &Finding) -> Vec<String> {
    let mut lines = match (&case.error, is_played(case)) {
        (Some(error), true) => {
            vec![format!("expected: it ends the connection with {} ({})", error.code, error.area)]
        }
        (None, true) => vec!["expected: what the case says".to_owned()],
        (_, false) => value("expected", &expected(case)),
    };
    match &finding.answer {
        Some(answer) => lines.extend(value("actual", answer)),
        None => lines.push(format!("actual: {}", printable(&finding.reason))),
    }
    lines
}

/// A value behind its name: on the same line if it fits, else below.
fn value(name: &str, value: &Value) -> Vec<String> {
    let value = shortened(value);
    let line = format!("{name}: {}", printable(&value.to_string()));
    if line.chars().count() <= WIDTH {
        return vec![line];
    }
    let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
    let inner: Vec<String> = pretty.lines().map(|line| format!("  {}", printable(line))).collect();
    [vec![format!("{name}:")], cut(inner)].concat()
}

/// The value with its long texts cut.
fn shortened(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > TEXT_MAX => {
            let start: String = text.chars().take(TEXT_MAX).collect();
            Value::String(format!("{start}... ({} letters)", text.chars().count()))
        }
        Value::Array(list) => list.iter().map(shortened).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), shortened(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn bytes(layout: &Layout) -> Vec<String> {
    let Layout { field, name, rows, refusal } = layout;
    let line = |row: &annotate::Row| {
        let depth = row.depth.map_or(0, |depth| depth * 2);
        format!("  {:>5}  {:<48}  {:depth$}{}", row.at, row.bytes, "", row.name)
    };
    let mut lines = cut(rows.iter().map(line).collect());
    lines.insert(0, format!("the bytes of `{field}`, as {name} of spec/wire.tls:"));
    lines.extend(
        refusal
            .as_ref()
            .map(|refusal| format!("  {:>5}  here the grammar refuses it: {}", refusal.at, refusal.code)),
    );
    lines
}

fn cut(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    if more > 0 {
        lines.push(format!("  ... and {more} lines more, which --report DIR writes"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::finding::Class;
    use super::*;

    fn explained(case: Value, finding: &Finding) -> String {
        let case = serde_json::from_value(case).expect("a case");
        let explainer = Explainer::new().expect("requirements and grammar");
        explainer.lines(&case, finding, "AGAIN").expect("lines").join("\n")
    }

    #[test]
    fn a_failure_has_requirement_answers_bytes_and_the_line() {
        let case = json!({"id": "a/b", "reqs": ["RLY-001", "XXX-999"], "comment": "what happens", "op": "relay.decode",
            "in": {"frame": "0d0001020304050607"}, "result": "invalid",
            "error": {"area": "framing", "code": "TRUNCATED"}});
        let answer = json!({"ok": true, "out": {"x": "y".repeat(500)}});
        let finding = Finding { answer: Some(answer), ..Finding::new(Class::Fail, "accepted") };
        let told = explained(case, &finding);
        for part in [
            "the case: what happens\n",
            "  [RLY-001] ",
            "  [XXX-999] is not in this version's text",
            "expected: {\"area\":\"framing\",\"code\":\"TRUNCATED\",\"ok\":false}",
            "actual:\n  {",
            "yyy... (500 letters)",
            "the bytes of `frame`, as RelayMessage of spec/wire.tls:\n      0  ",
            "the request: {\"in\":{\"frame\":\"0d0001020304050607\"},\"op\":\"relay.decode\"}",
            "(if it passes alone, what was asked before matters: --jobs 1):\n  AGAIN",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
        assert!(told.lines().all(|line| line.chars().count() <= 160), "{told}");
    }

    #[test]
    fn a_played_case_has_no_single_answer() {
        let case = json!({"id": "peer/web/x", "reqs": ["RES-001"], "comment": "", "op": "session", "in": {},
            "result": "invalid", "error": {"area": "session", "code": "SEQ_GAP"}});
        let told = explained(case, &Finding::new(Class::Fail, "it says \u{1b}nothing"));
        assert!(told.contains("expected: it ends the connection with SEQ_GAP (session)"), "{told}");
        assert!(told.contains("actual: it says \u{fffd}nothing") && !told.contains("the request"), "{told}");
    }

    #[test]
    fn a_long_value_is_cut() {
        let list: Vec<u32> = (0..500).collect();
        let told = value("actual", &json!(list));
        assert_eq!(told.len(), 1 + LINES_MAX + 1, "{told:?}");
        assert!(told.last().is_some_and(|line| line.contains("and 462 lines more")), "{told:?}");
    }
}
