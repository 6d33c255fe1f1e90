//! `report.html`: one file that needs nothing else, no script and no network. Rows are section, requirement, case;
//! columns are implementations; each failure has a page of its own below.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::super::explain::Explainer;
use super::super::finding::{Class, Finding};
use super::super::matrix::{self, Matrix};
use super::super::outcome::{Column, Run};
use super::super::requirements::{self, Requirement, Section};
use super::super::rules::Rules;
use super::escape::escape;
use super::page;
use crate::case::Case;

/// How many failures of one implementation have a page.
const PAGES_MAX: usize = 300;
const HEAD: &str = include_str!("head.html");

/// What has a page, by implementation and case.
type Anchors = BTreeMap<(usize, String), String>;

pub(in super::super) fn text(run: &Run, rules: Rules) -> Result<String> {
    let (sections, explainer) = (requirements::sections(), Explainer::new()?);
    let cases: BTreeMap<&str, &Case> = run.cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let (mut anchors, mut articles) = (Anchors::new(), String::new());
    for (index, column) in run.columns.iter().enumerate() {
        let failures = column.findings.iter().filter(|(_, finding)| finding.class.is_failure(true));
        for (id, finding) in failures.take(PAGES_MAX) {
            let Some(case) = cases.get(id.as_str()) else { continue };
            let anchor = format!("f{}", anchors.len() + 1);
            articles.push_str(&page::page(&explainer, run, &anchor, case, column, finding)?);
            let _ = anchors.insert((index, id.clone()), anchor);
        }
    }
    let mut out = HEAD.to_owned();
    summary(run, rules, &mut out);
    if run.columns.len() > 1 {
        matrix(run, &anchors, &mut out);
    }
    for section in &sections {
        out.push_str(&section_rows(run, section, &anchors, rules));
    }
    if !articles.is_empty() {
        let _ = write!(out, "<h2>Failures</h2>{articles}");
    }
    Ok(out + "</main></html>\n")
}

fn summary(run: &Run, rules: Rules, out: &mut String) {
    let _ = write!(
        out,
        "<h1 id=\"top\">Handfast conformance</h1><p>{} cases, level {}, runner {}</p><table><tr><th>implementation</th>",
        run.cases.len(),
        rules.level.name(),
        env!("CARGO_PKG_VERSION"),
    );
    for class in Class::ALL {
        let _ = write!(out, "<th>{}</th>", class.name());
    }
    out.push_str("<th>seconds</th></tr>");
    for column in &run.columns {
        let about = match &column.hello {
            Ok(hello) => {
                let of: Vec<&str> = hello.roles.iter().map(String::as_str).collect();
                format!("{} ({})", hello.version, of.join(", "))
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
        for (id, finding) in &column.findings {
            let (word, reason) = match &finding.expected {
                Some(reason) => ("EXPECTED", reason),
                None if finding.class == Class::Skipped => ("SKIPPED", &finding.reason),
                None => continue,
            };
            let (id, name, reason) = (escape(id), escape(column.name()), escape(reason));
            let _ = write!(out, "<p><span class=\"SKIPPED\">{word}</span> {id} of {name}: {reason}</p>");
        }
    }
    for line in &run.stale {
        let _ = write!(out, "<p><span class=\"FAIL\">STALE</span> {}</p>", escape(line));
    }
}

/// Topics by implementation, and the cases that do not end everywhere in the same way.
fn matrix(run: &Run, anchors: &Anchors, out: &mut String) {
    let matrix = Matrix::of(run);
    let heads = run
        .columns
        .iter()
        .fold(String::new(), |heads, column| heads + "<th>" + &escape(column.name()) + "</th>");
    let _ = write!(out, "<h2>By topic</h2><div class=\"wide\"><table><tr><th>topic</th>{heads}</tr>");
    for row in &matrix.rows {
        let _ = write!(out, "<tr><td>{}</td>", escape(row.topic));
        for cell in &row.cells {
            let class = cell.map_or("none", |cell| if cell.passed == cell.asked { "PASS" } else { "FAIL" });
            let _ = write!(out, "<td class=\"{class}\">{}</td>", matrix::shown(*cell));
        }
        out.push_str("</tr>");
    }
    let _ = write!(out, "</table></div><h2>Cases that differ: {}</h2>", matrix.differing.len());
    if matrix.differing.is_empty() {
        return;
    }
    let _ = write!(out, "<div class=\"wide\"><table><tr><th>case</th>{heads}</tr>");
    for (id, _) in &matrix.differing {
        let _ = write!(out, "<tr><td>{}</td>", escape(id));
        for (index, column) in run.columns.iter().enumerate() {
            out.push_str(&cell(index, column, id, anchors));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div>");
}

fn section_rows(run: &Run, section: &Section, anchors: &Anchors, rules: Rules) -> String {
    let mut rows = String::new();
    let mut worst = false;
    for requirement in &section.requirements {
        let cites = |case: &&Case| case.reqs.iter().any(|req| req == requirement.id);
        let cases: Vec<&Case> = run.cases.iter().filter(cites).collect();
        if !cases.is_empty() {
            let is_bad = requirement_rows(run, requirement, &cases, anchors, rules, &mut rows);
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
    rules: Rules,
    out: &mut String,
) -> bool {
    let (mut counts, mut is_bad) = (String::new(), false);
    for column in &run.columns {
        let findings: Vec<&Finding> = cases.iter().filter_map(|case| column.findings.get(&case.id)).collect();
        let right = findings.iter().filter(|finding| finding.class == Class::Pass).count();
        let failed = findings.iter().any(|finding| rules.fails(finding));
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
            out.push_str(&cell(index, column, &case.id, anchors));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></details>");
    is_bad
}

fn cell(index: usize, column: &Column, id: &str, anchors: &Anchors) -> String {
    let Some(finding) = column.findings.get(id) else { return "<td class=\"none\">-</td>".to_owned() };
    let class = finding.class.name();
    match anchors.get(&(index, id.to_owned())) {
        Some(anchor) => format!("<td class=\"{class}\"><a href=\"#{anchor}\">{class}</a></td>"),
        None => format!("<td class=\"{class}\" title=\"{}\">{class}</td>", escape(&finding.reason)),
    }
}
