//! Messages 1 that a phone must not believe, tries that do not ascend, recoveries.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use handfast_codec::error::ErrorCode as C;
use handfast_codec::ids::{MailboxId, PskId, Signature};
use handfast_codec::link::LinkFrame;
use handfast_codec::payload::KkMode;
use handfast_codec::relay::DataKind;

use super::{Case, Fault, Reqs, phone};
use crate::peer::driver::{Peer, Step, wrong};
use crate::peer::handshake::{NOT_CANONICAL, Plan, ZERO, flip, put_key};

pub(super) fn all() -> Vec<Fault> {
    [to_phone(), ratchet(), recovery(), pending()].into_iter().flatten().collect()
}

impl Case {
    /// A message 1 that a phone does not answer; a right one after it connects.
    fn ignored(self, reqs: Reqs, plan: fn(&Peer<'_>) -> Plan) -> Fault {
        self.attached(reqs, move |peer| {
            let plan = plan(peer);
            let _ = peer.message1(&plan)?;
            peer.is_silent()?;
            peer.wait(2_000)?;
            peer.is_silent()?;
            peer.connect(5)
        })
    }
}

fn to_phone() -> Vec<Fault> {
    vec![
        phone("kk1-bit-flipped", "one bit of the payload differs")
            .ignored(&["HSK-003"], |_| Plan { alter: |m| flip(m, 40), ..Plan::default() }),
        phone("kk1-tag-flipped", "one bit of the tag differs").ignored(&["HSK-003"], |_| Plan {
            alter: |m| {
                let last = m.len() - 1;
                flip(m, last);
            },
            ..Plan::default()
        }),
        phone("kk1-cut", "message 1 ends early")
            .ignored(&["FRM-002"], |_| Plan { alter: |m| m.truncate(40), ..Plan::default() }),
        phone("kk1-long", "message 1 has more than 4,096 bytes")
            .ignored(&["HSK-004"], |_| Plan { alter: |m| m.resize(5_000, 0), ..Plan::default() }),
        phone("kk1-key-zero", "an ephemeral key of low order")
            .ignored(&["HSK-001"], |_| Plan { alter: |m| put_key(m, ZERO), ..Plan::default() }),
        phone("kk1-key-not-canonical", "an ephemeral key that is not reduced")
            .ignored(&["HSK-009"], |_| Plan { alter: |m| put_key(m, NOT_CANONICAL), ..Plan::default() }),
        phone("kk1-of-another-relay", "the prologue names another relay")
            .ignored(&["HSK-079"], |_| Plan { relay: "other.example", ..Plan::default() }),
        phone("kk1-of-another-mailbox", "the prologue names another mailbox").ignored(&["HSK-079"], |_| {
            Plan { mailbox: Some(MailboxId::from_bytes([7; 16])), ..Plan::default() }
        }),
        phone("kk1-of-another-attachment", "the prologue names another attachment of the web")
            .ignored(&["HSK-079"], |_| Plan { ids: ([3; 8], [1; 8]), ..Plan::default() }),
        phone("kk1-of-another-psk", "the psk id is known, the psk is another").ignored(
            &["HSK-031"],
            |peer| Plan { psk: Some([7; 32]), psk_id: Some(peer.current_id()), ..Plan::default() },
        ),
        phone("kk1-of-another-key", "the static key is not the web's")
            .ignored(&["HSK-003"], |_| Plan { own_static: Some([7; 32]), ..Plan::default() }),
        phone("kk1-without-a-resume-block", "mode resume without a resume block")
            .ignored(&["HSK-063"], |_| Plan { resume: false, ..Plan::default() }),
        phone("kk1-with-an-unknown-odd-field", "the payload has a field 63")
            .ignored(&["FRM-007"], |_| Plan { tail: vec![63, 0], ..Plan::default() }),
        phone("kk1-of-a-later-version", "no version is shared")
            .ignored(&["HSK-007"], |_| Plan { versions: vec![9], ..Plan::default() }),
        phone("kk1-of-another-suite", "the head names suite 2")
            .ignored(&["HSK-078"], |_| Plan { suite: 2, ..Plan::default() }),
        phone("kk1-of-an-unknown-psk", "UNKNOWN_KEY answers it, once for an attachment").attached(
            &["HSK-040"],
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
        phone("kk1-of-the-same-try", "the try that was last accepted is met with silence").attached(
            &["HSK-026"],
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
        phone(
            "kk1-of-a-lower-try",
            "a lower try under the same key is a second holder: quarantine, and DIVERGED",
        )
        .connected(&["HSK-027"], |peer| {
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
        }),
        phone("kk1-of-the-last-try", "try 2^64-1 is refused").attached(&["HSK-021"], |peer| {
            let _ = peer.message1(&Plan { try_: u64::MAX, ..Plan::default() })?;
            peer.wait(2_000)?;
            peer.is_silent()
        }),
        phone("kk1-twice-a-second", "a second message 1 within a second waits").attached(
            &["HSK-125"],
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
        phone(
            "kk1-forged-before-the-right-one",
            "a message 1 that does not verify counts: the next one within a second waits",
        )
        .attached(&["HSK-125"], |peer| {
            let _ = peer.message1(&Plan { alter: |m| flip(m, 40), ..Plan::default() })?;
            let _ = peer.message1(&Plan { try_: 2, ..Plan::default() })?;
            peer.wait(900)?;
            let early = peer.count(DataKind::KK2);
            peer.wait(200)?;
            match (early, peer.count(DataKind::KK2)) {
                (0, 1) => Ok(()),
                (early, late) => wrong(format!("no answer within a second, one after it: {early}, {late}")),
            }
        }),
        phone("confirm-flipped", "the record after message 2 does not open: the attempt is dead").attached(
            &["HSK-029"],
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
        phone("record-before-message-1", "a record outside a connection is dropped unread").attached(
            &["CHN-006"],
            |peer| {
                peer.data(DataKind::RECORD, &[7; 144])?;
                peer.is_not_told("failed")?;
                peer.connect(1)
            },
        ),
        phone("data-of-an-unknown-kind", "DATA of a kind that no version has is ignored").connected(
            &["RLY-002"],
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
        phone("recovery-in-step", "the id held is the current one: a relay forged the hint")
            .attached(&["HSK-043"], |peer| {
                let current = peer.current_id();
                recover(peer, current)?;
                peer.is_not_told("diverged")
            })
            .ends_with(C::IN_STEP),
        phone(
            "recovery-of-another-holder",
            "the id held is no longer known: DIVERGED, and from then on SUSPENDED",
        )
        .attached(&["HSK-043", "HSK-044"], |peer| {
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
        })
        .ending(C::DIVERGED),
    ]
}

/// A web that missed the end of its pairing asks for it, and its confirm is at fault: the phone says so in a record of the link, which is
/// what such a web reads.
fn pending() -> Vec<Fault> {
    let refused = |case: Case, reqs, frames: fn() -> Vec<LinkFrame>, code| {
        case.attached(reqs, move |peer| {
            let state = peer.message1(&Plan { pending: true, ..Plan::default() })?;
            let _ = peer.finish(state)?;
            peer.is_pairing = true;
            peer.send_link(&frames())?;
            peer.hears_of_link(&LinkFrame::Close { code })
        })
    };
    vec![
        refused(
            phone("pending-accept-forged", "LINK_ACCEPT of a pending web has another signature"),
            &["HSK-123", "CRT-004"],
            || vec![LinkFrame::Accept { signature: Signature::from_bytes([7; 64]) }],
            C::HANDSHAKE_FAILED,
        ),
        refused(
            phone("pending-without-accept", "the confirm of a pending web holds no LINK_ACCEPT"),
            &["HSK-089", "HSK-123"],
            Vec::new,
            C::NOT_ACCEPTED,
        ),
        refused(
            phone("pending-commit-for-accept", "the confirm of a pending web holds LINK_COMMIT"),
            &["HSK-089", "HSK-123"],
            || vec![LinkFrame::Commit],
            C::NOT_ACCEPTED,
        ),
    ]
}
