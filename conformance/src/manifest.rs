//! The list of the vector files with their hashes and counts: what a copy of them is checked by.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::case::{VectorFile, Verdict};
use crate::damaged::{Damaged, damaged, of_schema};
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
    /// [`Damaged`]: there is none, or it is damaged or of another schema; the text names it.
    pub fn read(folder: &Path) -> Result<Self, Damaged> {
        let path = path(folder);
        let text = fs::read_to_string(&path)
            .or_else(|error| damaged(&path, format!("{error}; it stands beside the vectors")))?;
        Self::parse(&path, &text)
    }

    /// Reads its text, which stands in the file `path`.
    ///
    /// # Errors
    ///
    /// [`Damaged`]: it is damaged or of another schema; the text names it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Damaged> {
        of_schema(path, text, SCHEMA)
    }

    /// Looks whether these vector files, with their paths in `folder`, are those that it lists.
    ///
    /// # Errors
    ///
    /// [`Damaged`]: one is missing, is another, or is not listed; the text names it.
    pub fn check(&self, folder: &Path, texts: &[(PathBuf, String)]) -> Result<(), Damaged> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
        let mut listed: BTreeMap<_, &Entry> =
            self.files.iter().map(|entry| (name(Path::new(&entry.path)), entry)).collect();
        for (path, text) in texts {
            let Some(entry) = listed.remove(&name(path)) else {
                return damaged(path, "the manifest does not list it");
            };
            if hex(sha256(text.as_bytes())) != entry.sha256 {
                return damaged(path, "it is damaged: its SHA-256 is not that of the manifest");
            }
        }
        match listed.into_keys().next() {
            Some(missing) => damaged(&folder.join(missing), "the manifest lists it, and it is not there"),
            None => Ok(()),
        }
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
    use crate::suite::Source;

    #[test]
    fn a_damaged_file_is_told_by_its_name() {
        let texts = Source::Embedded.texts().expect("the vectors");
        let path = Path::new("manifest.json");
        let manifest = Manifest::parse(path, handfast_vectors::MANIFEST).expect("the manifest");
        let check = |manifest: &Manifest| manifest.check(Path::new("v1"), &texts);
        check(&manifest).expect("every file is whole");
        let mut other = manifest.clone();
        other.files[1].sha256 = "00".repeat(32);
        let told = check(&other).expect_err("damaged").to_string();
        let name = other.files[1].path.strip_prefix("v1/").expect("a folder");
        assert!(told.contains(name) && told.contains("damaged"), "{told}");
        other.files[0].path = "v1/none.json".to_owned();
        let told = check(&other).expect_err("missing").to_string();
        assert!(told.contains("does not list it"), "{told}");
        let mut more = manifest;
        more.files.push(Entry { path: "v1/none.json".to_owned(), ..more.files[0].clone() });
        let told = check(&more).expect_err("missing").to_string();
        assert!(told.contains("none.json"), "{told}");
    }
}
