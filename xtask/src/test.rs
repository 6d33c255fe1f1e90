//! `cargo xtask test`: all checks, fast ones first, up to the first that fails.

mod beside;
mod checkers;
mod circles;
mod conformance;
mod deny;
mod docs_rs;
mod faults;
mod floors;
mod inner;
mod licences;
mod listed;
mod packed;
mod python;
mod retired;
mod scripts;
mod shipped;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Result;
use beside::Beside;

use crate::packages::{self, Group};
use crate::{
    bindings, command, fuzz, models, patches, program_mutants, sbom, sim, site, suite, trace, vector_mutants,
    workspace,
};
use handfast_e2e::dissector;
use handfast_e2e::processes::build;

/// What to run.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Adds the page in Chromium, ten seconds of each fuzz target, and the models with each rule patched out; installs
    /// cargo-deny if it is missing.
    #[arg(long)]
    full: bool,
    /// Goes on after a step that failed, and counts how many did.
    #[arg(long)]
    keep_going: bool,
    /// Runs only the steps whose title contains this text.
    #[arg(long)]
    only: Option<String>,
}

/// How a step ended that did not fail.
pub(crate) enum Done {
    /// It ran and found nothing wrong.
    Passed,
    /// This machine cannot run it; the text says why.
    Skipped(String),
}

/// The step that builds what live cases and the demo run.
const PROGRAMS: &str = "the programs, as they ship and with kill points";
/// How many steps before its turn a step is started that runs beside others and needs none of them. One that needs a
/// step is started when that has ended.
const AHEAD: usize = 2;

/// One check.
struct Step {
    title: String,
    body: Body,
    /// The title of the step without which it cannot run.
    needs: Option<&'static str>,
}

/// What a step does.
enum Body {
    /// A part of this process.
    Here(Box<dyn Fn() -> Result<Done>>),
    /// `cargo xtask` with these words, beside steps before it.
    Beside(&'static [&'static str]),
}

impl Step {
    fn new(title: impl Into<String>, body: impl Fn() -> Result<Done> + 'static) -> Self {
        Self { title: title.into(), body: Body::Here(Box::new(body)), needs: None }
    }

    fn beside(title: &str, words: &'static [&'static str]) -> Self {
        Self { title: title.to_owned(), body: Body::Beside(words), needs: None }
    }

    fn needs(self, title: &'static str) -> Self {
        Self { needs: Some(title), ..self }
    }

    /// Starts what is to run while the steps before it do.
    fn start(&self) -> Option<Result<Beside>> {
        match self.body {
            Body::Here(_) => None,
            Body::Beside(words) => Some(Beside::start(words)),
        }
    }

    /// Runs it, or waits for what was `started`.
    fn run(&self, started: Option<Result<Beside>>) -> Result<Done> {
        match &self.body {
            Body::Here(body) => body(),
            Body::Beside(words) => {
                started.unwrap_or_else(|| Beside::start(words))?.finish().map(|()| Done::Passed)
            }
        }
    }

    fn cargo(title: impl Into<String>, words: Vec<String>) -> Self {
        Self::new(title, move || command::run(&mut command::cargo(&words)).map(|()| Done::Passed))
    }
}

/// Whether the step `ahead` may be started when it is the turn of the one at `index`.
fn may_start(steps: &[Step], index: usize, ahead: usize) -> bool {
    match steps[ahead].needs {
        None => ahead <= index + AHEAD,
        Some(needed) => steps[index..ahead].iter().all(|step| step.title != needed),
    }
}

/// Runs the checks in order; the last line says how many passed, failed and were skipped.
///
/// # Errors
/// The list of steps cannot be made: Cargo does not answer.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let mut steps = steps(options)?;
    if let Some(text) = &options.only {
        let is_asked_for = |step: &Step| step.title.contains(text);
        let needed: Vec<_> =
            steps.iter().filter(|step| is_asked_for(step)).filter_map(|step| step.needs).collect();
        steps.retain(|step| is_asked_for(step) || needed.contains(&step.title.as_str()));
        anyhow::ensure!(!steps.is_empty(), "no step has `{text}` in its title");
    }
    let (start, count) = (Instant::now(), steps.len());
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), Vec::new());
    let mut started = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        println!("\n==== {} of {count}: {}", index + 1, step.title);
        let began = Instant::now();
        for ahead in index + 1..count {
            if may_start(&steps, index, ahead) && !started.contains_key(&ahead) {
                started.extend(steps[ahead].start().map(|beside| (ahead, beside)));
            }
        }
        let own = started.remove(&index);
        match step.run(own) {
            Ok(Done::Passed) => {
                passed += 1;
                println!("---- ok, {:.1} s", began.elapsed().as_secs_f32());
            }
            Ok(Done::Skipped(reason)) => {
                println!("---- skipped: {reason}");
                skipped.push(format!("{}: {reason}", step.title));
            }
            Err(error) => {
                println!("---- FAILED: {error:#}");
                failed.push(step.title.as_str());
                if !options.keep_going {
                    println!("\nThe steps after it were not run.");
                    break;
                }
            }
        }
    }
    println!("\nDone in {} s.", start.elapsed().as_secs());
    for line in &skipped {
        println!("skipped: {line}");
    }
    for title in &failed {
        println!("failed: {title}");
    }
    println!("{passed} passed, {} failed, {} skipped", failed.len(), skipped.len());
    Ok(failed.is_empty())
}

