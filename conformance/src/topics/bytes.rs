//! Layouts of bytes, systematically: what each mutator makes of one accepted message of each kind.
//!
//! The grammar of the specification takes a message apart; it and the codec must then find the same error.

mod mutators;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use handfast_codec::ErrorCode;
use serde_json::{Map, Value};

use self::mutators::{MUTATORS, Variant, variants};
use crate::case::{Case, Verdict};
use crate::fields::{Fields, hex};
use crate::grammar::{Grammar, WIRE, of_input};
use crate::ops;

/// A kind of message: its name here, the messages to begin with, and those that exist already.
struct Layout {
    name: &'static str,
    /// The field of the input that holds the bytes.
    field: &'static str,
    /// Ids of accepted messages, one for each shape.
    bases: &'static [&'static str],
    accepted: super::Cases,
    refused: super::Cases,
}

const RELAY: Layout = Layout {
    name: "relay",
    field: "frame",
    bases: &[
        "hello",
        "challenge",
        "attach-pairing-phone",
        "attach-pairing-web",
        "attach-link-web",
        "attached-web-there",
        "attached-sticky-1",
        "data-pairing",
        "peer-up-web",
        "peer-down",
        "peer-contended",
        "wake-ask-256",
        "wake-sent",
        "wake-failed",
        "wake-peer-up",
        "sticky-512",
        "ping",
        "pong",
        "error",
    ],
    accepted: super::frames_relay::valid,
    refused: super::frames_relay::invalid,
};

const RECORD: Layout = Layout {
    name: "record",
    field: "plaintext",
    bases: &[
        "ping",
        "pong",
        "msg",
        "since-name-32",
        "delta",
        "snapshot-required",
        "page-get-64",
        "page",
        "digest-get",
        "digest",
        "ack-cursors",
        "now",
        "open-get",
        "data",
        "credit",
        "durable",
        "stop",
        "fin",
        "conn-credit",
        "close",
        "revoked",
        "leave",
        "web-back",
    ],
    accepted: super::frames_record::valid,
    refused: super::frames_record::invalid,
};

const LINK: Layout = Layout {
    name: "link",
    field: "plaintext",
    bases: &["cert", "accept", "commit", "close", "back"],
    accepted: super::frames_link::valid,
    refused: super::frames_link::invalid,
};

const PAYLOAD: Layout = Layout {
    name: "payload",
    field: "payload",
    bases: &[
        "xk1-terms",
        "xk2",
        "xk3",
        "kk1-streams-16",
        "kk1-pending",
        "kk1-recover",
        "kk2",
        "kk2-quarantine",
    ],
    accepted: super::payloads::valid,
    refused: super::payloads::invalid,
};

const MESSAGE: Layout = Layout {
    name: "message",
    field: "body",
    bases: &[
        "send-text-reply",
        "history",
        "send-media-caption",
        "mark-read",
        "edit-text",
        "delete",
        "react",
        "accepted",
        "history-page",
        "failed",
        "done",
        "chat",
        "message-all",
        "message-changed",
        "deleted-message",
        "companion",
        "page-visible",
        "phone-status",
        "typing",
        "presence",
    ],
    accepted: super::messages::valid,
    refused: super::messages::invalid,
};

const ALL: [Layout; 5] = [RELAY, RECORD, LINK, PAYLOAD, MESSAGE];

/// The definition of the grammar that an input is read by.
fn definition(op: &str, input: &Map<String, Value>) -> Result<&'static str> {
    of_input(op, input).map(|(name, _)| name).with_context(|| format!("{op} reads no layout"))
}

/// The requirement that a code shows, in such a message.
fn requirement(layout: &Layout, op_kind: &str, mutator: &str, code: &str) -> &'static str {
    match (code, mutator, layout.name) {
        ("DUPLICATE_FIELD" | "FIELD_ORDER", ..) if op_kind == "now-7" => "MSG-047",
        _ if op_kind.starts_with("now-") => "MSG-044",
        ("TRUNCATED", ..) => "FRM-002",
        ("VARINT_NOT_MINIMAL", ..) => "FRM-001",
        ("TRAILING_BYTES", ..) => "FRM-003",
        ("BAD_UTF8", ..) => "FRM-004",
        ("DUPLICATE_FIELD", ..) => "FRM-005",
        ("FIELD_ORDER", ..) => "FRM-006",
        ("UNKNOWN_CRITICAL", ..) => "FRM-007",
        ("FIELD_MISSING", ..) => "FRM-009",
        ("FIELD_LENGTH", "over-maximum", _) => "FRM-024",
        ("FIELD_LENGTH", ..) => "FRM-010",
        ("FIELD_VALUE", "type-zero", _) => "FRM-012",
        ("FIELD_VALUE", ..) => "FRM-011",
        ("BAD_PADDING", ..) => "CHN-002",
        ("BAD_RECORD_SIZE", _, "payload") => "CHN-009",
        ("BAD_RECORD_SIZE", ..) => "CHN-011",
        ("FRAME_NOT_ALLOWED", ..) => "FRM-022",
        _ => "QRP-005",
    }
}

/// What tells two inputs apart.
fn key(op: &str, input: &Map<String, Value>) -> String {
    let mut input = input.clone();
    let _ = input.remove("grease");
    format!("{op} {}", Value::Object(input))
}

