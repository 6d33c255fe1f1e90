//! That the page does not depend on who builds it, where and when: two clones, one after the other, and their bytes compared.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::MANIFEST;
use crate::{command, workspace};

/// Builds the page of the last commit from two clones and compares the manifests.
///
/// # Errors
/// A clone or a build fails, or the bytes differ.
pub(super) fn run() -> Result<bool> {
    let root = tempfile::tempdir()?;
    let first = clone_and_build(&root.path().join("a"), "first", None)?;
    let home = root.path().join("home of another");
    link_registry(&home)?;
    let second = clone_and_build(&root.path().join("b/deeper/in"), "second", Some(&home))?;
    ensure!(first == second, "the two differ:\n{first}\n{second}");
    println!("{first}\nThe same bytes from two clones, at two paths, of two homes, one after the other.");
    Ok(true)
}

/// Clones the repository to below a folder, builds the page there, and returns its manifest.
fn clone_and_build(folder: &Path, name: &str, home: Option<&Path>) -> Result<String> {
    let (clone, out) = (folder.join(name), folder.join("page"));
    std::fs::create_dir_all(folder)?;
    command::run(
        command::program("git", ["clone", "--quiet", "--no-hardlinks"]).arg(workspace::root()).arg(&clone),
    )?;
    let words = [
        "run",
        "--quiet",
        "--locked",
        "--package",
        "xtask",
        "--",
        "page",
        "--relay",
        "relay.example",
        "--out",
    ];
    let mut build = command::cargo(words);
    let _ = build
        .arg(&out)
        .current_dir(&clone)
        .env_remove("CARGO_TARGET_DIR")
        .env("USER", name)
        .env("LOGNAME", name);
    if let Some(home) = home {
        // The compiler stays where it is; what Cargo has fetched is reached by another path.
        let rustup =
            std::env::var_os("RUSTUP_HOME").map_or_else(|| user_home().join(".rustup"), PathBuf::from);
        let _ = build.env("HOME", home).env("CARGO_HOME", home.join(".cargo")).env("RUSTUP_HOME", rustup);
    }
    command::run(&mut build)?;
    std::fs::read_to_string(out.join(MANIFEST)).context("no manifest was written")
}

fn user_home() -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| OsString::from("/")))
}

/// A home whose Cargo has the same registry.
fn link_registry(home: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| user_home().join(".cargo"), PathBuf::from);
    let other = home.join(".cargo");
    std::fs::create_dir_all(&other)?;
    for name in ["registry", "git", "bin", "config.toml", "config"] {
        if cargo.join(name).exists() {
            std::os::unix::fs::symlink(cargo.join(name), other.join(name))?;
        }
    }
    Ok(())
}
