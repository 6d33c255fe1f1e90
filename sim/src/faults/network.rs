//! Faults between a device and the relay.

use bytes::Bytes;
use handfast::codec::relay::{DataKind, RECORD_HEADER, data_kind};

use super::target;
use crate::kind::Kind;
use crate::net::Way;
use crate::node::NodeId;
use crate::plan::Fault;
use crate::world::{SimEvent, World};

/// Bytes a second that a slow reader reads, and that a socket takes byte by byte.
const SLOW_RATE: u64 = 4_000;
/// How long a fault waits for two handshakes, in microseconds.
const HANDSHAKES_MAX: u64 = 40_000_000;
/// A message 2 to wait for, the confirm behind it and the next message 2.
const CONFIRM_AND_ANSWER: u32 = 3;

fn sockets_of(world: &World, id: NodeId) -> Vec<u64> {
    let open = world.conns.iter().filter(|(_, conn)| conn.node == id && conn.at_node && !conn.dead);
    open.map(|(number, _)| *number).collect()
}

/// All sockets of a device are closed.
pub fn cut(world: &mut World, id: NodeId) {
    for number in sockets_of(world, id) {
        world.cut(number);
    }
}

/// A fault begins.
pub fn begin(world: &mut World, fault: &Fault, number: usize) {
    let id = target(world, fault);
    let until = world.now + fault.len;
    match fault.kind {
        Kind::Cut => {
            if !sockets_of(world, id).is_empty() {
                world.ledger.fire(Kind::Cut);
            }
            cut(world, id);
        }
        Kind::Drop if loses_handshakes(fault.amount) => {
            let web = world.web_node(fault.web);
            world.activate(fault, web, world.now + HANDSHAKES_MAX, CONFIRM_AND_ANSWER);
            cut(world, web);
        }
        Kind::HalfOpen => {
            for number in sockets_of(world, id) {
                if let Some(conn) = world.conns.get_mut(&number) {
                    conn.dead = true;
                }
            }
        }
        Kind::SlowReader | Kind::OneByte => {
            let way = usize::from(fault.kind == Kind::SlowReader);
            for number in sockets_of(world, id) {
                if let Some(rate) = world.conns.get_mut(&number).and_then(|conn| conn.rate.get_mut(way)) {
                    *rate = SLOW_RATE;
                }
            }
            world.activate(fault, id, until, u32::MAX);
            world.at(until, SimEvent::FaultLater(number));
        }
        Kind::StalledConsumer => {
            for number in sockets_of(world, id) {
                if let Some(conn) = world.conns.get_mut(&number) {
                    conn.stalled_until = until;
                }
            }
            world.activate(fault, id, until, u32::MAX);
        }
        _ => {
            let left = u32::try_from(1 + fault.amount % 6).unwrap_or(1);
            world.activate(fault, id, until, left);
        }
    }
}

/// Whether a fault that drops frames chooses those of two handshakes in a row: the confirm, and the next message 2. Each
/// side then has a newer key than the other knows of.
const fn loses_handshakes(amount: u64) -> bool {
    amount.is_multiple_of(4)
}

/// Whether this frame is the next that such a fault waits for; `left` goes from [`CONFIRM_AND_ANSWER`] to 0. The first is
/// let through.
fn is_next_of_handshakes(left: u32, way: Way, kind: Option<DataKind>) -> bool {
    match left {
        CONFIRM_AND_ANSWER | 1 => way == Way::Down && kind == Some(DataKind::KK2),
        _ => way == Way::Up && kind == Some(DataKind::RECORD),
    }
}

/// Slow sockets are quick again.
pub fn end(world: &mut World) {
    for conn in world.conns.values_mut() {
        conn.rate = [0; 2];
        conn.stalled_until = 0;
    }
    let waiting: Vec<u64> =
        world.conns.iter().filter(|(_, conn)| !conn.unread.is_empty()).map(|(number, _)| *number).collect();
    for number in waiting {
        world.at(world.now, SimEvent::Unstall(number));
    }
}

/// A frame is on its way: gives what arrives of it, each with a delay of its own.
pub fn on_frame(world: &mut World, number: u64, way: Way, frame: Bytes) -> Vec<(u64, Bytes)> {
    let Some(conn) = world.conns.get(&number) else { return Vec::new() };
    if conn.dead {
        world.ledger.fire(Kind::HalfOpen);
        return Vec::new();
    }
    if world.active.is_empty() {
        return vec![(0, frame)];
    }
    let (id, now) = (conn.node, world.now);
    let kind = data_kind(&frame);
    let is_word_of_relay = !frame.starts_with(&RECORD_HEADER[..1]);
    let mut arriving = vec![(0, frame)];
    world.active.retain(|active| active.until > now && active.left > 0);
    for at in 0..world.active.len() {
        let active = &mut world.active[at];
        if active.node != id {
            continue;
        }
        if active.kind == Kind::Drop && loses_handshakes(active.amount) {
            if is_next_of_handshakes(active.left, way, kind) {
                active.left -= 1;
                if active.left + 1 < CONFIRM_AND_ANSWER {
                    arriving.clear();
                    world.ledger.fire(Kind::Drop);
                }
            }
            continue;
        }
        if !world.rng.percent(40) {
            continue;
        }
        let (kind, amount) = (active.kind, active.amount);
        match kind {
            Kind::Drop => drop(arriving.pop()),
            Kind::Duplicate => arriving.extend(arriving.first().cloned()),
            Kind::Reorder => {
                let later = 20_000 + amount % 400_000;
                for (extra, _) in &mut arriving {
                    *extra += later;
                }
            }
            Kind::Delay => {
                if let Some(conn) = world.conns.get_mut(&number) {
                    let last = if way == Way::Up { &mut conn.last[0] } else { &mut conn.last[1] };
                    *last = (*last).max(now) + amount % 3_000_000;
                }
            }
            Kind::SlowReader | Kind::StalledConsumer if way == Way::Down => {}
            Kind::OneByte if way == Way::Up => {}
            _ => continue,
        }
        if !matches!(kind, Kind::SlowReader | Kind::StalledConsumer | Kind::OneByte) {
            world.active[at].left -= 1;
        }
        world.ledger.fire(kind);
        if way == Way::Down && is_word_of_relay && kind != Kind::Delay {
            // The relay's own words do not come again by themselves: what was lost or moved of them is a lie that lasts
            // as long as the socket.
            if let Some(conn) = world.conns.get_mut(&number) {
                conn.lied = true;
            }
        }
    }
    arriving
}
