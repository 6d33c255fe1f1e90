//! A message 1 of mode resume leaves a companion only when its try is on the disk: `try-durable-first`.
//!
//! So the disk's try is higher at each of them than at the one before, unless the disk lost what it had confirmed.

use std::collections::BTreeMap;

use handfast::codec::ids::MailboxId;
use handfast::session::StoreTxn;
use handfast::sqlite::Txn;

use crate::node::NodeId;
use crate::world::World;

/// How the DATA frame of a message 1 of mode resume begins: type, kind, suite, mode.
const MESSAGE_1: [u8; 2] = [handfast::codec::relay::RECORD_HEADER[0], 3];
const MODE_AT: usize = 3;
const MODE_RESUME: u8 = 0;

/// The try that was on each companion's disk when its last message 1 left, by link.
#[derive(Debug, Default)]
pub struct Tries {
    last: BTreeMap<(NodeId, Vec<u8>), u64>,
}

/// A companion's link, and the try that its disk holds.
fn stored(world: &World, id: NodeId) -> Option<(Vec<u8>, u64)> {
    let disk = &world.nodes[id.0].disk;
    let sql = "SELECT link FROM handfast WHERE key = x'02'";
    let link: [u8; 16] = disk.look().query_row(sql, [], |row| row.get(0)).ok()?;
    let key = disk.key();
    let row = Txn::new(disk.look(), &key).read(MailboxId::from_bytes(link), &[2]).ok()??;
    let (try_, _) = row.split_first_chunk::<8>()?;
    Some((link.to_vec(), u64::from_be_bytes(*try_)))
}

/// A device sent a frame.
pub fn sent(world: &mut World, id: NodeId, frame: &[u8]) {
    let is_message_1 = frame.starts_with(&MESSAGE_1) && frame.get(MODE_AT) == Some(&MODE_RESUME);
    let Some(web) = world.web_of(id).filter(|_| is_message_1) else { return };
    let Some((link, now)) = stored(world, id) else { return };
    let before = world.tries.last.insert((id, link), now);
    let lost = world.ledger.web_lost.contains(&web) || world.ledger.may_stop.contains(&web);
    if before.is_some_and(|before| now <= before) && !lost {
        let detail = format!("companion {web} sends a message 1 with try {now} on its disk, as before");
        world.ledger.violation("try-durable-first", detail);
    }
}
