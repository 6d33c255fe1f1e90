//! How long a program rests after its store failed. It reads no clock: the time is a parameter.

use core::time::Duration;

use handfast::codec::Timestamp;

/// The rest after the first round that could not be stored.
const FIRST: Duration = Duration::from_secs(1);
/// The longest rest.
const MAX: Duration = Duration::from_mins(1);

/// The rests of a program whose store fails: a second, doubled with each failure that follows, a minute at most.
#[derive(Debug, Default)]
pub struct StoreBackoff {
    failures: u32,
    until: Option<Timestamp>,
}

impl StoreBackoff {
    /// A round could not be stored: a rest begins. Returns its length.
    pub fn begin(&mut self, now: Timestamp) -> Duration {
        let pause = FIRST.saturating_mul(1 << self.failures.min(8)).min(MAX);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now.plus(pause));
        pause
    }

    /// When the rest is over, if there is one.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Whether the program rests.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Whether there is a rest, and its time is up.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// What is stored was loaded again.
    pub const fn end(&mut self) {
        self.until = None;
    }

    /// A round is durable: the next rest is short again.
    pub const fn stored(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_to_a_minute_and_are_short_again_after_a_commit() {
        let now = Timestamp::from_micros(5_000_000);
        let mut rest = StoreBackoff::default();
        assert!(!rest.is_on() && !rest.is_due(now));
        let seconds: Vec<u64> = (0..12).map(|_| rest.begin(now).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]);
        assert_eq!(rest.until(), Some(now.plus(MAX)));
        assert!(rest.is_on() && !rest.is_due(now) && rest.is_due(now.plus(MAX)));
        rest.end();
        assert_eq!((rest.until(), rest.begin(now)), (None, MAX), "nothing was stored in between");
        rest.stored();
        assert_eq!(rest.begin(now), FIRST);
    }
}
