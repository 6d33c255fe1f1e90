//! How long a program pauses after a failure of its store. The time is a parameter; no clock is read.

use core::time::Duration;

use handfast_codec::Timestamp;

/// The pause after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const MAX: Duration = Duration::from_mins(1);

/// The pauses of a program whose store fails: one second at first, twice as long after each further failure,
/// one minute at most.
#[derive(Debug, Default)]
pub struct StoreBackoff {
    failures: u32,
    until: Option<Timestamp>,
}

impl StoreBackoff {
    /// Begins a pause after a round that could not be stored. Returns its length.
    pub(super) fn begin(&mut self, now: Timestamp) -> Duration {
        let pause = FIRST.saturating_mul(1 << self.failures.min(8)).min(MAX);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now.plus(pause));
        pause
    }

    /// Returns the end of the pause, if there is one.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Returns whether there is a pause.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Returns whether there is a pause whose end has come.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Ends the pause, because the program now loads again what is stored.
    pub(super) const fn end(&mut self) {
        self.until = None;
    }

    /// Makes the next pause short again, because a transaction was stored successfully.
    pub(super) const fn stored(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn pauses_double_to_a_minute_and_are_short_again_after_a_commit() {
        let now = Timestamp::from_micros(5_000_000);
        let mut backoff = StoreBackoff::default();
        assert!(!backoff.is_on() && !backoff.is_due(now));
        let seconds: Vec<u64> = (0..12).map(|_| backoff.begin(now).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]);
        assert_eq!(backoff.until(), Some(now.plus(MAX)));
        assert!(backoff.is_on() && !backoff.is_due(now) && backoff.is_due(now.plus(MAX)));
        backoff.end();
        assert_eq!((backoff.until(), backoff.begin(now)), (None, MAX), "nothing was stored in between");
        backoff.stored();
        assert_eq!(backoff.begin(now), FIRST);
    }
}
