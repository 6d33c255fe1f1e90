//! Frames between attached sockets: DATA frames, and the values of sticky slots.

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::relay::{MailboxKind, RelayFrame, Wake, WakeFailure};
use handfast_codec::role::DeviceRole;

use super::Relay;
use super::socket::{Phase, Place, Socket, SocketId};

impl Relay {
    pub(super) fn on_data(&mut self, socket: SocketId, place: Place, bytes: Bytes, len: usize) {
        if let Some(Socket { phase: Phase::Attached { silent_until, .. }, .. }) =
            self.sockets.get_mut(&socket)
        {
            *silent_until = None;
        }
        self.count_bytes(socket, bytes.len());
        // req: RLY-017
        if let (MailboxKind::Pairing, Some(pairing)) = (place.kind, self.pairings.get_mut(&place.mailbox))
            && !pairing.carry(place.role, len, &self.limits)
        {
            pairing.spent = true;
            let holders = pairing.seats.clear();
            for holder in holders.into_iter().flatten() {
                self.refuse(holder, ErrorCode::PAIRING_BYTES);
            }
            return;
        }
        let Some(peer) = self.seats(place).and_then(|seats| seats.holder(!place.role)) else {
            // req: RLY-008
            self.stats.frames_dropped = self.stats.frames_dropped.saturating_add(1);
            return;
        };
        #[cfg(feature = "failpoints")]
        crate::failpoint::hit("relay.forward");
        // req: RLY-007, RLY-062
        self.stats.frames_forwarded = self.stats.frames_forwarded.saturating_add(1);
        let forwarded = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.stats.bytes_forwarded = self.stats.bytes_forwarded.saturating_add(forwarded);
        self.send(peer, bytes);
    }

    /// Counts a DATA frame as part of the hourly bytes of its sender's network.
    fn count_bytes(&mut self, socket: SocketId, len: usize) {
        // req: RLY-072
        if let (Some(per_hour), Some(state)) = (self.limits.bytes_per_hour, self.sockets.get(&socket)) {
            self.quotas.carried(self.now, state.network, len, per_hour);
        }
    }

    /// Answers a companion's request to wake its phone: this relay has no wake service.
    pub(super) fn on_wake(&mut self, socket: SocketId, place: Place) -> Result<(), ErrorCode> {
        // req: RLY-060, RLY-063
        if place.kind != MailboxKind::Link || place.role != DeviceRole::Web {
            return Err(ErrorCode::FRAME_NOT_ALLOWED);
        }
        let here = self.seats(place).and_then(|seats| seats.holder(DeviceRole::Phone)).is_some();
        let answer = if here { Wake::PeerUp } else { Wake::Failed(WakeFailure::NO_SERVICE) };
        self.send(socket, RelayFrame::Wake(answer).encode());
        Ok(())
    }

    pub(super) fn on_sticky(
        &mut self,
        socket: SocketId,
        place: Place,
        role: DeviceRole,
        value: &[u8],
    ) -> Result<(), ErrorCode> {
        // req: RLY-018, RLY-031
        if place.kind != MailboxKind::Link || role != place.role {
            return Err(ErrorCode::FRAME_NOT_ALLOWED);
        }
        let Some(writer) = self.sockets.get(&socket).map(|state| state.network) else {
            return Ok(());
        };
        let (max, max_of_writer) =
            (self.limits.sticky_mailboxes_max, self.limits.sticky_mailboxes_per_address_max);
        self.sticky.write(place.mailbox, role, value, writer, max, max_of_writer);
        let echo = RelayFrame::Sticky { role, value: Bytes::copy_from_slice(value) }.encode();
        let peer = self.seats(place).and_then(|seats| seats.holder(!role));
        self.send(socket, echo.clone());
        if let Some(peer) = peer {
            self.send(peer, echo);
        }
        Ok(())
    }
}
