//! A relay that is honest until it is told otherwise.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use handfast_codec::ids::{AttachmentId, BootId};
use handfast_codec::relay::{Attach, Attached, Hello, Peer, PeerInfo, RelayFrame};
use handfast_codec::signed::attach_tbs;
use handfast_codec::{DeviceRole, RelayName, Timestamp, Versions};
use handfast_handshake::identity::verify;

const PING_EVERY: Duration = Duration::from_secs(25);
const SEEN_MAX: usize = 16;

/// One socket.
struct Seat {
    id: AttachmentId,
    nonce: [u8; 32],
    attached: bool,
    pinged: Timestamp,
    /// Frames on their way to the device.
    queue: VecDeque<Bytes>,
}

/// The relay, with one seat for each role.
pub(super) struct Relay {
    name: RelayName,
    phone: Option<Seat>,
    web: Option<Seat>,
    next: u8,
    /// The last DATA frames, to be replayed.
    pub(super) seen: VecDeque<Bytes>,
}

impl Relay {
    pub(super) fn new(name: RelayName) -> Self {
        Self { name, phone: None, web: None, next: 0, seen: VecDeque::new() }
    }

    fn seat(&mut self, role: DeviceRole) -> &mut Option<Seat> {
        match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.web,
        }
    }

    /// The frames on their way to a device; none when it has no socket.
    pub(super) fn queue(&mut self, role: DeviceRole) -> Option<&mut VecDeque<Bytes>> {
        self.seat(role).as_mut().map(|seat| &mut seat.queue)
    }

    pub(super) fn send(&mut self, role: DeviceRole, frame: &RelayFrame) {
        if let Some(queue) = self.queue(role) {
            queue.push_back(frame.encode());
        }
    }

    /// A device opened a socket.
    pub(super) fn open(&mut self, role: DeviceRole, now: Timestamp) {
        self.close(role);
        self.next = self.next.wrapping_add(1);
        let seat = Seat {
            id: AttachmentId::from_bytes([self.next; 8]),
            nonce: [self.next; 32],
            attached: false,
            pinged: now,
            queue: VecDeque::new(),
        };
        let challenge = RelayFrame::Challenge(seat.nonce);
        let hello = Hello {
            versions: Versions::RELAY.with_grease(self.next),
            name: self.name.clone(),
            boot: BootId::from_bytes([7; 16]),
            frame_len_max: 16_512,
            ping_interval_ms: 25_000,
        };
        *self.seat(role) = Some(seat);
        self.send(role, &RelayFrame::Hello(hello));
        self.send(role, &challenge);
    }

    /// A socket ended.
    pub(super) fn close(&mut self, role: DeviceRole) {
        if self.seat(role).take().is_some_and(|seat| seat.attached) {
            self.send(!role, &RelayFrame::Peer(Peer::Down));
        }
    }

    fn info(&mut self, role: DeviceRole) -> Option<PeerInfo> {
        let seat = self.seat(role).as_ref().filter(|seat| seat.attached)?;
        Some(PeerInfo { id: seat.id, same_net: Some(false), origin: None })
    }

    /// A frame came from a device.
    pub(super) fn receive(&mut self, role: DeviceRole, bytes: Bytes) {
        match RelayFrame::decode(bytes.clone()).expect("an endpoint sends frames that can be read") {
            RelayFrame::Attach(attach) => self.attach(role, &attach),
            RelayFrame::Data { .. } => {
                self.seen.push_back(bytes.clone());
                if self.seen.len() > SEEN_MAX {
                    let _ = self.seen.pop_front();
                }
                if let Some(peer) = self.seat(!role).as_mut().filter(|peer| peer.attached) {
                    peer.queue.push_back(bytes);
                }
            }
            RelayFrame::Ping(token) => self.send(role, &RelayFrame::Pong(token)),
            RelayFrame::Pong(_) => {}
            other => panic!("an endpoint does not send {other:?}"),
        }
    }

    fn attach(&mut self, role: DeviceRole, attach: &Attach) {
        let name = self.name.clone();
        let Some(seat) = self.seat(role) else { return };
        let tbs = attach_tbs(&name, attach.proof.kind(), role, &attach.mailbox, &seat.nonce);
        let key = attach.proof.own_key(role);
        if verify(key.as_bytes(), &tbs, &attach.signature).is_err() {
            // The challenge was changed on its way.
            return;
        }
        seat.attached = true;
        let own = seat.id;
        let peer = self.info(!role);
        self.send(role, &RelayFrame::Attached(Attached { own, peer, phone_sticky: None, web_sticky: None }));
        if let Some(info) = self.info(role) {
            self.send(!role, &RelayFrame::Peer(Peer::Up(info)));
        }
    }

    /// When the next PING is due.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        [&self.phone, &self.web].into_iter().flatten().map(|seat| seat.pinged.plus(PING_EVERY)).min()
    }

    /// Sends the PINGs that are due.
    pub(super) fn tick(&mut self, now: Timestamp) {
        for seat in [&mut self.phone, &mut self.web].into_iter().flatten() {
            if seat.pinged.plus(PING_EVERY) <= now {
                seat.pinged = now;
                seat.queue.push_back(RelayFrame::Ping([9; 8]).encode());
            }
        }
    }
}
