//! The bytes behind the events of the tables of streams, which are the same wherever these are walked.

use bytes::Bytes;
use handfast_codec::ErrorCode;
use handfast_codec::frame::{Frame, OpenKind};

/// The stream.
pub const ID: u64 = 0;
/// What its OPEN says of it.
pub const META: &[u8] = b"content";
/// The length of the stream of a sender, in bytes.
pub const LEN: u64 = 100_000;

/// The frames of an event, for a stream of which so many bytes have arrived; a FIN says `hash`. `None` if the tables have
/// no such event.
#[must_use]
pub fn frames(kind: OpenKind, event: &str, arrived: u64, hash: [u8; 32]) -> Option<Vec<Frame>> {
    let open = |id| Frame::Open { id, kind, meta: Bytes::from_static(META) };
    let data = |offset| Frame::Data { id: ID, offset, body: Bytes::from_static(&[7; 100]) };
    let durable = |offset| Frame::Durable { id: ID, offset };
    Some(vec![match event {
        "OPEN" => open(ID),
        "OPEN_PARITY" => open(1),
        "OPEN_AND_DATA" => return Some(vec![open(ID), data(0)]),
        "DATA" => data(arrived),
        "DATA_GAP" => data(arrived + 1),
        "FIN" => Frame::Fin { id: ID, hash },
        "STOP" => Frame::Stop { id: ID, code: ErrorCode::CANCELLED },
        "CREDIT" => Frame::Credit { id: ID, offset: LEN },
        "CREDIT_LESS" => Frame::Credit { id: ID, offset: 1 },
        "DURABLE" => durable(2_000),
        "DURABLE_ALL" => durable(LEN),
        "DURABLE_BACK" => durable(10),
        "DURABLE_FUTURE" => durable(LEN + 1),
        _ => return None,
    }])
}
