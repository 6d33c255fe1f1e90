//! The places in Rust files that cite a requirement: `// req: FRM-001, FRM-002`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::spec::is_id;
use crate::command;

/// Crates whose whole code tests others; what they cite is a test.
const HARNESS: [&str; 6] = ["conformance/", "fuzz/", "models/", "sim/", "testkit/", "vectors/"];
/// What neither keeps nor tests a requirement.
const OUTSIDE: [&str; 2] = ["e2e/", "xtask/"];
const MARK: &str = "// req: ";

/// The runs that executed a site.
pub(super) type Reached = BTreeMap<(String, usize), Vec<&'static str>>;

/// One comment that cites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// The file's path in the workspace.
    pub(super) file: String,
    /// The line of the comment, from 1.
    pub(super) line: usize,
    /// The function around it, or after it if the comment stands before one.
    pub(super) function: String,
    pub(super) ids: Vec<String>,
}

impl Site {
    /// Its file and line, which no other site has.
    pub(super) fn place(&self) -> (String, usize) {
        (self.file.clone(), self.line)
    }
}

/// Reads the citations of the whole workspace: those in code, and those in tests.
///
/// # Errors
/// Git does not list the files, or one cannot be read.
pub(super) fn read(root: &Path) -> Result<(Vec<Site>, Vec<Site>)> {
    let words = ["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.rs"];
    let listed = command::output(&mut command::program("git", words))?;
    let (mut code, mut tests) = (Vec::new(), Vec::new());
    let mut files = Vec::new();
    for file in listed
        .lines()
        .filter(|file| !OUTSIDE.iter().any(|folder| file.starts_with(folder)) && root.join(file).is_file())
    {
        files.push((file, std::fs::read_to_string(root.join(file))?));
    }
    let for_tests: Vec<String> = files.iter().flat_map(|(file, text)| test_files(file, text)).collect();
    for (file, text) in &files {
        let whole = for_tests.iter().any(|test| test == file);
        for (site, is_test) in in_file(file, text) {
            if whole || is_test { tests.push(site) } else { code.push(site) }
        }
    }
    Ok((code, merged(tests)))
}

/// The files of modules that a file has for tests alone, by `#[cfg(test)]` and `mod name;`.
fn test_files(file: &str, text: &str) -> Vec<String> {
    let stem = file.trim_end_matches(".rs");
    let is_root = ["/lib", "/main", "/mod"].iter().any(|name| stem.ends_with(name));
    let folder = if is_root { stem.rsplit_once('/').map_or("", |(folder, _)| folder) } else { stem };
    let lines: Vec<&str> = text.lines().collect();
    let module = |pair: &[&str]| {
        let [attribute, module] = pair else { return None };
        let name = module.strip_prefix("mod ")?.strip_suffix(';')?;
        (*attribute == "#[cfg(test)]").then(|| format!("{folder}/{name}.rs"))
    };
    lines.windows(2).filter_map(module).collect()
}

/// Makes one site of all comments in one test.
fn merged(sites: Vec<Site>) -> Vec<Site> {
    let mut by_test: BTreeMap<(String, String), Site> = BTreeMap::new();
    for site in sites {
        let key = (site.file.clone(), site.function.clone());
        let entry = by_test.entry(key).or_insert_with(|| Site { ids: Vec::new(), ..site.clone() });
        for id in site.ids {
            if !entry.ids.contains(&id) {
                entry.ids.push(id);
            }
        }
    }
    by_test.into_values().collect()
}

fn in_file(file: &str, text: &str) -> Vec<(Site, bool)> {
    let whole = HARNESS.iter().any(|crate_| file.starts_with(crate_))
        || file.contains("/tests/")
        || file.ends_with("/tests.rs");
    let lines: Vec<&str> = text.lines().collect();
    let tests_at = lines.windows(2).position(|pair| {
        let [attribute, module] = pair else { return false };
        let is_test = attribute.starts_with("#[cfg(") && attribute.contains("test");
        is_test && module.starts_with("mod ") && module.trim_end().ends_with('{')
    });
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((_, ids)) = line.split_once(MARK) else { continue };
        let ids: Vec<String> = ids.split(", ").map(|id| id.trim().to_owned()).collect();
        if !ids.iter().any(|id| is_id(id)) {
            continue;
        }
        let function = function_at(&lines, index).unwrap_or_default();
        let is_test = whole || tests_at.is_some_and(|at| index > at);
        found.push((Site { file: file.to_owned(), line: index + 1, function, ids }, is_test));
    }
    found
}

/// The name of the function that the line at `index` stands in, or that it stands right before.
fn function_at(lines: &[&str], index: usize) -> Option<String> {
    let after = lines.iter().skip(index + 1);
    let before_one = after
        .take_while(|line| line.trim_start().starts_with("//") || line.trim_start().starts_with("#["))
        .count();
    let next = lines.get(index + 1 + before_one).and_then(|line| function_name(line));
    next.or_else(|| lines.iter().take(index).rev().find_map(|line| function_name(line)))
}

fn function_name(line: &str) -> Option<String> {
    const BEFORE: [&str; 5] = ["pub", "const", "async", "pub(crate)", "pub(super)"];
    let line = line.trim_start();
    let (before, after) = line.split_once("fn ")?;
    if !before.split_whitespace().all(|word| BEFORE.contains(&word) || word.starts_with("pub(in")) {
        return None;
    }
    let end = after.find(|c: char| c != '_' && !c.is_ascii_alphanumeric())?;
    after.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
fn check(x: u8) {
    // req: FRM-001, FRM-002
    if x > 1 { return; }
}
#[cfg(all(test, feature = "hazmat"))]
mod tests {
    // req: FRM-003
    #[test]
    fn a_test() {
        let f = |fn_: u8| fn_;
        // req: FRM-001
    }
}
"#;

    #[test]
    fn a_file_of_tests_is_known_by_who_names_it() {
        let text = "#[cfg(test)]\nmod attack;\nmod web;\n";
        assert_eq!(test_files("handshake/src/pairing.rs", text), ["handshake/src/pairing/attack.rs"]);
        assert_eq!(test_files("codec/src/lib.rs", text), ["codec/src/attack.rs"]);
    }

    #[test]
    fn code_and_tests_of_one_file_are_told_apart() {
        let found = in_file("codec/src/a.rs", FILE);
        let short: Vec<_> = found
            .iter()
            .map(|(site, test)| (site.line, site.function.as_str(), site.ids.len(), *test))
            .collect();
        assert_eq!(short, [(3, "check", 2, false), (8, "a_test", 1, true), (12, "a_test", 1, true)]);
        assert!(in_file("codec/tests/a.rs", FILE).iter().all(|(_, test)| *test));
        let tests = found.into_iter().filter(|(_, test)| *test).map(|(site, _)| site).collect();
        let one = merged(tests);
        assert_eq!(one.len(), 1);
        assert_eq!(one.first().map(|site| site.ids.join(" ")).as_deref(), Some("FRM-003 FRM-001"));
    }
}
