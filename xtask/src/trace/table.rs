//! The table of all requirements with links to what stands behind them, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;

use super::sites::{Reached, Site};
use super::{Trace, Traced};
use crate::workspace;

/// Writes the table to `target/trace.md` and returns its path. With `reached` it says which programs execute each check.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(trace: &Trace, reached: Option<&Reached>) -> Result<PathBuf> {
    let folder = workspace::root().join("target");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("trace.md");
    std::fs::write(&path, text(&trace.requirements, reached))?;
    Ok(path)
}

fn text(all: &[Traced], reached: Option<&Reached>) -> String {
    let mut out = String::from(
        "# Requirements, and what stands behind them\n\nMade by `cargo xtask trace`.\n\n\
         | requirement | text | code | reached from a program | tests | vectors: accepted, refused |\n|---|---|---|---|---|---|\n",
    );
    let mut back: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for traced in all {
        let id = traced.requirement.id.as_str();
        let mut cite = |name: String, file: &str, line: usize| {
            let link = link(&name, file, line);
            let _ = back.entry(link.clone()).or_default().insert(id);
            link
        };
        let code: Vec<String> = traced
            .code
            .iter()
            .map(|site| cite(format!("{}:{}", short(&site.file), site.line), &site.file, site.line))
            .collect();
        let by: Vec<String> = traced.code.iter().map(|site| programs(site, reached)).collect();
        let tests: Vec<String> =
            traced.tests.iter().map(|site| cite(site.function.clone(), &site.file, site.line)).collect();
        let _ = writeln!(
            out,
            "| <a id=\"{id}\"></a>{} | {} | {} | {} | {} | {} |",
            link(id, &traced.requirement.file, traced.requirement.line),
            traced.requirement.text.replace('|', "\\|"),
            code.join("<br>"),
            by.join("<br>"),
            tests.join("<br>"),
            cases(traced, &mut back),
        );
    }
    out.push_str("\n# Code, tests and vectors, and what they cite\n\n| place | requirements |\n|---|---|\n");
    for (place, ids) in back {
        let ids: Vec<String> = ids.iter().map(|id| format!("[{id}](#{id})")).collect();
        let _ = writeln!(out, "| {place} | {} |", ids.join(", "));
    }
    out
}

/// The programs that execute a check; a dash where none does, nothing where it was not measured.
fn programs(site: &Site, reached: Option<&Reached>) -> String {
    reached.map_or_else(String::new, |reached| {
        reached.get(&site.place()).map_or_else(|| "-".to_owned(), |runs| runs.join(" "))
    })
}

/// One link for each file that has cases, with their numbers.
fn cases<'a>(traced: &'a Traced, back: &mut BTreeMap<String, BTreeSet<&'a str>>) -> String {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for case in &traced.cases {
        let (accepted, refused) = counts.entry(&case.file).or_default();
        *if case.invalid { refused } else { accepted } += 1;
        let place = format!("{} in {}", case.id, file_link(&case.file));
        let _ = back.entry(place).or_default().insert(&traced.requirement.id);
    }
    let lines = counts
        .iter()
        .map(|(file, (accepted, refused))| format!("{}: {accepted}, {refused}", file_link(file)));
    lines.collect::<Vec<_>>().join("<br>")
}

fn link(name: &str, file: &str, line: usize) -> String {
    format!("[{name}](../{file}#L{line})")
}

fn file_link(file: &str) -> String {
    format!("[{}](../{file})", short(file))
}

fn short(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}