/// Makes the cases of a layout, those that are accepted or those that are refused.
fn cases(layout: &Layout, wanted: Verdict) -> Result<Vec<Case>> {
    let grammar = Grammar::parse(WIRE)?;
    let accepted = (layout.accepted)()?;
    let mut known: BTreeSet<String> = accepted.iter().map(|case| key(&case.op, &case.input)).collect();
    known.extend((layout.refused)()?.iter().map(|case| key(&case.op, &case.input)));
    let mut out = Vec::new();
    for base in accepted.iter().filter(|case| is_base(layout, case)) {
        let bytes = crate::fields::unhex(base.input.text(layout.field)?)?;
        let name = definition(&base.op, &base.input)?;
        let tree = grammar.take_apart(name, &bytes);
        ensure!(tree.encode() == bytes, "{} is put together again", base.id);
        let mut made: Vec<(Variant, Map<String, Value>)> = Vec::new();
        for variant in variants(&tree) {
            let mut input = base.input.clone();
            let _ = input.insert(layout.field.to_owned(), hex(&variant.bytes).into());
            if variant.mutator == "grease" && ["record", "link"].contains(&layout.name) {
                let _ = input.insert("grease".to_owned(), true.into());
            }
            made.push((variant, input));
        }
        if base.op == "record.decode"
            && let Some(input) = from_the_other(base)?
        {
            made.push((Variant { mutator: "sender", place: "role".to_owned(), bytes: bytes.clone() }, input));
        }
        for (variant, input) in made {
            if known.insert(key(&base.op, &input)) {
                out.extend(case(layout, &grammar, base, &variant, input, wanted)?);
            }
        }
    }
    Ok(out)
}

fn is_base(layout: &Layout, case: &Case) -> bool {
    layout.bases.contains(&case.id.rsplit('/').next().unwrap_or_default())
}

/// The same frame from the other role, if it may not send it.
fn from_the_other(base: &Case) -> Result<Option<Map<String, Value>>> {
    let mut input = base.input.clone();
    let other = if input.text("from")? == "web" { "phone" } else { "web" };
    let _ = input.insert("from".to_owned(), other.into());
    Ok(ops::run(&base.op, &input)?.is_err().then_some(input))
}

fn case(
    layout: &Layout,
    grammar: &Grammar,
    base: &Case,
    variant: &Variant,
    input: Map<String, Value>,
    wanted: Verdict,
) -> Result<Option<Case>> {
    let Variant { mutator, place, bytes } = variant;
    let (_, comment, codes) =
        MUTATORS.iter().find(|(name, ..)| name == mutator).context("the mutator has a row")?;
    let base_name = base.id.rsplit('/').next().unwrap_or_default();
    let prefix = if wanted == Verdict::Valid { "bytes" } else { "refuse-bytes" };
    let id = format!("{prefix}/{}/{base_name}/{mutator}/{place}", layout.name);
    let from = input.get("from").and_then(Value::as_str);
    let read = grammar.read(definition(&base.op, &input)?, from, bytes)?;
    let found = ops::run(&base.op, &input).with_context(|| id.clone())?;
    let found_name = found.as_ref().err().map(|code| code.name());
    let read_name = read.as_ref().err().map(|refusal| refusal.code.as_str());
    ensure!(found_name == read_name, "{id}: the codec says {found_name:?}, the grammar {read_name:?}");
    let body = base.reqs.last().cloned().unwrap_or_default();
    match found {
        Ok(_) => {
            // What is left of a list that is cut behind an optional field is a list, and so with a last field of no
            // fixed length.
            ensure!(codes.is_empty() || ["truncate", "trailing"].contains(mutator), "{id} is accepted");
            if wanted != Verdict::Valid || !codes.is_empty() {
                return Ok(None);
            }
            let reqs = if *mutator == "grease" { vec!["EXT-002", &body] } else { vec![body.as_str()] };
            let mut case = Case::valid(&id, &reqs, comment, &base.op, Value::Object(input))?;
            case.mutator = Some((*mutator).to_owned());
            Ok(Some(case))
        }
        // Another kind or role in place of this one asks for other fields.
        Err(_) if *mutator == "edge" => Ok(None),
        Err(code) => {
            ensure!(codes.contains(&code.name()), "{id} is refused with {code}");
            if wanted != Verdict::Invalid {
                return Ok(None);
            }
            refusal(layout, &id, mutator, comment, (&base.op, input, &body), code).map(Some)
        }
    }
}

fn refusal(
    layout: &Layout,
    id: &str,
    mutator: &str,
    comment: &str,
    (op, input, body): (&str, Map<String, Value>, &str),
    code: ErrorCode,
) -> Result<Case> {
    let kind = input.get("kind").and_then(Value::as_str).unwrap_or_default();
    let rule = requirement(layout, kind, mutator, code.name());
    let reqs = if rule == body { vec![rule] } else { vec![rule, body] };
    let mut case = Case::invalid(id, &reqs, comment, op, Value::Object(input), code)?;
    case.mutator = Some(mutator.to_owned());
    Ok(case)
}

fn all(wanted: Verdict, names: &[&str]) -> Result<Vec<Case>> {
    let mut out = Vec::new();
    for layout in ALL.iter().filter(|layout| names.contains(&layout.name)) {
        out.extend(cases(layout, wanted)?);
    }
    Ok(out)
}

/// The cases of these layouts that are accepted.
pub(super) fn valid(names: &[&str]) -> Result<Vec<Case>> {
    all(Verdict::Valid, names)
}

/// The cases of these layouts that are refused.
pub(super) fn invalid(names: &[&str]) -> Result<Vec<Case>> {
    all(Verdict::Invalid, names)
}
