//! The socket of one client, from its opening to its end.

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::ids::{AttachmentId, MailboxId};
use handfast_codec::relay::MailboxKind;
use handfast_codec::role::DeviceRole;

use super::limits::Limits;
use super::network::{Network, Source};
use super::pace::Pace;

/// The caller's id of a socket. It never appears on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(u64);

impl SocketId {
    /// Creates an id. The caller must never use the same number for two sockets.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// Returns the id's number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// The seat that a socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: MailboxKind,
    pub(crate) mailbox: MailboxId,
    pub(crate) role: DeviceRole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The socket got its HELLO, and must attach before `until`.
    Opened { until: Timestamp },
    /// The socket has its seat. `silent_until` is set for the phone of a pairing until its first DATA.
    Attached { place: Place, ping_at: Timestamp, silent_until: Option<Timestamp> },
    /// The socket's seat went to another socket. That socket came at time `at` from network `by`.
    Replaced { place: Place, token: [u8; 8], at: Timestamp, until: Timestamp, by: Network },
}

#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) network: Network,
    /// Whether the network is the client's own, and not that of a proxy.
    pub(crate) is_real: bool,
    pub(crate) origin: Option<String>,
    pub(crate) nonce: [u8; 32],
    pub(crate) id: AttachmentId,
    pub(crate) phase: Phase,
    /// The time at which the socket's last frame came.
    pub(crate) heard: Timestamp,
    /// The length of the frames that the caller has not reported as transmitted, and below their number.
    pub(crate) queued_len: usize,
    pub(crate) queued_frames: usize,
    /// When the timer that is set for this socket expires. That may be earlier than needed, but never later.
    pub(crate) armed: Option<Timestamp>,
    pings: u64,
    /// How fast the client sends frames other than DATA.
    control: Pace,
}

impl Socket {
    pub(crate) fn new(
        now: Timestamp,
        source: Source,
        origin: Option<String>,
        nonce: [u8; 32],
        id: AttachmentId,
        limits: &Limits,
    ) -> Self {
        Self {
            network: source.address().into(),
            is_real: matches!(source, Source::Real(_)),
            origin,
            nonce,
            id,
            phase: Phase::Opened { until: now.plus(limits.attach_timeout) },
            heard: now,
            queued_len: 0,
            queued_frames: 0,
            armed: None,
            pings: 0,
            control: Pace::default(),
        }
    }

    /// Returns the next time at which the relay must do something about this socket.
    pub(crate) fn deadline(&self, limits: &Limits) -> Timestamp {
        match self.phase {
            Phase::Opened { until } | Phase::Replaced { until, .. } => until,
            Phase::Attached { ping_at, silent_until, .. } => {
                let idle_at = self.heard.plus(limits.idle_timeout);
                silent_until.unwrap_or(idle_at).min(idle_at).min(ping_at)
            }
        }
    }

    /// Returns the socket's seat, if it has one.
    pub(crate) fn place(&self) -> Option<Place> {
        match self.phase {
            Phase::Attached { place, .. } => Some(place),
            Phase::Opened { .. } | Phase::Replaced { .. } => None,
        }
    }

    /// Counts an outgoing frame. Returns false, and counts nothing, if it does not fit the queue.
    pub(crate) fn enqueue(&mut self, frame: &Bytes, limits: &Limits) -> bool {
        // req: RLY-020
        let len = self.queued_len.saturating_add(frame.len());
        let frames = self.queued_frames.saturating_add(1);
        if len > limits.queue_len_max || frames > limits.queue_frames_max {
            return false;
        }
        self.queued_len = len;
        self.queued_frames = frames;
        true
    }

    /// Counts a frame other than DATA, or a WebSocket Ping. Returns false if they come too fast.
    pub(crate) fn count_control(&mut self, now: Timestamp, limits: &Limits) -> bool {
        // req: RLY-071
        self.control.spend(now, limits.control_frame_pause);
        let window = limits.control_frame_pause.saturating_mul(limits.control_frames_max);
        self.control.excess(now, window).is_zero()
    }

    /// Returns the token of the next PING to the client. It is a counter, because it need not be secret.
    pub(crate) fn next_token(&mut self) -> [u8; 8] {
        self.pings = self.pings.saturating_add(1);
        self.pings.to_be_bytes()
    }
}
