//! A walk over every page and every link of the site, from its first page.
//!
//! What a page loads must lie beside it; what it links to must be there, with its anchor. A link into the repository must
//! name a file that is there and has that line. Other addresses are listed, and not fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::html::ending;
use crate::workspace;

/// What was walked.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pages: usize,
    links: usize,
    anchors: usize,
    /// Links to lines and files of the repository.
    sources: usize,
    /// Addresses elsewhere, with the pages that name them.
    elsewhere: BTreeMap<String, BTreeSet<String>>,
}

impl Walked {
    /// Says what was walked, and lists the addresses elsewhere.
    pub(super) fn print(&self) {
        let Self { pages, links, anchors, sources, elsewhere } = self;
        println!(
            "{pages} pages, {anchors} anchors, {links} links between them, {sources} links to sources: none is dead. \
             {} addresses elsewhere, not fetched:",
            elsewhere.len()
        );
        for (url, pages) in elsewhere {
            println!("  {url}  ({})", pages.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
        }
    }
}

/// What a page has: its text, its anchors.
struct Seen {
    text: String,
    ids: BTreeSet<String>,
}

/// Walks the site.
///
/// # Errors
/// A link is dead, an anchor stands twice, something is loaded from elsewhere, or no link leads to a page; the text lists
/// all of it.
pub(super) fn walk(root: &Path, repository: &str) -> Result<Walked> {
    let (mut walked, mut wrong) = (Walked::default(), Vec::new());
    let mut pages = BTreeMap::new();
    read(root, "", &mut pages, &mut wrong)?;
    ensure!(pages.contains_key("index.html"), "the site has no first page");
    let mut lines = BTreeMap::new();
    let (mut open, mut reached) = (vec!["index.html".to_owned()], BTreeSet::from(["index.html".to_owned()]));
    while let Some(name) = open.pop() {
        let Some(page) = pages.get(&name) else { continue };
        walked.pages += 1;
        walked.anchors += page.ids.len();
        for (attribute, value) in attributes(&page.text) {
            let result = match attribute {
                "popovertarget" | "aria-controls" => anchor(page, value).map(|()| None),
                "src" if value.contains(':') => Err("is loaded from elsewhere".to_owned()),
                _ if value.contains("://") => {
                    elsewhere(&mut walked, &mut lines, repository, &name, value).map(|()| None)
                }
                _ => {
                    walked.links += 1;
                    local(root, &pages, &name, value)
                }
            };
            match result {
                Ok(Some(target)) => {
                    if reached.insert(target.clone()) {
                        open.push(target);
                    }
                }
                Ok(None) => {}
                Err(why) => wrong.push(format!("{name}: {value} {why}")),
            }
        }
    }
    wrong.extend(
        pages.keys().filter(|name| !reached.contains(*name)).map(|name| format!("no link leads to {name}")),
    );
    ensure!(wrong.is_empty(), "the site has {} faults:\n{}", wrong.len(), wrong.join("\n"));
    Ok(walked)
}

/// Reads all pages of a folder; an id that stands twice is wrong.
fn read(
    root: &Path,
    folder: &str,
    pages: &mut BTreeMap<String, Seen>,
    wrong: &mut Vec<String>,
) -> Result<()> {
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = format!("{folder}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read(root, &format!("{name}/"), pages, wrong)?;
        } else if ending(&name) == "html" {
            let text = std::fs::read_to_string(entry.path()).with_context(|| format!("{name} is no text"))?;
            let mut ids = BTreeSet::new();
            for id in values(&text, "id") {
                if !ids.insert(id.to_owned()) {
                    wrong.push(format!("{name}: the id {id} stands twice"));
                }
            }
            let _ = pages.insert(name, Seen { text, ids });
        } else if ending(&name) == "css" {
            let text = std::fs::read_to_string(entry.path())?;
            if text.contains("url(") || text.contains("@import") {
                wrong.push(format!("{name} loads something"));
            }
        }
    }
    Ok(())
}

/// Attributes that lead somewhere, in the order of the text.
fn attributes(text: &str) -> impl Iterator<Item = (&'static str, &str)> {
    const NAMES: [&str; 4] = ["href", "src", "popovertarget", "aria-controls"];
    NAMES.into_iter().flat_map(move |name| values(text, name).map(move |value| (name, value)))
}

/// The values of an attribute.
fn values<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let lead = format!(" {name}=\"");
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, tail) = rest.split_once(&lead)?;
        let (value, behind) = tail.split_once('"')?;
        rest = behind;
        Some(value)
    })
}

fn anchor(page: &Seen, id: &str) -> Result<(), String> {
    if page.ids.contains(id) { Ok(()) } else { Err("has no such anchor".to_owned()) }
}

