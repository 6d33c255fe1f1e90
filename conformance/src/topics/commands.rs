//! Commands by their keys: envelopes, derived keys, what a phone answers, what a web does, what a reply holds.

mod given;
mod reply;

use anyhow::Result;
use handfast_codec::ErrorCode;
use handfast_codec::limits::{
    COMMANDS_KEPT_MAX, COMMANDS_OPEN_MAX, RESULTS_LEN_MAX, SETTLED_RESULT_LEN_MAX, VARINT_MAX,
};
use handfast_codec::varint::put_varint;
use serde_json::{Map, Value, json};

use self::given::Given;
use self::reply::replies;
use crate::case::Case;
use crate::fields::{hex, number};
use crate::seed;

fn command(number: u64, floor: u64, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, number);
    put_varint(&mut out, floor);
    [&out[..], &[0x5e; 16], body].concat()
}

fn result(status: u8, body: &[u8]) -> Vec<u8> {
    [&[0x5e; 16][..], &[status], body].concat()
}

fn envelopes() -> Vec<Given> {
    let mut out = Vec::new();
    let mut push = |kind: &str, name: &str, req, comment, message: &[u8], code| {
        out.push(Given {
            name: format!("envelope-{kind}-{name}"),
            reqs: vec![req],
            comment,
            op: "envelope.decode",
            input: json!({ "kind": kind, "message": hex(message) }),
            code,
        });
    };
    let whole = "number, floor, key and body of a command; key, status and body of a result";
    push("command", "first", "RES-024", whole, &command(1, 1, b"x"), None);
    push("command", "empty", "RES-024", whole, &command(1_023, 1, b""), None);
    push("command", "largest", "RES-024", whole, &command(VARINT_MAX, VARINT_MAX, b"body"), None);
    push("result", "body", "RES-030", whole, &result(0, b"body"), None);
    push("result", "empty", "RES-030", whole, &result(0, b""), None);
    push("result", "already-done", "RES-030", whole, &result(1, b""), None);
    let cut = "the envelope ends early";
    let truncated = Some(ErrorCode::TRUNCATED);
    for len in [0, 1, 2, 3, 17] {
        push("command", &format!("cut-{len}"), "FRM-002", cut, &command(1, 1, b"")[..len], truncated);
    }
    for len in [0, 1, 15, 16] {
        push("result", &format!("cut-{len}"), "FRM-002", cut, &result(0, b"")[..len], truncated);
    }
    let long = [&[0x40][..], &command(1, 1, b"x")].concat();
    let comment = "a number in a long form";
    push("command", "varint", "FRM-001", comment, &long, Some(ErrorCode::VARINT_NOT_MINIMAL));
    for status in [2, 58, 255] {
        let name = format!("status-{status}");
        let comment = "a status that there is not";
        push("result", &name, "FRM-011", comment, &result(status, b""), Some(ErrorCode::FIELD_VALUE));
    }
    let comment = "ALREADY_DONE has no body";
    push(
        "result",
        "already-done-body",
        "FRM-003",
        comment,
        &result(1, b"x"),
        Some(ErrorCode::TRAILING_BYTES),
    );
    out
}

fn old_keys() -> Vec<Given> {
    let mailbox = hex(seed::bytes::<16>("commands", "both", "mailbox"));
    let given = |at: u64| Given {
        name: format!("old-key-{at}"),
        reqs: vec!["RES-035"],
        comment: "the key of a command that was stored in version 1",
        op: "command.old-key",
        input: json!({ "mailbox": mailbox, "number": number(at) }),
        code: None,
    };
    [1, 2, 1 << 32, VARINT_MAX].map(given).into()
}

/// What a phone answers, step by step.
fn at_phone() -> Vec<Given> {
    let mut out = known();
    out.extend(floors());
    out.extend(kept());
    out.extend(bounds());
    out
}

