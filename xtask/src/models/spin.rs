//! The Promela model of resume and credit: as it is, and with one rule broken in each run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{command, debian, workspace};

/// The Debian package that has the tool.
const PACKAGE: &str = "spin";
/// The most steps of one way through the model.
const DEPTH_MAX: &str = "-m100000";

/// One run of the model.
struct Run {
    what: &'static str,
    defines: &'static [&'static str],
    /// What spin must find wrong: a part of its line. None: nothing.
    wrong: Option<&'static str>,
}

const fn good(what: &'static str, defines: &'static [&'static str]) -> Run {
    Run { what, defines, wrong: None }
}

const fn broken(what: &'static str, defines: &'static [&'static str], wrong: &'static str) -> Run {
    Run { what, defines, wrong: Some(wrong) }
}

/// The runs and their pinned verdicts.
const RUNS: [Run; 11] = [
    good("commands alone", &["SIZE=0", "COMMANDS=4", "CUTS=3"]),
    good("a stream alone", &["COMMANDS=0", "SIZE=5", "CUTS=3"]),
    good("both on one connection", &["COMMANDS=2", "SIZE=2", "CUTS=1"]),
    good("a phone that invents acknowledgements", &["EVIL", "SIZE=0"]),
    broken(
        "acknowledged before it is written",
        &["ACK_EARLY", "SIZE=0"],
        "assertion violated (ran[oldest]==1)",
    ),
    broken("a command is not known by its result", &["RERUN", "SIZE=0"], "assertion violated (ran[n]==1)"),
    broken("what a phone lacks is not compared", &["LACK_IGNORED", "SIZE=0"], "assertion violated 0"),
    broken("records of an old connection are read: MSG", &["OLD_RECORDS", "SIZE=0"], "assertion violated 0"),
    broken(
        "records of an old connection are read: DATA",
        &["OLD_RECORDS", "COMMANDS=0"],
        "assertion violated ((n==w_received)&&(n<w_credit))",
    ),
    broken("credit is relative, not absolute", &["CREDIT_RELATIVE", "COMMANDS=0"], "acceptance cycle"),
    broken(
        "an outbox is emptied by an ACK of the future",
        &["EVIL", "FUTURE_ACK_TAKEN", "SIZE=0"],
        "assertion violated (oldest<=sent)",
    ),
];

/// Runs all of them.
///
/// # Errors
/// spin is missing and cannot be installed, or a run does not end as pinned.
pub(super) fn run() -> Result<()> {
    debian::ensure_installed(&[PACKAGE], || command::succeeds(Command::new("spin").arg("-V")))?;
    let folder = workspace::target().join("spin");
    std::fs::create_dir_all(&folder)?;
    println!("== spec/models/resume.pml");
    println!("{:<45} {:>9}  verdict", "run", "states");
    for run in &RUNS {
        let text = check(&folder, run.defines)?;
        let verdict = verdict(&text).with_context(|| format!("spin printed no verdict:\n{text}"))?;
        println!("{:<45} {:>9}  {}", run.what, verdict.states, verdict.wrong.unwrap_or("ok"));
        let as_pinned = match (verdict.wrong, run.wrong) {
            (None, None) => true,
            (Some(found), Some(pinned)) => found.contains(pinned),
            (Some(_), None) | (None, Some(_)) => false,
        };
        ensure!(as_pinned, "`{}` must give: {}\n{text}", run.defines.join(" "), run.wrong.unwrap_or("ok"));
    }
    Ok(())
}

/// Makes the checker for these definitions, and runs it; gives what it prints.
fn check(folder: &Path, defines: &[&str]) -> Result<String> {
    let model = workspace::root().join("spec/models/resume.pml");
    let defines = defines.iter().map(|define| format!("-D{define}"));
    let _ = command::output(Command::new("spin").arg("-a").args(defines).arg(model).current_dir(folder))?;
    let flags = ["-O2", "-w", "-DCOLLAPSE", "-DVECTORSZ=2048", "-o", "pan", "pan.c"];
    let _ = command::output(Command::new("cc").args(flags).current_dir(folder))?;
    command::output(Command::new(folder.join("pan")).args(["-a", DEPTH_MAX]).current_dir(folder))
}

/// What the checker found.
struct Verdict<'a> {
    states: &'a str,
    wrong: Option<&'a str>,
}

fn verdict(text: &str) -> Option<Verdict<'_>> {
    let whole = !text.contains("max search depth too small") && !text.contains("out of memory");
    let states = text.lines().find(|line| line.contains("states, stored"))?.split_whitespace().next()?;
    let none = text.lines().any(|line| line.ends_with("errors: 0"));
    let wrong = text.lines().find_map(|line| line.strip_prefix("pan:1: "));
    (whole && none == wrong.is_none()).then_some(Verdict { states, wrong })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_only_from_a_whole_search() {
        let good = "State-vector 92 byte, depth reached 155, errors: 0\n    40458 states, stored\n";
        assert_eq!(verdict(good).map(|v| (v.states, v.wrong)), Some(("40458", None)));
        let bad =
            "pan:1: acceptance cycle (at depth 70)\nState-vector 84 byte, errors: 1\n 12 states, stored\n";
        assert_eq!(verdict(bad).and_then(|v| v.wrong), Some("acceptance cycle (at depth 70)"));
        assert!(verdict(&format!("error: max search depth too small\n{good}")).is_none());
        assert!(verdict("errors: 1\n 12 states, stored\n").is_none());
        assert!(verdict("").is_none());
    }
}
