//! `handfast-vectors run`: every case through each shim.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Map, json};

use super::finding::{Class, Finding};
use super::protocol::{Answer, Hello, PROTOCOL};
use super::shim::{Shim, Trouble};
use super::skips::Skips;
use super::{command_line, compare, report, select};
use crate::case::{Case, VectorFile};
use crate::{live, out, peer, suite};

/// After so many cases in a row to which a shim said nothing, it is not asked any more.
const SILENT_MAX: usize = 10;
/// How many failures are printed; all of them stand in the reports.
const PRINTED_MAX: usize = 40;
/// How many of the last lines of a shim's standard error are printed with a failure.
const STDERR_LINES_MAX: usize = 8;

/// How an error is held against what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "the two levels of conformance")]
pub enum Level {
    /// The area must be right.
    Area,
    /// The code must be right.
    Strict,
}

/// What to run.
#[derive(Debug, clap::Args)]
#[expect(clippy::exhaustive_structs, reason = "the options of a command")]
pub struct Options {
    /// The command that starts the shim; give it once for each implementation. No shell reads it.
    #[arg(long = "shim", value_name = "CMD", required = true)]
    pub shims: Vec<String>,
    /// Which cases, and how they are asked.
    #[command(flatten)]
    pub asking: Asking,
}

/// Which cases are asked, how, and what is done with the answers.
#[derive(Debug, clap::Args)]
#[expect(clippy::exhaustive_structs, reason = "the options of a command")]
pub struct Asking {
    /// Only cases whose id fits: `*` stands for any letters, `?` for one.
    #[arg(long, value_name = "GLOB", default_value = "*")]
    pub case: String,
    /// Whether the area of an error is enough.
    #[arg(long, value_enum, default_value = "area")]
    pub level: Level,
    /// How many processes of a shim run at a time [default: one for each core].
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Ask each case so many times; every answer must be right.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeat: usize,
    /// How long a shim may take to start and greet.
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    pub start_ms: u64,
    /// How long a shim may take for one answer.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    pub patience_ms: u64,
    /// Cases to leave out, each for a reason: see SHIMS.md.
    #[arg(long, value_name = "FILE")]
    pub skips: Option<PathBuf>,
    /// Write report.json, junit.xml and report.html into this folder.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Count what is not supported or skipped as failed.
    #[arg(long)]
    pub complete: bool,
}

impl Level {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Area => "area",
            Self::Strict => "strict",
        }
    }

    pub(super) fn is_strict(self) -> bool {
        self == Self::Strict
    }
}

/// What came of one shim.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "what reports show")]
pub struct Column {
    /// The command that started it.
    pub command: String,
    /// What it says about itself; why not, if it did not.
    pub hello: Result<Hello, Finding>,
    /// What came of each case that is about one of its roles, by id.
    pub findings: BTreeMap<String, Finding>,
    /// How long all of it took.
    pub took: Duration,
}

/// A run over all shims.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "what reports show")]
pub struct Run {
    /// The cases that were selected, in the order of the files.
    pub cases: Vec<Case>,
    /// The shims, in the order given.
    pub columns: Vec<Column>,
}

impl Column {
    /// How many cases ended so.
    #[must_use]
    pub fn count(&self, class: Class) -> usize {
        self.findings.values().filter(|finding| finding.class == class).count()
    }

    /// What it is called: its own name, or its command.
    #[must_use]
    pub fn name(&self) -> &str {
        self.hello.as_ref().map_or(&self.command, |hello| &hello.name)
    }
}

/// Runs the selected cases of a folder through each shim, and prints what came of it.
///
/// # Errors
///
/// The files are damaged, or an option makes no sense. What a shim does is a finding.
pub fn run(folder: &Path, options: &Options) -> Result<(Run, bool)> {
    let files: Vec<VectorFile> = suite::load(folder)?;
    run_cases(files.into_iter().flat_map(|file| file.cases).collect(), options)
}

/// Plays the selected faults against each shim, and prints what came of it.
///
/// # Errors
///
/// An option makes no sense. What a shim does is a finding.
pub fn peer(options: &Options) -> Result<(Run, bool)> {
    run_cases(peer::cases()?, options)
}

fn run_cases(all: Vec<Case>, options: &Options) -> Result<(Run, bool)> {
    let (cases, skips) = selected(all, &options.asking)?;
    let columns = columns(&cases, &options.shims, &options.asking, &skips)?;
    let run = Run { cases, columns };
    let good = told(&run, &options.asking)?;
    Ok((run, good))
}

