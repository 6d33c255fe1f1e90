//! Handshake payloads.

use anyhow::Result;
use handfast_codec::ids::{AttachKey, CommandKey, DhPublic, Epoch, LogId, PskId, SigningPublic};
use handfast_codec::limits::VARINT_MAX;
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, ResumeBlock, Xk1, Xk2, Xk3};
use handfast_codec::qr::Opening;
use handfast_codec::{ErrorCode, Versions};
use serde_json::json;

use super::tlv::{List, padded};
use crate::case::Case;
use crate::fields::hex;

pub(super) fn block(streams: usize) -> ResumeBlock {
    ResumeBlock {
        out_epoch: Epoch::from_bytes([0xe0; 16]),
        in_epoch: Epoch::from_bytes([0xe1; 16]),
        next_seq: 18,
        durable: 7,
        oldest: 16,
        log_id: LogId::from_bytes([0x10; 16]),
        rev: 100_000,
        streams: (0..streams).map(|at| (at as u64 * 2, 65_536)).collect(),
    }
}

fn xk1(versions: &[u8], capabilities: Vec<u64>, limits: Vec<(u64, u64)>) -> Xk1 {
    Xk1 { versions: Versions::new(versions).expect("one to eight"), capabilities, limits }
}

fn xk2(label: &str, origin: &str) -> Xk2 {
    Xk2 {
        version: 2,
        capabilities: vec![],
        limits: vec![],
        web_key: DhPublic::from_bytes([0x0d; 32]),
        signing_key: SigningPublic::from_bytes([0x0e; 32]),
        attach_key: AttachKey::from_bytes([0x0a; 32]),
        label: label.to_owned(),
        origin: origin.to_owned(),
        grants: 7,
        opening: Opening::from_bytes([0x0c; 32]),
    }
}

fn kk1(try_: u64, resume: Option<ResumeBlock>, held: Option<PskId>, pending: bool) -> Kk1 {
    let Xk1 { versions, capabilities, limits } = xk1(&[2, 1], vec![], vec![]);
    Kk1 { versions, capabilities, limits, try_, resume, psk_id_held: held, pending }
}

fn none_known() -> CommandsKnown {
    CommandsKnown { highest: 0, key: CommandKey::from_bytes([0; 16]), from: 1 }
}

fn known(highest: u64) -> CommandsKnown {
    CommandsKnown { highest, key: CommandKey::from_bytes([0x5e; 16]), from: 7 }
}

fn kk2(resume: Option<ResumeBlock>, quarantine: bool) -> Kk2 {
    let commands = resume.as_ref().map(|_| known(300));
    Kk2 { version: 2, capabilities: vec![], limits: vec![], resume, commands, quarantine }
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let held = Some(PskId::from_bytes([0x1d; 8]));
    let many = || (0..32).map(|at| (at * 2, at * 1_000)).collect();
    let mut cases = Vec::new();
    for (name, kind, payload) in [
        ("xk1", "xk1", xk1(&[2], vec![], vec![]).encode()),
        ("xk1-versions-8", "xk1", xk1(&[1, 2, 3, 58, 5, 6, 7, 8], vec![], vec![]).encode()),
        ("xk1-terms", "xk1", xk1(&[2], vec![2, 58, 64], vec![(2, 16_384), (58, 0)]).encode()),
        ("xk1-terms-32", "xk1", xk1(&[2], (0..32).collect(), many()).encode()),
        ("xk2", "xk2", xk2("Firefox on Linux", "https://web.example").encode().to_vec()),
        ("xk2-native", "xk2", xk2("x", "").encode().to_vec()),
        ("xk2-label-64", "xk2", xk2(&"l".repeat(64), &"o".repeat(128)).encode().to_vec()),
        ("xk2-utf8", "xk2", xk2("Büro \u{1f4bb}", "").encode().to_vec()),
        ("xk3", "xk3", Xk3.encode()),
        ("kk1", "kk1", kk1(1, Some(block(0)), None, false).encode()),
        ("kk1-streams-16", "kk1", kk1(2, Some(block(16)), None, false).encode()),
        ("kk1-pending", "kk1", kk1(1, Some(block(0)), None, true).encode()),
        ("kk1-recover", "kk1", kk1(9, None, held, false).encode()),
        ("kk1-try-max", "kk1", kk1(u64::MAX, Some(block(0)), None, false).encode()),
        ("kk2", "kk2", kk2(Some(block(1)), false).encode()),
        ("kk2-quarantine", "kk2", kk2(None, true).encode()),
        ("kk2-version-1", "kk2", Kk2 { version: 1, commands: None, ..kk2(Some(block(0)), false) }.encode()),
        (
            "kk2-no-command",
            "kk2",
            Kk2 { commands: Some(none_known()), ..kk2(Some(block(0)), false) }.encode(),
        ),
        (
            "kk2-highest-max",
            "kk2",
            Kk2 { commands: Some(known(VARINT_MAX)), ..kk2(Some(block(0)), false) }.encode(),
        ),
    ] {
        let input = json!({ "kind": kind, "payload": hex(payload) });
        let comment = "a payload that a sender writes so";
        let fields = match kind {
            "xk1" => "HSK-060",
            "xk2" => "HSK-093",
            "xk3" => "HSK-062",
            "kk1" => "HSK-063",
            _ => "HSK-064",
        };
        let id = format!("payloads/{name}");
        cases.push(Case::valid(&id, &["CHN-009", fields], comment, "payload.decode", input)?);
    }
    let greased = padded(List::of(&xk1(&[2], vec![], vec![]).encode(), 0).and(58, &[1]).bytes());
    let input = json!({ "kind": "xk1", "payload": hex(greased) });
    let comment = "an unknown even TLV is ignored";
    cases.push(Case::valid("payloads/xk1-grease", &["FRM-008"], comment, "payload.decode", input)?);
    Ok(cases)
}

