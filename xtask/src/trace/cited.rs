//! What stands behind each requirement, for other tasks.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::sites::Site;
use super::spec::is_id;
use super::{Trace, Traced};
use crate::{command, workspace};

/// Folders whose text may name a requirement that a model shows to be needed.
const MODELS: [&str; 2] = ["spec/models/", "models/"];

/// A requirement with all that cites it.
#[derive(Clone, Debug)]
pub(crate) struct Cited {
    pub(crate) id: String,
    /// The file of the specification.
    pub(crate) file: String,
    /// What stands after the id, on one line.
    pub(crate) text: String,
    pub(crate) code: Vec<Place>,
    pub(crate) tests: Vec<Place>,
    pub(crate) vectors: Vec<Vectors>,
    pub(crate) models: Vec<Place>,
}

/// A line of a file of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: usize,
    /// The function around it; empty where there is none.
    pub(crate) function: String,
}

/// The cases of one file of vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vectors {
    pub(crate) file: String,
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
}

/// Reads all requirements and what cites them, in the order of their ids.
///
/// # Errors
/// A source cannot be read.
pub(crate) fn requirements() -> Result<Vec<Cited>> {
    let named = in_models(&workspace::root())?;
    Ok(Trace::read()?.requirements.into_iter().map(|traced| cited(traced, &named)).collect())
}

fn cited(traced: Traced, named: &BTreeMap<String, Vec<Place>>) -> Cited {
    let vectors = vectors(&traced);
    let requirement = traced.requirement;
    let is_model = |site: &Site| MODELS.iter().any(|folder| site.file.starts_with(folder));
    let (models, tests): (Vec<Site>, Vec<Site>) = traced.tests.into_iter().partition(is_model);
    let mut models: Vec<Place> = models.into_iter().map(place).collect();
    models.extend(named.get(&requirement.id).into_iter().flatten().cloned());
    Cited {
        id: requirement.id,
        file: requirement.file,
        text: requirement.text,
        code: traced.code.into_iter().map(place).collect(),
        tests: tests.into_iter().map(place).collect(),
        vectors,
        models,
    }
}

fn place(site: Site) -> Place {
    Place { file: site.file, line: site.line, function: site.function }
}

fn vectors(traced: &Traced) -> Vec<Vectors> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for case in &traced.cases {
        let (accepted, refused) = counts.entry(&case.file).or_default();
        *if case.invalid { refused } else { accepted } += 1;
    }
    let counts = counts.into_iter();
    counts.map(|(file, (accepted, refused))| Vectors { file: file.to_owned(), accepted, refused }).collect()
}

/// The first line of each file below `spec/models` that names a requirement, by requirement.
fn in_models(root: &Path) -> Result<BTreeMap<String, Vec<Place>>> {
    let words = ["ls-files", "--cached", "--others", "--exclude-standard", "--", "spec/models"];
    let mut named: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for file in command::output(&mut command::program("git", words))?.lines() {
        let Ok(text) = std::fs::read_to_string(root.join(file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            for id in ids(line) {
                let places = named.entry(id.to_owned()).or_default();
                if places.iter().all(|place| place.file != file) {
                    let (file, function) = (file.to_owned(), String::new());
                    places.push(Place { file, line: number + 1, function });
                }
            }
        }
    }
    Ok(named)
}

/// The ids in a text, wherever they stand as whole words.
pub(crate) fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '-' && !c.is_ascii_alphanumeric()).filter(|word| is_id(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_whole_words() {
        let found: Vec<_> =
            ids("see FRM-001 (HSK-002), `RES-003`; not SP-001, FRM-0010 or XFRM-001").collect();
        assert_eq!(found, ["FRM-001", "HSK-002", "RES-003"]);
    }

    #[test]
    fn a_requirement_is_found_with_what_stands_behind_it() {
        let all = requirements().unwrap();
        let one = all.iter().find(|cited| cited.id == "FRM-020").unwrap();
        assert_eq!(one.file, "spec/frames.md");
        assert!(!one.code.is_empty() && !one.vectors.is_empty(), "{one:?}");
        assert!(all.iter().any(|cited| !cited.models.is_empty()));
    }
}
