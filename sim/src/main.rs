//! `handfast-sim`: runs seeds, and says what broke.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use handfast_sim::kind::Kind;
use handfast_sim::plan::Plan;
use handfast_sim::report::Report;
use handfast_sim::run::Runner;
use handfast_sim::scenario;
use handfast_sim::shrink;

/// Runs the whole system under seeded faults. Prints `violation: INVARIANT seed N` for each broken invariant, and then
/// ends with 1.
#[derive(Debug, Parser)]
#[command(name = "handfast-sim", version)]
struct Arguments {
    /// The seeds: `A..B`, or one number.
    #[arg(long, default_value = "0..1000")]
    seeds: String,
    /// Every fault is of one of these kinds, divided by commas.
    #[arg(long, value_delimiter = ',')]
    fault: Vec<String>,
    /// Runs a scenario in place of seeds: text-during-bulk, sixteen, million, limits.
    #[arg(long)]
    scenario: Option<String>,
    /// Prints everything that happens; for one seed.
    #[arg(long)]
    trace: bool,
    /// Stops after this many failing seeds.
    #[arg(long, default_value_t = 10)]
    fail_max: usize,
    /// How many threads; 0: six a core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Does not make failing plans smaller.
    #[arg(long)]
    no_shrink: bool,
}

fn seeds(text: &str) -> anyhow::Result<std::ops::Range<u64>> {
    let number = |text: &str| text.parse::<u64>().with_context(|| format!("\"{text}\" is no seed"));
    if let Some((from, to)) = text.split_once("..") {
        return Ok(number(from)?..number(to)?);
    }
    let seed = number(text)?;
    Ok(seed..seed + 1)
}

fn kind(name: &str) -> anyhow::Result<Kind> {
    Kind::of_name(name).with_context(|| {
        let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        format!("there is no kind \"{name}\"; there are: {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("handfast-sim: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    if let Some(name) = &arguments.scenario {
        let scenario = scenario::Scenario::of_name(name).with_context(|| {
            format!("there is no scenario \"{name}\"; there are: {}", scenario::NAMES.join(", "))
        })?;
        return Ok(scenario.run());
    }
    let seeds = seeds(&arguments.seeds)?;
    let only = arguments.fault.iter().map(|name| kind(name)).collect::<anyhow::Result<Vec<_>>>()?;
    if arguments.trace {
        return Ok(trace(seeds.start, &only));
    }
    let threads = match arguments.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    };
    let began = Instant::now();
    let report = all(&seeds, &only, threads, arguments.fail_max);
    for (seed, invariant, detail) in &report.violations {
        println!("violation: {invariant} seed {seed}: {detail}");
    }
    report.print(began.elapsed(), threads);
    if !arguments.no_shrink
        && let Some((seed, invariant, _)) = report.violations.first()
    {
        let small = shrink::shrink(&mut Runner::new(), &Plan::standard(*seed, &only), invariant);
        println!("seed {seed} made small ({invariant}): {small:#?}");
        let only = match arguments.fault.join(",") {
            names if names.is_empty() => names,
            names => format!(" --fault {names}"),
        };
        println!("replay: cargo xtask sim --seeds {seed}{only} --trace");
    }
    Ok(report.violations.is_empty())
}

/// Runs all seeds on some threads.
fn all(seeds: &std::ops::Range<u64>, only: &[Kind], threads: usize, fail_max: usize) -> Report {
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let mut report = Report::default();
    std::thread::scope(|scope| {
        let work = || {
            let (mut runner, mut found) = (Runner::new(), Report::default());
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let enough = failed.load(Ordering::Relaxed) >= u64::try_from(fail_max).unwrap_or(u64::MAX);
                if seed >= seeds.end || enough {
                    return found;
                }
                let outcome = runner.run(&Plan::standard(seed, only), false);
                if !outcome.violations.is_empty() {
                    let _ = failed.fetch_add(1, Ordering::Relaxed);
                }
                found.add(seed, &outcome);
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(found) => report.merge(found),
                Err(_) => report.violations.push((0, "no-panic".to_owned(), "a thread panicked".to_owned())),
            }
        }
    });
    report.violations.sort();
    report
}

/// Runs one seed, and prints all of it.
fn trace(seed: u64, only: &[Kind]) -> bool {
    let plan = Plan::standard(seed, only);
    println!("{plan:#?}");
    let outcome = Runner::new().run(&plan, true);
    for violation in &outcome.violations {
        println!("violation: {} seed {seed}: {}", violation.invariant, violation.detail);
    }
    println!("trace {:016x}", outcome.hash);
    outcome.violations.is_empty()
}
