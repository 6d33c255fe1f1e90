//! Environments of Python for what comes from `PyPI`, each in a folder below the target folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command;

/// Makes a new environment in a folder, in place of what was there, and installs these packages. Returns its Python.
///
/// # Errors
/// Python has no venv, or a package cannot be installed.
pub(crate) fn make(folder: &Path, packages: &[&str]) -> Result<PathBuf> {
    command::run(command::program("python3", ["-m", "venv", "--clear"]).arg(folder))
        .context("Debian splits venv off: install the package python3-venv")?;
    let python = folder.join("bin/python3");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    command::run(command::program(&python, install).args(packages))?;
    Ok(python)
}
