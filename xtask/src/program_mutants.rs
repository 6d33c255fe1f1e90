//! Mutants of the programs: each patch of `xtask/mutants` takes a check out of a shipped program that neither the vectors nor
//! the simulator reach, and the tests that its head names must fail.

use std::process::Stdio;

use anyhow::{Result, ensure};

use crate::patches::{self, Patch, Scratch};

/// Where the patches lie.
const FOLDER: &str = "xtask/mutants";

/// Plants each mutant whose name contains `only`, and prints the first test that it fails; returns whether each fails one.
///
/// # Errors
/// A tree does not build, or the tree as it is fails the same tests.
pub(crate) fn run(only: &str) -> Result<bool> {
    let mut patches = patches::read(FOLDER)?;
    patches.retain(|patch| patch.name.contains(only));
    ensure!(!patches.is_empty(), "no mutant of {FOLDER} has `{only}` in its name");
    let scratch = Scratch::new("program-mutants");
    scratch.copy()?;
    for patch in &patches {
        let found = first(&scratch, patch)?;
        ensure!(found.is_none(), "the tree as it is fails {}", found.unwrap_or_default());
    }
    println!("\n{:<24} {:<28} caught by", "mutant", "about");
    let mut caught = 0;
    for patch in &patches {
        scratch.with(patch)?;
        let found = first(&scratch, patch)?;
        caught += usize::from(found.is_some());
        let found = found.unwrap_or_else(|| "NOTHING".to_owned());
        println!("{:<24} {:<28} {found}", patch.name, patch.field("about")?);
    }
    println!("{caught} of {} caught", patches.len());
    Ok(caught == patches.len())
}

/// Checks that each mutant can still be made.
///
/// # Errors
/// A patch does not apply any more, or does not say what it breaks and what must notice.
pub(crate) fn check() -> Result<()> {
    let patches = patches::read(FOLDER)?;
    for patch in &patches {
        for key in ["about", "breaks", "tests"] {
            let _ = patch.field(key)?;
        }
    }
    patches::check(&patches)
}

/// The first of a mutant's tests that fails in the copy.
fn first(scratch: &Scratch, patch: &Patch) -> Result<Option<String>> {
    let words: Vec<&str> = ["test", "--locked", "--no-fail-fast"]
        .into_iter()
        .chain(patch.field("tests")?.split_whitespace())
        .collect();
    let output = scratch.cargo(&words).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(told.contains("test result: "), "`cargo {}` ran no tests", words.join(" "));
    let failed = failed_test(&told);
    ensure!(
        output.status.success() == failed.is_none(),
        "`cargo {}` ended with {}",
        words.join(" "),
        output.status
    );
    Ok(failed)
}

/// The name of the first test that a run says has failed.
fn failed_test(told: &str) -> Option<String> {
    told.lines().find_map(|line| Some(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_failed_is_named() {
        let told = "test a ... ok\ntest b::c ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed\n";
        assert_eq!(failed_test(told).as_deref(), Some("b::c"));
        assert_eq!(failed_test("test a ... ok\ntest result: ok. 1 passed\n"), None);
    }
}
