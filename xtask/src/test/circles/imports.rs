//! The files that a file imports.

use std::collections::BTreeSet;
use std::path::Path;

use crate::test::scripts::place;

/// Returns the files of `files` that this one imports.
pub(super) fn of(file: &str, text: &str, files: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut found = if Path::new(file).extension().is_some_and(|ending| ending == "js") {
        of_script(file, text, files)
    } else {
        of_module(file, text, files)
    };
    let _ = found.remove(file);
    found
}

/// Scripts name files: `from "./x.js"`.
fn of_script(file: &str, text: &str, files: &BTreeSet<&str>) -> BTreeSet<String> {
    let named = text.split('"').filter(|text| text.starts_with("./") || text.starts_with("../"));
    named.map(|name| place(file, name)).filter(|place| files.contains(place.as_str())).collect()
}

/// Modules name paths, from the root of their crate or from their parent.
fn of_module(file: &str, text: &str, files: &BTreeSet<&str>) -> BTreeSet<String> {
    let Some((root, inside)) = file.split_once("/src/") else { return BTreeSet::new() };
    let mut own: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
    if matches!(own.last(), Some(&("lib" | "main" | "mod"))) {
        let _ = own.pop();
    }
    let home = |path: &[&str]| (0..=path.len()).rev().find_map(|len| file_of(root, path.get(..len)?, files));
    let mut found = BTreeSet::new();
    for path in paths(text) {
        let mut parts = path.as_slice();
        let mut base = own.clone();
        match parts.first() {
            Some(&"crate") => (base, parts) = (Vec::new(), parts.get(1..).unwrap_or_default()),
            Some(&"self") => parts = parts.get(1..).unwrap_or_default(),
            _ => {
                while parts.first() == Some(&"super") {
                    let _ = base.pop();
                    parts = parts.get(1..).unwrap_or_default();
                }
            }
        }
        base.extend(parts);
        found.extend(home(&base));
    }
    found
}

fn file_of(root: &str, path: &[&str], files: &BTreeSet<&str>) -> Option<String> {
    let module = path.join("/");
    let names = if path.is_empty() {
        [format!("{root}/src/lib.rs"), format!("{root}/src/main.rs")]
    } else {
        [format!("{root}/src/{module}.rs"), format!("{root}/src/{module}/mod.rs")]
    };
    names.into_iter().find(|name| files.contains(name.as_str()))
}

/// Returns all paths from `crate`, `self` or `super` in the code of a file; groups in braces are taken apart.
fn paths(text: &str) -> Vec<Vec<&str>> {
    let words = words(text);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        // What is behind it are tests.
        if *word == "cfg" && words.get(at + 1..at + 6) == Some(&["(", "test", ")", "]", "mod"]) {
            break;
        }
        let is_path = matches!(*word, "crate" | "super" | "self") && words.get(at + 1) == Some(&"::");
        // `pub(in crate::x)` says who may import, and imports nothing.
        let begins = at == 0 || !matches!(words.get(at - 1), Some(&("::" | "in")));
        at = if is_path && begins { tree(&words, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// Reads a path with its groups, which begins at a word; returns where the next one is.
fn tree<'a>(words: &[&'a str], mut at: usize, before: &[&'a str], found: &mut Vec<Vec<&'a str>>) -> usize {
    let mut path = before.to_vec();
    while let Some(word) = words.get(at).filter(|word| is_name(word)) {
        path.push(word);
        at += 1;
        if words.get(at) != Some(&"::") {
            break;
        }
        at += 1;
        if words.get(at) == Some(&"{") {
            at += 1;
            while let Some(word) = words.get(at).filter(|word| **word != "}") {
                at = if is_name(word) { tree(words, at, &path, found) } else { at + 1 };
            }
            return at + 1;
        }
    }
    found.push(path);
    at
}

fn is_name(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// The names and signs of a source, without comments and texts.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let len = if let Some(comment) = rest.strip_prefix("//") {
            2 + comment.find('\n').unwrap_or(comment.len())
        } else if let Some(quoted) = rest.strip_prefix('"') {
            1 + end_of_text(quoted)
        } else if rest.starts_with("'\"'") {
            3
        } else if is_part(first) {
            rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (word, behind) = rest.split_at(len);
        if is_part(first) || matches!(word, "::" | "{" | "}" | "," | ";" | "(" | ")" | "]") {
            words.push(word);
        }
        rest = behind;
    }
    words
}

/// The length of a quoted text with the mark that ends it.
fn end_of_text(quoted: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in quoted.char_indices() {
        match letter {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    quoted.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_of_a_module_are_found_in_groups_and_in_code() {
        let files =
            ["a/src/lib.rs", "a/src/b.rs", "a/src/b/c.rs", "a/src/d/mod.rs", "a/src/e.rs", "a/src/f.rs"];
        let files: BTreeSet<&str> = files.into();
        let text = "// use crate::e;\nuse super::{X, d::{Y, Z as W}};\nuse std::fmt;\n\
            fn f() { crate::b::c::g(\"crate::f\", '\"'); }\n#[cfg(test)]\nmod tests { use crate::f; }";
        let found: Vec<String> = of("a/src/b.rs", text, &files).into_iter().collect();
        assert_eq!(found, ["a/src/b/c.rs", "a/src/d/mod.rs", "a/src/lib.rs"]);
    }

    #[test]
    fn imports_of_a_script_are_files_beside_it_or_above() {
        let files: BTreeSet<&str> = ["p/a.js", "p/b/c.js", "p/d.js"].into();
        let text = "import { x } from \"../a.js\";\nexport * from \"./none.js\";\nimport \"./c.js\";";
        let found: Vec<String> = of("p/b/c.js", text, &files).into_iter().collect();
        assert_eq!(found, ["p/a.js"]);
    }
}
