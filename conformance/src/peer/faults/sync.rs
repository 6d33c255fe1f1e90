//! Rows, snapshots and digests that nobody asked for, or out of order; frames of the other role; revocations.
#![expect(clippy::too_many_lines, reason = "lists, an entry for each fault")]

use anyhow::{Context as _, Result};
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::{Collection, Frame, Items, PageCursor};
use handfast_codec::ids::Signature;
use handfast_handshake::certificate::sign_revoked;
use serde_json::json;

use super::{Begin, Fault, PHONE, WEB};
use crate::fields::hex;
use crate::link_keys;
use crate::peer::driver::{Side, wrong};

fn collection(n: u8) -> Result<Collection> {
    Collection::new(&[1, n]).context("a collection")
}

fn delta(from: u64, to: u64, part: u8, last: u8) -> Result<Frame> {
    let items = Items::build([[&to.to_be_bytes()[..], b"row"].concat()]).context("items")?;
    Ok(Frame::Delta { collection: collection(0)?, from, to, part, last, items })
}

pub(super) fn all() -> Result<Vec<Fault>> {
    let mut all = to_web()?;
    all.extend(to_phone()?);
    all.extend(of_the_other_role()?);
    all.extend(revocations());
    Ok(all)
}

fn to_web() -> Result<Vec<Fault>> {
    let subscribed = |name, reqs, comment, frames: Vec<Frame>, code| {
        Fault::new(WEB, name, reqs, comment, Begin::Connected, move |peer| {
            peer.app(json!({ "verb": "subscribe", "collection": hex([1, 0]) }))?;
            for frame in &frames {
                peer.send(std::slice::from_ref(frame))?;
            }
            peer.ends_with(code)
        })
        .ending(code)
    };
    let large = |part| -> Result<Frame> {
        let items = Items::build([vec![1; 14_000]]).context("items")?;
        Ok(Frame::Delta { collection: collection(0)?, from: 0, to: 1, part, last: 9, items })
    };
    let unasked = Frame::SnapshotRequired { collection: collection(0)?, rev: 1 };
    let digest = Frame::Digest { collection: collection(0)?, cursor: 0, digest: [0; 32] };
    Ok(vec![
        Fault::frames(
            WEB,
            "delta-unasked",
            &["SYN-008"],
            "rows of a collection that was not asked for",
            vec![vec![delta(0, 1, 0, 0)?]],
            C::FRAME_NOT_ALLOWED,
        ),
        Fault::frames(
            WEB,
            "snapshot-required-unasked",
            &["SYN-008"],
            "an answer to nothing",
            vec![vec![unasked]],
            C::FRAME_NOT_ALLOWED,
        ),
        Fault::frames(
            WEB,
            "digest-unasked",
            &["SYN-008"],
            "an answer to nothing",
            vec![vec![digest]],
            C::FRAME_NOT_ALLOWED,
        ),
        subscribed(
            "delta-skips",
            &["SYN-002"],
            "rows from 1 on, and the cursor is 0",
            vec![delta(1, 2, 0, 0)?],
            C::SEQ_GAP,
        ),
        subscribed(
            "delta-twice",
            &["SYN-002"],
            "the same rows again",
            vec![delta(0, 1, 0, 0)?, delta(0, 2, 0, 0)?],
            C::SEQ_GAP,
        ),
        subscribed(
            "delta-stands-still",
            &["SYN-002"],
            "a delta that covers nothing",
            vec![delta(0, 0, 0, 0)?],
            C::SEQ_GAP,
        ),
        subscribed(
            "delta-part-in-front-missing",
            &["RES-004"],
            "a delta begins with its second part",
            vec![delta(0, 1, 1, 1)?],
            C::PART_ORDER,
        ),
        subscribed(
            "delta-part-skipped",
            &["RES-004"],
            "the second of three parts is missing",
            vec![delta(0, 1, 0, 2)?, delta(0, 1, 2, 2)?],
            C::PART_ORDER,
        ),
        subscribed(
            "delta-too-large",
            &["SYN-005"],
            "five parts have more than 65,536 bytes",
            (0..5).map(large).collect::<Result<_>>()?,
            C::MESSAGE_TOO_LARGE,
        ),
    ])
}

