//! Two honest ends break no rule of their session, whatever the network and the disks do: `no-rule-broken`.

use handfast::ErrorCode;

use crate::world::World;

/// What an end says when the other has broken a rule under keys that only the two of them have.
const BROKEN: [ErrorCode; 9] = [
    ErrorCode::SEQ_GAP,
    ErrorCode::PART_ORDER,
    ErrorCode::ACK_FUTURE,
    ErrorCode::UNACKED,
    ErrorCode::CREDIT_EXCEEDED,
    ErrorCode::OFFSET,
    ErrorCode::STREAM_STATE,
    ErrorCode::STREAM_ID,
    ErrorCode::COMMAND_FLOOR,
];

/// The link of a companion failed for this reason.
pub fn link_failed(world: &mut World, web: usize, name: &'static str, code: ErrorCode) {
    world.ledger.failed.push((web, name, code));
    // A copy, or an older state of itself, does again what was done: numbers of streams and messages that were used.
    let forked = world.ledger.may_stop.contains(&web);
    let honest = !forked && !world.ledger.evil.contains(&web) && !world.ledger.liars.contains(&web);
    if BROKEN.contains(&code) && honest {
        world.ledger.violation("no-rule-broken", format!("{name} says {code:?} of companion {web}"));
    }
}
