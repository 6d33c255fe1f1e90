//! What a web must not believe of a phone that has scanned its code.
#![expect(clippy::too_many_lines, reason = "a list, an entry for each fault")]

use handfast_codec::error::ErrorCode as C;
use handfast_codec::ids::Signature;
use handfast_codec::link::LinkFrame;
use handfast_codec::relay::DataKind;
use handfast_handshake::identity::SigningKey;

use crate::peer::certificate::CertPlan;
use crate::peer::driver::{PHONE_ID, Peer, Stop, WEB_ID, wrong};
use crate::peer::faults::{Case, Fault, Reqs, web};
use crate::peer::handshake::{NOT_CANONICAL, ZERO, flip, put_key};
use crate::peer::pairing::XkPlan;

impl Case {
    /// A message 1 that does not open: the code goes on, and a right one is answered.
    fn kept(self, plan: fn() -> XkPlan) -> Fault {
        self.attempt(&["HSK-013"], move |peer| {
            peer.xk1(&plan())?;
            peer.is_not_told("check-code")?;
            peer.is_not_told("ended")?;
            peer.xk1(&XkPlan::default())?;
            peer.read_xk2()
        })
    }

    /// A message 1 that opens, and burns the code.
    fn burnt(self, reqs: Reqs, plan: fn() -> XkPlan) -> Fault {
        self.attempt(reqs, move |peer| peer.xk1(&plan()))
    }

    /// A certificate that the web must not believe.
    fn certificate(self, reqs: Reqs, code: C, change: fn(&mut CertPlan)) -> Fault {
        let fault = self.attempt(reqs, move |peer| {
            let cert = peer.offer(change)?;
            peer.send_link(&[cert])?;
            peer.is_not_told("number-wanted")?;
            peer.hears_of_link(&LinkFrame::Close { code })
        });
        fault.ended_by(code)
    }

    /// A certificate whose signature does not hold.
    fn forged_certificate(self, change: fn(&mut CertPlan)) -> Fault {
        self.certificate(&["CRT-002", "ERR-004"], C::HANDSHAKE_FAILED, change)
    }

    /// A number that the phone does not show: there is no second try.
    fn wrong_number(self, above: u8) -> Fault {
        self.attempt(&["HSK-103", "HSK-106"], move |peer| {
            let _ = asked(peer)?;
            peer.type_number(above)?;
            peer.hears_of_link(&LinkFrame::Close { code: C::NOT_CONFIRMED })?;
            peer.type_number(0)?;
            if peer.heard_of_link.iter().any(|frame| matches!(frame, LinkFrame::Accept { .. })) {
                return wrong("another number must end the attempt, and the right one is taken after it");
            }
            Ok(())
        })
        .ended_by(C::NOT_CONFIRMED)
    }
}

/// A web that has got a certificate, and whose user is asked.
fn asked(peer: &mut Peer<'_>) -> Result<LinkFrame, Stop> {
    let cert = peer.offer(|_| {})?;
    peer.send_link(std::slice::from_ref(&cert))?;
    peer.asks_number()?;
    Ok(cert)
}

