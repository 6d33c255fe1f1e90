//! The packages of the workspace, as Cargo tells them.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command;

/// Needs a C++ compiler to link, so only `cargo xtask fuzz` switches it on.
const NOT_HERE: &str = "libfuzzer";

/// One package of the workspace.
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its features, without those of optional dependencies and without libFuzzer.
    pub(crate) features: Vec<String>,
}

impl Package {
    /// Returns whether it is one of the reference programs.
    pub(crate) fn is_program(&self) -> bool {
        self.name.starts_with("reference-")
    }

    /// Returns ` --features a,b`, or nothing if there are none.
    pub(crate) fn feature_words(&self) -> String {
        if self.features.is_empty() {
            String::new()
        } else {
            format!(" --features {}", self.features.join(","))
        }
    }
}

/// Asks Cargo for everything it knows about the workspace and its dependencies, those of features that are off included.
pub(crate) fn metadata() -> Result<Value> {
    let words = ["metadata", "--locked", "--all-features", "--format-version", "1"];
    let text = command::output(&mut command::cargo(words))?;
    serde_json::from_str(&text).context("cargo metadata is no JSON")
}

/// Returns the packages of the workspace in the order in which they depend on each other.
pub(crate) fn members() -> Result<Vec<Package>> {
    let metadata = metadata()?;
    let ids = metadata["workspace_members"].as_array().context("no workspace_members")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut members = Vec::new();
    for id in ids {
        let package =
            packages.iter().find(|package| package["id"] == *id).context("a member without a package")?;
        members.push(member(package)?);
    }
    members.sort_by_key(|member| place(&member.name));
    Ok(members)
}

/// Returns the names of the programs of one package.
///
/// # Errors
/// Cargo does not answer, or does not know the package.
pub(crate) fn programs(name: &str) -> Result<Vec<String>> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let package = packages.iter().find(|package| package["name"] == name);
    let targets = package.and_then(|package| package["targets"].as_array());
    let targets = targets.with_context(|| format!("no package {name}"))?;
    let bins = targets.iter().filter(|target| target["kind"][0] == "bin");
    Ok(bins.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect())
}

fn member(package: &Value) -> Result<Package> {
    let name = package["name"].as_str().context("a package without a name")?.to_owned();
    let features = package["features"].as_object().context("a package without features")?;
    let own = features.keys().filter(|name| *name != "default" && *name != NOT_HERE);
    Ok(Package { name, features: own.cloned().collect() })
}

fn place(name: &str) -> usize {
    const ORDER: [&str; 7] = [
        "handfast-codec",
        "handfast-handshake",
        "handfast-session",
        "handfast",
        "reference-relay",
        "reference-phone",
        "reference-web",
    ];
    ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_that_needs_a_cpp_compiler_is_left_out() {
        let text = r#"{"name":"x","features":{"default":[],"libfuzzer":["dep:libfuzzer-sys"],"hazmat":[]}}"#;
        let package = member(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(package.features, ["hazmat"]);
        assert_eq!(package.feature_words(), " --features hazmat");
    }

    #[test]
    fn inner_crates_come_first() {
        let mut names = ["xtask", "reference-web", "handfast", "handfast-codec"];
        names.sort_by_key(|name| place(name));
        assert_eq!(names, ["handfast-codec", "handfast", "reference-web", "xtask"]);
    }
}
