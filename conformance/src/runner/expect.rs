//! Cases that are known to fail, each for a reason: the file of `--expect`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::finding::{Class, Finding};
use super::outcome::{Column, Run};
use super::rules::Rules;
use super::select::matches;

/// The failures that are expected.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectations {
    #[serde(default)]
    expect: Vec<Expected>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The cases, as a pattern; each of them must fail.
    case: String,
    reason: String,
    /// How they fail; left out: in whatever way.
    class: Option<Class>,
    /// The shim's name, if it is about one.
    shim: Option<String>,
}

impl Expectations {
    /// Reads a file of expectations.
    ///
    /// # Errors
    ///
    /// It cannot be read, is malformed, leaves a reason out, or names a case twice.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("--expect {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("--expect {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let all: Self = toml::from_str(text)?;
        for (index, one) in all.expect.iter().enumerate() {
            ensure!(!one.reason.trim().is_empty(), "the entry of {:?} has no reason", one.case);
            let is_same = |other: &Expected| other.case == one.case && other.shim == one.shim;
            let is_twice = all.expect.iter().take(index).any(is_same);
            ensure!(!is_twice, "{:?} is expected twice", one.case);
        }
        Ok(all)
    }

    /// Says of each finding whether it was expected, and returns the entries that do not hold, with why: the case passes,
    /// fails in another way, or is not there. `all` has the ids of all cases, `run` the selected ones.
    pub(super) fn mark(&self, run: &mut Run, all: &[&str], rules: Rules) -> Vec<String> {
        self.expect.iter().flat_map(|one| one.mark(run, all, rules)).collect()
    }
}

impl Expected {
    fn mark(&self, run: &mut Run, all: &[&str], rules: Rules) -> Vec<String> {
        if !all.iter().any(|id| matches(&self.case, id)) {
            return vec![format!("{}: no case has this id", self.case)];
        }
        if !run.cases.iter().any(|case| matches(&self.case, &case.id)) {
            return Vec::new(); // It was not asked for: nothing is known of it.
        }
        let columns = run.columns.iter_mut().filter(|column| column.hello.is_ok());
        let mut columns: Vec<_> = columns.filter(|column| self.is_about(column)).collect();
        if columns.is_empty() && self.shim.is_some() {
            return Vec::new(); // Its shim is not part of this run.
        }
        let (mut asked, mut stale) = (false, Vec::new());
        for column in &mut columns {
            let name = column.name().to_owned();
            for (id, finding) in column.findings.iter_mut().filter(|(id, _)| matches(&self.case, id)) {
                asked = true;
                stale.extend(self.hold(finding, rules).map(|why| format!("{id}: {why} at {name}")));
            }
        }
        if !asked && !columns.is_empty() {
            stale.push(format!("{}: the case is about a role that no shim of this run plays", self.case));
        }
        stale
    }

    fn is_about(&self, column: &Column) -> bool {
        self.shim.as_ref().is_none_or(|name| name == column.name())
    }

    /// Marks a finding, or says why this entry is no longer right.
    fn hold(&self, finding: &mut Finding, rules: Rules) -> Option<String> {
        if finding.class == Class::Skipped {
            return None; // Not asked.
        }
        if !rules.is_wrong(finding.class) {
            let told = if finding.class == Class::Pass { "passes" } else { "is no failure" };
            return Some(format!("expected to fail, and {told} ({})", finding.class.name()));
        }
        if self.class.is_some_and(|class| class != finding.class) {
            let expected = self.class.map_or("", Class::name);
            return Some(format!("expected {expected}, and ends with {}", finding.class.name()));
        }
        finding.expected = Some(self.reason.clone());
        None
    }
}
