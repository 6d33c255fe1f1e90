//! Sockets between devices and the relay: each direction keeps its order, takes time, and may be broken by a fault.

use bytes::Bytes;
use handfast::codec::ids::{AttachmentId, MailboxId};
use handfast::host::SocketTag;

use crate::node::NodeId;

/// How long a frame takes one way, in microseconds, at least and at most.
pub const LATENCY: (u64, u64) = (5_000, 40_000);

/// A direction of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From the device to the relay.
    Up,
    /// From the relay to the device.
    Down,
}

/// One socket; its number is the relay's name of it, too.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "its two ends are independent of each other")]
pub struct Conn {
    /// The device.
    pub node: NodeId,
    /// The device's name of it.
    pub tag: SocketTag,
    /// The mailbox that the device attached to.
    pub mailbox: Option<MailboxId>,
    /// The attachment id that the relay gave.
    pub own: Option<AttachmentId>,
    /// The relay lied to the device over it.
    pub lied: bool,
    /// The relay has it.
    pub at_relay: bool,
    /// The device has it: it was not given up there.
    pub at_node: bool,
    /// It carries nothing any more, and does not say so.
    pub dead: bool,
    /// When the last frame of each direction arrives.
    pub last: [u64; 2],
    /// Bytes a second in each direction, 0 for any number.
    pub rate: [u64; 2],
    /// Frames that the relay wrote and the device does not read.
    pub unread: Vec<Bytes>,
    /// Nothing is read before this time.
    pub stalled_until: u64,
    /// The relay's reading waits for the peer's queue.
    pub parked: Vec<Bytes>,
    /// Bytes that the relay gave out and the socket has not taken.
    pub queued: usize,
    /// Bytes that the device gave out and the socket has not taken.
    pub ahead: usize,
}

impl Conn {
    /// A socket that is being opened.
    #[must_use]
    pub fn new(node: NodeId, tag: SocketTag) -> Self {
        Self {
            node,
            tag,
            mailbox: None,
            own: None,
            lied: false,
            at_relay: false,
            at_node: true,
            dead: false,
            last: [0; 2],
            rate: [0; 2],
            unread: Vec::new(),
            stalled_until: 0,
            parked: Vec::new(),
            queued: 0,
            ahead: 0,
        }
    }

    /// When a frame that leaves now arrives: behind all that left before it.
    pub fn arrival(&mut self, way: Way, now: u64, latency: u64, len: usize) -> u64 {
        let (last, rate) = match way {
            Way::Up => (&mut self.last[0], self.rate[0]),
            Way::Down => (&mut self.last[1], self.rate[1]),
        };
        let begin = if rate == 0 { now } else { now.max(last.saturating_sub(latency)) };
        let time = u64::try_from(len).unwrap_or(0).saturating_mul(1_000_000).checked_div(rate).unwrap_or(0);
        *last = (*last + 1).max(begin + time + latency);
        *last
    }
}
