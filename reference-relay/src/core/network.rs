//! Networks: what counts as one address, for limits and for the relay's word that two devices are in the same
//! network.

use core::net::IpAddr;
use std::collections::BTreeMap;

use super::limits::{CAPS_OF_SLASH_48, CAPS_OF_SLASH_56};

/// Where a connection comes from, as far as the caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the caller says which")]
pub enum Source {
    /// The client's own address.
    Real(IpAddr),
    /// The address of a trusted proxy, when the client's own address is unknown.
    Behind(IpAddr),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self::Real(address)
    }
}

impl From<[u8; 4]> for Source {
    fn from(address: [u8; 4]) -> Self {
        Self::Real(address.into())
    }
}

impl Source {
    /// Returns the address by which limits are counted.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        match self {
            Self::Real(address) | Self::Behind(address) => address,
        }
    }
}

/// The network of one address: an IPv4 address, or the /64 of an IPv6 address.
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

/// A network, or a larger one around it. Larger ones are counted too, because whoever has an IPv6 /48 or /56
/// has many /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Circle {
    Own(Network),
    V6Slash56([u8; 7]),
    V6Slash48([u8; 6]),
}

impl Network {
    /// Returns the network and the larger ones around it, each with its limit as a multiple of the limit of
    /// one address.
    pub(crate) fn circles(self) -> impl Iterator<Item = (Circle, usize)> {
        let wider = match self {
            Self::V4(_) => [None, None],
            Self::V6(bytes) => [
                bytes.first_chunk().map(|bytes| (Circle::V6Slash56(*bytes), CAPS_OF_SLASH_56)),
                bytes.first_chunk().map(|bytes| (Circle::V6Slash48(*bytes), CAPS_OF_SLASH_48)),
            ],
        };
        core::iter::once((Circle::Own(self), 1)).chain(wider.into_iter().flatten())
    }
}

/// How many sockets and mailboxes one network has now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    sockets: usize,
    pairings: usize,
}

/// What each network has now. A network that has nothing has no entry.
#[derive(Debug, Default)]
pub(crate) struct Usages(BTreeMap<Circle, Usage>);

/// The kinds of things that are counted.
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

    /// Returns whether the network may have one more of this kind, when one address may have `max`.
    pub(crate) fn has_room(&self, network: Network, holding: Holding, max: usize) -> bool {
        network.circles().all(|(circle, caps)| {
            let mut usage = self.0.get(&circle).copied().unwrap_or_default();
            *Self::part(&mut usage, holding) < max.saturating_mul(caps)
        })
    }

    /// Counts one more of this kind for the network. Returns false, and counts nothing, if that exceeds the
    /// limit of the network or of a larger one around it.
    pub(crate) fn take(&mut self, network: Network, holding: Holding, max: usize) -> bool {
        if !self.has_room(network, holding, max) {
            return false;
        }
        for (circle, _) in network.circles() {
            let part = Self::part(self.0.entry(circle).or_default(), holding);
            *part = part.saturating_add(1);
        }
        true
    }

    /// Counts one less of this kind for the network. Removes the entry of a network that then has nothing.
    pub(crate) fn give(&mut self, network: Network, holding: Holding) {
        for (circle, _) in network.circles() {
            if let Some(usage) = self.0.get_mut(&circle) {
                let part = Self::part(usage, holding);
                *part = part.saturating_sub(1);
                if *usage == Usage::default() {
                    let _ = self.0.remove(&circle);
                }
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
        for home in ["192.0.2.1", "2001:db8::1"] {
            let (mut usages, home) = (Usages::default(), network(home));
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

    /// Returns how many sockets fit when each comes from another one of these networks.
    fn fit(networks: impl Iterator<Item = String>, max: usize) -> usize {
        let mut usages = Usages::default();
        networks.filter(|text| usages.take(network(text), Holding::Socket, max)).count()
    }

    #[test]
    fn who_has_many_networks_of_64_does_not_have_as_many_caps() {
        // req: RLY-069
        let slash_56 = (0..=255).map(|n| format!("2001:db8:1:{n:x}::1"));
        assert_eq!(fit(slash_56, 3), 3 * CAPS_OF_SLASH_56);
        let slash_48 = (0..=65_535).map(|n| format!("2001:db8:1:{n:x}::1"));
        assert_eq!(fit(slash_48, 3), 3 * CAPS_OF_SLASH_48);
        let strangers = (0..1_000).map(|n| format!("2001:db8:{n:x}::1"));
        assert_eq!(fit(strangers, 3), 1_000, "networks of /48 have nothing to do with one another");
        let v4 = (0..=255).map(|n| format!("192.0.2.{n}"));
        assert_eq!(fit(v4, 3), 256);
    }
}
