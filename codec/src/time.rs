//! Timestamps of a clock that the caller reads.

use core::time::Duration;

/// A time on the caller's monotonic clock, in microseconds from a start that the caller chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);

    /// Returns the time `micros` microseconds after the start of the clock.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since the start of the clock.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns the time that is `duration` later, or the last time that can be represented if that comes
    /// first.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Returns how much time has passed since `earlier`, or zero if `earlier` is the later time.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_and_differences_saturate() {
        let end = Timestamp::from_micros(u64::MAX);
        assert_eq!(Timestamp::ZERO.plus(Duration::from_millis(2)).as_micros(), 2_000);
        assert_eq!(end.plus(Duration::from_micros(1)), end);
        assert_eq!(Timestamp::ZERO.plus(Duration::MAX), end);
        assert_eq!(Timestamp::from_micros(7).since(Timestamp::from_micros(5)), Duration::from_micros(2));
        assert_eq!(Timestamp::from_micros(5).since(Timestamp::from_micros(7)), Duration::ZERO);
    }
}
