//! Messages 2 that a web must not believe, hints that it must not follow, and what it does without an answer.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::Frame;
use handfast_codec::relay::DataKind;

use super::{Case, Fault, Reqs, web};
use crate::peer::driver::wrong;
use crate::peer::handshake::{NOT_CANONICAL, Plan, ZERO, flip, put_key};

impl Case {
    /// A message 2 that a web does not take; the attempt after it, with a right one, connects.
    fn refused(self, reqs: Reqs, plan: fn() -> Plan) -> Fault {
        self.attached(reqs, move |peer| {
            peer.message2(&plan())?;
            peer.is_refused()
        })
    }
}

pub(super) fn all() -> Vec<Fault> {
    vec![
        web("kk2-bit-flipped", "one bit of the payload differs")
            .refused(&["HSK-003"], || Plan { alter: |m| flip(m, 40), ..Plan::default() }),
        web("kk2-tag-flipped", "one bit of the tag differs").refused(&["HSK-003"], || Plan {
            alter: |m| {
                let last = m.len() - 1;
                flip(m, last);
            },
            ..Plan::default()
        }),
        web("kk2-cut", "message 2 ends early")
            .refused(&["FRM-002"], || Plan { alter: |m| m.truncate(40), ..Plan::default() }),
        web("kk2-key-zero", "an ephemeral key of low order")
            .refused(&["HSK-001"], || Plan { alter: |m| put_key(m, ZERO), ..Plan::default() }),
        web("kk2-key-not-canonical", "an ephemeral key that is not reduced")
            .refused(&["HSK-009"], || Plan { alter: |m| put_key(m, NOT_CANONICAL), ..Plan::default() }),
        web("kk2-of-a-version-not-offered", "message 2 names version 9")
            .refused(&["HSK-008"], || Plan { versions: vec![9], ..Plan::default() }),
        web("kk2-without-a-resume-block", "mode resume without a resume block")
            .refused(&["HSK-064"], || Plan { resume: false, ..Plan::default() }),
        web("kk2-with-an-unknown-odd-field", "the payload has a field 63")
            .refused(&["FRM-007"], || Plan { tail: vec![63, 0], ..Plan::default() }),
        web("kk2-does-not-come", "an attempt without an answer for 10 s is repeated with a new try")
            .attached(&["HSK-032"], |peer| {
                let first = peer.last(DataKind::KK1);
                peer.wait(9_000)?;
                if peer.count(DataKind::KK1) != 1 {
                    return wrong("one message 1 within 10 s");
                }
                peer.wait(62_000)?;
                if peer.last(DataKind::KK1) == first {
                    return wrong("message 1 must be repeated with a new try, and is not");
                }
                Ok(())
            }),
        web("unknown-key-while-waiting", "UNKNOWN_KEY leads to mode recover under the recovery psk")
            .attached(&["HSK-042"], |peer| {
                peer.data(DataKind::UNKNOWN_KEY, &[])?;
                for _ in 0..70 {
                    if peer.last(DataKind::KK1).is_some_and(|body| body.get(1) == Some(&1)) {
                        return peer.message2(&Plan { resume: false, ..Plan::default() });
                    }
                    peer.wait(1_000)?;
                }
                wrong("a message 1 in mode recover must follow, and does not")
            }),
        web("unknown-key-while-live", "UNKNOWN_KEY in a connection is ignored").connected(
            &["HSK-041"],
            |peer| {
                peer.data(DataKind::UNKNOWN_KEY, &[])?;
                peer.wait(2_000)?;
                if peer.count(DataKind::KK1) != 1 {
                    return wrong("UNKNOWN_KEY must be ignored, and another message 1 is sent");
                }
                peer.lives()
            },
        ),
        web("kk2-in-quarantine", "after QUARANTINE the web confirms with an empty record and stores nothing")
            .attached(&["HSK-028"], |peer| {
                peer.message2(&Plan { resume: false, quarantine: true, ..Plan::default() })?;
                peer.wait(0)?;
                peer.is_not_told("connected")?;
                if peer.heard.is_empty() {
                    Ok(())
                } else {
                    wrong(format!("the confirm must be empty, and holds {:?}", peer.heard))
                }
            }),
        web("close-diverged", "DIVERGED suspends; no key is wiped, nothing is revoked").connected(
            &["HSK-045"],
            |peer| {
                peer.send(&[Frame::Close { code: C::DIVERGED, retry_ms: 0 }])?;
                peer.wait(0)?;
                peer.is_told("diverged")?;
                peer.is_not_told("revoked")
            },
        ),
        web("record-before-message-2", "a record between message 1 and message 2 is dropped unread")
            .attached(&["CHN-006"], |peer| {
                peer.data(DataKind::RECORD, &[7; 144])?;
                peer.is_not_told("failed")?;
                peer.connect(1)
            }),
    ]
}
