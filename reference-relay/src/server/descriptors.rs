//! File descriptors: each connection needs one, and the usual soft limit allows far fewer than the relay's
//! limits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::ServerConfig;
use crate::core::limits::SOCKETS_PER_ADDRESS_MIN;

/// How many descriptors are needed besides those of connections: for files, listeners and the runtime.
const SPARE: u64 = 64;
/// When descriptors are scarce, one address may have all connections divided by this.
const SHARE_OF_ADDRESS: usize = 4;
/// When descriptors are scarce, all sockets divided by this are kept for links.
const SHARE_RESERVED: usize = 8;

/// Raises the process's limit of open files to what the configuration needs. If that is not allowed, lowers
/// the limits in the configuration instead, and returns a warning.
pub(super) fn fit(config: &mut ServerConfig) -> Option<String> {
    let needed =
        u64::try_from(config.server_limits.connections_max).unwrap_or(u64::MAX).saturating_add(SPARE);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // A process without a limit counts as one with the largest number.
    let (soft, hard) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    let mut available = soft;
    if soft < needed {
        let wanted = needed.min(hard);
        if setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok() {
            available = wanted;
        }
    }
    let max = usize::try_from(available.saturating_sub(SPARE).max(1)).unwrap_or(usize::MAX);
    clamp(config, max).then(|| {
        format!(
            "this process may open {available} files, so the relay takes {max} connections at most: allow it \
             {needed} files (ulimit -Hn, or LimitNOFILE= of systemd)"
        )
    })
}

/// Lowers the limits in the configuration to `max` connections. Returns false if they are already that low.
fn clamp(config: &mut ServerConfig, max: usize) -> bool {
    let (server, relay) = (&mut config.server_limits, &mut config.relay_limits);
    if server.connections_max <= max {
        return false;
    }
    let of_address = (max / SHARE_OF_ADDRESS).max(SOCKETS_PER_ADDRESS_MIN);
    server.connections_max = max;
    server.connections_per_address_max = server.connections_per_address_max.min(of_address);
    relay.sockets_max = relay.sockets_max.min(max);
    relay.sockets_per_address_max = relay.sockets_per_address_max.min(of_address);
    relay.sockets_reserved = relay.sockets_reserved.min(relay.sockets_max / SHARE_RESERVED);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clamped(max: usize) -> (bool, ServerConfig) {
        let mut config = ServerConfig::new(([127, 0, 0, 1], 0).into());
        (clamp(&mut config, max), config)
    }

    #[test]
    fn caps_that_the_descriptors_allow_stay() {
        let (lowered, config) = clamped(18_432);
        assert!(!lowered);
        assert_eq!(config.relay_limits, crate::core::Limits::default());
    }

    #[test]
    fn caps_past_the_descriptors_are_lowered_together() {
        for (max, of_address, reserved) in [(18_431, 512, 2_048), (960, 240, 120), (100, 64, 12), (1, 64, 0)]
        {
            let (lowered, config) = clamped(max);
            assert!(lowered);
            assert_eq!(config.server_limits.connections_max, max);
            assert_eq!(config.server_limits.connections_per_address_max, of_address, "{max}");
            assert_eq!(config.relay_limits.sockets_max, max.min(16_384));
            assert!(config.relay_limits.sockets_per_address_max >= SOCKETS_PER_ADDRESS_MIN);
            assert_eq!(config.relay_limits.sockets_reserved, reserved, "{max}");
        }
    }
}
