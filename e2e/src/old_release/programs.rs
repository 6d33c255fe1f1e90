//! The programs of both releases.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::processes::build::{self, PACKAGES, Programs};
use crate::{command, workspace};

/// Builds the programs of the tree as it is.
///
/// # Errors
/// They do not build.
pub(super) fn of_today() -> Result<Programs> {
    // The older relay has no page to be told of, so the one of today serves none either.
    Ok(Programs { relay_words: &[], ..build::build(false)? })
}

/// Builds the programs of a commit, in a tree and a target folder of their own; a second run finds both.
///
/// # Errors
/// The commit is not there, or does not build.
pub(super) fn of_commit(commit: &str) -> Result<Programs> {
    let hash = resolve(commit)?;
    let folder = workspace::target().join("old-release").join(&hash);
    let tree = folder.join("tree");
    if !tree.is_dir() {
        export(&hash, &folder, &tree)?;
    }
    let mut build = command::cargo(["build", "--release", "--locked"]);
    for package in PACKAGES {
        let _ = build.args(["--package", package]);
    }
    println!("In {}:", tree.display());
    let target = folder.join("target");
    command::run(build.current_dir(&tree).env("CARGO_TARGET_DIR", &target))?;
    Programs::in_folder(&target.join("release"), &[])
}

/// The whole hash of a commit.
fn resolve(commit: &str) -> Result<String> {
    let wanted = format!("{commit}^{{commit}}");
    let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted];
    if let Ok(found) = command::output(&mut command::program("git", words)) {
        return Ok(found.trim().to_owned());
    }
    let shallow = command::output(&mut command::program("git", ["rev-parse", "--is-shallow-repository"]));
    bail!(missing(commit, shallow.ok().as_deref().map(str::trim)))
}

/// What to do about a commit that is not there; `shallow` is what Git says of the clone, if it is one.
fn missing(commit: &str, shallow: Option<&str>) -> String {
    let what_to_do = match shallow {
        Some("true") => "this clone is shallow: `git fetch --unshallow` gets the older commits",
        Some(_) => "`git fetch --all` gets those that were published since",
        None => "this is no clone of the repository: make one with `git clone`",
    };
    format!(
        "there is no commit {commit} here; {what_to_do}. Or give the folder of programs that are built already, with --bin-dir"
    )
}

/// Writes the files of a commit to `tree`: all of them, or none when it is interrupted.
fn export(hash: &str, folder: &Path, tree: &Path) -> Result<()> {
    let (index, part) = (folder.join("index"), folder.join("tree.part"));
    clear(&part)?;
    std::fs::create_dir_all(&part).with_context(|| format!("{} cannot be made", part.display()))?;
    // An index of its own: that of the workspace stays as it is.
    let git = |words: &[&str]| {
        let mut git = command::program("git", words);
        let _ = git.env("GIT_INDEX_FILE", &index);
        git
    };
    command::run(&mut git(&["read-tree", hash]))?;
    let prefix = with_slash(&part)?;
    command::run(&mut git(&["checkout-index", "--all", "--quiet", "--prefix", &prefix]))?;
    std::fs::remove_file(&index)?;
    std::fs::rename(&part, tree).with_context(|| format!("{} cannot be made", tree.display()))
}

fn clear(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The folder as Git's prefix, which is put in front of each name as it is.
fn with_slash(folder: &Path) -> Result<String> {
    let folder: PathBuf = std::path::absolute(folder)?;
    let text = folder.to_str().with_context(|| format!("{} is no UTF-8", folder.display()))?;
    ensure!(!text.is_empty(), "a folder without a name");
    Ok(format!("{text}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_is_not_there_says_what_to_do() {
        assert!(missing("8b64ab1", Some("true")).contains("`git fetch --unshallow`"));
        assert!(missing("8b64ab1", Some("false")).contains("`git fetch --all`"));
        assert!(missing("8b64ab1", None).contains("`git clone`"));
        for shallow in [Some("true"), Some("false"), None] {
            let text = missing("8b64ab1", shallow);
            assert!(
                text.starts_with("there is no commit 8b64ab1 here") && text.contains("--bin-dir"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_prefix_for_git_ends_with_a_slash() {
        assert_eq!(with_slash(Path::new("/a/b")).unwrap(), "/a/b/");
        assert!(with_slash(Path::new("")).is_err());
    }
}
