//! Copies of devices, older states of them, other phones, revocation, reload.

use std::collections::BTreeSet;

use handfast::DeviceRole;
use handfast::codec::ids::CompanionId;
use handfast::session::LinkState;
use reference_web::app::AppEvent;

use crate::disk::Disk;
use crate::kind::Kind;
use crate::node::{Node, NodeId};
use crate::plan::Fault;
use crate::rng::SimRng;
use crate::users::PHONE;
use crate::world::{SimEvent, World};

/// How many phones scan one code.
const PHONES: usize = 2;
/// A page that is loaded anew is away for so long, in microseconds.
const RELOAD: u64 = 300_000;

/// Where a session's row holds the next number of a command, and the highest that the phone knows.
const NEXT_COMMAND_AT: usize = 73;
const HIGHEST_AT: usize = 105;

/// A device that a fault added, or a state that it keeps.
#[derive(Debug)]
pub enum Extra {
    /// Another program with the keys of a companion.
    Holder {
        /// The companion.
        web: usize,
        /// Where it runs.
        node: NodeId,
        /// Whether it has a copy, not the directory itself.
        copy: bool,
    },
    /// A phone of somebody else.
    Stranger(NodeId),
    /// A disk as it was.
    Snapshot {
        /// Of which fault.
        fault: usize,
        /// The disk.
        disk: Box<Disk>,
        /// Who was still to be told, at this moment, that the companion was put back.
        untold: BTreeSet<&'static str>,
    },
}

/// A fault begins.
pub fn begin(world: &mut World, fault: &Fault, number: usize) {
    let id = world.web_node(fault.web);
    match fault.kind {
        Kind::Revoke => revoke(world, fault.web),
        Kind::EpochsApart => epochs_apart(world, fault),
        Kind::Reload => {
            if world.nodes[id.0].machine.is_some() {
                world.ledger.fire(Kind::Reload);
                world.crash(id, false);
                world.at(world.now + RELOAD, SimEvent::FaultLater(number));
            }
        }
        Kind::ThreePhones => {
            for stranger in 0..PHONES {
                add_stranger(world, fault, stranger);
            }
            stranger_scans(world, fault.web);
            world.at(world.now + 1_000_000, SimEvent::FaultLater(number));
        }
        Kind::RolledBackPhone | Kind::RolledBackWeb => {
            let id = if fault.kind == Kind::RolledBackPhone { PHONE } else { id };
            take_snapshot(world, fault, number, id);
        }
        Kind::CopiedProfile => {
            if world.ledger.webs.get(fault.web).is_some_and(|view| view.companion.is_some()) {
                take_snapshot(world, fault, number, id);
            }
        }
        _ => {
            if let Ok(disk) = world.nodes[id.0].disk.second() {
                add_holder(world, fault.web, disk, false);
                world.ledger.fire(Kind::TwoProcesses);
            }
        }
    }
}

/// The second half of a fault.
pub fn later(world: &mut World, fault: &Fault, number: usize) {
    let id = world.web_node(fault.web);
    match fault.kind {
        Kind::Reload => world.start(id),
        Kind::ThreePhones => stranger_scans(world, fault.web),
        Kind::RolledBackPhone | Kind::RolledBackWeb => roll_back(world, fault, number),
        Kind::CopiedProfile => {
            if let Some((disk, _)) = find_snapshot(world, number) {
                add_holder(world, fault.web, disk, true);
                let _ = world.ledger.may_stop.insert(fault.web);
                world.ledger.fire(Kind::CopiedProfile);
            }
        }
        _ => {}
    }
}

/// Keeps a disk as it is now, for the second half of a fault.
fn take_snapshot(world: &mut World, fault: &Fault, number: usize, id: NodeId) {
    if let Ok(disk) = world.nodes[id.0].disk.copy(&world.base) {
        let untold = world.ledger.untold.get(&fault.web).cloned().unwrap_or_default();
        world.extras.push(Extra::Snapshot { fault: number, disk: Box::new(disk), untold });
        world.at(world.now + fault.len, SimEvent::FaultLater(number));
    }
}

