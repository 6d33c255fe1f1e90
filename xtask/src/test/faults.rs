//! FAULTS.md names tests; each of them must exist.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail, ensure};

use crate::workspace;

/// Checks that each test that FAULTS.md names is a function somewhere in the workspace.
///
/// # Errors
/// A test is missing: it was renamed or removed.
pub(crate) fn check() -> Result<()> {
    let root = workspace::root();
    let table = std::fs::read_to_string(root.join("FAULTS.md"))?;
    let named = named_tests(&table);
    ensure!(!named.is_empty(), "FAULTS.md names no tests");
    let mut functions = BTreeSet::new();
    collect(&root, &mut functions)?;
    let missing: Vec<&str> = named.iter().copied().filter(|name| !functions.contains(*name)).collect();
    if !missing.is_empty() {
        bail!("FAULTS.md names tests that are not there: {}", missing.join(", "));
    }
    println!("{} tests named, all of them there", named.len());
    Ok(())
}

/// Returns the words in backticks that can only be names of tests: lower case, with three underscores or more.
fn named_tests(table: &str) -> BTreeSet<&str> {
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3
            && word.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    table.split('`').skip(1).step_by(2).filter(is_test).collect()
}

/// Collects the names of all functions in the Rust files below `folder`.
fn collect(folder: &Path, functions: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !name.starts_with("target") {
                collect(&path, functions)?;
            }
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&path)?;
            functions.extend(text.split("fn ").skip(1).filter_map(function_name));
        }
    }
    Ok(())
}

fn function_name(after: &str) -> Option<String> {
    let end = after.find(|c: char| c != '_' && !c.is_ascii_alphanumeric())?;
    after.get(..end).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_look_like_tests_are_taken() {
        let table = "see `git grep` and `the_last_value_is_kept`, `qr.json`, `verify_strict`; `A_B_C_D`";
        assert_eq!(named_tests(table), BTreeSet::from(["the_last_value_is_kept"]));
        assert_eq!(function_name("a_b(x: u8)"), Some("a_b".to_owned()));
    }
}
