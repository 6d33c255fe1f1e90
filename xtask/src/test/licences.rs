//! Every dependency must have a licence that goes with MIT OR Apache-2.0.

use anyhow::{Context as _, Result, bail};

use crate::packages;

/// Licences under which a dependency may be used.
const ALLOWED: [&str; 14] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "Unicode-3.0",
    "NCSA",
    "CDLA-Permissive-2.0",
];

/// Checks the licence field of every package that Cargo resolves.
///
/// # Errors
/// A package has no licence field, or one that is not allowed.
pub(crate) fn check() -> Result<()> {
    let metadata = packages::metadata()?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut offenders = Vec::new();
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("no licence field");
        if !allowed(licence) {
            offenders.push(format!("{} {}: {licence}", package["name"], package["version"]));
        }
    }
    if !offenders.is_empty() {
        bail!("licences that are not in the list of xtask/src/test/licences.rs:\n{}", offenders.join("\n"));
    }
    println!("{} packages, all licences allowed", packages.len());
    Ok(())
}

/// Decides an SPDX expression: OR binds looser than AND, `/` is an old form of OR.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest) == Some(true) && rest.is_empty()
}

fn any_of(rest: &mut &[&str]) -> Option<bool> {
    let mut result = all_of(rest)?;
    while let Some((&"OR", tail)) = rest.split_first() {
        *rest = tail;
        let next = all_of(rest)?;
        result = result || next;
    }
    Some(result)
}

fn all_of(rest: &mut &[&str]) -> Option<bool> {
    let mut result = one(rest)?;
    while let Some((&"AND", tail)) = rest.split_first() {
        *rest = tail;
        let next = one(rest)?;
        result = result && next;
    }
    Some(result)
}

fn one(rest: &mut &[&str]) -> Option<bool> {
    let (word, tail) = rest.split_first()?;
    *rest = tail;
    if *word == "(" {
        let inner = any_of(rest)?;
        let (&close, tail) = rest.split_first()?;
        *rest = tail;
        return (close == ")").then_some(inner);
    }
    let mut name = (*word).to_owned();
    if let [with, exception, tail @ ..] = *rest
        && *with == "WITH"
    {
        name = format!("{name} WITH {exception}");
        *rest = tail;
    }
    Some(ALLOWED.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_decided() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 AND ISC",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR GPL-3.0) AND AGPL-3.0",
            "no licence field",
            "",
            "MIT OR",
            "(MIT",
            "MIT Apache-2.0",
            "MIT WITH Other-exception",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
    }
}
