//! `cargo xtask sbom`: all packages that the programs are built from, as `CycloneDX` 1.5 in JSON.
//!
//! It is made from `cargo metadata` and `Cargo.lock` alone, so that the same tree gives the same bytes: no time, no
//! random serial number.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{packages, workspace};

/// Where to write it.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The file; standard output without it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A package of `Cargo.lock`, by name and version.
type Locked = (String, String);

/// Writes the list.
///
/// # Errors
/// Cargo does not answer, or the file cannot be written.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let text = serde_json::to_string_pretty(&make()?)? + "\n";
    match &options.out {
        Some(path) => std::fs::write(path, text).with_context(|| path.display().to_string())?,
        None => print!("{text}"),
    }
    Ok(true)
}

/// Checks that the list names every locked package and no other, each with a licence, and each from outside with its
/// hash.
///
/// # Errors
/// It does not.
pub(crate) fn check() -> Result<()> {
    let (sbom, locked) = (make()?, locked()?);
    let mut components = sbom["components"].as_array().context("no components")?.clone();
    components.push(sbom["metadata"]["component"].clone());
    for ((name, version), hash) in &locked {
        let is_it = |one: &&Value| one["name"] == **name && one["version"] == **version;
        let found = components.iter().find(is_it).with_context(|| format!("{name} {version} is missing"))?;
        ensure!(found["licenses"][0]["expression"].is_string(), "{name} {version} has no licence");
        let stated = found["hashes"][0]["content"].as_str();
        ensure!(stated == hash.as_deref(), "{name} {version} has another hash than in Cargo.lock");
    }
    // The one above them all is the workspace itself.
    ensure!(components.len() == locked.len() + 1, "{} components, {} locked", components.len(), locked.len());
    println!("{} packages, each named with its licence and hash", locked.len());
    Ok(())
}

/// Makes the list.
fn make() -> Result<Value> {
    let (metadata, locked) = (packages::metadata()?, locked()?);
    let known = metadata["packages"].as_array().context("no packages")?;
    let mut components = Vec::new();
    for ((name, version), hash) in &locked {
        let package = known.iter().find(|one| one["name"] == **name && one["version"] == **version);
        components.push(component(name, version, hash.as_deref(), package)?);
    }
    let version = known.iter().find(|one| one["name"] == "handfast").context("no package handfast")?;
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": "handfast-workspace",
            "name": "handfast-workspace",
            "version": version["version"],
            "licenses": [{"expression": version["license"]}],
        }},
        "components": components,
        "dependencies": dependencies(&metadata)?,
    }))
}

fn component(name: &str, version: &str, hash: Option<&str>, package: Option<&Value>) -> Result<Value> {
    let package = package.with_context(|| format!("Cargo does not know {name} {version} of Cargo.lock"))?;
    let licence = package["license"].as_str().with_context(|| format!("{name} {version} has no licence"))?;
    let mut component = json!({
        "type": if hash.is_some() { "library" } else { "application" },
        "bom-ref": reference(name, version),
        "name": name,
        "version": version,
        // `/` is an old form of OR that SPDX does not have.
        "licenses": [{"expression": licence.replace('/', " OR ")}],
        "purl": reference(name, version),
    });
    if let Some(hash) = hash {
        component["hashes"] = json!([{"alg": "SHA-256", "content": hash}]);
    }
    Ok(component)
}

/// Which package needs which, of every kind: for the build, for tests, for the programs.
fn dependencies(metadata: &Value) -> Result<Vec<Value>> {
    let known = metadata["packages"].as_array().context("no packages")?;
    let by_id: BTreeMap<&str, String> = known
        .iter()
        .filter_map(|one| {
            Some((one["id"].as_str()?, reference(one["name"].as_str()?, one["version"].as_str()?)))
        })
        .collect();
    let nodes = metadata["resolve"]["nodes"].as_array().context("no graph of dependencies")?;
    let mut lines = BTreeMap::new();
    for node in nodes {
        let name = node["id"].as_str().and_then(|id| by_id.get(id)).context("a node without a package")?;
        let needs = node["dependencies"].as_array().context("a node without dependencies")?;
        let mut needs: Vec<_> = needs.iter().filter_map(|id| by_id.get(id.as_str()?)).collect();
        needs.sort();
        let _ = lines.insert(name, json!({"ref": name, "dependsOn": needs}));
    }
    Ok(lines.into_values().collect())
}

fn reference(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// Every package of `Cargo.lock` and the hash of what the registry gave, if it comes from there.
fn locked() -> Result<BTreeMap<Locked, Option<String>>> {
    let text = std::fs::read_to_string(workspace::root().join("Cargo.lock")).context("Cargo.lock")?;
    let table: toml::Table = text.parse().context("Cargo.lock")?;
    let packages =
        table.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    let text_of =
        |package: &toml::Value, key| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let mut locked = BTreeMap::new();
    for package in packages {
        let name = text_of(package, "name").context("a package without a name")?;
        let version = text_of(package, "version").context("a package without a version")?;
        let _ = locked.insert((name, version), text_of(package, "checksum"));
    }
    Ok(locked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_locked_package_is_named() {
        check().unwrap();
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes() {
        assert_eq!(make().unwrap().to_string(), make().unwrap().to_string());
    }

    #[test]
    fn a_package_that_cargo_does_not_know_is_an_error() {
        assert!(component("x", "1.0.0", None, None).is_err());
        assert!(component("x", "1.0.0", None, Some(&json!({"license": null}))).is_err());
        let made = component("x", "1.0.0", Some("00"), Some(&json!({"license": "MIT/Apache-2.0"}))).unwrap();
        assert_eq!(made["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(made["purl"], "pkg:cargo/x@1.0.0");
    }
}
