//! Reading vector files, which may come from anywhere: what is damaged or of another schema is refused by its name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::case::{SCHEMA, VectorFile, Verdict};
use crate::manifest::Manifest;

/// Why a folder of vectors cannot be used. The text names the file.
#[derive(Debug)]
pub struct Damaged(String);

impl std::fmt::Display for Damaged {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Damaged {}

pub(crate) fn damaged<T>(path: &Path, what: impl std::fmt::Display) -> Result<T, Damaged> {
    Err(Damaged(format!("{}: {what}", path.display())))
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

/// Reads one file.
///
/// # Errors
///
/// [`Damaged`]: it cannot be read, is not as the README says, or is of another schema.
pub fn read(path: &Path) -> Result<(VectorFile, String), Damaged> {
    let text = fs::read_to_string(path).or_else(|error| damaged(path, error))?;
    Ok((parse(path, &text)?, text))
}

/// Reads JSON that names its own form, which must be this one.
///
/// # Errors
///
/// [`Damaged`]: it is no JSON, of another form, or not as that form says.
pub(crate) fn of_schema<T: DeserializeOwned>(path: &Path, text: &str, right: &str) -> Result<T, Damaged> {
    let value: Value = serde_json::from_str(text).or_else(|error| damaged(path, error))?;
    let Some(schema) = value.get("schema").and_then(Value::as_str) else {
        return damaged(path, "it is none of the vectors' files: it has no `schema`");
    };
    if schema != right {
        let advice = "take a build of handfast-vectors that knows it";
        return damaged(path, format!("its schema is {schema:?}, this build reads {right}: {advice}"));
    }
    // Read again from the text, so that a fault is told with its line.
    serde_json::from_str(text).or_else(|error| damaged(path, error))
}

fn parse(path: &Path, text: &str) -> Result<VectorFile, Damaged> {
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

/// Reads all files of a folder, which must be those that the manifest beside it lists.
///
/// # Errors
///
/// [`Damaged`]: one of them or the manifest is, there is none, or two cases have one id.
pub fn load(folder: &Path) -> Result<Vec<VectorFile>, Damaged> {
    let paths = paths(folder)?;
    if paths.is_empty() {
        return damaged(folder, "there is no vector file");
    }
    let manifest = Manifest::read(folder)?;
    let (mut files, mut ids) = (Vec::new(), BTreeSet::new());
    for path in &paths {
        let (file, _) = read(path)?;
        for case in &file.cases {
            if !ids.insert(case.id.clone()) {
                return damaged(path, format!("the id {} stands twice", case.id));
            }
        }
        files.push(file);
    }
    manifest.check(folder)?;
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
