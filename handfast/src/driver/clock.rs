//! The monotonic clock of a process, and the detection of sleep.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use handfast_codec::Timestamp;

/// If the two clocks advance by amounts that differ by this much, the computer counts as having slept.
const JUMP: Duration = Duration::from_secs(10);

/// The monotonic clock of one process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Creates a clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Returns the time since the clock's start.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::ZERO.plus(self.start.elapsed())
    }
}

/// Detects that the computer slept or that its wall clock was set; call `probe` on the machines then (spec,
/// TIM-004).
///
/// On many systems the monotonic clock stops during sleep, so that no deadline of a machine would pass.
#[derive(Clone, Copy, Debug)]
pub struct SleepWatch {
    clock: Clock,
    apart: Duration,
}

impl SleepWatch {
    /// The longest time between two checks for sleep.
    const EVERY: Duration = Duration::from_secs(5);

    /// Starts the detection of sleep, over this clock.
    #[must_use]
    pub fn start(clock: Clock) -> Self {
        Self { clock, apart: Self::apart(clock, SystemTime::now()) }
    }

    /// Returns whether the computer slept, or its wall clock was set by more than 10 s, since the last check.
    #[must_use]
    pub fn has_jumped(&mut self) -> bool {
        self.has_jumped_at(SystemTime::now())
    }

    /// Returns how long a program may wait until `deadline`: at most 5 s, so that sleep is detected in time.
    #[must_use]
    pub fn wait(deadline: Option<Duration>) -> Duration {
        deadline.map_or(Self::EVERY, |deadline| deadline.min(Self::EVERY))
    }

    fn has_jumped_at(&mut self, wall: SystemTime) -> bool {
        let before = std::mem::replace(&mut self.apart, Self::apart(self.clock, wall));
        self.apart.abs_diff(before) > JUMP
    }

    /// Returns how far the wall clock is ahead of the monotonic clock.
    fn apart(clock: Clock, wall: SystemTime) -> Duration {
        wall.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(clock.start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_the_clock_is_noticed_once() {
        // req: TIM-004
        let second = Duration::from_secs(1);
        let mut watch = SleepWatch::start(Clock::start());
        let now = SystemTime::now();
        assert!(!watch.has_jumped_at(now + 9 * second), "as far as clocks come apart");
        assert!(watch.has_jumped_at(now + 21 * second), "it slept");
        assert!(!watch.has_jumped_at(now + 21 * second), "it was noticed");
        assert!(watch.has_jumped_at(now), "its clock was set back");
        assert!(watch.has_jumped_at(UNIX_EPOCH), "its clock was never set");
    }

    #[test]
    fn whoever_waits_looks_every_five_seconds() {
        let second = Duration::from_secs(1);
        assert_eq!(
            [None, Some(6 * second), Some(second)].map(SleepWatch::wait),
            [5 * second, 5 * second, second]
        );
    }

    #[test]
    fn the_clock_does_not_go_back() {
        let clock = Clock::start();
        let (one, two) = (clock.now(), clock.now());
        assert!(one <= two);
    }
}
