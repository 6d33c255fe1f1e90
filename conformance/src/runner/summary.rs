//! What came of a run, for a terminal.

use std::collections::BTreeMap;

use anyhow::Result;

use super::explain::Explainer;
use super::finding::{Class, Finding};
use super::options::Asking;
use super::outcome::{Column, Run};
use super::report;
use super::rules::Rules;
use super::text::{number_of_cases, printable};
use crate::out;

/// How many failures are printed; all of them stand in the reports.
const PRINTED_MAX: usize = 40;
/// How many of them are explained in full, unless it is said otherwise.
const EXPLAINED: usize = 1;
/// How many of the last lines of a shim's standard error are printed with a failure.
const STDERR_LINES_MAX: usize = 8;

/// Prints what came of a run, and writes its reports; returns whether all is as expected.
///
/// # Errors
///
/// A report cannot be written.
pub(crate) fn told(run: &Run, asking: &Asking) -> Result<bool> {
    print(run, asking)?;
    print_stale(run)?;
    let rules = Rules::of(asking);
    if let Some(folder) = &asking.report {
        report::write(folder, run, rules)?;
    }
    Ok(rules.is_good(run))
}

/// Prints what came of each implementation.
///
/// # Errors
///
/// Standard output cannot be written.
pub(super) fn print(run: &Run, asking: &Asking) -> Result<()> {
    let explainer = Explainer::new()?;
    let in_full = asking.explain.unwrap_or(EXPLAINED);
    for column in &run.columns {
        let of_one = Summary { run, column, rules: Rules::of(asking), explained: in_full };
        out::print(&of_one.text(&explainer)?)?;
    }
    Ok(())
}

/// Prints what was expected to fail and did not.
///
/// # Errors
///
/// Standard output cannot be written.
pub(super) fn print_stale(run: &Run) -> Result<()> {
    for line in &run.stale {
        out::print_line(&format!("  STALE {}", printable(line)))?;
    }
    if !run.stale.is_empty() {
        out::print_line("  what is stale fails the run: take it out of the file of --expect, or correct it")?;
    }
    Ok(())
}

/// What is printed of one implementation.
struct Summary<'a> {
    run: &'a Run,
    column: &'a Column,
    rules: Rules,
    /// How many failures are explained in full.
    explained: usize,
}

impl Summary<'_> {
    /// One line for each class, the failures, and the first of them in full.
    fn text(&self, explainer: &Explainer) -> Result<String> {
        let Self { run, column, rules, .. } = self;
        let mut lines = Vec::new();
        match &column.hello {
            Ok(hello) => {
                let roles: Vec<&str> = hello.roles.iter().map(String::as_str).collect();
                let (name, version, roles) =
                    (printable(&hello.name), printable(&hello.version), roles.join(", "));
                let (cases, seconds) = (column.findings.len(), column.took.as_secs_f64());
                lines.push(format!(
                    "{name} {version} ({roles}): {} in {seconds:.1} s",
                    number_of_cases(cases)
                ));
            }
            Err(finding) => {
                let reason = printable(&finding.reason);
                lines.push(format!("{}: {} {reason}", column.command, finding.class.name()));
                lines.extend(stderr_lines(finding));
                return Ok(lines.join("\n") + "\n");
            }
        }
        let counts: Vec<String> =
            Class::ALL.iter().map(|class| format!("{} {}", class.name(), column.count(*class))).collect();
        lines.push(format!("  {}", counts.join("  ")));
        let failed: Vec<_> = column.findings.iter().filter(|(_, finding)| rules.fails(finding)).collect();
        // What is explained comes last, where a terminal shows it without scrolling.
        let others = failed.iter().take(PRINTED_MAX).skip(self.explained);
        lines.extend(others.map(|(id, finding)| headline(id, finding)));
        let more = failed.len().saturating_sub(PRINTED_MAX.max(self.explained));
        if more > 0 {
            lines.push(format!("  ... and {more} more, which --report DIR writes"));
        }
        lines.extend(self.not_failed());
        lines.extend(self.not_supported());
        for (id, finding) in failed.iter().take(self.explained) {
            lines.extend(self.in_full(explainer, id, finding)?);
        }
        if !failed.is_empty() {
            lines.push(format!("  {} of {} cases failed", failed.len(), column.findings.len()));
        }
        let elsewhere = run.cases.len() - column.findings.len();
        if elsewhere > 0 {
            lines.push(format!("  {elsewhere} cases are about other roles"));
        }
        Ok(lines.join("\n") + "\n")
    }

    /// A failure with all that explains it.
    fn in_full(&self, explainer: &Explainer, id: &str, finding: &Finding) -> Result<Vec<String>> {
        let mut lines = vec![String::new(), headline(id, finding)];
        lines.extend(stderr_lines(finding));
        if let Some(case) = self.run.cases.iter().find(|case| case.id == id) {
            let again = self.run.reproduction(self.column, id);
            let of_case = explainer.lines(case, finding, &again)?;
            lines.extend(of_case.iter().map(|line| format!("    {line}")));
        }
        lines.push(String::new());
        Ok(lines)
    }

    /// The operations that the implementation does not know, with the number of their cases.
    fn not_supported(&self) -> Option<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for case in &self.run.cases {
            let finding = self.column.findings.get(&case.id);
            if finding.is_some_and(|finding| finding.class == Class::Unsupported) {
                *counts.entry(&case.op).or_default() += 1;
            }
        }
        let list: Vec<String> = counts.iter().map(|(op, count)| format!("{op} ({count})")).collect();
        (!list.is_empty()).then(|| format!("  not supported yet: {}", list.join(", ")))
    }

    /// What is left out or was expected to fail, each with its reason.
    fn not_failed(&self) -> Vec<String> {
        let (mut lines, mut expected) = (Vec::new(), 0);
        for (id, finding) in &self.column.findings {
            if let Some(reason) = &finding.expected {
                expected += 1;
                if expected > PRINTED_MAX {
                    continue;
                }
                lines.push(format!("  EXPECTED {} {id}: {}", finding.class.name(), printable(reason)));
            } else if finding.class == Class::Skipped {
                lines.push(format!("  SKIPPED {id}: {}", printable(&finding.reason)));
            }
        }
        if expected > 0 {
            lines.push(format!("  {expected} failed as expected"));
        }
        lines
    }
}

fn headline(id: &str, finding: &Finding) -> String {
    format!("  {} {id}: {}", finding.class.name(), printable(&finding.reason))
}

/// The last lines that a shim wrote to its standard error, if it ended or did not answer.
fn stderr_lines(finding: &Finding) -> Vec<String> {
    let lines: Vec<&str> = finding.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(STDERR_LINES_MAX);
    lines.iter().skip(first).map(|line| format!("    its stderr: {}", printable(line))).collect()
}
