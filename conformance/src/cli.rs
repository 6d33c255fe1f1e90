//! The command line: lists, checks and makes the vectors of the Handfast protocol, and asks implementations.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, Subcommand};

use crate::case::Verdict;
use crate::damaged::Damaged;
use crate::manifest::{self, Manifest};
use crate::out::{Unwritable, complain, print, print_line};
use crate::stats::Stats;
use crate::suite::{Source, load, parse, paths};
use crate::templates::{self, Language};
use crate::{peer, runner};

/// The exit codes, below the help of each command.
const EXIT_CODES: &str =
    "Exit codes: 0 all is as expected; 1 something failed; 2 wrong usage, or a file that cannot be read";

/// Asks implementations of the Handfast protocol the test vectors, and plays a faulty peer against them.
#[derive(Parser)]
#[command(name = "handfast-conformance", version, after_help = EXIT_CODES)]
struct Arguments {
    /// A folder of vector files, in place of those that this program brings along.
    #[arg(long, global = true, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the id of every case, or how many there are.
    List {
        /// Print the counts of each file alone.
        #[arg(long)]
        count: bool,
        /// Print what the cases cover: how many differ, how many are negative, kinds, mutators, state cells.
        #[arg(long, conflicts_with = "count")]
        stats: bool,
        /// Only the cases whose id fits this pattern, in which `*` is any text.
        #[arg(long, default_value = "*", conflicts_with_all = ["count", "stats"])]
        case: String,
    },
    /// Run every case, and compare the files with what this build would make.
    Check,
    /// Make the files anew.
    Generate,
    /// Ask an implementation every case through its shim: see SHIMS.md.
    Run(runner::Options),
    /// Hold implementations side by side, of reports or asked now.
    Compare(runner::CompareOptions),
    /// Print how to write a shim (SHIMS.md), or one to fill in.
    Shim {
        /// The language of the shim to fill in.
        #[arg(value_enum)]
        language: Option<Language>,
    },
    /// Play a faulty peer against an implementation, live and in virtual time.
    Peer(runner::Options),
    /// Ask a running relay, over real WebSockets.
    Live(crate::live::Options),
    /// In a checkout: plant each of `mutants/*.patch` in a copy; a case or the faulty peer must notice.
    Mutants {
        /// Only those whose name contains this text.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Print the worked example of the specification, `spec/example.md`.
    Example,
    /// Print the state tables of the specification, `spec/state.md`.
    States,
    /// End the process groups that are named on standard input when that closes.
    #[command(hide = true, name = KEEP)]
    Keep,
}

/// The verb of the process that ends the shims after the runner.
const KEEP: &str = "keep";

fn list(source: &Source, count: bool, pattern: &str) -> Result<()> {
    let (mut total, mut negative, mut lines) = (0, 0, String::new());
    for (path, text) in source.texts()? {
        let file = parse(&path, &text)?;
        let invalid = file.cases.iter().filter(|case| case.result == Verdict::Invalid).count();
        (total, negative) = (total + file.cases.len(), negative + invalid);
        if count {
            let _ = writeln!(lines, "{:>4} of them {:>3} invalid  {}", file.cases.len(), invalid, file.topic);
        } else {
            let fits = file.cases.iter().filter(|case| runner::matches(pattern, &case.id));
            lines.extend(fits.map(|case| format!("{}\n", case.id)));
        }
    }
    if count {
        let _ = writeln!(lines, "{total:>4} of them {negative:>3} invalid  in all");
    }
    Ok(print(&lines)?)
}

fn stats(source: &Source) -> Result<()> {
    Ok(print(&Stats::of(&load(source)?)?.page())?)
}

fn check(source: &Source) -> Result<()> {
    let stored = load(source)?;
    let cases: Vec<_> = stored.iter().flat_map(|file| &file.cases).collect();
    let faults: Vec<_> = cases.iter().filter_map(|case| case.check().err()).collect();
    if !faults.is_empty() {
        let lines: Vec<_> = faults.iter().map(|fault| format!("{fault:#}")).collect();
        bail!("{} faults in {} cases:\n{}", faults.len(), cases.len(), lines.join("\n"));
    }
    let made = crate::files()?;
    let texts = source.texts()?;
    ensure!(texts.len() == made.len(), "there are {} files, {} are made", texts.len(), made.len());
    for file in &made {
        let is_this = |path: &Path| path.file_stem().is_some_and(|stem| stem == file.topic.as_str());
        let text = texts.iter().find_map(|(path, text)| is_this(path).then_some(text));
        let is_same = text == Some(&file.to_text()?);
        ensure!(is_same, "{}: the file differs from what this build makes", file.topic);
    }
    Ok(print_line(&format!("{} cases in {} files agree", cases.len(), made.len()))?)
}

fn generate(folder: Option<&Path>) -> Result<()> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/v1");
    let folder = folder.unwrap_or(&own);
    ensure!(
        folder != own || own.is_dir(),
        "this is no checkout: say with --folder where the files are to be"
    );
    fs::create_dir_all(folder)?;
    for path in paths(folder)? {
        fs::remove_file(path)?;
    }
    let mut total = 0;
    let files = crate::files()?;
    for file in &files {
        total += file.count;
        fs::write(folder.join(&file.topic).with_extension("json"), file.to_text()?)?;
    }
    let name = folder.file_name().context("the folder has a name")?.to_string_lossy();
    fs::write(manifest::path(folder), Manifest::of(&name, &files)?.to_text()?)?;
    Ok(print_line(&format!("{total} cases written to {}", folder.display()))?)
}

