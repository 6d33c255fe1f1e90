//! One client's socket, from its opening to its end.

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::ids::{AttachmentId, MailboxId};
use handfast_codec::relay::MailboxKind;
use handfast_codec::role::DeviceRole;

use super::limits::Limits;
use super::network::{Network, Source};
use super::pace::Pace;

/// A caller's name for one of its sockets; never on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(u64);

impl SocketId {
    /// A name; the caller never gives one twice.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number inside.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// The seat that a socket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: MailboxKind,
    pub(crate) mailbox: MailboxId,
    pub(crate) role: DeviceRole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Greeted, not attached.
    Opened { until: Timestamp },
    /// In its seat. `silent_until` is set for the phone of a pairing until its first DATA.
    Attached { place: Place, ping_at: Timestamp, silent_until: Option<Timestamp> },
    /// Its seat went to another socket, which came `at` a time from network `by`.
    Replaced { place: Place, token: [u8; 8], at: Timestamp, until: Timestamp, by: Network },
}

#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) network: Network,
    /// Whether the network is its own, and not that of a proxy before it.
    pub(crate) is_real: bool,
    pub(crate) origin: Option<String>,
    pub(crate) nonce: [u8; 32],
    pub(crate) id: AttachmentId,
    pub(crate) phase: Phase,
    /// When the last frame came.
    pub(crate) heard: Timestamp,
    /// What the caller has not yet reported as transmitted.
    pub(crate) queued_len: usize,
    pub(crate) queued_frames: usize,
    /// The timer set for it. It may be early, never late.
    pub(crate) armed: Option<Timestamp>,
    pings: u64,
    /// Its frames other than DATA.
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

    /// The next time at which something is due.
    pub(crate) fn deadline(&self, limits: &Limits) -> Timestamp {
        match self.phase {
            Phase::Opened { until } | Phase::Replaced { until, .. } => until,
            Phase::Attached { ping_at, silent_until, .. } => {
                let idle_at = self.heard.plus(limits.idle_timeout);
                silent_until.unwrap_or(idle_at).min(idle_at).min(ping_at)
            }
        }
    }

    /// The seat, if it holds one.
    pub(crate) fn place(&self) -> Option<Place> {
        match self.phase {
            Phase::Attached { place, .. } => Some(place),
            Phase::Opened { .. } | Phase::Replaced { .. } => None,
        }
    }

    /// Counts a frame that goes out, unless it does not fit the queue.
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

    /// Counts a frame other than DATA, or a PING of the layer below; false if they come too fast.
    pub(crate) fn count_control(&mut self, now: Timestamp, limits: &Limits) -> bool {
        // req: RLY-071
        self.control.spend(now, limits.control_frame_pause);
        let window = limits.control_frame_pause.saturating_mul(limits.control_frames_max);
        self.control.excess(now, window).is_zero()
    }

    /// The token of its next PING: a count, as it need not be secret.
    pub(crate) fn next_token(&mut self) -> [u8; 8] {
        self.pings = self.pings.saturating_add(1);
        self.pings.to_be_bytes()
    }
}
