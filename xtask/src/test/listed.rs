//! Where the files of a package's `tests/` are one program, `tests/main.rs` must name each: a file that it forgets is never
//! built, and its tests would be missed by nobody.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::{command, workspace};

/// Checks all packages of the workspace.
///
/// # Errors
/// A file is named nowhere.
pub(super) fn check() -> Result<()> {
    let mut forgotten = Vec::new();
    let listed = command::output(&mut command::program("git", ["ls-files", "*/tests/main.rs"]))?;
    ensure!(!listed.is_empty(), "no package has a `tests/main.rs`: is this a checkout?");
    for main in listed.lines() {
        let tests = workspace::root().join(main.trim_end_matches("/main.rs"));
        let manifest = fs::read_to_string(tests.with_file_name("Cargo.toml"))?;
        forgotten.extend(unnamed(&tests, &manifest, &fs::read_to_string(tests.join("main.rs"))?)?);
    }
    ensure!(forgotten.is_empty(), "name them in `main.rs` beside them: {}", forgotten.join(", "));
    Ok(())
}

/// The files that neither `main.rs` has as modules nor Cargo.toml as programs of their own.
fn unnamed(tests: &Path, manifest: &str, main: &str) -> Result<Vec<String>> {
    let mut unnamed = Vec::new();
    for file in fs::read_dir(tests)? {
        let path = file?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(module) = name.strip_suffix(".rs") else { continue };
        let is_named = main.lines().any(|line| line == format!("mod {module};"))
            || manifest.contains(&format!("path = \"tests/{name}\""));
        if !is_named {
            unnamed.push(path.display().to_string());
        }
    }
    Ok(unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_module_and_no_program_is_found() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["main.rs", "taken.rs", "own.rs", "forgotten.rs", "data.json"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let manifest = "path = \"tests/main.rs\"\npath = \"tests/own.rs\"\n";
        let found = unnamed(dir.path(), manifest, "//! mod forgotten;\nmod taken;\n").unwrap();
        assert_eq!(found, [dir.path().join("forgotten.rs").display().to_string()]);
    }
}
