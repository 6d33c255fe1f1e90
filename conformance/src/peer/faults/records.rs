//! Records that are not what was sealed, come out of order, or hold what no record may.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use bytes::BytesMut;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::Frame;
use handfast_codec::relay::{DATA_HEADER_LEN, RECORD_HEADER};

use super::{Begin, Fault, PHONE, WEB};
use crate::peer::driver::{Peer, Step, wrong};

const PING: Frame = Frame::Ping { id: 5, rev: 0 };

/// A record that the peer did not seal so.
fn forged(name: &'static str, comment: &'static str, body: fn(&mut Peer<'_>) -> Step) -> [Fault; 2] {
    [PHONE, WEB].map(|role| {
        Fault::new(role, name, &["CHN-003"], comment, Begin::Connected, move |peer| {
            body(peer)?;
            peer.dies_of(C::DECRYPT_FAILED)
        })
        .ending(C::DECRYPT_FAILED)
    })
}

/// A plaintext that no record may have, sealed as it should be.
fn plain(
    name: &'static str,
    reqs: &'static [&'static str],
    comment: &'static str,
    plain: (&'static [u8], usize),
    code: C,
) -> [Fault; 2] {
    [PHONE, WEB].map(|role| Fault::plain(role, name, reqs, comment, plain, code))
}

/// Bytes in place of a record that have no allowed size.
fn size(name: &'static str, comment: &'static str, len: usize) -> [Fault; 2] {
    [PHONE, WEB].map(|role| {
        Fault::new(role, name, &["CHN-001"], comment, Begin::Connected, move |peer| {
            let mut record = BytesMut::from(&RECORD_HEADER[..]);
            record.resize(DATA_HEADER_LEN + len, 9);
            peer.give(&record)?;
            peer.dies_of(C::BAD_RECORD_SIZE)
        })
        .ending(C::BAD_RECORD_SIZE)
    })
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
    let mut all = Vec::new();
    all.extend(forged("record-bit-flipped", "one bit of a record differs", |peer| flip(peer, false)));
    all.extend(forged("record-tag-flipped", "one bit of its tag differs", |peer| flip(peer, true)));
    all.extend(forged("record-twice", "a record comes a second time", |peer| {
        let record = peer.record(&[PING])?;
        peer.give(&record)?;
        peer.give(&record)
    }));
    all.extend(forged("record-skipped", "one record is lost, the next one arrives", |peer| {
        let _ = peer.record(&[PING])?;
        peer.send(&[PING])
    }));
    all.extend(forged("records-swapped", "two records change places", |peer| {
        let (first, second) = (peer.record(&[PING])?, peer.record(&[PING])?);
        peer.give(&second)?;
        peer.give(&first)
    }));
    all.extend(forged("record-reflected", "its own record comes back", |peer| {
        peer.send(&[PING])?;
        let Some(record) = peer.last_record.clone() else {
            return wrong("it must have sent a record, and has not");
        };
        peer.give(&record)
    }));
    all.extend(size("record-empty", "a record without a byte", 0));
    all.extend(size("record-tag-only", "a record of 16 bytes", 16));
    all.extend(size("record-not-a-power", "a plaintext of 129 bytes", 145));
    all.extend(size("record-too-large", "a plaintext of 32,768 bytes would be the next size", 16_416));
    all.extend(plain(
        "padding-not-zero",
        &["CHN-002"],
        "a byte in the padding",
        (&[2, 0, 0, 1], 128),
        C::BAD_PADDING,
    ));
    all.extend(plain(
        "size-not-smallest",
        &["CHN-001"],
        "256 bytes for what fits 128",
        (&[], 256),
        C::BAD_RECORD_SIZE,
    ));
    all.extend(plain(
        "frame-unknown-odd",
        &["FRM-021"],
        "a frame type 63 that no version has",
        (&[63, 0], 128),
        C::UNKNOWN_CRITICAL,
    ));
    all.extend(plain(
        "varint-not-minimal",
        &["FRM-001"],
        "a PING whose id takes two bytes",
        (&[1, 3, 0x40, 1, 0], 128),
        C::VARINT_NOT_MINIMAL,
    ));
    all.extend(plain("frame-cut", &["FRM-002"], "a PING that ends early", (&[1, 1, 1], 128), C::TRUNCATED));
    all.extend(plain(
        "frame-trailing",
        &["FRM-003"],
        "a PING with a byte more",
        (&[1, 3, 1, 0, 9], 128),
        C::TRAILING_BYTES,
    ));
    all.extend(plain(
        "frame-over-the-end",
        &["FRM-002"],
        "a frame longer than its record",
        (&[1, 0x7f, 0xff], 128),
        C::TRUNCATED,
    ));
    for role in [PHONE, WEB] {
        all.push(Fault::frames(
            role,
            "pings-65",
            &["FRM-025"],
            "PINGs in one record, one more than may wait for their PONGs",
            vec![vec![PING; 65]],
            C::LIMIT,
        ));
        all.push(Fault::new(
            role,
            "frame-unknown-even",
            &["FRM-021", "EXT-002"],
            "a frame of an even type that no version has is ignored",
            Begin::Connected,
            |peer| {
                peer.send_plain(&[58, 3, 1, 2, 3, 1, 2, 7, 0], 128)?;
                peer.hears(&Frame::Pong { id: 7 })?;
                peer.lives()
            },
        ));
        all.push(Fault::new(
            role,
            "close-with-each-code",
            &["ERR-003"],
            "every code of the registry, in a CLOSE, ends the connection and is known by its number",
            Begin::Connected,
            |peer| {
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
            },
        ));
        all.push(Fault::new(
            role,
            "close-answered",
            &["ERR-002"],
            "the peer closes, and nothing but silence answers",
            Begin::Connected,
            |peer| {
                let before = peer.heard.len();
                peer.send(&[Frame::Close { code: C::INTERNAL, retry_ms: 0 }])?;
                peer.wait(0)?;
                if peer.heard.iter().skip(before).any(|frame| matches!(frame, Frame::Close { .. })) {
                    return wrong("a CLOSE must not be answered by a CLOSE");
                }
                peer.is_told("closed INTERNAL")?;
                peer.is_dead()
            },
        ));
    }
    all
}
