//! The relays that this phone may use.

use std::net::IpAddr;

use handfast::RelayName;
use handfast::codec::qr::RelayRef;

/// The list of relays that the user allowed, and whether developer mode is on.
#[derive(Clone, Debug, Default)]
pub struct RelayPolicy {
    allowed: Vec<RelayName>,
    developer: bool,
}

/// The reason why the relay that a code names is refused. Nothing was sent to that relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayRefused {
    /// The relay is not one that the user allowed.
    #[error(
        "the code names the relay {0}, which is not in this phone's list; allow it with --allow-relay {0}"
    )]
    NotAllowed(RelayName),
    /// The code names the relay by a number that this program does not know.
    #[error(
        "the code names a relay by the number {0}, which this program does not know; use a newer program"
    )]
    Unknown(u8),
}

impl RelayPolicy {
    /// Creates a policy. In developer mode, a code may also name any relay on this machine or in a private
    /// network.
    #[must_use]
    pub fn new(allowed: Vec<RelayName>, developer: bool) -> Self {
        Self { allowed, developer }
    }

    /// Returns the relay that a code names, if it may be used.
    ///
    /// # Errors
    ///
    /// [`RelayRefused`] if the relay may not be used. No packet was sent then.
    pub fn check(&self, relay: &RelayRef) -> Result<RelayName, RelayRefused> {
        match relay {
            RelayRef::Host(name) if self.allowed.contains(name) => Ok(name.clone()),
            RelayRef::Host(name) if self.developer && is_private(name) => Ok(name.clone()),
            RelayRef::Host(name) => Err(RelayRefused::NotAllowed(name.clone())),
            RelayRef::Registered(number) | RelayRef::Private(number) => Err(RelayRefused::Unknown(*number)),
        }
    }
}

/// Returns whether a name is that of this machine, or an address of a private network. The name is not looked
/// up.
fn is_private(name: &RelayName) -> bool {
    name.is_loopback()
        || match name.address() {
            Some(IpAddr::V4(v4)) => v4.is_private() || v4.is_link_local(),
            Some(IpAddr::V6(v6)) => v6.is_unique_local() || v6.is_unicast_link_local(),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> RelayRef {
        RelayRef::Host(RelayName::parse(name).unwrap())
    }

    #[test]
    fn only_listed_relays_pass_and_the_refusal_names_the_flag() {
        let policy = RelayPolicy::new(vec![RelayName::parse("relay.example:8443").unwrap()], false);
        assert!(policy.check(&host("relay.example:8443")).is_ok());
        for other in ["relay.example", "evil.example:8443", "127.0.0.1:8787", "localhost", "10.0.0.1"] {
            let refused = policy.check(&host(other)).unwrap_err();
            assert!(refused.to_string().contains(&format!("--allow-relay {other}")), "{refused}");
        }
        assert_eq!(policy.check(&RelayRef::Private(240)), Err(RelayRefused::Unknown(240)));
    }

    #[test]
    fn developer_mode_adds_this_machine_and_private_networks_only() {
        let policy = RelayPolicy::new(Vec::new(), true);
        for near in ["127.0.0.1:8787", "localhost:1", "[::1]:9", "192.168.1.4", "10.1.2.3:80", "[fd00::1]"] {
            assert!(policy.check(&host(near)).is_ok(), "{near}");
        }
        for far in ["relay.example", "8.8.8.8", "[2001:db8::1]", "localhost.example"] {
            assert!(policy.check(&host(far)).is_err(), "{far}");
        }
    }
}
