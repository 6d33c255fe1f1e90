//! How far beyond what the application took a sender may go: what the path carries, as measured (spec, streams).
//!
//! A window that is larger than what the path carries fills the queues on it, and messages wait in them. A smaller one
//! leaves the path idle. Nothing here does I/O.

use core::time::Duration;

use handfast_codec::Timestamp;
use handfast_codec::limits::{STREAM_CREDIT_START, STREAM_WINDOW_MAX};

/// How many rates are kept. The highest counts, so that one that a pause has lowered does not.
const RATES_KEPT: usize = 8;
/// How long DATA comes before a PING ends the measurement.
const MEASURED_AT_LEAST: Duration = Duration::from_millis(20);
/// A measurement in which no DATA came for this long says nothing about the path.
const MEASURED_AT_MOST: Duration = Duration::from_secs(1);
/// What is given beyond two round trips: the time in which a receiver hands over, and gives credit.
const SLACK: Duration = Duration::from_millis(20);

/// The window, and what it is computed from.
#[derive(Debug)]
pub(super) struct Window {
    /// The last rates at which DATA came, in bytes per second.
    rates: [u64; RATES_KEPT],
    /// How many rates were measured.
    measured: usize,
    /// When the current measurement began, and how much had come until then.
    began: Option<(Timestamp, u64)>,
    /// In bytes.
    len: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { rates: [0; RATES_KEPT], measured: 0, began: None, len: STREAM_CREDIT_START }
    }
}

impl Window {
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Records that DATA came; `received` is how much there was before. Returns whether a round trip should be measured
    /// now.
    pub(super) fn came(&mut self, now: Timestamp, received: u64) -> bool {
        let (at, _) = *self.began.get_or_insert((now, received));
        if now.since(at) > MEASURED_AT_MOST {
            self.began = Some((now, received));
        }
        now.since(at) >= MEASURED_AT_LEAST
    }

    /// Records the end of a round trip. `received` is how much DATA has come, `least` the shortest round trip that was
    /// seen.
    pub(super) fn measured(&mut self, now: Timestamp, received: u64, least: Duration) {
        let long_enough = |(at, _): &mut (Timestamp, u64)| now.since(*at) >= MEASURED_AT_LEAST;
        let Some((at, before)) = self.began.take_if(long_enough) else { return };
        let rate = per_second(received.saturating_sub(before), now.since(at));
        if let Some(oldest) = self.rates.get_mut(self.measured % RATES_KEPT) {
            *oldest = rate;
        }
        self.measured = self.measured.wrapping_add(1);
        let best = self.rates.iter().copied().max().unwrap_or(0);
        // Twice the round trip lets the rate double from one measurement to the next while the path carries more.
        // req: STR-014
        let carried = in_time(best, least.saturating_mul(2).saturating_add(SLACK));
        self.len = carried.clamp(STREAM_CREDIT_START, STREAM_WINDOW_MAX);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn per_second(len: u64, time: Duration) -> u64 {
    len.saturating_mul(1_000_000).checked_div(micros(time)).unwrap_or(0)
}

fn in_time(rate: u64, time: Duration) -> u64 {
    rate.saturating_mul(micros(time)) / 1_000_000
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Lets DATA come at a rate, as far as the window lets it, over a path with this round trip. Returns the window
    /// after each of the rounds.
    fn run(window: &mut Window, rate: u64, trip: Duration, rounds: usize) -> Vec<u64> {
        let (mut now, mut received) = (Timestamp::ZERO, 0);
        let mut seen = Vec::new();
        for _ in 0..rounds {
            // The sender is held up by the path or by the window, which it may use once a round trip.
            let carried = rate.min(per_second(window.len(), trip));
            let _ = window.came(now, received);
            now = now.plus(MEASURED_AT_LEAST);
            received += in_time(carried, MEASURED_AT_LEAST);
            assert!(window.came(now, received));
            now = now.plus(trip);
            received += in_time(carried, trip);
            window.measured(now, received, trip);
            seen.push(window.len());
        }
        seen
    }

    #[test]
    fn a_window_grows_to_what_the_path_carries_and_no_further() {
        // req: STR-014
        for (rate, trip) in
            [(1_250_000, 5 * MS), (25_000_000, 80 * MS), (6_250_000, 20 * MS), (300_000_000, MS)]
        {
            let seen = run(&mut Window::default(), rate, trip, 12);
            let wanted = in_time(rate, trip * 2 + SLACK).clamp(STREAM_CREDIT_START, STREAM_WINDOW_MAX);
            let reached = *seen.last().unwrap();
            assert!(reached <= wanted && reached >= wanted - wanted / 50, "{reached} of {wanted}: {seen:?}");
            // What waits on the path beyond what it carries is at most one round trip and the slack.
            assert!(reached <= in_time(rate, trip * 2 + SLACK).max(STREAM_CREDIT_START));
        }
        // At the largest window, and never beyond.
        let seen = run(&mut Window::default(), u64::MAX / 4_000_000, 80 * MS, 30);
        assert_eq!(seen.last(), Some(&STREAM_WINDOW_MAX));
    }

    #[test]
    fn a_pause_lowers_the_window_only_when_it_lasts() {
        // req: STR-014, STR-027
        let mut window = Window::default();
        let grown = *run(&mut window, 25_000_000, 20 * MS, 12).last().unwrap();
        assert_eq!(run(&mut window, 1, 20 * MS, RATES_KEPT - 1), vec![grown; RATES_KEPT - 1]);
        assert_eq!(run(&mut window, 1, 20 * MS, 1), [STREAM_CREDIT_START]);
        // What came before a pause is not measured together with what comes after it.
        let (start, later) = (Timestamp::ZERO, Timestamp::ZERO.plus(MEASURED_AT_MOST + MS));
        assert!(!window.came(start, 0));
        assert!(window.came(later, 5));
        window.measured(later.plus(MS), 10, MS);
        assert_eq!(window.began, Some((later, 5)), "too short to count");
    }
}
