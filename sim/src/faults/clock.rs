//! Clocks that jump, devices that sleep, tabs that are hidden.

use super::target;
use crate::kind::Kind;
use crate::node::NodeId;
use crate::plan::Fault;
use crate::world::{SimEvent, World};

const DAY_MS: i64 = 86_400_000;
const TEN_YEARS_MS: i64 = 3_650 * DAY_MS;
const EIGHT_HOURS: u64 = 8 * 3_600 * 1_000_000;
/// What a browser allows a hidden page: one timer a minute.
const HIDDEN_GRAIN: u64 = 60_000_000;
/// A device that sleeps is asleep for so long in the world's time, at most; its own clocks say eight hours.
const SLEEP_MAX: u64 = 15_000_000;

/// A fault begins.
pub fn begin(world: &mut World, fault: &Fault, number: usize) {
    let id = target(world, fault);
    let (now, len) = (world.now, fault.len.min(SLEEP_MAX));
    match fault.kind {
        Kind::ClockBack => {
            world.ledger.fire(fault.kind);
            world.nodes[id.0].jump_wall(-DAY_MS);
        }
        Kind::ClockForward => {
            world.ledger.fire(fault.kind);
            world.nodes[id.0].jump_wall(TEN_YEARS_MS);
        }
        Kind::Asleep => {
            world.ledger.fire(fault.kind);
            world.nodes[id.0].asleep_until = now + len;
            world.at(now + len, SimEvent::FaultLater(number));
        }
        _ => {
            let id = world.web_node(fault.web);
            world.ledger.fire(fault.kind);
            world.nodes[id.0].grain = HIDDEN_GRAIN;
            world.at(now + fault.len, SimEvent::FaultLater(number));
        }
    }
}

/// A fault ends.
pub fn later(world: &mut World, fault: &Fault) {
    if fault.kind == Kind::Asleep {
        let id = target(world, fault);
        wake(world, id);
    } else {
        let id = world.web_node(fault.web);
        world.nodes[id.0].grain = 0;
    }
}

fn wake(world: &mut World, id: NodeId) {
    let node = &mut world.nodes[id.0];
    if node.asleep_until == 0 {
        return;
    }
    node.asleep_until = 0;
    if node.machine.is_some() {
        node.sleeps(world.now, EIGHT_HOURS);
    }
}

/// Everything is awake and visible.
pub fn end(world: &mut World, id: NodeId) {
    wake(world, id);
    world.nodes[id.0].grain = 0;
}
