//! `cargo xtask site`: the specification, the worked example, the manual and the reports as one static site.

mod book;
mod example;
mod figure;
mod grammar;
mod html;
mod links;
mod manual;
mod markdown;
mod module;
mod page;
mod reports;
mod requirements;
mod search;
mod specification;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::{trace, wasm, workspace};
use book::Book;
use page::{Chapter, Page};

/// The most that all files may weigh together, in bytes.
const SIZE_MAX: u64 = 2_000_000;
/// What the first page says. The figures and the tables of the specification follow it.
const OVERVIEW: &str = include_str!("site/index.html");
/// Files that are written as they are.
const FILES: [(&str, &str); 4] = [
    ("style.css", include_str!("site/style.css")),
    ("site.js", include_str!("site/site.js")),
    ("example.js", include_str!("site/example.js")),
    ("icon.svg", include_str!("../../reference-web/page/icon.svg")),
];

/// What to write.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Options {
    /// The folder to write; it must be new or empty. `site` below the target folder if left out, which is emptied first
    #[arg(long)]
    out: Option<PathBuf>,
    /// Leaves the module of the worked example out, which needs a compiler for pages: its bytes are then not recomputed.
    #[arg(long)]
    no_module: bool,
}

/// What to open.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct TestOptions {
    /// Takes the site as it was written last.
    #[arg(long)]
    keep: bool,
}

/// Writes the site, walks its links, and prints what it weighs.
///
/// # Errors
/// The folder is not empty, a source cannot be read, the module cannot be built, a link is dead, or the site is too large.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let out = options.out.clone().unwrap_or_else(folder);
    match &options.out {
        Some(named) => crate::page::check_empty(named)?,
        None => workspace::make_empty(&out)?,
    }
    let module = if options.no_module { None } else { Some(module::build()?) };
    write(&out, module.as_deref())?;
    let walked = links::walk(&out, &repository()?)?;
    walked.print();
    let size = size(&out)?;
    println!("\n{}: {size} bytes of {SIZE_MAX}", out.join("index.html").display());
    ensure!(size <= SIZE_MAX, "the site has {size} bytes, more than {SIZE_MAX}");
    Ok(true)
}

/// What is missing here to build the site and open it in both browsers, after it was installed if that is allowed, with
/// the command that brings it.
pub(crate) fn missing() -> Option<String> {
    wasm::missing().or_else(handfast_e2e::browser::site::missing)
}

/// Writes the site, and opens it in both browsers.
///
/// # Errors
/// It cannot be made, a browser is missing and cannot be installed, or the site is not as it should be.
pub(crate) fn test(options: &TestOptions) -> Result<bool> {
    if !options.keep {
        let _ = run(&Options::default())?;
    }
    handfast_e2e::browser::site::run(&folder())
}

/// Writes the site without its module to a folder that goes away, and walks its links.
///
/// # Errors
/// A link is dead, or the site cannot be made.
pub(crate) fn check() -> Result<()> {
    let folder = tempfile::tempdir()?;
    write(folder.path(), None)?;
    links::walk(folder.path(), &repository()?)?.print();
    Ok(())
}

/// Where the site lies.
fn folder() -> PathBuf {
    workspace::target().join("site")
}

/// Where the repository can be read, from the manifest of the workspace.
fn repository() -> Result<String> {
    let text = std::fs::read_to_string(workspace::root().join("Cargo.toml"))?;
    let manifest: toml::Table = toml::from_str(&text)?;
    let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
    let url = package.and_then(|package| package.get("repository")).and_then(toml::Value::as_str);
    url.map(|url| url.trim_end_matches('/').to_owned()).context("Cargo.toml names no repository")
}

/// Writes all files of the site.
fn write(out: &Path, module: Option<&str>) -> Result<()> {
    let book = book()?;
    let mut chapters = vec![overview(&book)?];
    chapters.extend([specification::chapter(&book)?, manual::chapter(&book)?, reports::chapter(&book)?]);
    for chapter in &chapters {
        for (at, page) in chapter.pages.iter().enumerate() {
            put(out, &page.path, &chapter.whole(at, &book.repository))?;
        }
    }
    for (name, text) in FILES {
        put(out, name, text)?;
    }
    put(out, search::FILE, &search::index(&book, &chapters))?;
    put(out, module::FILE, module.unwrap_or(module::WITHOUT))
}

/// All pages that files become, and all requirements.
fn book() -> Result<Book> {
    let requirements = trace::cited::requirements()?;
    let mut pages: BTreeMap<String, String> = specification::files()?.into_iter().collect();
    pages.extend(manual::files()?);
    let _ = pages.insert("README.md".to_owned(), "index.html".to_owned());
    let mut titles = BTreeMap::new();
    for file in pages.keys() {
        let text = std::fs::read_to_string(workspace::root().join(file))?;
        let title = text.lines().next().and_then(|line| line.strip_prefix("# ")).map(html::title);
        titles.extend(title.map(|title| (file.clone(), title)));
    }
    Ok(Book {
        pages,
        titles,
        requirements: requirements.into_iter().map(|cited| (cited.id.clone(), cited)).collect(),
        repository: repository()?,
    })
}

/// The first page.
fn overview(book: &Book) -> Result<Chapter> {
    let mut body = OVERVIEW.to_owned();
    for (name, alt) in [
        ("layers", "The layers: what stands in what"),
        ("pairing", "A pairing, from the code to the link"),
        ("reconnect", "Reconnects: one round trip, and what happens when one is lost"),
        ("subscription", "A subscription: rows, deltas and digests"),
    ] {
        let figure =
            figure::inline(&format!("{name}.svg"), alt).with_context(|| format!("no figure {name}"))?;
        body = body.replace(&format!("{{{{{name}}}}}"), &figure);
    }
    body = body.replace("{{requirements}}", &book.requirements.len().to_string());
    let page = Page {
        path: "index.html".to_owned(),
        title: "Handfast".to_owned(),
        body,
        headings: Vec::new(),
        scripts: Vec::new(),
    };
    Ok(Chapter { name: "Handfast", pages: vec![page] })
}

fn put(out: &Path, name: &str, text: &str) -> Result<()> {
    let path = out.join(name);
    std::fs::create_dir_all(path.parent().context("a file in a folder")?)?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The bytes of all files of a folder together.
fn size(folder: &Path) -> Result<u64> {
    let mut all = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        all += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(all)
}
