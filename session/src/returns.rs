//! When a phone comes back to a seat that another socket took: late, at random, and five times an hour at most, so that
//! two phones on one store do not fight for it for ever. May touch: nothing outside memory.

use alloc::collections::VecDeque;
use core::time::Duration;

use handfast_codec::Timestamp;

use crate::jitter::Jitter;

/// The least wait before a return.
pub(crate) const RETURN_MIN: Duration = Duration::from_secs(30);
/// What is added to it at most, at random.
const RETURN_SPREAD: Duration = Duration::from_mins(1);
/// Returns in any [`RETURN_WINDOW`].
pub(crate) const RETURNS_MAX: usize = 5;
/// The time over which returns are counted.
const RETURN_WINDOW: Duration = Duration::from_hours(1);

/// The last returns to one seat, the oldest first; [`RETURNS_MAX`] at most.
#[derive(Debug, Default)]
pub(crate) struct Returns(VecDeque<Timestamp>);

impl Returns {
    /// The seat was taken: when to come back.
    pub(crate) fn next(&mut self, now: Timestamp, jitter: &mut Jitter) -> Timestamp {
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
                // It is taken again as soon as it is back.
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
