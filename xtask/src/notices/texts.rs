//! The licence texts in the source of a package.

use std::path::Path;

use anyhow::{Context as _, Result};

/// The Mozilla Public License, and where the source is: the packages of `UniFFI` have no file with either.
const MPL: &str = include_str!("mpl_2.0.txt");

/// Beginnings of the names of files with a licence or a notice, in lower case.
const NAMES: [&str; 6] = ["license", "licence", "copying", "unlicense", "notice", "copyright"];

/// In the names of files of licences that are offered beside MIT.
const ALTERNATIVES: [&str; 6] = ["apache", "unlicense", "zlib", "bsd", "boost", "cc0"];

/// Returns the licence texts of the package in this folder, which states this licence: those beside its manifest, and those
/// of parts that it has from elsewhere, deeper in it. Where it may be used under MIT as well, the other texts are left out.
///
/// The list is empty if there is none beside the manifest, unless the licence is the MPL, which is the same for all.
///
/// # Errors
/// A folder or a file cannot be read.
pub(super) fn of(folder: &Path, licence: &str) -> Result<Vec<String>> {
    let is_a_choice = licence.contains(" OR ") && !licence.contains(" AND ");
    let mut texts = read(folder, is_a_choice)?;
    if !texts.is_empty() {
        deeper(folder, is_a_choice, &mut texts)?;
    } else if licence == "MPL-2.0" {
        texts.push(plain(MPL));
    }
    Ok(texts)
}

fn deeper(folder: &Path, is_a_choice: bool, texts: &mut Vec<String>) -> Result<()> {
    for (_, path) in sorted(folder)? {
        if path.is_dir() {
            texts.extend(read(&path, is_a_choice)?);
            deeper(&path, is_a_choice, texts)?;
        }
    }
    texts.dedup();
    Ok(())
}

/// The texts of one folder.
fn read(folder: &Path, is_a_choice: bool) -> Result<Vec<String>> {
    let files = sorted(folder)?.into_iter().filter(|(name, path)| is_notice(name) && path.is_file());
    let files: Vec<_> = files.collect();
    let has_mit = files.iter().any(|(name, _)| name.contains("mit"));
    let is_left_out = |name: &str| {
        is_a_choice
            && has_mit
            && !name.contains("mit")
            && ALTERNATIVES.iter().any(|other| name.contains(other))
    };
    let kept = files.iter().filter(|(name, _)| !is_left_out(name));
    kept.map(|(_, path)| {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(plain(&String::from_utf8_lossy(&bytes)))
    })
    .collect()
}

/// A licence, a notice, and no source code.
fn is_notice(name: &str) -> bool {
    let is_code = [".rs", ".c", ".h", ".py", ".js"].iter().any(|ending| name.ends_with(ending));
    !is_code && NAMES.iter().any(|start| name.starts_with(start))
}

/// What is in a folder: names in lower case, and paths, in the order of the names.
fn sorted(folder: &Path) -> Result<Vec<(String, std::path::PathBuf)>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        found.push((name, path));
    }
    found.sort();
    Ok(found)
}

/// Without what differs between two copies of the same text: ends of lines, spaces before them, empty lines around it.
fn plain(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of a package with these files, each of which holds its own name.
    fn texts(licence: &str, files: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{file}  \r\n\n")).unwrap();
        }
        of(folder.path(), licence).unwrap()
    }

    #[test]
    fn of_a_choice_with_mit_the_others_are_left_out_but_no_notice() {
        let files = ["LICENSE-APACHE", "LICENSE-MIT", "NOTICE", "UNLICENSE", "Cargo.toml"];
        assert_eq!(texts("MIT OR Apache-2.0", &files), ["LICENSE-MIT", "NOTICE"]);
        assert_eq!(
            texts("Apache-2.0 AND MIT", &files),
            ["LICENSE-APACHE", "LICENSE-MIT", "NOTICE", "UNLICENSE"]
        );
        assert_eq!(
            texts("(MIT OR Apache-2.0) AND Unicode-3.0", &["LICENSE-MIT", "LICENSE-UNICODE"]).len(),
            2
        );
    }

    #[test]
    fn a_text_that_is_no_choice_stays_whatever_its_name() {
        assert_eq!(texts("BSD-3-Clause", &["LICENSE"]), ["LICENSE"]);
        assert_eq!(texts("Apache-2.0", &["license-apache.md"]), ["license-apache.md"]);
        assert_eq!(texts("MIT OR Apache-2.0", &["COPYING", "LICENSE-APACHE"]), ["COPYING", "LICENSE-APACHE"]);
    }

    #[test]
    fn parts_from_elsewhere_are_named_and_do_not_stand_for_the_whole() {
        let files = ["LICENSE", "third_party/x/LICENSE", "src/y/LICENSE-MIT", "src/y/LICENSE-APACHE"];
        assert_eq!(texts("ISC OR MIT", &files), ["LICENSE", "src/y/LICENSE-MIT", "third_party/x/LICENSE"]);
        assert!(texts("MIT", &["third_party/x/LICENSE", "src/license.rs", "README.md"]).is_empty());
    }
}
