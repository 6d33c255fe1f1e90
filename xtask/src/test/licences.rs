//! Every dependency must have a licence that goes with MIT OR Apache-2.0.

use anyhow::{Context as _, Result, bail};

use crate::{packages, workspace};

/// The list of allowed licences, which cargo-deny reads, too.
const LIST: &str = "deny.toml";

/// Checks the licence field of every package that Cargo resolves.
///
/// # Errors
/// A package has no licence field, or one that is not allowed.
pub(crate) fn check() -> Result<()> {
    let list = list()?;
    let metadata = packages::metadata()?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut offenders = Vec::new();
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("no licence field");
        if !allowed(licence, &list) {
            offenders.push(format!("{} {}: {licence}", package["name"], package["version"]));
        }
    }
    if !offenders.is_empty() {
        bail!("licences that are not in the list of deny.toml:\n{}", offenders.join("\n"));
    }
    println!("{} packages, all licences allowed", packages.len());
    Ok(())
}

/// The licences under which a dependency may be used.
fn list() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(workspace::root().join(LIST)).context(LIST)?;
    let table: toml::Table = text.parse().context(LIST)?;
    let allow = table.get("licenses").and_then(|table| table.get("allow")).and_then(toml::Value::as_array);
    let allow = allow.context("deny.toml has no list [licenses] allow")?;
    allow.iter().map(|name| Ok(name.as_str().context("a licence is no text")?.to_owned())).collect()
}

/// Decides an SPDX expression: OR binds looser than AND, `/` is an old form of OR.
fn allowed(expression: &str, list: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, list) == Some(true) && rest.is_empty()
}

fn any_of(rest: &mut &[&str], list: &[String]) -> Option<bool> {
    let mut result = all_of(rest, list)?;
    while let Some((&"OR", tail)) = rest.split_first() {
        *rest = tail;
        let next = all_of(rest, list)?;
        result = result || next;
    }
    Some(result)
}

fn all_of(rest: &mut &[&str], list: &[String]) -> Option<bool> {
    let mut result = one(rest, list)?;
    while let Some((&"AND", tail)) = rest.split_first() {
        *rest = tail;
        let next = one(rest, list)?;
        result = result && next;
    }
    Some(result)
}

fn one(rest: &mut &[&str], list: &[String]) -> Option<bool> {
    let (word, tail) = rest.split_first()?;
    *rest = tail;
    if *word == "(" {
        let inner = any_of(rest, list)?;
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
    Some(list.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_decided() {
        let list = list().unwrap();
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 AND ISC",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        ] {
            assert!(allowed(good, &list), "{good}");
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
            assert!(!allowed(bad, &list), "{bad}");
        }
    }
}
