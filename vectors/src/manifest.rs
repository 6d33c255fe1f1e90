//! The list of the vector files with their hashes and counts: what a copy of them is checked by.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::case::{VectorFile, Verdict};
use crate::derive::sha256;
use crate::fields::hex;

/// The form of the manifest.
pub const SCHEMA: &str = "handfast-manifest.v1";

/// Every file of a folder of vectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    schema: String,
    /// The version of the specification.
    spec: String,
    /// Cases in all files.
    count: usize,
    /// Those of them that are to be refused.
    invalid: usize,
    files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Its path beside the manifest.
    path: String,
    /// Of its bytes, in hex.
    sha256: String,
    count: usize,
    invalid: usize,
}

/// Where the manifest of a folder of vectors is: beside it.
#[must_use]
pub fn path(folder: &Path) -> PathBuf {
    folder.with_file_name("manifest.json")
}

impl Manifest {
    /// Makes the manifest of these files, which stand in a folder of this name.
    ///
    /// # Errors
    ///
    /// None that can happen: every file has a text.
    pub fn of(folder: &str, files: &[VectorFile]) -> Result<Self> {
        let entry = |file: &VectorFile| -> Result<Entry> {
            Ok(Entry {
                path: format!("{folder}/{}.json", file.topic),
                sha256: hex(sha256(file.to_text()?.as_bytes())),
                count: file.cases.len(),
                invalid: file.cases.iter().filter(|case| case.result == Verdict::Invalid).count(),
            })
        };
        let mut entries: Vec<Entry> = files.iter().map(entry).collect::<Result<_>>()?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            schema: SCHEMA.to_owned(),
            spec: "1".to_owned(),
            count: entries.iter().map(|entry| entry.count).sum(),
            invalid: entries.iter().map(|entry| entry.invalid).sum(),
            files: entries,
        })
    }

    /// Reads the manifest beside a folder.
    ///
    /// # Errors
    ///
    /// If there is none, or it is damaged or of another schema; the text names it.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = path(folder);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read; `generate` makes it", path.display()))?;
        let manifest: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        let schema = &manifest.schema;
        ensure!(schema == SCHEMA, "{}: its schema is {schema:?}, this build reads {SCHEMA}", path.display());
        Ok(manifest)
    }

    /// Looks whether the files beside the manifest are those that it lists.
    ///
    /// # Errors
    ///
    /// If one is missing or another; the text names it.
    pub fn check(&self, folder: &Path) -> Result<()> {
        for entry in &self.files {
            let path = folder.with_file_name(&entry.path);
            let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            let is_same = hex(sha256(&bytes)) == entry.sha256;
            ensure!(is_same, "{} is damaged: its SHA-256 is not that of the manifest", path.display());
        }
        Ok(())
    }

    /// Returns its text.
    ///
    /// # Errors
    ///
    /// None that can happen: every value has a JSON form.
    pub fn to_text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_told_by_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("v1");
        let manifest = Manifest::read(&folder).expect("the manifest");
        manifest.check(&folder).expect("every file is whole");
        let mut other = manifest.clone();
        other.files[1].sha256 = "00".repeat(32);
        let told = other.check(&folder).expect_err("damaged").to_string();
        assert!(told.contains(&other.files[1].path) && told.contains("damaged"), "{told}");
        other.files[0].path = "v1/none.json".to_owned();
        let told = other.check(&folder).expect_err("missing").to_string();
        assert!(told.contains("none.json"), "{told}");
    }
}