fn phone(name: &str, comment: &'static str) -> Given {
    let (name, input) = (format!("phone-{name}"), Value::Null);
    Given { name, reqs: Vec::new(), comment, op: "commands.phone", input, code: None }
}

impl Given {
    /// The commands that a phone gets, one after the other.
    fn steps(self, reqs: &[&'static str], steps: Value) -> Self {
        Self { reqs: reqs.to_vec(), input: Map::from_iter([("steps".to_owned(), steps)]).into(), ..self }
    }

    fn refused(self, code: ErrorCode) -> Self {
        Self { code: Some(code), ..self }
    }
}

/// What a phone knows a command by.
fn known() -> Vec<Given> {
    vec![
        phone("first", "a command runs").steps(&["RES-012"], json!([{ "number": 1, "floor": 1 }])),
        phone("again", "a command that comes again is answered with its result")
            .steps(&["RES-026"], json!([{ "number": 1, "floor": 1 }, { "number": 1, "floor": 1 }])),
        phone(
            "again-under-another-number",
            "a command is known by its key, and stands under its highest number",
        )
        .steps(
            &["RES-026", "RES-032"],
            json!([
                { "number": 5, "floor": 1 }, { "number": 9, "floor": 1, "key": 5 },
                { "number": 7, "floor": 1, "key": 5 },
            ]),
        ),
        phone("another-key", "another key under a number that is known is another command").steps(
            &["RES-026", "RES-032"],
            json!([{ "number": 5, "floor": 1 }, { "number": 5, "floor": 1, "key": 6 }]),
        ),
    ]
}

/// What a phone makes of numbers and floors.
fn floors() -> Vec<Given> {
    let floor = ErrorCode::COMMAND_FLOOR;
    let far = COMMANDS_OPEN_MAX;
    vec![
        phone("1023-above", "a command 1,023 above its floor")
            .steps(&["RES-031"], json!([{ "number": far, "floor": 1 }])),
        phone("1024-above", "a command 1,024 above its floor")
            .steps(&["RES-031"], json!([{ "number": far + 1, "floor": 1 }]))
            .refused(floor),
        phone("below-its-floor", "a command below its own floor, though its key is known")
            .steps(&["RES-031"], json!([{ "number": 1, "floor": 1 }, { "number": 1, "floor": 2 }]))
            .refused(floor),
        phone("unknown-at-the-floor", "an unknown key at the highest floor")
            .steps(&["RES-031"], json!([{ "number": 9, "floor": 9 }, { "number": 9, "floor": 1, "key": 8 }])),
        phone("unknown-below-the-floor", "an unknown key below the highest floor")
            .steps(&["RES-031"], json!([{ "number": 9, "floor": 9 }, { "number": 8, "floor": 1 }]))
            .refused(floor),
        phone("known-below-the-floor", "a known key below the highest floor").steps(
            &["RES-026", "RES-029"],
            json!([{ "number": 8, "floor": 8 }, { "number": 9, "floor": 9 }, { "number": 8, "floor": 1 }]),
        ),
        phone("reads", "a command whose result is not kept runs again, below the floor too").steps(
            &["RES-028"],
            json!([
                { "number": 1, "floor": 1, "reads": true, "len": 5_000 },
                { "number": 1, "floor": 1, "reads": true },
                { "number": 2, "floor": 2 }, { "number": 1, "floor": 1, "reads": true },
            ]),
        ),
    ]
}

/// What a phone keeps of commands.
fn kept() -> Vec<Given> {
    let short = SETTLED_RESULT_LEN_MAX;
    // 64 results of the first length, and one of the second, have 4 MiB.
    let (most, rest) = (65_519, RESULTS_LEN_MAX - 64 * 65_519);
    let settled = |len: usize| json!([{ "number": 1, "floor": 1, "len": len }, { "number": 2, "floor": 2 }, { "number": 1, "floor": 1 }]);
    let past = |len: usize| {
        json!([
            { "number": 1, "floor": 1, "len": short }, { "number": 2, "floor": 1, "len": most, "count": 64 },
            { "number": 66, "floor": 1, "len": rest - short }, { "number": 67, "floor": 1, "len": len },
            { "number": 1, "floor": 1, "count": 3 },
        ])
    };
    vec![
        phone("settled-64", "a settled result of 64 bytes is kept").steps(&["RES-029"], settled(short)),
        phone("settled-65", "one of 65 bytes is not").steps(&["RES-029"], settled(short + 1)),
        phone("open-65", "a result at the floor is kept whole").steps(
            &["RES-027"],
            json!([
            { "number": 1, "floor": 1, "len": 65 }, { "number": 2, "floor": 1 }, { "number": 1, "floor": 1 },
            ]),
        ),
        phone(
            "settled-by-its-own-return",
            "the floor counts before the key is looked up: a long result is forgotten then",
        )
        .steps(
            &["RES-029", "RES-037"],
            json!([{ "number": 1, "floor": 1, "len": 65 }, { "number": 9, "floor": 9, "key": 1 }]),
        ),
        phone("results-4-mib", "results of 4 MiB are kept whole").steps(&["RES-027"], past(0)),
        phone(
            "results-past-4-mib",
            "one byte more: the longer result of the lowest number is forgotten, a short one is not",
        )
        .steps(&["RES-027"], past(1)),
        phone(
            "renumbered-is-open",
            "a command that came again under a higher number is not settled below it",
        )
        .steps(
            &["RES-026", "RES-029"],
            json!([
                { "number": 1, "floor": 1, "len": 65 }, { "number": 5, "floor": 1, "key": 1 },
                { "number": 4, "floor": 4 }, { "number": 5, "floor": 4, "key": 1 },
                { "number": 6, "floor": 6 }, { "number": 5, "floor": 4, "key": 1 },
            ]),
        ),
    ]
}

/// How many commands a phone keeps.
fn bounds() -> Vec<Given> {
    let (open, kept) = (COMMANDS_OPEN_MAX, COMMANDS_KEPT_MAX);
    let full = |more: Value| json!([{ "number": 1, "floor": 1, "count": open }, more]);
    let stands = |count: u64| json!([{ "number": 9, "floor": 9, "stands": true, "key": 1, "count": count }]);
    let all = |count: u64, more: Value| json!([{ "number": 1, "count": count }, more]);
    let first = json!({ "number": 1, "floor": 1 });
    let limit = ErrorCode::LIMIT;
    vec![
        phone("1024-open", "1,024 keys under one number").steps(&["RES-036"], stands(open)),
        phone("1025-open", "one more").steps(&["RES-036"], stands(open + 1)).refused(limit),
        phone("full-known", "a known key is answered all the same").steps(&["RES-036"], full(first.clone())),
        phone("full-unknown", "an unknown key")
            .steps(&["RES-036"], full(json!({ "number": open, "floor": 1, "key": open + 1 })))
            .refused(limit),
        phone("full-and-raised", "a floor that settles one makes room")
            .steps(&["RES-036"], full(json!({ "number": open + 1, "floor": 2 }))),
        phone(
            "4096-settled",
            "the keys of 4,096 settled commands are kept; the first would be forgotten at a higher floor",
        )
        .steps(&["RES-029", "RES-032"], all(kept + 1, first.clone())),
        phone("4097-settled", "the key of the lowest number is forgotten")
            .steps(&["RES-029", "RES-031"], all(kept + 2, first.clone()))
            .refused(ErrorCode::COMMAND_FLOOR),
        phone("4097-settled-second", "that of the second is kept")
            .steps(&["RES-029", "RES-032"], all(kept + 2, json!({ "number": 2, "floor": 1 }))),
        phone("known-from-with-open-ones", "open commands count in what is known at a higher floor").steps(
            &["RES-032"],
            json!([
            { "number": 1, "count": kept + 1 }, { "number": kept + 2, "floor": kept + 1, "count": 100 },
            ]),
        ),
    ]
}

fn web(
    name: &str,
    reqs: &[&'static str],
    comment: &'static str,
    (next, settled, waiting): (u64, &Value, &Value),
    (highest, key, from): (u64, u64, u64),
    code: Option<ErrorCode>,
) -> Given {
    let key = hex(u128::from(key).to_be_bytes());
    Given {
        name: format!("web-{name}"),
        reqs: reqs.to_vec(),
        comment,
        op: "commands.web",
        input: json!({
            "next": number(next), "settled": settled, "waiting": waiting,
            "known": { "highest": number(highest), "key": key, "from": number(from) },
        }),
        code,
    }
}

/// What a web makes of what its phone knows.
fn at_web() -> Vec<Given> {
    let none = json!([]);
    let (three, one, waiting) = (json!([[1, 3]]), json!([[1, 1]]), json!([[2, 20], [3, 30]]));
    let (all, more) = (json!([[1, COMMANDS_KEPT_MAX]]), json!([[1, COMMANDS_KEPT_MAX + 1]]));
    let far = VARINT_MAX - COMMANDS_OPEN_MAX;
    let (is, own) = (&["RES-033"][..], &["RES-033", "RES-037"][..]);
    let new = "a web that was put back numbers what waits above all that the phone knows";
    let forgotten = Some(ErrorCode::COMMANDS_FORGOTTEN);
    vec![
        web("fresh", is, "no command yet", (1, &none, &none), (0, 0, 1), None),
        web("in-step", is, "the last one is known", (4, &three, &none), (3, 3, 1), None),
        web("ahead", is, "the phone lacks two", (4, &one, &waiting), (1, 1, 1), None),
        web("waits-and-known", is, "one that waits is known", (4, &one, &waiting), (3, 30, 1), None),
        web("behind-by-one", own, "a number that was not given", (4, &three, &none), (4, 4, 1), None),
        web("settled-of-another-key", own, "a settled number", (4, &three, &none), (3, 9, 1), None),
        web("waiting-of-another-key", own, new, (4, &one, &waiting), (3, 31, 1), None),
        web("waiting-behind", own, new, (4, &one, &waiting), (7, 70, 1), None),
        web("lower-of-another-key", own, new, (4, &one, &waiting), (1, 7, 1), None),
        web("highest", own, new, (4, &one, &waiting), (far, 7, 1), None),
        web("from-the-lowest", &["RES-038"], new, (4, &one, &waiting), (7, 70, 2), None),
        web(
            "from-above-the-lowest",
            &["RES-038"],
            "the phone may have run what waits, and forgotten it",
            (4, &one, &waiting),
            (7, 70, 3),
            forgotten,
        ),
        web("from-and-nothing-waits", &["RES-038"], new, (4, &three, &none), (9, 90, 9), None),
        web(
            "from-and-in-step",
            &["RES-038"],
            "a web that was not put back sends what waits",
            (4, &one, &waiting),
            (3, 30, 3),
            None,
        ),
        web(
            "4096-own-keys",
            &["RES-039", "RES-033"],
            "the key of a number 4,096 below the next is kept",
            (COMMANDS_KEPT_MAX + 1, &all, &none),
            (1, 7, 1),
            None,
        ),
        web(
            "4097-own-keys",
            &["RES-039"],
            "that of an older one says nothing",
            (COMMANDS_KEPT_MAX + 2, &more, &none),
            (1, 7, 1),
            None,
        ),
    ]
}

fn all() -> Vec<Given> {
    [envelopes(), old_keys(), at_phone(), at_web(), replies()].into_iter().flatten().collect()
}

pub(super) fn valid() -> Result<Vec<Case>> {
    all().iter().filter(|given| given.code.is_none()).map(Given::case).collect()
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    all().iter().filter(|given| given.code.is_some()).map(Given::case).collect()
}
