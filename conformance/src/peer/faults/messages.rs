//! Messages, commands and acknowledgements that break the rules of delivery.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::Frame;

use super::{Begin, Fault, PHONE, WEB};
use crate::peer::driver::{Peer, Step, wrong};

/// `number varint | floor varint | key 16 | body`, of small numbers; the key is 16 times `key`.
fn keyed(seq: u64, number: u8, floor: u8, key: u8) -> Frame {
    let body = [&[number, floor][..], &[key; 16], b"x"].concat();
    Frame::Msg { seq, part: 0, last: 0, body: body.into() }
}

/// A command whose key is 16 times its number.
fn command(seq: u64, number: u8, floor: u8) -> Frame {
    keyed(seq, number, floor, number)
}

/// The result of a command of this key: the command's own body.
fn result(key: u8) -> Vec<u8> {
    [&[key; 16][..], &[0], b"x"].concat()
}

/// So many commands ran, and so many were answered, the last one so.
fn answers(peer: &mut Peer<'_>, ran: usize, answered: usize, last: &[u8]) -> Step {
    let body = |frame: &Frame| match frame {
        Frame::Msg { body, .. } => Some(body.clone()),
        _ => None,
    };
    let results: Vec<Bytes> = peer.heard.iter().filter_map(body).collect();
    let told = peer.told.iter().filter(|told| told.starts_with("command ")).count();
    if (told, results.len()) != (ran, answered) {
        return wrong(format!(
            "{ran} must run and {answered} be answered: {told} ran, {} answered",
            results.len()
        ));
    }
    if results.last().is_none_or(|result| result != last) {
        return wrong("the last one must be answered with its result, and is not");
    }
    peer.lives()
}

fn part(seq: u64, part: u8, last: u8, len: usize) -> Frame {
    Frame::Msg { seq, part, last, body: Bytes::from(vec![1; len]) }
}

fn ack_of_the_future(role: DeviceRole) -> Fault {
    let ack = Frame::Ack { durable: 3, cursors: vec![] };
    let comment = "what was never sent is acknowledged";
    Fault::frames(role, "ack-of-the-future", &["RES-007"], comment, vec![vec![ack]], C::ACK_FUTURE)
}

