//! The table of what was checked.

use std::fmt;
use std::time::{Duration, Instant};

/// One line: what was checked, and how it went.
#[derive(Debug)]
struct Row {
    what: String,
    detail: String,
    good: bool,
    at: Duration,
}

/// Everything that was checked so far.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Row>,
    start: Instant,
}

impl Table {
    /// Starts an empty table; times count from here.
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new(), start: Instant::now() }
    }

    /// Adds a line and prints it.
    pub(crate) fn add(&mut self, good: bool, what: impl Into<String>, detail: impl Into<String>) {
        let row = Row { what: what.into(), detail: detail.into(), good, at: self.start.elapsed() };
        println!("  {row}");
        self.rows.push(row);
    }

    /// Adds a line for something that held.
    pub(crate) fn ok(&mut self, what: impl Into<String>, detail: impl Into<String>) {
        self.add(true, what, detail);
    }

    /// Returns whether something was checked and everything held.
    pub(crate) fn all_good(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.good)
    }

    /// Returns how many lines there are, and how many of them failed.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.rows.len(), self.rows.iter().filter(|row| !row.good).count())
    }

    /// Returns the time since the table was started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.good { "ok  " } else { "FAIL" };
        write!(f, "{verdict} {:>6.1} s  {}", self.at.as_secs_f32(), self.what)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What was checked:")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "  {row}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_or_nothing_at_all_is_not_good() {
        let mut table = Table::new();
        assert!(!table.all_good(), "an empty table has checked nothing");
        table.ok("first", "");
        assert!(table.all_good());
        table.add(false, "second", "detail");
        assert!(!table.all_good());
        assert_eq!(table.counts(), (2, 1));
        assert!(table.to_string().contains("FAIL"));
        assert!(table.to_string().contains("second: detail"));
    }
}
