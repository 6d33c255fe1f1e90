//! What counts as one address: caps and the "same network" hint go by it.

use core::net::IpAddr;
use std::collections::BTreeMap;

/// One address's network: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Network {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => Self::V6(v6.octets().first_chunk().copied().unwrap_or_default()),
        }
    }
}

/// What the sockets of one network hold at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    sockets: usize,
    pairings: usize,
}

/// What every network holds; a network that holds nothing has no entry.
#[derive(Debug, Default)]
pub(crate) struct Usages(BTreeMap<Network, Usage>);

/// The two things that are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holding {
    Socket,
    Pairing,
}

impl Usages {
    fn part(usage: &mut Usage, holding: Holding) -> &mut usize {
        match holding {
            Holding::Socket => &mut usage.sockets,
            Holding::Pairing => &mut usage.pairings,
        }
    }

    /// Counts one more, unless `max` are held already.
    pub(crate) fn take(&mut self, network: Network, holding: Holding, max: usize) -> bool {
        let mut usage = self.0.get(&network).copied().unwrap_or_default();
        let part = Self::part(&mut usage, holding);
        if *part >= max {
            return false;
        }
        *part = part.saturating_add(1);
        let _ = self.0.insert(network, usage);
        true
    }

    /// Counts one less, and forgets a network that holds nothing.
    pub(crate) fn give(&mut self, network: Network, holding: Holding) {
        if let Some(usage) = self.0.get_mut(&network) {
            let part = Self::part(usage, holding);
            *part = part.saturating_sub(1);
            if *usage == Usage::default() {
                let _ = self.0.remove(&network);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn ipv6_counts_by_its_64() {
        assert_eq!(network("2001:db8:1:2:3::1"), network("2001:db8:1:2::ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }

    #[test]
    fn a_mapped_address_is_its_ipv4() {
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn a_network_is_forgotten_with_its_last_holding() {
        let (mut usages, home) = (Usages::default(), network("192.0.2.1"));
        assert!(usages.take(home, Holding::Socket, 1), "the first fits");
        assert!(!usages.take(home, Holding::Socket, 1), "the second does not");
        assert!(usages.take(home, Holding::Pairing, 1), "another kind has its own cap");
        usages.give(home, Holding::Socket);
        assert!(!usages.is_empty(), "the pairing is still held");
        usages.give(home, Holding::Pairing);
        usages.give(home, Holding::Pairing);
        assert!(usages.is_empty(), "nothing is held");
    }
}
