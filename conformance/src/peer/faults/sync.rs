//! Rows, snapshots and digests that nobody asked for, or out of order; frames of the other role; revocations.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::frame::{Collection, Frame, Items, PageCursor};
use handfast_codec::ids::Signature;
use handfast_handshake::certificate::sign_revoked;
use serde_json::json;

use super::{Case, Fault, Reqs, phone, web};
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
    Ok([to_web()?, snapshots()?, to_phone()?, of_the_other_role()?, revocations()]
        .into_iter()
        .flatten()
        .collect())
}

impl Case {
    /// Frames, each in a record, to a web that has subscribed to the collection.
    fn subscribed(self, reqs: Reqs, frames: Vec<Frame>) -> Fault {
        self.connected(reqs, move |peer| {
            peer.app(json!({ "verb": "subscribe", "collection": hex([1, 0]) }))?;
            frames.iter().try_for_each(|frame| peer.send(std::slice::from_ref(frame)))
        })
    }
}

fn to_web() -> Result<Vec<Fault>> {
    let large = |part| -> Result<Frame> {
        let items = Items::build([vec![1; 14_000]]).context("items")?;
        Ok(Frame::Delta { collection: collection(0)?, from: 0, to: 1, part, last: 9, items })
    };
    let unasked = Frame::SnapshotRequired { collection: collection(0)?, rev: 1 };
    let digest = Frame::Digest { collection: collection(0)?, cursor: 0, digest: [0; 32] };
    Ok(vec![
        web("delta-unasked", "rows of a collection that was not asked for")
            .frames(&["SYN-008"], vec![vec![delta(0, 1, 0, 0)?]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        web("snapshot-required-unasked", "an answer to nothing")
            .frames(&["SYN-008"], vec![vec![unasked]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        web("digest-unasked", "an answer to nothing")
            .frames(&["SYN-008"], vec![vec![digest]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        web("delta-skips", "rows from 1 on, and the cursor is 0")
            .subscribed(&["SYN-002"], vec![delta(1, 2, 0, 0)?])
            .ends_with(C::SEQ_GAP),
        web("delta-twice", "the same rows again")
            .subscribed(&["SYN-002"], vec![delta(0, 1, 0, 0)?, delta(0, 2, 0, 0)?])
            .ends_with(C::SEQ_GAP),
        web("delta-stands-still", "a delta that covers nothing")
            .subscribed(&["SYN-002"], vec![delta(0, 0, 0, 0)?])
            .ends_with(C::SEQ_GAP),
        web("delta-part-in-front-missing", "a delta begins with its second part")
            .subscribed(&["RES-004"], vec![delta(0, 1, 1, 1)?])
            .ends_with(C::PART_ORDER),
        web("delta-part-skipped", "the second of three parts is missing")
            .subscribed(&["RES-004"], vec![delta(0, 1, 0, 2)?, delta(0, 1, 2, 2)?])
            .ends_with(C::PART_ORDER),
        web("delta-too-large", "five parts have more than 65,536 bytes")
            .subscribed(&["SYN-005"], (0..5).map(large).collect::<Result<_>>()?)
            .ends_with(C::MESSAGE_TOO_LARGE),
    ])
}

fn snapshots() -> Result<Vec<Fault>> {
    let cursor = |bytes: &'static [u8]| PageCursor::new(Bytes::from_static(bytes)).context("a page cursor");
    let page = |at, next, rev| -> Result<Frame> {
        let items = Items::build([[&5_u64.to_be_bytes()[..], b"row"].concat()]).context("items")?;
        Ok(Frame::Page { collection: collection(0)?, page: cursor(at)?, next: cursor(next)?, rev, items })
    };
    let get = |at| -> Result<Frame> { Ok(Frame::PageGet { collection: collection(0)?, page: cursor(at)? }) };
    let required = Frame::SnapshotRequired { collection: collection(0)?, rev: 5 };
    let differs = Frame::Digest { collection: collection(0)?, cursor: 0, digest: [1; 32] };
    let (leave, first) = (Frame::Leave { collection: collection(0)? }, get(b"")?);
    let (second, since) = (get(b"2")?, Frame::Since { collection: collection(0)?, cursor: 5 });
    Ok(vec![
        web("page-of-no-snapshot", "a page of a collection that is subscribed, and none was asked for")
            .subscribed(&["SYN-008"], vec![page(b"", b"", 5)?])
            .ends_with(C::FRAME_NOT_ALLOWED),
        web("page-at-another-cursor", "the first page was asked for, the second comes")
            .subscribed(&["SYN-008", "SYN-082"], vec![required.clone(), page(b"2", b"", 5)?])
            .ends_with(C::FRAME_NOT_ALLOWED),
        web("snapshot-of-two-pages", "the pages of one revision make a snapshot")
            .subscribed(
                &["SYN-012", "SYN-028"],
                vec![required.clone(), page(b"", b"2", 5)?, page(b"2", b"", 5)?],
            )
            .then(move |peer| {
                peer.hears(&second)?;
                peer.hears(&since)?;
                peer.lives()
            }),
        web("snapshot-of-two-revisions", "the second page is of another revision than the first")
            .subscribed(&["SYN-086"], vec![required, page(b"", b"2", 5)?, page(b"2", b"", 6)?])
            .ends_with(C::SEQ_GAP),
        web("digest-behind-the-rows", "rows up to 5 came, and the digest is of revision 4")
            .subscribed(
                &["SYN-031"],
                vec![
                    delta(0, 5, 0, 0)?,
                    Frame::Digest { collection: collection(0)?, cursor: 4, digest: [0; 32] },
                ],
            )
            .ends_with(C::SEQ_GAP),
        web("digest-differs", "a web whose rows differ leaves, and fetches a snapshot").connected(
            &["SYN-032"],
            move |peer| {
                peer.app(json!({ "verb": "subscribe", "collection": hex([1, 0]) }))?;
                peer.send(std::slice::from_ref(&differs))?;
                peer.wait(0)?;
                peer.hears(&leave)?;
                peer.send(std::slice::from_ref(&leave))?;
                peer.wait(0)?;
                peer.hears(&first)?;
                peer.lives()
            },
        ),
    ])
}

fn to_phone() -> Result<Vec<Fault>> {
    let since = |n| -> Result<Frame> { Ok(Frame::Since { collection: collection(n)?, cursor: 0 }) };
    let many: Vec<Frame> = (0..65).map(since).collect::<Result<_>>()?;
    let leave = Frame::Leave { collection: collection(0)? };
    let left = leave.clone();
    Ok(vec![
        phone("subscriptions-65", "one subscription more than there may be")
            .frames(&["SYN-007"], many.chunks(8).map(<[Frame]>::to_vec).collect())
            .ends_with(C::LIMIT),
        phone("since-twice", "SINCE for a collection that is subscribed")
            .frames(&["SYN-081"], vec![vec![since(0)?, since(0)?]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        phone("leave-is-answered", "a subscription that is left is confirmed by the same frame").connected(
            &["SYN-011"],
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
    let revoked = Frame::Revoked { signature: Signature::from_bytes([1; 64]) };
    let since = Frame::Since { collection: collection(0)?, cursor: 0 };
    let digest = Frame::DigestGet { collection: collection(0)?, cursor: 0 };
    let page = Frame::PageGet { collection: collection(0)?, page: PageCursor::default() };
    Ok(vec![
        phone("delta-from-a-web", "a frame that only a phone sends")
            .frames(&["FRM-022"], vec![vec![delta(0, 1, 0, 0)?]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        phone("revoked-from-a-web", "a frame that only a phone sends")
            .frames(&["FRM-022"], vec![vec![revoked]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        web("since-from-a-phone", "a frame that only a web sends")
            .frames(&["FRM-022"], vec![vec![since]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        web("digest-get-from-a-phone", "a frame that only a web sends")
            .frames(&["FRM-022"], vec![vec![digest]])
            .ends_with(C::FRAME_NOT_ALLOWED),
        web("page-get-from-a-phone", "a frame that only a web sends")
            .frames(&["FRM-022"], vec![vec![page]])
            .ends_with(C::FRAME_NOT_ALLOWED),
    ])
}

fn revocations() -> Vec<Fault> {
    let forged = Frame::Revoked { signature: Signature::from_bytes([1; 64]) };
    vec![
        web("revoked-forged", "REVOKED that the account did not sign")
            .frames(&["CRT-005"], vec![vec![forged]])
            .ends_with(C::HANDSHAKE_FAILED),
        web("revoked-of-another-link", "REVOKED signed for another serial number")
            .connected(&["CRT-005"], |peer| {
                let Side::Phone(link) = &peer.side else { return wrong("the runner plays the phone here") };
                let mut terms = link.terms.clone();
                terms.serial = 2;
                let signature = sign_revoked(&link_keys::account(&peer.case), &terms);
                peer.send(&[Frame::Revoked { signature }])?;
                peer.is_not_told("revoked")
            })
            .ends_with(C::HANDSHAKE_FAILED),
        web("revoked", "REVOKED that the account signed is believed").connected(&["CRT-005"], |peer| {
            let Side::Phone(link) = &peer.side else { return wrong("the runner plays the phone here") };
            let signature = sign_revoked(&link_keys::account(&peer.case), &link.terms);
            peer.send(&[Frame::Revoked { signature }])?;
            peer.wait(0)?;
            peer.is_told("revoked")
        }),
    ]
}
