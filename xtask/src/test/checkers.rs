//! The second and the third derivation of the vectors, in a folder of their own where no Rust program is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::{Done, python};
use crate::{command, workspace};

/// What a checker may read: the vectors, the text that it is written from, and itself.
const GIVEN: [&str; 2] = ["vectors", "spec"];

/// Checks the vectors in Python, over the package `cryptography`.
///
/// # Errors
/// The checker disagrees, or its library cannot be installed.
pub(crate) fn in_python() -> Result<Done> {
    let python = python::python_with_cryptography()?;
    run(&python, ["-c", "import sys; print(sys.executable)"], &["-B", "vectors/check.py"])
}

/// Checks the vectors in Node, over `node:crypto`.
///
/// # Errors
/// The checker disagrees, or Node is missing.
pub(crate) fn in_node() -> Result<Done> {
    run(Path::new("node"), ["-p", "process.execPath"], &["vectors/check.mjs"])
}

/// Runs a checker with an interpreter, which is asked first where it is: its name may be that of a script.
fn run(program: &Path, where_it_is: [&str; 2], arguments: &[&str]) -> Result<Done> {
    let folder = copied()?;
    let program = PathBuf::from(command::output(&mut command::program(program, where_it_is))?.trim_end());
    let mut checker = command::program(&program, arguments);
    let path = program.parent().context("a program stands in a folder")?;
    command::run(checker.current_dir(folder.path()).env_clear().env("PATH", path))?;
    Ok(Done::Passed)
}

/// A copy of what a checker may read, without any source or program of ours.
fn copied() -> Result<TempDir> {
    let folder = TempDir::new()?;
    for name in GIVEN {
        copy(&workspace::root().join(name), &folder.path().join(name))?;
    }
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&path, &to.join(name))?;
        } else if path.extension().is_none_or(|ending| ending != "rs") {
            let bytes = fs::read(&path)?;
            ensure!(!bytes.starts_with(b"\x7fELF"), "{} is a program", path.display());
            fs::write(to.join(name), bytes)?;
        }
    }
    Ok(())
}
