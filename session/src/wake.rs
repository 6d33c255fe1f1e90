//! Waking a sleeping phone: when the companion sends a WAKE, and when the phone ignores one (spec, timers).
//!
//! Nothing here does I/O.

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::relay::{RelayFrame, Wake};

use crate::jitter::Jitter;

/// The upper bounds of the random delays before each WAKE while the phone stays absent; the last one repeats.
const STEPS: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30), Duration::from_mins(2)];
/// The time over which wakes are counted.
const HOUR: Duration = Duration::from_hours(1);
/// The most WAKEs that a companion sends within an hour.
const ASKED_MAX: usize = 30;
/// The most wakes within an hour, without a confirm among them, because of which a phone connects.
const FOLLOWED_MAX: usize = 3;

/// The times of the last wakes, oldest first.
#[derive(Debug, Default)]
struct Hour(VecDeque<Timestamp>);

impl Hour {
    /// Returns the earliest time of the next wake, if at most `max` are allowed within an hour.
    fn room_at(&self, max: usize, now: Timestamp) -> Timestamp {
        let oldest = self.0.len().checked_sub(max).and_then(|over| self.0.get(over));
        oldest.map_or(now, |at| at.plus(HOUR).max(now))
    }

    fn push(&mut self, max: usize, now: Timestamp) {
        self.0.push_back(now);
        while self.0.len() > max {
            let _ = self.0.pop_front();
        }
    }
}

/// The companion's side, which sends WAKEs while the phone is absent.
#[derive(Debug, Default)]
pub(crate) struct WebWake {
    handle: Option<Bytes>,
    /// When the next WAKE may be sent; `None` while the phone is attached, or while this side is not.
    at: Option<Timestamp>,
    /// The number of WAKEs since the phone became absent.
    asked: usize,
    hour: Hour,
    /// Whether the relay answered the last WAKE with SENT.
    waking: bool,
}

impl WebWake {
    pub(crate) fn set_handle(&mut self, handle: Option<Bytes>) {
        self.handle = handle;
    }

    /// Plans the first WAKE, because the phone's seat is empty.
    pub(crate) fn absent(&mut self, now: Timestamp, jitter: &mut Jitter) {
        if self.at.is_none() {
            self.asked = 0;
            self.plan(now, jitter);
        }
    }

    /// Stops sending WAKEs, because the phone is attached or the relay cannot be reached.
    pub(crate) fn stop(&mut self) {
        self.at = None;
        self.waking = false;
    }

    fn plan(&mut self, now: Timestamp, jitter: &mut Jitter) {
        let step = STEPS.get(self.asked).or(STEPS.last()).copied().unwrap_or_default();
        // Each WAKE costs the phone's battery, and a phone that is switched off will not answer: so the
        // delays grow.
        // req: TIM-006
        self.at = Some(self.hour.room_at(ASKED_MAX, now).plus(jitter.up_to(step)));
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.at.filter(|_| self.handle.is_some())
    }

    /// Returns the WAKE frame, if one is due.
    pub(crate) fn due(&mut self, now: Timestamp, jitter: &mut Jitter) -> Option<Bytes> {
        if self.deadline().is_none_or(|at| now < at) {
            return None;
        }
        let handle = self.handle.clone()?;
        self.asked = self.asked.saturating_add(1);
        self.hour.push(ASKED_MAX, now);
        self.plan(now, jitter);
        Some(RelayFrame::Wake(Wake::Ask(handle)).encode())
    }

    /// Handles the relay's answer to a WAKE.
    pub(crate) fn answered(&mut self, answer: &Wake) {
        self.waking = *answer == Wake::Sent && self.at.is_some();
    }

    pub(crate) const fn is_waking(&self) -> bool {
        self.waking
    }
}

/// The phone's side, which decides because of which wakes the phone connects.
#[derive(Debug, Default)]
pub(crate) struct PhoneWake(Hour);

impl PhoneWake {
    /// Records that the phone was woken. Returns whether it should connect because of that.
    pub(crate) fn woken(&mut self, now: Timestamp) -> bool {
        // Anybody with the wake handle could drain the phone's battery.
        // req: TIM-007
        let follow = self.0.room_at(FOLLOWED_MAX, now) <= now;
        if follow {
            self.0.push(FOLLOWED_MAX, now);
        }
        follow
    }

    /// Resets the count of wakes, because the companion has proven itself by a confirm.
    pub(crate) fn confirmed(&mut self) {
        self.0 = Hour::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn each_wait_is_within_its_step_and_an_hour_has_thirty_wakes() {
        // req: TIM-006
        let mut jitter = Jitter::new(5);
        let mut wake = WebWake::default();
        wake.set_handle(Some(Bytes::from_static(b"handle")));
        assert_eq!(wake.deadline(), None, "nobody is absent");
        wake.absent(at(0), &mut jitter);
        let (mut now, mut times) = (at(0), Vec::new());
        while times.len() < 100 {
            let due = wake.deadline().unwrap();
            let step = STEPS[times.len().min(3)];
            assert!(due <= now.plus(step) || times.len() >= ASKED_MAX, "wake {}", times.len());
            assert_eq!(wake.due(now, &mut jitter).is_some(), due <= now);
            now = now.max(due);
            assert!(wake.due(now, &mut jitter).is_some());
            times.push(now);
        }
        for pair in times.windows(ASKED_MAX + 1) {
            assert!(pair[ASKED_MAX].since(pair[0]) >= HOUR, "{pair:?}");
        }
    }

    #[test]
    fn the_steps_begin_anew_with_each_absence_and_the_hour_does_not() {
        // req: TIM-006
        let mut jitter = Jitter::new(6);
        let mut wake = WebWake::default();
        wake.set_handle(Some(Bytes::new()));
        for n in 0..ASKED_MAX {
            wake.absent(at(10), &mut jitter);
            let due = wake.deadline().unwrap();
            assert!(due <= at(12), "absence {n}");
            assert!(wake.due(at(12), &mut jitter).is_some());
            wake.stop();
            assert_eq!(wake.deadline(), None);
        }
        wake.absent(at(13), &mut jitter);
        assert!(wake.deadline().unwrap() >= at(12).plus(HOUR));
    }

    #[test]
    fn a_web_without_a_handle_asks_for_nothing() {
        let mut jitter = Jitter::new(7);
        let mut wake = WebWake::default();
        wake.absent(at(0), &mut jitter);
        assert_eq!((wake.deadline(), wake.due(at(9_999), &mut jitter)), (None, None));
    }

    #[test]
    fn a_phone_follows_three_wakes_an_hour_until_a_confirm() {
        // req: TIM-007
        let mut wake = PhoneWake::default();
        let follows: Vec<bool> = [0, 10, 20, 30, 3_599, 3_600].map(|s| wake.woken(at(s))).to_vec();
        assert_eq!(follows, [true, true, true, false, false, true]);
        assert!(!wake.woken(at(3_601)));
        wake.confirmed();
        assert!(wake.woken(at(3_602)));
    }
}
