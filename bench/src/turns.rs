//! Figures that are taken in turns, ours and the peer's, so that both meet the same machine; the median counts.

use std::time::{Duration, Instant};

use handfast_e2e::bench::median;

/// How often each is measured, and for how long.
const TURNS: usize = 5;
const TIME: Duration = Duration::from_millis(200);
/// Runs between two looks at the clock.
const RUNS: u32 = 16;

/// Returns the medians of how many microseconds a run of each takes.
pub fn microseconds<const N: usize>(mut runs: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut figures = [const { Vec::new() }; N];
    for _ in 0..TURNS {
        for (run, figures) in runs.iter_mut().zip(&mut figures) {
            figures.push(one(run));
        }
    }
    figures.map(median)
}

fn one(run: &mut dyn FnMut()) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        (0..RUNS).for_each(|_| run());
        count += RUNS;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}
