//! `cargo xtask bench`: one table of figures, each beside a peer that was measured in the same run, in turns.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use handfast_e2e::bench::{self, Row};

use crate::{command, workspace};

/// The file in the repository that `--write` makes.
const FILE: &str = "BENCHMARKS.md";
const PACKAGE: &str = "handfast-bench";
/// What a reader of the table should know, by hand.
const MISSES: &str = include_str!("../../bench/misses.md");

/// What to measure.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// In place of the table: only its rows of whole programs, the page in Chromium, memory of the machines, or whether
    /// times depend on secrets.
    #[arg(value_parser = ["programs", "page", "memory", "timing"])]
    what: Option<String>,
    /// Prints the table as JSON, a row a line.
    #[arg(long)]
    json: bool,
    /// Makes BENCHMARKS.md of the table.
    #[arg(long)]
    write: bool,
}

/// Builds what is measured, measures, and prints. Nothing is asserted: figures depend on the machine.
///
/// # Errors
/// Something cannot be built or started.
pub(crate) fn run(options: &Options, page: fn() -> Result<bool>) -> Result<bool> {
    if options.what.as_deref() == Some("page") {
        return handfast_e2e::browser::bench::run(page);
    }
    build(&[])?;
    let program = |name: &str| workspace::target().join("release").join(name);
    match options.what.as_deref() {
        Some("programs") => print(options, &bench::programs(&program(PACKAGE))?).map(|()| true),
        Some("memory") => command::run(&mut Command::new(program("handfast-memory"))).map(|()| true),
        Some(_) => command::run(Command::new(program(PACKAGE)).arg("timing")).map(|()| true),
        None => table(options, &program(PACKAGE)).map(|()| true),
    }
}

fn table(options: &Options, peer: &Path) -> Result<()> {
    let mut rows = measured(peer, "rows")?;
    // The same records with the AEAD of programs, which is another build.
    build(&["--features", "ring"])?;
    rows.extend(measured(peer, "records")?);
    rows.extend(bench::programs(peer)?);
    print(options, &rows)?;
    if options.write {
        std::fs::write(workspace::root().join(FILE), page(&rows)?)
            .with_context(|| format!("{FILE} cannot be written"))?;
    }
    Ok(())
}

/// The rows that the program of small functions prints.
fn measured(program: &Path, what: &str) -> Result<Vec<Row>> {
    let printed = command::output(Command::new(program).arg(what))?;
    let row = |line| serde_json::from_str(line).with_context(|| format!("no row: {line}"));
    printed.lines().map(row).collect()
}

fn build(features: &[&str]) -> Result<()> {
    let mut build = command::cargo(["build", "--locked", "--release", "--package", PACKAGE]);
    command::run(build.args(features).env(command::TEST_BUILD, "1"))
}

fn print(options: &Options, rows: &[Row]) -> Result<()> {
    if options.json {
        for row in rows {
            println!("{}", serde_json::to_string(row)?);
        }
    } else {
        print!("{}", markdown(rows));
    }
    Ok(())
}

/// The whole page: the table, with the machine, the day and the command.
fn page(rows: &[Row]) -> Result<String> {
    let date = command::output(Command::new("date").arg("+%Y-%m-%d"))?;
    Ok(format!(
        "# Benchmarks\n\nMade by `cargo xtask bench --write` on {}, on {}. Figures depend on the machine; what counts is the ratio to a peer that was\n\
         measured in the same run, in turns, of which the median counts.\n\n{}{MISSES}",
        date.trim(),
        machine()?,
        markdown(rows)
    ))
}

/// The processor and how many of them there are.
fn machine() -> Result<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").context("the processor is not known")?;
    let names: Vec<&str> = info.lines().filter_map(|line| line.strip_prefix("model name\t: ")).collect();
    Ok(format!("{} cores of {}", names.len(), names.first().unwrap_or(&"an unknown processor")))
}

fn markdown(rows: &[Row]) -> String {
    let mut out =
        String::from("| what | against | ours | peer | ratio | target | |\n|---|---|---|---|---|---|---|\n");
    for row in rows {
        let target = row.target.map_or_else(|| "-".to_owned(), |target| target.to_string());
        let verdict = if row.is_met() { "" } else { "missed" };
        let _ = writeln!(
            out,
            "| {} | {} | {:.2} {} | {:.2} {} | {:.2} | {target} | {} |",
            row.what,
            row.against,
            row.ours,
            row.unit,
            row.peer,
            row.unit,
            row.ratio(),
            [verdict, &row.note].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; "),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use handfast_e2e::bench::Target;

    use super::*;

    #[test]
    fn a_row_that_misses_its_target_says_so() {
        let row = Row {
            what: "a file".to_owned(),
            against: "a forwarder".to_owned(),
            unit: "MB/s".to_owned(),
            ours: 132.0,
            peer: 575.0,
            target: Some(Target::AtLeast(0.5)),
            note: "4.9 s of processor time".to_owned(),
        };
        let text = markdown(&[row]);
        assert!(
            text.ends_with("| a file | a forwarder | 132.00 MB/s | 575.00 MB/s | 0.23 | at least 0.50 | missed; 4.9 s of processor time |\n"),
            "{text}"
        );
    }
}
