//! Which cited checks the shipped programs execute: one run with source coverage over the demo, the simulator, the live
//! cases and the page.
//!
//! A test shows that a check works, not that any program calls it. So the programs are built with coverage and run as
//! their users run them, and each `// req:` in code is looked up in what was executed. What none of them reaches has a
//! reason in `reached.toml`, or is a fault.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::coverage::Coverage;
use super::reasons::Reasons;
use super::sites::{Reached, Site};
use super::{Trace, table};
use crate::{command, debian, workspace};

/// One run of the programs: its name in the table, and the words of `cargo xtask` that start it.
const RUNS: [(&str, &[&str]); 4] = [
    ("demo", &["demo", "--headless"]),
    ("live", &["test", "--only", "live cases"]),
    ("page", &["page-test"]),
    ("sim", &["sim", "--seeds", "0..2000"]),
];
/// Counters are written through to their file as they change: most of these processes are killed.
const FLAGS: &str = "-C instrument-coverage -C llvm-args=-runtime-counter-relocation";
/// The programs whose counters are read, by the folder of their profile.
const PROGRAMS: [(&str, &str); 5] = [
    ("debug", "handfast-relay"),
    ("debug", "handfast-phone"),
    ("debug", "handfast-web"),
    ("debug", "handfast-conformance"),
    ("release", "handfast-sim"),
];
/// Code that no coverage reaches, since it runs in a browser; its functions are looked for in the driver instead.
const IN_THE_BROWSER: [&str; 3] = ["handfast/src/wasm.rs", "handfast/src/wasm/", "reference-web/wasm/"];
/// Where the page and its driver call them.
const DRIVERS: [&str; 2] = ["handfast/js", "reference-web/page"];

/// Runs the programs with coverage, writes the table with the new column, and names what nothing reaches.
///
/// # Errors
/// A tool is missing, the programs cannot be built, or a run fails.
pub(super) fn run(trace: &Trace, only: Option<&str>) -> Result<bool> {
    let tools = Tools::find()?;
    let folder = workspace::root().join("target/reached");
    for (name, words) in RUNS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        tools.play(&folder, name, words)?;
        // At once: the next run builds some of the programs with other features, in their place.
        tools.export(&folder, name)?;
    }
    let mut reached = Reached::new();
    for (name, _) in RUNS {
        let text = std::fs::read_to_string(lines_of(&folder, name)).with_context(|| {
            format!("`{name}` was not run yet: run `cargo xtask trace --reached` without --again once")
        })?;
        let coverage = Coverage::parse(&text)?;
        for site in trace.code() {
            if coverage.executed(site)? {
                reached.entry(site.place()).or_default().push(name);
            }
        }
    }
    for site in trace.code().filter(|site| IN_THE_BROWSER.iter().any(|place| site.file.starts_with(place))) {
        if driver_calls(&site.function)? {
            reached.entry(site.place()).or_default().push("page");
        }
    }
    println!("table: {}", table::write(trace, Some(&reached))?.display());
    judge(trace, &reached)
}

/// Prints what is not reached and has no reason, and reasons that are not needed.
fn judge(trace: &Trace, reached: &Reached) -> Result<bool> {
    let reasons = Reasons::read()?;
    let (mut without, mut with) = (Vec::new(), 0);
    let sites: Vec<&Site> = trace.code().collect();
    for site in &sites {
        match (reached.contains_key(&site.place()), reasons.of(site)) {
            (true, _) => {}
            (false, Some(_)) => with += 1,
            (false, None) => without.push(*site),
        }
    }
    let needless = reasons.needless(|site| reached.contains_key(&site.place()), &sites);
    println!(
        "{} cited checks: {} executed by a program, {with} with a reason why not, {} without",
        sites.len(),
        sites.len() - with - without.len(),
        without.len()
    );
    for site in &without {
        println!("    NOT REACHED {}:{} {} {}", site.file, site.line, site.function, site.ids.join(" "));
    }
    for reason in &needless {
        println!("    A REASON THAT IS NOT NEEDED {reason}");
    }
    Ok(without.is_empty() && needless.is_empty())
}

