//! The address of a client behind a proxy. Headers count only if they come from proxies that the operator
//! named.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};

use crate::core::Source;

/// A block of addresses, such as `10.0.0.0/8`, `2001:db8::/32` or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// The reason why a text is not a block of proxies. The message says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidrError {
    /// The text is not an address or a block.
    #[error("{0:?} is no address block: write an address, or a block like 10.0.0.0/8 or fd00::/8")]
    Malformed(String),
    /// Bits after the block's prefix are set, so it is unclear which block is meant.
    #[error("{0:?} has bits behind its prefix: write {1}, or the address alone")]
    HostBits(String, Cidr),
    /// The block contains every address.
    #[error("{0:?} holds every address, so that any client could write its own: name the proxy's address")]
    Everybody(String),
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let malformed = || CidrError::Malformed(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let canonical = address.to_canonical();
        let mapped = if canonical == address { 0 } else { 96 };
        let bits = if canonical.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let prefix: u8 = digits.parse().map_err(|_| malformed())?;
                prefix.checked_sub(mapped).filter(|prefix| *prefix <= bits).ok_or_else(malformed)?
            }
            Some(_) => return Err(malformed()),
        };
        if prefix == 0 {
            return Err(CidrError::Everybody(text.to_owned()));
        }
        let block = Self { address: cut(canonical, prefix), prefix };
        if block.address == canonical { Ok(block) } else { Err(CidrError::HostBits(text.to_owned(), block)) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Cidr {
    fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && cut(address, self.prefix) == self.address
    }
}

/// Returns an address with all bits after the prefix cleared.
fn cut(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// The header in which proxies name a client's address. Only one is read, because a proxy may leave the other
/// header as the client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies that are trusted, and the header that they set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxies {
    /// The address blocks of the proxies.
    pub trusted: Vec<Cidr>,
    /// The header in which these proxies name a client's address.
    pub header: ProxyHeader,
}

impl Proxies {
    /// Returns whether this address is that of a trusted proxy.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|block| block.holds(address))
    }

    /// Returns where a request comes from that arrived on a connection from `peer`.
    pub(super) fn source(&self, peer: IpAddr, headers: &HeaderMap) -> Source {
        // req: RLY-067
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return Source::Real(peer);
        }
        for hop in self.hops(headers).iter().rev() {
            match hop {
                Some(address) if self.trusts(*address) => {}
                Some(address) => return Source::Real(*address),
                // A proxy has hidden or garbled the address. Entries further to the left may be forged.
                None => break,
            }
        }
        // req: RLY-068
        Source::Behind(peer)
    }

    /// Returns the addresses of the header from left to right. An entry that is not an address is `None`.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let name = match self.header {
            ProxyHeader::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            ProxyHeader::Forwarded => HeaderName::from_static("forwarded"),
        };
        let mut hops = Vec::new();
        for value in headers.get_all(name) {
            let Ok(text) = value.to_str() else {
                hops.push(None);
                continue;
            };
            for element in split(text, ',').filter(|element| !element.is_empty()) {
                hops.push(match self.header {
                    ProxyHeader::XForwardedFor => node(element),
                    ProxyHeader::Forwarded => forwarded_for(element).as_deref().and_then(node),
                });
            }
        }
        hops
    }
}

/// Splits a header's value at the separators that are not within quotes. Returns the parts, trimmed.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return letter == separator && !quoted,
        }
        false
    })
    .map(str::trim)
}

/// Returns the `for` parameter of one element of `Forwarded`, without quotes.
fn forwarded_for(element: &str) -> Option<String> {
    let value = split(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })?;
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(quoted.map_or_else(|| value.to_owned(), |value| value.replace('\\', "")))
}

