//! Patches that break one thing each, applied to a copy of the tree.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

/// A patch, with the lines `# KEY: TEXT` in front of its first `diff`.
pub(crate) struct Patch {
    pub(crate) name: String,
    path: PathBuf,
    head: String,
}

impl Patch {
    /// The text after `# KEY: `.
    ///
    /// # Errors
    /// The patch does not say it.
    pub(crate) fn field(&self, key: &str) -> Result<&str> {
        self.find(key).with_context(|| format!("{} has no line `# {key}: ..`", self.path.display()))
    }

    /// The same, where it may be missing.
    pub(crate) fn find(&self, key: &str) -> Option<&str> {
        let prefix = format!("# {key}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&prefix))
    }
}

/// The patches in `folder` of the workspace, by name.
///
/// # Errors
/// The folder cannot be read, or holds none.
pub(crate) fn read(folder: &str) -> Result<Vec<Patch>> {
    let folder = workspace::root().join(folder);
    let mut patches = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("no folder {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let head = text.split("\ndiff ").next().unwrap_or_default().to_owned();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        patches.push(Patch { name, path, head });
    }
    ensure!(!patches.is_empty(), "there are no patches in {}", folder.display());
    patches.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(patches)
}

/// Checks that each of the patches applies to the tree as it is.
///
/// # Errors
/// Some do not: they must be made anew.
pub(crate) fn check(patches: &[Patch]) -> Result<()> {
    let applies = |patch: &&Patch| !command::succeeds(&mut apply(patch, &workspace::root(), &["--check"]));
    let stale: Vec<&str> = patches.iter().filter(applies).map(|patch| patch.name.as_str()).collect();
    ensure!(stale.is_empty(), "these no longer apply, make them anew: {}", stale.join(", "));
    Ok(())
}

/// A copy of the tree in which patches are tried one after the other, with a build folder of its own.
pub(crate) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// The scratch copy of this name below the target folder.
    pub(crate) fn new(name: &str) -> Self {
        Self { folder: workspace::target().join(name) }
    }

    /// Makes the copy equal to the tree, but for the patch.
    ///
    /// # Errors
    /// The copy cannot be written, or the patch does not apply.
    pub(crate) fn with(&self, patch: &Patch) -> Result<()> {
        self.copy()?;
        let mut apply = apply(patch, &self.tree(), &[]);
        // A copy below a checkout is no part of it.
        let _ = apply.env("GIT_CEILING_DIRECTORIES", &self.folder);
        ensure!(command::succeeds(&mut apply), "{} does not apply: make it anew", patch.path.display());
        Ok(())
    }

    /// Makes the copy equal to the tree.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn copy(&self) -> Result<()> {
        copy_tree(&self.tree())
    }

    /// Replaces one file of the copy.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, file: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.tree().join(file), text)?)
    }

    /// A Cargo command that runs in the copy.
    pub(crate) fn cargo(&self, words: &[&str]) -> Command {
        let mut cargo = command::cargo(words);
        let _ = cargo.current_dir(self.tree()).env("CARGO_TARGET_DIR", self.target());
        cargo
    }

    /// Where Cargo builds for the copy.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }
}

fn apply(patch: &Patch, to: &Path, words: &[&str]) -> Command {
    let mut git = Command::new("git");
    let _ = git.args(["apply", "--whitespace=nowarn"]).args(words).arg(&patch.path).current_dir(to);
    git
}

/// Copies the files that Git tracks, or would.
fn copy_tree(to: &Path) -> Result<()> {
    let words = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = command::output(&mut command::program("git", words))?;
    for name in listed.lines() {
        let (from, to) = (workspace::root().join(name), to.join(name));
        if from.is_symlink() && from.is_dir() && !to.exists() {
            // What it leads to is listed by itself.
            std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
            std::os::unix::fs::symlink(std::fs::read_link(&from)?, &to)?;
        }
        if !from.is_file() {
            continue;
        }
        let bytes = std::fs::read(&from)?;
        // What is unchanged keeps its time, so that it is not built again.
        if std::fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
        std::fs::write(&to, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_tree_has_what_links_lead_to() {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(copy.path()).unwrap();
        copy_tree(copy.path()).unwrap();
        for file in ["conformance/spec/wire.tls", "handfast/LICENSE-MIT", "xtask/src/patches.rs"] {
            assert!(copy.path().join(file).is_file(), "{file}");
        }
    }
}