/// The cases that are asked for, and those of them that are left out.
///
/// # Errors
///
/// An option makes no sense.
pub(crate) fn selected(all: Vec<Case>, asking: &Asking) -> Result<(Vec<Case>, Skips)> {
    ensure!(asking.repeat > 0 && asking.jobs != Some(0), "--repeat and --jobs are at least 1");
    if let Some(folder) = &asking.report {
        report::require_writable(folder)?;
    }
    let skips = asking.skips.as_deref().map_or_else(|| Ok(Skips::default()), Skips::read)?;
    let ids: Vec<&str> = all.iter().map(|case| case.id.as_str()).collect();
    let stale = skips.stale(&ids);
    ensure!(stale.is_empty(), "these skips fit no case: {}", stale.join(", "));
    let cases: Vec<Case> = all.into_iter().filter(|case| select::matches(&asking.case, &case.id)).collect();
    ensure!(!cases.is_empty(), "no case fits --case {}; `list` prints their ids", asking.case);
    Ok((cases, skips))
}

/// Asks the cases of each shim.
///
/// # Errors
///
/// A command makes no sense. What a shim does is a finding.
pub(crate) fn columns(
    cases: &[Case],
    shims: &[String],
    asking: &Asking,
    skips: &Skips,
) -> Result<Vec<Column>> {
    shims.iter().map(|command| column(cases, command, asking, skips)).collect()
}

/// Prints what came of a run, and writes its reports; returns whether nothing failed.
///
/// # Errors
///
/// A report cannot be written.
pub(crate) fn told(run: &Run, asking: &Asking) -> Result<bool> {
    let mut good = true;
    for column in &run.columns {
        let (text, is_good) = summary(run, column, asking.level.is_strict(), asking.complete);
        out::print(&text)?;
        good &= is_good;
    }
    if let Some(folder) = &asking.report {
        report::write(folder, run, asking.level)?;
    }
    Ok(good)
}

/// One line for each class, and the first failures; and whether there is none.
fn summary(run: &Run, column: &Column, strict: bool, complete: bool) -> (String, bool) {
    let seconds = column.took.as_secs_f64();
    let mut lines = Vec::new();
    match &column.hello {
        Ok(hello) => {
            let roles: Vec<&str> = hello.roles.iter().map(String::as_str).collect();
            let (name, version, roles) =
                (printable(&hello.name), printable(&hello.version), roles.join(", "));
            let cases = column.findings.len();
            lines.push(format!("{name} {version} ({roles}): {cases} cases in {seconds:.1} s"));
        }
        Err(finding) => {
            let reason = printable(&finding.reason);
            lines.push(format!("{}: {} {reason}", column.command, finding.class.name()));
            lines.extend(stderr_lines(finding));
            return (lines.join("\n") + "\n", false);
        }
    }
    let counts: Vec<String> =
        Class::ALL.iter().map(|class| format!("{} {}", class.name(), column.count(*class))).collect();
    lines.push(format!("  {}", counts.join("  ")));
    let is_failure = |finding: &Finding| {
        let left_out = matches!(finding.class, Class::Unsupported | Class::Skipped);
        finding.class.is_failure(strict) || (complete && left_out)
    };
    let failed: Vec<_> = column.findings.iter().filter(|(_, finding)| is_failure(finding)).collect();
    for (id, finding) in failed.iter().take(PRINTED_MAX) {
        lines.push(format!("  {} {id}: {}", finding.class.name(), printable(&finding.reason)));
        lines.extend(stderr_lines(finding));
    }
    if let Some((id, _)) = failed.first() {
        lines.push(format!("  {} failed; one again: {}", failed.len(), reproduction(&column.command, id)));
    }
    for (id, finding) in column.findings.iter().filter(|(_, finding)| finding.class == Class::Skipped) {
        lines.push(format!("  SKIPPED {id}: {}", printable(&finding.reason)));
    }
    let elsewhere = run.cases.len() - column.findings.len();
    if elsewhere > 0 {
        lines.push(format!("  {elsewhere} cases are about other roles"));
    }
    (lines.join("\n") + "\n", failed.is_empty())
}

/// The last lines that a shim wrote to its standard error, if it ended or did not answer.
fn stderr_lines(finding: &Finding) -> Vec<String> {
    let lines: Vec<&str> = finding.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(STDERR_LINES_MAX);
    lines.iter().skip(first).map(|line| format!("    its stderr: {}", printable(line))).collect()
}

/// The line that runs one case again.
pub(super) fn reproduction(command: &str, id: &str) -> String {
    let (verb, option) = match id.split('/').next() {
        Some("live") if command.starts_with("ws://") => ("live", "relay"),
        Some("live") => ("live", "shim"),
        Some("peer") => ("peer", "shim"),
        _ => ("run", "shim"),
    };
    let quote = if command.contains('\'') { '"' } else { '\'' };
    format!("handfast-vectors {verb} --{option} {quote}{command}{quote} --case '{id}'")
}

