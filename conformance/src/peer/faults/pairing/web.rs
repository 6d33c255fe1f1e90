//! What a web must not believe of a phone that has scanned its code.
#![expect(clippy::too_many_lines, reason = "a list, an entry for each fault")]

use handfast_codec::error::ErrorCode as C;
use handfast_codec::ids::Signature;
use handfast_codec::link::LinkFrame;
use handfast_codec::relay::DataKind;
use handfast_handshake::identity::SigningKey;

use super::{Fault, Reqs, attempt};
use crate::peer::certificate::CertPlan;
use crate::peer::driver::{PHONE_ID, Peer, Stop, WEB_ID, wrong};
use crate::peer::faults::WEB;
use crate::peer::handshake::{NOT_CANONICAL, ZERO, flip, put_key};
use crate::peer::pairing::XkPlan;

/// A message 1 that does not open: the code goes on, and a right one is answered.
fn kept(name: &'static str, comment: &'static str, plan: fn() -> XkPlan) -> Fault {
    attempt(WEB, name, &["HSK-013"], comment, None, move |peer| {
        peer.xk1(&plan())?;
        peer.is_not_told("check-code")?;
        peer.is_not_told("ended")?;
        peer.xk1(&XkPlan::default())?;
        peer.read_xk2()
    })
}

/// A message 1 that opens, and burns the code.
fn burnt(name: &'static str, reqs: Reqs, comment: &'static str, code: C, plan: fn() -> XkPlan) -> Fault {
    attempt(WEB, name, reqs, comment, Some(code), move |peer| peer.xk1(&plan()))
}

/// A certificate that the web must not believe.
fn certificate(
    name: &'static str,
    reqs: Reqs,
    comment: &'static str,
    code: C,
    change: fn(&mut CertPlan),
) -> Fault {
    attempt(WEB, name, reqs, comment, Some(code), move |peer| {
        let cert = peer.offer(change)?;
        peer.send_link(&[cert])?;
        peer.is_not_told("number-wanted")?;
        peer.hears_of_link(&LinkFrame::Close { code })
    })
}

