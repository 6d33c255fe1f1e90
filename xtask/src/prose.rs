//! `cargo xtask prose`: draws comments at random, to be read by somebody who has not seen the code.

use std::path::Path;

use anyhow::{Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::{command, workspace};

/// How many are drawn.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Chooses the comments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many.
    #[arg(long, default_value_t = 100)]
    count: usize,
}

/// A comment and the line of code that it stands before.
#[derive(Debug, PartialEq, Eq)]
struct Comment {
    /// Its first line in the file, from 1.
    line: usize,
    text: Vec<String>,
    code: String,
}

/// Prints comments of the code that ships, each with its place and the line of code that follows.
///
/// # Errors
/// The files cannot be listed or read, or there are none.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let listed = command::output(&mut command::program("git", ["ls-files", "*.rs", "*.js"]))?;
    let mut drawn = Vec::new();
    for file in listed.lines().filter(|file| ships(file)) {
        let source = std::fs::read_to_string(workspace::root().join(file))?;
        for comment in comments(&source) {
            drawn.push((place(options.seed, file, &comment.text), file.to_owned(), comment));
        }
    }
    ensure!(!drawn.is_empty(), "no file has a comment: is this a checkout?");
    let all = drawn.len();
    drawn.sort_by_key(|(place, ..)| *place);
    for (number, (_, file, comment)) in drawn.iter().take(options.count).enumerate() {
        println!("\n{}. {file}:{}", number + 1, comment.line);
        comment.text.iter().for_each(|line| println!("    {line}"));
        println!("        {}", comment.code);
    }
    println!("\n{} of {all} comments", all.min(options.count));
    Ok(true)
}

/// Whether a file is part of what is published or run; tests and tools have readers of their own.
fn ships(file: &str) -> bool {
    let is_code = file.contains("/src/") || file.contains("/page/") || file.contains("/js/");
    let is_test = file.contains("/tests/") || Path::new(file).file_stem().is_some_and(|name| name == "tests");
    let folders = [
        "codec",
        "media",
        "messages",
        "handshake",
        "session",
        "handfast",
        "programs",
        "reference-",
        "vectors",
    ];
    is_code && !is_test && folders.iter().any(|folder| file.starts_with(folder))
}

/// The comments of a source, but for the ids of requirements and what stands behind code.
fn comments(source: &str) -> Vec<Comment> {
    let mut comments = Vec::new();
    let mut lines = source.lines().enumerate().peekable();
    while let Some((at, first)) = lines.next() {
        let Some(first) = comment_text(first) else { continue };
        let mut text = vec![first.to_owned()];
        while let Some(next) = lines.peek().and_then(|(_, line)| comment_text(line)) {
            text.push(next.to_owned());
            let _ = lines.next();
        }
        text.retain(|line| !line.is_empty() && !line.starts_with("req: "));
        let code = lines.peek().map(|(_, line)| line.trim().to_owned()).unwrap_or_default();
        if !text.is_empty() {
            comments.push(Comment { line: at + 1, text, code });
        }
    }
    comments
}

/// What a line says that is nothing but comment.
fn comment_text(line: &str) -> Option<&str> {
    let line = line.trim();
    let marks = ["///", "//!", "//", "/**", "*/", "* "];
    let text = marks.iter().find_map(|mark| line.strip_prefix(mark)).or((line == "*").then_some(""))?;
    Some(text.trim_end_matches("*/").trim())
}

/// Where a comment stands in the order of a seed: the same whatever else changes.
fn place(seed: u64, file: &str, text: &[String]) -> [u8; 32] {
    Sha256::digest(format!("{seed}\n{file}\n{}", text.join("\n"))).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_its_lines_and_the_code_that_follows() {
        let source = "//! A file.\n\n/// One.\n///\n/// Two.\nfn f() { // not this\n    // req: A-1\n    g();\n}\n\
            /**\n * Of a script.\n */\nfunction f() {}\n";
        let comment = |line, text: &[&str], code: &str| Comment {
            line,
            text: text.iter().map(|&line| line.to_owned()).collect(),
            code: code.to_owned(),
        };
        let found = [
            comment(1, &["A file."], ""),
            comment(3, &["One.", "Two."], "fn f() { // not this"),
            comment(10, &["Of a script."], "function f() {}"),
        ];
        assert_eq!(comments(source), found);
    }

    #[test]
    fn a_seed_draws_the_same_and_another_seed_others() {
        let text = ["One.".to_owned()];
        assert_eq!(place(1, "a", &text), place(1, "a", &text));
        assert_ne!(place(1, "a", &text), place(2, "a", &text));
        assert_ne!(place(1, "a", &text), place(1, "b", &text));
    }

    #[test]
    fn what_ships_is_drawn_and_tests_are_not() {
        let shipped = ["codec/src/frame.rs", "reference-web/page/engine.js", "handfast/js/companion.js"];
        assert!(shipped.iter().all(|file| ships(file)));
        let others = [
            "xtask/src/prose.rs",
            "reference-web/tests/page/x.test.js",
            "session/src/a/tests.rs",
            "sim/src/a.rs",
        ];
        assert!(!others.iter().any(|file| ships(file)));
    }
}
