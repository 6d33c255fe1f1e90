//! `handfast-conformance run`: every case through each shim.

use anyhow::{Result, ensure};

use super::expect::Expectations;
use super::finding::Finding;
use super::options::{Asking, Options};
use super::outcome::{Column, Run};
use super::protocol::{Answer, Hello};
use super::rules::Rules;
use super::shim::{Shim, Trouble};
use super::skips::Skips;
use super::summary::told;
use super::worker::{self, Play};
use super::{judge, report, select};
use crate::case::{Case, VectorFile};
use crate::suite::{self, Source};

/// Runs the selected cases through each shim, and prints what came of it.
///
/// # Errors
///
/// The files are damaged, or an option makes no sense. What a shim does is a finding.
pub fn run(source: &Source, options: &Options) -> Result<(Run, bool)> {
    run_cases(vectors(source)?, options, ask, &source_words(source))
}

/// Every case of the vector files.
///
/// # Errors
///
/// The files are damaged.
pub(super) fn vectors(source: &Source) -> Result<Vec<Case>> {
    let files: Vec<VectorFile> = suite::load(source)?;
    Ok(files.into_iter().flat_map(|file| file.cases).collect())
}

/// The words by which the program reads the same files again.
pub(super) fn source_words(source: &Source) -> Vec<String> {
    match source {
        Source::Embedded => Vec::new(),
        Source::Folder(folder) => vec!["--folder".to_owned(), folder.display().to_string()],
    }
}

/// Asks a case, and holds the answer against what is right.
pub(super) fn ask(case: &Case, shim: &mut Shim, hello: &Hello, _: &Asking) -> Result<Finding, Trouble> {
    let answer = shim.ask(&case.op, &case.input)?;
    let answer = Answer::read(&answer).map_err(Trouble::Nonsense)?;
    Ok(judge::judge(case, hello, &answer))
}

/// Plays those of the cases that are asked for, and prints what came of it; `words` are options that a line which runs one
/// of them again needs.
///
/// # Errors
///
/// An option makes no sense. What a shim does is a finding.
pub(crate) fn run_cases(
    all: Vec<Case>,
    options: &Options,
    play: Play,
    words: &[String],
) -> Result<(Run, bool)> {
    let selected = selected(all, &options.asking)?;
    let columns = columns(&selected.cases, &options.shims, &options.asking, &selected.skips, play)?;
    let run = selected.run(columns, &options.asking, words);
    let good = told(&run, &options.asking)?;
    Ok((run, good))
}

/// The cases that are asked for, and what is said about them beforehand.
pub(crate) struct Selected {
    pub(crate) cases: Vec<Case>,
    pub(crate) skips: Skips,
    expectations: Expectations,
    /// The ids of all cases, also of those that are not asked for.
    all: Vec<String>,
}

impl Selected {
    /// What came of it, held against what was expected.
    pub(crate) fn run(self, columns: Vec<Column>, asking: &Asking, words: &[String]) -> Run {
        let words = [&asking.words(), words].concat();
        let mut run = Run { cases: self.cases, columns, words, stale: Vec::new() };
        let all: Vec<&str> = self.all.iter().map(String::as_str).collect();
        run.stale = self.expectations.mark(&mut run, &all, Rules::of(asking));
        run
    }
}

/// The cases that are asked for, those of them that are left out, and those that are expected to fail.
///
/// # Errors
///
/// An option makes no sense.
pub(crate) fn selected(all: Vec<Case>, asking: &Asking) -> Result<Selected> {
    ensure!(asking.repeat > 0 && asking.jobs != Some(0), "--repeat and --jobs are at least 1");
    if let Some(folder) = &asking.report {
        report::require_writable(folder)?;
    }
    let skips = asking.skips.as_deref().map_or_else(|| Ok(Skips::default()), Skips::read)?;
    let expectations =
        asking.expect.as_deref().map_or_else(|| Ok(Expectations::default()), Expectations::read)?;
    let ids: Vec<String> = all.iter().map(|case| case.id.clone()).collect();
    let stale = skips.stale(&ids);
    ensure!(stale.is_empty(), "these skips fit no case: {}", stale.join(", "));
    let cases: Vec<Case> = all.into_iter().filter(|case| select::matches(&asking.case, &case.id)).collect();
    ensure!(!cases.is_empty(), "no case fits --case {}; `list` prints their ids", asking.case);
    Ok(Selected { cases, skips, expectations, all: ids })
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
