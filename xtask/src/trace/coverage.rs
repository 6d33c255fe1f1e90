//! How often each line was executed, from a report in the format of lcov, and what that says of a cited check.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result};

use super::sites::Site;
use super::take_out::code_after;
use crate::workspace;

/// Counts by file of the workspace and line.
pub(super) struct Coverage {
    lines: HashMap<String, BTreeMap<usize, u64>>,
}

impl Coverage {
    /// Reads a report; files outside of the workspace are left out.
    ///
    /// # Errors
    /// A line of it has another form.
    pub(super) fn parse(report: &str) -> Result<Self> {
        let root = format!("{}/", workspace::root().display());
        let mut lines: HashMap<String, BTreeMap<usize, u64>> = HashMap::new();
        let mut file = None;
        for line in report.lines() {
            if let Some(path) = line.strip_prefix("SF:") {
                file = path.strip_prefix(&root).map(str::to_owned);
            } else if let (Some(file), Some(count)) = (&file, line.strip_prefix("DA:")) {
                let mut numbers = count.split(',');
                let mut next = || numbers.next().context("a line of the report lacks a number");
                let (at, count) = (next()?.parse()?, next()?.parse::<u64>()?);
                let known = lines.entry(file.clone()).or_default().entry(at).or_default();
                *known = (*known).max(count);
            }
        }
        Ok(Self { lines })
    }

    /// Whether the check that a comment stands before was executed.
    ///
    /// # Errors
    /// The file of the site cannot be read.
    pub(super) fn executed(&self, site: &Site) -> Result<bool> {
        let Some(counts) = self.lines.get(&site.file) else { return Ok(false) };
        let text = std::fs::read_to_string(workspace::root().join(&site.file))?;
        Ok(executed(counts, &text, site.line))
    }
}

/// The line behind the comment was executed; or, where it is an arm or goes on an expression, the line that leads to it:
/// an arm that was not taken was looked at when its `match` was.
fn executed(counts: &BTreeMap<usize, u64>, text: &str, comment: usize) -> bool {
    let Some(start) = code_after(text, comment) else { return false };
    let at = text.get(..start).map_or(0, |before| before.matches('\n').count()) + 1;
    if counts.get(&at).is_some_and(|count| *count > 0) {
        return true;
    }
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = lines.get(at - 1).map_or(0, |line| indent(line));
    let outer = (1..at).rev().find(|number| {
        let line = lines.get(number - 1).copied().unwrap_or_default();
        !line.trim().is_empty() && indent(line) < own && counts.contains_key(number)
    });
    let leads = outer.and_then(|number| Some((lines.get(number - 1)?, counts.get(&number)?)));
    leads.is_some_and(|(line, count)| *count > 0 && line.contains("match "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_was_looked_at_when_its_match_was() {
        let text = "fn f() {\n    // req: A-001\n    if x {\n        y();\n    }\n    match z {\n        // req: A-002\n        1 => a,\n        _ => b,\n    }\n}\n";
        let counts = |of_match| BTreeMap::from([(3, 1), (4, 0), (6, of_match), (8, 0), (9, of_match)]);
        assert!(executed(&counts(1), text, 2));
        assert!(executed(&counts(1), text, 7));
        assert!(!executed(&counts(0), text, 7));
    }

    #[test]
    fn a_condition_that_was_not_looked_at_is_not_executed() {
        let text = "fn f() {\n    if a {\n        // req: A-001\n        if b {\n            c();\n        }\n    }\n}\n";
        let counts = BTreeMap::from([(1, 5), (2, 5), (4, 0), (5, 0)]);
        assert!(!executed(&counts, text, 3));
    }

    #[test]
    fn only_files_of_the_workspace_count() {
        let root = workspace::root();
        let report = format!("SF:{}/a.rs\nDA:3,7\nend_of_record\nSF:/else/b.rs\nDA:1,1\n", root.display());
        let coverage = Coverage::parse(&report).unwrap();
        assert_eq!(coverage.lines.get("a.rs"), Some(&BTreeMap::from([(3, 7)])));
        assert_eq!(coverage.lines.len(), 1);
        assert!(Coverage::parse(&format!("SF:{}/a.rs\nDA:x\n", root.display())).is_err());
    }
}
