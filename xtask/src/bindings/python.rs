//! The wheel for Python, and its trial as its users have it: installed from the file, without this repository in the path.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::story::play;
use super::{CRATE, Language, Programs, generate, print_size, root};
use crate::{command, notices, venv, wasm, workspace};

/// How often each side is killed between two in Python.
const KILLS: &str = "5";
/// The same between one in Python and one in Rust.
const KILLS_OF_BOTH: &str = "2";

fn sources() -> PathBuf {
    workspace::root().join("bindings/python")
}

/// Lays out the package and packs it. Returns the path of the wheel.
///
/// # Errors
/// Python is missing, or a file cannot be written.
pub(super) fn wheel(library: &Path) -> Result<PathBuf> {
    let generated = generate(library, Language::Python)?;
    let (folder, out) = (root().join("wheel"), root().join("packages"));
    let package = folder.join("handfast");
    workspace::make_empty(&package)?;
    workspace::make_empty(&out)?;
    for from in [sources().join("handfast"), generated] {
        copy_files(&from, &package)?;
    }
    copy(library, &package)?;
    copy(&sources().join("README.md"), &folder)?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&workspace::root().join(licence), &folder)?;
    }
    std::fs::write(folder.join(notices::FILE), notices::make(&notices::Options::of(CRATE, None))?)?;
    let mut pack = command::program("python3", ["-B"]);
    let _ = pack.arg(sources().join("pack.py")).arg(&folder).arg(env!("CARGO_PKG_VERSION")).arg(&out);
    let wheel = PathBuf::from(command::output(&mut pack)?.trim());
    print_size(&wheel)?;
    Ok(wheel)
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        if path.is_file() {
            copy(&path, to)?;
        }
    }
    Ok(())
}

fn copy(file: &Path, folder: &Path) -> Result<()> {
    wasm::copy(file, &folder.join(file.file_name().context("a file without a name")?))
}

/// The examples that run on the installed wheel, each a command line.
pub(super) struct Examples {
    python: PathBuf,
    phone: String,
    pub(super) companion: String,
}

/// Installs the wheel in an environment of its own.
///
/// # Errors
/// It does not install.
pub(super) fn install(wheel: &Path) -> Result<Examples> {
    let python = venv::make(&root().join("venv"), &[&wheel.display().to_string()])?;
    let [phone, companion] = ["phone.py", "companion.py"]
        .map(|name| format!("{} -B {}", python.display(), sources().join("examples").join(name).display()));
    Ok(Examples { python, phone, companion })
}

/// Runs the package's tests and plays all stories with it: between two sides in Python, and each with one in Rust.
///
/// # Errors
/// A test or a story fails.
pub(super) fn test(installed: &Examples, programs: &Programs) -> Result<()> {
    let Examples { python, phone, companion } = installed;
    let Programs { relay, phone: rust_phone, companion: rust_companion, .. } = programs;
    let mut tests = command::program(python, ["-B", "-m", "unittest", "discover", "--start-directory"]);
    command::run(tests.arg(sources().join("tests")))?;
    play(relay, &["list"], phone, companion)?;
    play(relay, &["files"], phone, companion)?;
    play(relay, &["kills", KILLS], phone, companion)?;
    play(relay, &["kills", KILLS_OF_BOTH], phone, rust_companion)?;
    play(relay, &["kills", KILLS_OF_BOTH], rust_phone, companion)
}
