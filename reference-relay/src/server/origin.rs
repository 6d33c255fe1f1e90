//! The check of the Origin header. Clients that are not browsers send none, and may connect.

use handfast_codec::RelayName;

/// The origins whose pages may connect.
#[derive(Debug)]
pub(super) struct OriginPolicy {
    allowed: Vec<String>,
}

impl OriginPolicy {
    /// Returns the policy by which pages of these origins may connect, and pages of the relay's own origin if
    /// it serves a page. `own` is the relay's configured name then. The Host header is not used for it,
    /// because any page can choose that.
    pub(super) fn new(own: Option<&RelayName>, mut allowed: Vec<String>) -> Self {
        if let Some(name) = own {
            allowed.push(format!("https://{name}"));
            if name.is_loopback() {
                allowed.push(format!("http://{name}"));
            }
        }
        Self { allowed: allowed.iter().map(|origin| as_sent(origin)).collect() }
    }

    pub(super) fn allows(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == origin)
    }
}

/// Returns an origin in the form in which a browser sends it, without the default port of its scheme.
fn as_sent(origin: &str) -> String {
    let port = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(port).unwrap_or(origin).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str) -> OriginPolicy {
        OriginPolicy::new(
            Some(&RelayName::parse(name).expect("a valid name")),
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
    fn a_port_that_a_browser_leaves_out_is_left_out() {
        // req: RLY-025
        for (name, origin, other) in [
            ("relay.example:443", "https://relay.example", "https://relay.example:443"),
            ("relay.example:8443", "https://relay.example:8443", "https://relay.example"),
            ("relay.example:80", "https://relay.example:80", "http://relay.example"),
            ("[2001:db8::443]:443", "https://[2001:db8::443]", "https://[2001:db8:"),
            ("127.0.0.1:80", "http://127.0.0.1", "http://127.0.0.1:80"),
            ("localhost:443", "http://localhost:443", "http://localhost"),
        ] {
            let own = OriginPolicy::new(Some(&RelayName::parse(name).expect("a name")), Vec::new());
            assert!(own.allows(origin), "{name}: {origin}");
            assert!(!own.allows(other), "{name}: {other}");
        }
        let listed = ["https://a.example:443", "http://b.example:80", "http://c.example:443"];
        let listed = OriginPolicy::new(None, listed.map(str::to_owned).to_vec());
        for origin in ["https://a.example", "http://b.example", "http://c.example:443"] {
            assert!(listed.allows(origin), "{origin}");
        }
    }

    #[test]
    fn without_a_page_the_own_origin_is_one_like_any_other() {
        // req: RLY-025
        let none = OriginPolicy::new(None, vec!["https://app.example".to_owned()]);
        assert!(none.allows("https://app.example"));
        for origin in ["https://relay.example", "http://127.0.0.1:8787", "http://localhost"] {
            assert!(!none.allows(origin), "{origin}");
        }
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
