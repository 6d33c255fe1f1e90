//! Records that are not what was sealed, come out of order, or hold what no record may.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use bytes::BytesMut;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::Frame;
use handfast_codec::relay::{DATA_HEADER_LEN, RECORD_HEADER};

use super::{Case, Fault, both};
use crate::peer::driver::{Peer, Step, wrong};

const PING: Frame = Frame::Ping { id: 5, rev: 0 };

impl Case {
    /// A record that the peer did not seal so.
    fn forged(self, body: fn(&mut Peer<'_>) -> Step) -> Fault {
        self.connected(&["CHN-003"], move |peer| {
            body(peer)?;
            peer.dies_of(C::DECRYPT_FAILED)
        })
        .ending(C::DECRYPT_FAILED)
    }

    /// Bytes in place of a record that have no allowed size.
    fn size(self, len: usize) -> Fault {
        self.connected(&["CHN-001"], move |peer| {
            let mut record = BytesMut::from(&RECORD_HEADER[..]);
            record.resize(DATA_HEADER_LEN + len, 9);
            peer.give(&record)?;
            peer.dies_of(C::BAD_RECORD_SIZE)
        })
        .ending(C::BAD_RECORD_SIZE)
    }
}

fn flip(peer: &mut Peer<'_>, at_end: bool) -> Step {
    let mut record = peer.record(&[PING])?;
    let at = if at_end { record.len() - 1 } else { DATA_HEADER_LEN };
    if let Some(byte) = record.get_mut(at) {
        *byte ^= 1;
    }
    peer.give(&record)
}

pub(super) fn all() -> Vec<Fault> {
    [
        both("record-bit-flipped", "one bit of a record differs", |case| {
            case.forged(|peer| flip(peer, false))
        }),
        both("record-tag-flipped", "one bit of its tag differs", |case| case.forged(|peer| flip(peer, true))),
        both("record-twice", "a record comes a second time", |case| {
            case.forged(|peer| {
                let record = peer.record(&[PING])?;
                peer.give(&record)?;
                peer.give(&record)
            })
        }),
        both("record-skipped", "one record is lost, the next one arrives", |case| {
            case.forged(|peer| {
                let _ = peer.record(&[PING])?;
                peer.send(&[PING])
            })
        }),
        both("records-swapped", "two records change places", |case| {
            case.forged(|peer| {
                let (first, second) = (peer.record(&[PING])?, peer.record(&[PING])?);
                peer.give(&second)?;
                peer.give(&first)
            })
        }),
        both("record-reflected", "its own record comes back", |case| {
            case.forged(|peer| {
                peer.send(&[PING])?;
                let Some(record) = peer.last_record.clone() else {
                    return wrong("it must have sent a record, and has not");
                };
                peer.give(&record)
            })
        }),
        both("record-empty", "a record without a byte", |case| case.size(0)),
        both("record-tag-only", "a record of 16 bytes", |case| case.size(16)),
        both("record-not-a-power", "a plaintext of 129 bytes", |case| case.size(145)),
        both("record-too-large", "a plaintext of 32,768 bytes would be the next size", |case| {
            case.size(16_416)
        }),
        both("padding-not-zero", "a byte in the padding", |case| {
            case.plain(&["CHN-002"], (&[2, 0, 0, 1], 128)).ends_with(C::BAD_PADDING)
        }),
        both("size-not-smallest", "256 bytes for what fits 128", |case| {
            case.plain(&["CHN-001"], (&[], 256)).ends_with(C::BAD_RECORD_SIZE)
        }),
        both("frame-unknown-odd", "a frame type 63 that no version has", |case| {
            case.plain(&["FRM-021"], (&[63, 0], 128)).ends_with(C::UNKNOWN_CRITICAL)
        }),
        both("varint-not-minimal", "a PING whose id takes two bytes", |case| {
            case.plain(&["FRM-001"], (&[1, 3, 0x40, 1, 0], 128)).ends_with(C::VARINT_NOT_MINIMAL)
        }),
        both("frame-cut", "a PING that ends early", |case| {
            case.plain(&["FRM-002"], (&[1, 1, 1], 128)).ends_with(C::TRUNCATED)
        }),
        both("frame-trailing", "a PING with a byte more", |case| {
            case.plain(&["FRM-003"], (&[1, 3, 1, 0, 9], 128)).ends_with(C::TRAILING_BYTES)
        }),
        both("frame-over-the-end", "a frame longer than its record", |case| {
            case.plain(&["FRM-002"], (&[1, 0x7f, 0xff], 128)).ends_with(C::TRUNCATED)
        }),
        both("pings-65", "PINGs in one record, one more than may wait for their PONGs", |case| {
            case.frames(&["FRM-025"], vec![vec![PING; 65]]).ends_with(C::LIMIT)
        }),
        both("frame-unknown-even", "a frame of an even type that no version has is ignored", |case| {
            case.connected(&["FRM-021", "EXT-002"], |peer| {
                peer.send_plain(&[58, 3, 1, 2, 3, 1, 2, 7, 0], 128)?;
                peer.hears(&Frame::Pong { id: 7 })?;
                peer.lives()
            })
        }),
        both(
            "close-with-each-code",
            "every code of the registry, in a CLOSE, ends the connection and is known by its number",
            |case| {
                case.connected(&["ERR-003"], |peer| {
                    for code in C::ALL {
                        peer.again()?;
                        peer.send(&[Frame::Close { code: *code, retry_ms: 0 }])?;
                        peer.wait(0)?;
                        match *code {
                            C::REKEY | C::IN_STEP => peer.is_not_told("closed")?,
                            C::DIVERGED => peer.is_told("diverged")?,
                            C::SUSPENDED => peer.is_told("suspended")?,
                            code => peer.is_told(&format!("closed {}", code.name()))?,
                        }
                        peer.is_dead()?;
                    }
                    Ok(())
                })
            },
        ),
        both("close-answered", "the peer closes, and nothing but silence answers", |case| {
            case.connected(&["ERR-002"], |peer| {
                let before = peer.heard.len();
                peer.send(&[Frame::Close { code: C::INTERNAL, retry_ms: 0 }])?;
                peer.wait(0)?;
                if peer.heard.iter().skip(before).any(|frame| matches!(frame, Frame::Close { .. })) {
                    return wrong("a CLOSE must not be answered by a CLOSE");
                }
                peer.is_told("closed INTERNAL")?;
                peer.is_dead()
            })
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}
