//! Reading vector files, which may come from anywhere: what is damaged or of another schema is refused by its name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::case::{SCHEMA, VectorFile, Verdict};
use crate::damaged::{Damaged, damaged, of_schema};
use crate::manifest::Manifest;

/// Where vector files come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The crate `handfast-vectors`.
    Embedded,
    /// A folder, with the manifest beside it.
    Folder(PathBuf),
}

impl Source {
    /// Returns every vector file, by name: its path and its text.
    ///
    /// # Errors
    ///
    /// [`Damaged`]: the folder, or a file of it, cannot be read.
    pub fn texts(&self) -> Result<Vec<(PathBuf, String)>, Damaged> {
        match self {
            Self::Embedded => {
                let text = |file: &handfast_vectors::File| (PathBuf::from(file.name), file.text.to_owned());
                Ok(handfast_vectors::FILES.iter().map(text).collect())
            }
            Self::Folder(folder) => {
                let read = |path: PathBuf| {
                    let text = fs::read_to_string(&path).or_else(|error| damaged(&path, error))?;
                    Ok((path, text))
                };
                paths(folder)?.into_iter().map(read).collect()
            }
        }
    }

    fn manifest(&self) -> Result<Manifest, Damaged> {
        match self {
            Self::Embedded => Manifest::parse(Path::new("manifest.json"), handfast_vectors::MANIFEST),
            Self::Folder(folder) => Manifest::read(folder),
        }
    }

    /// Returns what to call it in a message.
    fn place(&self) -> &Path {
        match self {
            Self::Embedded => Path::new("handfast-vectors"),
            Self::Folder(folder) => folder,
        }
    }
}

/// Every vector file of the folder, by name.
///
/// # Errors
///
/// [`Damaged`]: the folder cannot be read.
pub fn paths(folder: &Path) -> Result<Vec<PathBuf>, Damaged> {
    let listed = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = listed.or_else(|error| damaged(folder, format!("{error}; `generate` makes the files")))?;
    let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    Ok(paths)
}

/// Reads the text of one file.
///
/// # Errors
///
/// [`Damaged`]: it is not as the README says, or is of another schema.
pub fn parse(path: &Path, text: &str) -> Result<VectorFile, Damaged> {
    let file: VectorFile = of_schema(path, text, SCHEMA)?;
    let stem = path.file_stem().unwrap_or_default();
    if stem != file.topic.as_str() {
        return damaged(path, format!("it says that it is {:?}", file.topic));
    }
    if file.count != file.cases.len() {
        return damaged(path, format!("it says {} cases and has {}", file.count, file.cases.len()));
    }
    for case in &file.cases {
        if (case.result == Verdict::Invalid) != case.error.is_some() {
            return damaged(path, format!("{}: an error stands with `invalid` alone", case.id));
        }
    }
    Ok(file)
}

/// Reads all files, which must be those that the manifest lists.
///
/// # Errors
///
/// [`Damaged`]: one of them or the manifest is, there is none, or two cases have one id.
pub fn load(source: &Source) -> Result<Vec<VectorFile>, Damaged> {
    let texts = source.texts()?;
    if texts.is_empty() {
        return damaged(source.place(), "there is no vector file");
    }
    let manifest = source.manifest()?;
    let (mut files, mut ids) = (Vec::new(), BTreeSet::new());
    for (path, text) in &texts {
        let file = parse(path, text)?;
        for case in &file.cases {
            if !ids.insert(case.id.clone()) {
                return damaged(path, format!("the id {} stands twice", case.id));
            }
        }
        files.push(file);
    }
    manifest.check(source.place(), &texts)?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(Path::new("v1/topic.json"), text).expect_err("damaged").to_string()
    }

    #[test]
    fn damage_is_told_with_the_name_of_the_file() {
        let file = |schema: &str, count: u64, case: &str| {
            format!(
                r#"{{"schema":"{schema}","spec":"1","topic":"topic","comment":"","count":{count},"cases":[{case}]}}"#
            )
        };
        let case = r#"{"id":"a","reqs":[],"comment":"","op":"x","in":{},"result":"valid"}"#;
        assert!(parse(Path::new("v1/topic.json"), &file(SCHEMA, 1, case)).is_ok());
        for (text, part) in [
            (file(SCHEMA, 1, case).replace("}]", "}"), "line 1"),
            ("[]".to_owned(), "none of the vectors' files"),
            (file("handfast-vectors.v9", 1, case), "handfast-vectors.v9"),
            (file(SCHEMA, 2, case), "2 cases and has 1"),
            (file(SCHEMA, 1, &case.replace("comment", "komment")), "komment"),
            (file(SCHEMA, 1, &case.replace("\"valid\"", "\"invalid\"")), "a: an error"),
            (file(SCHEMA, 1, case).replace("\"topic\":\"topic\"", "\"topic\":\"other\""), "other"),
        ] {
            let told = refused(&text);
            assert!(told.starts_with("v1/topic.json: ") && told.contains(part), "{told}");
        }
    }
}
