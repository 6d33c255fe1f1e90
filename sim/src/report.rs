//! What many runs came to, in lines for a reader.

use std::time::Duration;

use crate::kind::Kind;
use crate::run::Outcome;

/// The sum over many seeds.
#[derive(Clone, Debug)]
pub struct Report {
    /// Seeds that ran.
    pub seeds: u64,
    /// Violations, with their seeds.
    pub violations: Vec<(u64, String, String)>,
    /// Simulated time, in microseconds.
    pub time: u64,
    /// The longest time to rest after faults had stopped, and its seed.
    pub rest_max: (u64, u64),
    fired: Vec<u64>,
    seeds_of: Vec<u64>,
    recovered: Vec<u64>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            seeds: 0,
            violations: Vec::new(),
            time: 0,
            rest_max: (0, 0),
            fired: vec![0; Kind::COUNT],
            seeds_of: vec![0; Kind::COUNT],
            recovered: vec![0; Kind::COUNT],
        }
    }
}

impl Report {
    /// Adds a run.
    pub fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.time += outcome.time;
        self.rest_max = self.rest_max.max((outcome.rest, seed));
        for (at, count) in outcome.fired.iter().enumerate() {
            self.fired[at] += count;
            self.seeds_of[at] += u64::from(*count > 0);
        }
        for kind in &outcome.recovered {
            self.recovered[kind.index()] += 1;
        }
        for violation in &outcome.violations {
            self.violations.push((seed, violation.invariant.to_owned(), violation.detail.clone()));
        }
    }

    /// Adds what another thread has found.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.time += other.time;
        self.rest_max = self.rest_max.max(other.rest_max);
        self.violations.extend(other.violations);
        for (to, from) in [
            (&mut self.fired, &other.fired),
            (&mut self.seeds_of, &other.seeds_of),
            (&mut self.recovered, &other.recovered),
        ] {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }

    /// Prints everything.
    pub fn print(&self, took: Duration, threads: usize) {
        println!("{:<28} {:>9} {:>9} {:>9}", "kind", "fired", "seeds", "recovered");
        for kind in Kind::ALL {
            let at = kind.index();
            println!(
                "{:<28} {:>9} {:>9} {:>9}",
                kind.name(),
                self.fired[at],
                self.seeds_of[at],
                self.recovered[at]
            );
        }
        let fired = self.fired.iter().filter(|count| **count > 0).count();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let cpu_ms = cpu_ms().unwrap_or(took_ms).max(1);
        let threads = u64::try_from(threads).unwrap_or(1);
        println!("kinds {fired} of {}", Kind::COUNT);
        println!(
            "seeds {} in {} s on {threads} threads, {} s of processor time",
            self.seeds,
            took_ms / 1_000,
            cpu_ms / 1_000
        );
        println!("seeds a second of a core {}", self.seeds * 1_000 / cpu_ms);
        println!("simulated {} s, {} times real time", self.time / 1_000_000, self.time / 1_000 / took_ms);
        println!("longest way to rest {} s (seed {})", self.rest_max.0 / 1_000_000, self.rest_max.1);
        println!("violations {}", self.violations.len());
    }
}

/// Processor time of this process so far, in milliseconds, where the system tells it.
fn cpu_ms() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name in parentheses come 11 other fields; times are in ticks of 10 ms.
    let (_, fields) = stat.rsplit_once(')')?;
    let times: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Some(times.iter().sum::<u64>() * 10)
}
