//! Queues stay within their named limits: `within-limits`; what the relay holds is what is open: `relay-forgets`.
//!
//! Queues are counted here, at the sockets between the programs: what a side gave out and the socket has not taken.

use handfast::codec::limits::{
    AHEAD_LEN_MAX, OUTBOX_LEN_MAX, OUTBOX_MESSAGES_MAX, RELAY_FRAME_LEN_MAX, STREAMS_OPEN_MAX,
};
use reference_relay::core::limits::{QUEUE_LEN_MAX, QUEUE_PAUSE_DIVISOR};

use crate::world::World;

/// How often stores and the relay are looked at, in microseconds.
pub const SAMPLE_EVERY: u64 = 5_000_000;
/// A reader of the relay stops when its peer's queue is half full, behind the frame that filled it; the relay's own
/// words come on top.
pub const RELAY_QUEUE_MAX: usize =
    QUEUE_LEN_MAX / QUEUE_PAUSE_DIVISOR + RELAY_FRAME_LEN_MAX + RELAY_WORDS_MAX;
/// PING, PEER and ERROR frames that may wait at one socket, in bytes.
const RELAY_WORDS_MAX: usize = 1_024;
/// A side seals so far ahead of its socket, and the record that filled it; acknowledgements come on top.
pub const AHEAD_MAX: usize = AHEAD_LEN_MAX + 2 * RELAY_FRAME_LEN_MAX;
/// What a row of an outbox adds to the message in it, at most.
const ROW_OVERHEAD_MAX: usize = 64;

/// The most that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Bytes that the relay held for one socket.
    pub relay_queue: usize,
    /// Bytes that a device had sealed ahead of its socket.
    pub ahead: usize,
    /// Messages in one outbox.
    pub outbox_messages: usize,
    /// Their bytes.
    pub outbox_len: usize,
    /// Streams of one link.
    pub streams: usize,
}

impl World {
    /// The relay gave out a frame.
    pub(crate) fn relay_gave(&mut self, number: u64, len: usize) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.queued += len;
        let queued = conn.queued;
        self.peaks.relay_queue = self.peaks.relay_queue.max(queued);
        if queued > RELAY_QUEUE_MAX {
            self.ledger
                .violation("within-limits", format!("the relay holds {queued} bytes for socket {number}"));
        }
    }

    /// A device gave out a frame, and its socket takes its time.
    pub(crate) fn gave_ahead(&mut self, number: u64, len: usize) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.ahead += len;
        let ahead = conn.ahead;
        self.peaks.ahead = self.peaks.ahead.max(ahead);
        if ahead > AHEAD_MAX {
            self.ledger.violation("within-limits", format!("{ahead} bytes are ahead of socket {number}"));
        }
    }
}

/// Looks at the relay, and at what lies in the stores.
pub fn sample(world: &mut World) {
    let stats = world.relay.stats();
    let open = world.conns.values().filter(|conn| conn.at_relay).count();
    if stats.sockets != open || stats.link_mailboxes > open {
        let held = (stats.sockets, stats.link_mailboxes);
        let detail =
            format!("the relay has {held:?} sockets and mailboxes of links, {open} sockets are open");
        world.ledger.violation("relay-forgets", detail);
    }
    for id in 0..world.nodes.len() {
        // Behind a prefix of one byte stand the rows of outboxes (0x24) and of streams (0x40).
        let outbox = rows(world, id, "key >= x'24' AND key < x'25'");
        let streams = rows(world, id, "key >= x'40' AND key < x'41'");
        let (messages, len) = (most(&outbox, |row| row.0), most(&outbox, |row| row.1));
        let open = most(&streams, |row| row.0);
        let peaks = &mut world.peaks;
        peaks.outbox_messages = peaks.outbox_messages.max(messages);
        peaks.outbox_len = peaks.outbox_len.max(len);
        peaks.streams = peaks.streams.max(open);
        let len_max = OUTBOX_LEN_MAX + ROW_OVERHEAD_MAX * messages;
        if messages > OUTBOX_MESSAGES_MAX || len > len_max || open > STREAMS_OPEN_MAX {
            let name = world.nodes[id].name.clone();
            let detail = format!("{name}: an outbox of {messages} messages, {len} bytes; {open} streams");
            world.ledger.violation("within-limits", detail);
        }
    }
}

/// How many rows of a kind each link has at a device, and their bytes.
fn rows(world: &World, id: usize, filter: &str) -> Vec<(usize, usize)> {
    let sql = format!("SELECT count(*), sum(length(value)) FROM handfast WHERE {filter} GROUP BY link");
    let number = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
    let conn = world.nodes[id].disk.look();
    // A disk that is not set up yet has no table.
    let Ok(mut query) = conn.prepare_cached(&sql) else { return Vec::new() };
    let rows = query.query_map([], |row| Ok((number(row.get(0)?), number(row.get(1)?))));
    rows.into_iter().flatten().flatten().collect()
}

fn most(rows: &[(usize, usize)], of: impl Fn(&(usize, usize)) -> usize) -> usize {
    rows.iter().map(of).max().unwrap_or(0)
}

/// Checks what can be asked of the programs.
pub fn hold(world: &mut World) {
    let mut wrong = Vec::new();
    for id in 0..world.nodes.len() {
        let name = world.nodes[id].name.clone();
        if let Some(app) = world.nodes[id].phone()
            && let Ok(status) = app.status()
        {
            for link in status.links {
                if link.outbox.0 > OUTBOX_MESSAGES_MAX || link.outbox.1 > OUTBOX_LEN_MAX {
                    wrong.push(format!("{name}: an outbox of {:?}", link.outbox));
                }
            }
        }
        if let Some(app) = world.nodes[id].web()
            && let Ok(status) = app.status()
            && (status.outbox.0 > OUTBOX_MESSAGES_MAX || status.outbox.1 > OUTBOX_LEN_MAX)
        {
            wrong.push(format!("{name}: an outbox of {:?}", status.outbox));
        }
    }
    for detail in wrong {
        world.ledger.violation("within-limits", detail);
    }
}
