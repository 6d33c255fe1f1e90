//! The published packages as their users get them: packed, unpacked elsewhere, and built there by a program that knows
//! nothing else of this repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::packages;
use crate::{command, workspace};

/// The most that a packed package may have, in bytes: code, texts and vectors fit, data of tests do not.
const PACKED_LEN_MAX: u64 = 524_288;

/// Words of a package that crates.io takes: keywords, and letters of one.
const KEYWORDS_MAX: usize = 5;
const KEYWORD_LEN_MAX: usize = 20;

/// The categories of crates.io that fit something here.
const CATEGORIES: [&str; 7] = [
    "cryptography",
    "development-tools::testing",
    "encoding",
    "network-programming",
    "no-std",
    "parser-implementations",
    "wasm",
];

/// The program that is built from the packages. It opens a phone, changes a row, and ends.
const PROGRAM: &str = include_str!("packed/program.rs");

/// A package that is published.
struct Published {
    name: String,
    version: String,
    licence: String,
}

/// Packs all published packages, checks what is in them, and builds and runs a program from the packed files alone.
///
/// # Errors
/// A package lacks something that its users or the registry ask for, is too large, or does not build.
pub(crate) fn check() -> Result<()> {
    let packages = published()?;
    let folder = workspace::target().join("packed");
    let mut pack = command::cargo(["package", "--locked", "--no-verify", "--allow-dirty", "--quiet"]);
    let _ = pack.arg("--target-dir").arg(&folder);
    let _ = pack.args(packages.iter().flat_map(|one| ["--package", one.name.as_str()]));
    command::run(&mut pack)?;
    for package in &packages {
        let file = folder.join(format!("package/{}-{}.crate", package.name, package.version));
        let len = fs::metadata(&file).with_context(|| format!("no {}", file.display()))?.len();
        ensure!(
            len <= PACKED_LEN_MAX,
            "{} has {len} bytes of {PACKED_LEN_MAX} that it may have",
            package.name
        );
        println!("{} {}: {len} bytes", package.name, package.version);
        unpack(package, &file, &folder.join("crates"))?;
    }
    build(&packages, &folder)
}

/// The published packages, with what the registry asks of each.
fn published() -> Result<Vec<Published>> {
    let metadata = packages::metadata()?;
    let members = metadata["workspace_members"].as_array().context("no workspace_members")?;
    let all = metadata["packages"].as_array().context("no packages")?;
    let is_published = |one: &&Value| members.contains(&one["id"]) && one["publish"].is_null();
    let found: Result<Vec<_>> = all.iter().filter(is_published).map(read).collect();
    let found = found?;
    ensure!(found.iter().any(|one| one.name == "handfast"), "Cargo does not say that handfast is published");
    Ok(found)
}

/// Reads a package, and checks that it says all that a registry shows of it.
fn read(package: &Value) -> Result<Published> {
    let name = package["name"].as_str().context("a package without a name")?;
    let text = |field: &str| {
        let value = package[field].as_str().filter(|value| !value.is_empty());
        value.map(str::to_owned).with_context(|| format!("{name} has no {field} in its Cargo.toml"))
    };
    for field in ["description", "readme", "repository", "documentation", "rust_version"] {
        let _ = text(field)?;
    }
    let list = |field: &str| -> Vec<&str> {
        package[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (keywords, categories) = (list("keywords"), list("categories"));
    let is_keyword = |word: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+".contains(&byte);
        word.len() <= KEYWORD_LEN_MAX
            && word.starts_with(|c: char| c.is_ascii_alphanumeric())
            && word.bytes().all(is_plain)
    };
    ensure!(
        (1..=KEYWORDS_MAX).contains(&keywords.len()) && keywords.iter().all(|word| is_keyword(word)),
        "{name} has keywords that crates.io refuses: {keywords:?}"
    );
    ensure!(
        !categories.is_empty() && categories.iter().all(|category| CATEGORIES.contains(category)),
        "{name} has categories that are not in the list of {}: {categories:?}",
        file!()
    );
    Ok(Published { name: name.to_owned(), version: text("version")?, licence: text("license")? })
}

/// Unpacks a package unless the same one is there, and checks what it carries beside its code.
fn unpack(package: &Published, file: &Path, into: &Path) -> Result<()> {
    let folder = folder_of(package, into);
    let (stamp, hash) = (folder.with_extension("sha256"), format!("{:x?}", Sha256::digest(fs::read(file)?)));
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&hash) {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(into)?;
        // Files of a package are of the year 2006: with `-m` Cargo sees that they are new.
        let mut tar = command::program("tar", ["-x", "-z", "-m", "-f"]);
        command::run(tar.arg(file).arg("-C").arg(into))?;
        fs::write(&stamp, hash)?;
    }
    ensure!(folder.join("README.md").is_file(), "{} is packed without README.md", package.name);
    ensure!(!folder.join("tests").exists(), "{} is packed with its tests", package.name);
    for licence in licences(&package.licence) {
        let own = fs::read(folder.join(licence))
            .with_context(|| format!("{} is packed without {licence}", package.name))?;
        // The text of a licence of data lies beside the data alone.
        if let Ok(text) = fs::read(workspace::root().join(licence)) {
            ensure!(
                own == text,
                "{} of {} is another one than that of the repository",
                licence,
                package.name
            );
        }
    }
    Ok(())
}

