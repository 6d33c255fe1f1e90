//! What is missing behind the requirements, and which citations are wrong.

use std::collections::BTreeMap;

use super::Traced;
use super::sites::Site;
use super::spec::Requirement;
use super::vectors::Case;

/// A test or a case shows few things; more than these would show none of them.
const CITED_MAX: usize = 3;

/// What a trace found wrong.
pub(super) struct Gaps {
    musts: usize,
    definitions: usize,
    refusals: usize,
    pub(super) no_code: Vec<String>,
    pub(super) no_test: Vec<String>,
    pub(super) no_refusal: Vec<String>,
    /// One line for each citation that is wrong.
    pub(super) citations: Vec<String>,
    all: usize,
}

impl Gaps {
    pub(super) fn new(all: &[Traced], citations: Vec<String>) -> Self {
        let count = |is: fn(&Requirement) -> bool| all.iter().filter(|t| is(&t.requirement)).count();
        let binding = || all.iter().filter(|traced| traced.requirement.binds());
        let refusals = || all.iter().filter(|traced| traced.requirement.is_refusal());
        let id = |traced: &Traced| traced.requirement.id.clone();
        Self {
            all: all.len(),
            musts: count(Requirement::is_must),
            definitions: count(Requirement::is_definition),
            refusals: refusals().count(),
            no_code: binding().filter(|t| t.code.is_empty()).map(id).collect(),
            no_test: binding().filter(|t| t.tests.is_empty() && t.cases.is_empty()).map(id).collect(),
            no_refusal: refusals().filter(|t| t.cases.iter().all(|case| !case.invalid)).map(id).collect(),
            citations,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        [&self.no_code, &self.no_test, &self.no_refusal, &self.citations].iter().all(|list| list.is_empty())
    }

    /// Prints the figures, and every id behind one that is not whole.
    pub(super) fn print(&self) {
        println!(
            "{} sentences with an id: {} MUSTs, {} definitions, {} choices or withdrawn; {} refuse something",
            self.all,
            self.musts,
            self.definitions,
            self.all - self.musts - self.definitions,
            self.refusals
        );
        let binding = self.musts + self.definitions;
        figure("MUSTs and definitions with code", binding, &self.no_code);
        figure("MUSTs and definitions with test or vector", binding, &self.no_test);
        figure("refusals with a negative vector", self.refusals, &self.no_refusal);
        println!("wrong citations: {}", self.citations.len());
        for line in &self.citations {
            println!("    {line}");
        }
    }
}

fn figure(what: &str, all: usize, missing: &[String]) {
    let there = all - missing.len();
    // Rounded down: 100 % says that nothing is missing.
    println!("{what}: {there} of {all}, {} %", (there * 100).checked_div(all).unwrap_or(100));
    for ids in missing.chunks(12) {
        println!("    missing: {}", ids.join(" "));
    }
}

/// Finds ids that the specification does not have or has withdrawn, and what cites too many.
pub(super) fn wrong_citations(
    known: &BTreeMap<String, Traced>,
    code: &[Site],
    tests: &[Site],
    cases: &[Case],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut look = |place: &str, ids: &[String], limited: bool| {
        for id in ids {
            match known.get(id) {
                None => wrong.push(format!("{place} cites {id}, which is not in spec/")),
                Some(traced) if traced.requirement.withdrawn => {
                    wrong.push(format!("{place} cites {id}, which is withdrawn"));
                }
                Some(_) => {}
            }
        }
        if limited && ids.len() > CITED_MAX {
            wrong.push(format!("{place} cites {} requirements; {CITED_MAX} at most", ids.len()));
        }
    };
    for site in code {
        look(&format!("{}:{}", site.file, site.line), &site.ids, false);
    }
    for site in tests {
        look(&format!("{}:{} {}", site.file, site.line, site.function), &site.ids, true);
    }
    for case in cases {
        look(&case.id, &case.ids, true);
    }
    wrong
}
