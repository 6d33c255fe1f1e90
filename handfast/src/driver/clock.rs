//! The monotonic clock of one process.

use std::time::Instant;

use handfast_codec::Timestamp;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_does_not_go_back() {
        let clock = Clock::start();
        let (one, two) = (clock.now(), clock.now());
        assert!(one <= two);
    }
}
