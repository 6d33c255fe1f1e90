//! What a relay carries between two seats, keeps for them, and does not take.

use bytes::Bytes;
use handfast_codec::error::ErrorCode as C;
use handfast_codec::ids::MailboxId;
use handfast_codec::relay::{DataKind, Peer, RelayFrame};
use handfast_codec::role::DeviceRole;
use tungstenite::Message;

use super::client::{Seat, Socket, Step, Stop, Target, fresh, wrong};
use super::{Check, check};

/// Both seats of a link mailbox, taken.
fn couple(target: &Target, name: &str) -> Result<(Socket, Socket), Stop> {
    let (phone, web) = Seat::link(name);
    let ((mut first, _), (second, _)) = (target.attached(&phone)?, target.attached(&web)?);
    let up = |frame: &RelayFrame| matches!(frame, RelayFrame::Peer(Peer::Up(_))).then_some(());
    first.await_frame("PEER{UP}", up)?;
    Ok((first, second))
}

fn data(kind: u8, body: impl Into<Bytes>) -> RelayFrame {
    RelayFrame::Data { kind: DataKind::from_u8(kind), body: body.into() }
}

fn arrives(socket: &mut Socket, sent: &RelayFrame) -> Step {
    let found = socket
        .await_frame("DATA", |frame| matches!(frame, RelayFrame::Data { .. }).then(|| frame.clone()))?;
    if found == *sent {
        Ok(())
    } else {
        wrong(format!("DATA must arrive unchanged: {sent:?} came as {found:?}"))
    }
}

/// A seated phone sends these bytes, and is refused.
fn refused(target: &Target, name: &str, bytes: Vec<u8>, code: C) -> Step {
    let (phone, _) = Seat::link(name);
    let (mut socket, _) = target.attached(&phone)?;
    socket.send_bytes(bytes)?;
    socket.is_refused(code)
}

