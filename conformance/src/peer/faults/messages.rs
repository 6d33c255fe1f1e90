//! Messages, commands and acknowledgements that break the rules of delivery.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use bytes::Bytes;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::Frame;

use super::{Fault, both, phone, web};
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

pub(super) fn all() -> Vec<Fault> {
    let mut all = vec![
        phone("seq-skipped", "the first message has number 2")
            .frames(&["RES-003"], vec![vec![command(2, 1, 1)]])
            .ends_with(C::SEQ_GAP),
        phone("part-in-front-missing", "a message begins with its second part")
            .frames(&["RES-004"], vec![vec![part(1, 1, 1, 3)]])
            .ends_with(C::PART_ORDER),
        phone("part-skipped", "the second of three parts is missing")
            .frames(&["RES-004"], vec![vec![part(1, 0, 2, 3), part(1, 2, 2, 3)]])
            .ends_with(C::PART_ORDER),
        phone("part-twice", "the first part comes twice")
            .frames(&["RES-004"], vec![vec![part(1, 0, 2, 3), part(1, 0, 2, 3)]])
            .ends_with(C::PART_ORDER),
        phone("message-too-large", "five parts have 65,537 bytes")
            .frames(
                &["RES-005"],
                vec![
                    vec![part(1, 0, 4, 16_000)],
                    vec![part(1, 1, 4, 16_000)],
                    vec![part(1, 2, 4, 16_000)],
                    vec![part(1, 3, 4, 16_000)],
                    vec![part(1, 4, 4, 1_537)],
                ],
            )
            .ends_with(C::MESSAGE_TOO_LARGE),
        phone("command-below-its-floor", "command 3 says that 5 is the lowest open one")
            .frames(&["RES-031"], vec![vec![command(1, 3, 5)]])
            .ends_with(C::COMMAND_FLOOR),
        phone("command-empty", "a command without its numbers")
            .frames(&["FRM-002"], vec![vec![part(1, 0, 0, 0)]])
            .ends_with(C::TRUNCATED),
        web("result-seq-skipped", "the first result has number 2")
            .frames(&["RES-003"], vec![vec![part(2, 0, 0, 3)]])
            .ends_with(C::SEQ_GAP),
        phone("message-twice", "a message that was acknowledged comes again").connected(
            &["RES-003"],
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
        phone("command-twice", "a command comes again in another message").connected(&["RES-026"], |peer| {
            peer.send(&[command(1, 1, 1), command(2, 1, 1)])?;
            peer.wait(300)?;
            let results = peer.heard.iter().filter(|frame| matches!(frame, Frame::Msg { .. })).count();
            let ran = peer.told.iter().filter(|told| told.starts_with("command ")).count();
            if (ran, results) == (1, 2) {
                return peer.lives();
            }
            wrong(format!("the command must run once and be answered twice: ran {ran}, answered {results}"))
        }),
        phone("command-of-the-past", "a command of an unknown key lies below the floor")
            .connected(&["RES-031"], |peer| {
                peer.send(&[command(1, 9, 9), command(2, 1, 1)])?;
                peer.ends_with(C::COMMAND_FLOOR)?;
                peer.is_not_told("command 01")
            })
            .ending(C::COMMAND_FLOOR),
        phone("command-again-below-the-floor", "a settled command comes again: its short result is kept")
            .connected(&["RES-029", "RES-026"], |peer| {
                peer.send(&[command(1, 1, 1), command(2, 9, 9), command(3, 1, 1)])?;
                peer.wait(300)?;
                answers(peer, 2, 3, &result(1))
            }),
        phone("command-again-under-another-number", "a command is known by its key, whatever its number")
            .connected(&["RES-026"], |peer| {
                peer.send(&[keyed(1, 1, 1, 7), keyed(2, 2, 1, 7)])?;
                peer.wait(300)?;
                answers(peer, 1, 2, &result(7))
            }),
        phone("number-again-with-another-key", "another key under a number that is known is another command")
            .connected(&["RES-026"], |peer| {
                peer.send(&[keyed(1, 1, 1, 7), keyed(2, 1, 1, 8)])?;
                peer.wait(300)?;
                answers(peer, 2, 2, &result(8))
            }),
        phone("commands-1025-open", "1,024 keys stand under one number, and another one comes")
            .connected(&["RES-036"], |peer| {
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
                peer.send(&[frame(1_025)])
            })
            .ends_with(C::LIMIT),
        phone("command-without-its-key", "15 bytes of a key")
            .frames(&["FRM-002"], vec![vec![part(1, 0, 0, 17)]])
            .ends_with(C::TRUNCATED),
        phone("web-back-late", "WEB_BACK does not stand in the confirm")
            .frames(&["FRM-054"], vec![vec![Frame::WebBack]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        web("result-without-its-key", "15 bytes of a key")
            .frames(&["FRM-002"], vec![vec![part(1, 0, 0, 15)]])
            .ends_with(C::TRUNCATED),
        web("result-of-an-unknown-key", "a result that the web does not wait for is ignored")
            .borne(&["RES-030"], vec![vec![Frame::Msg { seq: 1, part: 0, last: 0, body: result(9).into() }]]),
        phone("now-page-state-of-no-meaning", "slot 1 holds 2, which is neither visible nor hidden")
            .frames(
                &["MSG-041", "MSG-044"],
                vec![vec![Frame::Now { slot: 1, body: Bytes::from_static(&[2]) }]],
            )
            .ends_with(C::FIELD_VALUE),
        phone("now-page-state-empty", "slot 1 holds nothing")
            .frames(&["MSG-044"], vec![vec![Frame::Now { slot: 1, body: Bytes::new() }]])
            .ends_with(C::TRUNCATED),
        phone("now-page-state-and-more", "slot 1 holds a byte more")
            .frames(&["MSG-044"], vec![vec![Frame::Now { slot: 1, body: Bytes::from_static(&[1, 0]) }]])
            .ends_with(C::TRAILING_BYTES),
        phone("now-of-an-unlisted-slot", "a slot that is not listed is ignored, whatever it holds")
            .borne(&["MSG-090"], vec![vec![Frame::Now { slot: 58, body: Bytes::from_static(&[2, 0, 9]) }]]),
        phone("ack-in-time", "a message is acknowledged within 250 ms").connected(&["RES-002"], |peer| {
            peer.send(&[command(1, 1, 1)])?;
            peer.wait(250)?;
            if peer.heard.iter().any(|frame| matches!(frame, Frame::Ack { durable: 1, .. })) {
                return Ok(());
            }
            wrong("a message must be acknowledged within 250 ms")
        }),
    ];
    all.extend(both("ack-of-the-future", "what was never sent is acknowledged", |case| {
        let ack = Frame::Ack { durable: 3, cursors: vec![] };
        case.frames(&["RES-007"], vec![vec![ack]]).ends_with(C::ACK_FUTURE)
    }));
    all
}
