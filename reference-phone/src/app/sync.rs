//! Answers to companions' requests for the change log.

use handfast::session::{RowDigest, SyncEvent};
use handfast_messages::grants;

use super::Now;
use super::link::Link;
use crate::store::{Delta, PageRows, Store, StoreError};

/// Answers a request of the machine from durable data. A companion without the right to read gets every
/// collection empty.
pub(super) fn answer(now: Now, link: &mut Link, store: &Store, wanted: SyncEvent) -> Result<(), StoreError> {
    let may_read = link.data.grants & grants::READ != 0;
    // If the connection that asked has ended the machine refuses the answer. It can be dropped.
    let _ = match wanted {
        SyncEvent::DeltaWanted { collection, after, budget } => {
            let delta = if may_read {
                store.delta(&collection, after, budget)?
            } else {
                Some(Delta::nothing(store.rev().max(after)))
            };
            match delta {
                Some(delta) => link.endpoint.provide_delta(now.mono, &collection, delta.to, &delta.items),
                None => link.endpoint.require_snapshot(now.mono, &collection),
            }
        }
        SyncEvent::PageWanted { collection, page, budget } => {
            let rows = if may_read {
                store.page(&collection, &page, budget)?
            } else {
                Some(PageRows::empty(store.rev()))
            };
            match rows {
                Some(PageRows { rev, next, items }) => {
                    link.endpoint.provide_page(now.mono, &collection, rev, next, &items)
                }
                None => link.endpoint.reject_page_cursor(now.mono, &collection),
            }
        }
        SyncEvent::DigestWanted { collection } => {
            let digest = if may_read { store.digest(&collection)? } else { RowDigest::default() };
            link.endpoint.provide_digest(now.mono, &collection, store.rev(), digest.value())
        }
        // What only a companion hears.
        _ => Ok(()),
    };
    Ok(())
}