/// A link to a page or file of the site; returns the page.
fn local(
    root: &Path,
    pages: &BTreeMap<String, Seen>,
    from: &str,
    link: &str,
) -> Result<Option<String>, String> {
    let (path, id) = link.split_once('#').map_or((link, None), |(path, id)| (path, Some(id)));
    let target = if path.is_empty() {
        from.to_owned()
    } else {
        let mut parts: Vec<&str> = from.split('/').collect();
        let _ = parts.pop();
        for part in path.split('/') {
            if part == ".." {
                let _ = parts.pop().ok_or("leads out of the site")?;
            } else {
                parts.push(part);
            }
        }
        parts.join("/")
    };
    match (pages.get(&target), id) {
        (Some(page), Some(id)) => anchor(page, id).map(|()| Some(target)),
        (Some(_), None) => Ok(Some(target)),
        (None, _) if root.join(&target).is_file() => Ok(None),
        (None, _) => Err("is not there".to_owned()),
    }
}

/// A link to another host; one into the repository must name a line that is there.
fn elsewhere(
    walked: &mut Walked,
    lines: &mut BTreeMap<String, Option<usize>>,
    repository: &str,
    from: &str,
    url: &str,
) -> Result<(), String> {
    let rest = url
        .strip_prefix(repository)
        .and_then(|rest| rest.strip_prefix("/blob/main/").or_else(|| rest.strip_prefix("/tree/main/")));
    let Some(rest) = rest else {
        let _ = walked.elsewhere.entry(url.to_owned()).or_default().insert(from.to_owned());
        return Ok(());
    };
    walked.sources += 1;
    let (file, line) = rest.split_once("#L").map_or((rest, None), |(file, line)| (file, Some(line)));
    let path = workspace::root().join(file.split('#').next().unwrap_or(file));
    let count = lines.entry(file.to_owned()).or_insert_with(|| {
        if path.is_dir() {
            return Some(0);
        }
        std::fs::read(&path).ok().map(|bytes| bytes.split(|byte| *byte == b'\n').count())
    });
    match (*count, line.map(str::parse::<usize>)) {
        (None, _) => Err("is no file of the repository".to_owned()),
        (Some(count), Some(Ok(line))) if line > count => Err("names a line that is not there".to_owned()),
        (Some(_), Some(Err(_))) => Err("names no line".to_owned()),
        (Some(_), _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPOSITORY: &str = "https://example.org/x";

    fn site(pages: &[(&str, &str)]) -> Result<Walked> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in pages {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        walk(folder.path(), REPOSITORY)
    }

    #[test]
    fn a_site_without_dead_links_passes() {
        let first = "<a href=\"a/b.html#x\">b</a> <a href=\"https://example.com/\">c</a> <img src=\"i.svg\">\
                     <a href=\"https://example.org/x/blob/main/Cargo.toml#L1\">d</a>";
        let walked = site(&[
            ("index.html", first),
            ("a/b.html", "<p id=\"x\"><a href=\"../index.html\">a</a>"),
            ("i.svg", ""),
        ])
        .unwrap();
        assert_eq!((walked.pages, walked.links, walked.anchors, walked.sources), (2, 3, 1, 1));
        assert_eq!(walked.elsewhere.len(), 1);
    }

    #[test]
    fn each_fault_is_found() {
        let other = ("a.html", "<p id=\"x\"></p>");
        for (first, fault) in [
            ("<a href=\"a.html\"></a><a href=\"b.html\"></a>", "b.html is not there"),
            ("<a href=\"a.html#y\"></a>", "a.html#y has no such anchor"),
            ("<a href=\"a.html\"></a><a href=\"#y\"></a>", "#y has no such anchor"),
            ("<a href=\"a.html\"></a><a href=\"../b.html\"></a>", "leads out of the site"),
            ("<a href=\"a.html\"></a><img src=\"https://example.com/a.png\">", "is loaded from elsewhere"),
            ("<a href=\"a.html\"></a><p id=\"x\"></p><p id=\"x\"></p>", "the id x stands twice"),
            ("<a href=\"a.html\"></a><button popovertarget=\"z\"></button>", "z has no such anchor"),
            (
                "<a href=\"a.html\"></a><a href=\"https://example.org/x/blob/main/none.rs#L1\"></a>",
                "is no file of the repository",
            ),
            (
                "<a href=\"a.html\"></a><a href=\"https://example.org/x/blob/main/Cargo.toml#L9999\"></a>",
                "a line that is not there",
            ),
            ("<p>nothing</p>", "no link leads to a.html"),
        ] {
            let error = site(&[("index.html", first), other]).unwrap_err().to_string();
            assert!(error.contains(fault), "{first}: {error}");
        }
    }

    #[test]
    fn a_sheet_loads_nothing() {
        let error =
            site(&[("index.html", ""), ("s.css", "a { background: url(x.png) }")]).unwrap_err().to_string();
        assert!(error.contains("s.css loads something"), "{error}");
    }
}
