//! The two slots of a phone, the try of a web, and recovery.

use anyhow::Result;
use serde_json::{Value, json};

use crate::case::Case;
use crate::fields::hex;
use crate::seed;

/// A made-up psk id.
pub(super) fn id(name: &str) -> String {
    hex(seed::bytes::<8>("rules", "both", name))
}

/// A phone's slots: with or without a candidate, the last try 5.
pub(super) fn phone(with_candidate: bool, last_try: u64, steps: &[Value]) -> Value {
    let mut input = json!({ "current": id("current"), "last_try": last_try.to_string(), "steps": steps });
    if with_candidate {
        input["candidate"] = id("candidate").into();
    }
    input
}

fn message1(holder: &str, attempt: u64, next: &str) -> Value {
    json!({ "message1": { "id": id(holder), "try": attempt.to_string(), "next": id(next) } })
}

const LAST: u64 = u64::MAX - 1;

/// Every first message to a phone, in each state of its slots.
pub(super) fn first_messages() -> Result<Vec<Case>> {
    let mut out = Vec::new();
    for (state, with_candidate) in [("one", false), ("two", true)] {
        for holder in ["current", "candidate", "forgotten"] {
            for (which, last_try, attempt) in [
                ("higher", 5, 6),
                ("much-higher", 5, LAST),
                ("equal", 5, 5),
                ("lower", 5, 4),
                ("zero", 5, 0),
                ("never-used", 5, u64::MAX),
                ("first", 0, 1),
                ("equal-first", 0, 0),
                ("equal-last", LAST, LAST),
                ("behind-last", LAST, LAST - 1),
            ] {
                let is_known = holder == "current" || (holder == "candidate" && with_candidate);
                let req = match (is_known, attempt.cmp(&last_try)) {
                    (false, _) => "HSK-040",
                    (true, _) if attempt == u64::MAX => "HSK-021",
                    (true, core::cmp::Ordering::Greater) => "HSK-023",
                    (true, core::cmp::Ordering::Equal) => "HSK-026",
                    (true, core::cmp::Ordering::Less) => "HSK-027",
                };
                let case = format!("ratchet/phone-{state}-{holder}-{which}");
                let input = phone(with_candidate, last_try, &[message1(holder, attempt, "next")]);
                let comment = "message 1 under a key of this name, with a try of this kind";
                out.push(Case::valid(&case, &[req], comment, "ratchet.phone", input)?);
            }
        }
    }
    Ok(out)
}

