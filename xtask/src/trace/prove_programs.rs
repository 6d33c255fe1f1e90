//! Takes cited checks out of a copy of the tree, one at a time, and looks which of the shipped programs' runs notices:
//! the simulator first, then the live cases, the demo, the page. The first notice ends a search.
//!
//! What no run can notice has its reason in `reached.toml`, and is tried where it is asked for by its id.
//!
//! What was found is written down after each check, so that a run that was ended goes on where it was.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use super::Trace;
use super::prove::drawn;
use super::reasons::Reasons;
use super::sites::Site;
use super::take_out::take_out;
use crate::patches::Scratch;
use crate::{command, workspace};

/// A run of the programs that may notice.
struct Run {
    name: &'static str,
    words: &'static [&'static str],
    /// A run that takes longer hangs without the check, which is a notice too. The build is not counted.
    seconds_max: &'static str,
}

/// What is built before the time of the runs begins.
const BUILDS: [&[&str]; 3] = [
    &["build", "--locked", "--quiet", "--release", "--package", "handfast-sim"],
    &["build", "--locked", "--quiet", "--package", "xtask", "--package", "handfast-conformance"],
    &[
        "build",
        "--locked",
        "--quiet",
        "--package",
        "reference-relay",
        "--package",
        "reference-phone",
        "--package",
        "reference-web",
    ],
];
const RUNS: [Run; 5] = [
    Run { name: "sim", words: &["sim", "--seeds", "0..2000"], seconds_max: "900" },
    Run { name: "limits", words: &["sim", "--scenario", "limits"], seconds_max: "300" },
    Run { name: "live", words: &["test", "--only", "live cases"], seconds_max: "900" },
    Run { name: "demo", words: &["demo", "--headless"], seconds_max: "900" },
    Run { name: "page", words: &["page-test"], seconds_max: "1800" },
];
/// Code of the crates that the programs are made of; the wire's malformed bytes are the cases' to show.
const INNER: [&str; 7] = [
    "handshake/",
    "session/",
    "handfast/",
    "programs/",
    "reference-phone/",
    "reference-web/",
    "reference-relay/",
];

/// Takes out `count` checks chosen by `seed`; returns whether each was noticed.
///
/// # Errors
/// The copy cannot be written, or a command cannot be started.
pub(super) fn run(trace: &Trace, count: usize, seed: u64, only: Option<&str>) -> Result<bool> {
    let scratch = Scratch::new("trace-programs");
    let mut known = Known::read(seed)?;
    let reasons = Reasons::read()?;
    let code: Vec<Site> = trace.code().cloned().collect();
    let stale = reasons.without_site(&code);
    ensure!(stale.is_empty(), "xtask/reached.toml has reasons for what is not there: {}", stale.join(", "));
    let wanted = |site: &Site| {
        only.is_none_or(|id| site.ids.iter().any(|cited| cited == id))
            && INNER.iter().any(|folder| site.file.starts_with(folder))
    };
    let sites = drawn(code.into_iter().filter(wanted).collect(), seed);
    // A copy that does not build as it is would show nothing of any check.
    scratch.copy()?;
    BUILDS.iter().try_for_each(|words| command::run(&mut build(&scratch, words)))?;
    let (mut noticed, mut missed, mut excused) = (0, 0, 0);
    for site in sites {
        if noticed + missed + excused == count {
            break;
        }
        let original = std::fs::read_to_string(workspace::root().join(&site.file))?;
        let Some((text, change)) = take_out(&original, site.line) else { continue };
        let place = format!("{} {}:{}", site.ids.join(" "), site.file, site.line);
        if let (None, Some(why)) = (only, reasons.of_unnoticed(&site)) {
            println!("reason    {place}: {change}\n          {why}");
            excused += 1;
            continue;
        }
        let key = key(&place, &text);
        let outcome = if let Some(outcome) = known.outcomes.get(&key) {
            outcome.clone()
        } else {
            scratch.copy()?;
            scratch.write(&site.file, &text)?;
            let outcome = who_notices(&scratch)?;
            known.add(key, &outcome)?;
            outcome
        };
        println!("{outcome:<9} {place}: {change}");
        match outcome.as_str() {
            NOT_BUILT => {}
            NOBODY => missed += 1,
            _ => noticed += 1,
        }
    }
    scratch.copy()?;
    println!(
        "{} checks: {noticed} noticed by a program once they were out, {missed} not; {excused} with a written reason",
        noticed + missed + excused
    );
    ensure!(noticed + missed + excused > 0, "no check of a known shape is cited");
    Ok(missed == 0)
}

const NOT_BUILT: &str = "no build";
const NOBODY: &str = "SURVIVED";

/// Builds a part of what the runs need.
fn build(scratch: &Scratch, words: &[&str]) -> Command {
    let mut build = scratch.cargo(words);
    let _ = build.env("CARGO_INCREMENTAL", "1").env(command::TEST_BUILD, "1");
    build
}

/// The name of the first run that fails over the copy.
fn who_notices(scratch: &Scratch) -> Result<String> {
    for words in BUILDS {
        if !command::succeeds(&mut build(scratch, words)) {
            return Ok(NOT_BUILT.to_owned());
        }
    }
    for run in &RUNS {
        if !succeeds(scratch, run)? {
            return Ok(run.name.to_owned());
        }
    }
    Ok(NOBODY.to_owned())
}

fn succeeds(scratch: &Scratch, run: &Run) -> Result<bool> {
    let words: Vec<&str> =
        ["run", "--quiet", "--locked", "--package", "xtask", "--"].iter().chain(run.words).copied().collect();
    let mut timed = command::timed(&scratch.cargo(&words), run.seconds_max);
    let status = timed.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    Ok(status.context("`timeout` cannot be started: is it installed?")?.success())
}

/// What names a check that was taken out: its place, and the whole file without it.
fn key(place: &str, text: &str) -> String {
    let digest = Sha256::digest(format!("{place}\n{text}"));
    digest.iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What earlier runs with the same seed have found.
struct Known {
    path: PathBuf,
    outcomes: BTreeMap<String, String>,
}

impl Known {
    fn read(seed: u64) -> Result<Self> {
        let folder = workspace::target().join("trace-programs");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("seed-{seed}.txt"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let outcomes = text.lines().filter_map(|line| line.split_once(' '));
        let outcomes = outcomes.map(|(key, outcome)| (key.to_owned(), outcome.to_owned())).collect();
        Ok(Self { path, outcomes })
    }

    fn add(&mut self, key: String, outcome: &str) -> Result<()> {
        let _ = self.outcomes.insert(key, outcome.to_owned());
        let lines = self.outcomes.iter().map(|(key, outcome)| format!("{key} {outcome}\n"));
        std::fs::write(&self.path, lines.collect::<String>())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_known_again_until_its_file_changes() {
        assert_eq!(key("A-001 a.rs:1", "x"), key("A-001 a.rs:1", "x"));
        assert_ne!(key("A-001 a.rs:1", "x"), key("A-001 a.rs:1", "y"));
        assert_ne!(key("A-001 a.rs:1", "x"), key("A-001 a.rs:2", "x"));
        assert_eq!(key("", "").len(), 16);
    }
}
