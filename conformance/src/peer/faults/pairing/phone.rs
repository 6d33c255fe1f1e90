//! What a phone must not believe of the page whose code it has scanned.
#![expect(clippy::too_many_lines, reason = "a list, an entry for each fault")]

use handfast_codec::error::ErrorCode as C;
use handfast_codec::link::LinkFrame;
use handfast_codec::relay::DataKind;
use handfast_handshake::identity::SigningKey;
use serde_json::json;

use super::{Fault, Reqs, attempt};
use crate::peer::faults::PHONE;
use crate::peer::handshake::{NOT_CANONICAL, ZERO, flip, put_key};
use crate::peer::pairing::XkPlan;

/// A message 2 that the phone must not believe.
fn message2(name: &'static str, reqs: Reqs, comment: &'static str, code: C, plan: fn() -> XkPlan) -> Fault {
    attempt(PHONE, name, reqs, comment, Some(code), move |peer| {
        peer.read_xk1()?;
        peer.xk2(&plan())?;
        peer.is_not_told("check-code-wanted")
    })
}

pub(super) fn all() -> Vec<Fault> {
    vec![
        attempt(
            PHONE,
            "pair-right",
            &["HSK-010", "HSK-080", "HSK-017"],
            "a pairing without a fault",
            None,
            |peer| {
                peer.approved()?;
                let accept = peer.acceptance(None)?;
                peer.send_link(&[accept])?;
                peer.hears_of_link(&LinkFrame::Commit)?;
                peer.is_told("linked")
            },
        ),
        message2(
            "pair-2-bit-flipped",
            &["HSK-003"],
            "one bit of message 2 differs",
            C::HANDSHAKE_FAILED,
            || XkPlan { alter: |m| flip(m, 40), ..XkPlan::default() },
        ),
        message2(
            "pair-2-key-zero",
            &["HSK-001"],
            "an ephemeral key of low order",
            C::HANDSHAKE_FAILED,
            || XkPlan { alter: |m| put_key(m, ZERO), ..XkPlan::default() },
        ),
        message2(
            "pair-2-key-not-canonical",
            &["HSK-009"],
            "an ephemeral key that is not reduced",
            C::HANDSHAKE_FAILED,
            || XkPlan { alter: |m| put_key(m, NOT_CANONICAL), ..XkPlan::default() },
        ),
        message2(
            "pair-2-of-a-version-not-offered",
            &["HSK-008"],
            "message 2 names version 9",
            C::NO_COMMON_VERSION,
            || XkPlan { versions: vec![9], ..XkPlan::default() },
        ),
        message2(
            "pair-2-opening-bit-flipped",
            &["HSK-096"],
            "one bit of the opening differs",
            C::HANDSHAKE_FAILED,
            || XkPlan {
                opening: |right| {
                    let mut other = *right;
                    other[31] ^= 1;
                    other
                },
                ..XkPlan::default()
            },
        ),
        message2(
            "pair-2-opening-of-another-code",
            &["HSK-096"],
            "the opening of another code",
            C::HANDSHAKE_FAILED,
            || XkPlan { opening: |_| [7; 32], ..XkPlan::default() },
        ),
        message2(
            "pair-2-opening-hashed",
            &["HSK-096"],
            "a hash of the opening in its place",
            C::HANDSHAKE_FAILED,
            || XkPlan { opening: |right| crate::derive::sha256(right), ..XkPlan::default() },
        ),
        attempt(
            PHONE,
            "pair-2-commitment-copied",
            &["HSK-096", "QRP-011"],
            "a code with the commitment of another page's beside its own key, opened as that page opens it",
            Some(C::HANDSHAKE_FAILED),
            |peer| {
                peer.scans_copied_commitment()?;
                peer.read_xk1()?;
                peer.xk2(&XkPlan::default())?;
                peer.is_not_told("check-code-wanted")
            },
        ),
        message2("pair-2-opening-missing", &["HSK-093"], "no opening", C::FIELD_MISSING, || XkPlan {
            without_opening: true,
            ..XkPlan::default()
        }),
        message2(
            "pair-2-unknown-odd-field",
            &["FRM-007"],
            "the payload has a field 63",
            C::UNKNOWN_CRITICAL,
            || XkPlan { tail: vec![63, 0], ..XkPlan::default() },
        ),
        attempt(
            PHONE,
            "pair-2-key-reused",
            &["CRT-003", "ERR-004"],
            "one key signs and attaches",
            Some(C::HANDSHAKE_FAILED),
            |peer| {
                peer.read_xk1()?;
                peer.xk2(&XkPlan { one_key: true, ..XkPlan::default() })?;
                peer.type_code(0)?;
                peer.app(json!({ "verb": "approve", "yes": true }))
            },
        ),
        attempt(PHONE, "pair-2-never", &["HSK-006"], "message 2 does not come", Some(C::TIMEOUT), |peer| {
            peer.read_xk1()?;
            peer.idle(11)
        }),
        attempt(
            PHONE,
            "pair-2-again",
            &["HSK-003"],
            "a second message 2 after the first",
            Some(C::UNEXPECTED_MESSAGE),
            |peer| {
                peer.answer()?;
                peer.data(DataKind::PAIRING, &[9; 200])
            },
        ),
        attempt(
            PHONE,
            "three-wrong-codes",
            &["HSK-011"],
            "the user types three wrong check codes",
            Some(C::CHECK_CODE_WRONG),
            |peer| {
                peer.answer()?;
                (1..4).try_for_each(|above| peer.type_code(above))?;
                peer.is_not_told("approval-wanted")
            },
        ),
        attempt(PHONE, "two-wrong-codes", &["HSK-011"], "the third code is right", None, |peer| {
            peer.answer()?;
            (1..3).try_for_each(|above| peer.type_code(above))?;
            peer.type_code(0)?;
            peer.is_told("approval-wanted Runner")
        }),
        attempt(
            PHONE,
            "same-wrong-code-twice",
            &["HSK-099"],
            "the user types the same wrong check code again",
            Some(C::CHECK_CODE_WRONG),
            |peer| {
                peer.answer()?;
                (0..2).try_for_each(|_| peer.type_code(5))?;
                peer.is_not_told("approval-wanted")
            },
        ),
        attempt(
            PHONE,
            "first-wrong-code-again",
            &["HSK-099"],
            "the third code is the first one again",
            Some(C::CHECK_CODE_WRONG),
            |peer| {
                peer.answer()?;
                [5, 6, 5].into_iter().try_for_each(|above| peer.type_code(above))
            },
        ),
        attempt(
            PHONE,
            "code-never",
            &["HSK-014"],
            "nobody types the check code",
            Some(C::CODE_EXPIRED),
            |peer| {
                peer.answer()?;
                peer.idle(61)
            },
        ),
        attempt(
            PHONE,
            "approval-never",
            &["HSK-014", "HSK-010"],
            "nobody approves",
            Some(C::CODE_EXPIRED),
            |peer| {
                peer.answer()?;
                peer.type_code(0)?;
                peer.idle(121)?;
                peer.has_no_message3()
            },
        ),
        attempt(PHONE, "user-refuses", &["HSK-010"], "the user does not approve", Some(C::REFUSED), |peer| {
            peer.answer()?;
            peer.type_code(0)?;
            peer.app(json!({ "verb": "approve", "yes": false }))?;
            peer.has_no_message3()
        }),
        attempt(
            PHONE,
            "accept-foreign",
            &["CRT-004", "ERR-004"],
            "another key signs the acceptance",
            Some(C::HANDSHAKE_FAILED),
            |peer| {
                peer.approved()?;
                peer.send_link(&[LinkFrame::Accept {
                    signature: SigningKey::from_bytes([8; 32]).sign(b"x"),
                }])?;
                peer.hears_of_link(&LinkFrame::Close { code: C::HANDSHAKE_FAILED })
            },
        ),
        attempt(
            PHONE,
            "accept-of-another-h",
            &["CRT-004", "CRT-009"],
            "the acceptance of another attempt",
            Some(C::HANDSHAKE_FAILED),
            |peer| {
                peer.approved()?;
                let accept = peer.acceptance(Some([8; 32]))?;
                peer.send_link(&[accept])
            },
        ),
        attempt(
            PHONE,
            "commit-from-a-web",
            &["ERR-002"],
            "LINK_COMMIT, which only a phone sends",
            Some(C::UNEXPECTED_MESSAGE),
            |peer| {
                peer.approved()?;
                peer.send_link(&[LinkFrame::Commit])
            },
        ),
        attempt(
            PHONE,
            "link-close",
            &["HSK-088"],
            "LINK_CLOSE{NOT_CONFIRMED}",
            Some(C::NOT_CONFIRMED),
            |peer| {
                peer.approved()?;
                peer.send_link(&[LinkFrame::Close { code: C::NOT_CONFIRMED }])
            },
        ),
        attempt(
            PHONE,
            "link-record-flipped",
            &["CHN-003", "HSK-087"],
            "a link record does not open",
            Some(C::DECRYPT_FAILED),
            |peer| {
                peer.approved()?;
                peer.data(DataKind::RECORD, &[9; 144])
            },
        ),
        attempt(
            PHONE,
            "accept-never",
            &["HSK-087", "HSK-014"],
            "LINK_ACCEPT does not come",
            Some(C::CODE_EXPIRED),
            |peer| {
                peer.approved()?;
                peer.idle(101)
            },
        ),
    ]
}
