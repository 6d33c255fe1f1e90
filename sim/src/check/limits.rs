//! Queues stay within their named limits: `within-limits`.

use handfast::codec::limits::{OUTBOX_LEN_MAX, OUTBOX_MESSAGES_MAX};

use crate::world::World;

/// Checks what can be asked of the programs and the relay.
pub fn hold(world: &mut World) {
    let mut wrong = Vec::new();
    for id in 0..world.nodes.len() {
        let name = world.nodes[id].name.clone();
        if let Some(app) = world.nodes[id].phone()
            && let Ok(status) = app.status()
        {
            for link in status.links {
                if link.outbox.0 > OUTBOX_MESSAGES_MAX || link.outbox.1 > OUTBOX_LEN_MAX {
                    wrong.push(format!("{name}: an outbox of {:?}", link.outbox));
                }
            }
        }
        if let Some(app) = world.nodes[id].web()
            && let Ok(status) = app.status()
            && (status.outbox.0 > OUTBOX_MESSAGES_MAX || status.outbox.1 > OUTBOX_LEN_MAX)
        {
            wrong.push(format!("{name}: an outbox of {:?}", status.outbox));
        }
    }
    for detail in wrong {
        world.ledger.violation("within-limits", detail);
    }
}