/// Name, requirement, code, comment, kind, payload.
type Refusal = (String, &'static str, ErrorCode, &'static str, &'static str, Vec<u8>);

fn lists() -> Vec<Refusal> {
    let mut out = Vec::new();
    for (kind, payload, required) in [
        ("xk1", xk1(&[2], vec![], vec![]).encode(), &[1_u64, 3, 5][..]),
        ("xk2", xk2("label", "").encode().to_vec(), &[1, 3, 5, 7, 9, 11, 13, 15, 17, 29]),
        ("kk1", kk1(1, Some(block(0)), None, false).encode(), &[1, 3, 5, 19]),
        ("kk2", kk2(Some(block(0)), false).encode(), &[1, 3, 5]),
    ] {
        let list = List::of(&payload, 0);
        for field in required {
            let bytes = padded(list.clone().without(*field).bytes());
            let comment = "a required field is missing";
            out.push((
                format!("{kind}-without-{field}"),
                "FRM-009",
                ErrorCode::FIELD_MISSING,
                comment,
                kind,
                bytes,
            ));
        }
        let odd = padded(list.clone().and(61, &[]).bytes());
        out.push((
            format!("{kind}-odd"),
            "FRM-007",
            ErrorCode::UNKNOWN_CRITICAL,
            "an unknown odd TLV",
            kind,
            odd,
        ));
        let mut long = payload.clone();
        long.resize(payload.len() * 2, 0);
        let comment = "the list fits half of it";
        out.push((format!("{kind}-size"), "CHN-009", ErrorCode::BAD_RECORD_SIZE, comment, kind, long));
    }
    let list = List::of(&xk2("label", "").encode(), 0).bytes();
    let twice = padded([&list[..], &[29, 32], &[0x0c; 32]].concat());
    let comment = "the opening stands twice";
    out.push(("xk2-opening-twice".to_owned(), "FRM-005", ErrorCode::DUPLICATE_FIELD, comment, "xk2", twice));
    let mut padding = Xk3.encode();
    padding[127] = 1;
    let comment = "padding that is not zero";
    out.push(("xk3-padding".to_owned(), "CHN-002", ErrorCode::BAD_PADDING, comment, "xk3", padding));
    let known = padded(List::of(&xk1(&[2], vec![], vec![]).encode(), 0).bytes());
    let comment = "message 3 carries an empty list: what another message knows is unknown here";
    out.push(("xk3-field".to_owned(), "FRM-007", ErrorCode::UNKNOWN_CRITICAL, comment, "xk3", known));
    for len in [0, 127, 129] {
        let comment = "no payload has this size";
        let name = format!("xk3-size-{len}");
        out.push((name, "CHN-009", ErrorCode::BAD_RECORD_SIZE, comment, "xk3", vec![0; len]));
    }
    out
}

fn values() -> Vec<Refusal> {
    let mut out = Vec::new();
    let mut push = |name: &str, req, code, comment, kind, payload: &[u8], field, value: &[u8]| {
        let bytes = padded(List::of(payload, 0).with(field, value).bytes());
        out.push((name.to_owned(), req, code, comment, kind, bytes));
    };
    let (one, two) = (xk1(&[2], vec![], vec![]).encode(), xk2("label", "").encode());
    let (kk1, kk2) = (kk1(1, Some(block(2)), None, true).encode(), kk2(Some(block(0)), true).encode());
    let length = ErrorCode::FIELD_LENGTH;
    push("versions-0", "FRM-010", length, "no version", "xk1", &one, 1, &[]);
    push("versions-9", "FRM-010", length, "nine versions", "xk1", &one, 1, &[1; 9]);
    push("versions-2-in-reply", "HSK-065", length, "a reply names one version", "xk2", &two, 1, &[1, 2]);
    push("capabilities-order", "HSK-066", ErrorCode::FIELD_ORDER, "descending", "xk1", &one, 3, &[4, 2]);
    push(
        "capabilities-twice",
        "FRM-005",
        ErrorCode::DUPLICATE_FIELD,
        "the same twice",
        "xk1",
        &one,
        3,
        &[2, 2],
    );
    let many: Vec<u8> = (0..33).collect();
    push("capabilities-33", "FRM-024", length, "33 capabilities", "xk1", &one, 3, &many);
    push(
        "capabilities-varint",
        "FRM-001",
        ErrorCode::VARINT_NOT_MINIMAL,
        "a long form",
        "xk1",
        &one,
        3,
        &[0x40, 2],
    );
    push("limits-half", "FRM-002", ErrorCode::TRUNCATED, "an id without a value", "xk1", &one, 5, &[2]);
    push("limits-order", "HSK-066", ErrorCode::FIELD_ORDER, "descending", "xk1", &one, 5, &[4, 1, 2, 1]);
    push("wd-31", "FRM-010", length, "a key of 31 bytes", "xk2", &two, 7, &[1; 31]);
    push("we-33", "FRM-010", length, "a key of 33 bytes", "xk2", &two, 9, &[1; 33]);
    push("label-0", "FRM-010", length, "an empty label", "xk2", &two, 13, &[]);
    push("label-65", "FRM-010", length, "a label of 65 bytes", "xk2", &two, 13, &[0x6c; 65]);
    push("label-utf8", "FRM-004", ErrorCode::BAD_UTF8, "not UTF-8", "xk2", &two, 13, &[0x6c, 0xc3]);
    push("origin-129", "FRM-010", length, "an origin of 129 bytes", "xk2", &two, 15, &[0x6f; 129]);
    push("grants-2", "FRM-010", length, "two numbers", "xk2", &two, 17, &[1, 1]);
    push("opening-0", "HSK-093", length, "an empty opening", "xk2", &two, 29, &[]);
    push("opening-31", "HSK-093", length, "an opening of 31 bytes", "xk2", &two, 29, &[1; 31]);
    push("opening-33", "HSK-093", length, "an opening of 33 bytes", "xk2", &two, 29, &[1; 33]);
    push("try-7", "FRM-010", length, "a try of 7 bytes", "kk1", &kk1, 19, &[0; 7]);
    push("pending-1", "FRM-010", length, "a flag with a value", "kk1", &kk1, 25, &[1]);
    push("quarantine-1", "FRM-010", length, "a flag with a value", "kk2", &kk2, 27, &[1]);
    out
}

fn commands_known() -> Vec<Refusal> {
    let kk2 = kk2(Some(block(0)), false).encode();
    let mut out = Vec::new();
    let mut push = |name: &str, req, code, comment, value: &[u8]| {
        let bytes = padded(List::of(&kk2, 0).with(31, value).bytes());
        out.push((name.to_owned(), req, code, comment, "kk2", bytes));
    };
    let known = List::of(&kk2, 0).value(31).to_vec();
    let truncated = ErrorCode::TRUNCATED;
    push("commands-empty", "FRM-002", truncated, "no number", &[]);
    push("commands-cut-key", "FRM-002", truncated, "a key of 15 bytes", &known[..17]);
    push("commands-cut", "FRM-002", truncated, "where the keys begin is missing", &known[..18]);
    let trailing = [&known[..], &[0]].concat();
    push("commands-trailing", "FRM-003", ErrorCode::TRAILING_BYTES, "one byte too many", &trailing);
    let long = [&[0x40, 1][..], &known[2..]].concat();
    push("commands-varint", "FRM-001", ErrorCode::VARINT_NOT_MINIMAL, "a number in a long form", &long);
    out
}

fn resume_blocks() -> Vec<Refusal> {
    let kk1 = kk1(1, Some(block(2)), None, true).encode();
    let mut out = Vec::new();
    let mut push = |name: &str, req, code, comment, value: &[u8]| {
        let bytes = padded(List::of(&kk1, 0).with(21, value).bytes());
        out.push((name.to_owned(), req, code, comment, "kk1", bytes));
    };
    let resume = List::of(&kk1, 0).value(21).to_vec();
    push("resume-cut", "FRM-002", ErrorCode::TRUNCATED, "half a stream", &resume[..resume.len() - 4]);
    push("resume-short", "FRM-002", ErrorCode::TRUNCATED, "one epoch", &resume[..16]);
    let streams = |streams: &[u8]| [&block(0).encode()[..], streams].concat();
    push("streams-order", "FRM-006", ErrorCode::FIELD_ORDER, "descending", &streams(&[4, 0, 2, 0]));
    push("streams-17", "FRM-024", ErrorCode::FIELD_LENGTH, "17 streams", &block(17).encode());
    out
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let all = [lists(), values(), resume_blocks(), commands_known()].concat();
    all.into_iter()
        .map(|(name, req, code, comment, kind, payload)| {
            let id = format!("refuse-payloads/{name}");
            let input = json!({ "kind": kind, "payload": hex(payload) });
            Case::invalid(&id, &[req], comment, "payload.decode", input, code)
        })
        .collect()
}
