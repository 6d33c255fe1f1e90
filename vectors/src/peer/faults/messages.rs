//! Messages, commands and acknowledgements that break the rules of delivery.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::Frame;

use super::{Begin, Fault, PHONE, WEB};
use crate::peer::driver::wrong;

/// `cmd_id varint | floor varint | body`, of small numbers.
fn command(seq: u64, cmd_id: u8, floor: u8) -> Frame {
    Frame::Msg { seq, part: 0, last: 0, body: Bytes::from(vec![cmd_id, floor, b'x']) }
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
            &["RES-018"],
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
                match peer.told.iter().filter(|told| told.starts_with("command 1 ")).count() {
                    1 => Ok(()),
                    count => wrong(format!("the command must run once, and ran {count} times")),
                }
            },
        ),
        Fault::new(
            PHONE,
            "command-twice",
            &["RES-013"],
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
            &["RES-013"],
            "a command below the floor is ALREADY_DONE",
            Begin::Connected,
            |peer| {
                peer.send(&[command(1, 9, 9), command(2, 1, 1)])?;
                peer.wait(300)?;
                let done = Frame::Msg { seq: 2, part: 0, last: 0, body: Bytes::from_static(&[1, 1]) };
                peer.hears(&done)?;
                peer.is_not_told("command 1 ")
            },
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
