//! What a script imports by name, the file that it names must export: a page whose modules do not fit loads nothing at all.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

use crate::{command, workspace};

/// Where the page finds the package, and where the files of the package lie.
const PACKAGE: (&str, &str) = ("reference-web/page/pkg/", "handfast/js/");
/// What the address of the page begins with in its tests, and where the page lies.
const SERVED: (&str, &str) = ("/page/", "reference-web/page/");

/// Checks all scripts. Modules that are generated, and those of Node, are not looked at.
///
/// # Errors
/// A name is imported from a file that does not export it. The message names both.
pub(super) fn check() -> Result<()> {
    let listed = command::output(&mut command::program("git", ["ls-files", "*.js"]))?;
    let mut scripts = BTreeMap::new();
    for file in listed.lines() {
        let _ = scripts.insert(file.to_owned(), std::fs::read_to_string(workspace::root().join(file))?);
    }
    let missing = missing(&scripts);
    ensure!(missing.is_empty(), "these imports name nothing:\n{}", missing.join("\n"));
    println!("{} scripts, every import is there", scripts.len());
    Ok(())
}

/// Runs the tests of a folder, `*.test.js`, in Node.
///
/// # Errors
/// One fails, or there are none.
pub(super) fn test(folder: &str) -> Result<()> {
    let listed = command::output(&mut command::program("git", ["ls-files", &format!("{folder}/*.test.js")]))?;
    ensure!(!listed.trim().is_empty(), "no tests in {folder}");
    command::run(command::program("node", ["--test"]).args(listed.lines()))
}

fn missing(scripts: &BTreeMap<String, String>) -> Vec<String> {
    let mut missing = Vec::new();
    for (file, text) in scripts {
        for (names, from) in imports(text) {
            let place = place(file, from);
            // What is exported from elsewhere is not followed.
            let Some(source) = scripts.get(&place).filter(|source| !source.contains("export *")) else {
                continue;
            };
            let exported = exports(source);
            missing.extend(
                names
                    .filter(|name| !exported.contains(name))
                    .map(|name| format!("{file}: {name} of {place}")),
            );
        }
    }
    missing
}

/// The names in braces of each import, and the file that they are of.
fn imports(text: &str) -> impl Iterator<Item = (impl Iterator<Item = &str>, &str)> {
    text.split("\nimport ").skip(1).chain(text.strip_prefix("import ")).filter_map(|import| {
        let (import, _) = import.split_once(';')?;
        let (before, from) = import.split_once(" from \"")?;
        let names = before.split_once('{').and_then(|(_, names)| names.split_once('}'))?.0;
        Some((listed(names).map(|(name, _)| name), from.trim_end_matches('"')))
    })
}

/// The names of a list, each before and behind its `as`: without one it is the same name twice.
fn listed(names: &str) -> impl Iterator<Item = (&str, &str)> {
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| name.split_once(" as ").unwrap_or((name, name)))
}

fn exports(text: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for export in text.split("export ").skip(1) {
        if let Some((list, _)) = export.strip_prefix('{').and_then(|list| list.split_once('}')) {
            names.extend(listed(list).map(|(_, name)| name));
            continue;
        }
        let kinds = ["async ", "function* ", "function ", "class ", "const ", "let "];
        let name = kinds.iter().fold(export, |text, kind| text.strip_prefix(kind).unwrap_or(text));
        let end = name.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(name.len());
        let _ = names.insert(name.get(..end).unwrap_or_default());
    }
    names
}

/// Returns the file that an import of this file names.
pub(super) fn place(file: &str, from: &str) -> String {
    if let Some(served) = from.strip_prefix(SERVED.0) {
        return in_package(&format!("{}{served}", SERVED.1));
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    let _ = parts.pop();
    for part in from.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    in_package(&parts.join("/"))
}

fn in_package(place: &str) -> String {
    place.strip_prefix(PACKAGE.0).map_or_else(|| place.to_owned(), |name| format!("{}{name}", PACKAGE.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_moved_is_missed_wherever_it_is_asked_for() {
        let scripts = [
            ("handfast/js/database.js", "export class Database {}\nexport const ofLink = 1;\n"),
            ("handfast/js/request.js", "export function done() {}\nfunction f() {}\nexport { f as told };\n"),
            (
                "reference-web/page/a.js",
                "import { done } from \"./pkg/database.js\";\nimport x, { told } from \"./pkg/request.js\";\n",
            ),
            (
                "reference-web/tests/page/t.js",
                "import { Database, gone as was } from \"/page/pkg/database.js\";\n",
            ),
        ];
        let scripts = scripts.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
        let expected = [
            "reference-web/page/a.js: done of handfast/js/database.js",
            "reference-web/tests/page/t.js: gone of handfast/js/database.js",
        ];
        assert_eq!(missing(&scripts), expected);
    }
}
