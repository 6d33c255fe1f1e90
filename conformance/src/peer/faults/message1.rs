//! Messages 1 that a phone must not believe, tries that do not ascend, recoveries.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use handfast_codec::error::ErrorCode as C;
use handfast_codec::ids::{MailboxId, PskId, Signature};
use handfast_codec::link::LinkFrame;
use handfast_codec::payload::KkMode;
use handfast_codec::relay::DataKind;

use super::{Begin, Fault, PHONE};
use crate::peer::driver::{Peer, Step, wrong};
use crate::peer::handshake::{NOT_CANONICAL, Plan, ZERO, flip, put_key};

pub(super) fn all() -> Vec<Fault> {
    let mut all = to_phone();
    all.extend(ratchet());
    all.extend(recovery());
    all.extend(pending());
    all
}

/// A message 1 that a phone does not answer; a right one after it connects.
fn ignored(
    name: &'static str,
    reqs: &'static [&'static str],
    comment: &'static str,
    plan: fn(&Peer<'_>) -> Plan,
) -> Fault {
    Fault::new(PHONE, name, reqs, comment, Begin::Attached, move |peer| {
        let plan = plan(peer);
        let _ = peer.message1(&plan)?;
        peer.is_silent()?;
        peer.wait(2_000)?;
        peer.is_silent()?;
        peer.connect(5)
    })
}

fn to_phone() -> Vec<Fault> {
    vec![
        ignored("kk1-bit-flipped", &["HSK-003"], "one bit of the payload differs", |_| Plan {
            alter: |m| flip(m, 40),
            ..Plan::default()
        }),
        ignored("kk1-tag-flipped", &["HSK-003"], "one bit of the tag differs", |_| Plan {
            alter: |m| {
                let last = m.len() - 1;
                flip(m, last);
            },
            ..Plan::default()
        }),
        ignored("kk1-cut", &["FRM-002"], "message 1 ends early", |_| Plan {
            alter: |m| m.truncate(40),
            ..Plan::default()
        }),
        ignored("kk1-long", &["HSK-004"], "message 1 has more than 4,096 bytes", |_| Plan {
            alter: |m| m.resize(5_000, 0),
            ..Plan::default()
        }),
        ignored("kk1-key-zero", &["HSK-001"], "an ephemeral key of low order", |_| Plan {
            alter: |m| put_key(m, ZERO),
            ..Plan::default()
        }),
        ignored("kk1-key-not-canonical", &["HSK-009"], "an ephemeral key that is not reduced", |_| Plan {
            alter: |m| put_key(m, NOT_CANONICAL),
            ..Plan::default()
        }),
        ignored("kk1-of-another-relay", &["HSK-079"], "the prologue names another relay", |_| Plan {
            relay: "other.example",
            ..Plan::default()
        }),
        ignored("kk1-of-another-mailbox", &["HSK-079"], "the prologue names another mailbox", |_| Plan {
            mailbox: Some(MailboxId::from_bytes([7; 16])),
            ..Plan::default()
        }),
        ignored(
            "kk1-of-another-attachment",
            &["HSK-079"],
            "the prologue names another attachment of the web",
            |_| Plan { ids: ([3; 8], [1; 8]), ..Plan::default() },
        ),
        ignored("kk1-of-another-psk", &["HSK-031"], "the psk id is known, the psk is another", |peer| Plan {
            psk: Some([7; 32]),
            psk_id: Some(peer.current_id()),
            ..Plan::default()
        }),
        ignored("kk1-of-another-key", &["HSK-003"], "the static key is not the web's", |_| Plan {
            own_static: Some([7; 32]),
            ..Plan::default()
        }),
        ignored("kk1-without-a-resume-block", &["HSK-063"], "mode resume without a resume block", |_| Plan {
            resume: false,
            ..Plan::default()
        }),
        ignored("kk1-with-an-unknown-odd-field", &["FRM-007"], "the payload has a field 63", |_| Plan {
            tail: vec![63, 0],
            ..Plan::default()
        }),
        ignored("kk1-of-a-later-version", &["HSK-007"], "no version is shared", |_| Plan {
            versions: vec![9],
            ..Plan::default()
        }),
        ignored("kk1-of-another-suite", &["HSK-078"], "the head names suite 2", |_| Plan {
            suite: 2,
            ..Plan::default()
        }),
        Fault::new(
            PHONE,
            "kk1-of-an-unknown-psk",
            &["HSK-040"],
            "UNKNOWN_KEY answers it, once for an attachment",
            Begin::Attached,
            |peer| {
                for try_ in 1..4 {
                    let plan = Plan { try_, psk_id: Some(PskId::from_bytes([7; 8])), ..Plan::default() };
                    let _ = peer.message1(&plan)?;
                    peer.wait(2_000)?;
                }
                peer.is_silent()?;
                match peer.count(DataKind::UNKNOWN_KEY) {
                    1 => peer.connect(5),
                    count => wrong(format!("UNKNOWN_KEY must be sent once, and is sent {count} times")),
                }
            },
        ),
    ]
}

