//! The comparison of ledger and devices, made by a program in another language.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::table::Table;
use crate::workspace;

/// The kinds of fault that `compare.py` tells apart.
const KINDS: [&str; 4] = ["lost", "duplicated", "misordered", "damaged"];
/// The most faults of one kind that are printed.
const SHOWN_MAX: usize = 20;

/// What `compare.py` found.
#[derive(Debug)]
pub(crate) struct Report(Value);

impl Report {
    /// Compares the ledger with the data directories of the phone and of companions, each with its word in the ledger;
    /// programs run in them only if `live`.
    ///
    /// # Errors
    /// The comparison cannot be made.
    pub(crate) fn make<'a>(
        ledger: &Path,
        phone: &Path,
        companions: impl IntoIterator<Item = (&'a str, &'a Path)>,
        live: bool,
    ) -> Result<Self> {
        let mut python = Command::new("python3");
        let _ = python.arg("-B").arg(workspace::root().join("e2e/compare.py")).arg("--json");
        let _ = python.args(live.then_some("--live"));
        let _ = python.arg("--ledger").arg(ledger).arg("--phone").arg(phone);
        for (word, dir) in companions {
            let _ = python.arg("--companion").arg(word).arg(dir);
        }
        let output = python.stdin(Stdio::null()).output().context("Python 3 is needed")?;
        if !matches!(output.status.code(), Some(0 | 1)) {
            bail!("compare.py: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(Self(serde_json::from_slice(&output.stdout).context("compare.py printed no JSON")?))
    }

    /// Returns the faults of one kind.
    ///
    /// # Errors
    /// The report does not name the kind.
    fn faults(&self, kind: &str) -> Result<Vec<&str>> {
        let list = self.0["faults"][kind].as_array();
        let list = list.with_context(|| format!("compare.py says nothing of {kind}"))?;
        Ok(list.iter().map(|fault| fault.as_str().unwrap_or("a fault that is no text")).collect())
    }

    /// Returns the first fault of any kind.
    ///
    /// # Errors
    /// The report is incomplete.
    pub(crate) fn first_fault(&self) -> Result<Option<String>> {
        for kind in KINDS {
            if let Some(fault) = self.faults(kind)?.first() {
                return Ok(Some(format!("{kind}: {fault}")));
            }
        }
        Ok(None)
    }

    /// Adds a line a kind of fault to the table.
    ///
    /// # Errors
    /// The report is incomplete.
    pub(crate) fn tell(&self, table: &mut Table) -> Result<()> {
        println!("  looked at: {}", self.0["looked_at"]);
        for kind in KINDS {
            let faults = self.faults(kind)?;
            for fault in faults.iter().take(SHOWN_MAX) {
                println!("    {kind}: {fault}");
            }
            table.add(
                faults.is_empty(),
                format!("{kind} {}", faults.len()),
                "ledger, databases, media files",
            );
        }
        Ok(())
    }
}
