//! What the pages know of each other: which file became which page, what each requirement has behind it, and where the
//! files of the repository can be read.

use std::collections::BTreeMap;

use super::page::relative;
use crate::trace::cited::Cited;
use crate::workspace;

/// Where the manual's modules lie, as Markdown.
pub(super) const MODULES: &str = "handfast/src/manual";
/// The crate's file that declares them, and whose comment is their first page.
pub(super) const INDEX: &str = "handfast/src/manual.rs";

/// All pages and requirements.
#[derive(Debug)]
pub(super) struct Book {
    /// Pages by the file of the workspace that they are made of.
    pub(super) pages: BTreeMap<String, String>,
    /// Titles of pages by the file that they are made of.
    pub(super) titles: BTreeMap<String, String>,
    /// Requirements by id.
    pub(super) requirements: BTreeMap<String, Cited>,
    /// Where the repository can be read, without a slash at the end.
    pub(super) repository: String,
}

impl Book {
    /// The address of a file of the workspace, and of a line of it, where the repository can be read.
    pub(super) fn in_repository(&self, file: &str, line: Option<usize>) -> String {
        let kind = if workspace::root().join(file).is_dir() { "tree" } else { "blob" };
        let line = line.map_or_else(String::new, |line| format!("#L{line}"));
        format!("{}/{kind}/main/{file}{line}", self.repository)
    }

    /// The file of the workspace and the line that such an address names.
    pub(super) fn file_of<'a>(&self, url: &'a str) -> Option<(&'a str, Option<usize>)> {
        let rest = url.strip_prefix(&self.repository)?.strip_prefix('/')?;
        let rest = rest.strip_prefix("blob/main/").or_else(|| rest.strip_prefix("tree/main/"))?;
        let (file, line) = rest.split_once('#').unwrap_or((rest, ""));
        Some((file, line.strip_prefix('L').and_then(|line| line.parse().ok())))
    }

    /// The title of the page that a link in `file` leads to.
    pub(super) fn title(&self, file: &str, link: &str) -> Option<&str> {
        let path = link.split('#').next().unwrap_or(link);
        self.titles.get(&beside(file, path)).map(String::as_str)
    }

    /// The address for a link in `file`, as it stands on the page `page` that the file became. None for a name that only
    /// the documentation of the crates can resolve.
    pub(super) fn address(&self, file: &str, page: &str, link: &str) -> Option<String> {
        if link.starts_with('#') || link.contains("://") || link.starts_with("mailto:") {
            // What the repository's own address names may be a page here.
            let known =
                self.file_of(link).and_then(|(file, line)| self.pages.get(file).filter(|_| line.is_none()));
            return Some(known.map_or_else(|| link.to_owned(), |to| relative(page, to)));
        }
        let module = link.strip_prefix("crate::manual::").or_else(|| link.strip_prefix("super::"));
        if let Some(name) = module {
            return self.pages.get(&format!("{MODULES}/{name}.md")).map(|to| relative(page, to));
        }
        if !link.contains(['/', '.']) || link.contains("::") {
            return None;
        }
        let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
        let target = beside(file, path);
        let address = self
            .pages
            .get(&target)
            .map_or_else(|| self.in_repository(&target, None), |to| relative(page, to));
        Some(anchor.map_or_else(|| address.clone(), |anchor| format!("{address}#{anchor}")))
    }
}

/// A path as a link in `file` has it, from the root of the workspace.
fn beside(file: &str, path: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    let _ = parts.pop();
    for part in path.split('/') {
        match part {
            ".." => {
                let _ = parts.pop();
            }
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Book {
        Book {
            pages: [
                ("spec/a.md", "spec/a.html"),
                ("README.md", "index.html"),
                ("handfast/src/manual/stores.md", "manual/stores.html"),
            ]
            .map(|(file, page)| (file.to_owned(), page.to_owned()))
            .into(),
            titles: BTreeMap::from([("spec/a.md".to_owned(), "The letter A".to_owned())]),
            requirements: BTreeMap::new(),
            repository: "https://example.org/x".to_owned(),
        }
    }

    #[test]
    fn links_become_pages_where_there_is_one() {
        let book = book();
        let of = |link: &str| book.address("spec/b.md", "spec/b.html", link).unwrap_or_default();
        assert_eq!(of("a.md#one"), "a.html#one");
        assert_eq!(of("../README.md"), "../index.html");
        assert_eq!(of("state/"), "https://example.org/x/tree/main/spec/state");
        assert_eq!(of("wire.tls"), "https://example.org/x/blob/main/spec/wire.tls");
        assert_eq!(of("https://example.org/x/blob/main/spec/a.md"), "a.html");
        assert_eq!(of("crate::manual::stores"), "../manual/stores.html");
        assert_eq!(of("super::stores"), "../manual/stores.html");
        assert_eq!(of("super::none"), "");
        assert_eq!(of("#x"), "#x");
        assert_eq!(of("crate::host::Host"), "");
        assert_eq!(book.title("spec/b.md", "a.md#one"), Some("The letter A"));
        assert_eq!(book.title("spec/b.md", "none.md"), None);
    }

    #[test]
    fn an_address_leads_back_to_its_file() {
        let book = book();
        let url = book.in_repository("codec/src/lib.rs", Some(7));
        assert_eq!(book.file_of(&url), Some(("codec/src/lib.rs", Some(7))));
        assert_eq!(book.file_of("https://example.com/"), None);
    }
}