/// A number that the phone does not show: there is no second try.
fn wrong_number(name: &'static str, comment: &'static str, above: u8) -> Fault {
    attempt(WEB, name, &["HSK-103", "HSK-106"], comment, Some(C::NOT_CONFIRMED), move |peer| {
        let _ = asked(peer)?;
        peer.type_number(above)?;
        peer.hears_of_link(&LinkFrame::Close { code: C::NOT_CONFIRMED })?;
        peer.type_number(0)?;
        if peer.heard_of_link.iter().any(|frame| matches!(frame, LinkFrame::Accept { .. })) {
            return wrong("another number must end the attempt, and the right one is taken after it");
        }
        Ok(())
    })
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
        attempt(WEB, "pair-right", &["HSK-081", "HSK-017"], "a pairing without a fault", None, |peer| {
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
        kept("pair-1-bit-flipped", "one bit of message 1 differs", || XkPlan {
            alter: |m| flip(m, 40),
            ..XkPlan::default()
        }),
        kept("pair-1-of-another-psk", "message 1 under another secret", || XkPlan {
            psk: Some([9; 32]),
            ..XkPlan::default()
        }),
        kept("pair-1-of-another-relay", "message 1 is bound to another relay", || XkPlan {
            relay: "other.example",
            ..XkPlan::default()
        }),
        kept("pair-1-of-other-attachments", "message 1 is bound to swapped attachments", || XkPlan {
            ids: (PHONE_ID, WEB_ID),
            ..XkPlan::default()
        }),
        kept("pair-1-key-zero", "an ephemeral key of low order", || XkPlan {
            alter: |m| put_key(m, ZERO),
            ..XkPlan::default()
        }),
        kept("pair-1-key-not-canonical", "an ephemeral key that is not reduced", || XkPlan {
            alter: |m| put_key(m, NOT_CANONICAL),
            ..XkPlan::default()
        }),
        kept("pair-1-cut", "message 1 ends early", || XkPlan {
            alter: |m| m.truncate(31),
            ..XkPlan::default()
        }),
        burnt(
            "pair-1-no-common-version",
            &["HSK-007", "HSK-012"],
            "message 1 offers version 9 alone",
            C::NO_COMMON_VERSION,
            || XkPlan { versions: vec![9], ..XkPlan::default() },
        ),
        burnt(
            "pair-1-unknown-odd-field",
            &["FRM-007", "HSK-012"],
            "the payload has a field 63",
            C::UNKNOWN_CRITICAL,
            || XkPlan { tail: vec![63, 0], ..XkPlan::default() },
        ),
        attempt(WEB, "pair-1-grease", &["FRM-007"], "an unknown even field", None, |peer| {
            peer.xk1(&XkPlan { tail: vec![58, 1, 7], ..XkPlan::default() })?;
            peer.read_xk2()
        }),
        attempt(
            WEB,
            "pair-1-again",
            &["HSK-012", "HSK-097"],
            "a second message 1 after the first",
            Some(C::HANDSHAKE_FAILED),
            |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.xk1(&XkPlan::default())
            },
        ),
        attempt(
            WEB,
            "pair-1-to-both-codes-in-one-turn",
            &["HSK-107", "HSK-097"],
            "a message 1 for each of the two codes that a page shows, in the same moment",
            Some(C::CODE_EXPIRED),
            |peer| {
                let mut first = peer.second_code()?;
                peer.turn_to(&mut first);
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.turn_to(&mut first);
                peer.xk1(&XkPlan::default())?;
                peer.is_not_told("check-code")?;
                peer.has_no_message2()
            },
        ),
        attempt(
            WEB,
            "pair-3-bit-flipped",
            &["HSK-003", "HSK-012"],
            "one bit of message 3 differs",
            Some(C::HANDSHAKE_FAILED),
            |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.xk3(&XkPlan { alter: |m| flip(m, 10), ..XkPlan::default() })
            },
        ),
        attempt(
            WEB,
            "pair-3-unknown-odd-field",
            &["HSK-062", "FRM-007"],
            "message 3 has a field 63",
            Some(C::UNKNOWN_CRITICAL),
            |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.xk3(&XkPlan { tail: vec![63, 0], ..XkPlan::default() })
            },
        ),
        attempt(
            WEB,
            "pair-3-never",
            &["HSK-014"],
            "message 3 does not come",
            Some(C::CODE_EXPIRED),
            |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.idle(181)
            },
        ),
        attempt(WEB, "cert-never", &["HSK-006"], "LINK_CERT does not come", Some(C::TIMEOUT), |peer| {
            peer.offer(|_| {}).map(drop)?;
            peer.idle(11)
        }),
        certificate(
            "cert-foreign",
            &["CRT-002", "ERR-004"],
            "another key signs the certificate",
            C::HANDSHAKE_FAILED,
            |plan| {
                plan.signer = SigningKey::from_bytes([8; 32]);
            },
        ),
        certificate(
            "cert-of-another-h",
            &["CRT-002", "ERR-004"],
            "it is of another attempt",
            C::HANDSHAKE_FAILED,
            |plan| {
                plan.h = [8; 32];
            },
        ),
        certificate(
            "cert-of-another-relay",
            &["CRT-002", "ERR-004"],
            "it is of another relay",
            C::HANDSHAKE_FAILED,
            |plan| {
                plan.relay = "other.example";
            },
        ),
        certificate(
            "cert-of-another-phone",
            &["CRT-002", "ERR-004"],
            "it is of another Ps",
            C::HANDSHAKE_FAILED,
            |plan| {
                plan.phone_key = plan.web_key;
            },
        ),
        certificate(
            "cert-of-another-web",
            &["CRT-002", "ERR-004"],
            "it is of another Wd",
            C::HANDSHAKE_FAILED,
            |plan| {
                plan.web_key = plan.phone_key;
            },
        ),
        certificate(
            "cert-of-another-seat",
            &["CRT-002", "ERR-004"],
            "another attach key of the web",
            C::HANDSHAKE_FAILED,
            |plan| {
                plan.web_attach = plan.phone_attach;
            },
        ),
        certificate(
            "cert-key-reused",
            &["CRT-003", "ERR-004"],
            "the phone attaches by the web's key",
            C::HANDSHAKE_FAILED,
            |plan| {
                plan.phone_attach = plan.web_attach;
            },
        ),
        certificate("cert-idle-0", &["CRT-008"], "the link is idle after 0 days", C::FIELD_VALUE, |plan| {
            plan.idle_days = 0;
        }),
        certificate(
            "cert-idle-366",
            &["CRT-008"],
            "the link is idle after 366 days",
            C::FIELD_VALUE,
            |plan| {
                plan.idle_days = 366;
            },
        ),
        attempt(
            WEB,
            "commit-first",
            &["ERR-002"],
            "LINK_COMMIT in place of LINK_CERT",
            Some(C::UNEXPECTED_MESSAGE),
            |peer| {
                peer.offer(|_| {}).map(drop)?;
                peer.send_link(&[LinkFrame::Commit])
            },
        ),
        attempt(
            WEB,
            "accept-from-a-phone",
            &["ERR-002"],
            "LINK_ACCEPT, which only a web sends",
            Some(C::UNEXPECTED_MESSAGE),
            |peer| {
                peer.offer(|_| {}).map(drop)?;
                peer.send_link(&[LinkFrame::Accept { signature: Signature::from_bytes([1; 64]) }])
            },
        ),
        attempt(
            WEB,
            "cert-then-another",
            &["HSK-017"],
            "a second certificate that says something else",
            Some(C::UNEXPECTED_MESSAGE),
            |peer| {
                let _ = asked(peer)?;
                let other = peer.certificate(|plan| plan.idle_days = 15)?;
                peer.send_link(&[other])
            },
        ),
        wrong_number("number-next", "the user types the next number", 1),
        wrong_number("number-50-above", "the user types another number", 50),
        wrong_number("number-before", "the user types the number before", 99),
        attempt(
            WEB,
            "number-none",
            &["HSK-082", "HSK-106"],
            "the user says that the phone shows no number",
            Some(C::NOT_CONFIRMED),
            |peer| {
                let _ = asked(peer)?;
                peer.says_none()?;
                peer.hears_of_link(&LinkFrame::Close { code: C::NOT_CONFIRMED })
            },
        ),
        attempt(
            WEB,
            "user-stops-at-the-digits",
            &["HSK-104"],
            "the user's phone asks for no digits",
            Some(C::NOT_CONFIRMED),
            |peer| {
                peer.xk1(&XkPlan::default())?;
                peer.read_xk2()?;
                peer.says_none()
            },
        ),
        attempt(
            WEB,
            "user-stops-before-the-certificate",
            &["HSK-104"],
            "the user stops while the certificate is on its way",
            Some(C::NOT_CONFIRMED),
            |peer| {
                peer.offer(|_| {}).map(drop)?;
                peer.says_none()?;
                peer.hears_of_link(&LinkFrame::Close { code: C::NOT_CONFIRMED })
            },
        ),
        attempt(
            WEB,
            "user-says-nothing",
            &["HSK-014"],
            "nobody types the number",
            Some(C::CODE_EXPIRED),
            |peer| {
                let _ = asked(peer)?;
                peer.idle(91)
            },
        ),
        attempt(WEB, "link-close", &["ERR-002"], "LINK_CLOSE{REFUSED}", Some(C::REFUSED), |peer| {
            let _ = asked(peer)?;
            peer.send_link(&[LinkFrame::Close { code: C::REFUSED }])
        }),
        attempt(
            WEB,
            "link-record-flipped",
            &["CHN-003"],
            "a link record does not open",
            Some(C::DECRYPT_FAILED),
            |peer| {
                peer.offer(|_| {}).map(drop)?;
                peer.data(DataKind::RECORD, &[9; 144])
            },
        ),
    ]
}
