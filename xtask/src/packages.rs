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
    /// Whether it is published.
    is_published: bool,
}

impl Package {
    /// Returns whether it is one of the reference programs.
    pub(crate) fn is_program(&self) -> bool {
        ["reference-relay", "reference-phone", "reference-web"].contains(&self.name.as_str())
    }

    /// Returns ` --features a,b`, or nothing if there are none.
    pub(crate) fn feature_words(&self) -> String {
        if self.features.is_empty() {
            String::new()
        } else {
            format!(" --features {}", self.features.join(","))
        }
    }

    /// Returns whether others use it: it is a program, or published.
    pub(crate) fn ships(&self) -> bool {
        self.is_program() || self.is_published
    }
}

/// Packages that are built together: what they need is then built once, and not again for each with other features.
pub(crate) struct Group {
    /// They are not empty.
    pub(crate) packages: Vec<Package>,
}

impl Group {
    /// The libraries and what tests them, the programs, and the tasks with their stories: whose own program would be
    /// rebuilt while it runs.
    pub(crate) fn all(packages: Vec<Package>) -> Vec<Self> {
        let (programs, others): (Vec<_>, Vec<_>) = packages.into_iter().partition(Package::is_program);
        let (tasks, libraries): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|package| package.name.starts_with("xtask") || package.name == "handfast-e2e");
        [libraries, programs, tasks].map(|packages| Self { packages }).into()
    }

    /// Returns whether it is that of the programs.
    pub(crate) fn is_of_programs(&self) -> bool {
        self.packages.iter().all(Package::is_program)
    }

    /// Returns the names of its packages.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.packages.iter().map(|package| package.name.as_str()).collect();
        names.join(", ")
    }

    /// Returns the words for Cargo that choose its packages, with all their features or those of their defaults.
    pub(crate) fn words(&self, with_features: bool) -> String {
        let mut words: Vec<String> =
            self.packages.iter().map(|package| format!("--package {}", package.name)).collect();
        let of = |package: &Package| {
            let name = package.name.clone();
            package.features.clone().into_iter().map(move |feature| format!("{name}/{feature}"))
        };
        let features: Vec<String> = self.packages.iter().flat_map(of).collect();
        if with_features && !features.is_empty() {
            words.push(format!("--features {}", features.join(",")));
        }
        words.join(" ")
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

/// Returns everything that Cargo knows about the package with this name.
///
/// # Errors
/// Cargo does not answer, or does not know the package.
pub(crate) fn find(name: &str) -> Result<Value> {
    let mut metadata = metadata()?;
    let packages = metadata["packages"].as_array_mut().context("no packages")?;
    let package = packages.iter_mut().find(|package| package["name"] == name);
    package.map(Value::take).with_context(|| format!("no package {name}"))
}

/// Returns the names of the programs of one package.
///
/// # Errors
/// Cargo does not answer, or does not know the package.
pub(crate) fn programs(name: &str) -> Result<Vec<String>> {
    let package = find(name)?;
    let targets = package["targets"].as_array().context("a package without targets")?;
    let bins = targets.iter().filter(|target| target["kind"][0] == "bin");
    Ok(bins.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect())
}

fn member(package: &Value) -> Result<Package> {
    let name = package["name"].as_str().context("a package without a name")?.to_owned();
    let features = package["features"].as_object().context("a package without features")?;
    let own = features.keys().filter(|name| *name != "default" && *name != NOT_HERE);
    // Cargo lists where it may be published: null is everywhere, and an empty list nowhere.
    let is_published = package["publish"].is_null();
    Ok(Package { name, features: own.cloned().collect(), is_published })
}

fn place(name: &str) -> usize {
    const ORDER: [&str; 10] = [
        "handfast-codec",
        "handfast-media",
        "handfast-messages",
        "handfast-handshake",
        "handfast-session",
        "handfast",
        "handfast-programs",
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
        assert!(package.is_published && package.ships());
    }

    #[test]
    fn a_group_is_built_with_the_features_of_its_packages_or_as_it_ships() {
        let package = |name: &str, features: &[&str]| Package {
            name: name.to_owned(),
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
            is_published: false,
        };
        let all = [package("a", &["x", "y"]), package("reference-web", &["z"]), package("xtask", &[])];
        let groups = Group::all(all.into());
        let words = |with_features| groups.iter().map(|group| group.words(with_features)).collect::<Vec<_>>();
        assert_eq!(words(true)[0], "--package a --features a/x,a/y");
        assert_eq!(words(false), ["--package a", "--package reference-web", "--package xtask"]);
        assert_eq!(groups.iter().map(Group::is_of_programs).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn inner_crates_come_first() {
        let mut names = ["xtask", "reference-web", "handfast", "handfast-codec"];
        names.sort_by_key(|name| place(name));
        assert_eq!(names, ["handfast-codec", "handfast", "reference-web", "xtask"]);
    }
}
