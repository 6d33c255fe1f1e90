//! An example, installed with the packed file as its users install it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

/// Where the examples lie.
const EXAMPLES: &str = "handfast/js/examples";
/// Where the tests of the package lie.
const TESTS: &str = "handfast/js/tests";
/// How the examples name the packed file.
const NAMED: &str = "file:../../../../target/npm/";

/// A copy of an example, with all that it needs installed.
pub(super) struct Project {
    folder: PathBuf,
}

impl Project {
    /// Copies an example, and installs what its lock file lists and the packed file.
    ///
    /// # Errors
    /// npm is missing, or cannot fetch something.
    pub(super) fn install(name: &str, tarball: &Path) -> Result<Self> {
        let folder = workspace::target().join("npm/examples").join(name);
        workspace::make_empty(&folder)?;
        copy(&workspace::root().join(EXAMPLES).join(name), &folder)?;
        // The lock file holds every version; of the package itself it has none, since that is new with each build.
        for name in ["package.json", "package-lock.json"] {
            let path = folder.join(name);
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            ensure!(text.contains(NAMED), "{} does not name the packed file", path.display());
            let beside = tarball.parent().context("a folder of the packed file")?;
            std::fs::write(&path, text.replace(NAMED, &format!("file:{}/", beside.display())))?;
        }
        let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
        command::run(command::program("npm", words).current_dir(&folder))
            .with_context(|| format!("the example {name} is not installed; that needs npm and a network"))?;
        let project = Self { folder };
        let installed = project.folder.join("node_modules/@handfast/companion");
        ensure!(!installed.is_symlink(), "npm has linked the package, and not installed it");
        ensure!(installed.join("handfast_bg.wasm").is_file(), "the installed package has no module");
        Ok(project)
    }

    /// Puts a file of the package's tests into it.
    ///
    /// # Errors
    /// It cannot be copied.
    pub(super) fn add_test(&self, name: &str, to: &str) -> Result<()> {
        let from = workspace::root().join(TESTS).join("installed").join(name);
        let to = self.folder.join(to);
        std::fs::copy(&from, &to).map(drop).with_context(|| format!("{} cannot be copied", from.display()))
    }

    /// The command that starts a program in it.
    pub(super) fn program(&self, program: &str, words: &[&str]) -> Command {
        let mut command = command::program(program, words);
        let _ = command.current_dir(&self.folder);
        command
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Copies a folder, without what was installed or built in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("no folder {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().context("a file without a name")?;
        if name == "node_modules" || name == "dist" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            let _ = std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
