//! Relay names: `host[:port]` in lower case (spec, qr).

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{DecodeError, ErrorCode};
use crate::limits::RELAY_NAME_LEN_MAX;

/// The name of a relay: a DNS name, an IPv4 address or a bracketed IPv6 address. A port follows unless it is
/// the default port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayName(String);

impl RelayName {
    /// Checks a text, and returns it as a relay name.
    ///
    /// # Errors
    /// `RELAY_NAME` when the text is not a relay name by the rule of the specification, section qr.
    pub fn parse(name: &str) -> Result<Self, DecodeError> {
        Self::from_slice(name.as_bytes(), 0)
    }

    /// Checks a name whose bytes begin at offset `at` of the outermost input.
    pub(crate) fn from_slice(name: &[u8], at: usize) -> Result<Self, DecodeError> {
        // req: QRP-005
        let refused = || DecodeError::new(ErrorCode::RELAY_NAME, at, "relay name");
        let text = core::str::from_utf8(name).map_err(|_| refused())?;
        if text.is_empty() || text.len() > RELAY_NAME_LEN_MAX || !is_name(text) {
            return Err(refused());
        }
        Ok(Self(String::from(text)))
    }

    /// Returns the whole name, as a QR code, a link and HELLO contain it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name without its port; an IPv6 address keeps its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        split_port(&self.0).map_or("", |(host, _)| host)
    }

    /// Returns the port, if the name has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        split_port(&self.0).and_then(|(_, port)| port)
    }

    /// Returns the IP address, if the host is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let host = self.host();
        match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        }
    }

    /// Returns whether the host is `localhost` or a loopback address, the only hosts that are reached without
    /// TLS.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host() == "localhost" || self.address().is_some_and(|address| address.is_loopback())
    }

    /// Returns the URL of the relay's WebSocket: `ws` for a relay on this machine, `wss` for any other.
    #[must_use]
    pub fn url(&self) -> String {
        // req: RLY-022
        let scheme = if self.is_loopback() { "ws" } else { "wss" };
        alloc::format!("{scheme}://{self}/v1")
    }
}

fn is_name(name: &str) -> bool {
    let Some((host, _)) = split_port(name) else { return false };
    if let Some(rest) = host.strip_prefix('[') {
        let v6 = rest.strip_suffix(']').unwrap_or("");
        return !v6.bytes().any(|byte| byte.is_ascii_uppercase()) && v6.parse::<Ipv6Addr>().is_ok();
    }
    if !host.split('.').all(is_label) {
        return false;
    }
    // URL parsers take a name whose last label is a number for an IPv4 address, so the name must be an IPv4
    // address then.
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex =
        last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if last.bytes().all(|byte| byte.is_ascii_digit()) || hex {
        host.parse::<Ipv4Addr>().is_ok()
    } else {
        true
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Splits a name into host and port. Returns `None` when the port is malformed.
fn split_port(name: &str) -> Option<(&str, Option<u16>)> {
    let bracket = name.rfind(']').unwrap_or(0);
    match name.rfind(':').filter(|colon| *colon > bracket) {
        None => Some((name, None)),
        Some(colon) => {
            let (host, port) = name.split_at_checked(colon)?;
            let digits = port.strip_prefix(':')?;
            let valid = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
            let port = digits.parse::<u16>().ok().filter(|port| valid && *port != 0)?;
            Some((host, Some(port)))
        }
    }
}

impl fmt::Display for RelayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RelayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayName({})", self.0)
    }
}

impl core::str::FromStr for RelayName {
    type Err = DecodeError;

    fn from_str(name: &str) -> Result<Self, DecodeError> {
        Self::parse(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_spoken_to_without_tls() {
        // req: RLY-022
        for (name, expected) in [
            ("127.0.0.1:8787", "ws://127.0.0.1:8787/v1"),
            ("localhost", "ws://localhost/v1"),
            ("[::1]:9", "ws://[::1]:9/v1"),
            ("relay.example", "wss://relay.example/v1"),
            ("localhost.example:80", "wss://localhost.example:80/v1"),
            ("192.168.0.1", "wss://192.168.0.1/v1"),
        ] {
            assert_eq!(RelayName::parse(name).unwrap().url(), expected);
        }
    }

    #[test]
    fn names_that_follow_the_rule_are_kept_as_they_are() {
        for (name, host, port) in [
            ("relay.example", "relay.example", None),
            ("relay.example:8443", "relay.example", Some(8443)),
            ("127.0.0.1:8787", "127.0.0.1", Some(8787)),
            ("[::1]:8787", "[::1]", Some(8787)),
            ("[2001:db8::1]", "[2001:db8::1]", None),
            ("localhost", "localhost", None),
            ("xn--bcher-kva.example:65535", "xn--bcher-kva.example", Some(65535)),
        ] {
            let parsed = RelayName::parse(name).unwrap();
            assert_eq!((parsed.as_str(), parsed.host(), parsed.port()), (name, host, port));
        }
    }

    #[test]
    fn names_that_break_the_rule_are_refused() {
        // req: QRP-005
        let long = "a".repeat(64);
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "A.example",
            "a_b",
            "a:0",
            "a:",
            "a:01",
            "a:65536",
            "a:+1",
            ":1",
            "a:1:2",
            "1.2.3",
            "1.2.3.256",
            "1.2.3.04",
            "0x7f",
            "a.0x1",
            "a.1",
            "[::1",
            "::1",
            "[::G]",
            "[::A]",
            "[]",
            "[1.2.3.4]",
            "[::1]x",
            "[fe80::1%eth0]",
            "a b",
            "b\u{fc}cher.example",
            "a/b",
            "user@a",
            &long,
        ] {
            let expected = DecodeError::new(ErrorCode::RELAY_NAME, 0, "relay name");
            assert_eq!(RelayName::parse(name), Err(expected), "{name:?}");
        }
    }

    #[test]
    fn a_name_has_64_bytes_at_most() {
        let longest = alloc::format!("{}.{}", "a".repeat(31), "b".repeat(32));
        assert_eq!(longest.len(), RELAY_NAME_LEN_MAX);
        assert!(RelayName::parse(&longest).is_ok());
        assert!(RelayName::parse(&alloc::format!("a{longest}")).is_err());
    }

    #[test]
    fn loopback_is_localhost_and_loopback_literals() {
        for (name, loopback) in [
            ("localhost:1", true),
            ("127.9.9.9", true),
            ("[::1]:9", true),
            ("localhost.example", false),
            ("10.0.0.1", false),
            ("[::2]", false),
        ] {
            assert_eq!(RelayName::parse(name).unwrap().is_loopback(), loopback, "{name}");
        }
    }
}
