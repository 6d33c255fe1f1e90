//! What a phone must not believe of the page whose code it has scanned.
#![expect(clippy::too_many_lines, reason = "a list, an entry for each fault")]

use handfast_codec::error::ErrorCode as C;
use handfast_codec::link::LinkFrame;
use handfast_codec::relay::DataKind;
use handfast_handshake::identity::SigningKey;
use serde_json::json;

use crate::peer::faults::{Case, Fault, Reqs, phone};
use crate::peer::handshake::{NOT_CANONICAL, ZERO, flip, put_key};
use crate::peer::pairing::XkPlan;

impl Case {
    /// A message 2 that the phone must not believe.
    fn message2(self, reqs: Reqs, plan: fn() -> XkPlan) -> Fault {
        self.attempt(reqs, move |peer| {
            peer.read_xk1()?;
            peer.xk2(&plan())?;
            peer.is_not_told("check-code-wanted")
        })
    }
}

pub(super) fn all() -> Vec<Fault> {
    vec![
        phone("pair-right", "a pairing without a fault").attempt(
            &["HSK-010", "HSK-080", "HSK-017"],
            |peer| {
                peer.approved()?;
                let accept = peer.acceptance(None)?;
                peer.send_link(&[accept])?;
                peer.hears_of_link(&LinkFrame::Commit)?;
                peer.is_told("linked")
            },
        ),
        phone("pair-2-bit-flipped", "one bit of message 2 differs")
            .message2(&["HSK-003"], || XkPlan { alter: |m| flip(m, 40), ..XkPlan::default() })
            .ended_by(C::HANDSHAKE_FAILED),
        phone("pair-2-key-zero", "an ephemeral key of low order")
            .message2(&["HSK-001"], || XkPlan { alter: |m| put_key(m, ZERO), ..XkPlan::default() })
            .ended_by(C::HANDSHAKE_FAILED),
        phone("pair-2-key-not-canonical", "an ephemeral key that is not reduced")
            .message2(&["HSK-009"], || XkPlan { alter: |m| put_key(m, NOT_CANONICAL), ..XkPlan::default() })
            .ended_by(C::HANDSHAKE_FAILED),
        phone("pair-2-of-a-version-not-offered", "message 2 names version 9")
            .message2(&["HSK-008"], || XkPlan { versions: vec![9], ..XkPlan::default() })
            .ended_by(C::NO_COMMON_VERSION),
        phone("pair-2-opening-bit-flipped", "one bit of the opening differs")
            .message2(&["HSK-096"], || XkPlan {
                opening: |right| {
                    let mut other = *right;
                    other[31] ^= 1;
                    other
                },
                ..XkPlan::default()
            })
            .ended_by(C::HANDSHAKE_FAILED),
        phone("pair-2-opening-of-another-code", "the opening of another code")
            .message2(&["HSK-096"], || XkPlan { opening: |_| [7; 32], ..XkPlan::default() })
            .ended_by(C::HANDSHAKE_FAILED),
        phone("pair-2-opening-hashed", "a hash of the opening in its place")
            .message2(&["HSK-096"], || XkPlan {
                opening: |right| crate::derive::sha256(right),
                ..XkPlan::default()
            })
            .ended_by(C::HANDSHAKE_FAILED),
        phone(
            "pair-2-commitment-copied",
            "a code with the commitment of another page's beside its own key, opened as that page opens it",
        )
        .attempt(&["HSK-096", "QRP-011"], |peer| {
            peer.scans_copied_commitment()?;
            peer.read_xk1()?;
            peer.xk2(&XkPlan::default())?;
            peer.is_not_told("check-code-wanted")
        })
        .ended_by(C::HANDSHAKE_FAILED),
        phone("pair-2-opening-missing", "no opening")
            .message2(&["HSK-093"], || XkPlan { without_opening: true, ..XkPlan::default() })
            .ended_by(C::FIELD_MISSING),
        phone("pair-2-unknown-odd-field", "the payload has a field 63")
            .message2(&["FRM-007"], || XkPlan { tail: vec![63, 0], ..XkPlan::default() })
            .ended_by(C::UNKNOWN_CRITICAL),
        phone("pair-2-key-reused", "one key signs and attaches")
            .attempt(&["CRT-003", "ERR-004"], |peer| {
                peer.read_xk1()?;
                peer.xk2(&XkPlan { one_key: true, ..XkPlan::default() })?;
                peer.type_code(0)?;
                peer.app(json!({ "verb": "approve", "yes": true }))
            })
            .ended_by(C::HANDSHAKE_FAILED),
        phone("pair-2-never", "message 2 does not come")
            .attempt(&["HSK-006"], |peer| {
                peer.read_xk1()?;
                peer.idle(11)
            })
            .ended_by(C::TIMEOUT),
        phone("pair-2-again", "a second message 2 after the first")
            .attempt(&["HSK-003"], |peer| {
                peer.answer()?;
                peer.data(DataKind::PAIRING, &[9; 200])
            })
            .ended_by(C::UNEXPECTED_MESSAGE),
        phone("three-wrong-codes", "the user types three wrong check codes")
            .attempt(&["HSK-011"], |peer| {
                peer.answer()?;
                (1..4).try_for_each(|above| peer.type_code(above))?;
                peer.is_not_told("approval-wanted")
            })
            .ended_by(C::CHECK_CODE_WRONG),
        phone("two-wrong-codes", "the third code is right").attempt(&["HSK-011"], |peer| {
            peer.answer()?;
            (1..3).try_for_each(|above| peer.type_code(above))?;
            peer.type_code(0)?;
            peer.is_told("approval-wanted Runner")
        }),
        phone("same-wrong-code-twice", "the user types the same wrong check code again")
            .attempt(&["HSK-099"], |peer| {
                peer.answer()?;
                (0..2).try_for_each(|_| peer.type_code(5))?;
                peer.is_not_told("approval-wanted")
            })
            .ended_by(C::CHECK_CODE_WRONG),
        phone("first-wrong-code-again", "the third code is the first one again")
            .attempt(&["HSK-099"], |peer| {
                peer.answer()?;
                [5, 6, 5].into_iter().try_for_each(|above| peer.type_code(above))
            })
            .ended_by(C::CHECK_CODE_WRONG),
        phone("code-never", "nobody types the check code")
            .attempt(&["HSK-014"], |peer| {
                peer.answer()?;
                peer.idle(61)
            })
            .ended_by(C::CODE_EXPIRED),
        phone("approval-never", "nobody approves")
            .attempt(&["HSK-014", "HSK-010"], |peer| {
                peer.answer()?;
                peer.type_code(0)?;
                peer.idle(121)?;
                peer.has_no_message3()
            })
            .ended_by(C::CODE_EXPIRED),
        phone("user-refuses", "the user does not approve")
            .attempt(&["HSK-010"], |peer| {
                peer.answer()?;
                peer.type_code(0)?;
                peer.app(json!({ "verb": "approve", "yes": false }))?;
                peer.has_no_message3()
            })
            .ended_by(C::REFUSED),
        phone("accept-foreign", "another key signs the acceptance")
            .attempt(&["CRT-004", "ERR-004"], |peer| {
                peer.approved()?;
                peer.send_link(&[LinkFrame::Accept {
                    signature: SigningKey::from_bytes([8; 32]).sign(b"x"),
                }])?;
                peer.hears_of_link(&LinkFrame::Close { code: C::HANDSHAKE_FAILED })
            })
            .ended_by(C::HANDSHAKE_FAILED),
        phone("accept-of-another-h", "the acceptance of another attempt")
            .attempt(&["CRT-004", "CRT-009"], |peer| {
                peer.approved()?;
                let accept = peer.acceptance(Some([8; 32]))?;
                peer.send_link(&[accept])
            })
            .ended_by(C::HANDSHAKE_FAILED),
        phone("commit-from-a-web", "LINK_COMMIT, which only a phone sends")
            .attempt(&["ERR-002"], |peer| {
                peer.approved()?;
                peer.send_link(&[LinkFrame::Commit])
            })
            .ended_by(C::UNEXPECTED_MESSAGE),
        phone("link-close", "LINK_CLOSE{NOT_CONFIRMED}")
            .attempt(&["HSK-088"], |peer| {
                peer.approved()?;
                peer.send_link(&[LinkFrame::Close { code: C::NOT_CONFIRMED }])
            })
            .ended_by(C::NOT_CONFIRMED),
        phone("link-record-flipped", "a link record does not open")
            .attempt(&["CHN-003", "HSK-087"], |peer| {
                peer.approved()?;
                peer.data(DataKind::RECORD, &[9; 144])
            })
            .ended_by(C::DECRYPT_FAILED),
        phone("accept-never", "LINK_ACCEPT does not come")
            .attempt(&["HSK-087", "HSK-014"], |peer| {
                peer.approved()?;
                peer.idle(101)
            })
            .ended_by(C::CODE_EXPIRED),
    ]
}