/// The machinery of patches and copies is that of `cargo xtask`.
fn mutants(only: &str) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    ensure!(root.join("xtask/Cargo.toml").is_file(), "mutants are planted in a checkout of the repository");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut task = std::process::Command::new(cargo);
    let _ = task.current_dir(root).args(["run", "--quiet", "--package", "xtask", "--", "mutants"]);
    let status = task.args(["--only", only]).status()?;
    ensure!(status.success(), "a mutant is not caught");
    Ok(())
}

/// Runs the program with the arguments of this process. Exit code 1: something is wrong with what was looked at; 2: it
/// could not be looked at.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let source = &arguments.folder.clone().map_or(Source::Embedded, Source::Folder);
    let done = match &arguments.command {
        Command::List { stats: true, .. } => stats(source),
        Command::List { count, case, .. } => list(source, *count, case),
        Command::Check => check(source),
        Command::Generate => generate(arguments.folder.as_deref()),
        Command::States => crate::state::page().and_then(|page| Ok(print(&page)?)),
        Command::Mutants { only } => mutants(only),
        Command::Shim { language: Some(language) } => print(language.template()).map_err(Into::into),
        Command::Shim { language: None } => print(&templates::how()).map_err(Into::into),
        Command::Keep => runner::keep().map_err(Into::into),
        Command::Example => crate::example::page().and_then(|page| Ok(print(&page)?)),
        Command::Run(_) | Command::Compare(_) | Command::Peer(_) | Command::Live(_) => {
            match of_implementations(source, &arguments.command) {
                Ok(true) => Ok(()),
                Ok(false) => return ExitCode::FAILURE,
                Err(error) => return failed(&error, 2),
            }
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Damaged>() || error.is::<Unwritable>() => failed(&error, 2),
        Err(error) => failed(&error, 1),
    }
}

/// Whether every implementation did as it should.
fn of_implementations(source: &Source, command: &Command) -> Result<bool> {
    runner::start_keeper(KEEP).context("the process that ends the shims cannot be started")?;
    let (_, good) = match command {
        Command::Run(options) => runner::run(source, options)?,
        Command::Compare(options) => {
            let played = [peer::cases()?, crate::live::cases()?].concat();
            return runner::compare(source, played, options);
        }
        Command::Peer(options) => peer::run(options)?,
        Command::Live(options) => return crate::live::run(options),
        _ => bail!("this command has no implementation to ask"),
    };
    Ok(good)
}

fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    complain(&format!("{error:#}"));
    ExitCode::from(code)
}