/// A text of a shim on a terminal: nothing that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn column(cases: &[Case], command: &str, options: &Asking, skips: &Skips) -> Result<Column> {
    let (words, start) = (command_line::words(command)?, Instant::now());
    let started = greeted(&words, options);
    let hello = match &started {
        Ok((_, hello)) => hello.clone(),
        Err(finding) => {
            let hello = Err(finding.clone());
            let (command, took) = (command.to_owned(), start.elapsed());
            return Ok(Column { command, hello, findings: BTreeMap::new(), took });
        }
    };
    drop(started);
    let is_of = |case: &&Case| select::role(case).is_none_or(|role| hello.roles.contains(role));
    let asked: Vec<&Case> = cases.iter().filter(is_of).collect();
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = options.jobs.unwrap_or_else(cores).min(asked.len());
    let (next, findings) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let _ = scope.spawn(|| {
                let mut worker = Worker { words: &words, options, shim: None, silent: 0 };
                while let Some(case) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let finding = match skips.reason(&hello.name, &case.id) {
                        Some(reason) => Finding::new(Class::Skipped, reason),
                        None => worker.finding(case),
                    };
                    if let Ok(mut findings) = findings.lock() {
                        let _ = findings.insert(case.id.clone(), finding);
                    }
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap_or_default();
    Ok(Column { command: command.to_owned(), hello: Ok(hello), findings, took: start.elapsed() })
}

/// Starts a shim and hears what it says about itself.
fn greeted(words: &[String], options: &Asking) -> Result<(Shim, Hello), Finding> {
    let (start, each) = (Duration::from_millis(options.start_ms), Duration::from_millis(options.patience_ms));
    let mut shim = Shim::start(words, start).map_err(|trouble| of_trouble(trouble, None))?;
    let input = json!({ "proto": PROTOCOL });
    let answer = shim.ask("hello", input.as_object().unwrap_or(&Map::new()));
    let hello = answer.and_then(|answer| Hello::read(&answer).map_err(Trouble::Nonsense));
    match hello {
        Ok(hello) => {
            shim.set_patience(each);
            Ok((shim, hello))
        }
        Err(trouble) => Err(of_trouble(trouble, Some(shim))),
    }
}

/// The finding about a shim that is of no further use; it is ended, so that all that it wrote is here.
fn of_trouble(trouble: Trouble, shim: Option<Shim>) -> Finding {
    let (class, reason) = match trouble {
        Trouble::Crash(reason) => (Class::Crash, reason),
        Trouble::Hang(reason) => (Class::Hang, reason),
        Trouble::Nonsense(reason) => (Class::Fail, reason),
    };
    Finding { stderr: shim.map(Shim::into_stderr).unwrap_or_default(), ..Finding::new(class, reason) }
}

/// One process of a shim at a time, started again after each trouble.
struct Worker<'a> {
    words: &'a [String],
    options: &'a Asking,
    shim: Option<(Shim, Hello)>,
    /// Cases in a row that ended in trouble.
    silent: usize,
}

impl Worker<'_> {
    fn finding(&mut self, case: &Case) -> Finding {
        let start = Instant::now();
        let mut finding = Finding::new(Class::Pass, "");
        for turn in 1..=self.options.repeat {
            finding = self.once(case);
            if finding.class != Class::Pass {
                if self.options.repeat > 1 {
                    finding.reason = format!("time {turn} of {}: {}", self.options.repeat, finding.reason);
                }
                break;
            }
        }
        finding.took = start.elapsed();
        finding
    }

    fn once(&mut self, case: &Case) -> Finding {
        if self.silent >= SILENT_MAX {
            return Finding::new(Class::Fail, format!("not asked: the {SILENT_MAX} before it got no answer"));
        }
        if self.shim.is_none() {
            match greeted(self.words, self.options) {
                Ok(shim) => self.shim = Some(shim),
                Err(finding) => {
                    self.silent += 1;
                    let reason = format!("at its start: {}", finding.reason);
                    return Finding { reason, ..finding };
                }
            }
        }
        let Some((shim, hello)) = &mut self.shim else { return Finding::new(Class::Crash, "it is gone") };
        if hello.ops.as_ref().is_some_and(|ops| !ops.contains(&case.op)) {
            return Finding::new(Class::Unsupported, format!("its hello does not name {}", case.op));
        }
        let played = if case.op == peer::OP {
            peer::play(case, shim)
        } else if case.op == live::OP {
            live::play(case, shim, self.options)
        } else {
            let answer = shim.ask(&case.op, &case.input);
            let read = answer.and_then(|answer| Answer::read(&answer).map_err(Trouble::Nonsense));
            read.map(|answer| compare::judge(case, hello, &answer))
        };
        match played {
            Ok(finding) => {
                self.silent = 0;
                finding
            }
            Err(trouble) => {
                let silent = matches!(trouble, Trouble::Crash(_) | Trouble::Hang(_));
                self.silent = if silent { self.silent + 1 } else { 0 };
                of_trouble(trouble, self.shim.take().map(|(shim, _)| shim))
            }
        }
    }
}
