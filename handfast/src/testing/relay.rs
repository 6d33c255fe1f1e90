//! A relay in memory: it assigns seats, says who is there, and forwards. It checks no signature and has no
//! limits, because its two clients are those of the test.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use handfast_codec::ids::{AttachmentId, BootId, MailboxId};
use handfast_codec::limits::RELAY_FRAME_LEN_MAX;
use handfast_codec::relay::{
    Attached, Hello, MailboxKind, Peer, PeerInfo, RelayFrame, Wake, WakeFailure, data_kind,
};
use handfast_codec::versions::Versions;
use handfast_codec::{DeviceRole, ErrorCode, RelayName, Timestamp};

/// How often the relay sends a PING to each socket (spec, relay).
const PING_INTERVAL: Duration = Duration::from_secs(25);

/// A socket of the relay.
pub(super) type SocketId = u64;

/// What the relay wants of a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Send(SocketId, Bytes),
    Close(SocketId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seat(MailboxId, DeviceRole);

#[derive(Debug)]
struct Socket {
    id: AttachmentId,
    seat: Option<(MailboxKind, Seat)>,
    ping_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Relay {
    name: RelayName,
    boot: BootId,
    sockets: BTreeMap<SocketId, Socket>,
    seats: BTreeMap<Seat, SocketId>,
    sticky: BTreeMap<Seat, Bytes>,
    actions: Vec<Action>,
}

impl Relay {
    pub(super) const fn new(name: RelayName, boot: BootId) -> Self {
        Self {
            name,
            boot,
            sockets: BTreeMap::new(),
            seats: BTreeMap::new(),
            sticky: BTreeMap::new(),
            actions: Vec::new(),
        }
    }

    pub(super) const fn name(&self) -> &RelayName {
        &self.name
    }

    /// Takes what the relay wants of its sockets, in order.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        core::mem::take(&mut self.actions)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.sockets.values().map(|socket| socket.ping_at).min()
    }

    /// Opens a socket. No other may have had this number, nonce or id.
    pub(super) fn handle_open(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        nonce: [u8; 32],
        id: AttachmentId,
    ) {
        let ping_at = now.plus(PING_INTERVAL);
        let _ = self.sockets.insert(socket, Socket { id, seat: None, ping_at });
        let hello = Hello {
            versions: Versions::RELAY,
            name: self.name.clone(),
            boot: self.boot,
            frame_len_max: u64::try_from(RELAY_FRAME_LEN_MAX).unwrap_or(u64::MAX),
            ping_interval_ms: u64::try_from(PING_INTERVAL.as_millis()).unwrap_or(u64::MAX),
        };
        self.send(socket, &RelayFrame::Hello(hello));
        self.send(socket, &RelayFrame::Challenge(nonce));
    }

    /// Forgets a socket whose connection has ended.
    pub(super) fn handle_closed(&mut self, socket: SocketId) {
        let Some((_, seat)) = self.sockets.remove(&socket).and_then(|socket| socket.seat) else { return };
        if self.seats.get(&seat) == Some(&socket) {
            let _ = self.seats.remove(&seat);
            if let Some(peer) = self.peer(seat) {
                self.send(peer, &RelayFrame::Peer(Peer::Down));
            }
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        let due = self.sockets.iter_mut().filter(|(_, socket)| socket.ping_at <= now);
        let due: Vec<_> = due
            .map(|(id, socket)| {
                socket.ping_at = now.plus(PING_INTERVAL);
                *id
            })
            .collect();
        for socket in due {
            self.send(socket, &RelayFrame::Ping([0; 8]));
        }
    }

    pub(super) fn handle_frame(&mut self, socket: SocketId, bytes: Bytes) {
        let Some(seat) = self.sockets.get(&socket).map(|socket| socket.seat) else { return };
        match (data_kind(&bytes), seat) {
            (Some(_), Some((_, seat))) => {
                if let Some(peer) = self.peer(seat) {
                    self.actions.push(Action::Send(peer, bytes));
                }
            }
            _ => match (RelayFrame::decode(bytes), seat) {
                (Ok(RelayFrame::Pong(_) | RelayFrame::Ignored(_)), _) => {}
                (Ok(RelayFrame::Ping(token)), _) => self.send(socket, &RelayFrame::Pong(token)),
                (Ok(RelayFrame::Attach(attach)), None) => {
                    self.attach(socket, attach.proof.kind(), Seat(attach.mailbox, attach.role));
                }
                (Ok(RelayFrame::Sticky { role, value }), Some((MailboxKind::Link, seat)))
                    if role == seat.1 =>
                {
                    self.put_sticky(socket, seat, value);
                }
                (Ok(RelayFrame::Wake(Wake::Ask(_))), Some((MailboxKind::Link, seat)))
                    if seat.1 == DeviceRole::Web =>
                {
                    let failed = Wake::Failed(WakeFailure::NO_SERVICE);
                    let answer = if self.peer(seat).is_some() { Wake::PeerUp } else { failed };
                    self.send(socket, &RelayFrame::Wake(answer));
                }
                (Ok(_), Some(_)) => self.refuse(socket, ErrorCode::FRAME_NOT_ALLOWED),
                (Ok(_), None) => self.refuse(socket, ErrorCode::NOT_ATTACHED),
                (Err(error), _) => self.refuse(socket, error.code),
            },
        }
    }

    fn attach(&mut self, socket: SocketId, kind: MailboxKind, seat: Seat) {
        let Some(state) = self.sockets.get_mut(&socket) else { return };
        state.seat = Some((kind, seat));
        let own = state.id;
        // A socket that had the seat before is that of a connection whose end is not yet known here.
        let _ = self.seats.insert(seat, socket);
        let other = Seat(seat.0, !seat.1);
        let [phone_sticky, web_sticky] = [DeviceRole::Phone, DeviceRole::Web]
            .map(|role| self.sticky.get(&Seat(seat.0, role)).filter(|value| !value.is_empty()).cloned());
        let about = |id| PeerInfo { id, same_net: Some(true), origin: None };
        let peer = self.seats.get(&other).copied();
        let there = peer.and_then(|peer| self.sockets.get(&peer)).map(|peer| about(peer.id));
        self.send(socket, &RelayFrame::Attached(Attached { own, peer: there, phone_sticky, web_sticky }));
        if let Some(peer) = peer {
            self.send(peer, &RelayFrame::Peer(Peer::Up(about(own))));
        }
    }

    fn put_sticky(&mut self, socket: SocketId, seat: Seat, value: Bytes) {
        let echo = RelayFrame::Sticky { role: seat.1, value: value.clone() };
        let _ = self.sticky.insert(seat, value);
        let peer = self.peer(seat);
        for to in [Some(socket), peer].into_iter().flatten() {
            self.send(to, &echo);
        }
    }

    fn peer(&self, seat: Seat) -> Option<SocketId> {
        self.seats.get(&Seat(seat.0, !seat.1)).copied()
    }

    fn send(&mut self, socket: SocketId, frame: &RelayFrame) {
        self.actions.push(Action::Send(socket, frame.encode()));
    }

    fn refuse(&mut self, socket: SocketId, code: ErrorCode) {
        self.send(socket, &RelayFrame::Error { code, retry_ms: 0 });
        self.handle_closed(socket);
        self.actions.push(Action::Close(socket));
    }
}

#[cfg(test)]
mod tests;
