//! `cargo deny`: banned crates, licences, sources, and advisories about every locked version (`deny.toml`).

use std::process::Stdio;

use anyhow::{Result, bail};

use super::Done;
use crate::command;

/// Where the advisories come from.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";

/// The version that these steps were written for.
const VERSION: &str = "0.20.2";

/// Banned crates, licences, and where packages come from.
///
/// # Errors
/// A dependency is not what `deny.toml` allows.
pub(super) fn without_advisories(may_install: bool) -> Result<Done> {
    if let Some(reason) = missing(may_install) {
        return Ok(Done::Skipped(reason));
    }
    let check = ["deny", "--locked", "--log-level", "error", "check", "--hide-inclusion-graph"];
    let words = ["--allow", "duplicate", "bans", "licenses", "sources"];
    command::run(&mut command::cargo(check.iter().chain(&words)))?;
    Ok(Done::Passed)
}

/// The advisories of `RustSec` about the locked versions. They are fetched; where the database is out of reach, the copy
/// of the last time counts, and without one nothing is known.
///
/// # Errors
/// There is an advisory about a version, or a version was withdrawn.
pub(super) fn advisories(may_install: bool) -> Result<Done> {
    if let Some(reason) = missing(may_install) {
        return Ok(Done::Skipped(reason));
    }
    // To fetch in vain would remove the copy, so it is asked for first.
    let ask = ["ls-remote", "--exit-code", DATABASE, "HEAD"];
    let is_near = command::succeeds(&mut command::program("git", ask));
    if !is_near {
        println!("{DATABASE} is out of reach: the copy of the last time is taken, if there is one");
    }
    let offline: &[&str] = if is_near { &[] } else { &["--offline"] };
    let words = ["deny", "--locked"].iter().chain(offline).chain(&["check", "advisories"]);
    let mut check = command::cargo(words);
    let output = check.stdin(Stdio::null()).output()?;
    let told = [output.stderr, output.stdout].concat();
    let told = String::from_utf8_lossy(&told);
    print!("{told}");
    match verdict(output.status.success(), &told) {
        Some(true) => Ok(Done::Passed),
        Some(false) => bail!("cargo-deny knows something about a locked version: see above"),
        None => Ok(Done::Skipped(
            "the advisory database (github.com/RustSec/advisory-db) is out of reach, and there is no copy of it; bans, \
             licences, sources and the floors of xtask/src/test/floors.rs were checked"
                .to_owned(),
        )),
    }
}

/// What cargo-deny found; none when it had no database to look in.
fn verdict(is_good: bool, told: &str) -> Option<bool> {
    let found = told.lines().rev().find_map(|line| match line.trim() {
        "advisories ok" => Some(true),
        line if line.starts_with("advisories FAILED") => Some(false),
        _ => None,
    })?;
    Some(found && is_good)
}

/// Why cargo-deny cannot be run, unless it can; installs it if it may.
fn missing(may_install: bool) -> Option<String> {
    let is_there = || command::succeeds(&mut command::cargo(["deny", "--version"]));
    let install = ["install", "--locked", "--version", VERSION, "cargo-deny"];
    if is_there() {
        return None;
    }
    if may_install {
        println!("cargo-deny is missing, so it is installed now");
        if command::run(&mut command::cargo(install)).is_ok() && is_there() {
            return None;
        }
    }
    Some(format!("cargo-deny is not installed: `cargo {}`", install.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_database_is_told_from_an_advisory() {
        assert_eq!(verdict(true, "warning: x\nadvisories ok\n"), Some(true));
        assert_eq!(
            verdict(false, "error[vulnerability]: reading past the end\nadvisories FAILED\n"),
            Some(false)
        );
        assert_eq!(verdict(false, "advisories ok"), Some(false));
        assert_eq!(verdict(false, "[ERROR] failed to get 'FETCH_HEAD' metadata"), None);
    }
}
