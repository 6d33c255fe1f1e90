//! The requirements, as they stand in `spec/*.md`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

/// The words of RFC 2119 that the specification uses.
const KEYWORDS: [&str; 4] = ["MUST", "SHOULD", "MAY", "REQUIRED"];

/// Words by which a sentence binds, so that it needs an id: the keywords, and how the text says a refusal.
const BINDING: [&str; 10] =
    ["MUST", "SHOULD", "MAY", "REQUIRED", "must", "shall", "refuse", "refuses", "refused", "ignored"];

/// Pages of `spec/` that are not normative, or made of what is.
const NOT_NORMATIVE: [&str; 8] = [
    "README.md",
    "changes.md",
    "example.md",
    "glossary.md",
    "overview.md",
    "rationale.md",
    "security.md",
    "state.md",
];

/// One sentence of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    pub(super) id: String,
    /// The file's path in the workspace.
    pub(super) file: String,
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    /// What stands after the id, on one line.
    pub(super) text: String,
    /// Its number is not used any more.
    pub(super) withdrawn: bool,
    /// It names an error that the observer gets.
    pub(super) refusal: bool,
}

impl Requirement {
    /// Whether it commands conduct.
    pub(super) fn is_must(&self) -> bool {
        !self.withdrawn && has_word(&self.text, &["MUST", "REQUIRED"])
    }

    /// Whether it says what something is: a layout, a derivation, the meaning of a frame.
    pub(super) fn is_definition(&self) -> bool {
        !self.withdrawn && !has_word(&self.text, &KEYWORDS)
    }

    /// Whether an implementation has no choice: a rule of conduct or a definition.
    pub(super) fn binds(&self) -> bool {
        self.is_must() || self.is_definition()
    }

    /// Whether it makes something be refused, so that a vector can show the refusal.
    pub(super) fn is_refusal(&self) -> bool {
        self.binds() && self.refusal
    }
}

/// Reads all requirements, in the order of files and lines.
///
/// # Errors
/// A file cannot be read, an id stands twice, a requirement has more than one MUST, or a sentence binds without an id.
pub(super) fn read(root: &Path) -> Result<Vec<Requirement>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("spec"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|ending| ending == "md") {
            names.push(name);
        }
    }
    names.sort();
    let (mut all, mut unmarked) = (Vec::new(), Vec::new());
    for name in names {
        let (path, text) = (format!("spec/{name}"), std::fs::read_to_string(root.join("spec").join(&name))?);
        all.extend(in_file(&path, &text));
        if !NOT_NORMATIVE.contains(&name.as_str()) {
            unmarked.extend(without_id(&text).map(|(line, sentence)| format!("{path}:{line} {sentence}")));
        }
    }
    ensure!(unmarked.is_empty(), "these sentences bind and have no id:\n{}", unmarked.join("\n"));
    let mut seen = BTreeSet::new();
    let twice: Vec<&str> = all.iter().map(|r| r.id.as_str()).filter(|id| !seen.insert(*id)).collect();
    ensure!(twice.is_empty(), "these ids stand twice in spec/: {}", twice.join(", "));
    let many: Vec<&str> =
        all.iter().filter(|r| r.text.matches("MUST").count() > 1).map(|r| r.id.as_str()).collect();
    ensure!(many.is_empty(), "a requirement is one sentence with one MUST; split these: {}", many.join(", "));
    Ok(all)
}

/// Takes the requirements out of one file: from each id to the next one, or to the end of its line.
fn in_file(file: &str, text: &str) -> Vec<Requirement> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some((id, after)) = next_id(rest) {
            let end = next_id(after)
                .map_or(after.len(), |(next, _)| after.find(&format!("[{next}]")).unwrap_or(after.len()));
            let (sentence, tail) = after.split_at(end);
            let text = sentence.trim_matches(|c: char| c == '|' || c.is_whitespace()).to_owned();
            found.push(Requirement {
                id: id.to_owned(),
                file: file.to_owned(),
                line: number + 1,
                withdrawn: text.starts_with("(withdrawn"),
                refusal: refuses(&text),
                text,
            });
            rest = tail;
        }
    }
    // The README shows what an id looks like.
    found.retain(|requirement| requirement.file != "spec/README.md");
    found
}

