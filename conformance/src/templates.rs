//! What somebody needs who has this program and not the repository: how to write a shim, and one to fill in.

/// How to write a shim.
const HOW: &str = include_str!("../SHIMS.md");
/// The heading in the README of the vectors from which on the form of a case and all operations stand.
const FORM: &str = "## A file\n";

/// How to write a shim, then the form of a case and all operations.
pub(crate) fn how() -> String {
    let all = handfast_vectors::README;
    let form = all.find(FORM).and_then(|at| all.get(at..)).unwrap_or(all);
    format!("{HOW}\n{form}")
}

/// A language that has a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    C,
    Go,
    Kotlin,
    Node,
    Python,
    Swift,
}

impl Language {
    /// The text of its template.
    pub(crate) const fn template(self) -> &'static str {
        match self {
            Self::C => include_str!("../shims/template.c"),
            Self::Go => include_str!("../shims/template.go"),
            Self::Kotlin => include_str!("../shims/template.kt"),
            Self::Node => include_str!("../shims/template.mjs"),
            Self::Python => include_str!("../shims/template.py"),
            Self::Swift => include_str!("../shims/template.swift"),
        }
    }
}
