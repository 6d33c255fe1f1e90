//! Builds the three programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

/// The packages of the programs.
pub const PACKAGES: [&str; 3] = ["reference-relay", "reference-phone", "reference-web"];

/// The feature with which devices write the keys of their connections to a file, if their environment names one.
const KEY_LOG: &str = ",reference-phone/key-log,reference-web/key-log";

/// What the relay of these programs is told: that of an older release knows no such words.
const RELAY_WORDS: &[&str] = &["--page", "embedded"];

/// Where the three programs lie.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `handfast-relay`.
    pub relay: PathBuf,
    /// `handfast-phone`.
    pub phone: PathBuf,
    /// `handfast-web`.
    pub web: PathBuf,
    /// What the relay is told besides its name and address.
    pub(crate) relay_words: &'static [&'static str],
}

impl Programs {
    /// Returns the programs in `folder`.
    ///
    /// # Errors
    /// One is missing, or cannot be run.
    pub fn in_folder(folder: &Path, relay_words: &'static [&'static str]) -> Result<Self> {
        let programs = Self {
            relay: found(folder, "handfast-relay")?,
            phone: found(folder, "handfast-phone")?,
            web: found(folder, "handfast-web")?,
            relay_words,
        };
        [&programs.relay, &programs.phone, &programs.web].into_iter().try_for_each(|path| runs(path))?;
        Ok(programs)
    }
}

/// Builds the programs in the dev profile, in which the dependencies are optimised.
///
/// # Errors
/// They do not build.
pub fn build(failpoints: bool) -> Result<Programs> {
    let mut build = of_packages();
    if failpoints {
        let features = PACKAGES.map(|package| format!("{package}/failpoints")).join(",") + KEY_LOG;
        let _ = build.args(["--features", &features]);
        println!(
            "The programs are built with the features `failpoints` and `key-log`, which no shipped build has."
        );
    }
    command::run(&mut build)?;
    Programs::in_folder(&workspace::target().join("debug"), RELAY_WORDS)
}

/// The command that builds the three packages.
fn of_packages() -> Command {
    let mut build = command::cargo(["build", "--locked"]);
    let _ = build.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    build
}

/// Builds the programs optimised, as they ship.
///
/// # Errors
/// They do not build.
pub fn shipped() -> Result<Programs> {
    command::run(of_packages().arg("--release"))?;
    Programs::in_folder(&workspace::target().join("release"), RELAY_WORDS)
}

/// Builds the programs, as they ship and with kill points, and keeps both where no later build replaces them.
///
/// # Errors
/// They do not build, or cannot be kept.
pub fn keep() -> Result<()> {
    for failpoints in [false, true] {
        let programs = build(failpoints)?;
        let folder = folder_of_kept(failpoints);
        std::fs::create_dir_all(&folder)?;
        for program in [programs.relay, programs.phone, programs.web] {
            let kept = folder.join(program.file_name().context("a program without a name")?);
            // One that runs keeps the file that it was started from.
            let _ = std::fs::remove_file(&kept);
            let _ = std::fs::copy(&program, &kept)
                .with_context(|| format!("{} cannot be copied", program.display()))?;
        }
    }
    Ok(())
}

/// Returns the programs that [`keep`] has kept.
///
/// # Errors
/// It was not called, or one cannot be run.
pub fn kept(failpoints: bool) -> Result<Programs> {
    Programs::in_folder(&folder_of_kept(failpoints), RELAY_WORDS)
}

fn folder_of_kept(failpoints: bool) -> PathBuf {
    workspace::target().join(if failpoints { "programs-with-kill-points" } else { "programs" })
}

/// A program that has no command line is told at once, instead of a wait for what it never says.
fn runs(path: &Path) -> Result<()> {
    let version = command::output(&mut command::program(path, ["--version"]))?;
    ensure!(!version.trim().is_empty(), "{} has no command line yet: it cannot be run", path.display());
    Ok(())
}

fn found(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    ensure!(path.is_file(), "{} is not there: it was not built", path.display());
    Ok(path)
}
