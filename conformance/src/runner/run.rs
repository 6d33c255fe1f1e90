//! `handfast-conformance run`: every case through each shim.

use anyhow::{Result, ensure};

use super::finding::Finding;
use super::options::{Asking, Options};
use super::outcome::{Column, Run};
use super::protocol::{Answer, Hello};
use super::shim::{Shim, Trouble};
use super::skips::Skips;
use super::summary::told;
use super::worker::{self, Play};
use super::{compare, report, select};
use crate::case::{Case, VectorFile};
use crate::suite::{self, Source};

/// Runs the selected cases through each shim, and prints what came of it.
///
/// # Errors
///
/// The files are damaged, or an option makes no sense. What a shim does is a finding.
pub fn run(source: &Source, options: &Options) -> Result<(Run, bool)> {
    let files: Vec<VectorFile> = suite::load(source)?;
    run_cases(files.into_iter().flat_map(|file| file.cases).collect(), options, ask)
}

/// Asks a case, and holds the answer against what is right.
fn ask(case: &Case, shim: &mut Shim, hello: &Hello, _: &Asking) -> Result<Finding, Trouble> {
    let answer = shim.ask(&case.op, &case.input)?;
    let answer = Answer::read(&answer).map_err(Trouble::Nonsense)?;
    Ok(compare::judge(case, hello, &answer))
}

/// Plays those of the cases that are asked for, and prints what came of it.
///
/// # Errors
///
/// An option makes no sense. What a shim does is a finding.
pub(crate) fn run_cases(all: Vec<Case>, options: &Options, play: Play) -> Result<(Run, bool)> {
    let (cases, skips) = selected(all, &options.asking)?;
    let columns = columns(&cases, &options.shims, &options.asking, &skips, play)?;
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
    play: Play,
) -> Result<Vec<Column>> {
    shims.iter().map(|command| worker::column(cases, command, asking, skips, play)).collect()
}
