//! Streams that are opened, fed or ended against their rules.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use bytes::Bytes;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::{Frame, OpenKind};
use handfast_codec::limits::STREAMS_OPEN_MAX;
use serde_json::json;

use super::{Begin, Fault, PHONE, WEB};
use crate::fields::hex;

fn open(id: u64, kind: OpenKind) -> Frame {
    Frame::Open { id, kind, meta: Bytes::from_static(b"file") }
}

fn data(id: u64, offset: u64, len: usize) -> Frame {
    Frame::Data { id, offset, body: Bytes::from(vec![7; len]) }
}

pub(super) fn all() -> Vec<Fault> {
    let mut all = to_phone();
    all.extend(to_web());
    all
}

fn to_phone() -> Vec<Fault> {
    let (f, put) = (Fault::frames, OpenKind::Put);
    let cancelled = |id| Frame::Stop { id, code: C::CANCELLED };
    vec![
        f(
            PHONE,
            "stream-of-the-others-parity",
            &["STR-001"],
            "a web's stream has an odd id",
            vec![vec![open(1, put)]],
            C::STREAM_ID,
        ),
        f(
            PHONE,
            "stream-id-descends",
            &["STR-001"],
            "stream 0 after stream 2",
            vec![vec![open(2, put), open(0, put)]],
            C::STREAM_ID,
        ),
        f(
            PHONE,
            "stream-id-twice",
            &["STR-001"],
            "stream 2 is opened twice",
            vec![vec![open(2, put), open(2, put)]],
            C::STREAM_ID,
        ),
        f(
            PHONE,
            "opens-and-reads-no-refusal",
            &["FRM-025"],
            "65 streams more than may be open, in one record",
            vec![(0..STREAMS_OPEN_MAX as u64 + 65).map(|at| open(2 * at, put)).collect()],
            C::LIMIT,
        ),
        f(
            PHONE,
            "data-of-no-stream",
            &["STR-009"],
            "DATA of a stream that was never opened",
            vec![vec![data(0, 0, 1)]],
            C::STREAM_STATE,
        ),
        f(
            PHONE,
            "fin-of-no-stream",
            &["STR-009"],
            "FIN of a stream that was never opened",
            vec![vec![Frame::Fin { id: 0, hash: [0; 32] }]],
            C::STREAM_STATE,
        ),
        f(
            PHONE,
            "credit-of-no-stream",
            &["STR-009"],
            "CREDIT of a stream that was never opened",
            vec![vec![Frame::Credit { id: 1, offset: 1 }]],
            C::STREAM_STATE,
        ),
        f(
            PHONE,
            "durable-of-no-stream",
            &["STR-009"],
            "DURABLE of a stream that was never opened",
            vec![vec![Frame::Durable { id: 1, offset: 1 }]],
            C::STREAM_STATE,
        ),
        f(
            PHONE,
            "stop-of-no-stream",
            &["STR-009"],
            "STOP of a stream that was never opened",
            vec![vec![cancelled(2)]],
            C::STREAM_STATE,
        ),
        f(
            PHONE,
            "data-skips",
            &["STR-003"],
            "content begins at its second byte",
            vec![vec![open(0, put), data(0, 1, 10)]],
            C::OFFSET,
        ),
        f(
            PHONE,
            "durable-of-own-content",
            &["STR-009"],
            "a sender says DURABLE of its own stream",
            vec![vec![open(0, put), Frame::Durable { id: 0, offset: 0 }]],
            C::FRAME_NOT_ALLOWED,
        ),
        Fault::frames(
            PHONE,
            "data-beyond-the-credit",
            &["STR-004"],
            "content in the record of its OPEN, before any credit",
            vec![vec![open(0, put), data(0, 0, 100)]],
            C::CREDIT_EXCEEDED,
        ),
        Fault::borne(
            PHONE,
            "frames-of-a-stopped-stream",
            &["STR-009"],
            "what was under way when a stream was stopped is ignored",
            vec![vec![
                open(0, put),
                cancelled(0),
                data(0, 0, 100),
                Frame::Fin { id: 0, hash: [0; 32] },
                cancelled(0),
            ]],
        ),
        Fault::new(
            PHONE,
            "seventeen-streams",
            &["STR-002"],
            "the seventeenth open stream is stopped, the others live",
            Begin::Connected,
            move |peer| {
                let frames: Vec<Frame> = (0..17).map(|n| open(n * 2, put)).collect();
                peer.send(&frames)?;
                peer.wait(0)?;
                peer.hears(&Frame::Stop { id: 32, code: C::TOO_MANY_STREAMS })?;
                peer.lives()
            },
        ),
    ]
}

fn to_web() -> Vec<Fault> {
    vec![
        Fault::frames(
            WEB,
            "stream-of-the-others-parity",
            &["STR-001"],
            "a phone's stream has an even id",
            vec![vec![open(0, OpenKind::Put)]],
            C::STREAM_ID,
        ),
        Fault::new(
            WEB,
            "data-beyond-the-credit-of-a-get",
            &["STR-004"],
            "a get has 64 KiB of credit at first",
            Begin::Connected,
            |peer| {
                peer.app(json!({ "verb": "open", "kind": "get", "meta": hex(b"file") }))?;
                peer.wait(0)?;
                peer.hears(&Frame::Open { id: 0, kind: OpenKind::Get, meta: Bytes::from_static(b"file") })?;
                // One record a part, and no time for more credit to be of use: 16,000 bytes at offset 64 KiB.
                peer.send(&[data(0, 65_536, 16_000)])?;
                peer.ends_with(C::OFFSET)
            },
        )
        .ending(C::OFFSET),
        Fault::new(
            WEB,
            "stop-with-each-code",
            &["STR-009"],
            "a stream that is stopped ends with the code that was given",
            Begin::Connected,
            |peer| {
                for (n, code) in
                    [C::GONE, C::OFFLINE, C::TOO_LARGE, C::CANCELLED, C::IO, C::HASH].into_iter().enumerate()
                {
                    let id = u64::try_from(n * 2).unwrap_or(0);
                    peer.app(json!({ "verb": "open", "kind": "get", "meta": hex(b"file") }))?;
                    peer.send(&[Frame::Stop { id, code }])?;
                    peer.is_told(&format!("stopped {id} {}", code.name()))?;
                }
                peer.lives()
            },
        ),
    ]
}
