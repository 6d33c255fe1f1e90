//! An offer that was cancelled, or is older than ten minutes, is over for good, and leaves no keys: `offer-over`.

use handfast::codec::ids::{CompanionId, MailboxId};

use crate::faults::offers::{LIFE, is_there};
use crate::kind::Kind;
use crate::users::PHONE;
use crate::world::World;

/// The invariant's name.
const OVER: &str = "offer-over";
/// A disk may be at a commit for so long when an offer's time ends, in microseconds.
const SLACK: u64 = 5_000_000;

/// Whether an offer is older than it may be, by the time that went by at the phone.
fn is_old(world: &World, companion: CompanionId) -> bool {
    // A clock that was set back makes what is stored look younger.
    let set_back = world.plan.faults.iter().any(|fault| fault.kind == Kind::ClockBack);
    let lived = world.nodes[PHONE.0].lived(world.now);
    let since = world.ledger.offers.get(&companion);
    !set_back && since.is_some_and(|since| lived > since + LIFE + SLACK)
}

/// A companion is linked at the phone.
pub fn linked(world: &mut World, companion: CompanionId) {
    // A phone that lost commits may have lost that.
    if world.ledger.phone_lost {
        return;
    }
    if world.ledger.cancelled.contains(&companion) {
        world.ledger.violation(OVER, format!("{companion} is linked, and was cancelled"));
    } else if is_old(world, companion) {
        world.ledger.violation(OVER, format!("{companion} is linked, behind the end of its offer"));
    }
    let _ = world.ledger.offers.remove(&companion);
}

/// Whether the phone keeps the keys of a link that it does not have.
fn keys_are_left(world: &World) -> Option<MailboxId> {
    let sql = "SELECT link FROM handfast
               WHERE link NOT IN (SELECT link FROM companions WHERE status <> 'forgotten') LIMIT 1";
    let left = world.nodes[PHONE.0].disk.look().query_row(sql, [], |row| row.get(0));
    left.ok().map(MailboxId::from_bytes)
}

/// Whether no offer stands that is over, and nothing is left of one.
///
/// # Errors
///
/// Which does.
pub fn none_stands(world: &World) -> Result<(), (&'static str, String)> {
    if let Some(link) = keys_are_left(world) {
        return Err((OVER, format!("the phone keeps the keys of {link}, which it does not have")));
    }
    if world.ledger.phone_lost {
        return Ok(());
    }
    if let Some(companion) = world.ledger.cancelled.iter().find(|companion| is_there(world, **companion)) {
        return Err((OVER, format!("{companion} was cancelled, and the phone has it")));
    }
    let is_left = |companion: &&CompanionId| is_old(world, **companion) && is_there(world, **companion);
    if let Some(companion) = world.ledger.offers.keys().find(is_left) {
        return Err((OVER, format!("the phone offers {companion} still")));
    }
    Ok(())
}
