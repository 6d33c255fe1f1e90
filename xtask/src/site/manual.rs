//! The manual: the README of the crate, the modules of its documentation that are a manual, and what else is for people
//! who use parts of the repository.

use anyhow::{Context as _, Result};

use super::book::{Book, INDEX, MODULES};
use super::markdown::{Source, render};
use super::page::{Chapter, Page};
use crate::workspace;

/// Files and what they are called here; the modules of [`MODULES`] stand behind the first.
const FILES: [(&str, &str, &str); 7] = [
    ("handfast/README.md", "index", "The crate"),
    ("handfast/js/README.md", "page", "In a page: the npm package"),
    ("bindings/README.md", "bindings", "Other languages"),
    ("conformance/README.md", "conformance", "The conformance suite"),
    ("conformance/SHIMS.md", "shims", "Writing a shim"),
    ("reference-relay/README.md", "relay", "Running a relay"),
    ("tools/README.md", "dissector", "The dissector for Wireshark"),
];
/// The files and their pages.
///
/// # Errors
/// A folder cannot be read.
pub(super) fn files() -> Result<Vec<(String, String)>> {
    Ok(listed()?.into_iter().map(|(file, path, _)| (file, path)).collect())
}

/// The files that are there, each with its page and its title; an empty title is that of the file.
fn listed() -> Result<Vec<(String, String, String)>> {
    let mut listed = Vec::new();
    for (at, (file, name, title)) in FILES.iter().enumerate() {
        if workspace::root().join(file).is_file() {
            listed.push(((*file).to_owned(), format!("manual/{name}.html"), (*title).to_owned()));
        }
        if at == 0 {
            listed.extend(modules()?);
        }
    }
    Ok(listed)
}

/// The index, and the modules in the order in which it declares them.
fn modules() -> Result<Vec<(String, String, String)>> {
    let index = read(INDEX)?;
    let mut listed = vec![(INDEX.to_owned(), "manual/manual.html".to_owned(), "The manual".to_owned())];
    listed.extend(
        index
            .lines()
            .filter_map(declared)
            .map(|name| (format!("{MODULES}/{name}.md"), format!("manual/{name}.html"), String::new())),
    );
    Ok(listed)
}

/// The module that a line declares.
fn declared(line: &str) -> Option<&str> {
    line.strip_prefix("pub mod ")?.strip_suffix(" {}")
}

/// All pages.
///
/// # Errors
/// A file cannot be read.
pub(super) fn chapter(book: &Book) -> Result<Chapter> {
    let mut pages = Vec::new();
    let index = read(INDEX)?;
    for (file, path, title) in listed()? {
        let text = if file == INDEX {
            doc_comment(&index)
        } else if let Some(name) = file.strip_prefix(MODULES) {
            documentation(&index, name.trim_start_matches('/').trim_end_matches(".md"))?
        } else {
            read(&file)?
        };
        let rendered = render(book, Source { file: &file, page: &path, text: &text, code: |_, _| None });
        let stem = path.trim_start_matches("manual/").trim_end_matches(".html").replace('_', " ");
        let title = [title, rendered.title.clone(), stem].into_iter().find(|title| !title.is_empty());
        let title = title.unwrap_or_default();
        let head = if rendered.title.is_empty() { format!("<h1>{title}</h1>\n") } else { String::new() };
        let body = head + &rendered.body;
        pages.push(Page { path, title, body, headings: rendered.headings, scripts: Vec::new() });
    }
    Ok(Chapter { name: "Manual", pages })
}

/// The documentation of a module, from the comments at the beginning of its file.
fn doc_comment(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_prefix("//!"));
    lines.fold(String::new(), |text, line| text + line.strip_prefix(' ').unwrap_or(line) + "\n")
}

/// The documentation of a module that the index declares: what its attributes include, and the comments between them.
fn documentation(index: &str, name: &str) -> Result<String> {
    let is_it = |item: &&str| item.lines().next_back().and_then(declared) == Some(name);
    let item = index.split("\n\n").find(is_it).with_context(|| format!("{INDEX} does not declare {name}"))?;
    let folder = INDEX.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut text = String::new();
    for line in item.lines() {
        let included =
            line.strip_prefix("#[doc = include_str!(\"").and_then(|rest| rest.strip_suffix("\")]"));
        if let Some(file) = included {
            text += &read(&format!("{folder}/{file}"))?;
        } else if let Some(line) = line.strip_prefix("///") {
            text += line.strip_prefix(' ').unwrap_or(line);
            text.push('\n');
        }
    }
    Ok(text)
}

fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(workspace::root().join(file)).with_context(|| format!("no {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_of_a_module_is_its_comment() {
        assert_eq!(doc_comment("//! # A\n//!\n//!   b\n\n/// c\npub mod d {}\n"), "# A\n\n  b\n");
    }

    #[test]
    fn a_module_has_what_it_includes_and_what_is_between() {
        let index = read(INDEX).unwrap();
        let text = documentation(&index, "first_app").unwrap();
        let (phone, page) =
            (text.find("## The phone").unwrap(), read("handfast/src/manual/first_app.md").unwrap());
        assert!(text.starts_with(&page) && text[phone..].contains("fn main"), "{text}");
        assert!(documentation(&index, "none").is_err());
    }

    #[test]
    fn the_readme_is_the_first_page() {
        let files = files().unwrap();
        assert_eq!(files.first(), Some(&("handfast/README.md".to_owned(), "manual/index.html".to_owned())));
    }
}
