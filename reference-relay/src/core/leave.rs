//! The end of a socket: its ERROR, the PEER for the other seat, and the removal of an empty mailbox.

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::MailboxId;
use handfast_codec::relay::{MailboxKind, Peer, RelayFrame};

use super::mailbox::Pairing;
use super::network::Holding;
use super::socket::{Place, SocketId};
use super::timers::Timer;
use super::{Output, Relay, limits};

impl Relay {
    /// Sends ERROR to a socket, and closes it.
    pub(super) fn refuse(&mut self, socket: SocketId, code: ErrorCode) {
        if self.sockets.contains_key(&socket) {
            self.push_error(socket, code);
            self.close(socket, code);
        }
    }

    pub(super) fn push_error(&mut self, socket: SocketId, code: ErrorCode) {
        self.stats.error(code);
        let retry_ms = match code {
            ErrorCode::SHUTDOWN => limits::SHUTDOWN_RETRY_MS,
            ErrorCode::LIMIT | ErrorCode::ADDRESS_CAP => limits::RETRY_MS,
            _ => 0,
        };
        self.output.push_back(Output::Send(socket, RelayFrame::Error { code, retry_ms }.encode()));
    }

    pub(super) fn close(&mut self, socket: SocketId, code: ErrorCode) {
        if self.forget(socket) {
            self.output.push_back(Output::Close(socket, code));
        }
    }

    /// Forgets a socket, its seat and its queue. Tells the socket in the other seat.
    pub(super) fn forget(&mut self, socket: SocketId) -> bool {
        let Some(state) = self.sockets.remove(&socket) else {
            return false;
        };
        let _ = self.ids.remove(&state.id);
        self.usages.give(state.network, Holding::Socket);
        if let Some(at) = state.armed {
            self.timers.clear(at, Timer::Socket(socket));
        }
        if let Some(place) = state.place() {
            self.vacate(socket, place);
        }
        true
    }

    pub(super) fn vacate(&mut self, socket: SocketId, place: Place) {
        let seats = match place.kind {
            MailboxKind::Link => self.links.get_mut(&place.mailbox).map(|link| &mut link.seats),
            MailboxKind::Pairing => self.pairings.get_mut(&place.mailbox).map(|pairing| &mut pairing.seats),
        };
        let Some(seats) = seats else {
            return;
        };
        let held = seats.leave(place.role, socket);
        let (peer, empty) = (seats.holder(!place.role), seats.is_empty());
        if empty {
            self.free(place);
        }
        if let (true, Some(peer)) = (held, peer) {
            self.send(peer, RelayFrame::Peer(Peer::Down).encode());
        }
    }

    /// Removes a mailbox that has no sockets. A pairing mailbox to which both sides had attached is kept
    /// until its lifetime ends.
    pub(super) fn free(&mut self, place: Place) {
        match place.kind {
            MailboxKind::Link => {
                let _ = self.links.remove(&place.mailbox);
            }
            MailboxKind::Pairing => {
                let Some(pairing) = self.pairings.get(&place.mailbox) else { return };
                if pairing.is_kept_empty() {
                    let _ = self.empty_pairings.insert((pairing.until, place.mailbox));
                } else {
                    let _ = self.forget_pairing(place.mailbox);
                }
            }
        }
    }

    /// Forgets a pairing mailbox, with or without sockets.
    pub(super) fn forget_pairing(&mut self, mailbox: MailboxId) -> Option<Pairing> {
        let pairing = self.pairings.remove(&mailbox)?;
        let _ = self.empty_pairings.remove(&(pairing.until, mailbox));
        self.timers.clear(pairing.until, Timer::Pairing(mailbox));
        self.usages.give(pairing.payer, Holding::Pairing);
        Some(pairing)
    }
}
