//! The invariants, checked from outside: by what users were told, by SQL over the disks, by the bytes on the wire.

pub mod delivery;
pub mod limits;
pub mod logs;
pub mod nonces;
pub mod offers;
pub mod quota;
pub mod recovery;
pub mod rules;
pub mod tries;

use crate::world::World;

/// Whether the world has come to rest in a state that is right; if not, what is missing.
///
/// # Errors
///
/// What is missing yet: the invariant, and what was seen.
pub fn at_rest(world: &mut World) -> Result<(), (&'static str, String)> {
    recovery::everyone_stands_right(world)?;
    logs::converge(world)?;
    offers::none_stands(world)?;
    quota::old_is_gone(world)?;
    delivery::nothing_is_under_way(world)
}

/// What must hold at the end, and at any other time.
pub fn at_end(world: &mut World) {
    delivery::exactly_once(world);
    delivery::in_order(world);
    delivery::put_back_is_told(world);
    delivery::replies_hold(world);
    delivery::reads_hold(world);
    delivery::media_is_whole(world);
    limits::hold(world);
    quota::sample(world);
    recovery::within_round_trips(world);
}
