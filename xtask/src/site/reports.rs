//! The reports of the conformance suite over this repository, as far as they were made on this machine.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::book::Book;
use super::html::escape;
use super::page::{Chapter, Page};
use super::specification;
use crate::workspace;

/// The reports that `cargo xtask test` leaves, each with what it is about.
const REPORTS: [(&str, &str, &str); 3] = [
    ("cases", "Every case", "Each case of the vectors, asked of every shim of this repository."),
    ("peer", "A faulty peer", "A peer that breaks one rule after another, played against the reference."),
    ("live", "Live programs", "The phone and the companion as processes, over real WebSockets."),
];
/// What is said whether there is a report or not.
const HEAD: &str = include_str!("reports.html");

/// The page.
///
/// # Errors
/// A report is there and cannot be read.
pub(super) fn chapter(book: &Book) -> Result<Chapter> {
    let mut body = HEAD.replace("{{cases}}", &specification::cases(book).to_string());
    let mut any = false;
    for (folder, title, what) in REPORTS {
        let path = workspace::target().join("conformance").join(folder).join("report.json");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let report: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        body.push_str(&section(folder, title, what, &report));
        any = true;
    }
    if !any {
        body.push_str(
            "<p class=\"note\">This copy of the site was made without a run of the suite. <code>cargo xtask test</code> runs it over \
             the shims and programs of the repository; <code>cargo xtask site</code> then shows the results here.</p>\n",
        );
    }
    let page = Page {
        path: "reports/index.html".to_owned(),
        title: "Reports".to_owned(),
        body,
        headings: Vec::new(),
        scripts: Vec::new(),
    };
    Ok(Chapter { name: "Reports", pages: vec![page] })
}

/// What one report says, under a heading of its own.
fn section(folder: &str, title: &str, what: &str, report: &Value) -> String {
    format!("<h2 id=\"{folder}\">{title}</h2>\n<p>{what}</p>\n{}", table(title, report))
}

/// A row for each implementation, a column for each way in which a case can end. The title is the table's name, since
/// who hears a page cannot tell two regions of one name apart.
fn table(title: &str, report: &Value) -> String {
    let implementations = report["implementations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let classes: Vec<&str> = implementations
        .first()
        .and_then(|one| one["counts"].as_object())
        .map(|counts| counts.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let heads = cells(classes.iter().map(|class| format!("<th scope=\"col\">{}</th>", escape(class))));
    let mut out = format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{title}\"><table>\n<thead><tr><th scope=\"col\">implementation</th>\
         <th scope=\"col\">roles</th>{heads}<th scope=\"col\">took</th></tr></thead>\n<tbody>\n"
    );
    for one in implementations {
        let roles = one["roles"].as_array().map(Vec::as_slice).unwrap_or_default();
        let roles: Vec<&str> = roles.iter().filter_map(Value::as_str).collect();
        let counts = cells(classes.iter().map(|class| format!("<td>{}</td>", one["counts"][*class])));
        let name = one["name"].as_str().unwrap_or("did not answer");
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{} {}</th><td>{}</td>{counts}<td>{} ms</td></tr>",
            escape(name),
            escape(one["version"].as_str().unwrap_or_default()),
            escape(&roles.join(", ")),
            one["took_ms"],
        );
    }
    let cases = report["cases"].as_array().map_or(0, Vec::len);
    let _ = writeln!(
        out,
        "</tbody>\n</table></div>\n<p>{cases} cases at level {}.</p>",
        escape(report["level"].as_str().unwrap_or("-"))
    );
    out
}

fn cells(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_becomes_a_table() {
        let counts = json!({ "pass": 3, "fail": 1 });
        let one =
            json!({ "name": "a<b", "version": "1", "roles": ["phone"], "counts": counts, "took_ms": 5 });
        let html =
            table("Every case", &json!({ "implementations": [one], "cases": [{}, {}], "level": "strict" }));
        assert!(html.contains("<th scope=\"row\">a&lt;b 1</th><td>phone</td>"), "{html}");
        assert!(html.contains("<td>3</td>") && html.contains("2 cases at level strict"), "{html}");
    }

    #[test]
    fn no_two_regions_have_one_name() {
        let empty = json!({ "implementations": [], "cases": [], "level": "strict" });
        let sections = REPORTS.map(|(folder, title, what)| section(folder, title, what, &empty));
        let page = sections.concat();
        let names: Vec<&str> =
            page.split("aria-label=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(names, REPORTS.map(|(_, title, _)| title));
    }
}