/// Name, requirement, comment, steps.
type Sequence = (&'static str, &'static str, &'static str, Vec<Value>);

fn confirm() -> Value {
    json!({ "confirm": true })
}

/// Several steps: where the candidate goes.
fn steps_of_sequences() -> Vec<Sequence> {
    vec![
        ("confirmed", "HSK-025", "the confirm promotes", vec![message1("current", 6, "a"), confirm()]),
        ("confirmed-twice", "HSK-025", "once", vec![message1("current", 6, "a"), confirm(), confirm()]),
        ("confirm-of-none", "HSK-025", "without a candidate nothing moves", vec![confirm()]),
        (
            "answer-lost",
            "HSK-023",
            "message 2 was lost: the web comes again under the key that it has",
            vec![message1("current", 6, "a"), message1("current", 7, "b"), confirm()],
        ),
        (
            "confirm-lost",
            "HSK-025",
            "the confirm was lost: the web comes under the candidate",
            vec![message1("current", 6, "a"), message1("a", 7, "b"), confirm()],
        ),
        (
            "replaced-candidate",
            "HSK-040",
            "a candidate that was replaced is unknown",
            vec![message1("current", 6, "a"), message1("current", 7, "b"), message1("a", 8, "c")],
        ),
        (
            "old-current",
            "HSK-040",
            "after the confirm the old key is unknown",
            vec![message1("current", 6, "a"), confirm(), message1("current", 7, "b")],
        ),
        (
            "promoted-by-message",
            "HSK-025",
            "after a message under the candidate the old key is unknown",
            vec![message1("current", 6, "a"), message1("a", 7, "b"), message1("current", 8, "c")],
        ),
        (
            "replay",
            "HSK-026",
            "the same message again",
            vec![message1("current", 6, "a"), message1("current", 6, "b"), confirm()],
        ),
        (
            "replay-under-candidate",
            "HSK-027",
            "an older try under the candidate moves nothing",
            vec![message1("current", 6, "a"), message1("a", 5, "b"), confirm()],
        ),
        (
            "copy-behind",
            "HSK-027",
            "a copy that is behind is quarantined, and the true holder goes on",
            vec![message1("current", 9, "a"), message1("current", 7, "b"), confirm(), message1("a", 10, "c")],
        ),
    ]
}

/// The last of them.
fn at_the_end() -> Vec<Sequence> {
    vec![
        (
            "three-rounds",
            "HSK-025",
            "three reconnects in a row",
            vec![
                message1("current", 6, "a"),
                confirm(),
                message1("a", 7, "b"),
                confirm(),
                message1("b", 8, "c"),
                confirm(),
            ],
        ),
        (
            "last-try",
            "HSK-021",
            "the last try that is used, then the one that is not",
            vec![message1("current", LAST, "a"), message1("current", u64::MAX, "b")],
        ),
    ]
}

pub(super) fn sequences() -> Result<Vec<Case>> {
    let mut out = Vec::new();
    for (name, req, comment, steps) in [steps_of_sequences(), at_the_end()].concat() {
        for (state, with_candidate) in [("one", false), ("two", true)] {
            let case = format!("ratchet/phone-{state}-{name}");
            out.push(Case::valid(&case, &[req], comment, "ratchet.phone", phone(with_candidate, 5, &steps))?);
        }
    }
    Ok(out)
}

fn recover(held: &str) -> Value {
    json!({ "recover": { "held": id(held) } })
}

fn recover_confirm(held: &str) -> Value {
    json!({ "recover_confirm": { "held": id(held) } })
}

/// Recoveries: what is held, what is known, and what moves in between.
pub(super) fn recoveries() -> Vec<(&'static str, bool, Vec<Value>, bool)> {
    vec![
        ("current", false, vec![recover("current"), recover_confirm("current")], true),
        ("candidate", true, vec![recover("candidate"), recover_confirm("candidate")], true),
        ("current-of-two", true, vec![recover("current"), recover_confirm("current")], true),
        (
            "was-current",
            false,
            vec![recover("current"), message1("current", 6, "a"), confirm(), recover_confirm("current")],
            true,
        ),
        (
            "is-now-current",
            false,
            vec![recover("a"), message1("current", 6, "a"), confirm(), recover_confirm("a")],
            true,
        ),
        (
            "is-now-candidate",
            false,
            vec![recover("a"), message1("current", 6, "a"), recover_confirm("a")],
            true,
        ),
        ("candidate-that-is-none", false, vec![recover("candidate"), recover_confirm("candidate")], false),
        ("forgotten", false, vec![recover("forgotten"), recover_confirm("forgotten")], false),
        ("forgotten-of-two", true, vec![recover("forgotten"), recover_confirm("forgotten")], false),
        (
            "old-current",
            false,
            vec![message1("current", 6, "a"), confirm(), recover("current"), recover_confirm("current")],
            false,
        ),
        (
            "replaced-candidate",
            true,
            vec![message1("current", 6, "a"), recover("candidate"), recover_confirm("candidate")],
            false,
        ),
        (
            "still-forgotten",
            false,
            vec![recover("forgotten"), message1("current", 6, "a"), confirm(), recover_confirm("forgotten")],
            false,
        ),
        (
            "promoted-away",
            true,
            vec![message1("candidate", 6, "a"), recover("current"), recover_confirm("current")],
            false,
        ),
    ]
}
