//! Plaintexts of records.

use anyhow::Result;
use bytes::Bytes;
use handfast_codec::ErrorCode as C;
use handfast_codec::frame::{Collection, Frame, Items, OpenKind, PageCursor};
use handfast_codec::ids::Signature;
use handfast_codec::limits::VARINT_MAX;
use serde_json::json;

use super::tlv::padded;
use crate::case::Case;
use crate::fields::hex;

fn collection(name: &'static [u8]) -> Collection {
    Collection::new(name).expect("a name")
}

fn page(bytes: &'static [u8]) -> PageCursor {
    PageCursor::new(Bytes::from_static(bytes)).expect("a cursor")
}

fn items(items: &[&[u8]]) -> Items {
    Items::build(items).expect("items")
}

fn body(len: usize) -> Bytes {
    Bytes::from(vec![0xb0; len])
}

fn plaintext(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        frame.encode(&mut out);
    }
    padded(out)
}

fn both() -> Vec<(&'static str, Frame)> {
    vec![
        ("ping", Frame::Ping { id: 1, rev: 0 }),
        ("ping-varint-63", Frame::Ping { id: 63, rev: 64 }),
        ("ping-varint-16383", Frame::Ping { id: 16_383, rev: 16_384 }),
        ("ping-varint-30", Frame::Ping { id: (1 << 30) - 1, rev: 1 << 30 }),
        ("ping-varint-max", Frame::Ping { id: VARINT_MAX, rev: 1 << 53 }),
        ("pong", Frame::Pong { id: 7 }),
        ("msg-empty", Frame::Msg { seq: 1, part: 0, last: 0, body: body(0) }),
        ("msg", Frame::Msg { seq: 2, part: 0, last: 0, body: body(40) }),
        ("msg-part-31", Frame::Msg { seq: 3, part: 31, last: 31, body: body(1) }),
        ("ack", Frame::Ack { durable: 9, cursors: vec![] }),
        (
            "ack-cursors",
            Frame::Ack { durable: 0, cursors: vec![(collection(&[1]), 5), (collection(&[2, 9]), 6)] },
        ),
        ("now", Frame::Now { slot: 1, body: Bytes::from_static(&[1]) }),
        ("now-1024", Frame::Now { slot: 5, body: body(1_024) }),
        ("open-get", Frame::Open { id: 0, kind: OpenKind::Get, meta: body(3) }),
        ("open-put", Frame::Open { id: 2, kind: OpenKind::Put, meta: body(0) }),
        ("data", Frame::Data { id: 0, offset: 65_536, body: body(1) }),
        ("credit", Frame::Credit { id: 0, offset: 131_072 }),
        ("durable", Frame::Durable { id: 0, offset: 65_536 }),
        ("stop", Frame::Stop { id: 0, code: C::CANCELLED }),
        ("fin", Frame::Fin { id: 0, hash: [0xf1; 32] }),
        ("conn-credit", Frame::ConnCredit { offset: 262_144 }),
        ("close", Frame::Close { code: C::REKEY, retry_ms: 0 }),
        ("leave", Frame::Leave { collection: collection(&[1]) }),
        ("close-retry", Frame::Close { code: C::LIMIT, retry_ms: 60_000 }),
    ]
}

fn from_web() -> Vec<(&'static str, Frame)> {
    vec![
        ("since", Frame::Since { collection: collection(&[1]), cursor: 0 }),
        ("since-name-32", Frame::Since { collection: collection(&[0x63; 32]), cursor: 100 }),
        ("page-get-first", Frame::PageGet { collection: collection(&[1]), page: page(&[]) }),
        ("page-get-64", Frame::PageGet { collection: collection(&[1]), page: page(&[0x70; 64]) }),
        ("digest-get", Frame::DigestGet { collection: collection(&[1]), cursor: 12 }),
        ("web-back", Frame::WebBack),
    ]
}

