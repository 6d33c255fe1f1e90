//! Rate limits. Each is stored as a single time: when everything that was spent will be refilled.

use core::time::Duration;

use handfast_codec::Timestamp;

/// A token bucket: a full window may be spent at once, and after that only as much as is refilled with time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    paid_at: Timestamp,
}

impl Pace {
    /// Spends an amount that takes the time `cost` to refill.
    pub(crate) fn spend(&mut self, now: Timestamp, cost: Duration) {
        self.paid_at = self.paid_at.max(now).plus(cost);
    }

    /// Returns how far the spending exceeds the window, as a time; zero if it does not.
    pub(crate) fn excess(self, now: Timestamp, window: Duration) -> Duration {
        self.paid_at.since(now).saturating_sub(window)
    }

    /// Returns whether everything that was spent is refilled, so that the entry can be forgotten.
    pub(crate) fn is_paid(self, now: Timestamp) -> bool {
        self.paid_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(8);
    const COST: Duration = Duration::from_millis(125);

    #[test]
    fn a_window_fits_at_once_and_then_what_time_pays_for() {
        let (mut pace, now) = (Pace::default(), Timestamp::from_micros(7_000_000));
        for _ in 0..64 {
            pace.spend(now, COST);
        }
        assert_eq!(pace.excess(now, WINDOW), Duration::ZERO, "64 at once");
        pace.spend(now, COST);
        assert_eq!(pace.excess(now, WINDOW), COST, "the 65th is too much");
        let later = now.plus(COST);
        assert_eq!(pace.excess(later, WINDOW), Duration::ZERO);
        pace.spend(later, COST);
        assert!(pace.excess(later, WINDOW) > Duration::ZERO, "one for each that was paid");
    }

    #[test]
    fn what_was_saved_up_is_a_window_and_no_more() {
        let mut pace = Pace::default();
        let late = Timestamp::from_micros(3_600_000_000);
        assert!(pace.is_paid(late));
        pace.spend(late, WINDOW);
        assert_eq!(pace.excess(late, WINDOW), Duration::ZERO);
        pace.spend(late, Duration::from_micros(1));
        assert_eq!(pace.excess(late, WINDOW), Duration::from_micros(1));
        assert!(!pace.is_paid(late) && pace.is_paid(late.plus(WINDOW).plus(COST)));
    }
}
