//! The processes of one shim: each is asked one case after the other, and started again after trouble.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Map, json};

use super::finding::{Class, Finding};
use super::options::Asking;
use super::outcome::Column;
use super::protocol::{Hello, PROTOCOL};
use super::shim::{Shim, Trouble};
use super::skips::Skips;
use super::{command_line, select};
use crate::case::Case;

/// After so many cases in a row to which a shim said nothing, it is not asked any more.
const SILENT_MAX: usize = 10;

/// How a case is played against a shim, which said this of itself.
pub(crate) type Play = fn(&Case, &mut Shim, &Hello, &Asking) -> Result<Finding, Trouble>;

/// Asks the cases that are about a shim's roles.
///
/// # Errors
///
/// The command makes no sense. What a shim does is a finding.
pub(super) fn column(
    cases: &[Case],
    command: &str,
    options: &Asking,
    skips: &Skips,
    play: Play,
) -> Result<Column> {
    let (words, start) = (command_line::words(command)?, Instant::now());
    let started = greeted(&words, options);
    let hello = match &started {
        Ok((_, hello)) => hello.clone(),
        Err(finding) => {
            let hello = Err(Finding::clone(finding));
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
                let mut worker = Worker { words: &words, options, play, shim: None, silent: 0 };
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
fn greeted(words: &[String], options: &Asking) -> Result<(Shim, Hello), Box<Finding>> {
    let (start, each) = (Duration::from_millis(options.start_ms), Duration::from_millis(options.patience_ms));
    let mut shim = Shim::start(words, start).map_err(|trouble| Box::new(of_trouble(trouble, None)))?;
    let input = json!({ "proto": PROTOCOL });
    let answer = shim.ask("hello", input.as_object().unwrap_or(&Map::new()));
    let hello = answer.and_then(|answer| Hello::read(&answer).map_err(Trouble::Nonsense));
    match hello {
        Ok(hello) => {
            shim.set_patience(each);
            Ok((shim, hello))
        }
        Err(trouble) => Err(Box::new(of_trouble(trouble, Some(shim)))),
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
    play: Play,
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
                    return Finding { reason, ..*finding };
                }
            }
        }
        let Some((shim, hello)) = &mut self.shim else { return Finding::new(Class::Crash, "it is gone") };
        if hello.ops.as_ref().is_some_and(|ops| !ops.contains(&case.op)) {
            return Finding::new(Class::Unsupported, format!("its hello does not name {}", case.op));
        }
        match (self.play)(case, shim, hello, self.options) {
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
