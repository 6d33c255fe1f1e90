//! Attaching: a socket takes a seat of a mailbox, and replaces the socket that had the seat.

use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachKey, MailboxId};
use handfast_codec::relay::{Attach, Attached, MailboxKind, Peer, PeerInfo, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::versions::Versions;

use super::mailbox::Pairing;
use super::network::{Holding, Network};
use super::proof::Verdict;
use super::socket::{Phase, Place, SocketId};
use super::sticky::Slots;
use super::timers::Timer;
use super::{Relay, proof};

impl Relay {
    pub(super) fn on_attach(
        &mut self,
        socket: SocketId,
        attach: &Attach,
        verdict: Option<Verdict>,
    ) -> Result<(), ErrorCode> {
        let Some(state) = self.sockets.get(&socket) else {
            return Ok(());
        };
        // req: RLY-028
        if !Versions::RELAY.contains(&attach.version) {
            return Err(ErrorCode::RELAY_VERSION);
        }
        let proven = match verdict {
            Some(verdict) => verdict.for_challenge(&state.nonce)?,
            None => proof::verify(attach, &self.name, &state.nonce)?,
        };
        let network = state.network;
        let place = Place { kind: attach.proof.kind(), mailbox: attach.mailbox, role: attach.role };
        let before = match place.kind {
            // req: RLY-012
            MailboxKind::Link => self.links.entry(place.mailbox).or_default().seats.give(place.role, socket),
            MailboxKind::Pairing => self.take_pairing_seat(socket, place, proven.key(), network)?,
        };
        let silent = place.kind == MailboxKind::Pairing && place.role == DeviceRole::Phone;
        let silent_until = silent.then(|| self.now.plus(self.limits.pairing_silence));
        let ping_at = self.now.plus(self.limits.ping_interval);
        if let Some(state) = self.sockets.get_mut(&socket) {
            state.phase = Phase::Attached { place, ping_at, silent_until };
        }
        self.stats.attached = self.stats.attached.saturating_add(1);
        if let Some(before) = before {
            self.replace(before, place, network);
        }
        self.introduce(socket, place);
        #[cfg(feature = "failpoints")]
        crate::failpoint::hit("relay.attached");
        Ok(())
    }

    /// Assigns a seat of a pairing mailbox to a socket. Creates the mailbox if this is its first socket.
    fn take_pairing_seat(
        &mut self,
        socket: SocketId,
        place: Place,
        key: AttachKey,
        network: Network,
    ) -> Result<Option<SocketId>, ErrorCode> {
        if !self.pairings.contains_key(&place.mailbox) {
            self.open_pairing(place.mailbox, network)?;
        }
        let Some(pairing) = self.pairings.get_mut(&place.mailbox) else {
            return Err(ErrorCode::INTERNAL);
        };
        pairing.admit(place.role, key, &self.limits)?;
        let _ = self.empty_pairings.remove(&(pairing.until, place.mailbox));
        Ok(pairing.seats.give(place.role, socket))
    }

    fn open_pairing(&mut self, mailbox: MailboxId, payer: Network) -> Result<(), ErrorCode> {
        let room = self.limits.sockets_max.saturating_sub(self.limits.sockets_reserved);
        if self.sockets.len() > room {
            return Err(ErrorCode::LIMIT);
        }
        if !self.usages.take(payer, Holding::Pairing, self.limits.pairing_mailboxes_per_address_max) {
            return Err(ErrorCode::ADDRESS_CAP);
        }
        if self.pairings.len() >= self.limits.pairing_mailboxes_max && !self.forget_an_empty_pairing() {
            self.usages.give(payer, Holding::Pairing);
            return Err(ErrorCode::LIMIT);
        }
        let until = self.now.plus(self.limits.pairing_time);
        let _ = self.pairings.insert(mailbox, Pairing::new(until, payer));
        self.timers.set(until, Timer::Pairing(mailbox));
        Ok(())
    }

    /// Forgets the oldest pairing mailbox that has no sockets. Returns false if there is none.
    fn forget_an_empty_pairing(&mut self) -> bool {
        // req: RLY-070
        let oldest = self.empty_pairings.first().copied();
        oldest.and_then(|(_, mailbox)| self.forget_pairing(mailbox)).is_some()
    }

    /// Tells a socket that its seat went to another socket. In a link mailbox it also gets a PING, so that it
    /// can show whether its client is alive.
    fn replace(&mut self, before: SocketId, place: Place, by: Network) {
        if place.kind == MailboxKind::Pairing {
            return self.refuse(before, ErrorCode::REPLACED);
        }
        let until = self.now.plus(self.limits.replaced_grace);
        let Some(state) = self.sockets.get_mut(&before) else {
            return;
        };
        // req: RLY-012
        let token = state.next_token();
        state.phase = Phase::Replaced { place, token, at: self.now, until, by };
        self.stats.error(ErrorCode::REPLACED);
        self.send(before, RelayFrame::Error { code: ErrorCode::REPLACED, retry_ms: 0 }.encode());
        self.send(before, RelayFrame::Ping(token).encode());
        self.arm(before);
    }

    /// Handles the PONG of a socket whose seat went to another. It shows that two devices share one seat,
    /// unless the newer socket comes from a reload of the older one's page.
    pub(super) fn on_replaced_pong(&mut self, socket: SocketId, place: Place, at: Timestamp, by: Network) {
        // req: RLY-013
        let same_network = self.sockets.get(&socket).is_some_and(|state| state.network == by);
        let reload = same_network && self.now.since(at) <= self.limits.reload_grace;
        self.close(socket, ErrorCode::REPLACED);
        if reload {
            return;
        }
        let Some(link) = self.links.get_mut(&place.mailbox) else {
            return;
        };
        link.contended = link.contended.saturating_add(1);
        let count = link.contended;
        if let Some(peer) = link.seats.holder(!place.role) {
            self.send(peer, RelayFrame::Peer(Peer::Contended(count)).encode());
        }
    }

    /// Sends ATTACHED to the new socket. Sends PEER to the socket in the other seat.
    fn introduce(&mut self, socket: SocketId, place: Place) {
        let Some(own) = self.sockets.get(&socket).map(|state| state.id) else {
            return;
        };
        let peer = self.seats(place).and_then(|seats| seats.holder(!place.role));
        let slots = match place.kind {
            MailboxKind::Link => self.sticky.read(place.mailbox),
            MailboxKind::Pairing => Slots::default(),
        };
        let attached = Attached {
            own,
            peer: peer.and_then(|peer| self.describe(peer, !place.role, socket)),
            phone_sticky: slots.phone,
            web_sticky: slots.web,
        };
        self.send(socket, RelayFrame::Attached(attached).encode());
        // req: RLY-032
        if let Some(peer) = peer
            && let Some(info) = self.describe(socket, place.role, peer)
        {
            self.send(peer, RelayFrame::Peer(Peer::Up(info)).encode());
        }
    }

    /// Returns what the relay tells `to` about `socket`, which is in seat `role`.
    fn describe(&self, socket: SocketId, role: DeviceRole, to: SocketId) -> Option<PeerInfo> {
        let (state, to) = (self.sockets.get(&socket)?, self.sockets.get(&to)?);
        // req: RLY-033
        let origin = match role {
            DeviceRole::Web => state.origin.clone(),
            DeviceRole::Phone => None,
        };
        // req: RLY-066
        let same_net = (state.is_real && to.is_real).then_some(state.network == to.network);
        Some(PeerInfo { id: state.id, same_net, origin })
    }
}