fn ratchet() -> Vec<Fault> {
    vec![
        Fault::new(
            PHONE,
            "kk1-of-the-same-try",
            &["HSK-026"],
            "the try that was last accepted is met with silence",
            Begin::Attached,
            |peer| {
                let _ = peer.message1(&Plan { try_: 3, ..Plan::default() })?;
                peer.wait(2_000)?;
                let _ = peer.message1(&Plan { try_: 3, ..Plan::default() })?;
                peer.wait(2_000)?;
                match peer.count(DataKind::KK2) {
                    1 => Ok(()),
                    count => wrong(format!("one of the two must be answered: {count} were")),
                }
            },
        ),
        Fault::new(
            PHONE,
            "kk1-of-a-lower-try",
            &["HSK-027"],
            "a lower try under the same key is a second holder: quarantine, and DIVERGED",
            Begin::Connected,
            |peer| {
                // The connection promoted its key, so the old one is not known; under the new key the try goes on from 1.
                peer.wait(2_000)?;
                let first = peer.next_psk_plan(6);
                let state = peer.message1(&first)?;
                let _ = peer.finish(state)?;
                peer.wait(2_000)?;
                let lower = peer.next_psk_plan(5);
                let state = peer.message1(&lower)?;
                let reply = peer.finish(state)?;
                if !reply.quarantine || reply.resume.is_some() {
                    return wrong("message 2 to a lower try must say QUARANTINE and hold no resume block");
                }
                peer.send(&[])?;
                peer.wait(0)?;
                peer.is_told("diverged")
            },
        ),
        Fault::new(
            PHONE,
            "kk1-of-the-last-try",
            &["HSK-021"],
            "try 2^64-1 is refused",
            Begin::Attached,
            |peer| {
                let _ = peer.message1(&Plan { try_: u64::MAX, ..Plan::default() })?;
                peer.wait(2_000)?;
                peer.is_silent()
            },
        ),
        Fault::new(
            PHONE,
            "kk1-twice-a-second",
            &["HSK-125"],
            "a second message 1 within a second waits",
            Begin::Attached,
            |peer| {
                let _ = peer.message1(&Plan::default())?;
                let _ = peer.message1(&Plan { try_: 2, ..Plan::default() })?;
                peer.wait(900)?;
                let early = peer.count(DataKind::KK2);
                peer.wait(200)?;
                match (early, peer.count(DataKind::KK2)) {
                    (1, 2) => Ok(()),
                    (early, late) => {
                        wrong(format!("one answer within a second, two after it: {early}, {late}"))
                    }
                }
            },
        ),
        Fault::new(
            PHONE,
            "kk1-forged-before-the-right-one",
            &["HSK-125"],
            "a message 1 that does not verify counts: the next one within a second waits",
            Begin::Attached,
            |peer| {
                let _ = peer.message1(&Plan { alter: |m| flip(m, 40), ..Plan::default() })?;
                let _ = peer.message1(&Plan { try_: 2, ..Plan::default() })?;
                peer.wait(900)?;
                let early = peer.count(DataKind::KK2);
                peer.wait(200)?;
                match (early, peer.count(DataKind::KK2)) {
                    (0, 1) => Ok(()),
                    (early, late) => {
                        wrong(format!("no answer within a second, one after it: {early}, {late}"))
                    }
                }
            },
        ),
        Fault::new(
            PHONE,
            "confirm-flipped",
            &["HSK-029"],
            "the record after message 2 does not open: the attempt is dead",
            Begin::Attached,
            |peer| {
                let state = peer.message1(&Plan::default())?;
                let _ = peer.finish(state)?;
                let confirm = peer.record(&[])?;
                let mut flipped = confirm.clone();
                flip(&mut flipped, 20);
                peer.give(&flipped)?;
                peer.give(&confirm)?;
                peer.wait(0)?;
                peer.is_not_told("connected")?;
                peer.is_dead()?;
                peer.is_not_told("connected")
            },
        ),
        Fault::new(
            PHONE,
            "record-before-message-1",
            &["CHN-006"],
            "a record outside a connection is dropped unread",
            Begin::Attached,
            |peer| {
                peer.data(DataKind::RECORD, &[7; 144])?;
                peer.is_not_told("failed")?;
                peer.connect(1)
            },
        ),
        Fault::new(
            PHONE,
            "data-of-an-unknown-kind",
            &["RLY-002"],
            "DATA of a kind that no version has is ignored",
            Begin::Connected,
            |peer| {
                peer.data(DataKind::from_u8(58), &[7; 144])?;
                peer.lives()
            },
        ),
    ]
}

