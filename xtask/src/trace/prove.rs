//! Takes cited checks out of a copy of the tree, one at a time, and looks whether a test that cites them fails.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::sites::Site;
use super::take_out::take_out;
use super::{Trace, Traced};
use crate::patches::Scratch;
use crate::{command, packages, workspace};

/// A run that takes longer hangs without the check, which is a failure too. What is run is built before.
const SECONDS_MAX: &str = "300";
const BUILD_VECTORS: [&str; 5] = ["build", "--locked", "--quiet", "--package", "handfast-conformance"];
const VECTORS: [&str; 7] = ["run", "--locked", "--quiet", "--package", "handfast-conformance", "--", "check"];

/// What one run of cited tests showed.
enum Outcome {
    /// The name of a cited test or case that failed.
    Failed(String),
    Passed,
    /// The compiler refuses the tree without the check.
    NotBuilt,
}

/// Takes out `count` checks chosen by `seed`; a check whose tests all pass without it is a fault.
///
/// # Errors
/// The copy cannot be written, or a command cannot be started.
pub(super) fn run(trace: &Trace, count: usize, seed: u64, only: Option<&str>) -> Result<bool> {
    let runner = Runner::new()?;
    let wanted = |site: &&Site| only.is_none_or(|id| site.ids.iter().any(|cited| cited == id));
    let sites = trace.code().filter(wanted).cloned().collect();
    let (mut caught, mut survived, mut skipped, mut unbuilt) = (Vec::new(), Vec::new(), 0, 0);
    for site in drawn(sites, seed) {
        if caught.len() + survived.len() == count {
            break;
        }
        let path = workspace::root().join(&site.file);
        let Some((text, change)) = take_out(&std::fs::read_to_string(path)?, site.line) else {
            skipped += 1;
            continue;
        };
        runner.scratch.copy()?;
        runner.scratch.write(&site.file, &text)?;
        let place = format!("{} {}:{}", site.ids.join(" "), site.file, site.line);
        match runner.cited(trace, &site)? {
            Outcome::Failed(name) => {
                println!("caught    {place}: {change}\n          by {name}");
                caught.push(site);
            }
            Outcome::Passed => {
                println!("SURVIVED  {place}: {change}");
                survived.push(place);
            }
            Outcome::NotBuilt => {
                println!("no build  {place}: {change}");
                unbuilt += 1;
            }
        }
    }
    println!("skipped: {skipped} of another shape, {unbuilt} that the compiler does not let go");
    runner.scratch.copy()?;
    let failing = caught.iter().map(|site| runner.cited(trace, site)).collect::<Result<Vec<_>>>()?;
    for outcome in &failing {
        if let Outcome::Failed(name) = outcome {
            println!("FAILS WITH THE CHECK TOO: {name}");
        }
    }
    let clean = failing.iter().all(|outcome| matches!(outcome, Outcome::Passed));
    let tried = caught.len() + survived.len();
    println!("{tried} checks taken out, {} caught by what cites them, {} not", caught.len(), survived.len());
    ensure!(tried > 0, "no check of a known shape is cited");
    Ok(clean && survived.is_empty() && (only.is_some() || tried == count))
}

/// The sites in an order that the seed draws. Each has its place by what it is, so that a check that comes or goes elsewhere
/// changes nothing of the others' order.
pub(super) fn drawn(sites: Vec<Site>, seed: u64) -> Vec<Site> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut keyed: Vec<(u64, Site)> = sites
        .into_iter()
        .map(|site| {
            let name = format!("{} {}", site.ids.join(" "), site.file);
            let nth = counts.entry(name.clone()).or_default();
            *nth += 1;
            let key = name.bytes().fold(mixed(seed ^ (*nth << 32)), |key, byte| mixed(key ^ u64::from(byte)));
            (key, site)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, site)| site).collect()
}

/// One step of the generator `SplitMix64`.
fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One Cargo command: the tests of one target.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    package: String,
    words: Vec<String>,
}

struct Runner {
    scratch: Scratch,
    /// The words that switch on the features, by package.
    features: BTreeMap<String, String>,
}

impl Runner {
    fn new() -> Result<Self> {
        let members = packages::members()?;
        let features = members.iter().map(|package| {
            let words = if package.is_program() { String::new() } else { package.feature_words() };
            (package.name.clone(), words)
        });
        Ok(Self { scratch: Scratch::new("trace"), features: features.collect() })
    }

    /// Runs the tests and cases that cite what the site cites, until one fails.
    fn cited(&self, trace: &Trace, site: &Site) -> Result<Outcome> {
        let cited: Vec<&Traced> =
            trace.requirements.iter().filter(|traced| site.ids.contains(&traced.requirement.id)).collect();
        let mut targets: BTreeMap<(bool, Target), BTreeSet<&str>> = BTreeMap::new();
        let home = site.file.split('/').next().unwrap_or_default();
        for test in cited.iter().flat_map(|traced| &traced.tests) {
            if let Some(target) = target(test)? {
                let elsewhere = !test.file.starts_with(&format!("{home}/"));
                let _ = targets.entry((elsewhere, target)).or_default().insert(&test.function);
            }
        }
        // The tests of the crate that was changed are built soonest.
        for ((_, target), names) in &targets {
            match self.tests(target, names)? {
                Outcome::Passed => {}
                outcome => return Ok(outcome),
            }
        }
        let cases: BTreeSet<&str> =
            cited.iter().flat_map(|traced| &traced.cases).map(|case| case.id.as_str()).collect();
        if cases.is_empty() { Ok(Outcome::Passed) } else { self.cases(&cases) }
    }

