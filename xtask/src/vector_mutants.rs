//! Mutants of the vectors: each patch of `vectors/mutants` breaks one thing in a copy of the tree, and the cases or the
//! faulty peer must say so of its shim.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};

use crate::patches::{self, Patch, Scratch};
use crate::{command, program_mutants, workspace};

/// Where the patches lie.
const FOLDER: &str = "vectors/mutants";
/// How many of them each full run of the tests plants: others every day.
const IN_TURN: usize = 6;

/// What to plant.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Only the mutants whose name contains this text.
    #[arg(long, default_value = "")]
    only: String,
    /// The mutants of the programs, in `xtask/mutants`, which their own tests must catch.
    #[arg(long)]
    programs: bool,
}

/// Plants each mutant, and prints the first case that it fails; returns whether each fails one.
///
/// # Errors
/// The tree as it is does not build, or fails a case.
pub(crate) fn run(options: &Options) -> Result<bool> {
    if options.programs {
        return program_mutants::run(&options.only);
    }
    let mut patches = patches::read(FOLDER)?;
    patches.retain(|patch| patch.name.contains(&options.only));
    ensure!(!patches.is_empty(), "no mutant has `{}` in its name", options.only);
    plant(&patches)
}

/// Plants those whose turn it is today.
///
/// # Errors
/// As [`run`], and when one is not caught.
pub(crate) fn in_turn() -> Result<()> {
    let mut patches = patches::read(FOLDER)?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let start = usize::try_from(seconds / 86_400)? * IN_TURN % patches.len();
    patches.rotate_left(start);
    patches.truncate(IN_TURN);
    ensure!(plant(&patches)?, "a mutant is not caught");
    Ok(())
}

/// Checks that each mutant can still be made and is named in the list, and each name is there.
///
/// # Errors
/// A patch does not apply any more, or list and patches differ.
pub(crate) fn check() -> Result<()> {
    let patches = patches::read(FOLDER)?;
    let list = std::fs::read_to_string(workspace::root().join(FOLDER).join("README.md"))?;
    let rows = list.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let named: Vec<(&str, &str)> = rows.filter(|(name, _)| *name != "mutant").collect();
    for patch in &patches {
        let row = named.iter().find(|(name, _)| *name == patch.name);
        let (_, rest) = row.with_context(|| format!("{} is not in {FOLDER}/README.md", patch.name))?;
        let said = format!("{} | {} |", patch.field("about")?, patch.field("breaks")?);
        ensure!(*rest == said, "{}: the list says `{rest}`, the patch `{said}`", patch.name);
    }
    ensure!(named.len() == patches.len(), "{} are named, {} are there", named.len(), patches.len());
    patches::check(&patches)
}

fn plant(patches: &[Patch]) -> Result<bool> {
    command::run(&mut command::cargo(["build", "--locked", "--package", "handfast-conformance"]))?;
    let clean = workspace::target().join("debug/handfast-shim");
    let found = first(&clean)?;
    ensure!(found.is_none(), "the tree as it is fails {}", found.unwrap_or_default());
    let scratch = Scratch::new("vector-mutants");
    let shim = scratch.target().join("debug/handfast-shim");
    println!("\n{:<32} {:<22} caught by", "mutant", "about");
    let mut caught = 0;
    for patch in patches {
        scratch.with(patch)?;
        let about = patch.field("about")?;
        let about: String = about.chars().take(22).collect();
        let mut build = scratch.cargo(&["build", "--locked", "--quiet", "--package", "handfast-conformance"]);
        let _ = build.args(["--bin", "handfast-shim"]).stderr(Stdio::null());
        if !command::succeeds(&mut build) {
            println!("{:<32} {about:<22} DOES NOT BUILD", patch.name);
            continue;
        }
        let case = first(&shim)?;
        println!("{:<32} {about:<22} {}", patch.name, case.as_deref().unwrap_or("NOTHING"));
        let noticed = patch.find("test").map_or(Ok(true), |test| fails(&scratch, test))?;
        caught += usize::from(case.is_some() && noticed);
    }
    println!("{caught} of {} caught", patches.len());
    Ok(caught == patches.len())
}

/// Whether the test that a patch names fails in the copy; prints how often its attack succeeds.
fn fails(scratch: &Scratch, test: &str) -> Result<bool> {
    let mut cargo = scratch.cargo(&["test", "--locked", "--package"]);
    let output = cargo.args(test.split_whitespace()).stdin(Stdio::null()).output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    for line in told.lines().filter(|line| line.starts_with("the attack succeeds in ")) {
        println!("    {line}");
    }
    // What does not build, or finds no test, has not failed.
    let failed = !output.status.success() && told.contains("test result: FAILED");
    println!("    the test {}", if failed { "fails, as it must" } else { "DOES NOT FAIL" });
    Ok(failed)
}

/// The first case that a shim fails.
fn first(shim: &Path) -> Result<Option<String>> {
    let runner = workspace::target().join("debug/handfast-conformance");
    let of_roles = |roles: &str| format!("'{}' {roles}", shim.display());
    let all = of_roles("--role phone --role web --role relay");
    let both = of_roles("--role phone --role web");
    for (verb, shim) in [("run", all), ("peer", both)] {
        let words = [verb, "--level", "strict", "--complete", "--patience-ms", "3000", "--shim", &shim];
        let mut command = Command::new(&runner);
        let output =
            command.args(words).stdin(Stdio::null()).output().context("the runner cannot be started")?;
        let text = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => {}
            Some(1) => return Ok(Some(case(&text))),
            _ => anyhow::bail!(
                "the runner ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }
    Ok(None)
}

/// The id of the first failure that a runner printed.
fn case(text: &str) -> String {
    let classes = ["FAIL", "PASS-AREA", "CRASH", "HANG"];
    let failure = |line: &str| {
        let (class, rest) = line.trim_start().split_once(' ')?;
        let (id, _) = rest.split_once(": ")?;
        (classes.contains(&class) && id.contains('/')).then(|| id.to_owned())
    };
    text.lines().find_map(failure).unwrap_or_else(|| "its start".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_read_from_what_the_runner_prints() {
        let text =
            "x 1 (web): 3 cases\n  PASS 1  FAIL 2\n  PASS-AREA refuse-qr/a: refused with B\n  FAIL qr/b: c";
        assert_eq!(case(text), "refuse-qr/a");
        assert_eq!(case("x: CRASH it ended"), "its start");
    }
}
