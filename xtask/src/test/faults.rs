//! FAULTS.md names tests; each of them must exist, and must have run.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Result, ensure};

use super::Done;
use crate::workspace;

/// The names of the tests that passed in this run, as the test programs printed them.
#[derive(Clone, Default)]
pub(super) struct Passed(Rc<RefCell<BTreeSet<String>>>);

impl Passed {
    /// Takes note of a line such as `test store::a_name ... ok`.
    pub(super) fn read(&self, line: &str) {
        let name = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... ok"));
        // A test that must panic has more words behind its name.
        let path = name.and_then(|name| name.split(" - ").next());
        if let Some(name) = path.and_then(|path| path.rsplit("::").next()) {
            let _ = self.0.borrow_mut().insert(name.to_owned());
        }
    }

    /// Checks that every test that FAULTS.md names has passed; skipped when the tests were not part of this run.
    ///
    /// # Errors
    /// A function that it names is no test, or did not run.
    pub(super) fn check(&self) -> Result<Done> {
        let passed = self.0.borrow();
        if passed.is_empty() {
            return Ok(Done::Skipped("the tests were not part of this run".to_owned()));
        }
        let table = table()?;
        let named = named_tests(&table)?;
        let absent: Vec<&str> = named.iter().copied().filter(|name| !passed.contains(*name)).collect();
        ensure!(absent.is_empty(), "FAULTS.md names what did not run as a test: {}", absent.join(", "));
        println!("{} tests named, all of them passed", named.len());
        Ok(Done::Passed)
    }
}

/// Checks that each test that FAULTS.md names is a function somewhere in the workspace.
///
/// # Errors
/// A test is missing: it was renamed or removed.
pub(super) fn check() -> Result<()> {
    let table = table()?;
    let named = named_tests(&table)?;
    let mut functions = BTreeSet::new();
    collect(&workspace::root(), &mut functions)?;
    let missing: Vec<&str> = named.iter().copied().filter(|name| !functions.contains(*name)).collect();
    ensure!(missing.is_empty(), "FAULTS.md names tests that are not there: {}", missing.join(", "));
    println!("{} tests named, all of them there", named.len());
    Ok(())
}

fn table() -> Result<String> {
    Ok(std::fs::read_to_string(workspace::root().join("FAULTS.md"))?)
}

/// Returns the words in backticks that can only be names of tests: lower case, with three underscores or more.
///
/// # Errors
/// There are none.
fn named_tests(table: &str) -> Result<BTreeSet<&str>> {
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3
            && word.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let named: BTreeSet<&str> = table.split('`').skip(1).step_by(2).filter(is_test).collect();
    ensure!(!named.is_empty(), "FAULTS.md names no tests");
    Ok(named)
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
        assert_eq!(named_tests(table).unwrap(), BTreeSet::from(["the_last_value_is_kept"]));
        assert_eq!(function_name("a_b(x: u8)"), Some("a_b".to_owned()));
    }

    #[test]
    fn only_tests_that_passed_count() {
        let passed = Passed::default();
        for line in [
            "test a::one_that_did_pass ... ok",
            "test another_one_that_passed - should panic ... ok",
            "test a_test_that_did_fail ... FAILED",
            "test a_test_left_out_here ... ignored",
            "running 4 tests",
        ] {
            passed.read(line);
        }
        let names: Vec<String> = passed.0.borrow().iter().cloned().collect();
        assert_eq!(names, ["another_one_that_passed", "one_that_did_pass"]);
    }
}