pub(super) fn all() -> Vec<Fault> {
    let f = Fault::frames;
    vec![
        f(
            PHONE,
            "seq-skipped",
            &["RES-003"],
            "the first message has number 2",
            vec![vec![command(2, 1, 1)]],
            C::SEQ_GAP,
        ),
        f(
            PHONE,
            "part-in-front-missing",
            &["RES-004"],
            "a message begins with its second part",
            vec![vec![part(1, 1, 1, 3)]],
            C::PART_ORDER,
        ),
        f(
            PHONE,
            "part-skipped",
            &["RES-004"],
            "the second of three parts is missing",
            vec![vec![part(1, 0, 2, 3), part(1, 2, 2, 3)]],
            C::PART_ORDER,
        ),
        f(
            PHONE,
            "part-twice",
            &["RES-004"],
            "the first part comes twice",
            vec![vec![part(1, 0, 2, 3), part(1, 0, 2, 3)]],
            C::PART_ORDER,
        ),
        f(
            PHONE,
            "message-too-large",
            &["RES-005"],
            "five parts have 65,537 bytes",
            vec![
                vec![part(1, 0, 4, 16_000)],
                vec![part(1, 1, 4, 16_000)],
                vec![part(1, 2, 4, 16_000)],
                vec![part(1, 3, 4, 16_000)],
                vec![part(1, 4, 4, 1_537)],
            ],
            C::MESSAGE_TOO_LARGE,
        ),
        f(
            PHONE,
            "command-below-its-floor",
            &["RES-031"],
            "command 3 says that 5 is the lowest open one",
            vec![vec![command(1, 3, 5)]],
            C::COMMAND_FLOOR,
        ),
        f(
            PHONE,
            "command-empty",
            &["FRM-002"],
            "a command without its numbers",
            vec![vec![part(1, 0, 0, 0)]],
            C::TRUNCATED,
        ),
        ack_of_the_future(PHONE),
        ack_of_the_future(WEB),
        f(
            WEB,
            "result-seq-skipped",
            &["RES-003"],
            "the first result has number 2",
            vec![vec![part(2, 0, 0, 3)]],
            C::SEQ_GAP,
        ),
        Fault::new(
            PHONE,
            "message-twice",
            &["RES-003"],
            "a message that was acknowledged comes again",
            Begin::Connected,
            |peer| {
                peer.send(&[command(1, 1, 1)])?;
                peer.wait(300)?;
                peer.send(&[command(1, 1, 1)])?;
                peer.lives()?;
                match peer.told.iter().filter(|told| told.starts_with("command 01")).count() {
                    1 => Ok(()),
                    count => wrong(format!("the command must run once, and ran {count} times")),
                }
            },
        ),
        Fault::new(
            PHONE,
            "command-twice",
            &["RES-026"],
            "a command comes again in another message",
            Begin::Connected,
            |peer| {
                peer.send(&[command(1, 1, 1), command(2, 1, 1)])?;
                peer.wait(300)?;
                let results = peer.heard.iter().filter(|frame| matches!(frame, Frame::Msg { .. })).count();
                let ran = peer.told.iter().filter(|told| told.starts_with("command ")).count();
                if (ran, results) == (1, 2) {
                    return peer.lives();
                }
                wrong(format!(
                    "the command must run once and be answered twice: ran {ran}, answered {results}"
                ))
            },
        ),
        Fault::new(
            PHONE,
            "command-of-the-past",
            &["RES-031"],
            "a command of an unknown key lies below the floor",
            Begin::Connected,
            |peer| {
                peer.send(&[command(1, 9, 9), command(2, 1, 1)])?;
                peer.ends_with(C::COMMAND_FLOOR)?;
                peer.is_not_told("command 01")
            },
        )
        .ending(C::COMMAND_FLOOR),
        Fault::new(
            PHONE,
            "command-again-below-the-floor",
            &["RES-029", "RES-026"],
            "a settled command comes again: its short result is kept",
            Begin::Connected,
            |peer| {
                peer.send(&[command(1, 1, 1), command(2, 9, 9), command(3, 1, 1)])?;
                peer.wait(300)?;
                answers(peer, 2, 3, &result(1))
            },
        ),
        Fault::new(
            PHONE,
            "command-again-under-another-number",
            &["RES-026"],
            "a command is known by its key, whatever its number",
            Begin::Connected,
            |peer| {
                peer.send(&[keyed(1, 1, 1, 7), keyed(2, 2, 1, 7)])?;
                peer.wait(300)?;
                answers(peer, 1, 2, &result(7))
            },
        ),
        Fault::new(
            PHONE,
            "number-again-with-another-key",
            &["RES-026"],
            "another key under a number that is known is another command",
            Begin::Connected,
            |peer| {
                peer.send(&[keyed(1, 1, 1, 7), keyed(2, 1, 1, 8)])?;
                peer.wait(300)?;
                answers(peer, 2, 2, &result(8))
            },
        ),
        Fault::new(
            PHONE,
            "commands-1025-open",
            &["RES-036"],
            "1,024 keys stand under one number, and another one comes",
            Begin::Connected,
            |peer| {
                let frame = |n: u16| {
                    let body = [&[1, 1][..], &n.to_be_bytes(), &[0; 14]].concat();
                    Frame::Msg { seq: u64::from(n), part: 0, last: 0, body: body.into() }
                };
                let numbers: Vec<u16> = (1..=1_024).collect();
                for some in numbers.chunks(64) {
                    let frames: Vec<Frame> = some.iter().map(|n| frame(*n)).collect();
                    peer.send(&frames)?;
                    peer.wait(0)?;
                    let results =
                        peer.heard.iter().filter(|frame| matches!(frame, Frame::Msg { .. })).count();
                    let durable = u64::try_from(results).unwrap_or(0);
                    peer.send(&[Frame::Ack { durable, cursors: vec![] }])?;
                }
                peer.lives()?;
                peer.heard.clear();
                peer.send(&[frame(1_025)])?;
                peer.ends_with(C::LIMIT)
            },
        )
        .ending(C::LIMIT),
        f(
            PHONE,
            "command-without-its-key",
            &["FRM-002"],
            "15 bytes of a key",
            vec![vec![part(1, 0, 0, 17)]],
            C::TRUNCATED,
        ),
        f(
            PHONE,
            "web-back-late",
            &["FRM-054"],
            "WEB_BACK does not stand in the confirm",
            vec![vec![Frame::WebBack]],
            C::FRAME_NOT_ALLOWED,
        ),
        f(
            WEB,
            "result-without-its-key",
            &["FRM-002"],
            "15 bytes of a key",
            vec![vec![part(1, 0, 0, 15)]],
            C::TRUNCATED,
        ),
        Fault::borne(
            WEB,
            "result-of-an-unknown-key",
            &["RES-030"],
            "a result that the web does not wait for is ignored",
            vec![vec![Frame::Msg { seq: 1, part: 0, last: 0, body: result(9).into() }]],
        ),
        f(
            PHONE,
            "now-page-state-of-no-meaning",
            &["MSG-041", "MSG-044"],
            "slot 1 holds 2, which is neither visible nor hidden",
            vec![vec![Frame::Now { slot: 1, body: Bytes::from_static(&[2]) }]],
            C::FIELD_VALUE,
        ),
        f(
            PHONE,
            "now-page-state-empty",
            &["MSG-044"],
            "slot 1 holds nothing",
            vec![vec![Frame::Now { slot: 1, body: Bytes::new() }]],
            C::TRUNCATED,
        ),
        f(
            PHONE,
            "now-page-state-and-more",
            &["MSG-044"],
            "slot 1 holds a byte more",
            vec![vec![Frame::Now { slot: 1, body: Bytes::from_static(&[1, 0]) }]],
            C::TRAILING_BYTES,
        ),
        Fault::borne(
            PHONE,
            "now-of-an-unlisted-slot",
            &["MSG-090"],
            "a slot that is not listed is ignored, whatever it holds",
            vec![vec![Frame::Now { slot: 58, body: Bytes::from_static(&[2, 0, 9]) }]],
        ),
        Fault::new(
            PHONE,
            "ack-in-time",
            &["RES-002"],
            "a message is acknowledged within 250 ms",
            Begin::Connected,
            |peer| {
                peer.send(&[command(1, 1, 1)])?;
                peer.wait(250)?;
                if peer.heard.iter().any(|frame| matches!(frame, Frame::Ack { durable: 1, .. })) {
                    return Ok(());
                }
                wrong("a message must be acknowledged within 250 ms")
            },
        ),
    ]
}
