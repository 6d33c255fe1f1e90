//! Once faults stop, every link is LIVE or in the one right stopped state: `recovers`.

use handfast::session::LinkState;

use crate::world::World;

/// The invariant's name.
pub const RECOVERS: &str = "recovers";

/// Whether every link stands where it must.
///
/// # Errors
///
/// Which does not.
pub fn everyone_stands_right(world: &mut World) -> Result<(), (&'static str, String)> {
    for web in 0..world.plan.webs {
        if world.ledger.evil.contains(&web) {
            continue;
        }
        let view = &world.ledger.webs[web];
        let Some(companion) = view.companion else {
            return Err((RECOVERS, format!("companion {web} is not linked")));
        };
        let at_phone = world.ledger.phone.states.get(&companion).copied();
        let live = view.state == Some(LinkState::Live) && at_phone == Some(LinkState::Live);
        if is_stopped(world, web) {
            if !world.ledger.may_stop.contains(&web) {
                return Err(("no-false-alarm", format!("companion {web} is stopped")));
            }
            continue;
        }
        if world.ledger.copy_live.contains(&web) && !world.ledger.phone_lost {
            return Err(("second-holder-noticed", format!("companion {web} was copied, and both were live")));
        }
        if !live {
            return Err((
                RECOVERS,
                format!("companion {web}: {:?} there, {at_phone:?} at the phone", view.state),
            ));
        }
    }
    Ok(())
}

/// Messages 1 that a companion needs, at most, once faults have stopped. Each is one round trip: one that fails since
/// the peer does not know yet that its connection is gone, one that is answered `UNKNOWN_KEY` or not at all, a recovery, and
/// a resume; twice, since the relay may have told either of the two wrong before.
pub const ATTEMPTS_MAX: u64 = 8;

/// Links come back within few round trips: `few-round-trips`.
pub fn within_round_trips(world: &mut World) {
    let over: Vec<_> = world
        .ledger
        .attempts
        .iter()
        .filter(|(web, count)| **count > ATTEMPTS_MAX && !is_out(world, **web))
        .map(|(web, count)| format!("companion {web} sent message 1 {count} times"))
        .collect();
    for detail in over {
        world.ledger.violation("few-round-trips", detail);
    }
}

/// Whether a link promises nothing: it is stopped, or one side of it was evil.
#[must_use]
pub fn is_out(world: &World, web: usize) -> bool {
    world.ledger.evil.contains(&web) || is_stopped(world, web)
}

/// Whether a link is stopped on both sides: two holders were seen.
#[must_use]
pub fn is_stopped(world: &World, web: usize) -> bool {
    let view = &world.ledger.webs[web];
    let Some(companion) = view.companion else { return false };
    let status = world.nodes[0].disk.look().query_row(
        "SELECT status FROM companions WHERE companion = ?1",
        [companion.as_bytes()],
        |row| row.get::<_, String>(0),
    );
    match status {
        // An offer that lapsed, or was cancelled, at a phone that has lost that it was accepted.
        Ok(status) => status == "suspended" || (status == "forgotten" && world.ledger.phone_lost),
        // The phone that linked it is no more.
        Err(_) => world.ledger.phone_lost,
    }
}

/// The epochs of each companion's session that promises something, from its disk.
#[must_use]
pub fn epochs(world: &World) -> Vec<(usize, Vec<u8>)> {
    let honest = (0..world.plan.webs).filter(|web| !is_out(world, *web));
    let row = |web: usize| {
        let disk = world.nodes[world.web_node(web).0].disk.look();
        let sql = "SELECT substr(value, 2, 32) FROM handfast WHERE key = x'11'";
        disk.query_row(sql, [], |row| row.get(0)).unwrap_or_default()
    };
    honest.map(|web| (web, row(web))).collect()
}
