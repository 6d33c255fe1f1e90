//! Streams that are opened, fed or ended against their rules.

use bytes::Bytes;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::{Frame, OpenKind};
use handfast_codec::limits::STREAMS_OPEN_MAX;
use serde_json::json;

use super::{Fault, phone, web};
use crate::fields::hex;
use crate::peer::driver::wrong;

fn open(id: u64, kind: OpenKind) -> Frame {
    Frame::Open { id, kind, meta: Bytes::from_static(b"file") }
}

fn data(id: u64, offset: u64, len: usize) -> Frame {
    Frame::Data { id, offset, body: Bytes::from(vec![7; len]) }
}

pub(super) fn all() -> Vec<Fault> {
    [ids_to_phone(), content_to_phone(), to_web()].into_iter().flatten().collect()
}

fn cancelled(id: u64) -> Frame {
    Frame::Stop { id, code: C::CANCELLED }
}

fn ids_to_phone() -> Vec<Fault> {
    let put = OpenKind::Put;
    vec![
        phone("stream-of-the-others-parity", "a web's stream has an odd id")
            .frames(&["STR-001"], vec![vec![open(1, put)]])
            .ends_with(C::STREAM_ID),
        phone("stream-id-descends", "stream 0 after stream 2")
            .frames(&["STR-001"], vec![vec![open(2, put), open(0, put)]])
            .ends_with(C::STREAM_ID),
        phone("stream-id-twice", "stream 2 is opened twice")
            .frames(&["STR-001"], vec![vec![open(2, put), open(2, put)]])
            .ends_with(C::STREAM_ID),
        phone("opens-and-reads-no-refusal", "65 streams more than may be open, in one record")
            .frames(
                &["FRM-025"],
                vec![(0..STREAMS_OPEN_MAX as u64 + 65).map(|at| open(2 * at, put)).collect()],
            )
            .ends_with(C::LIMIT),
        phone("data-of-no-stream", "DATA of a stream that was never opened")
            .frames(&["STR-009"], vec![vec![data(0, 0, 1)]])
            .ends_with(C::STREAM_STATE),
        phone("fin-of-no-stream", "FIN of a stream that was never opened")
            .frames(&["STR-009"], vec![vec![Frame::Fin { id: 0, hash: [0; 32] }]])
            .ends_with(C::STREAM_STATE),
        phone("credit-of-no-stream", "CREDIT of a stream that was never opened")
            .frames(&["STR-009"], vec![vec![Frame::Credit { id: 1, offset: 1 }]])
            .ends_with(C::STREAM_STATE),
        phone("durable-of-no-stream", "DURABLE of a stream that was never opened")
            .frames(&["STR-009"], vec![vec![Frame::Durable { id: 1, offset: 1 }]])
            .ends_with(C::STREAM_STATE),
        phone("stop-of-no-stream", "STOP of a stream that was never opened")
            .frames(&["STR-009"], vec![vec![cancelled(2)]])
            .ends_with(C::STREAM_STATE),
    ]
}

fn content_to_phone() -> Vec<Fault> {
    let put = OpenKind::Put;
    vec![
        phone("data-skips", "content begins at its second byte")
            .frames(&["STR-003"], vec![vec![open(0, put), data(0, 1, 10)]])
            .ends_with(C::OFFSET),
        phone("durable-of-own-content", "a sender says DURABLE of its own stream")
            .frames(&["STR-009"], vec![vec![open(0, put), Frame::Durable { id: 0, offset: 0 }]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        phone("data-behind-fin", "content that goes on behind its FIN is never taken").connected(
            &["STR-003", "STR-008"],
            move |peer| {
                peer.send(&[open(0, put)])?;
                peer.wait(0)?;
                peer.send(&[data(0, 0, 10), Frame::Fin { id: 0, hash: [0; 32] }, data(0, 10, 10)])?;
                peer.wait(0)?;
                match peer.heard.iter().find(|frame| matches!(frame, Frame::Durable { offset: 11.., .. })) {
                    Some(frame) => wrong(format!("FIN stood at 10, and {frame:?} is sent")),
                    None => Ok(()),
                }
            },
        ),
        phone("data-beyond-the-credit", "content in the record of its OPEN, before any credit")
            .frames(&["STR-004"], vec![vec![open(0, put), data(0, 0, 100)]])
            .ends_with(C::CREDIT_EXCEEDED),
        phone("frames-of-a-stopped-stream", "what was under way when a stream was stopped is ignored").borne(
            &["STR-009"],
            vec![vec![
                open(0, put),
                cancelled(0),
                data(0, 0, 100),
                Frame::Fin { id: 0, hash: [0; 32] },
                cancelled(0),
            ]],
        ),
        phone("seventeen-streams", "the seventeenth open stream is stopped, the others live").connected(
            &["STR-002"],
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
        web("stream-of-the-others-parity", "a phone's stream has an even id")
            .frames(&["STR-001"], vec![vec![open(0, OpenKind::Put)]])
            .ends_with(C::STREAM_ID),
        web("data-beyond-the-credit-of-a-get", "a get has 64 KiB of credit at first")
            .connected(&["STR-004"], |peer| {
                peer.app(json!({ "verb": "open", "kind": "get", "meta": hex(b"file") }))?;
                peer.wait(0)?;
                peer.hears(&Frame::Open { id: 0, kind: OpenKind::Get, meta: Bytes::from_static(b"file") })?;
                // One record a part, and no time for more credit to be of use: 16,000 bytes at offset 64 KiB.
                peer.send(&[data(0, 65_536, 16_000)])
            })
            .ends_with(C::OFFSET),
        web("stop-with-each-code", "a stream that is stopped ends with the code that was given").connected(
            &["STR-009"],
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
