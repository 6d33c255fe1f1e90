//! What came of a run, for a terminal.

use anyhow::Result;

use super::finding::{Class, Finding};
use super::options::Asking;
use super::outcome::{Column, Run, reproduction};
use super::report;
use crate::out;

/// How many failures are printed; all of them stand in the reports.
const PRINTED_MAX: usize = 40;
/// How many of the last lines of a shim's standard error are printed with a failure.
const STDERR_LINES_MAX: usize = 8;

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

/// A text of a shim on a terminal: nothing that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
