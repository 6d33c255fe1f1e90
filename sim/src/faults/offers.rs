//! Offers that do not become links: the phone's user ends one at any moment, or ten minutes go by.

use handfast::codec::ids::CompanionId;

use crate::kind::Kind;
use crate::plan::Fault;
use crate::users::PHONE;
use crate::world::{Ran, SimEvent, World};

/// A user who could not end an offer tries again after this long, in microseconds.
const AGAIN_AFTER: u64 = 400_000;
/// An offer lives for so long, in microseconds.
pub const LIFE: u64 = handfast::codec::limits::OFFERED_MAX * 1_000_000;
/// How far from that a jump of the clock ends, on either side.
const ABOUT: u64 = 1_000_000;

/// What users do to offers.
#[derive(Debug, Default)]
pub struct Offers {
    /// Faults that wait for a scan or an offer.
    armed: Vec<usize>,
    /// Companions whose confirm is to be lost.
    mute: Vec<usize>,
}

/// How a fault meets an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// At any time behind the scan.
    Attempt,
    /// Behind the approval, while the companion's user types the number.
    Approved,
    /// The companion went away before it had the number.
    Away,
    /// The companion has accepted, and its phone did not hear it.
    Unheard,
}

fn moment(fault: &Fault) -> Moment {
    match (fault.kind, fault.amount % 4) {
        (Kind::OfferCancelled, 0) => Moment::Attempt,
        (Kind::OfferCancelled, 1) => Moment::Approved,
        (_, 0 | 2) => Moment::Away,
        _ => Moment::Unheard,
    }
}

/// A fault begins: it waits for what it is to meet.
pub fn begin(world: &mut World, number: usize) {
    world.offers.armed.push(number);
}

fn take(world: &mut World, filter: impl Fn(&Fault) -> bool) -> Option<(usize, Fault)> {
    let faults = &world.plan.faults;
    let at = world.offers.armed.iter().position(|number| faults.get(*number).is_some_and(&filter))?;
    let number = world.offers.armed.remove(at);
    Some((number, world.plan.faults.get(number)?.clone()))
}

/// The phone's user has scanned a companion's code.
pub fn scanned(world: &mut World) {
    if let Some((number, fault)) = take(world, |fault| moment(fault) == Moment::Attempt) {
        world.at(world.now + fault.amount / 4 % 3_000_000, SimEvent::FaultLater(number));
    }
}

/// The phone's user has approved a companion, which is offered a link now.
pub fn approved(world: &mut World, web: usize) {
    let Some(companion) = offered(world) else { return };
    let since = world.nodes[PHONE.0].lived(world.now);
    let _ = world.ledger.offers.entry(companion).or_insert(since);
    let Some((number, fault)) = take(world, |fault| moment(fault) != Moment::Attempt) else { return };
    let draw = fault.amount / 4;
    let wait = match moment(&fault) {
        Moment::Away => {
            let id = world.web_node(web);
            world.crash(id, true);
            draw % 8_000_000
        }
        Moment::Unheard => {
            world.offers.mute.push(web);
            draw % 8_000_000
        }
        Moment::Attempt | Moment::Approved => draw % 1_500_000,
    };
    world.at(world.now + wait, SimEvent::FaultLater(number));
}

/// The number is about to be typed into a companion: what it says from now on may be lost.
pub fn number_comes(world: &mut World, web: usize) {
    let Some(at) = world.offers.mute.iter().position(|mute| *mute == web) else { return };
    let _ = world.offers.mute.swap_remove(at);
    let id = world.web_node(web);
    for conn in world.conns.values_mut().filter(|conn| conn.node == id) {
        conn.dead = true;
    }
}

/// The newest companion that the phone offers a link, by its disk.
fn offered(world: &World) -> Option<CompanionId> {
    let sql = "SELECT companion FROM companions WHERE status = 'offered' ORDER BY serial DESC";
    let row = world.nodes[PHONE.0].disk.look().query_row(sql, [], |row| row.get(0));
    row.ok().map(CompanionId::from_bytes)
}

/// Whether the phone's disk has a companion, offered or linked.
#[must_use]
pub fn is_there(world: &World, companion: CompanionId) -> bool {
    let sql =
        "SELECT 1 FROM companions WHERE companion = ?1 AND status IN ('offered', 'active', 'suspended')";
    let there = world.nodes[PHONE.0].disk.look().query_row(sql, [companion.as_bytes()], |_| Ok(()));
    there.is_ok()
}

/// No more is done to offers.
pub fn end(world: &mut World) {
    world.offers = Offers::default();
}

/// The moment has come.
pub fn later(world: &mut World, fault: &Fault, number: usize) {
    if fault.kind == Kind::OfferLapses {
        return lapse(world, fault);
    }
    if world.nodes[PHONE.0].machine.is_none() || world.nodes[PHONE.0].asleep_until > world.now {
        return world.at(world.now + AGAIN_AFTER, SimEvent::FaultLater(number));
    }
    let time = world.nodes[PHONE.0].clocks(world.now);
    let scanning = world.ledger.phone.scanning.is_some();
    let Some(companion) = offered(world) else {
        if scanning {
            if let Some(app) = world.nodes[PHONE.0].phone() {
                app.cancel_scan(time);
            }
            world.ledger.fire(Kind::OfferCancelled);
            let _ = world.run(PHONE);
        }
        return;
    };
    let is_taken = world.nodes[PHONE.0].phone().is_some_and(|app| app.cancel(time, companion).is_ok());
    if is_taken {
        world.ledger.fire(Kind::OfferCancelled);
    }
    let ran = world.run(PHONE);
    if !is_taken || ran == Ran::NotStored {
        return world.at(world.now + AGAIN_AFTER, SimEvent::FaultLater(number));
    }
    if !is_there(world, companion) {
        let _ = world.ledger.cancelled.insert(companion);
    } else if scanning {
        // The attempt is over, and its offer still stands: the user was told so.
        world.at(world.now + AGAIN_AFTER, SimEvent::FaultLater(number));
    } else {
        world.ledger.violation("cancel-holds", format!("{companion} was cancelled, and is there"));
    }
}

/// Ten minutes go by at the phone, or not quite, while it runs or while it is off.
fn lapse(world: &mut World, fault: &Fault) {
    if offered(world).is_none() {
        return;
    }
    world.ledger.fire(Kind::OfferLapses);
    let jump = if fault.amount.is_multiple_of(5) { LIFE - ABOUT } else { LIFE + ABOUT };
    if fault.amount.is_multiple_of(3) {
        world.crash(PHONE, true);
    }
    world.nodes[PHONE.0].sleeps(world.now, jump);
}
