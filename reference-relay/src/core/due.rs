//! The actions of the relay when a timer expires.

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::MailboxId;
use handfast_codec::relay::RelayFrame;

use super::Relay;
use super::socket::{Phase, SocketId};

impl Relay {
    pub(super) fn on_socket_timer(&mut self, socket: SocketId) {
        let now = self.now;
        let Some(state) = self.sockets.get_mut(&socket) else {
            return;
        };
        state.armed = None;
        let idle = state.heard.plus(self.limits.idle_timeout) <= now;
        match &mut state.phase {
            // req: RLY-005
            Phase::Opened { until } if *until <= now => {
                return self.refuse(socket, ErrorCode::ATTACH_TIMEOUT);
            }
            // This socket's seat went to another socket; the time in which it could answer its PING has
            // passed.
            Phase::Replaced { until, .. } if *until <= now => return self.close(socket, ErrorCode::REPLACED),
            // req: RLY-016
            Phase::Attached { silent_until: Some(until), .. } if *until <= now => {
                return self.refuse(socket, ErrorCode::IDLE);
            }
            // req: RLY-019
            Phase::Attached { .. } if idle => return self.refuse(socket, ErrorCode::IDLE),
            Phase::Attached { ping_at, .. } if *ping_at <= now => {
                *ping_at = now.plus(self.limits.ping_interval);
                let ping = RelayFrame::Ping(state.next_token()).encode();
                self.send(socket, ping);
            }
            Phase::Opened { .. } | Phase::Attached { .. } | Phase::Replaced { .. } => {}
        }
        self.arm(socket);
    }

    pub(super) fn on_pairing_timer(&mut self, mailbox: MailboxId) {
        // req: RLY-017
        let Some(mut pairing) = self.forget_pairing(mailbox) else {
            return;
        };
        for holder in pairing.seats.clear().into_iter().flatten() {
            self.refuse(holder, ErrorCode::PAIRING_TIME);
        }
    }
}