    fn tests(&self, target: &Target, names: &BTreeSet<&str>) -> Result<Outcome> {
        let features = self.features.get(&target.package).map_or("", String::as_str);
        let line = format!("test --locked --package {}{features}", target.package);
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.extend(target.words.iter().map(String::as_str));
        let build: Vec<&str> = words.iter().copied().chain(["--no-run"]).collect();
        if !self.builds(&build) {
            return Ok(Outcome::NotBuilt);
        }
        words.push("--");
        words.extend(names);
        let (text, ended) = self.output(&words)?;
        if !ended {
            return Ok(Outcome::Failed(format!("{}: does not end", names.iter().next().unwrap_or(&""))));
        }
        let failed = text.lines().find_map(|line| {
            let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
            names.contains(name.rsplit("::").next()?).then(|| name.to_owned())
        });
        Ok(failed.map_or(Outcome::Passed, Outcome::Failed))
    }

    fn cases(&self, cases: &BTreeSet<&str>) -> Result<Outcome> {
        if !self.builds(&BUILD_VECTORS) {
            return Ok(Outcome::NotBuilt);
        }
        let (text, ended) = self.output(&VECTORS)?;
        if !ended {
            return Ok(Outcome::Failed("the vectors: does not end".to_owned()));
        }
        let failed = text.lines().find_map(|line| {
            let (id, _) = line.split_once(": ")?;
            cases.contains(id).then(|| id.to_owned())
        });
        Ok(failed.map_or(Outcome::Passed, Outcome::Failed))
    }

    fn builds(&self, words: &[&str]) -> bool {
        command::succeeds(&mut self.scratch.cargo(words))
    }

    /// What Cargo and the program wrote, and whether they ended by themselves.
    fn output(&self, words: &[&str]) -> Result<(String, bool)> {
        let cargo = self.scratch.cargo(words);
        let mut timed = command::timed(&cargo, SECONDS_MAX);
        let _ = timed.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
        let output = timed.output().context("`timeout` cannot be started: is it installed?")?;
        let both = [output.stdout, output.stderr].concat();
        Ok((String::from_utf8_lossy(&both).into_owned(), output.status.code() != Some(124)))
    }
}

/// The target that a test is part of; none for what several targets share.
fn target(test: &Site) -> Result<Option<Target>> {
    let root = workspace::root();
    let mut parts = test.file.split('/');
    let (folder, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let manifest = std::fs::read_to_string(root.join(folder).join("Cargo.toml"))?;
    let words = match (kind, parts.next()) {
        ("tests", Some(name)) => {
            let name = name.trim_end_matches(".rs");
            let tests = root.join(folder).join("tests");
            let is_file = |path: &str| tests.join(path).is_file();
            if !is_file(&format!("{name}.rs")) && !is_file(&format!("{name}/main.rs")) {
                return Ok(None);
            }
            let is_own = !is_file("main.rs") || manifest.contains(&format!("path = \"tests/{name}.rs\""));
            // Elsewhere the files of a folder are one program.
            vec!["--test".to_owned(), if is_own { name } else { "all" }.to_owned()]
        }
        ("src", Some(_)) if root.join(folder).join("src/lib.rs").is_file() => vec!["--lib".to_owned()],
        ("src", Some(_)) => vec!["--bins".to_owned()],
        _ => return Ok(None),
    };
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let package = name.with_context(|| format!("{folder}/Cargo.toml has no name"))?.to_owned();
    Ok(Some(Target { package, words }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(sites: Vec<Site>, seed: u64) -> Vec<usize> {
        drawn(sites, seed).into_iter().map(|site| site.line).collect()
    }

    fn sites() -> Vec<Site> {
        let site = |line| Site {
            file: format!("{}.rs", line % 7),
            line,
            function: String::new(),
            ids: vec![format!("X-{}", line % 3)],
        };
        (0..50).map(site).collect()
    }

    #[test]
    fn a_seed_gives_an_order_and_another_one_another() {
        assert_eq!(order(sites(), 1), order(sites(), 1));
        assert_ne!(order(sites(), 1), order(sites(), 2));
        let mut sorted = order(sites(), 3);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn a_check_that_comes_elsewhere_changes_nothing_of_the_order() {
        let more = Site { file: "new.rs".to_owned(), line: 99, function: String::new(), ids: Vec::new() };
        let with: Vec<usize> = order(std::iter::once(more).chain(sites()).collect(), 1);
        assert_eq!(with.into_iter().filter(|line| *line != 99).collect::<Vec<_>>(), order(sites(), 1));
    }
}
