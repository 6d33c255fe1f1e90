//! Faults: each begins at its time, counts as fired only where it changed bytes, state or time for someone, and ends.

pub mod clock;
pub mod device;
pub mod disk;
pub mod man;
pub mod network;
pub mod offers;
pub mod peer;
pub mod quota;
pub mod relay;

use handfast::DeviceRole;

use crate::kind::Kind;
use crate::node::{Node, NodeId};
use crate::plan::Fault;
use crate::users::PHONE;
use crate::world::{SimEvent, World};

/// A fault that goes on for some time.
#[derive(Clone, Debug)]
pub struct Active {
    /// What.
    pub kind: Kind,
    /// Whom it hits.
    pub node: NodeId,
    /// Until when.
    pub until: u64,
    /// How many frames it may still hit.
    pub left: u32,
    /// What else the fault has chosen.
    pub amount: u64,
}

impl World {
    /// A fault goes on, until a time or for so many frames.
    fn activate(&mut self, fault: &Fault, node: NodeId, until: u64, left: u32) {
        self.active.push(Active { kind: fault.kind, node, until, left, amount: fault.amount });
    }
}

/// A fault begins.
pub fn begin(world: &mut World, number: usize) {
    let Some(fault) = world.plan.faults.get(number).cloned().filter(|_| !world.healed) else { return };
    world.trace.line(world.now, || format!("fault {fault:?}"));
    match fault.kind {
        Kind::Drop
        | Kind::Delay
        | Kind::Duplicate
        | Kind::Reorder
        | Kind::Cut
        | Kind::HalfOpen
        | Kind::SlowReader
        | Kind::StalledConsumer
        | Kind::OneByte => network::begin(world, &fault, number),
        Kind::RelayRestart
        | Kind::RelayReplay
        | Kind::RelaySplice
        | Kind::RelayLiesPresence
        | Kind::RelayLiesIds
        | Kind::RelayForgesUnknownKey
        | Kind::RelayReflects
        | Kind::RelayCorrupts
        | Kind::RelayGarbage
        | Kind::VersionMix
        | Kind::GreaseMix => relay::begin(world, &fault, number),
        Kind::CrashPhoneBefore
        | Kind::CrashPhoneAfter
        | Kind::CrashWebBefore
        | Kind::CrashWebAfter
        | Kind::LostUnsyncedPhone
        | Kind::LostUnsyncedWeb
        | Kind::DiskFullPhone
        | Kind::DiskFullWeb
        | Kind::SlowDisk
        | Kind::LostSwapPhone
        | Kind::LostSwapWeb
        | Kind::RowsLost => disk::begin(world, &fault, number),
        Kind::ClockBack | Kind::ClockForward | Kind::Asleep | Kind::HiddenTab => {
            clock::begin(world, &fault, number);
        }
        Kind::CopiedProfile
        | Kind::TwoProcesses
        | Kind::RolledBackPhone
        | Kind::RolledBackWeb
        | Kind::ThreePhones
        | Kind::EpochsApart
        | Kind::Revoke
        | Kind::Reload => device::begin(world, &fault, number),
        Kind::EvilWeb | Kind::EvilPhone => peer::begin(world, &fault, number),
        Kind::OfferCancelled | Kind::OfferLapses => offers::begin(world, number),
        Kind::UploadQuota | Kind::DiskReserve => quota::begin(world, &fault, number),
        Kind::BetweenCodes => man::begin(world, &fault),
        Kind::FutureAck => peer::future_ack(world, &fault, number),
    }
}

/// The second half of a fault.
pub fn later(world: &mut World, number: usize) {
    let Some(fault) = world.plan.faults.get(number).cloned().filter(|_| !world.healed) else { return };
    match fault.kind {
        Kind::RelayReplay
        | Kind::RelaySplice
        | Kind::RelayLiesPresence
        | Kind::RelayLiesIds
        | Kind::RelayReflects
        | Kind::RelayGarbage
        | Kind::GreaseMix => relay::later(world, &fault, number),
        Kind::SlowReader | Kind::OneByte => network::end(world),
        Kind::DiskFullPhone | Kind::DiskFullWeb => disk::end_full(world, &fault),
        Kind::Asleep | Kind::HiddenTab => clock::later(world, &fault),
        Kind::CopiedProfile
        | Kind::TwoProcesses
        | Kind::RolledBackPhone
        | Kind::RolledBackWeb
        | Kind::ThreePhones
        | Kind::Reload => device::later(world, &fault, number),
        Kind::EvilWeb | Kind::EvilPhone => peer::begin(world, &fault, number),
        Kind::OfferCancelled | Kind::OfferLapses => offers::later(world, &fault, number),
        Kind::UploadQuota | Kind::DiskReserve => quota::later(world, &fault, number),
        Kind::FutureAck => network::cut(world, PHONE),
        _ => {}
    }
}

/// The device that a fault hits, where both sides can be hit.
#[must_use]
pub fn target(world: &World, fault: &Fault) -> NodeId {
    let role = if fault.at_phone { DeviceRole::Phone } else { DeviceRole::Web };
    world.side(role, fault.web)
}

/// All faults end: what is broken is mended, what is off is switched on.
pub fn heal(world: &mut World) {
    world.healed = true;
    world.active.clear();
    network::end(world);
    relay::end_lies(world);
    for id in 0..world.nodes.len() {
        disk::mend(world, NodeId(id));
        clock::end(world, NodeId(id));
    }
    device::end(world);
    man::end(world);
    offers::end(world);
    quota::end(world);
    let off = |node: &Node| node.machine.is_none();
    for id in (0..=world.plan.webs).map(NodeId) {
        if world.nodes.get(id.0).is_some_and(off) {
            world.at(world.now, SimEvent::Start(id));
        }
    }
}