/// Whether the driver of pages calls a function of the module, by its name there.
fn driver_calls(function: &str) -> Result<bool> {
    let camel: String = function
        .split('_')
        .enumerate()
        .map(|(index, word)| match (index, word.split_at_checked(1)) {
            (0, _) | (_, None) => word.to_owned(),
            (_, Some((first, rest))) => first.to_ascii_uppercase() + rest,
        })
        .collect();
    // Called at a module's value or by name, or handed on to be called.
    let uses = [format!(".{camel}("), format!(" {camel}("), format!(" {camel},")];
    let is_use = |line: &str| !line.starts_with("import ") && uses.iter().any(|how| line.contains(how));
    for folder in DRIVERS {
        for entry in std::fs::read_dir(workspace::root().join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "js")
                && std::fs::read_to_string(&path)?.lines().any(is_use)
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// LLVM's own tools, of the version that the compiler is made of.
struct Tools {
    host: String,
    profdata: String,
    cov: String,
}

impl Tools {
    fn find() -> Result<Self> {
        let text = command::output(&mut command::program("rustc", ["-vV"]))?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let host = field("host:").context("rustc names no host")?.to_owned();
        let version = field("LLVM version:").context("rustc names no version of LLVM")?;
        let major = version.split('.').next().unwrap_or_default();
        let (profdata, cov) = (format!("llvm-profdata-{major}"), format!("llvm-cov-{major}"));
        let is_there = || command::succeeds(Command::new(&cov).arg("--version"));
        debian::ensure_installed(&[&format!("llvm-{major}")], is_there)?;
        Ok(Self { host, profdata, cov })
    }

    /// Plays one run in a build folder of its own, in which all programs count what they execute.
    fn play(&self, folder: &Path, name: &str, words: &[&str]) -> Result<()> {
        let profiles = folder.join(name);
        if profiles.exists() {
            std::fs::remove_dir_all(&profiles)?;
        }
        std::fs::create_dir_all(&profiles)?;
        let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", self.host.to_uppercase().replace('-', "_"));
        let mut xtask = Command::new(std::env::current_exe()?);
        let _ = xtask
            .current_dir(workspace::root())
            .args(words)
            .env("CARGO_TARGET_DIR", folder.join("build"))
            .env(flags, FLAGS)
            .env("LLVM_PROFILE_FILE", profiles.join("%c%m.profraw"));
        println!("\n==== {name}");
        command::run(&mut xtask).with_context(|| format!("the run `{name}` fails, so nothing is measured"))
    }

    /// Writes which lines the programs of one run have executed.
    fn export(&self, folder: &Path, name: &str) -> Result<()> {
        let raw: Vec<PathBuf> = std::fs::read_dir(folder.join(name))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "profraw"))
            .collect();
        ensure!(!raw.is_empty(), "no program of `{name}` has counted anything");
        let merged = folder.join(format!("{name}.profdata"));
        let mut merge = Command::new(&self.profdata);
        // A process that was killed while its file was made leaves one that cannot be read.
        let _ = merge.args(["merge", "--sparse", "--failure-mode=all", "--output"]).arg(&merged).args(&raw);
        command::run(&mut merge)?;
        let build = folder.join("build");
        let programs = PROGRAMS.iter().map(|(profile, name)| build.join(profile).join(name));
        let mut export = Command::new(&self.cov);
        let _ = export.args(["export", "--format=lcov", "--instr-profile"]).arg(&merged);
        for program in programs.filter(|program| program.is_file()) {
            let _ = export.arg("--object").arg(program);
        }
        Ok(std::fs::write(lines_of(folder, name), command::output(&mut export)?)?)
    }
}

/// The file that has the executed lines of a run, in the format of lcov.
fn lines_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.lcov"))
}
