//! Holds an answer against what a case says.

use serde_json::{Map, Value};

use super::finding::{Class, Finding};
use super::protocol::{Answer, Hello};
use crate::case::{Case, ErrorName, Verdict};

/// How many differences are told.
const DIFFERENCES_MAX: usize = 5;
/// How much of a value is told, letters.
const VALUE_MAX: usize = 80;

/// What is to be said of an answer.
pub(super) fn judge(case: &Case, hello: &Hello, answer: &Answer) -> Finding {
    let finding = match (answer, case.result, &case.error) {
        (Answer::Unsupported(what), _, _) => unsupported(case, hello, what),
        (Answer::Accepted { out }, Verdict::Valid, _) => match differences(&case.out, out) {
            found if found.is_empty() => Finding::new(Class::Pass, ""),
            found => Finding::new(Class::Fail, found.join("; ")),
        },
        (Answer::Refused { area, code }, Verdict::Valid, _) => {
            Finding::new(Class::Fail, format!("it is valid, and was refused with {code} ({area})"))
        }
        (Answer::Accepted { .. }, Verdict::Invalid, Some(expected)) => {
            let ErrorName { area, code } = expected;
            Finding::new(Class::Fail, format!("it must be refused with {code} ({area}), and was accepted"))
        }
        (Answer::Refused { area, code }, Verdict::Invalid, Some(expected)) => refused(expected, area, code),
        (_, Verdict::Invalid, None) => Finding::new(Class::Fail, "the case has no error"),
    };
    finding.with_answer(answer)
}

fn refused(expected: &ErrorName, area: &str, code: &str) -> Finding {
    let told = format!("refused with {code} ({area}), right is {} ({})", expected.code, expected.area);
    match (expected.area == area, expected.code == code) {
        (true, true) => Finding::new(Class::Pass, ""),
        (true, false) => Finding::new(Class::PassArea, told),
        (false, _) => Finding::new(Class::Fail, told),
    }
}

/// Only what was not promised may be left out.
fn unsupported(case: &Case, hello: &Hello, what: &str) -> Finding {
    if hello.ops.as_ref().is_some_and(|ops| ops.contains(&case.op)) {
        let told = format!("its hello names the operation {}, and now {what:?} is not supported", case.op);
        return Finding::new(Class::Fail, told);
    }
    Finding::new(Class::Unsupported, format!("not supported: {what}"))
}

/// Where two outputs differ, each with its path.
fn differences(expected: &Map<String, Value>, found: &Map<String, Value>) -> Vec<String> {
    let mut all = Vec::new();
    objects("", expected, found, &mut all);
    let more = all.len().saturating_sub(DIFFERENCES_MAX);
    all.truncate(DIFFERENCES_MAX);
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all
}

fn objects(path: &str, expected: &Map<String, Value>, found: &Map<String, Value>, all: &mut Vec<String>) {
    for (name, value) in expected {
        let path = format!("{path}{name}");
        match found.get(name) {
            Some(other) => values(&path, value, other, all),
            None => all.push(format!("`{path}` is missing, right is {}", shown(value))),
        }
    }
    let extra = found.iter().filter(|(name, _)| !expected.contains_key(*name));
    all.extend(extra.map(|(name, value)| format!("`{path}{name}` is not to be there: {}", shown(value))));
}

fn values(path: &str, expected: &Value, found: &Value, all: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            objects(&format!("{path}."), expected, found, all);
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
                values(&format!("{path}[{at}]"), expected, found, all);
            }
        }
        _ if expected == found => {}
        _ => all.push(format!("`{path}` is {}, right is {}", shown(found), shown(expected))),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut letters = text.chars();
    let start: String = letters.by_ref().take(VALUE_MAX).collect();
    if letters.next().is_none() { start } else { start + "..." }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn hello(ops: Option<&[&str]>) -> Hello {
        let ops = ops.map(|ops| ops.iter().map(|op| (*op).to_owned()).collect());
        Hello { name: "x".to_owned(), version: "1".to_owned(), roles: BTreeSet::new(), ops }
    }

    fn case(value: &Value) -> Case {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn each_class_has_its_answer() {
        let valid =
            case(&json!({"id": "a", "reqs": [], "comment": "", "op": "x", "in": {}, "result": "valid",
            "out": {"list": [{"n": 1}, 2], "text": "t"}}));
        let invalid = case(&json!({"id": "b", "reqs": [], "comment": "", "op": "x", "in": {},
            "result": "invalid", "error": {"area": "framing", "code": "TRUNCATED"}}));
        let accepted =
            |out: Value| Answer::read(json!({"ok": true, "out": out}).as_object().unwrap()).unwrap();
        let refused =
            |area: &str, code: &str| Answer::Refused { area: area.to_owned(), code: code.to_owned() };
        let unsupported = Answer::Unsupported("x".to_owned());
        let right = json!({"list": [{"n": 1}, 2], "text": "t"});
        for (case, answer, class, part) in [
            (&valid, accepted(right), Class::Pass, ""),
            (&valid, accepted(json!({"list": [{"n": 3}, 2], "text": "t"})), Class::Fail, "`list[0].n` is 3"),
            (&valid, accepted(json!({"list": [1], "text": "t"})), Class::Fail, "`list` is [1]"),
            (&valid, accepted(json!({"list": [{"n": 1}, 2]})), Class::Fail, "`text` is missing"),
            (&valid, refused("framing", "TRUNCATED"), Class::Fail, "it is valid"),
            (&invalid, accepted(json!({})), Class::Fail, "was accepted"),
            (&invalid, refused("framing", "TRUNCATED"), Class::Pass, ""),
            (&invalid, refused("framing", "FIELD_VALUE"), Class::PassArea, "right is TRUNCATED"),
            (&invalid, refused("relay", "TRUNCATED"), Class::Fail, "(relay), right is"),
            (&invalid, unsupported.clone(), Class::Unsupported, "x"),
        ] {
            let finding = judge(case, &hello(None), &answer);
            assert_eq!(finding.class, class, "{}", finding.reason);
            assert!(finding.reason.contains(part), "{}", finding.reason);
        }
        let promised = judge(&valid, &hello(Some(&["x"])), &unsupported);
        assert_eq!(promised.class, Class::Fail, "what was promised is not left out");
    }
}
