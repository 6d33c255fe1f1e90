//! `junit.xml`: what continuous integration reads.

use std::fmt::Write as _;

use super::super::finding::{Class, Finding};
use super::super::options::Level;
use super::super::outcome::{Column, Run};
use super::escape::escape;

pub(super) fn text(run: &Run, level: Level) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for column in &run.columns {
        suite(column, level, &mut out);
    }
    out + "</testsuites>\n"
}

fn suite(column: &Column, level: Level, out: &mut String) {
    let strict = level.is_strict();
    let hello = column.hello.as_ref().err().map(|finding| ("hello", finding));
    let cases = column.findings.iter().map(|(id, finding)| (id.as_str(), finding));
    let all: Vec<(&str, &Finding)> = hello.into_iter().chain(cases).collect();
    let count = |is: &dyn Fn(&Finding) -> bool| all.iter().filter(|(_, finding)| is(finding)).count();
    let failures = count(&|finding| finding.class.is_failure(strict));
    let skipped = count(&|finding| matches!(finding.class, Class::Skipped | Class::Unsupported));
    let (name, seconds) = (escape(column.name()), column.took.as_secs_f64());
    let _ = writeln!(
        out,
        "<testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"{seconds:.3}\">",
        all.len(),
    );
    for (id, finding) in all {
        let (topic, seconds) = (id.split('/').next().unwrap_or_default(), finding.took.as_secs_f64());
        let _ = write!(
            out,
            "<testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.4}\"",
            escape(topic),
            escape(id)
        );
        let reason = escape(&finding.reason);
        let inner = if finding.class.is_failure(strict) {
            let failure = format!("<failure type=\"{}\" message=\"{reason}\"/>", finding.class.name());
            let stderr = escape(&finding.stderr);
            if stderr.is_empty() { failure } else { format!("{failure}<system-err>{stderr}</system-err>") }
        } else if matches!(finding.class, Class::Skipped | Class::Unsupported) {
            format!("<skipped message=\"{}: {reason}\"/>", finding.class.name())
        } else {
            out.push_str("/>\n");
            continue;
        };
        let _ = writeln!(out, ">{inner}</testcase>");
    }
    out.push_str("</testsuite>\n");
}
