//! Counts TCP connections from accept to end, so that none slips past the caps before it is a socket of the core.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The connections open now.
#[derive(Debug, Default)]
pub(super) struct Connections {
    counts: Mutex<Counts>,
    empty: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    connections: Arc<Connections>,
    address: IpAddr,
}

impl Connections {
    /// A place for one more connection, unless there are too many.
    pub(super) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        max: usize,
        max_of_address: usize,
    ) -> Option<Permit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.total >= max || of_address >= max_of_address {
            return None;
        }
        counts.total += 1;
        let _ = counts.by_address.insert(address, of_address + 1);
        Some(Permit { connections: Arc::clone(self), address })
    }

    pub(super) fn total(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// Waits until no connection is open.
    pub(super) async fn none_left(&self) {
        while self.total() > 0 {
            self.empty.notified().await;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.connections.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total = counts.total.saturating_sub(1);
        let left = counts.by_address.get(&self.address).map_or(0, |count| count.saturating_sub(1));
        let _ = match left {
            0 => counts.by_address.remove(&self.address),
            left => counts.by_address.insert(self.address, left),
        };
        if counts.total == 0 {
            self.connections.empty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let connections = Arc::new(Connections::default());
        let (here, there): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let first = connections.enter(here, 3, 2).expect("room");
        let _second = connections.enter(here, 3, 2).expect("room");
        assert!(connections.enter(here, 3, 2).is_none(), "the address is full");
        let third = connections.enter(there, 3, 2).expect("room");
        assert!(connections.enter(there, 3, 2).is_none(), "the relay is full");
        drop(first);
        drop(third);
        assert_eq!(connections.total(), 1);
        assert!(connections.enter(here, 3, 2).is_some());
        assert_eq!(connections.counts.lock().expect("no panic").by_address.len(), 1);
    }
}
