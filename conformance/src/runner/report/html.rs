//! `report.html`: one file that needs nothing else, no script and no network. Rows are section, requirement, case;
//! columns are implementations; each failure has a page of its own below.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::super::finding::{Class, Finding};
use super::super::options::Level;
use super::super::outcome::{Column, Run};
use super::super::requirements::{self, Requirement, Section};
use super::escape::escape;
use super::page::Pages;
use crate::case::Case;
use crate::grammar::{Grammar, WIRE};

/// How many failures of one implementation have a page.
const PAGES_MAX: usize = 300;
const HEAD: &str = include_str!("head.html");

/// What has a page, by implementation and case.
type Anchors = BTreeMap<(usize, String), String>;

pub(super) fn text(run: &Run, level: Level) -> Result<String> {
    let sections = requirements::sections();
    let texts = sections.iter().flat_map(|section| &section.requirements).map(|r| (r.id, r.text)).collect();
    let pages = Pages { grammar: Grammar::parse(WIRE)?, requirements: texts };
    let strict = level.is_strict();
    let cases: BTreeMap<&str, &Case> = run.cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let (mut anchors, mut articles) = (Anchors::new(), String::new());
    for (index, column) in run.columns.iter().enumerate() {
        let failures = column
            .findings
            .iter()
            .filter(|(_, finding)| finding.class.is_failure(strict) || finding.class == Class::PassArea);
        for (id, finding) in failures.take(PAGES_MAX) {
            let Some(case) = cases.get(id.as_str()) else { continue };
            let anchor = format!("f{}", anchors.len() + 1);
            articles.push_str(&pages.page(&anchor, case, column, finding)?);
            let _ = anchors.insert((index, id.clone()), anchor);
        }
    }
    let mut out = HEAD.to_owned();
    summary(run, level, &mut out);
    for section in &sections {
        out.push_str(&section_rows(run, section, &anchors, strict));
    }
    if !articles.is_empty() {
        let _ = write!(out, "<h2>Failures</h2>{articles}");
    }
    Ok(out + "</main></html>\n")
}

fn summary(run: &Run, level: Level, out: &mut String) {
    let _ = write!(
        out,
        "<h1 id=\"top\">Handfast conformance</h1><p>{} cases, level {}, runner {}</p><table><tr><th>implementation</th>",
        run.cases.len(),
        level.name(),
        env!("CARGO_PKG_VERSION"),
    );
    for class in Class::ALL {
        let _ = write!(out, "<th>{}</th>", class.name());
    }
    out.push_str("<th>seconds</th></tr>");
    for column in &run.columns {
        let about = match &column.hello {
            Ok(hello) => {
                let roles: Vec<&str> = hello.roles.iter().map(String::as_str).collect();
                format!("{} ({})", hello.version, roles.join(", "))
            }
            Err(finding) => {
                format!("{} at its start: {} {}", finding.class.name(), finding.reason, finding.stderr)
            }
        };
        let _ = write!(out, "<tr><td><b>{}</b> {}</td>", escape(column.name()), escape(&about));
        for class in Class::ALL {
            let count = column.count(class);
            let shade = if count > 0 { class.name() } else { "none" };
            let _ = write!(out, "<td class=\"{shade}\">{count}</td>");
        }
        let _ = write!(out, "<td>{:.1}</td></tr>", column.took.as_secs_f64());
    }
    out.push_str("</table>");
    for column in &run.columns {
        for (id, finding) in column.findings.iter().filter(|(_, finding)| finding.class == Class::Skipped) {
            let (name, reason) = (escape(column.name()), escape(&finding.reason));
            let _ = write!(
                out,
                "<p><span class=\"SKIPPED\">SKIPPED</span> {} of {name}: {reason}</p>",
                escape(id)
            );
        }
    }
}

fn section_rows(run: &Run, section: &Section, anchors: &Anchors, strict: bool) -> String {
    let mut rows = String::new();
    let mut worst = false;
    for requirement in &section.requirements {
        let cites = |case: &&Case| case.reqs.iter().any(|req| req == requirement.id);
        let cases: Vec<&Case> = run.cases.iter().filter(cites).collect();
        if !cases.is_empty() {
            let is_bad = requirement_rows(run, requirement, &cases, anchors, strict, &mut rows);
            worst |= is_bad;
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let open = if worst { " open" } else { "" };
    format!(
        "<details class=\"section\"{open}><summary><h2>{}</h2></summary>{rows}</details>",
        escape(section.title)
    )
}

/// A requirement with its cases; returns whether one of them failed.
fn requirement_rows(
    run: &Run,
    requirement: &Requirement,
    cases: &[&Case],
    anchors: &Anchors,
    strict: bool,
    out: &mut String,
) -> bool {
    let (mut counts, mut is_bad) = (String::new(), false);
    for column in &run.columns {
        let findings: Vec<&Finding> = cases.iter().filter_map(|case| column.findings.get(&case.id)).collect();
        let right = findings.iter().filter(|finding| finding.class == Class::Pass).count();
        let failed = findings.iter().any(|finding| finding.class.is_failure(strict));
        is_bad |= failed;
        let shade = match (failed, right == findings.len()) {
            (true, _) => "FAIL",
            (false, true) => "PASS",
            (false, false) => "UNSUPPORTED",
        };
        let name = escape(column.name());
        let _ = write!(counts, " <span class=\"{shade}\" title=\"{name}\">{right}/{}</span>", findings.len());
    }
    let open = if is_bad { " open" } else { "" };
    let (id, text) = (requirement.id, escape(requirement.text));
    let _ =
        write!(out, "<details{open}><summary><b>{id}</b>{counts} {text}</summary><table><tr><th>case</th>");
    for column in &run.columns {
        let _ = write!(out, "<th>{}</th>", escape(column.name()));
    }
    out.push_str("</tr>");
    for case in cases {
        let _ = write!(out, "<tr><td>{} <small>{}</small></td>", escape(&case.id), escape(&case.comment));
        for (index, column) in run.columns.iter().enumerate() {
            out.push_str(&cell(index, column, case, anchors));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></details>");
    is_bad
}

fn cell(index: usize, column: &Column, case: &Case, anchors: &Anchors) -> String {
    let Some(finding) = column.findings.get(&case.id) else { return "<td class=\"none\">-</td>".to_owned() };
    let class = finding.class.name();
    match anchors.get(&(index, case.id.clone())) {
        Some(anchor) => format!("<td class=\"{class}\"><a href=\"#{anchor}\">{class}</a></td>"),
        None => format!("<td class=\"{class}\" title=\"{}\">{class}</td>", escape(&finding.reason)),
    }
}
