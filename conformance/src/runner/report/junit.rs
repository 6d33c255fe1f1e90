//! `junit.xml`: what continuous integration reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::super::explain::Explainer;
use super::super::finding::{Class, Finding};
use super::super::outcome::{Column, Run};
use super::super::rules::Rules;
use super::escape::escape;
use crate::case::Case;

/// How many failures of one implementation are explained; the others have their reason.
const EXPLAINED_MAX: usize = 100;

pub(super) fn text(run: &Run, rules: Rules) -> Result<String> {
    let explainer = Explainer::new()?;
    let cases: BTreeMap<&str, &Case> = run.cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for column in &run.columns {
        Suite { run, cases: &cases, column, rules, explainer: &explainer }.write(&mut out)?;
    }
    if !run.stale.is_empty() {
        stale(&run.stale, &mut out);
    }
    Ok(out + "</testsuites>\n")
}

/// One implementation.
struct Suite<'a> {
    run: &'a Run,
    cases: &'a BTreeMap<&'a str, &'a Case>,
    column: &'a Column,
    rules: Rules,
    explainer: &'a Explainer,
}

impl Suite<'_> {
    fn write(&self, out: &mut String) -> Result<()> {
        let Self { column, rules, .. } = self;
        let hello = column.hello.as_ref().err().map(|finding| ("hello", finding));
        let cases = column.findings.iter().map(|(id, finding)| (id.as_str(), finding));
        let all: Vec<(&str, &Finding)> = hello.into_iter().chain(cases).collect();
        let count = |is: &dyn Fn(&Finding) -> bool| all.iter().filter(|(_, finding)| is(finding)).count();
        let failures = count(&|finding| rules.fails(finding));
        let skipped = count(&|finding| !rules.fails(finding) && is_left_out(finding));
        let (name, seconds) = (escape(column.name()), column.took.as_secs_f64());
        let _ = writeln!(
            out,
            "<testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"{seconds:.3}\">",
            all.len(),
        );
        let mut explained = 0;
        for (id, finding) in all {
            let (topic, seconds) = (id.split('/').next().unwrap_or_default(), finding.took.as_secs_f64());
            let (topic, name) = (escape(topic), escape(id));
            let _ = write!(out, "<testcase classname=\"{topic}\" name=\"{name}\" time=\"{seconds:.4}\"");
            let (class, reason) = (finding.class.name(), escape(&finding.reason));
            let inner = if rules.fails(finding) {
                explained += 1;
                let text =
                    if explained <= EXPLAINED_MAX { self.explained(id, finding)? } else { String::new() };
                let stderr = escape(&finding.stderr);
                let failure = format!("<failure type=\"{class}\" message=\"{reason}\">{text}</failure>");
                if stderr.is_empty() {
                    failure
                } else {
                    format!("{failure}<system-err>{stderr}</system-err>")
                }
            } else if let Some(expected) = &finding.expected {
                format!("<skipped message=\"expected {class}: {}\"/>", escape(expected))
            } else if is_left_out(finding) {
                format!("<skipped message=\"{class}: {reason}\"/>")
            } else {
                out.push_str("/>\n");
                continue;
            };
            let _ = writeln!(out, ">{inner}</testcase>");
        }
        out.push_str("</testsuite>\n");
        Ok(())
    }

    /// What a terminal shows of a failure.
    fn explained(&self, id: &str, finding: &Finding) -> Result<String> {
        let Some(case) = self.cases.get(id) else { return Ok(String::new()) };
        let again = self.run.reproduction(self.column, id);
        let lines = self.explainer.lines(case, finding, &again)?;
        Ok(lines.iter().map(|line| escape(line) + "\n").collect())
    }
}

/// Whether a case has no result, or one that was expected.
fn is_left_out(finding: &Finding) -> bool {
    matches!(finding.class, Class::Skipped | Class::Unsupported) || finding.expected.is_some()
}

/// The expected failures that do not hold, as a suite of their own.
fn stale(lines: &[String], out: &mut String) {
    let count = lines.len();
    let _ = writeln!(
        out,
        "<testsuite name=\"expected failures\" tests=\"{count}\" failures=\"{count}\" errors=\"0\" skipped=\"0\" time=\"0\">"
    );
    for line in lines {
        let (id, why) = line.split_once(": ").unwrap_or((line, ""));
        let (id, why) = (escape(id), escape(why));
        let _ = writeln!(
            out,
            "<testcase classname=\"expect\" name=\"{id}\" time=\"0\"><failure type=\"STALE\" message=\"{why}\"/></testcase>"
        );
    }
    out.push_str("</testsuite>\n");
}
