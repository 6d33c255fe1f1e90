//! The cases in `vectors/v1/**.json`, and the requirements that they cite.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// A case: any object with `id`, `reqs` and `result`, wherever it stands in a file.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) file: String,
    pub(super) ids: Vec<String>,
    /// It is to be refused.
    pub(super) invalid: bool,
}

/// Reads all cases, file by file.
///
/// # Errors
/// A file cannot be read, or is no JSON.
pub(super) fn read(root: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    below(root, "vectors/v1", &mut cases)?;
    Ok(cases)
}

fn below(root: &Path, folder: &str, cases: &mut Vec<Case>) -> Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        names
            .push((format!("{folder}/{}", entry.file_name().to_string_lossy()), entry.file_type()?.is_dir()));
    }
    names.sort();
    for (name, is_folder) in names {
        if is_folder {
            below(root, &name, cases)?;
        } else if Path::new(&name).extension().is_some_and(|ending| ending == "json") {
            let text = std::fs::read_to_string(root.join(&name))?;
            let value = serde_json::from_str(&text).with_context(|| format!("{name} is no JSON"))?;
            collect(&name, &value, cases);
        }
    }
    Ok(())
}

fn collect(file: &str, value: &Value, cases: &mut Vec<Case>) {
    match value {
        Value::Array(list) => list.iter().for_each(|item| collect(file, item, cases)),
        Value::Object(map) => match (map.get("id"), map.get("reqs"), map.get("result")) {
            (Some(Value::String(id)), Some(Value::Array(reqs)), Some(Value::String(result))) => {
                cases.push(Case {
                    id: id.clone(),
                    file: file.to_owned(),
                    ids: reqs.iter().filter_map(|req| req.as_str().map(str::to_owned)).collect(),
                    invalid: result == "invalid",
                });
            }
            _ => map.values().for_each(|item| collect(file, item, cases)),
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_found_at_any_depth() {
        let file = r#"{"groups":[{"id":"g","tests":[{"id":"a","reqs":["FRM-001"],"result":"invalid"}]}],
            "cases":[{"id":"b","reqs":["FRM-002","FRM-003"],"result":"valid"}]}"#;
        let mut cases = Vec::new();
        collect("f.json", &serde_json::from_str(file).unwrap(), &mut cases);
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        let found: Vec<_> =
            cases.iter().map(|case| (case.id.as_str(), case.ids.len(), case.invalid)).collect();
        assert_eq!(found, [("a", 1, true), ("b", 2, false)]);
    }
}
