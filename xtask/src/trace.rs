//! `cargo xtask trace`: which code, tests and vectors stand behind each requirement of `spec/`.

pub(crate) mod cited;
mod coverage;
mod gaps;
mod prove;
mod prove_programs;
mod reached;
mod reasons;
mod sites;
mod spec;
mod table;
mod take_out;
mod vectors;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::workspace;
use gaps::Gaps;
use sites::Site;
use spec::Requirement;
use vectors::Case;

/// What a trace is to do beyond writing its table.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Takes this many cited checks out of a copy of the tree, one at a time; cited tests must then fail.
    #[arg(long)]
    prove: Option<usize>,
    /// Chooses the checks.
    #[arg(long, default_value_t = 1, requires = "prove")]
    seed: u64,
    /// Chooses only among the checks that cite this requirement.
    #[arg(long, requires = "prove")]
    only: Option<String>,
    /// Lets the programs notice what is taken out, in place of tests: simulator, live cases, demo, page. Can be ended and
    /// started again.
    #[arg(long, requires = "prove")]
    programs: bool,
    /// Runs the programs with source coverage, and names the cited checks that none of them executes.
    #[arg(long, conflicts_with = "prove")]
    reached: bool,
    /// Runs only this one of the runs again: demo, live, page, sim; the others are read as they were.
    #[arg(long, requires = "reached")]
    again: Option<String>,
}

/// A requirement, and all that cites it.
struct Traced {
    requirement: Requirement,
    code: Vec<Site>,
    tests: Vec<Site>,
    cases: Vec<Case>,
}

/// Everything that is traced.
struct Trace {
    requirements: Vec<Traced>,
    gaps: Gaps,
}

/// Prints the figures and what is missing, writes the table, and takes checks out if asked.
///
/// # Errors
/// A source cannot be read, or the copy cannot be built.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let trace = Trace::read()?;
    trace.gaps.print();
    if options.reached {
        return Ok(reached::run(&trace, options.again.as_deref())? && trace.gaps.is_empty());
    }
    println!("table: {}", table::write(&trace, None)?.display());
    match options.prove {
        Some(count) if options.programs => {
            prove_programs::run(&trace, count, options.seed, options.only.as_deref())
        }
        Some(count) => prove::run(&trace, count, options.seed, options.only.as_deref()),
        None => Ok(trace.gaps.is_empty()),
    }
}

/// Checks that every MUST and every definition has code and a test or vector, every refusal a negative vector, and that
/// citations are known, few, and of requirements that stand.
///
/// # Errors
/// One of this is not so; what is missing was printed.
pub(crate) fn check() -> Result<()> {
    let Gaps { no_code, no_test, no_refusal, citations, .. } = {
        let trace = Trace::read()?;
        trace.gaps.print();
        trace.gaps
    };
    ensure!(citations.is_empty(), "wrong citations:\n{}", citations.join("\n"));
    ensure!(no_code.is_empty(), "no code cites {}", no_code.join(", "));
    ensure!(no_test.is_empty(), "no test or vector cites {}", no_test.join(", "));
    ensure!(no_refusal.is_empty(), "no negative vector cites {}", no_refusal.join(", "));
    Ok(())
}

impl Trace {
    fn read() -> Result<Self> {
        let root = workspace::root();
        let requirements = spec::read(&root)?;
        let (code, tests) = sites::read(&root)?;
        let cases = vectors::read(&root)?;
        let mut by_id: BTreeMap<String, Traced> = requirements
            .into_iter()
            .map(|requirement| (requirement.id.clone(), Traced::new(requirement)))
            .collect();
        let citations = gaps::wrong_citations(&by_id, &code, &tests, &cases);
        for site in code {
            site.ids.iter().for_each(|id| push(&mut by_id, id, |traced| traced.code.push(site.clone())));
        }
        for site in tests {
            site.ids.iter().for_each(|id| push(&mut by_id, id, |traced| traced.tests.push(site.clone())));
        }
        for case in cases {
            case.ids.iter().for_each(|id| push(&mut by_id, id, |traced| traced.cases.push(case.clone())));
        }
        let requirements: Vec<Traced> = by_id.into_values().collect();
        let gaps = Gaps::new(&requirements, citations);
        Ok(Self { requirements, gaps })
    }

    /// The cited checks in code, each once, in the order of files and lines.
    fn code(&self) -> impl Iterator<Item = &Site> {
        let sites = self.requirements.iter().flat_map(|traced| &traced.code);
        sites.map(|site| (site.place(), site)).collect::<BTreeMap<_, _>>().into_values()
    }
}

impl Traced {
    fn new(requirement: Requirement) -> Self {
        Self { requirement, code: Vec::new(), tests: Vec::new(), cases: Vec::new() }
    }
}

/// Adds to the requirement of this id, if there is one.
fn push(all: &mut BTreeMap<String, Traced>, id: &str, add: impl FnOnce(&mut Traced)) {
    if let Some(traced) = all.get_mut(id) {
        add(traced);
    }
}
