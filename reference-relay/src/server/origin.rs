//! Which pages may connect. A client that is no browser sends no Origin and is free.

use handfast_codec::RelayName;

/// The origins whose pages may connect.
#[derive(Debug)]
pub(super) struct OriginPolicy {
    allowed: Vec<String>,
}

impl OriginPolicy {
    /// The relay's own origin, and those of the list. The own origin goes by the relay's *name*, never by the Host
    /// header, which a page of any name can have.
    pub(super) fn new(name: &RelayName, mut allowed: Vec<String>) -> Self {
        allowed.push(format!("https://{name}"));
        if name.is_loopback() {
            allowed.push(format!("http://{name}"));
        }
        Self { allowed }
    }

    pub(super) fn allows(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str) -> OriginPolicy {
        OriginPolicy::new(
            &RelayName::parse(name).expect("a valid name"),
            vec!["https://app.example".to_owned()],
        )
    }

    #[test]
    fn its_own_origin_and_the_listed_ones_are_allowed() {
        let public = policy("relay.example");
        assert!(public.allows("https://relay.example") && public.allows("https://app.example"));
        let local = policy("127.0.0.1:8787");
        assert!(local.allows("http://127.0.0.1:8787"));
    }

    #[test]
    fn any_other_is_not() {
        let public = policy("relay.example");
        for origin in [
            "null",
            "",
            "http://relay.example",
            "https://relay.example:444",
            "https://relay.example.evil.example",
            "https://evil.example",
            "HTTPS://RELAY.EXAMPLE",
            "https://app.example/",
        ] {
            assert!(!public.allows(origin), "{origin}");
        }
        assert!(!policy("127.0.0.1:8787").allows("http://localhost:8787"));
    }
}