fn from_phone() -> Vec<(&'static str, Frame)> {
    let chats = || collection(&[1]);
    let delta = |items| Frame::Delta { collection: chats(), from: 10, to: 12, part: 0, last: 0, items };
    let page_of =
        |next, list| Frame::Page { collection: chats(), page: page(&[]), next, rev: 12, items: list };
    vec![
        ("delta-empty", delta(items(&[]))),
        ("delta", delta(items(&[b"one", b"two"]))),
        ("snapshot-required", Frame::SnapshotRequired { collection: chats(), rev: 12 }),
        ("page-last", page_of(page(&[]), items(&[b"row"]))),
        ("page", page_of(page(&[1, 2, 3]), items(&[&[0; 70]]))),
        ("digest", Frame::Digest { collection: chats(), cursor: 12, digest: [0xd1; 32] }),
        ("revoked", Frame::Revoked { signature: Signature::from_bytes([0x51; 64]) }),
    ]
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let op = "record.decode";
    let mut cases = Vec::new();
    for (from, frames) in [("web", both()), ("web", from_web()), ("phone", from_phone())] {
        for (name, frame) in frames {
            let plaintext = plaintext(&[frame]);
            // FRM-031 is PING, of type 1; the types of the registry are the odd numbers.
            let body = format!("FRM-{:03}", 31 + plaintext[0] / 2);
            let input = json!({ "from": from, "plaintext": hex(plaintext) });
            let comment = "one frame in the smallest record that holds it";
            cases.push(Case::valid(
                &format!("frames-record/{name}"),
                &["CHN-001", &body],
                comment,
                op,
                input,
            )?);
        }
    }
    let several: Vec<_> = both().into_iter().map(|(_, frame)| frame).take(12).collect();
    let filled = |len| vec![Frame::Now { slot: 1, body: body(len) }];
    for (name, frames, comment) in [
        ("empty", vec![], "an empty record is a valid record"),
        ("several", several, "frames one after another"),
        ("full-128", filled(124), "a record without padding"),
        ("full-256", filled(125), "one byte more takes the next size"),
    ] {
        let input = json!({ "from": "web", "plaintext": hex(plaintext(&frames)) });
        cases.push(Case::valid(&format!("frames-record/{name}"), &["CHN-001"], comment, op, input)?);
    }
    for (name, frame) in [("58", &[58, 2, 1, 2][..]), ("120", &[0x40, 120, 0]), ("even", &[2, 1, 0])] {
        let greased = padded([frame, &plaintext(&[Frame::Pong { id: 1 }])[..3]].concat());
        let input = json!({ "from": "phone", "plaintext": hex(greased), "grease": true });
        let comment =
            "an unknown even frame is ignored; `grease`: encoding the frames again does not give it back";
        let id = format!("frames-record/ignored-{name}");
        cases.push(Case::valid(&id, &["FRM-021", "EXT-002"], comment, op, input)?);
    }
    Ok(cases)
}

