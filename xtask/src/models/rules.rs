//! The exhaustive searches over the real rules, and each rule patched out in a scratch copy.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use crate::patches::{Patch, Scratch};
use crate::{command, patches};

/// Where the patches lie.
pub(crate) const FOLDER: &str = "spec/models/rules";
/// The tests that search: package and name.
const SEARCHES: [(&str, &str); 2] = [("handfast-models", "*"), ("handfast-session", "all epochs::")];

/// Runs the searches on the tree as it is, then with each rule patched out.
///
/// # Errors
/// The tree has a violation, a patch does not apply, or a patched tree has no violation or another one.
pub(super) fn run() -> Result<()> {
    println!("== The rules as they are");
    for (package, test) in SEARCHES {
        let line = format!("test --locked --package {package} --test {test} -- --nocapture");
        command::run(&mut command::cargo(line.split(' ')))?;
    }
    let scratch = Scratch::new("models");
    let mut table = Vec::new();
    for patch in patches::read(FOLDER)? {
        println!("\n== {}: {}", patch.name, patch.field("rule")?);
        let found = search_without(&patch, &scratch)?;
        println!("   found: {found}");
        table.push((patch.name, found));
    }
    println!("\nrule patched out               violation found");
    for (name, found) in table {
        println!("{name:<30} {found}");
    }
    Ok(())
}

/// Patches a rule out of a copy of the tree and searches there; returns the line that names the violation.
fn search_without(patch: &Patch, scratch: &Scratch) -> Result<String> {
    let expect = patch.field("expect")?;
    scratch.with(patch)?;
    let (package, searching) =
        patch.field("search")?.split_once(' ').context("`# search:` names package and test")?;
    let mut search = scratch.cargo(&["test", "--locked", "--package", package, "--test"]);
    let _ = search.args(searching.split(' ')).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    let output = search.output().context("cargo cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        text.contains("running "),
        "the patched tree does not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(!output.status.success(), "nothing was found: no search holds this rule");
    let found = text.lines().find(|line| line.contains(expect) && !line.starts_with("test "));
    let found = found.with_context(|| format!("{expect} was to be found, but this was:\n{text}"))?;
    Ok(found.trim().chars().take(120).collect())
}