/// Parses an address as proxies write it: bare, in brackets, or with a port.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = || {
        let (address, port) = text.strip_prefix('[')?.split_once(']')?;
        (port.is_empty() || port.starts_with(':')).then_some(address)
    };
    let with_port =
        || text.split_once(':').filter(|(_, port)| !port.contains(':')).map(|(address, _)| address);
    let address = bracketed().or_else(with_port).unwrap_or(text);
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(blocks: &[&str], header: ProxyHeader) -> Proxies {
        Proxies { trusted: blocks.iter().map(|block| block.parse().expect(block)).collect(), header }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn source(proxies: &Proxies, peer: &str, lines: &[&str]) -> Source {
        let name = match proxies.header {
            ProxyHeader::XForwardedFor => "x-forwarded-for",
            ProxyHeader::Forwarded => "forwarded",
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            let _ = headers.append(name, line.parse().expect("a value"));
        }
        proxies.source(ip(peer), &headers)
    }

    #[test]
    fn nobody_is_believed_unless_named() {
        // req: RLY-067
        let (nobody, one) = (Proxies::default(), proxies(&["192.0.2.1"], ProxyHeader::XForwardedFor));
        for peer in ["127.0.0.1", "192.0.2.2", "::1", "::ffff:192.0.2.2"] {
            let real = Source::Real(ip(peer).to_canonical());
            assert_eq!(source(&nobody, peer, &["198.51.100.1"]), real, "{peer}");
            assert_eq!(source(&one, peer, &["198.51.100.1"]), real, "{peer}");
        }
        for peer in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert_eq!(source(&one, peer, &["198.51.100.1"]), Source::Real(ip("198.51.100.1")), "{peer}");
        }
    }

    #[test]
    fn the_rightmost_stranger_counts_and_never_what_the_client_wrote() {
        // req: RLY-067
        let chain = proxies(&["10.0.0.0/8", "fd00::/8"], ProxyHeader::XForwardedFor);
        for (lines, real) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            (&["1.1.1.1, 10.9.9.9, 203.0.113.9, 10.0.0.2, fd00::2"], "203.0.113.9"),
            (&["1.1.1.1", "203.0.113.9,10.0.0.2"], "203.0.113.9"),
            (&["unknown, 203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9, ::ffff:10.0.0.2 ,"], "203.0.113.9"),
        ] {
            assert_eq!(source(&chain, "10.0.0.1", lines), Source::Real(ip(real)), "{lines:?}");
        }
    }

    #[test]
    fn without_an_address_of_a_stranger_it_is_not_known() {
        // req: RLY-068
        let chain = proxies(&["10.0.0.0/8"], ProxyHeader::XForwardedFor);
        for lines in [
            &[][..],
            &[""],
            &["10.0.0.2, 10.0.0.3"],
            &["203.0.113.9, unknown"],
            &["203.0.113.9, _hidden, 10.0.0.2"],
            &["203.0.113.9, 1.2.3"],
            &["203.0.113.9, fe80::1%eth0"],
            &["203.0.113.9", "\u{00e4}"],
        ] {
            assert_eq!(source(&chain, "10.0.0.1", lines), Source::Behind(ip("10.0.0.1")), "{lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_says_and_alone() {
        // req: RLY-067, RLY-068
        let chain = proxies(&["10.0.0.0/8"], ProxyHeader::Forwarded);
        for (line, real) in [
            ("for=203.0.113.9", Some("203.0.113.9")),
            ("For=\"[2001:db8::7]:4711\";proto=https", Some("2001:db8::7")),
            ("for=1.1.1.1, by=10.0.0.1;for=203.0.113.9;host=\"a,for=2.2.2.2;b\"", Some("203.0.113.9")),
            ("for=1.1.1.1;host=\"x\\\", for=2.2.2.2\", for=10.0.0.3", Some("1.1.1.1")),
            ("for=1.1.1.1, for=_secret", None),
            ("for=1.1.1.1, proto=https", None),
            ("for=unknown", None),
        ] {
            let expected = real.map_or(Source::Behind(ip("10.0.0.1")), |real| Source::Real(ip(real)));
            assert_eq!(source(&chain, "10.0.0.1", &[line]), expected, "{line}");
        }
        let mut other = HeaderMap::new();
        let _ = other.insert("x-forwarded-for", "203.0.113.9".parse().expect("a value"));
        assert_eq!(chain.source(ip("10.0.0.1"), &other), Source::Behind(ip("10.0.0.1")));
    }

    #[test]
    fn a_block_is_read_or_refused_with_what_to_write() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("127.0.0.1", "127.0.0.1/32"),
            ("::1", "::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ] {
            assert_eq!(text.parse::<Cidr>().map(|block| block.to_string()), Ok(shown.to_owned()), "{text}");
        }
        for (text, part) in [
            ("", "no address block"),
            ("proxy.example", "no address block"),
            ("10.0.0.0/33", "no address block"),
            ("10.0.0.0/+8", "no address block"),
            ("10.0.0.0/", "no address block"),
            ("10.0.0.1/8", "write 10.0.0.0/8"),
            ("2001:db8::1/32", "write 2001:db8::/32"),
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
        ] {
            let refused = text.parse::<Cidr>().expect_err(text).to_string();
            assert!(refused.contains(part), "{text}: {refused}");
        }
    }
}