/// Name, requirement, code, comment, sender, plaintext.
type Refusal = (String, &'static str, C, &'static str, &'static str, Vec<u8>);

fn sizes() -> Vec<Refusal> {
    let ping = plaintext(&[Frame::Ping { id: 1, rev: 0 }]);
    let size = C::BAD_RECORD_SIZE;
    let sized = |len: usize| {
        let mut plaintext = ping.clone();
        plaintext.resize(len, 0);
        plaintext
    };
    let mut out = Vec::new();
    for len in [0, 4, 64, 127, 129, 192, 32_768] {
        out.push((format!("size-{len}"), "CHN-011", size, "no record has this size", "web", sized(len)));
    }
    for len in [256, 512] {
        let comment = "the frames fit a smaller record";
        out.push((format!("size-{len}-of-128"), "CHN-011", size, comment, "web", sized(len)));
    }
    for at in [5, 64, 127] {
        let mut plaintext = ping.clone();
        plaintext[at] = 1;
        let comment = "a byte of the padding is not zero";
        out.push((format!("padding-{at}"), "CHN-002", C::BAD_PADDING, comment, "web", plaintext));
    }
    out
}

fn grammar() -> Vec<Refusal> {
    let mut out = Vec::new();
    let mut push = |name: &str, req, code, comment, frame: &[u8]| {
        out.push((name.to_owned(), req, code, comment, "web", padded(frame.to_vec())));
    };
    for (name, frame) in [("47", &[47, 0][..]), ("63", &[63, 0]), ("119", &[0x40, 119, 0])] {
        push(&format!("type-{name}"), "FRM-020", C::UNKNOWN_CRITICAL, "an unknown odd type", frame);
    }
    push("type-varint", "FRM-001", C::VARINT_NOT_MINIMAL, "a type in a long form", &[0x40, 3, 1, 1]);
    push("length-varint", "FRM-001", C::VARINT_NOT_MINIMAL, "a length in a long form", &[3, 0x40, 1, 1]);
    push(
        "value-varint-8",
        "FRM-001",
        C::VARINT_NOT_MINIMAL,
        "a value in eight bytes",
        &[3, 8, 0xc0, 0, 0, 0, 0, 0, 0, 1],
    );
    push("past-end", "FRM-002", C::TRUNCATED, "a frame longer than the record", &[3, 0x40, 200, 1]);
    push("body-empty", "FRM-002", C::TRUNCATED, "a body without its field", &[3, 0]);
    push("body-cut", "FRM-002", C::TRUNCATED, "a field that ends early", &[3, 1, 0x40]);
    push("body-trailing", "FRM-003", C::TRAILING_BYTES, "a byte after the last field", &[3, 2, 1, 1]);
    let trailing = C::TRAILING_BYTES;
    push("web-back-1", "FRM-053", trailing, "a byte where there is no field", &[45, 1, 0]);
    push("close-cut", "FRM-002", C::TRUNCATED, "a code of one byte", &[39, 1, 3]);
    push(
        "fin-trailing",
        "FRM-003",
        C::TRAILING_BYTES,
        "a hash of 33 bytes",
        &[&[35, 34][..], &[0; 34]].concat(),
    );
    push("collection-0", "FRM-024", C::FIELD_LENGTH, "an empty name", &[7, 2, 0, 0]);
    push(
        "collection-33",
        "FRM-024",
        C::FIELD_LENGTH,
        "a name of 33 bytes",
        &[&[7, 35, 33][..], &[1; 33], &[0]].concat(),
    );
    push(
        "page-65",
        "FRM-024",
        C::FIELD_LENGTH,
        "a page cursor of 65 bytes",
        &[&[13, 0x40, 68, 1, 1, 65][..], &[1; 65]].concat(),
    );
    out
}

fn values() -> Vec<Refusal> {
    let mut out = Vec::new();
    let mut push = |name: &str, req, code, comment, from, frames: &[u8]| {
        out.push((name.to_owned(), req, code, comment, from, padded(frames.to_vec())));
    };
    push("msg-seq-0", "FRM-011", C::FIELD_VALUE, "sequence numbers begin at 1", "web", &[5, 3, 0, 0, 0]);
    push("msg-part", "FRM-023", C::FIELD_VALUE, "a part above the last", "web", &[5, 3, 1, 2, 1]);
    push("msg-last-32", "FRM-023", C::FIELD_VALUE, "33 parts", "web", &[5, 3, 1, 0, 32]);
    push(
        "delta-part",
        "FRM-023",
        C::FIELD_VALUE,
        "a part above the last",
        "phone",
        &[9, 6, 1, 1, 0, 1, 1, 0],
    );
    push("open-kind-0", "FRM-011", C::FIELD_VALUE, "no such kind", "web", &[25, 2, 0, 0]);
    push("open-kind-3", "FRM-011", C::FIELD_VALUE, "no such kind", "web", &[25, 2, 0, 3]);
    push("data-empty", "FRM-024", C::FIELD_LENGTH, "DATA without bytes", "web", &[27, 2, 0, 0]);
    push("item-empty", "FRM-024", C::FIELD_LENGTH, "an empty item", "phone", &[9, 7, 1, 1, 0, 1, 0, 0, 0]);
    push(
        "item-past-end",
        "FRM-002",
        C::TRUNCATED,
        "an item past the frame",
        "phone",
        &[9, 8, 1, 1, 0, 1, 0, 0, 2, 1],
    );
    out
}

fn limits() -> Vec<Refusal> {
    let mut out = Vec::new();
    let mut push = |name: &str, req, code, comment, from, frames: &[u8]| {
        out.push((name.to_owned(), req, code, comment, from, padded(frames.to_vec())));
    };
    let long = |frame: &Frame| {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        bytes
    };
    let comment = "one byte over the maximum";
    let length = C::FIELD_LENGTH;
    push("now-1025", "FRM-024", length, comment, "web", &long(&Frame::Now { slot: 1, body: body(1_025) }));
    push(
        "meta-1025",
        "FRM-024",
        length,
        comment,
        "web",
        &long(&Frame::Open { id: 0, kind: OpenKind::Get, meta: body(1_025) }),
    );
    let cursors = vec![(collection(&[1]), 1); 65];
    push("ack-65", "FRM-024", length, "65 cursors", "web", &long(&Frame::Ack { durable: 1, cursors }));
    for (name, frame) in from_web() {
        let name = format!("phone-sends-{name}");
        push(&name, "FRM-022", C::FRAME_NOT_ALLOWED, "a frame of the web alone", "phone", &long(&frame));
    }
    for (name, frame) in from_phone() {
        let name = format!("web-sends-{name}");
        push(&name, "FRM-022", C::FRAME_NOT_ALLOWED, "a frame of the phone alone", "web", &long(&frame));
    }
    out
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let all = [sizes(), grammar(), values(), limits()].concat();
    all.into_iter()
        .map(|(name, req, code, comment, from, plaintext)| {
            let id = format!("refuse-frames-record/{name}");
            let input = json!({ "from": from, "plaintext": hex(plaintext) });
            Case::invalid(&id, &[req], comment, "record.decode", input, code)
        })
        .collect()
}
