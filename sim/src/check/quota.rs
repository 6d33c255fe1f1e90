//! A link has no more at the phone than its share of content that no message names, uploads leave the disk its reserve, and
//! what no message named for a day is gone: `quota-holds`.

use handfast::codec::limits::{UPLOADS_COUNT_MAX, UPLOADS_LEN_MAX};

use crate::kind::Kind;
use crate::users::PHONE;
use crate::world::World;

/// The invariant's name.
const HOLDS: &str = "quota-holds";
/// Files that the simulator itself has written stand in no quota: their ids begin like this (see `faults::quota`).
const PLANTED: &str = "SELECT count(*) FROM claims WHERE substr(content, 10) = ?1";
/// A disk may be at a commit for so long, in microseconds.
const SLACK: u64 = 5_000_000;

/// Whether a device has other content than its commits say: it was put back, or there are two of it.
fn is_forked(world: &World) -> bool {
    world.ledger.phone_lost || !world.ledger.may_stop.is_empty()
}

/// Looks at what is there.
pub fn sample(world: &mut World) {
    if world.ledger.tight.is_none() || is_forked(world) {
        return;
    }
    let sql = "SELECT count(*), sum(size) FROM claims JOIN media USING(content) GROUP BY link";
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let rows: Vec<(u64, u64)> = {
        let conn = world.nodes[PHONE.0].disk.look();
        let Ok(mut query) = conn.prepare_cached(sql) else { return };
        let rows = query.query_map([], |row| Ok((number(row.get(0)?), number(row.get(1)?))));
        rows.into_iter().flatten().flatten().collect()
    };
    for (count, len) in rows {
        if count > UPLOADS_COUNT_MAX || len > UPLOADS_LEN_MAX {
            world.ledger.violation(HOLDS, format!("a link has {count} contents of {len} bytes unnamed"));
        }
    }
    if !crate::faults::quota::is_reserve_left(world) {
        world.ledger.violation(HOLDS, "uploads took from the reserve of the phone's disk");
    }
}

/// Whether what was soon a day old is gone.
///
/// # Errors
///
/// How much is there.
pub fn old_is_gone(world: &World) -> Result<(), (&'static str, String)> {
    let by = world.ledger.forgotten_by;
    let set_back = world.plan.faults.iter().any(|fault| fault.kind == Kind::ClockBack);
    if by == 0 || set_back || world.ledger.phone_lost {
        return Ok(());
    }
    let conn = world.nodes[PHONE.0].disk.look();
    let left: i64 = conn.query_row(PLANTED, [[0x51_u8; 23]], |row| row.get(0)).unwrap_or(-1);
    if world.now <= by + SLACK || left == 0 {
        return Ok(());
    }
    Err((HOLDS, format!("{left} contents are there that no message named for a day")))
}
