//! `cargo xtask examples`: how long the examples of the library are, and what they hold when they are killed.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

/// The lines of code that one side of an example must stay below.
const CODE_LINES_END: usize = 120;

/// The sides, each a program, and what both sides of the wallet share.
const SIDES: [&str; 4] = ["minimal/phone", "minimal/companion", "wallet/phone", "wallet/companion"];
const SHARED: [&str; 1] = ["wallet/store"];

/// The words for Cargo with the features that all examples need.
const FEATURES: [&str; 2] = ["--features", "handfast/tokio,handfast/sqlite"];

/// The number of lines that are neither empty nor a comment.
fn code_lines(name: &str) -> Result<usize> {
    let path = workspace::root().join("handfast/examples").join(name).with_extension("rs");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    Ok(text.lines().filter(is_code).count())
}

/// Builds all examples.
///
/// # Errors
/// They do not build.
pub(crate) fn build() -> Result<()> {
    let build = ["build", "--locked", "--package", "handfast", "--examples"];
    command::run(&mut command::cargo(build.iter().chain(&FEATURES)))
}

/// Prints the lengths, then runs all examples over a real relay and prints their figures.
///
/// # Errors
/// A side is too long, or a test fails.
pub(crate) fn run() -> Result<bool> {
    for name in SIDES.iter().chain(&SHARED) {
        println!("{name}: {} lines of code", code_lines(name)?);
    }
    for name in SIDES {
        let lines = code_lines(name)?;
        ensure!(
            lines < CODE_LINES_END,
            "{name} has {lines} lines of code; it must stay below {CODE_LINES_END}"
        );
    }
    build()?;
    let test = ["test", "--locked", "--package", "handfast", "--test", "examples"];
    let mut test = command::cargo(test.iter().chain(&FEATURES));
    let mut figures = 0;
    command::run_lines(test.args(["--", "--nocapture"]), |line| {
        figures += usize::from(line.starts_with("figure: "));
    })?;
    ensure!(figures > 0, "no example printed a figure");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_of_an_example_is_short() {
        for name in SIDES {
            let lines = code_lines(name).unwrap();
            assert!((1..CODE_LINES_END).contains(&lines), "{name}: {lines}");
        }
    }
}
