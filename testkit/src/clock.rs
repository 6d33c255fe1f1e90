//! A virtual clock: time passes only when nothing else can happen.

use std::time::Duration;

use handfast_codec::Timestamp;

/// How often things may move within one moment.
const MOVES_MAX: usize = 1_000_000;

/// What has a clock and parts that move.
pub trait Clocked {
    /// Returns the clock.
    fn clock(&mut self) -> &mut Timestamp;

    /// Moves what each part has ready now, once. Returns whether something moved.
    fn pump(&mut self) -> bool;

    /// Returns when the next part wants to be woken.
    fn next_deadline(&mut self) -> Option<Timestamp>;

    /// Wakes the parts whose deadline has come, apart from those that `pump` wakes.
    fn tick(&mut self);

    /// Returns what helps to see why something did not come to pass.
    fn describe(&self) -> String;

    /// Moves everything that can move now.
    ///
    /// # Panics
    /// When it does not come to rest.
    fn settle(&mut self) {
        for _ in 0..MOVES_MAX {
            if !self.pump() {
                return;
            }
        }
        panic!("it does not come to rest: {}", self.describe());
    }

    /// Lets time come to `at`, and moves what can move then.
    fn step_to(&mut self, at: Timestamp) {
        let clock = self.clock();
        *clock = at.max(*clock);
        self.tick();
        self.settle();
    }

    /// One small step, so that a test may stop in the middle; time passes only when nothing moves.
    fn step(&mut self) {
        if !self.pump()
            && let Some(at) = self.next_deadline()
        {
            let clock = self.clock();
            *clock = at.max(*clock);
            self.tick();
        }
    }

    /// Takes small steps until `done`.
    ///
    /// # Panics
    /// When it does not come to pass.
    fn step_until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..MOVES_MAX {
            if done(self) {
                return;
            }
            self.step();
        }
        panic!("it does not come to pass: {}", self.describe());
    }

    /// Lets time pass, doing what is due in between.
    fn run_for(&mut self, time: Duration) {
        let end = self.clock().plus(time);
        self.settle();
        while let Some(at) = self.next_deadline().filter(|at| *at <= end) {
            self.step_to(at);
        }
        self.step_to(end);
    }

    /// Runs until `done`, at most `time`.
    ///
    /// # Panics
    /// When it does not come to pass.
    fn run_until(&mut self, what: &str, time: Duration, mut done: impl FnMut(&mut Self) -> bool) {
        let end = self.clock().plus(time);
        self.settle();
        while !done(self) {
            let Some(at) = self.next_deadline().filter(|at| *at <= end) else {
                panic!("{what}: not within {time:?}; {}", self.describe());
            };
            self.step_to(at);
        }
    }
}
