//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time of the wall clock, in milliseconds since 1970. The clock may be wrong.
#[must_use]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