pub(super) fn all() -> Vec<Fault> {
    vec![
        web("pair-right", "a pairing without a fault").attempt(&["HSK-081", "HSK-017"], |peer| {
            let cert = asked(peer)?;
            peer.type_number(0)?;
            if !matches!(peer.heard_of_link.as_slice(), [LinkFrame::Accept { .. }]) {
                return wrong("LINK_ACCEPT must be sent once the number is typed, and nothing else");
            }
            // Each record may come again.
            peer.send_link(&[cert])?;
            peer.send_link(&[LinkFrame::Commit])?;
            peer.is_told("linked")
        }),
        web("pair-1-bit-flipped", "one bit of message 1 differs")
            .kept(|| XkPlan { alter: |m| flip(m, 40), ..XkPlan::default() }),
        web("pair-1-of-another-psk", "message 1 under another secret")
            .kept(|| XkPlan { psk: Some([9; 32]), ..XkPlan::default() }),
        web("pair-1-of-another-relay", "message 1 is bound to another relay")
            .kept(|| XkPlan { relay: "other.example", ..XkPlan::default() }),
        web("pair-1-of-other-attachments", "message 1 is bound to swapped attachments")
            .kept(|| XkPlan { ids: (PHONE_ID, WEB_ID), ..XkPlan::default() }),
        web("pair-1-key-zero", "an ephemeral key of low order")
            .kept(|| XkPlan { alter: |m| put_key(m, ZERO), ..XkPlan::default() }),
        web("pair-1-key-not-canonical", "an ephemeral key that is not reduced")
            .kept(|| XkPlan { alter: |m| put_key(m, NOT_CANONICAL), ..XkPlan::default() }),
        web("pair-1-cut", "message 1 ends early")
            .kept(|| XkPlan { alter: |m| m.truncate(31), ..XkPlan::default() }),
        web("pair-1-no-common-version", "message 1 offers version 9 alone")
            .burnt(&["HSK-007", "HSK-012"], || XkPlan { versions: vec![9], ..XkPlan::default() })
            .ended_by(C::NO_COMMON_VERSION),
        web("pair-1-unknown-odd-field", "the payload has a field 63")
            .burnt(&["FRM-007", "HSK-012"], || XkPlan { tail: vec![63, 0], ..XkPlan::default() })
            .ended_by(C::UNKNOWN_CRITICAL),
        web("pair-1-grease", "an unknown even field").attempt(&["FRM-007"], |peer| {
            peer.xk1(&XkPlan { tail: vec![58, 1, 7], ..XkPlan::default() })?;
            peer.read_xk2()
        }),
        web("pair-1-again", "a second message 1 after the first")
            .attempt(&["HSK-012", "HSK-097"], |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.xk1(&XkPlan::default())
            })
            .ended_by(C::HANDSHAKE_FAILED),
        web(
            "pair-1-to-both-codes-in-one-turn",
            "a message 1 for each of the two codes that a page shows, in the same moment",
        )
        .attempt(&["HSK-107", "HSK-097"], |peer| {
            let mut first = peer.second_code()?;
            peer.turn_to(&mut first);
            peer.xk1(&XkPlan::default())?;
            peer.read_xk2()?;
            peer.turn_to(&mut first);
            peer.xk1(&XkPlan::default())?;
            peer.is_not_told("check-code")?;
            peer.has_no_message2()
        })
        .ended_by(C::CODE_EXPIRED),
        web("pair-3-bit-flipped", "one bit of message 3 differs")
            .attempt(&["HSK-003", "HSK-012"], |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.xk3(&XkPlan { alter: |m| flip(m, 10), ..XkPlan::default() })
            })
            .ended_by(C::HANDSHAKE_FAILED),
        web("pair-3-unknown-odd-field", "message 3 has a field 63")
            .attempt(&["HSK-062", "FRM-007"], |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.xk3(&XkPlan { tail: vec![63, 0], ..XkPlan::default() })
            })
            .ended_by(C::UNKNOWN_CRITICAL),
        web("pair-3-never", "message 3 does not come")
            .attempt(&["HSK-014"], |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.idle(181)
            })
            .ended_by(C::CODE_EXPIRED),
        web("cert-never", "LINK_CERT does not come")
            .attempt(&["HSK-006"], |peer| {
                peer.offer(|_| {}).map(drop)?;
                peer.idle(11)
            })
            .ended_by(C::TIMEOUT),
        web("cert-foreign", "another key signs the certificate").forged_certificate(|plan| {
            plan.signer = SigningKey::from_bytes([8; 32]);
        }),
        web("cert-of-another-h", "it is of another attempt").forged_certificate(|plan| {
            plan.h = [8; 32];
        }),
        web("cert-of-another-relay", "it is of another relay")
            .forged_certificate(|plan| plan.relay = "other.example"),
        web("cert-of-another-phone", "it is of another Ps")
            .forged_certificate(|plan| plan.phone_key = plan.web_key),
        web("cert-of-another-web", "it is of another Wd")
            .forged_certificate(|plan| plan.web_key = plan.phone_key),
        web("cert-of-another-seat", "another attach key of the web")
            .forged_certificate(|plan| plan.web_attach = plan.phone_attach),
        web("cert-key-reused", "the phone attaches by the web's key").certificate(
            &["CRT-003", "ERR-004"],
            C::HANDSHAKE_FAILED,
            |plan| plan.phone_attach = plan.web_attach,
        ),
        web("cert-idle-0", "the link is idle after 0 days").certificate(
            &["CRT-008"],
            C::FIELD_VALUE,
            |plan| plan.idle_days = 0,
        ),
        web("cert-idle-366", "the link is idle after 366 days").certificate(
            &["CRT-008"],
            C::FIELD_VALUE,
            |plan| plan.idle_days = 366,
        ),
        web("commit-first", "LINK_COMMIT in place of LINK_CERT")
            .attempt(&["ERR-002"], |peer| {
                peer.offer(|_| {}).map(drop)?;
                peer.send_link(&[LinkFrame::Commit])
            })
            .ended_by(C::UNEXPECTED_MESSAGE),
        web("accept-from-a-phone", "LINK_ACCEPT, which only a web sends")
            .attempt(&["ERR-002"], |peer| {
                peer.offer(|_| {}).map(drop)?;
                peer.send_link(&[LinkFrame::Accept { signature: Signature::from_bytes([1; 64]) }])
            })
            .ended_by(C::UNEXPECTED_MESSAGE),
        web("cert-then-another", "a second certificate that says something else")
            .attempt(&["HSK-017"], |peer| {
                let _ = asked(peer)?;
                let other = peer.certificate(|plan| plan.idle_days = 15)?;
                peer.send_link(&[other])
            })
            .ended_by(C::UNEXPECTED_MESSAGE),
        web("number-next", "the user types the next number").wrong_number(1),
        web("number-50-above", "the user types another number").wrong_number(50),
        web("number-before", "the user types the number before").wrong_number(99),
        web("number-none", "the user says that the phone shows no number")
            .attempt(&["HSK-082", "HSK-106"], |peer| {
                let _ = asked(peer)?;
                peer.says_none()?;
                peer.hears_of_link(&LinkFrame::Close { code: C::NOT_CONFIRMED })
            })
            .ended_by(C::NOT_CONFIRMED),
        web("user-stops-at-the-digits", "the user's phone asks for no digits")
            .attempt(&["HSK-104"], |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.says_none()
            })
            .ended_by(C::NOT_CONFIRMED),
        web("user-stops-before-the-certificate", "the user stops while the certificate is on its way")
            .attempt(&["HSK-104"], |peer| {
                peer.offer(|_| {}).map(drop)?;
                peer.says_none()?;
                peer.hears_of_link(&LinkFrame::Close { code: C::NOT_CONFIRMED })
            })
            .ended_by(C::NOT_CONFIRMED),
        web("user-says-nothing", "nobody types the number")
            .attempt(&["HSK-014"], |peer| {
                let _ = asked(peer)?;
                peer.idle(91)
            })
            .ended_by(C::CODE_EXPIRED),
        web("link-close", "LINK_CLOSE{REFUSED}")
            .attempt(&["ERR-002"], |peer| {
                let _ = asked(peer)?;
                peer.send_link(&[LinkFrame::Close { code: C::REFUSED }])
            })
            .ended_by(C::REFUSED),
        web("link-record-flipped", "a link record does not open")
            .attempt(&["CHN-003"], |peer| {
                peer.offer(|_| {}).map(drop)?;
                peer.data(DataKind::RECORD, &[9; 144])
            })
            .ended_by(C::DECRYPT_FAILED),
    ]
}
