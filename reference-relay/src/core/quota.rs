//! The hourly bytes of each network, so that strangers cannot use the relay as a tunnel.

use core::num::NonZeroU64;
use core::time::Duration;
use std::collections::BTreeMap;

use handfast_codec::Timestamp;

use super::limits::BYTES_WINDOW;
use super::network::Network;
use super::pace::Pace;

/// A frame counts as this many bytes at least, because a tiny frame costs the relay as much work as a longer
/// one.
const FRAME_LEN_MIN: usize = 256;
/// With fewer entries than this, entries that are back at the full quota are not removed.
const SWEEP_AT_LEAST: usize = 1_024;

/// What each network has spent of its hourly bytes and time has not refilled yet.
#[derive(Debug, Default)]
pub(crate) struct ByteQuotas {
    paces: BTreeMap<Network, Pace>,
    sweep_at: usize,
}

impl ByteQuotas {
    /// Counts a DATA frame of `len` bytes.
    pub(crate) fn carried(&mut self, now: Timestamp, network: Network, len: usize, per_hour: NonZeroU64) {
        if self.paces.len() >= self.sweep_at.max(SWEEP_AT_LEAST) {
            self.paces.retain(|_, pace| !pace.is_paid(now));
            // The next removal comes only when the entries have doubled, so that each entry pays for being
            // looked at.
            self.sweep_at = self.paces.len().saturating_mul(2);
        }
        self.paces.entry(network).or_default().spend(now, cost(len, per_hour));
    }

    /// Returns how long nothing should be read from this network.
    pub(crate) fn pause(&self, now: Timestamp, network: Network) -> Duration {
        self.paces.get(&network).map_or(Duration::ZERO, |pace| pace.excess(now, BYTES_WINDOW))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.paces.len()
    }
}

/// Returns the time in which the quota for `len` bytes is refilled.
fn cost(len: usize, per_hour: NonZeroU64) -> Duration {
    let len = u64::try_from(len.max(FRAME_LEN_MIN)).unwrap_or(u64::MAX);
    let hour = u64::try_from(BYTES_WINDOW.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(
        u64::try_from(
            u128::from(len)
                .saturating_mul(u128::from(hour))
                .checked_div(u128::from(per_hour.get()))
                .unwrap_or(0),
        )
        .unwrap_or(u64::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: NonZeroU64 = NonZeroU64::new(16_384_000).expect("not zero");
    const HOME: Network = Network::V4([192, 0, 2, 1]);
    const AWAY: Network = Network::V4([192, 0, 2, 2]);

    #[test]
    fn a_network_is_paused_past_its_hour_and_no_other_is() {
        let (mut quotas, now) = (ByteQuotas::default(), Timestamp::from_micros(5));
        for _ in 0..1_000 {
            quotas.carried(now, HOME, 16_384, HOUR);
        }
        assert_eq!(quotas.pause(now, HOME), Duration::ZERO, "exactly the hour's bytes");
        quotas.carried(now, HOME, 16_384, HOUR);
        assert_eq!(quotas.pause(now, HOME), Duration::from_millis(3_600));
        assert_eq!(quotas.pause(now, AWAY), Duration::ZERO);
        assert_eq!(quotas.pause(now.plus(Duration::from_millis(3_600)), HOME), Duration::ZERO);
    }

    #[test]
    fn tiny_frames_count_as_256_bytes() {
        let (mut tiny, mut small) = (ByteQuotas::default(), ByteQuotas::default());
        for _ in 0..70_000 {
            tiny.carried(Timestamp::ZERO, HOME, 2, HOUR);
            small.carried(Timestamp::ZERO, HOME, 256, HOUR);
        }
        assert!(tiny.pause(Timestamp::ZERO, HOME) > Duration::ZERO);
        assert_eq!(tiny.pause(Timestamp::ZERO, HOME), small.pause(Timestamp::ZERO, HOME));
    }

    #[test]
    fn who_has_paid_is_forgotten() {
        let mut quotas = ByteQuotas::default();
        for n in 0..100_000_u32 {
            let now = Timestamp::from_micros(u64::from(n) * 100_000);
            quotas.carried(now, Network::V4(n.to_be_bytes()), 300, HOUR);
        }
        assert!(quotas.len() <= SWEEP_AT_LEAST, "{}", quotas.len());
    }
}
