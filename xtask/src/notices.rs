//! `cargo xtask notices`: what a compiled package is built from, with the licence texts of all of it, as one text.
//!
//! The texts are those in the sources of the locked packages. A package without one is an error, so that nothing is shipped
//! without its notice.

mod texts;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{command, packages, workspace};

/// The name of the file that a package with compiled code carries.
pub(crate) const FILE: &str = "THIRD-PARTY-NOTICES.txt";

/// What every program has in it besides the packages that Cargo locks. `std_is_named` compares it with the toolchain.
const STANDARD_LIBRARY: &str = include_str!("notices/standard_library.txt");

/// Between two parts of the text.
const RULE: &str = "------------------------------------------------------------------------";

/// What is compiled.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Options {
    /// The package of the workspace that is compiled
    #[arg(long, value_name = "NAME")]
    pub(crate) package: String,
    /// The features that it is compiled with, besides those of its default
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) features: Vec<String>,
    /// The target; without it that of this machine. `all` is every one
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
    /// The file to write; standard output without it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

impl Options {
    /// A package that is compiled for a target, with the features of its default.
    pub(crate) fn of(package: &str, target: Option<&str>) -> Self {
        let target = target.map(str::to_owned);
        Self { package: package.to_owned(), features: Vec::new(), target, out: None }
    }
}

/// A package from a registry that is compiled in.
struct Part {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

/// Writes the notices of a package.
///
/// # Errors
/// Those of [`make`], or the file cannot be written.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let text = make(options)?;
    match &options.out {
        Some(path) => {
            std::fs::write(path, &text).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        None => print!("{text}"),
    }
    Ok(true)
}

/// Returns the notices of a package: its own licence, every package that is compiled into it, and their licence texts, each
/// text once. The same tree leads to the same bytes.
///
/// # Errors
/// Cargo does not answer or does not know the package, or packages have no licence text: all of them are named.
pub(crate) fn make(options: &Options) -> Result<String> {
    let parts = parts(options)?;
    let mut text = format!(
        "Notices for {}, which is built from Handfast, the Rust standard library, and the {} packages below.\n\n",
        options.package,
        parts.len()
    );
    for part in &parts {
        let _ = writeln!(text, "    {} {} ({})", part.name, part.version, part.licence);
    }
    let own = std::fs::read_to_string(workspace::root().join("LICENSE-MIT")).context("LICENSE-MIT")?;
    section(&mut text, "Handfast (MIT OR Apache-2.0, here under MIT)", &own);
    section(&mut text, "", STANDARD_LIBRARY);
    for (licence, of) in by_text(&parts)? {
        section(&mut text, &of.join(", "), &licence);
    }
    Ok(text)
}

fn section(text: &mut String, title: &str, body: &str) {
    let title = if title.is_empty() { String::new() } else { format!("{title}\n\n") };
    let _ = write!(text, "\n{RULE}\n{title}{}\n", body.trim());
}

/// Every licence text and the packages that have it, in the order of the first of them.
fn by_text(parts: &[Part]) -> Result<Vec<(String, Vec<String>)>> {
    let (mut texts, mut without) = (Vec::<(String, Vec<String>)>::new(), Vec::new());
    for part in parts {
        let own = texts::of(&part.folder, &part.licence)?;
        let name = format!("{} {}", part.name, part.version);
        if own.is_empty() {
            without.push(name.clone());
        }
        for licence in own {
            match texts.iter_mut().find(|(known, _)| *known == licence) {
                Some((_, of)) => of.push(name.clone()),
                None => texts.push((licence, vec![name.clone()])),
            }
        }
    }
    ensure!(
        without.is_empty(),
        "without a licence text: {}. What ships must carry it: take a version that has it, or another package",
        without.join(", ")
    );
    Ok(texts)
}

/// The packages from registries that are compiled into a package: no macros, nothing that only builds or tests it.
fn parts(options: &Options) -> Result<Vec<Part>> {
    let metadata = packages::metadata()?;
    let known = metadata["packages"].as_array().context("no packages")?;
    let mut parts = BTreeMap::new();
    for (name, version) in compiled(options)? {
        let is_it = |one: &&Value| one["name"] == *name && one["version"] == *version;
        let package =
            known.iter().find(is_it).with_context(|| format!("Cargo does not know {name} {version}"))?;
        if package["source"].is_null() {
            continue;
        }
        let licence = package["license"].as_str().with_context(|| format!("{name} states no licence"))?;
        let manifest = package["manifest_path"].as_str().context("a package without a manifest")?;
        let folder = Path::new(manifest).parent().context("a manifest without a folder")?.to_owned();
        let licence = licence.replace('/', " OR ");
        let part = Part { name: name.clone(), version: version.clone(), licence, folder };
        let _ = parts.insert((name, version), part);
    }
    Ok(parts.into_values().collect())
}

/// The names and versions of all packages that Cargo compiles into a package, itself included.
fn compiled(options: &Options) -> Result<Vec<(String, String)>> {
    let words = ["tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p}", "--edges"];
    let mut tree = command::cargo(words);
    let _ = tree.args(["normal,no-proc-macro", "--package", &options.package]);
    if !options.features.is_empty() {
        let _ = tree.args(["--features", &options.features.join(",")]);
    }
    if let Some(target) = &options.target {
        let _ = tree.args(["--target", target]);
    }
    let text = command::output(&mut tree)?;
    let lines: Result<Vec<_>> = text.lines().filter(|line| !line.is_empty()).map(name_and_version).collect();
    let mut found = lines?;
    found.sort();
    found.dedup();
    Ok(found)
}

/// Reads `name v1.2.3 (what follows)`.
fn name_and_version(line: &str) -> Result<(String, String)> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next().and_then(|word| word.strip_prefix('v'))) {
        (Some(name), Some(version)) => Ok((name.to_owned(), version.to_owned())),
        _ => bail!("cargo tree says {line:?}, which is no package"),
    }
}

#[cfg(test)]
mod tests;
