//! Names that were given up for the field's own: `retired.toml` has each with what stands in its place. A name that comes back
//! would be a second word for one thing.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

/// Where the names are.
const LIST: &str = "xtask/retired.toml";

/// Checks all code that is tracked.
///
/// # Errors
/// A retired name stands in it, with the line where it does.
pub(super) fn check() -> Result<()> {
    let text = std::fs::read_to_string(workspace::root().join(LIST))?;
    let names: BTreeMap<String, String> =
        toml::from_str(&text).with_context(|| format!("{LIST} is not read"))?;
    ensure!(!names.is_empty(), "{LIST} has no name");
    let listed = command::output(&mut command::program("git", ["ls-files", "*.rs", "*.js", "*.patch"]))?;
    let mut found = Vec::new();
    for file in listed.lines() {
        // A file that was just deleted is still listed.
        let Ok(source) = std::fs::read_to_string(workspace::root().join(file)) else { continue };
        found.extend(retired(&source, &names).into_iter().map(|line| format!("{file}:{line}")));
    }
    ensure!(found.is_empty(), "retired names are back:\n{}", found.join("\n"));
    Ok(())
}

/// The lines of a source that hold a retired name as a whole word, from 1, each with what to write.
fn retired(source: &str, names: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in source.lines().enumerate() {
        for word in line.split(|at: char| !at.is_alphanumeric() && at != '_') {
            if let Some(instead) = names.get(word) {
                found.push(format!("{}: `{word}` is `{instead}`", number + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_whole_word_alone() {
        let names = BTreeMap::from([("old_name".to_owned(), "new_name".to_owned())]);
        let source = "a.old_name(1);\nold_names; my_old_name;\n// old_name\n";
        let found = ["1: `old_name` is `new_name`", "3: `old_name` is `new_name`"];
        assert_eq!(retired(source, &names), found);
    }
}