fn find_snapshot(world: &mut World, number: usize) -> Option<(Disk, BTreeSet<&'static str>)> {
    let at =
        world.extras.iter().position(|e| matches!(e, Extra::Snapshot { fault, .. } if *fault == number))?;
    match world.extras.swap_remove(at) {
        Extra::Snapshot { disk, untold, .. } => Some((*disk, untold)),
        Extra::Holder { .. } | Extra::Stranger(_) => None,
    }
}

/// A disk becomes what it was.
fn roll_back(world: &mut World, fault: &Fault, number: usize) {
    let id = if fault.kind == Kind::RolledBackPhone { PHONE } else { world.web_node(fault.web) };
    let Some((snapshot, mut untold)) = find_snapshot(world, number) else { return };
    let is_noticed = fault.kind == Kind::RolledBackWeb && phone_knows_more(world, &snapshot);
    world.crash(id, true);
    if world.nodes[id.0].disk.write_over(&snapshot).is_err() {
        return;
    }
    world.ledger.fire(fault.kind);
    if id == PHONE {
        world.ledger.phone_lost = true;
        // What it knew of companions that were put back may be gone.
        world.ledger.untold.clear();
        world.ledger.put_back(None);
        forget_lost_revocations(world);
        world.ledger.may_stop.extend(0..world.plan.webs);
    } else {
        let _ = world.ledger.may_stop.insert(fault.web);
        let _ = world.ledger.web_lost.insert(fault.web);
        // The state may be newer than that of another fault which came since: then nothing is lost any more.
        if is_noticed {
            untold = ["companion", "phone"].into();
        }
        let _ = world.ledger.untold.insert(fault.web, untold);
        world.ledger.put_back(Some(fault.web));
    }
}

/// Whether the phone has taken a command of a companion that this older state of the companion has not given yet.
fn phone_knows_more(world: &World, snapshot: &Disk) -> bool {
    let number = |row: &[u8], at: usize| {
        row.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes)
    };
    let next: Option<(Vec<u8>, Vec<u8>)> = snapshot
        .look()
        .query_row("SELECT link, value FROM handfast WHERE key = x'11'", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .ok();
    let Some((link, next)) = next else { return false };
    let known: Option<Vec<u8>> = world.nodes[PHONE.0]
        .disk
        .look()
        .query_row("SELECT value FROM handfast WHERE key = x'11' AND link = ?1", [link], |row| row.get(0))
        .ok();
    let highest = known.as_deref().and_then(|row| number(row, HIGHEST_AT));
    number(&next, NEXT_COMMAND_AT).zip(highest).is_some_and(|(next, highest)| next <= highest)
}

/// A phone that lost commits may have lost that it revoked someone.
fn forget_lost_revocations(world: &mut World) {
    let conn = world.nodes[PHONE.0].disk.look();
    let sql = "SELECT count(*) FROM companions WHERE companion = ?1 AND status = 'revoked'";
    let still = |companion: &CompanionId| {
        conn.query_row(sql, [companion.as_bytes()], |row| row.get::<_, i64>(0)).is_ok_and(|count| count > 0)
    };
    world.ledger.revoked.retain(still);
}

fn add_holder(world: &mut World, web: usize, disk: Disk, copy: bool) {
    let number = world.nodes.len();
    let rng = SimRng::new(world.plan.seed, 1_000 + u64::try_from(number).unwrap_or(0));
    let name = world.nodes[world.web_node(web).0].name.clone() + if copy { "-copy" } else { "-twin" };
    world.nodes.push(Node::new(DeviceRole::Web, name, disk, rng));
    let node = NodeId(number);
    world.extras.push(Extra::Holder { web, node, copy });
    world.start(node);
}

fn add_stranger(world: &mut World, fault: &Fault, stranger: usize) {
    let number = world.nodes.len();
    let rng = SimRng::new(world.plan.seed, 2_000 + u64::try_from(number).unwrap_or(0));
    let key = [u8::try_from(number % 251).unwrap_or(0) ^ 0x5a; 32];
    let Ok(disk) = Disk::new(&world.base, key) else { return };
    let name = format!("stranger{}-{stranger}", fault.web);
    let mut node = Node::new(DeviceRole::Phone, name, disk, rng);
    if node.create_account(1, 1).is_err() {
        return;
    }
    world.nodes.push(node);
    world.extras.push(Extra::Stranger(NodeId(number)));
    world.start(NodeId(number));
}

