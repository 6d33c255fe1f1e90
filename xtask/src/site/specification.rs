//! The pages of the specification, in the order of its own list of contents.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::book::Book;
use super::html::{ending, title};
use super::markdown::{Source, render};
use super::page::{Chapter, Page};
use super::{example, grammar, module, requirements};
use crate::workspace;

/// The page with the list of contents.
const README: &str = "spec/README.md";
/// The page of all requirements, which no file is made of.
const REQUIREMENTS: &str = "spec/requirements.html";

/// The files and their pages, in the order of the list of contents.
///
/// # Errors
/// The list does not name a file of `spec/`.
pub(super) fn files() -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(workspace::root().join(README))?;
    let mut files = vec![(README.to_owned(), "spec/index.html".to_owned())];
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let links = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        for link in links.filter(|link| ["md", "tls"].contains(&ending(link))) {
            let name = link.trim_end_matches("/README.md").trim_end_matches(".md").trim_end_matches(".tls");
            files.push((format!("spec/{link}"), format!("spec/{name}.html")));
        }
    }
    let listed: BTreeSet<&str> = files.iter().map(|(file, _)| file.as_str()).collect();
    for entry in std::fs::read_dir(workspace::root().join("spec"))? {
        let name = format!("spec/{}", entry?.file_name().to_string_lossy());
        ensure!(ending(&name) != "md" || listed.contains(name.as_str()), "{README} does not list {name}");
    }
    Ok(files)
}

/// How many cases of the vectors cite a requirement.
pub(super) fn cases(book: &Book) -> usize {
    let files = book.requirements.values().flat_map(|cited| &cited.vectors);
    files.map(|file| file.accepted + file.refused).sum()
}

/// All pages.
///
/// # Errors
/// A file cannot be read.
pub(super) fn chapter(book: &Book) -> Result<Chapter> {
    let mut pages = Vec::new();
    for (file, path) in files()? {
        pages.push(page(book, &file, path)?);
    }
    pages.push(Page {
        path: REQUIREMENTS.to_owned(),
        title: "All requirements".to_owned(),
        body: format!(
            "<h1>All requirements</h1>\n<p>{} requirements, each with the number of places in code, tests, vectors and models \
             that cite it. The places themselves stand beside the requirement: follow its id, then open its number.</p>\n{}",
            book.requirements.len(),
            requirements::index(book, REQUIREMENTS)
        ),
        headings: Vec::new(),
        scripts: Vec::new(),
    });
    Ok(Chapter { name: "Specification", pages })
}

fn page(book: &Book, file: &str, path: String) -> Result<Page> {
    let text = std::fs::read_to_string(workspace::root().join(file)).with_context(|| format!("no {file}"))?;
    if file == "spec/wire.tls" {
        let (body, headings) = grammar::page(&text);
        return Ok(Page { path, title: "Collected grammar".to_owned(), body, headings, scripts: Vec::new() });
    }
    let is_example = file == example::FILE;
    let code: fn(&str, &str) -> Option<String> = if is_example { example::block } else { |_, _| None };
    let rendered = render(book, Source { file, page: &path, text: &text, code });
    let name = title(&rendered.title);
    let mut page =
        Page { path, title: name, body: rendered.body, headings: rendered.headings, scripts: Vec::new() };
    if is_example {
        let (body, cases) = example::tie(&page.body)?;
        // `<` ends a script element before its end only in `</script`; as an escape it cannot.
        let data = Value::Object(cases).to_string().replace('<', "\\u003c");
        page.body = format!("{body}<script type=\"application/json\" id=\"cases\">{data}</script>\n");
        page.scripts = vec![module::FILE, "example.js"];
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_page() {
        let files = files().unwrap();
        assert!(files.len() > 20, "{files:?}");
        let find = |file: &str| files.iter().find(|(name, _)| name == file).map(|(_, page)| page.as_str());
        assert_eq!(find("spec/models/README.md"), Some("spec/models.html"));
        assert_eq!(find("spec/wire.tls"), Some("spec/wire.html"));
        let pages: BTreeSet<_> = files.iter().map(|(_, page)| page).collect();
        assert_eq!(pages.len(), files.len(), "a page is made of two files");
    }
}