fn to_phone() -> Result<Vec<Fault>> {
    let since = |n| -> Result<Frame> { Ok(Frame::Since { collection: collection(n)?, cursor: 0 }) };
    let many: Vec<Frame> = (0..65).map(since).collect::<Result<_>>()?;
    let leave = Frame::Leave { collection: collection(0)? };
    let left = leave.clone();
    Ok(vec![
        Fault::frames(
            PHONE,
            "subscriptions-65",
            &["SYN-007"],
            "one subscription more than there may be",
            many.chunks(8).map(<[Frame]>::to_vec).collect(),
            C::LIMIT,
        ),
        Fault::frames(
            PHONE,
            "since-twice",
            &["SYN-081"],
            "SINCE for a collection that is subscribed",
            vec![vec![since(0)?, since(0)?]],
            C::FRAME_NOT_ALLOWED,
        ),
        Fault::new(
            PHONE,
            "leave-is-answered",
            &["SYN-011"],
            "a subscription that is left is confirmed by the same frame",
            Begin::Connected,
            {
                let subscribe = since(0)?;
                move |peer| {
                    peer.send(std::slice::from_ref(&subscribe))?;
                    peer.send(std::slice::from_ref(&leave))?;
                    peer.wait(0)?;
                    peer.hears(&left)?;
                    peer.lives()
                }
            },
        ),
    ])
}

fn of_the_other_role() -> Result<Vec<Fault>> {
    let f = Fault::frames;
    let revoked = Frame::Revoked { signature: Signature::from_bytes([1; 64]) };
    let since = Frame::Since { collection: collection(0)?, cursor: 0 };
    let digest = Frame::DigestGet { collection: collection(0)?, cursor: 0 };
    let page = Frame::PageGet { collection: collection(0)?, page: PageCursor::default() };
    Ok(vec![
        f(
            PHONE,
            "delta-from-a-web",
            &["FRM-022"],
            "a frame that only a phone sends",
            vec![vec![delta(0, 1, 0, 0)?]],
            C::FRAME_NOT_ALLOWED,
        ),
        f(
            PHONE,
            "revoked-from-a-web",
            &["FRM-022"],
            "a frame that only a phone sends",
            vec![vec![revoked]],
            C::FRAME_NOT_ALLOWED,
        ),
        f(
            WEB,
            "since-from-a-phone",
            &["FRM-022"],
            "a frame that only a web sends",
            vec![vec![since]],
            C::FRAME_NOT_ALLOWED,
        ),
        f(
            WEB,
            "digest-get-from-a-phone",
            &["FRM-022"],
            "a frame that only a web sends",
            vec![vec![digest]],
            C::FRAME_NOT_ALLOWED,
        ),
        f(
            WEB,
            "page-get-from-a-phone",
            &["FRM-022"],
            "a frame that only a web sends",
            vec![vec![page]],
            C::FRAME_NOT_ALLOWED,
        ),
    ])
}

fn revocations() -> Vec<Fault> {
    let forged = Frame::Revoked { signature: Signature::from_bytes([1; 64]) };
    vec![
        Fault::frames(
            WEB,
            "revoked-forged",
            &["CRT-005"],
            "REVOKED that the account did not sign",
            vec![vec![forged]],
            C::HANDSHAKE_FAILED,
        ),
        Fault::new(
            WEB,
            "revoked-of-another-link",
            &["CRT-005"],
            "REVOKED signed for another serial number",
            Begin::Connected,
            |peer| {
                let Side::Phone(link) = &peer.side else { return wrong("the runner plays the phone here") };
                let mut terms = link.terms.clone();
                terms.serial = 2;
                let signature = sign_revoked(&link_keys::account(&peer.case), &terms);
                peer.send(&[Frame::Revoked { signature }])?;
                peer.is_not_told("revoked")?;
                peer.ends_with(C::HANDSHAKE_FAILED)
            },
        )
        .ending(C::HANDSHAKE_FAILED),
        Fault::new(
            WEB,
            "revoked",
            &["CRT-005"],
            "REVOKED that the account signed is believed",
            Begin::Connected,
            |peer| {
                let Side::Phone(link) = &peer.side else { return wrong("the runner plays the phone here") };
                let signature = sign_revoked(&link_keys::account(&peer.case), &link.terms);
                peer.send(&[Frame::Revoked { signature }])?;
                peer.wait(0)?;
                peer.is_told("revoked")
            },
        ),
    ]
}