/// Strangers scan the code that a companion shows, and go no further.
fn stranger_scans(world: &mut World, web: usize) {
    let Some(text) = world.ledger.webs.get(web).and_then(|view| view.code.clone()) else { return };
    let strangers: Vec<NodeId> = world
        .extras
        .iter()
        .filter_map(|extra| match extra {
            Extra::Stranger(id) => Some(*id),
            Extra::Holder { .. } | Extra::Snapshot { .. } => None,
        })
        .collect();
    for id in strangers {
        let time = world.nodes[id.0].clocks(world.now);
        let scans =
            world.nodes[id.0].phone_user().is_some_and(|(app, rng)| app.scan(time, rng, &text).is_ok());
        if scans {
            world.ledger.fire(Kind::ThreePhones);
            let _ = world.run(id);
        }
    }
}

/// A device's sessions have other epochs than their peers'. It must be off while its rows are written.
fn epochs_apart(world: &mut World, fault: &Fault) {
    let id = super::target(world, fault);
    if world.nodes[id.0].machine.is_none() {
        return;
    }
    world.crash(id, true);
    let conn = world.nodes[id.0].disk.look();
    let rows: rusqlite::Result<Vec<(Vec<u8>, Vec<u8>)>> = conn
        .prepare_cached("SELECT link, value FROM handfast WHERE key = x'11'")
        .and_then(|mut query| query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect());
    let mut changed = 0;
    for (link, mut value) in rows.unwrap_or_default() {
        // Behind its layout byte stand the two epochs.
        let at = 1 + 16 * usize::from(fault.amount.is_multiple_of(2));
        if let Some(byte) = value.get_mut(at) {
            *byte ^= 1;
        }
        let set = "UPDATE handfast SET value = ?1 WHERE link = ?2 AND key = x'11'";
        changed += conn.execute(set, rusqlite::params![value, link]).unwrap_or(0);
    }
    if changed > 0 {
        world.ledger.fire(Kind::EpochsApart);
    }
}

fn revoke(world: &mut World, web: usize) {
    let Some(companion) = world.ledger.webs.get(web).and_then(|view| view.companion) else { return };
    if world.nodes[PHONE.0].asleep_until > world.now {
        return;
    }
    let time = world.nodes[PHONE.0].clocks(world.now);
    let Some(app) = world.nodes[PHONE.0].phone() else { return };
    if app.revoke(time, companion).is_ok() {
        // Before the round: the companion may be told within it.
        let _ = world.ledger.revoked.insert(companion);
        let _ = world.ledger.signed.insert(companion);
        world.ledger.fire(Kind::Revoke);
        world.link_is_over(web);
        if world.run(PHONE) == crate::world::Ran::NotStored {
            // The user is told so. Nothing of it can have left.
            let _ = world.ledger.revoked.remove(&companion);
            let _ = world.ledger.signed.remove(&companion);
        }
    }
}

/// A device that a fault added tells its user something.
pub fn holder_tells(world: &mut World, id: NodeId, event: &AppEvent) {
    let holder = world.extras.iter().find_map(|extra| match extra {
        Extra::Holder { web, node, copy } if *node == id => Some((*web, *copy)),
        Extra::Holder { .. } | Extra::Stranger(_) | Extra::Snapshot { .. } => None,
    });
    match (holder, event) {
        // The original may have another link by now.
        (Some((web, true)), AppEvent::LinkState(LinkState::Live))
            if world.nodes[id.0].disk.companion(true) == world.ledger.webs[web].companion =>
        {
            let _ = world.ledger.copy_live.insert(web);
        }
        // A second process on the same disk wipes what both have.
        (Some((web, false)), AppEvent::Revoked) => world.link_is_wiped(web),
        _ => {}
    }
}

/// Second holders are switched off, strangers go away, and users take their seats back.
pub fn end(world: &mut World) {
    let extras = std::mem::take(&mut world.extras);
    for extra in extras {
        match extra {
            Extra::Holder { node, .. } | Extra::Stranger(node) => world.crash(node, false),
            Extra::Snapshot { .. } => {}
        }
    }
    for web in 0..world.plan.webs {
        if std::mem::take(&mut world.ledger.webs[web].replaced) {
            let id = world.web_node(web);
            world.want_seat(id);
            let _ = world.run(id);
        }
    }
}
