//! What the harness asks for, written down before it asks.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// A file of JSON lines; each is on disk before [`Ledger::write`] returns. `compare.py` explains the lines.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    entries: Vec<Value>,
}

impl Ledger {
    /// Starts a new ledger.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::options().create_new(true).append(true).open(path);
        let file = file.with_context(|| format!("the ledger {} cannot be started", path.display()))?;
        Ok(Self { path: path.to_owned(), file, entries: Vec::new() })
    }

    /// Returns where the ledger lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what was written so far.
    pub(crate) fn entries(&self) -> &[Value] {
        &self.entries
    }

    /// Writes one entry, numbered, and waits until it is on disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn write(&mut self, mut entry: Value) -> Result<()> {
        entry["n"] = json!(self.entries.len() + 1);
        self.file.write_all(format!("{entry}\n").as_bytes())?;
        self.file.sync_data().context("the ledger cannot be brought to disk")?;
        self.entries.push(entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_numbered_and_on_disk() {
        let path = std::env::temp_dir()
            .join(format!("handfast-xtask-{}.jsonl", super::super::random::hex(8).unwrap()));
        let mut ledger = Ledger::create(&path).unwrap();
        ledger.write(json!({"kind": "text"})).unwrap();
        ledger.write(json!({"kind": "photo"})).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"kind\":\"text\",\"n\":1}\n{\"kind\":\"photo\",\"n\":2}\n");
        assert!(Ledger::create(&path).is_err(), "a ledger is never overwritten");
        std::fs::remove_file(path).unwrap();
    }
}
