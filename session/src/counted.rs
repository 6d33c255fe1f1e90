//! How many of something came within a second.

use core::time::Duration;

use handfast_codec::Timestamp;

/// For how long things are counted together.
const WITHIN: Duration = Duration::from_secs(1);

/// A count that begins with the first thing that it counts, and again with the first one after a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    since: Timestamp,
    count: u32,
}

impl Counted {
    /// Nothing has come.
    pub(crate) fn since(since: Timestamp) -> Self {
        Self { since, count: 0 }
    }

    /// Counts one more. Returns whether it is past the most of a second.
    pub(crate) fn is_too_many(&mut self, now: Timestamp, max: u32) -> bool {
        if now >= self.ends() {
            *self = Self::since(now);
        }
        self.count = self.count.saturating_add(1);
        self.count > max
    }

    /// When a new count begins.
    pub(crate) fn ends(&self) -> Timestamp {
        self.since.plus(WITHIN)
    }
}
