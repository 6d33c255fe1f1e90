//! A rate limit by fixed windows of one second.

use core::time::Duration;

use handfast_codec::Timestamp;

/// The length of a window.
const WITHIN: Duration = Duration::from_secs(1);

/// A counter whose window starts with the first event counted, so that idle time costs nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    since: Timestamp,
    count: u32,
}

impl Counted {
    /// Creates a counter whose window starts at `since`.
    pub(crate) fn since(since: Timestamp) -> Self {
        Self { since, count: 0 }
    }

    /// Counts one event. Returns whether it exceeds `max` within the current window.
    pub(crate) fn is_too_many(&mut self, now: Timestamp, max: u32) -> bool {
        if now >= self.ends() {
            *self = Self::since(now);
        }
        self.count = self.count.saturating_add(1);
        self.count > max
    }

    /// Returns when the current window ends.
    pub(crate) fn ends(&self) -> Timestamp {
        self.since.plus(WITHIN)
    }
}
