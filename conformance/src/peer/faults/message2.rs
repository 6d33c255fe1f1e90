//! Messages 2 that a web must not believe, hints that it must not follow, and what it does without an answer.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::Frame;
use handfast_codec::relay::DataKind;

use super::{Begin, Fault, WEB};
use crate::peer::driver::wrong;
use crate::peer::handshake::{NOT_CANONICAL, Plan, ZERO, flip, put_key};

/// A message 2 that a web does not take; the attempt after it, with a right one, connects.
fn refused(
    name: &'static str,
    reqs: &'static [&'static str],
    comment: &'static str,
    plan: fn() -> Plan,
) -> Fault {
    Fault::new(WEB, name, reqs, comment, Begin::Attached, move |peer| {
        peer.message2(&plan())?;
        peer.is_refused()
    })
}

pub(super) fn all() -> Vec<Fault> {
    vec![
        refused("kk2-bit-flipped", &["HSK-003"], "one bit of the payload differs", || Plan {
            alter: |m| flip(m, 40),
            ..Plan::default()
        }),
        refused("kk2-tag-flipped", &["HSK-003"], "one bit of the tag differs", || Plan {
            alter: |m| {
                let last = m.len() - 1;
                flip(m, last);
            },
            ..Plan::default()
        }),
        refused("kk2-cut", &["FRM-002"], "message 2 ends early", || Plan {
            alter: |m| m.truncate(40),
            ..Plan::default()
        }),
        refused("kk2-key-zero", &["HSK-001"], "an ephemeral key of low order", || Plan {
            alter: |m| put_key(m, ZERO),
            ..Plan::default()
        }),
        refused("kk2-key-not-canonical", &["HSK-009"], "an ephemeral key that is not reduced", || Plan {
            alter: |m| put_key(m, NOT_CANONICAL),
            ..Plan::default()
        }),
        refused("kk2-of-a-version-not-offered", &["HSK-008"], "message 2 names version 9", || Plan {
            versions: vec![9],
            ..Plan::default()
        }),
        refused("kk2-without-a-resume-block", &["HSK-064"], "mode resume without a resume block", || Plan {
            resume: false,
            ..Plan::default()
        }),
        refused("kk2-with-an-unknown-odd-field", &["FRM-007"], "the payload has a field 63", || Plan {
            tail: vec![63, 0],
            ..Plan::default()
        }),
        Fault::new(
            WEB,
            "kk2-does-not-come",
            &["HSK-032"],
            "an attempt without an answer for 10 s is repeated with a new try",
            Begin::Attached,
            |peer| {
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
            },
        ),
        Fault::new(
            WEB,
            "unknown-key-while-waiting",
            &["HSK-042"],
            "UNKNOWN_KEY leads to mode recover under the recovery psk",
            Begin::Attached,
            |peer| {
                peer.data(DataKind::UNKNOWN_KEY, &[])?;
                for _ in 0..70 {
                    if peer.last(DataKind::KK1).is_some_and(|body| body.get(1) == Some(&1)) {
                        return peer.message2(&Plan { resume: false, ..Plan::default() });
                    }
                    peer.wait(1_000)?;
                }
                wrong("a message 1 in mode recover must follow, and does not")
            },
        ),
        Fault::new(
            WEB,
            "unknown-key-while-live",
            &["HSK-041"],
            "UNKNOWN_KEY in a connection is ignored",
            Begin::Connected,
            |peer| {
                peer.data(DataKind::UNKNOWN_KEY, &[])?;
                peer.wait(2_000)?;
                if peer.count(DataKind::KK1) != 1 {
                    return wrong("UNKNOWN_KEY must be ignored, and another message 1 is sent");
                }
                peer.lives()
            },
        ),
        Fault::new(
            WEB,
            "kk2-in-quarantine",
            &["HSK-028"],
            "after QUARANTINE the web confirms with an empty record and stores nothing",
            Begin::Attached,
            |peer| {
                peer.message2(&Plan { resume: false, quarantine: true, ..Plan::default() })?;
                peer.wait(0)?;
                peer.is_not_told("connected")?;
                if peer.heard.is_empty() {
                    Ok(())
                } else {
                    wrong(format!("the confirm must be empty, and holds {:?}", peer.heard))
                }
            },
        ),
        Fault::new(
            WEB,
            "close-diverged",
            &["HSK-045"],
            "DIVERGED suspends; no key is wiped, nothing is revoked",
            Begin::Connected,
            |peer| {
                peer.send(&[Frame::Close { code: C::DIVERGED, retry_ms: 0 }])?;
                peer.wait(0)?;
                peer.is_told("diverged")?;
                peer.is_not_told("revoked")
            },
        ),
        Fault::new(
            WEB,
            "record-before-message-2",
            &["CHN-006"],
            "a record between message 1 and message 2 is dropped unread",
            Begin::Attached,
            |peer| {
                peer.data(DataKind::RECORD, &[7; 144])?;
                peer.is_not_told("failed")?;
                peer.connect(1)
            },
        ),
    ]
}
