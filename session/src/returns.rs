//! The reconnects of a phone whose seat another socket took. They are late, at random times, and at most five
//! in an hour, so that two phones with one store do not evict each other forever. Nothing here does I/O.

use alloc::collections::VecDeque;
use core::time::Duration;

use handfast_codec::Timestamp;

use crate::jitter::Jitter;

/// The shortest delay before such a reconnect.
pub(crate) const RETURN_MIN: Duration = Duration::from_secs(30);
/// The largest random addition to that delay.
const RETURN_SPREAD: Duration = Duration::from_mins(1);
/// The most reconnects within any [`RETURN_WINDOW`].
pub(crate) const RETURNS_MAX: usize = 5;
/// The time over which reconnects are counted.
const RETURN_WINDOW: Duration = Duration::from_hours(1);

/// The times of the last reconnects to one seat, oldest first; at most [`RETURNS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Returns(VecDeque<Timestamp>);

impl Returns {
    /// Returns when to reconnect after the seat was taken.
    pub(crate) fn next(&mut self, now: Timestamp, jitter: &mut Jitter) -> Timestamp {
        // If the other socket is a copy of this phone, it does the same, and both would evict each other.
        // req: TIM-010
        let mut at = now.plus(RETURN_MIN.saturating_add(jitter.up_to(RETURN_SPREAD)));
        if self.0.len() >= RETURNS_MAX
            && let Some(oldest) = self.0.pop_front()
        {
            at = at.max(oldest.plus(RETURN_WINDOW));
        }
        self.0.push_back(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(minutes: u64) -> Timestamp {
        Timestamp::ZERO.plus(Duration::from_mins(minutes))
    }

    // req: TIM-010
    #[test]
    fn a_phone_returns_after_30_to_90_s_and_five_times_an_hour_at_most() {
        for seed in 0..50 {
            let (mut returns, mut jitter, mut now) = (Returns::default(), Jitter::new(seed), Timestamp::ZERO);
            let mut taken = alloc::vec::Vec::new();
            for number in 0..20 {
                let at = returns.next(now, &mut jitter);
                assert!(at >= now.plus(RETURN_MIN), "seed {seed}");
                if number < RETURNS_MAX {
                    assert!(
                        at <= now.plus(Duration::from_secs(90)),
                        "seed {seed}: the first five do not wait longer"
                    );
                }
                taken.push(at);
                // The other socket takes the seat again as soon as the phone is back.
                now = at;
            }
            for six in taken.windows(RETURNS_MAX + 1) {
                let (first, last) = (six.first().expect("six"), six.last().expect("six"));
                assert!(last.since(*first) >= RETURN_WINDOW, "seed {seed}: six returns within an hour");
            }
        }
    }

    // req: TIM-010
    #[test]
    fn one_that_is_rarely_taken_never_waits_longer() {
        let (mut returns, mut jitter) = (Returns::default(), Jitter::new(7));
        for hour in 0..20 {
            let now = after(13 * hour);
            assert!(returns.next(now, &mut jitter) <= now.plus(Duration::from_secs(90)));
        }
    }
}
