//! Plants: each patch of `sim/mutants` breaks one rule in a copy of the tree, and the simulator must say so.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Result, ensure};

use crate::patches::{self, Scratch};
use crate::{command, workspace};

/// Where the patches lie.
pub(crate) const FOLDER: &str = "sim/mutants";
/// The seeds that are tried until one fails.
const SEEDS: u64 = 2_000;

/// What the simulator found.
struct Found {
    invariant: String,
    seed: u64,
}

/// Plants each patch whose name contains `only`, builds, and runs seeds until an invariant is broken; the tree as it is
/// must be clean on the same seeds.
///
/// # Errors
/// A tree does not build, or the tree as it is breaks an invariant.
pub(super) fn run(only: &str) -> Result<bool> {
    let scratch = Scratch::new("sim-mutants");
    scratch.copy()?;
    build(&scratch)?;
    let clean = workspace::target().join("sim-mutants/handfast-sim-clean");
    let _ = std::fs::copy(program(&scratch), &clean)?;
    let mut patches = patches::read(FOLDER)?;
    patches.retain(|patch| patch.name.contains(only));
    println!("\n{:<32} {:<26} {:>6}  what was planted", "mutant", "caught by", "seed");
    let mut caught = 0;
    for patch in &patches {
        let faults = patch.field("faults")?;
        scratch.with(patch)?;
        if let Err(error) = build(&scratch) {
            println!("{:<32} DOES NOT BUILD: {error}", patch.name);
            continue;
        }
        let found = first(&program(&scratch), SEEDS, faults)?;
        let Some(Found { invariant, seed }) = found else {
            println!("{:<32} {:<26} {:>6}  {}", patch.name, "NOTHING", "", patch.field("rule")?);
            continue;
        };
        println!("{:<32} {invariant:<26} {seed:>6}  {}", patch.name, patch.field("rule")?);
        let in_clean = first(&clean, seed + 1, faults)?;
        if let Some(Found { invariant, seed }) = in_clean {
            println!("{:<32} the tree as it is breaks {invariant} at seed {seed} too", "");
        } else {
            caught += 1;
        }
    }
    println!("{caught} of {} caught, the tree as it is clean on the same seeds", patches.len());
    Ok(caught == patches.len())
}

fn build(scratch: &Scratch) -> Result<()> {
    let mut build =
        scratch.cargo(&["build", "--locked", "--release", "--quiet", "--package", "handfast-sim"]);
    // One function differs from plant to plant.
    command::run(build.env("CARGO_INCREMENTAL", "1").env(command::TEST_BUILD, "1"))
}

fn program(scratch: &Scratch) -> PathBuf {
    scratch.target().join("release/handfast-sim")
}

/// The first violation of the seeds below `end`.
fn first(program: &Path, end: u64, faults: &str) -> Result<Option<Found>> {
    let seeds = format!("0..{end}");
    let mut words = vec!["--seeds", &seeds, "--fail-max", "1", "--no-shrink"];
    if !faults.is_empty() {
        words.extend(["--fault", faults]);
    }
    let output = command::program(program, &words).stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().find_map(violation);
    ensure!(found.is_some() || output.status.success(), "{} ended with {}", program.display(), output.status);
    Ok(found)
}

/// Reads `violation: INVARIANT seed N: ..`.
fn violation(line: &str) -> Option<Found> {
    let (invariant, rest) = line.strip_prefix("violation: ")?.split_once(" seed ")?;
    let seed = rest.split_once(':')?.0.parse().ok()?;
    Some(Found { invariant: invariant.to_owned(), seed })
}

/// Checks that each plant can still be made.
///
/// # Errors
/// A patch does not apply any more.
pub(crate) fn check() -> Result<()> {
    patches::check(&patches::read(FOLDER)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_read_from_its_line() {
        let found =
            violation("violation: exactly-once seed 17: \"w0-0003\" is there 2 times: twice").unwrap();
        assert_eq!((found.invariant.as_str(), found.seed), ("exactly-once", 17));
        assert!(violation("violations 0").is_none());
    }
}
