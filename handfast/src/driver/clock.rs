//! The monotonic clock of one process, and what shows that the computer slept.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use handfast_codec::Timestamp;

/// How far the clocks of a process may come apart between two looks.
const JUMP: Duration = Duration::from_secs(10);

/// The monotonic clock of one process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time since its start.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::ZERO.plus(self.start.elapsed())
    }
}

/// Notices that the computer slept, or that its clock was set: the machines are to be told with `probe` (spec, TIM-004).
///
/// The monotonic clock stands still meanwhile on many systems, so no deadline of the machines would.
#[derive(Clone, Copy, Debug)]
pub struct SleepWatch {
    clock: Clock,
    apart: Duration,
}

impl SleepWatch {
    /// How often to look, at the least.
    const EVERY: Duration = Duration::from_secs(5);

    /// A watch over this clock that begins now.
    #[must_use]
    pub fn start(clock: Clock) -> Self {
        Self { clock, apart: Self::apart(clock, SystemTime::now()) }
    }

    /// Whether the computer slept, or its clock was set by more than 10 s, since the last look.
    #[must_use]
    pub fn has_jumped(&mut self) -> bool {
        self.has_jumped_at(SystemTime::now())
    }

    /// How long a program may wait that has nothing to do before `deadline`: 5 s at the most, so that it looks again.
    #[must_use]
    pub fn wait(deadline: Option<Duration>) -> Duration {
        deadline.map_or(Self::EVERY, |deadline| deadline.min(Self::EVERY))
    }

    fn has_jumped_at(&mut self, wall: SystemTime) -> bool {
        let before = std::mem::replace(&mut self.apart, Self::apart(self.clock, wall));
        self.apart.abs_diff(before) > JUMP
    }

    /// By how much the clock of the computer is ahead of the monotonic one.
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