fn recover(peer: &mut Peer<'_>, held: PskId) -> Step {
    let plan = Plan { mode: KkMode::Recover, resume: false, held: Some(held), ..Plan::default() };
    let state = peer.message1(&plan)?;
    let reply = peer.finish(state)?;
    if reply.resume.is_some() {
        return wrong("a recovery has no resume block");
    }
    peer.send(&[])?;
    peer.wait(0)
}

fn recovery() -> Vec<Fault> {
    vec![
        Fault::new(
            PHONE,
            "recovery-in-step",
            &["HSK-043"],
            "the id held is the current one: a relay forged the hint",
            Begin::Attached,
            |peer| {
                let current = peer.current_id();
                recover(peer, current)?;
                peer.is_not_told("diverged")?;
                peer.ends_with(C::IN_STEP)
            },
        )
        .ending(C::IN_STEP),
        Fault::new(
            PHONE,
            "recovery-of-another-holder",
            &["HSK-043", "HSK-044"],
            "the id held is no longer known: DIVERGED, and from then on SUSPENDED",
            Begin::Attached,
            |peer| {
                recover(peer, PskId::from_bytes([7; 8]))?;
                peer.is_told("diverged")?;
                peer.ends_with(C::DIVERGED)?;
                peer.heard.clear();
                peer.wait(2_000)?;
                let state = peer.message1(&Plan::default())?;
                let reply = peer.finish(state)?;
                if !reply.quarantine {
                    return wrong("a suspended link must be answered by quarantine alone");
                }
                peer.send(&[])?;
                peer.ends_with(C::SUSPENDED)
            },
        )
        .ending(C::DIVERGED),
    ]
}

/// A web that missed the end of its pairing asks for it, and its confirm is at fault: the phone says so in a record of the link, which is
/// what such a web reads.
fn pending() -> Vec<Fault> {
    let refused = |name, req, comment, frames: fn() -> Vec<LinkFrame>, code| {
        Fault::new(PHONE, name, req, comment, Begin::Attached, move |peer| {
            let state = peer.message1(&Plan { pending: true, ..Plan::default() })?;
            let _ = peer.finish(state)?;
            peer.is_pairing = true;
            peer.send_link(&frames())?;
            peer.hears_of_link(&LinkFrame::Close { code })
        })
    };
    vec![
        refused(
            "pending-accept-forged",
            &["HSK-123", "CRT-004"],
            "LINK_ACCEPT of a pending web has another signature",
            || vec![LinkFrame::Accept { signature: Signature::from_bytes([7; 64]) }],
            C::HANDSHAKE_FAILED,
        ),
        refused(
            "pending-without-accept",
            &["HSK-089", "HSK-123"],
            "the confirm of a pending web holds no LINK_ACCEPT",
            Vec::new,
            C::NOT_ACCEPTED,
        ),
        refused(
            "pending-commit-for-accept",
            &["HSK-089", "HSK-123"],
            "the confirm of a pending web holds LINK_COMMIT",
            || vec![LinkFrame::Commit],
            C::NOT_ACCEPTED,
        ),
    ]
}
