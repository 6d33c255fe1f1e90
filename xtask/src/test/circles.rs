//! No circle of imports between files: who reads a file from its imports down meets every file once.
//!
//! An import is a `use`, or a path from `crate` or `super`, in Rust; an `import` of a file in JavaScript. A module that
//! names its children by `mod` alone imports nothing. Tests at the bottom of a file do not count.

mod imports;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

use crate::{command, workspace};

/// The world of the simulator is one thing that its parts act on.
const ONE_WORLD: &str = "sim/src/";

/// Which files each file imports.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Checks all files of the workspace but tests and what is generated.
///
/// # Errors
/// There is a circle. The message names its files.
pub(super) fn check() -> Result<()> {
    let words = ["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.rs", "*.js"];
    let listed = command::output(&mut command::program("git", words))?;
    let is_there = |file: &&str| workspace::root().join(file).is_file();
    let files: BTreeSet<&str> =
        listed.lines().filter(|file| !file.contains("/tests/")).filter(is_there).collect();
    let mut graph = Graph::new();
    for file in &files {
        let text = std::fs::read_to_string(workspace::root().join(file))?;
        let _ = graph.insert((*file).to_owned(), imports::of(file, &text, &files));
    }
    let circles: Vec<String> = circles(&graph)
        .into_iter()
        .filter(|circle| !circle.iter().all(|file| file.starts_with(ONE_WORLD)))
        .map(|circle| circle.join(", "))
        .collect();
    ensure!(circles.is_empty(), "these files import one another:\n{}", circles.join("\n"));
    println!("{} files, no circle", files.len());
    Ok(())
}

/// Returns the sets of files each of which leads to every other one of its set.
fn circles(graph: &Graph) -> Vec<Vec<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|file| (file.as_str(), reachable(graph, file))).collect();
    let leads = |from: &str, to: &str| reached.get(from).is_some_and(|files| files.contains(to));
    let mut found = BTreeSet::new();
    for file in reached.keys().filter(|file| leads(file, file)) {
        let circle: Vec<&str> =
            reached.keys().copied().filter(|other| leads(file, other) && leads(other, file)).collect();
        let _ = found.insert(circle);
    }
    found.into_iter().collect()
}

fn reachable<'a>(graph: &'a Graph, from: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        for import in graph.get(file).into_iter().flatten() {
            if reached.insert(import.as_str()) {
                next.push(import);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_circles_are_found_and_a_chain_is_none() {
        let arrows =
            [("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("e", "f"), ("f", "g"), ("g", "e"), ("g", "a")];
        let mut graph = Graph::new();
        for (from, to) in arrows {
            let _ = graph.entry(from.to_owned()).or_default().insert(to.to_owned());
        }
        assert_eq!(circles(&graph), [vec!["a", "b"], vec!["e", "f", "g"]]);
    }
}
