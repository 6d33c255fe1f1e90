//! Times, which cross the border as milliseconds.

use handfast::Timestamp;

/// Converts a time of the program.
pub(crate) fn time(ms: u64) -> Timestamp {
    Timestamp::from_micros(ms.saturating_mul(1_000))
}

/// Converts a time for the program, up to the next millisecond: a timer that is early would be in vain.
pub(crate) fn at_ms(at: Timestamp) -> u64 {
    let micros = at.since(Timestamp::ZERO).as_micros();
    u64::try_from(micros.div_ceil(1_000)).unwrap_or(u64::MAX)
}
