//! `handfast-vectors live`: a relay that runs, over a real WebSocket. The runner is its phones and webs.

mod attach;
mod carry;
mod client;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Map, json};

use self::client::{Stop, Target};
use crate::case::{Case, Verdict};
use crate::runner::{Column, Finding, Hello, Level, Run};

/// Which relay, and what to ask of it.
#[derive(Debug, clap::Args)]
#[expect(clippy::exhaustive_structs, reason = "the options of a command")]
pub struct Options {
    /// A running relay, as ws://HOST:PORT; give it once for each one. It must allow 64 sockets from this address.
    #[arg(long = "relay", value_name = "URL", required = true)]
    pub relays: Vec<String>,
    /// Only cases whose id fits: `*` stands for any letters, `?` for one.
    #[arg(long, value_name = "GLOB", default_value = "*")]
    pub case: String,
    /// Whether the area of an error is enough.
    #[arg(long, value_enum, default_value = "area")]
    pub level: Level,
    /// Write report.json, junit.xml and report.html into this folder.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// One thing that a relay must do.
struct Check {
    name: &'static str,
    reqs: &'static [&'static str],
    comment: &'static str,
    body: fn(&Target) -> Result<(), Stop>,
}

const fn check(
    name: &'static str,
    reqs: &'static [&'static str],
    comment: &'static str,
    body: fn(&Target) -> Result<(), Stop>,
) -> Check {
    Check { name, reqs, comment, body }
}

fn all() -> impl Iterator<Item = &'static Check> {
    attach::ALL.iter().chain(carry::ALL)
}

/// Every check as a case.
#[must_use]
pub fn cases() -> Vec<Case> {
    let case = |check: &Check| Case {
        id: format!("live/{}", check.name),
        reqs: check.reqs.iter().map(|req| (*req).to_owned()).collect(),
        comment: check.comment.to_owned(),
        mutator: None,
        op: "live".to_owned(),
        input: json!({ "role": "relay" }).as_object().cloned().unwrap_or_default(),
        result: Verdict::Valid,
        out: Map::new(),
        error: None,
        debug: Map::new(),
    };
    all().map(case).collect()
}

/// Asks each relay the selected cases, and prints what came of it.
///
/// # Errors
///
/// An option makes no sense. What a relay does is a finding.
pub fn run(options: &Options) -> Result<bool> {
    let cases: Vec<Case> =
        cases().into_iter().filter(|case| crate::runner::fits(&options.case, &case.id)).collect();
    ensure!(!cases.is_empty(), "no case fits --case {}", options.case);
    let columns: Result<Vec<Column>> = options.relays.iter().map(|relay| column(relay, &cases)).collect();
    let run = Run { cases, columns: columns? };
    crate::runner::told(&run, options.level, false, options.report.as_deref())
}

fn column(relay: &str, cases: &[Case]) -> Result<Column> {
    let (target, start) = (Target::parse(relay)?, Instant::now());
    let command = relay.to_owned();
    let greeting = target.greeting();
    let hello = match &greeting {
        Ok(greeting) => Ok(Hello {
            name: greeting.name.as_str().to_owned(),
            version: "live".to_owned(),
            roles: BTreeSet::from(["relay".to_owned()]),
            ops: None,
        }),
        Err(Stop::Wrong(reason)) => Err(Finding::fail(reason.clone())),
        Err(Stop::Code { right, found }) => Err(Finding::other_code(*right, *found)),
    };
    let mut findings = BTreeMap::new();
    if hello.is_ok() {
        // Each has mailboxes of its own, so that they may run side by side; some must wait for ten seconds.
        let ended: Vec<(String, Finding)> = std::thread::scope(|scope| {
            let one = |case: &Case| {
                let (id, target) = (case.id.clone(), target.clone());
                scope.spawn(move || (id.clone(), finding(&id, &target)))
            };
            let threads: Vec<_> = cases.iter().map(one).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        findings.extend(ended);
    }
    Ok(Column { command, hello, findings, took: start.elapsed() })
}

fn finding(id: &str, target: &Target) -> Finding {
    let start = Instant::now();
    let Some(check) = all().find(|check| id.strip_prefix("live/") == Some(check.name)) else {
        return Finding::fail("the case is not known".to_owned());
    };
    let mut finding = match (check.body)(target) {
        Ok(()) => Finding::pass(),
        Err(Stop::Wrong(reason)) => Finding::fail(reason),
        Err(Stop::Code { right, found }) => Finding::other_code(right, found),
    };
    finding.took = start.elapsed();
    finding
}