/// What needs no build, or next to none.
fn quick_steps(full: bool) -> Vec<Step> {
    vec![
        Step::cargo("format", words("fmt --all --check")),
        Step::new("licences of all dependencies", || licences::check().map(|()| Done::Passed)),
        Step::new("bans, licences and sources of all dependencies, by cargo-deny", move || {
            deny::without_advisories(full)
        }),
        Step::new("advisories about all dependencies, by cargo-deny", move || deny::advisories(full)),
        Step::new("the list of what is built in names every locked package", || {
            sbom::check().map(|()| Done::Passed)
        }),
        Step::new("no dependency below a version with a known flaw", || {
            floors::check().map(|()| Done::Passed)
        }),
        Step::new("the inner crates use no std and no runtime", || inner::tree().map(|()| Done::Passed)),
        Step::new("no release build carries what is for tests", || shipped::check().map(|()| Done::Passed)),
        Step::new("every file of tests is part of a program", || listed::check().map(|()| Done::Passed)),
        Step::new("what a script imports is exported", || scripts::check().map(|()| Done::Passed)),
        Step::new("no retired name is back", || retired::check().map(|()| Done::Passed)),
        Step::new("no circle of imports between files", || circles::check().map(|()| Done::Passed)),
        Step::new("the tests that FAULTS.md names exist", || faults::check().map(|()| Done::Passed)),
        Step::new("every MUST has code and a test or vector, and every refusal a negative vector", || {
            trace::check().map(|()| Done::Passed)
        }),
        Step::new("the site has no dead link", || site::check().map(|()| Done::Passed)),
        Step::new("the patches of models, simulator, vectors and programs apply", || {
            patches::check(&patches::read(models::RULES)?)?;
            sim::mutants::check()?;
            program_mutants::check()?;
            vector_mutants::check().map(|()| Done::Passed)
        }),
        Step::new("compare.py finds what is lost, doubled, misordered, damaged", || {
            python::run_test(&workspace::root().join("e2e/compare_test.py")).map(|()| Done::Passed)
        }),
        Step::new("the page: states and words, without a browser", || {
            command::run(&mut command::program("node", ["--test", "reference-web/tests/page"]))
                .map(|()| Done::Passed)
        }),
        Step::new("the npm package: stores, locks and sources, without a browser", || {
            scripts::test("handfast/js/tests").map(|()| Done::Passed)
        }),
    ]
}

fn steps(options: &Options) -> Result<Vec<Step>> {
    let packages = packages::members()?;
    let mut steps = quick_steps(options.full);
    let groups = Group::all(packages);
    steps.extend(groups.iter().flat_map(|group| lint(group, options.full)));
    steps.extend(groups.iter().map(document));
    let passed = faults::Passed::default();
    steps.extend(groups.iter().enumerate().map(|(at, group)| test(group, groups.get(at + 1), &passed)));
    steps.push(Step::cargo(
        "handshake with the default AEAD",
        words("test --locked --package handfast-handshake"),
    ));
    steps.push(Step::new("the tests that FAULTS.md names have run", move || passed.check()));
    steps.push(Step::new("the inner crates build for a target without std", inner::bare_metal));
    steps.push(Step::new(PROGRAMS, || build::keep().map(|()| Done::Passed)));
    steps.push(Step::new("vectors: the checker in Python agrees", checkers::in_python));
    steps.push(Step::new("vectors: the checker in Node agrees", checkers::in_node));
    steps.push(Step::new("the game of the compared numbers, a part of it", || {
        python::run(&workspace::root().join("spec/models/game/game.py"), &["--quick"]).map(|()| Done::Passed)
    }));
    steps.push(Step::new("vectors: the runner over every shim", || {
        conformance::shims(&python::python_with_cryptography()?).map(|()| Done::Passed)
    }));
    let live = Step::new("live cases: relay, phone and companion as processes", || {
        conformance::live(&python::python_with_cryptography()?).map(|()| Done::Passed)
    });
    steps.push(live.needs(PROGRAMS));
    steps.push(Step::new("sim: 1,000 fixed seeds and 64 fresh ones", || sim::check().map(|()| Done::Passed)));
    let demo = Step::beside("demo --headless", &["demo", "--headless", "--kept"]);
    steps.push(demo.needs(PROGRAMS));
    if options.full {
        steps.extend(full_steps());
    }
    Ok(steps)
}

