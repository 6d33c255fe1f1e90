//! Counts TCP connections from their accept to their end, so that the limits also apply to a connection that
//! is not a socket of the core yet.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::core::network::{Holding, Network, Usages};

/// The connections that are open now.
#[derive(Debug, Default)]
pub(super) struct Connections {
    counts: Mutex<Counts>,
    empty: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_network: Usages,
}

/// The place of one connection in the count. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Permit {
    connections: Arc<Connections>,
    /// The network for whose limit the connection counts; `None` for a proxy, because its connections belong
    /// to many clients.
    network: Option<Network>,
}

impl Connections {
    /// Counts one more connection, unless there are too many. `address` is `None` for a proxy. A proxy has no
    /// limit of its own: its clients are counted once their addresses are known.
    pub(super) fn enter(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        max: usize,
        max_of_address: usize,
    ) -> Option<Permit> {
        let network = address.map(Network::from);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // req: RLY-021, RLY-069
        if counts.total >= max
            || network
                .is_some_and(|network| !counts.by_network.take(network, Holding::Socket, max_of_address))
        {
            return None;
        }
        counts.total += 1;
        Some(Permit { connections: Arc::clone(self), network })
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
        if let Some(network) = self.network {
            counts.by_network.give(network, Holding::Socket);
        }
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
        let first = connections.enter(Some(here), 3, 2).expect("room");
        let second = connections.enter(Some(here), 3, 2).expect("room");
        assert!(connections.enter(Some(here), 3, 2).is_none(), "the address is full");
        let third = connections.enter(Some(there), 3, 2).expect("room");
        assert!(connections.enter(Some(there), 3, 2).is_none(), "the relay is full");
        drop(first);
        drop(third);
        assert_eq!(connections.total(), 1);
        let again = connections.enter(Some(here), 3, 2);
        assert!(again.is_some());
        drop((second, again));
        assert!(connections.counts.lock().expect("no panic").by_network.is_empty());
    }

    #[test]
    fn an_ipv6_network_of_64_is_one_address() {
        // req: RLY-021
        let connections = Arc::new(Connections::default());
        let enter = |text: &str| connections.enter(Some(text.parse().expect("an address")), 100, 2);
        let held = [enter("2001:db8::1"), enter("2001:db8::ffff:2")];
        assert!(held.iter().all(Option::is_some));
        assert!(enter("2001:db8::3").is_none(), "another address of the same /64");
        assert!(enter("2001:db8:0:1::1").is_some(), "another /64");
    }

    #[test]
    fn a_proxy_has_the_cap_of_all_alone() {
        let connections = Arc::new(Connections::default());
        let held: Vec<_> = (0..9).map(|_| connections.enter(None, 9, 2)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(connections.enter(None, 9, 2).is_none());
    }
}
