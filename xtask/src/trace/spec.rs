//! The requirements, as they stand in `spec/*.md`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

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
    /// Whether an implementation has no choice.
    pub(super) fn is_must(&self) -> bool {
        !self.withdrawn && (self.text.contains("MUST") || self.text.contains("REQUIRED"))
    }

    /// Whether it is a duty to refuse something, so that a vector can show the refusal.
    pub(super) fn is_refusal(&self) -> bool {
        self.is_must() && self.refusal
    }
}

/// Reads all requirements, in the order of files and lines.
///
/// # Errors
/// A file cannot be read, an id stands twice, or a requirement has more than one MUST.
pub(super) fn read(root: &Path) -> Result<Vec<Requirement>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("spec"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|ending| ending == "md") {
            names.push(format!("spec/{name}"));
        }
    }
    names.sort();
    let mut all = Vec::new();
    for name in names {
        all.extend(in_file(&name, &std::fs::read_to_string(root.join(&name))?));
    }
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
