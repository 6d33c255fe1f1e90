//! `cargo xtask bindings`: the machines for Python, Kotlin and Swift, in `target/bindings`.

mod kotlin;
mod python;
mod story;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use handfast_e2e::processes::build;

use crate::{command, examples, workspace};

/// The crate, and the program that writes the other languages around it.
const CRATE: &str = "handfast-bindings";
const GENERATOR: &str = "handfast-bindings-generator";

/// What to build, and whether to try it.
#[derive(clap::Args, Debug, Default)]
#[group(id = "bindings")]
pub(crate) struct Options {
    /// Takes the dev profile, whose build is quick: larger and slower, for trying
    #[arg(long)]
    dev: bool,
    /// Plays stories between the languages and the programs in Rust, over the real relay
    #[arg(long)]
    test: bool,
    /// Only this language
    #[arg(long, value_enum)]
    only: Option<Language>,
    /// Takes the relay and the reference companion that `cargo xtask test` has built and kept
    #[arg(long, hide = true, requires = "test")]
    kept: bool,
}

/// A language.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Kotlin,
    Swift,
}

impl Language {
    const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Kotlin => "kotlin",
            Self::Swift => "swift",
        }
    }
}

/// Builds what is asked for and prints its sizes; then tries it, if that is asked for.
///
/// # Errors
/// Something cannot be built, or a story fails.
pub(crate) fn run(options: &Options) -> Result<bool> {
    if let Some(untried) = build_and_try(options)? {
        println!("{untried}");
    }
    Ok(true)
}

/// Builds the quick way and tries all languages that can be tried here, with the relay that was kept. Returns what could not
/// be tried, and why.
///
/// # Errors
/// As [`run`].
pub(crate) fn check() -> Result<Option<String>> {
    build_and_try(&Options { dev: true, test: true, only: None, kept: true })
}

fn build_and_try(options: &Options) -> Result<Option<String>> {
    let library = library(options)?;
    let is_asked_for = |language| options.only.is_none_or(|only| only == language);
    // The phone in Kotlin is tried with the companion in Python, too.
    let wheel = (options.only != Some(Language::Swift)).then(|| python::wheel(&library)).transpose()?;
    let kotlin = is_asked_for(Language::Kotlin).then(|| generate(&library, Language::Kotlin)).transpose()?;
    if is_asked_for(Language::Swift) {
        let folder = generate(&library, Language::Swift)?;
        println!("Swift is generated, and untried: {}", folder.display());
    }
    let Some(wheel) = wheel.filter(|_| options.test) else { return Ok(None) };
    let programs = programs(options)?;
    let in_python = python::install(&wheel)?;
    if is_asked_for(Language::Python) {
        python::test(&in_python, &programs)?;
    }
    if let Some(generated) = kotlin {
        match kotlin::missing() {
            None => kotlin::test(&library, &generated, &in_python, &programs)?,
            Some(missing) => {
                return Ok(Some(format!("Kotlin is generated, and not tried: {missing}")));
            }
        }
    }
    Ok(None)
}

/// What the languages are tried with.
struct Programs {
    relay: PathBuf,
    /// The phone and the companion with the shopping list, in Rust, each a command line.
    phone: String,
    companion: String,
    /// The reference companion.
    reference: String,
}

fn programs(options: &Options) -> Result<Programs> {
    examples::build()?;
    let debug = workspace::target().join("debug");
    let kept = if options.kept { build::kept(false) } else { build::build(false) }?;
    let (relay, reference) = (kept.relay, kept.web.display().to_string());
    let [phone, companion] = ["phone", "companion"]
        .map(|side| debug.join(format!("examples/minimal-{side}")).display().to_string());
    Ok(Programs { relay, phone, companion, reference })
}

/// Builds the library, and the generator beside it. Returns the path of the library.
fn library(options: &Options) -> Result<PathBuf> {
    // Together, so that what both are made of is built once.
    let both = ["build", "--locked", "--package", CRATE, "--package", GENERATOR];
    command::run(&mut command::cargo(both))?;
    if !options.dev {
        let mut build = command::cargo(["build", "--locked", "--release", "--package", CRATE]);
        // The names by which the generator finds what there is stay.
        command::run(build.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo"))?;
    }
    let profile = if options.dev { "debug" } else { "release" };
    let name = format!(
        "{}{}{}",
        std::env::consts::DLL_PREFIX,
        CRATE.replace('-', "_"),
        std::env::consts::DLL_SUFFIX
    );
    let library = workspace::target().join(profile).join(name);
    print_size(&library)?;
    Ok(library)
}

/// Writes a language's part around the library. Returns the folder with it.
fn generate(library: &Path, language: Language) -> Result<PathBuf> {
    let folder = root().join(language.name());
    workspace::make_empty(&folder)?;
    let generator = workspace::target().join("debug").join(GENERATOR);
    let mut generate =
        command::program(generator, ["generate", "--no-format", "--language", language.name()]);
    let config = workspace::root().join("bindings/uniffi.toml");
    let _ = generate.arg("--config").arg(config).arg("--out-dir").arg(&folder).arg(library);
    let _ = command::output(&mut generate)?;
    Ok(folder)
}

fn root() -> PathBuf {
    workspace::target().join("bindings")
}

fn print_size(path: &Path) -> Result<()> {
    let len = std::fs::metadata(path).with_context(|| path.display().to_string())?.len();
    println!("{:>6} KiB  {}", len.div_ceil(1024), path.display());
    Ok(())
}
