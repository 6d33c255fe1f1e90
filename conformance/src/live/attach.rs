//! Greeting, claims to seats, and what is refused before and at them.

use std::time::Duration;

use handfast_codec::error::ErrorCode as C;
use handfast_codec::ids::{MailboxId, Signature};
use handfast_codec::relay::{Attach, DataKind, Peer, RelayFrame};
use handfast_codec::role::DeviceRole;

use super::client::{Seat, Step, Stop, Target, fresh, wrong};
use super::{Check, check};

pub(super) const ALL: &[Check] = &[
    check("greets", "HELLO and CHALLENGE are the first frames, each nonce is another").proves(
        &["RLY-026"],
        |target| {
            let (first, second) = (target.open()?, target.open()?);
            if first.nonce == second.nonce {
                return wrong("two sockets must be given two nonces");
            }
            if first.hello.boot == second.hello.boot { Ok(()) } else { wrong("one process has one boot id") }
        },
    ),
    check("seats", "both seats are given, and each is told of the other").proves(
        &["RLY-032", "RLY-011"],
        |target| {
            let (phone, web) = Seat::link("live/seats");
            let (mut first, own) = target.attached(&phone)?;
            if own.peer.is_some() {
                return wrong("the other seat is empty, and ATTACHED names a peer");
            }
            let (_second, other) = target.attached(&web)?;
            match &other.peer {
                Some(peer) if peer.id == own.own && peer.id != other.own => {}
                other => {
                    return wrong(format!("ATTACHED must name the peer's attachment, and says {other:?}"));
                }
            }
            let up = |frame: &RelayFrame| match frame {
                RelayFrame::Peer(Peer::Up(peer)) => Some(peer.id),
                _ => None,
            };
            let told = first.await_frame("PEER{UP}", up)?;
            if told == other.own {
                Ok(())
            } else {
                wrong("PEER{UP} must name the attachment of the new socket")
            }
        },
    ),
    check("signature-forged", "an ATTACH with another signature").proves(&["RLY-010"], |target| {
        let (phone, _) = Seat::link("live/signature-forged");
        let mut socket = target.open()?;
        let attach = phone.attach(&socket);
        socket.send(&RelayFrame::Attach(Attach { signature: Signature::from_bytes([1; 64]), ..attach }))?;
        socket.is_refused(C::BAD_ATTACH)
    }),
    check("signature-of-the-other-seat", "the web's key signs for the phone's seat").proves(
        &["RLY-010"],
        |target| {
            let (phone, web) = Seat::link("live/signature-of-the-other-seat");
            let mut socket = target.open()?;
            let attach = Seat { key: web.key, ..phone }.attach(&socket);
            socket.send(&RelayFrame::Attach(attach))?;
            socket.is_refused(C::BAD_ATTACH)
        },
    ),
    check("signature-of-another-socket", "an ATTACH that was made for another nonce").proves(
        &["RLY-010"],
        |target| {
            let (phone, _) = Seat::link("live/signature-of-another-socket");
            let (other, mut socket) = (target.open()?, target.open()?);
            let attach = phone.attach(&other);
            socket.send(&RelayFrame::Attach(attach))?;
            socket.is_refused(C::BAD_ATTACH)
        },
    ),
    check("mailbox-of-other-keys", "a mailbox that is not the hash of keys and salt").proves(
        &["RLY-010"],
        |target| {
            let (phone, _) = Seat::link("live/mailbox-of-other-keys");
            let seat = Seat { mailbox: MailboxId::from_bytes(fresh("live/mailbox-of-other-keys")), ..phone };
            let mut socket = target.open()?;
            let attach = seat.attach(&socket);
            socket.send(&RelayFrame::Attach(attach))?;
            socket.is_refused(C::BAD_ATTACH)
        },
    ),
    check("version-not-offered", "an ATTACH of version 9").proves(&["RLY-028"], |target| {
        let (phone, _) = Seat::link("live/version-not-offered");
        let mut socket = target.open()?;
        let attach = phone.attach(&socket);
        socket.send(&RelayFrame::Attach(Attach { version: 9, ..attach }))?;
        socket.is_refused(C::RELAY_VERSION)
    }),
    check("data-before-attach", "DATA from a socket without a seat").proves(&["RLY-004"], |target| {
        let mut socket = target.open()?;
        socket.send(&RelayFrame::Data { kind: DataKind::RECORD, body: vec![7; 144].into() })?;
        socket.is_refused(C::NOT_ATTACHED)
    }),
    check("ping-before-attach", "PING is answered without a seat")
        .proves(&["RLY-027"], |target| target.open()?.lives()),
    check("error-not-answered", "an ERROR from a client gets no ERROR").proves(&["ERR-002"], |target| {
        let (phone, _) = Seat::link("live/error-not-answered");
        for mut socket in [target.open()?, target.attached(&phone)?.0] {
            socket.send(&RelayFrame::Error { code: C::INTERNAL, retry_ms: 0 })?;
            socket.is_not_told_of_an_error()?;
        }
        Ok(())
    }),
    check("attach-cut", "an ATTACH that ends early").proves(&["FRM-002"], |target| {
        let (phone, _) = Seat::link("live/attach-cut");
        let mut socket = target.open()?;
        let attach = RelayFrame::Attach(phone.attach(&socket)).encode();
        socket.send_bytes(attach.iter().copied().take(attach.len() - 1).collect())?;
        socket.is_refused(C::TRUNCATED)
    }),
    check("attach-does-not-come", "a socket that does not attach is closed after 10 s")
        .proves(&["RLY-005"], |target| {
            target.open()?.is_refused_within(C::ATTACH_TIMEOUT, Duration::from_secs(13))
        }),
    check("seat-taken-anew", "a proven claim takes a seat of a link: the old socket is told").proves(
        &["RLY-012"],
        |target| {
            let (phone, _) = Seat::link("live/seat-taken-anew");
            let (mut old, _) = target.attached(&phone)?;
            let (mut new, _) = target.attached(&phone)?;
            let replaced = |frame: &RelayFrame| match frame {
                RelayFrame::Error { code, .. } => Some(*code),
                _ => None,
            };
            let code = old.await_frame("ERROR(REPLACED)", replaced)?;
            if code != C::REPLACED {
                return Err(Stop::Code { right: C::REPLACED, found: code });
            }
            new.lives()
        },
    ),
    check("code-of-another-web", "the web's seat of a code belongs to its first key")
        .proves(&["RLY-014"], |target| pairing(target, "live/code-of-another-web", DeviceRole::Web)),
    check("code-of-another-phone", "the phone's seat of a code holds one key at a time")
        .proves(&["RLY-015"], |target| pairing(target, "live/code-of-another-phone", DeviceRole::Phone)),
    check("code-with-a-salt", "a pairing ATTACH with the fields of a link").proves(&["RLY-009"], |target| {
        let (phone, _) = Seat::link("live/code-with-a-salt");
        let mut socket = target.open()?;
        let attach = RelayFrame::Attach(phone.attach(&socket)).encode();
        // The second field of the list is the kind: 3, one byte.
        let mut bytes = attach.to_vec();
        if let Some(at) = bytes.windows(3).position(|part| part == [3, 1, 2])
            && let Some(kind) = bytes.get_mut(at + 2)
        {
            *kind = 1;
        }
        socket.send_bytes(bytes)?;
        socket.is_refused(C::FIELD_VALUE)
    }),
];

/// A second key in a seat of a pairing mailbox.
fn pairing(target: &Target, name: &str, role: DeviceRole) -> Step {
    let mailbox = MailboxId::from_bytes(fresh(name));
    let (_first, _) = target.attached(&Seat::pairing(name, role, "first", mailbox))?;
    let mut socket = target.open()?;
    let attach = Seat::pairing(name, role, "second", mailbox).attach(&socket);
    socket.send(&RelayFrame::Attach(attach))?;
    socket.is_refused(C::CODE_TAKEN)
}