pub(super) const ALL: &[Check] = &[
    check("data-both-ways", "DATA arrives unchanged, of known and unknown kinds, small and large").proves(
        &["RLY-007", "RLY-062"],
        |target| {
            let (mut phone, mut web) = couple(target, "live/data-both-ways")?;
            for frame in
                [data(7, vec![7; 144]), data(58, vec![1]), data(7, Vec::new()), data(9, vec![0xff; 16_400])]
            {
                phone.send(&frame)?;
                arrives(&mut web, &frame)?;
                web.send(&frame)?;
                arrives(&mut phone, &frame)?;
            }
            Ok(())
        },
    ),
    check("data-in-order", "a hundred DATA frames arrive in their order").proves(
        &["RLY-007", "RLY-062"],
        |target| {
            let (mut phone, mut web) = couple(target, "live/data-in-order")?;
            for n in 0..100_u8 {
                phone.send(&data(7, vec![n; 144]))?;
            }
            (0..100_u8).try_for_each(|n| arrives(&mut web, &data(7, vec![n; 144])))
        },
    ),
    check("data-to-nobody", "DATA to an empty seat is dropped, and is not there for who comes").proves(
        &["RLY-008"],
        |target| {
            let (phone, web) = Seat::link("live/data-to-nobody");
            let (mut first, _) = target.attached(&phone)?;
            first.send(&data(7, vec![7; 144]))?;
            first.lives()?;
            let (mut second, _) = target.attached(&web)?;
            second
                .hears_nothing("DATA that was sent before", |frame| matches!(frame, RelayFrame::Data { .. }))
        },
    ),
    check("data-between-mailboxes", "DATA of one mailbox does not reach another one").proves(
        &["RLY-007"],
        |target| {
            let (mut phone, _web) = couple(target, "live/data-between-mailboxes")?;
            let (_other_phone, mut other) = couple(target, "live/data-between-mailboxes/2")?;
            phone.send(&data(7, vec![7; 144]))?;
            other.hears_nothing("DATA of another mailbox", |frame| matches!(frame, RelayFrame::Data { .. }))
        },
    ),
    check("peer-leaves", "PEER{DOWN} tells that the other socket ended").proves(&["RLY-032"], |target| {
        let (phone, mut web) = couple(target, "live/peer-leaves")?;
        drop(phone);
        web.await_frame("PEER{DOWN}", |frame| matches!(frame, RelayFrame::Peer(Peer::Down)).then_some(()))
    }),
    check("ping", "PING is answered by PONG with its token").proves(&["RLY-027"], |target| {
        let (mut phone, mut web) = couple(target, "live/ping")?;
        phone.lives()?;
        web.lives()
    }),
    check("even-type", "a frame of an unknown even type is ignored").proves(
        &["RLY-001", "EXT-002"],
        |target| {
            let (mut phone, _web) = couple(target, "live/even-type")?;
            phone.send_bytes(vec![58, 1, 2, 3])?;
            phone.lives()
        },
    ),
    check("odd-type", "a frame of an unknown odd type").proves(&["RLY-001"], |target| {
        refused(target, "live/odd-type", vec![63, 1, 2, 3], C::UNKNOWN_CRITICAL)
    }),
    check("empty-message", "a message without a byte")
        .proves(&["FRM-002"], |target| refused(target, "live/empty-message", Vec::new(), C::TRUNCATED)),
    check("trailing-byte", "a PING with a byte more").proves(&["FRM-003"], |target| {
        let ping = RelayFrame::Ping([1; 8]).encode();
        refused(target, "live/trailing-byte", [&ping[..], &[0]].concat(), C::TRAILING_BYTES)
    }),
    check("frame-of-a-relay", "a frame that only a relay sends").proves(&["RLY-061"], |target| {
        let challenge = RelayFrame::Challenge([1; 32]).encode();
        refused(target, "live/frame-of-a-relay", challenge.to_vec(), C::FRAME_NOT_ALLOWED)
    }),
    check("attach-twice", "a second ATTACH").proves(&["RLY-061"], |target| {
        let (phone, _) = Seat::link("live/attach-twice");
        let (mut socket, _) = target.attached(&phone)?;
        let attach = phone.attach(&socket);
        socket.send(&RelayFrame::Attach(attach))?;
        socket.is_refused(C::FRAME_NOT_ALLOWED)
    }),
    check("text", "a text message closes the socket with 1003").proves(&["RLY-023"], |target| {
        let (phone, _) = Seat::link("live/text");
        let (mut socket, _) = target.attached(&phone)?;
        socket.send_message(Message::text("hello"))?;
        socket.is_closed_with(1003)
    }),
    check("too-long", "a message of 16,513 bytes closes the socket with 1009").proves(
        &["RLY-023"],
        |target| {
            let (phone, _) = Seat::link("live/too-long");
            let (mut socket, _) = target.attached(&phone)?;
            socket.send_bytes(vec![9; 16_513])?;
            socket.is_closed_with(1009)
        },
    ),
    check("sticky", "a sticky value is echoed, shown to the other seat, and to who comes later").proves(
        &["RLY-018"],
        |target| {
            let (phone, web) = Seat::link("live/sticky");
            let ((mut first, _), (mut second, _)) = (target.attached(&phone)?, target.attached(&web)?);
            let sticky = RelayFrame::Sticky { role: DeviceRole::Phone, value: Bytes::from_static(b"gone") };
            first.send(&sticky)?;
            for socket in [&mut first, &mut second] {
                socket.await_frame("STICKY", |frame| (*frame == sticky).then_some(()))?;
            }
            drop(second);
            let (_third, attached) = target.attached(&web)?;
            match attached.phone_sticky.as_deref() {
                Some(b"gone") => Ok(()),
                other => wrong(format!("ATTACHED must show the phone's sticky value, and shows {other:?}")),
            }
        },
    ),
    check("sticky-of-the-other", "the other role's slot is not written").proves(&["RLY-018"], |target| {
        let sticky = RelayFrame::Sticky { role: DeviceRole::Web, value: Bytes::from_static(b"x") }.encode();
        refused(target, "live/sticky-of-the-other", sticky.to_vec(), C::FRAME_NOT_ALLOWED)
    }),
    check("pairing-bytes", "a pairing mailbox carries 65,536 bytes each way, and no more").proves(
        &["RLY-017"],
        |target| {
            let name = "live/pairing-bytes";
            let mailbox = MailboxId::from_bytes(fresh(name));
            let (mut phone, _) =
                target.attached(&Seat::pairing(name, DeviceRole::Phone, "phone", mailbox))?;
            let (_web, _) = target.attached(&Seat::pairing(name, DeviceRole::Web, "web", mailbox))?;
            for _ in 0..5 {
                phone.send(&data(1, vec![7; 16_000]))?;
            }
            phone.is_refused(C::PAIRING_BYTES)
        },
    ),
];
