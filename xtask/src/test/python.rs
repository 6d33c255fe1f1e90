//! The checks that are written in Python.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{command, venv, workspace};

/// The version that is installed where none is found.
const CRYPTOGRAPHY: &str = "cryptography==48.0.0";

/// Runs a file of Python unit tests from its own folder.
///
/// # Errors
/// A test fails, or Python 3 is missing.
pub(crate) fn run_test(file: &Path) -> Result<()> {
    run(file, &[])
}

/// Runs a program in Python from its own folder.
///
/// # Errors
/// It fails, or Python 3 is missing.
pub(crate) fn run(file: &Path, arguments: &[&str]) -> Result<()> {
    let folder = file.parent().context("a file without a folder")?;
    let mut python = command::program("python3", ["-B"]);
    command::run(python.arg(file).args(arguments).current_dir(folder))
}

/// Returns a Python that has the library: the system's, or that of an environment below the target folder.
///
/// # Errors
/// The library cannot be installed.
pub(super) fn python_with_cryptography() -> Result<PathBuf> {
    if has_cryptography(Path::new("python3")) {
        return Ok("python3".into());
    }
    let environment = workspace::target().join("python");
    let python = environment.join("bin/python3");
    if !has_cryptography(&python) {
        println!("the Python module `cryptography` is missing, so it is installed below the target folder");
        let _ = venv::make(&environment, &[CRYPTOGRAPHY])?;
    }
    Ok(python)
}

fn has_cryptography(python: &Path) -> bool {
    command::succeeds(&mut command::program(python, ["-c", "import cryptography"]))
}
