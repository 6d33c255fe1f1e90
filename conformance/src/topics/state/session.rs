//! What comes at an event of the tables of a session: records, or a verb of the application.

use bytes::Bytes;
use handfast_codec::ErrorCode;
use handfast_codec::frame::{Collection, Frame, Items, OpenKind, PageCursor};
use handfast_codec::ids::Signature;
use handfast_codec::limits::{CONN_WINDOW_MAX, STREAM_CREDIT_START, STREAM_WINDOW_MAX};
use serde_json::{Value, json};

use handfast_codec::record::RecordBuilder;
use handfast_codec::relay::DATA_HEADER_LEN;

use crate::derive::sha256;
use crate::fields::hex;

/// The plaintext of a record of these frames.
pub(super) fn plaintext(frames: &[Frame]) -> String {
    let mut builder = RecordBuilder::new();
    assert!(frames.iter().all(|frame| builder.push(frame)), "the frames fit a record");
    hex(builder.finish().split_off(DATA_HEADER_LEN))
}

/// What an event is, in a script.
pub(super) enum Act {
    /// Records come, each of these frames.
    Recv(Vec<Vec<Frame>>),
    /// The application does something first.
    App(Value),
    /// Something else about the step: a name and a value, and the records that come.
    With(&'static str, Value, Vec<Vec<Frame>>),
}

impl Act {
    /// Puts it into a step.
    pub(super) fn into_step(self, step: &mut Value) {
        let (records, more) = match self {
            Self::Recv(records) => (records, None),
            Self::App(verb) => (Vec::new(), Some(("app", verb))),
            Self::With(name, value, records) => (records, Some((name, value))),
        };
        if let Some((name, value)) = more {
            step[name] = value;
        }
        match records.as_slice() {
            [] => {}
            [record] => step["recv"] = plaintext(record).into(),
            records => step["recv"] = records.iter().map(|record| plaintext(record)).collect(),
        }
    }
}

fn one(frame: Frame) -> Act {
    Act::Recv(vec![vec![frame]])
}

/// So many frames in as few records as hold them.
fn many(frames: impl Iterator<Item = Frame>) -> Vec<Vec<Frame>> {
    let (mut out, mut len) = (vec![Vec::new()], 0);
    for frame in frames {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        if len + bytes.len() > 16_000 {
            out.push(Vec::new());
            len = 0;
        }
        len += bytes.len();
        out.last_mut().expect("one record").push(frame);
    }
    out
}

fn collection(n: u8) -> Collection {
    Collection::new(&[n]).expect("a name")
}

fn message(seq: u64, part: u8, last: u8, body: &[u8]) -> Frame {
    Frame::Msg { seq, part, last, body: Bytes::copy_from_slice(body) }
}

fn delta(from: u64, to: u64, part: u8, last: u8) -> Frame {
    let items = Items::default();
    Frame::Delta { collection: collection(0), from, to, part, last, items }
}

fn page(at: &'static [u8], next: &'static [u8], rev: u64) -> Frame {
    let cursor = |bytes| PageCursor::new(Bytes::from_static(bytes)).expect("a cursor");
    Frame::Page {
        collection: collection(0),
        page: cursor(at),
        next: cursor(next),
        rev,
        items: Items::default(),
    }
}

fn revoked() -> Frame {
    Frame::Revoked { signature: Signature::from_bytes([1; 64]) }
}

/// An event that both roles know.
fn both(event: &str) -> Act {
    match event {
        "ACK" => one(Frame::Ack { durable: 0, cursors: vec![] }),
        "ACK_FUTURE" => one(Frame::Ack { durable: 9, cursors: vec![] }),
        "LEAVE" => one(Frame::Leave { collection: collection(0) }),
        "SINCE" => one(Frame::Since { collection: collection(0), cursor: 0 }),
        "DELTA" => one(delta(0, 1, 0, 0)),
        "REVOKED" | "REVOKED_FOREIGN" => one(revoked()),
        "WEB_BACK" => one(Frame::WebBack),
        "PING" => one(Frame::Ping { id: 7, rev: 0 }),
        "NOW" => one(Frame::Now { slot: 99, body: Bytes::from_static(b"?") }),
        "CLOSE" => one(Frame::Close { code: ErrorCode::INTERNAL, retry_ms: 0 }),
        _ => Act::Recv(vec![vec![]]),
    }
}

/// A command of a small number and floor, whose key is 16 times its number.
fn envelope(number: u8, floor: u8) -> Vec<u8> {
    [&[number, floor][..], &[number; 16], b"x"].concat()
}

/// An event at the phone, when `next` is the number of the next message.
pub(super) fn at_phone(event: &str, next: u64) -> Act {
    let number = u8::try_from(next).unwrap_or(0);
    let command = |seq: u64, id: u8, floor: u8| message(seq, 0, 0, &envelope(id, floor));
    match event {
        "COMMAND" => one(command(next, number, 1)),
        "AGAIN" => one(command(1, 1, 1)),
        "KNOWN" => one(command(next, 1, 1)),
        "GAP" => one(command(next + 1, number, 1)),
        "PART_FIRST" => one(message(next, 0, 1, &envelope(number, 1)[..18])),
        "PART_SECOND" => one(message(next, 1, 1, b"x")),
        "FLOOR" => one(command(next, 3, 5)),
        "NO_COMMAND" => one(message(next, 0, 0, &[])),
        "DIGEST_GET" => one(Frame::DigestGet { collection: collection(0), cursor: 0 }),
        "DIGEST_FUTURE" => one(Frame::DigestGet { collection: collection(0), cursor: 9 }),
        "PAGE_GET" => one(Frame::PageGet { collection: collection(0), page: PageCursor::default() }),
        "NOW_BAD" => one(Frame::Now { slot: 1, body: Bytes::from_static(&[2]) }),
        event => both(event),
    }
}

/// `ALREADY_DONE` of a command that the web has not sent.
fn result() -> [u8; 17] {
    let mut out = [9; 17];
    out[16] = 1;
    out
}

/// An event at the web.
pub(super) fn at_web(event: &str) -> Act {
    match event {
        "SUBSCRIBE" => Act::App(json!({ "verb": "subscribe", "collection": "00" })),
        "UNSUBSCRIBE" => Act::App(json!({ "verb": "leave", "collection": "00" })),
        "DELTA_GAP" => one(delta(5, 6, 0, 0)),
        "DELTA_BACK" => one(delta(0, 0, 0, 0)),
        "DELTA_PART" => one(delta(0, 1, 1, 1)),
        "DIGEST" => one(Frame::Digest { collection: collection(0), cursor: 0, digest: [0; 32] }),
        "REQUIRED" => one(Frame::SnapshotRequired { collection: collection(0), rev: 9 }),
        "PAGE" => one(page(b"", b"", 9)),
        "PAGE_FIRST" => one(page(b"", b"b", 9)),
        "PAGE_SECOND" => one(page(b"b", b"", 9)),
        "PAGE_APART" => one(page(b"b", b"", 8)),
        "PAGE_OTHER" => one(page(b"a", b"", 9)),
        "RESULT" => one(message(1, 0, 0, &result())),
        "RESULT_GAP" => one(message(2, 0, 0, &result())),
        "RESULT_PART" => one(message(1, 1, 1, &result())),
        event => both(event),
    }
}

/// The list of 70,000 bytes, each 7.
fn content_id() -> [u8; 32] {
    let hashes = [65_536, 4_464].map(|len| sha256(&vec![7; len]));
    sha256(&[&70_000_u64.to_be_bytes()[..], hashes.as_flattened()].concat())
}

/// An offer of media to the phone, in a stream of this id.
pub(super) fn put_at_phone(event: &str, id: u64) -> Option<Act> {
    let field =
        |number: u8, value: &[u8]| [&[number, u8::try_from(value.len()).unwrap_or(0)][..], value].concat();
    let put = |from: u64| {
        let from = if from == 0 { Vec::new() } else { field(3, &from.to_be_bytes()) };
        [field(1, &content_id()), from, field(5, &70_000_u64.to_be_bytes())].concat()
    };
    if event == "FIN_EARLY" {
        // Of the stream that the first step opened.
        return Some(one(Frame::Fin { id: 0, hash: content_id() }));
    }
    let (kind, meta) = match event {
        "PUT" => (OpenKind::Put, put(0)),
        "PUT_REST" => (OpenKind::Put, put(65_536)),
        "PUT_ONE" => (OpenKind::Put, put(1)),
        "PUT_UNEVEN" => (OpenKind::Put, put(65_537)),
        "PUT_BEYOND" => (OpenKind::Put, put(131_072)),
        "PUT_LARGE" => {
            (OpenKind::Put, [field(1, &[9; 32]), field(5, &((1_u64 << 31) + 1).to_be_bytes())].concat())
        }
        "PUT_NO_SIZE" => (OpenKind::Put, field(1, &content_id())),
        "GET" => (OpenKind::Get, field(1, &content_id())),
        "GET_NO_CONTENT" => (OpenKind::Get, Vec::new()),
        _ => return None,
    };
    Some(one(Frame::Open { id, kind, meta: meta.into() }))
}

/// A limit at the phone: reached, or passed by one.
pub(super) fn limit_at_phone(event: &str) -> Act {
    let over = event.ends_with("_OVER");
    let count = |limit: u8| 0..limit + u8::from(over);
    let more = u64::from(over);
    match event.trim_end_matches("_OVER") {
        "MESSAGE" => {
            let len = |part: u8| if part < 4 { 16_000 } else { 1_536 + usize::from(over) };
            // Its first bytes are those of a command.
            let body = |part: u8| [vec![1; 18], vec![b'x'; len(part) - 18]].concat();
            Act::Recv((0..5).map(|part| vec![message(1, part, 4, &body(part))]).collect())
        }
        // Numbers and floors are varints: 1,024 or 1,025, and 1.
        "COMMANDS" => one(message(1, 0, 0, &[&[0x44, u8::from(over), 1][..], &[1; 16], b"x"].concat())),
        "SUBSCRIPTIONS" => Act::Recv(vec![
            count(64).map(|n| Frame::Since { collection: collection(n), cursor: 0 }).collect(),
        ]),
        "PAGES" => {
            let get = |n| Frame::PageGet { collection: collection(n), page: PageCursor::default() };
            Act::Recv(vec![count(64).map(get).collect()])
        }
        "ANSWERS" => {
            let leave = |_| Frame::Leave { collection: collection(1) };
            Act::Recv(vec![(0..256 + more).map(leave).collect()])
        }
        "STREAMS" => {
            let put = |n| Frame::Open { id: u64::from(n) * 2, kind: OpenKind::Put, meta: vec![n].into() };
            Act::Recv(vec![count(16).map(put).collect()])
        }
        "CREDIT" => {
            let offset = STREAM_CREDIT_START + STREAM_WINDOW_MAX + more;
            let get = Frame::Open {
                id: 0,
                kind: OpenKind::Get,
                meta: Bytes::from_static(crate::state::stream::META),
            };
            Act::Recv(vec![vec![get], vec![Frame::Credit { id: 0, offset }]])
        }
        "CONN_CREDIT" => one(Frame::ConnCredit { offset: CONN_WINDOW_MAX + more }),
        _ => {
            let pings = (0..64 + more).map(|id| Frame::Ping { id, rev: 0 });
            Act::With("blocked", true.into(), vec![pings.collect()])
        }
    }
}

/// A limit at the web.
pub(super) fn limit_at_web(event: &str) -> Act {
    let over = event.ends_with("_OVER");
    let count = 1_024 + u64::from(over);
    match event {
        "RESULTS" | "RESULTS_OVER" => {
            let results = many((1..=count).map(|seq| message(seq, 0, 0, &result())));
            Act::With("undurable", true.into(), results)
        }
        "OUTBOX" | "OUTBOX_OVER" => Act::App(json!({ "verb": "send", "body": "78", "times": count })),
        "DELTA_OVER" => {
            let items = || Items::build([vec![1; 15_000]]).expect("an item");
            let part = |part| {
                vec![Frame::Delta {
                    collection: collection(0),
                    from: 0,
                    to: 1,
                    part,
                    last: 9,
                    items: items(),
                }]
            };
            Act::Recv((0..5).map(part).collect())
        }
        "DIGEST_BEHIND" => {
            let digest = Frame::Digest { collection: collection(0), cursor: 4, digest: [0; 32] };
            Act::Recv(vec![vec![delta(0, 5, 0, 0), digest]])
        }
        "PING_BEHIND" => {
            let ping = Frame::Ping { id: 9, rev: 8 };
            Act::Recv(vec![vec![delta(0, 5, 0, 0), ping, delta(5, 8, 0, 0)]])
        }
        _ => Act::Recv(vec![vec![Frame::Ping { id: 9, rev: 8 }, delta(0, 5, 0, 0)]]),
    }
}
