//! `handfast-conformance compare`: implementations side by side, of reports or asked now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::matrix::Matrix;
use super::options::Asking;
use super::outcome::Run;
use super::rules::Rules;
use super::run::{ask, columns, selected, source_words, vectors};
use super::stored::Stored;
use super::{report, select, summary};
use crate::case::Case;
use crate::out;
use crate::suite::Source;

/// In which form the matrix is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "the forms of a command")]
pub enum Form {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// One page that needs nothing else, with every failure explained.
    Html,
}

/// What to hold side by side.
#[derive(Debug, clap::Args)]
#[expect(clippy::exhaustive_structs, reason = "the options of a command")]
pub struct CompareOptions {
    /// A report of an earlier run (its folder, or a file that ends with .json), or the command that starts a shim, which
    /// is asked every vector.
    #[arg(value_name = "REPORT|CMD", required = true)]
    pub implementations: Vec<String>,
    /// In which form the matrix is printed.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Form,
    /// Which cases, and how they are asked.
    #[command(flatten)]
    pub asking: Asking,
}

/// Prints the matrix of implementations; returns whether all is as expected. `played` has the cases of reports that are no
/// vectors.
///
/// # Errors
///
/// An option makes no sense, or a report cannot be read. What a shim does is a finding.
pub fn compare(source: &Source, played: Vec<Case>, options: &CompareOptions) -> Result<bool> {
    let (asking, rules) = (&options.asking, Rules::of(&options.asking));
    let run = side_by_side(source, played, options)?;
    if asking.explain.is_some() && options.format == Form::Text {
        summary::print(&run, asking)?;
    }
    match options.format {
        Form::Text => out::print(&Matrix::of(&run).text())?,
        Form::Json => out::print(&(serde_json::to_string_pretty(&Matrix::of(&run).json())? + "\n"))?,
        Form::Html => out::print(&report::html(&run, rules)?)?,
    }
    if options.format == Form::Text {
        summary::print_stale(&run)?;
    }
    if let Some(folder) = &asking.report {
        report::write(folder, &run, rules)?;
    }
    Ok(rules.is_good(&run))
}

/// The outcomes of all implementations, in the order given.
fn side_by_side(source: &Source, played: Vec<Case>, options: &CompareOptions) -> Result<Run> {
    let asking = &options.asking;
    let given: Vec<Given> =
        options.implementations.iter().map(|text| Given::read(text)).collect::<Result<_>>()?;
    let vectors = vectors(source)?;
    let ids: BTreeSet<String> = vectors.iter().map(|case| case.id.clone()).collect();
    let has_commands = given.iter().any(|one| matches!(one, Given::Command(_)));
    let selected = selected(needed(vectors, played, has_commands, &given), asking)?;
    let to_ask: Vec<Case> = selected.cases.iter().filter(|case| ids.contains(&case.id)).cloned().collect();
    let (mut all_columns, mut stale) = (Vec::new(), Vec::new());
    for one in given {
        match one {
            Given::Command(command) => {
                all_columns.extend(columns(&to_ask, &[command], asking, &selected.skips, ask)?);
            }
            Given::Report(stored) => {
                stale.extend(stored.stale);
                all_columns.extend(stored.columns.into_iter().map(|mut column| {
                    column.findings.retain(|id, _| select::matches(&asking.case, id));
                    column
                }));
            }
        }
    }
    let mut run = selected.run(all_columns, asking, &source_words(source));
    run.stale.extend(stale);
    Ok(run)
}

/// The cases that are asked, and those of the reports: as this build has them if it does, else as the report says.
fn needed(vectors: Vec<Case>, played: Vec<Case>, all_vectors: bool, given: &[Given]) -> Vec<Case> {
    let count = vectors.len();
    let mut stored: BTreeMap<&str, &Case> = BTreeMap::new();
    for one in given {
        if let Given::Report(report) = one {
            stored.extend(report.cases.iter().map(|case| (case.id.as_str(), case)));
        }
    }
    let mut needed = Vec::new();
    for (index, case) in vectors.into_iter().chain(played).enumerate() {
        let is_stored = stored.remove(case.id.as_str()).is_some();
        if is_stored || (all_vectors && index < count) {
            needed.push(case);
        }
    }
    needed.extend(stored.into_values().cloned());
    needed
}

/// One of the things to compare.
enum Given {
    Report(Stored),
    Command(String),
}

impl Given {
    /// A folder or the name of a JSON file is a report, all else a command.
    fn read(text: &str) -> Result<Self> {
        let path = Path::new(text);
        let file: Option<PathBuf> = if path.is_dir() {
            Some(path.join(report::JSON))
        } else {
            path.extension().is_some_and(|ending| ending == "json").then(|| path.to_owned())
        };
        file.map_or_else(|| Ok(Self::Command(text.to_owned())), |file| Stored::read(&file).map(Self::Report))
    }
}