/// What needs a browser, a fuzzer, a model checker or a second build of everything, and minutes.
fn full_steps() -> Vec<Step> {
    let mutants = || vector_mutants::in_turn().map(|()| Done::Passed);
    let smoke = || fuzz::run(&fuzz::Options { seconds: 10, target: None }).map(|_| Done::Passed);
    let models = || models::run(&models::Options { symbolic: false }).map(|_| Done::Passed);
    vec![
        Step::new("packages: what is published, built from its packed files", || {
            packed::check().map(|()| Done::Passed)
        }),
        Step::new("documentation of handfast as docs.rs builds it", docs_rs::check),
        Step::new("the suite's packages, installed by pip and npm without Rust", || {
            suite::install::check().map(|()| Done::Passed)
        }),
        Step::new("vectors: the mutants of the day are caught", mutants),
        Step::new("fuzz smoke, 10 s a target", smoke),
        Step::new("models, and each rule patched out", models),
        Step::new("the dissector: a captured run, in tshark", captured).needs(PROGRAMS),
        Step::beside(
            "the npm package, installed from its packed file",
            &["npm", "--test", "--browser", "--kept"],
        )
        .needs(PROGRAMS),
        Step::new("phones and companions in Python and Kotlin, over the real relay", other_languages)
            .needs(PROGRAMS),
        Step::beside("the page in Chromium", &["page-test"]),
        Step::new("the site in Chromium and Firefox", || match site::missing() {
            Some(missing) => Ok(Done::Skipped(missing)),
            None => site::test(&site::TestOptions::default()).map(|_| Done::Passed),
        }),
    ]
}

/// The bindings, as far as this machine has the languages.
fn other_languages() -> Result<Done> {
    Ok(bindings::check()?.map_or(Done::Passed, Done::Skipped))
}

/// The dissector, where packets may be captured.
fn captured() -> Result<Done> {
    if let Some(reason) = dissector::missing()? {
        return Ok(Done::Skipped(reason));
    }
    dissector::check(true, None).map(|()| Done::Passed)
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Clippy on the packages of a group together. A full run looks before that at each package that ships alone, as it ships,
/// since in a build of several Cargo switches on for one package what another asks for.
fn lint(group: &Group, full: bool) -> Vec<Step> {
    let line = |of: String| words(&format!("clippy --locked --all-targets {of} -- -D warnings"));
    let ships = group.packages.iter().filter(|package| full && package.ships());
    let mut steps: Vec<Step> = ships
        .map(|package| {
            let name = &package.name;
            Step::cargo(format!("clippy {name}, as it ships"), line(format!("--package {name}")))
        })
        .collect();
    steps.push(Step::cargo(format!("clippy {}", group.names()), line(group.words(true))));
    steps
}

fn document(group: &Group) -> Step {
    let line = format!("doc --locked --no-deps {}", group.words(true));
    Step::new(format!("documentation of {}", group.names()), move || {
        command::run(command::cargo(words(&line)).env("RUSTDOCFLAGS", "-D warnings"))?;
        Ok(Done::Passed)
    })
}

/// The words that run the tests of a group: programs as they ship, all else with all features.
fn test_words(group: &Group) -> Vec<String> {
    words(&format!("test --locked {}", group.words(!group.is_of_programs())))
}

/// The tests of a group. While they run, what the next group's tests need is built: many of them wait more than they work.
fn test(group: &Group, next: Option<&Group>, passed: &faults::Passed) -> Step {
    let (own, passed) = (test_words(group), passed.clone());
    let next = next.map(|group| [test_words(group), words("--no-run --quiet")].concat());
    Step::new(format!("tests of {}", group.names()), move || {
        let mut building = None;
        let tested = command::run_lines(&mut command::cargo(&own), |line| {
            // Cargo has built by then, and lets another in.
            if line.starts_with("running ")
                && building.is_none()
                && let Some(words) = &next
            {
                building = Some(command::cargo(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn());
            }
            passed.read(line);
        });
        // What does not build is said by the step that needs it.
        if let Some(Ok(mut child)) = building {
            let _ = child.wait();
        }
        tested.map(|()| Done::Passed)
    })
}
