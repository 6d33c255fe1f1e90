//! What is wrong with a file that should be one of the vectors'.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

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
        let advice = "take a build of handfast-conformance that knows it";
        return damaged(path, format!("its schema is {schema:?}, this build reads {right}: {advice}"));
    }
    // Read again from the text, so that a fault is told with its line.
    serde_json::from_str(text).or_else(|error| damaged(path, error))
}
