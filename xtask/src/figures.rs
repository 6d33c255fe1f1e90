//! `cargo xtask figures`: the figures of the specification, drawn from text.
//!
//! `spec/figures/*.txt` are the sources, one statement a line; beside each lies the picture that is made of it, which a
//! test compares. The sources are good to read by themselves, too:
//!
//! ```text
//! title: A pairing                      the heading
//! lane P: Phone                         a column, from the left; P names it below
//! P -> W: message 1                     an arrow, with its text
//! P -x W: message 1                     the same, but it does not arrive
//! P keeps: OFFERED                      a box: what is stored
//! P user: types the code                a box: what a person does or sees
//! P does: checks the certificate        a box: anything else
//! part: Reconnect                       a line across, with a heading
//! box Record: 128 to 16,384 bytes       a box inside the one before it
//! with: a side's remark                 a line of text in the innermost box
//! ```

mod draw;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// One statement of a source.
#[derive(Debug, PartialEq, Eq)]
enum Statement {
    Lane(String, String),
    Arrow { from: usize, to: usize, text: String, lost: bool },
    Box { lane: usize, kind: Kind, text: String },
    Part(String),
    Nested(String, String),
    Remark(String),
}

/// What a box at a lane says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Keeps,
    User,
    Does,
}

/// A source, read.
#[derive(Debug, Default)]
struct Figure {
    title: String,
    statements: Vec<Statement>,
}

impl Figure {
    fn parse(text: &str) -> Result<Self> {
        let mut figure = Self::default();
        let mut lanes: Vec<String> = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (head, text) =
                line.split_once(": ").with_context(|| format!("line {}: no `: `", number + 1))?;
            let text = text.trim().to_owned();
            let words: Vec<&str> = head.split_whitespace().collect();
            let lane = |name: &str| {
                lanes
                    .iter()
                    .position(|lane| lane == name)
                    .with_context(|| format!("line {}: no lane {name}", number + 1))
            };
            let statement = match words.as_slice() {
                ["title"] => {
                    figure.title = text;
                    continue;
                }
                ["lane", name] => {
                    lanes.push((*name).to_owned());
                    Statement::Lane((*name).to_owned(), text)
                }
                ["part"] => Statement::Part(text),
                ["with"] => Statement::Remark(text),
                ["box", name @ ..] => Statement::Nested(name.join(" "), text),
                [from, arrow @ ("->" | "-x"), to] => {
                    Statement::Arrow { from: lane(from)?, to: lane(to)?, text, lost: *arrow == "-x" }
                }
                [at, "keeps"] => Statement::Box { lane: lane(at)?, kind: Kind::Keeps, text },
                [at, "user"] => Statement::Box { lane: lane(at)?, kind: Kind::User, text },
                [at, "does"] => Statement::Box { lane: lane(at)?, kind: Kind::Does, text },
                _ => bail!("line {}: `{head}` is no statement", number + 1),
            };
            figure.statements.push(statement);
        }
        Ok(figure)
    }
}

/// Every source with the picture that is made of it: where the picture lies, and its text.
fn all() -> Result<Vec<(PathBuf, String)>> {
    let mut pictures = Vec::new();
    for entry in std::fs::read_dir(workspace::root().join("spec/figures"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "txt") {
            let text = std::fs::read_to_string(&path)?;
            let figure = Figure::parse(&text).with_context(|| path.display().to_string())?;
            pictures.push((path.with_extension("svg"), draw::svg(&figure)));
        }
    }
    pictures.sort();
    Ok(pictures)
}

/// Writes all pictures.
///
/// # Errors
/// A source is malformed, or a picture cannot be written.
pub(crate) fn run() -> Result<bool> {
    for (path, svg) in all()? {
        std::fs::write(&path, svg)?;
        println!("{}", path.display());
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_are_what_their_sources_make() {
        let pictures = all().expect("every source reads");
        assert!(pictures.len() >= 4, "{}", pictures.len());
        for (path, svg) in pictures {
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(stored == svg, "{}: run `cargo xtask figures`", path.display());
        }
    }

    #[test]
    fn a_malformed_source_names_its_line() {
        for (text, part) in [
            ("title: A\nlane P\n", "line 2: no `: `"),
            ("lane P: Phone\nP -> W: hello\n", "line 2: no lane W"),
            ("lane P: Phone\nP sings: hello\n", "line 2: `P sings` is no statement"),
        ] {
            let error = Figure::parse(text).expect_err("malformed");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn text_is_escaped() {
        let figure = Figure::parse("title: a < b & c\nlane P: Phone\nP does: \"x\"\n").expect("a figure");
        assert!(draw::svg(&figure).contains("a &lt; b &amp; c"));
    }
}
