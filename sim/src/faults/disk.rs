//! Power failures around commits, full and slow disks, swaps and rows that are lost.

use handfast::DeviceRole;

use super::Active;
use crate::kind::Kind;
use crate::node::NodeId;
use crate::plan::Fault;
use crate::world::{SimEvent, World};

/// The longest that a slow disk is at a commit, in microseconds.
const COMMIT_MAX: u64 = 2_000_000;

/// When a device's power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// At the next commit that is refused.
    Before(Kind),
    /// When this many commits were made.
    After(Kind, u64),
    /// Commits are refused for a while.
    Full(Kind),
}

fn side(world: &World, fault: &Fault) -> NodeId {
    let role = match fault.kind {
        Kind::CrashPhoneBefore
        | Kind::CrashPhoneAfter
        | Kind::LostUnsyncedPhone
        | Kind::DiskFullPhone
        | Kind::LostSwapPhone => DeviceRole::Phone,
        _ => DeviceRole::Web,
    };
    world.side(role, fault.web)
}

/// A fault begins.
pub fn begin(world: &mut World, fault: &Fault, number: usize) {
    let id = side(world, fault);
    let gate = std::sync::Arc::clone(&world.nodes[id.0].disk.gate);
    match fault.kind {
        Kind::CrashPhoneBefore | Kind::CrashWebBefore => {
            gate.fail_after(fault.amount % 12);
            world.nodes[id.0].trap = Some(Trap::Before(fault.kind));
        }
        Kind::CrashPhoneAfter | Kind::CrashWebAfter => {
            let at = gate.commits() + 1 + fault.amount % 12;
            world.nodes[id.0].trap = Some(Trap::After(fault.kind, at));
        }
        Kind::LostUnsyncedPhone | Kind::LostUnsyncedWeb => {
            if world.nodes[id.0].machine.is_some() {
                world.ledger.fire(fault.kind);
                world.crash(id, true);
                if let Err(error) = world.nodes[id.0].disk.lose_unsynced() {
                    world.ledger.violation("simulator", error.to_string());
                }
            }
        }
        Kind::DiskFullPhone | Kind::DiskFullWeb => {
            gate.fail_after(fault.amount % 3);
            world.nodes[id.0].trap = Some(Trap::Full(fault.kind));
            world.at(world.now + fault.len.min(5_000_000), SimEvent::FaultLater(number));
        }
        Kind::SlowDisk => {
            let id = super::target(world, fault);
            world.activate(fault, id, world.now + fault.len, u32::MAX);
        }
        Kind::RowsLost => lose_rows(world, id, fault.amount),
        _ => {
            let swapped = world.nodes[id.0]
                .disk
                .look()
                .execute("UPDATE handfast SET value = x'0000000000ffffff' WHERE key = x'00'", []);
            if swapped.is_ok_and(|rows| rows > 0) {
                world.nodes[id.0].trap = Some(Trap::After(fault.kind, u64::MAX));
            }
        }
    }
}

/// A mirror loses some of its messages, and sometimes a chat. The companion must be off while its rows are taken.
fn lose_rows(world: &mut World, id: NodeId, amount: u64) {
    if world.nodes[id.0].machine.is_none() {
        return;
    }
    world.crash(id, true);
    let conn = world.nodes[id.0].disk.look();
    let number = |n: u64| i64::try_from(n).unwrap_or(0);
    let messages = "DELETE FROM messages WHERE id % ?1 = ?2";
    let (every, which) = (number(1 + amount % 5), number(amount / 5 % (1 + amount % 5)));
    let mut lost = conn.execute(messages, [every, which]).unwrap_or(0);
    if amount.is_multiple_of(7) {
        lost += conn.execute("DELETE FROM chats WHERE chat % 2 = ?1", [number(amount / 7 % 2)]).unwrap_or(0);
    }
    if lost > 0 {
        world.ledger.fire(Kind::RowsLost);
    }
}

/// A device's program has something to commit. Returns whether it must wait, for a slow disk that is still at the last
/// commit; otherwise this one begins.
pub fn holds_back(world: &mut World, id: NodeId) -> bool {
    let now = world.now;
    let is_slow = |active: &&Active| active.kind == Kind::SlowDisk && active.node == id && active.until > now;
    let Some(amount) = world.active.iter().find(is_slow).map(|active| active.amount) else { return false };
    let node = &mut world.nodes[id.0];
    if node.busy_until > now {
        node.wait_for_disk();
        world.ledger.fire(Kind::SlowDisk);
        return true;
    }
    node.busy_until = now + amount % COMMIT_MAX;
    false
}

/// A full disk has room again.
pub fn end_full(world: &mut World, fault: &Fault) {
    let id = side(world, fault);
    if matches!(world.nodes[id.0].trap, Some(Trap::Full(_))) {
        mend(world, id);
        world.at(world.now, SimEvent::Start(id));
    }
}

/// A disk is in order.
pub fn mend(world: &mut World, id: NodeId) {
    world.nodes[id.0].trap = None;
    world.nodes[id.0].disk.gate.mend();
}

/// After a round: whether the device's power fails now.
pub fn crashes(world: &mut World, id: NodeId, is_stored: bool) -> bool {
    let node = &world.nodes[id.0];
    let Some(trap) = node.trap else { return false };
    let commits = node.disk.gate.commits();
    let kind = match trap {
        Trap::Before(kind) if !is_stored => kind,
        Trap::After(kind, at) if commits >= at => kind,
        Trap::Full(kind) if !is_stored => {
            world.ledger.fire(kind);
            return false;
        }
        _ => return false,
    };
    mend(world, id);
    world.ledger.fire(kind);
    world.crash(id, true);
    true
}

/// A program ended by itself while a trap was set: the trap was the reason.
pub fn sprung(world: &mut World, id: NodeId) {
    match world.nodes[id.0].trap {
        Some(Trap::Before(kind) | Trap::After(kind, _)) => {
            world.ledger.fire(kind);
            mend(world, id);
        }
        Some(Trap::Full(kind)) => world.ledger.fire(kind),
        None => {}
    }
}