/// What binds without an id: the number of each such line, from 1, and what stands in it in front of the first id.
///
/// All that stands behind an id in its line belongs to that id. Blocks of code are layouts that a sentence names.
fn without_id(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        let front = next_id(line)
            .and_then(|(id, _)| line.split_once(&format!("[{id}]")))
            .map_or(line, |(front, _)| front);
        (!in_code && has_word(front, &BINDING)).then_some((number + 1, front.trim()))
    })
}

/// Whether one of these stands in the text as a whole word.
fn has_word(text: &str, words: &[&str]) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| words.contains(&word))
}

/// A refusal says `refuse`, or names the error with which something ends.
fn refuses(text: &str) -> bool {
    let names_error = |lead: &str| {
        text.match_indices(lead).any(|(at, _)| {
            text.get(at + lead.len()..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        })
    };
    text.contains("refuse") || names_error("with `") || names_error("STOP{`")
}

/// The first `[ABC-123]`, and what follows it.
fn next_id(text: &str) -> Option<(&str, &str)> {
    text.match_indices('[').find_map(|(at, _)| {
        let id = text.get(at + 1..at + 8)?;
        let after = text.get(at + 8..)?.strip_prefix(']')?;
        is_id(id).then_some((id, after))
    })
}

/// Whether this is three capitals, a hyphen and three digits.
pub(super) fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 7
        && bytes.iter().take(3).all(u8::is_ascii_uppercase)
        && bytes.get(3) == Some(&b'-')
        && bytes.iter().skip(4).all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_begins_a_requirement_in_lists_tables_and_paragraphs() {
        let text = "# A\n- [FRM-001] A MUST refuse b.\n| [TIM-002] | c MAY d. |\ne. [HSK-007] f. [HSK-008] (withdrawn) g.\n";
        let found = in_file("spec/a.md", text);
        let lines: Vec<_> = found.iter().map(|r| (r.id.as_str(), r.line, r.text.as_str())).collect();
        assert_eq!(
            lines,
            [
                ("FRM-001", 2, "A MUST refuse b."),
                ("TIM-002", 3, "c MAY d."),
                ("HSK-007", 4, "f."),
                ("HSK-008", 4, "(withdrawn) g.")
            ]
        );
        assert!(found.iter().map(Requirement::is_must).eq([true, false, false, false]));
        assert!(found.iter().map(Requirement::is_definition).eq([false, false, true, false]));
    }

    #[test]
    fn a_definition_binds_and_a_choice_does_not() {
        let text = "- [FRM-031] The body is id; another is refused with `FIELD_VALUE`.\n- [EXT-001] A SHOULD b.\n\
                    - [STR-014] A MAY b.\n- [CHN-006] A MUST drop b.\n";
        let found = in_file("spec/a.md", text);
        assert!(found.iter().map(Requirement::binds).eq([true, false, false, true]));
        assert!(found.iter().map(Requirement::is_refusal).eq([true, false, false, false]));
    }

    #[test]
    fn what_binds_has_an_id() {
        let text = "A side MUST a.\n- [FRM-001] A MUST b. It is refused.\nIt is refused [FRM-002] MUST.\n\
                    ```text\nMUST\n```\nMUSTARD is not a mustard.\nOthers are ignored.\n";
        let lines: Vec<_> = without_id(text).map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 3, 8]);
    }

    #[test]
    fn only_the_naming_of_an_error_makes_a_refusal() {
        assert!(refuses("end the session with `SEQ_GAP` when"));
        assert!(refuses("MUST answer with STOP{`GONE`}"));
        assert!(!refuses("MUST send CLOSE{`REKEY`} and then nothing"));
        assert!(!refuses("begins with `handfast/1 `"));
        assert!(!is_id("SP-1234") && !is_id("FRM-0010") && is_id("FRM-001"));
    }
}
