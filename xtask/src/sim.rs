//! `cargo xtask sim`: builds the simulator and runs it; optimised, when it is for many seeds.

pub(crate) mod mutants;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use crate::{command, workspace};

/// What to run; the words are those of `handfast-sim`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The seeds: `A..B`, or one number.
    #[arg(long)]
    seeds: Option<String>,
    /// Every fault is of one of these kinds, divided by commas.
    #[arg(long)]
    fault: Option<String>,
    /// Runs a scenario: text-during-bulk, sixteen, million, limits.
    #[arg(long)]
    scenario: Option<String>,
    /// Plants each fault of `sim/mutants` in a copy of the tree; all must be caught.
    #[arg(long)]
    mutants: bool,
    /// Only the mutants with this text in their name.
    #[arg(long, requires = "mutants")]
    only: Option<String>,
    /// With the AEAD of `ring`, as programs ship, instead of the default one.
    #[arg(long, conflicts_with = "mutants")]
    ring: bool,
    /// Prints everything that happens in one seed.
    #[arg(long)]
    trace: bool,
}

/// Builds the simulator and runs it.
///
/// # Errors
/// It does not build, cannot be started, or is told something wrong.
pub(crate) fn run(options: &Options) -> Result<bool> {
    if options.mutants {
        return mutants::run(options.only.as_deref().unwrap_or_default());
    }
    let mut words = Vec::new();
    for (flag, value) in
        [("--seeds", &options.seeds), ("--fault", &options.fault), ("--scenario", &options.scenario)]
    {
        if let Some(value) = value {
            words.extend([flag.to_owned(), value.clone()]);
        }
    }
    if options.trace {
        words.push("--trace".to_owned());
    }
    let program = build("release", options.ring)?;
    let status = command::program(&program, &words).status()?;
    let is_told = matches!(status.code(), Some(0 | 1));
    ensure!(is_told, "handfast-sim ended with {status}");
    Ok(status.success())
}

/// The seeds that every test runs.
const FIXED: &str = "0..1000";
/// How many others it runs besides.
const FRESH: u64 = 64;

/// Runs the fixed seeds, some that nobody has run before, whose first number is printed by the simulator's report, and
/// the scenario that drives queues to their limits.
///
/// # Errors
/// It does not build, or an invariant was broken.
pub(crate) fn check() -> Result<()> {
    let program = build("dev", false)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fresh = 1_000_000 + since.as_secs();
    for seeds in [FIXED.to_owned(), format!("{fresh}..{}", fresh + FRESH)] {
        command::run(&mut command::program(&program, ["--seeds", &seeds]))?;
    }
    command::run(&mut command::program(&program, ["--scenario", "limits"]))
}

/// Builds the simulator with a profile of Cargo's; in `dev`, most of it is built by the tests already, and sums are
/// checked for overflow.
fn build(profile: &str, ring: bool) -> Result<PathBuf> {
    let words = ["build", "--locked", "--profile", profile, "--package", "handfast-sim"];
    let feature: &[&str] = if ring { &["--features", "ring"] } else { &[] };
    command::run(command::cargo(words).args(feature).env(command::TEST_BUILD, "1"))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(workspace::target().join(folder).join("handfast-sim"))
}