fn folder_of(package: &Published, into: &Path) -> PathBuf {
    into.join(format!("{}-{}", package.name, package.version))
}

/// The files with the texts of the licences that a package is under.
fn licences(expression: &str) -> Vec<&'static str> {
    const FILES: [(&str, &str); 3] =
        [("MIT", "LICENSE-MIT"), ("Apache-2.0", "LICENSE-APACHE"), ("CC0-1.0", "LICENSE-CC0")];
    FILES.iter().filter(|(name, _)| expression.contains(name)).map(|(_, file)| *file).collect()
}

/// Builds a workspace of the unpacked packages and a program: every package for itself, then what the program does.
fn build(packages: &[Published], folder: &Path) -> Result<()> {
    let program = folder.join("program");
    fs::create_dir_all(program.join("src"))?;
    let version =
        |name: &str| packages.iter().find(|one| one.name == name).map_or("", |one| one.version.as_str());
    let manifest = format!(
        "[package]\nname = \"program\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         handfast = {{ version = \"={}\", features = [\"sqlite\", \"tokio\"] }}\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt\"] }}\n",
        version("handfast")
    );
    write(&program.join("Cargo.toml"), &manifest)?;
    write(&program.join("src/main.rs"), PROGRAM)?;
    let members = packages.iter().map(|one| format!("\"crates/{}-{}\", ", one.name, one.version));
    let patches =
        packages.iter().map(|one| format!("{0} = {{ path = \"crates/{0}-{1}\" }}\n", one.name, one.version));
    let whole = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}\"program\"]\n\n[patch.crates-io]\n{}",
        members.collect::<String>(),
        patches.collect::<String>()
    );
    write(&folder.join("Cargo.toml"), &whole)?;
    // The versions of the repository, so that nothing is fetched that is not here.
    let lock = fs::read_to_string(workspace::root().join("Cargo.lock")).context("Cargo.lock")?;
    fs::write(folder.join("Cargo.lock"), lock)?;
    let cargo = |words: &[&str]| {
        let mut cargo = command::cargo(words);
        let _ = cargo.current_dir(folder).arg("--offline").arg("--target-dir").arg(folder.join("target"));
        cargo
    };
    command::run(&mut cargo(&["build", "--workspace", "--quiet"]))?;
    let said = command::output(cargo(&["run", "--quiet", "--package", "program"]).env_remove("RUST_LOG"))?;
    ensure!(said.trim() == "stored: milk, revision 1", "the program said {said:?}");
    let mut list = cargo(&["run", "--quiet", "--package", "handfast-conformance"]);
    let listed = command::output(list.args(["--", "list", "--stats"]))?;
    ensure!(listed.contains("cases"), "the packed conformance runner said {listed:?}");
    Ok(())
}

/// Writes a file unless it is there with the same content, so that Cargo builds it once.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package() -> Value {
        json!({
            "name": "x", "version": "1.0.0", "license": "MIT OR Apache-2.0", "description": "d", "readme": "README.md",
            "repository": "https://example.org", "documentation": "https://docs.rs/x", "rust_version": "1.95",
            "keywords": ["protocol", "no-std"], "categories": ["encoding"],
        })
    }

    #[test]
    fn a_package_says_all_that_the_registry_shows() {
        assert_eq!(licences(&read(&package()).unwrap().licence), ["LICENSE-MIT", "LICENSE-APACHE"]);
        for field in ["description", "readme", "repository", "documentation", "rust_version", "license"] {
            let mut lacking = package();
            lacking[field] = Value::Null;
            assert!(read(&lacking).is_err(), "{field}");
        }
    }

    #[test]
    fn keywords_and_categories_are_those_that_the_registry_takes() {
        for (field, bad) in [
            ("keywords", json!([])),
            ("keywords", json!(["a", "b", "c", "d", "e", "f"])),
            ("keywords", json!(["two words"])),
            ("keywords", json!(["a-word-of-21-letters-"])),
            ("categories", json!([])),
            ("categories", json!(["crypto"])),
        ] {
            let mut wrong = package();
            wrong[field] = bad.clone();
            assert!(read(&wrong).is_err(), "{field} {bad}");
        }
    }

    #[test]
    fn the_program_of_the_first_page_is_the_one_that_is_compiled() {
        let program = |file: &str| {
            let text = fs::read_to_string(workspace::root().join(file)).unwrap();
            let after = text.split_once("```rust\n").map(|(_, after)| after.to_owned());
            after.and_then(|after| after.split_once("```").map(|(program, _)| program.to_owned())).unwrap()
        };
        assert_eq!(program("README.md"), program("handfast/README.md"));
    }

    #[test]
    fn every_published_package_passes() {
        let names: Vec<_> = published().unwrap().into_iter().map(|one| one.name).collect();
        assert!(
            names.contains(&"handfast-codec".to_owned()) && !names.contains(&"xtask".to_owned()),
            "{names:?}"
        );
    }
}
