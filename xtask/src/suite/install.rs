//! Tries the packages as somebody who has neither Rust nor this repository: installed from the built files with an empty
//! home folder, then run against a shim with one fault.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::{Built, NAME, Options, TEXTS};
use crate::{command, workspace};

/// How long it may take from the package to the first failure that is explained.
const TIME_MAX: Duration = Duration::from_mins(1);
/// What the shims to fill in check, and do not where they have the fault: both languages write it so.
const CHECK: [(&str, &str); 2] =
    [("suite != 1 or mode > 1", "suite != 1"), ("suite !== 1 || mode > 1", "suite !== 1")];
/// What is printed of the first failure.
const EXPLAINED: [&str; 6] = [
    "FAIL refuse-heads/mode-2: it must be refused with FIELD_VALUE (framing), and was accepted",
    "[HSK-078] ",
    "expected: {\"area\":\"framing\",\"code\":\"FIELD_VALUE\",\"ok\":false}",
    "the bytes of `message`, as KkMessage1 of spec/wire.tls:",
    "here the grammar refuses it: FIELD_VALUE",
    "this case alone (",
];

/// Builds the packages from the build of the tests, installs each, and runs it.
///
/// # Errors
/// A package does not install or run, does not explain the fault, or not within a minute.
pub(crate) fn check() -> Result<()> {
    let built = super::build(&Options { dev: true })?;
    for package in [&built.wheel, &built.tarball] {
        let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!("{name}: {} KiB, of the dev profile", std::fs::metadata(package)?.len().div_ceil(1024));
    }
    with_pip(&built)?;
    with_npm(&built)
}

/// A folder with nothing in it but what a package needs, which is also the home of its user.
struct Stranger {
    folder: TempDir,
}

impl Stranger {
    /// Has these programs, by name, and no other.
    fn new(programs: &[(&str, PathBuf)]) -> Result<Self> {
        let folder = TempDir::new()?;
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin)?;
        for (name, path) in programs {
            symlink(path, bin.join(name)).with_context(|| (*name).to_owned())?;
        }
        std::fs::create_dir(folder.path().join("work"))?;
        let stranger = Self { folder };
        ensure!(!command::succeeds(&mut stranger.command("cargo", &["--version"])), "cargo is in the path");
        Ok(stranger)
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A command in the empty folder, found by the path of the stranger.
    fn command(&self, program: impl AsRef<Path>, words: &[&str]) -> Command {
        // A name without a folder is searched in the path of this process.
        let named = self.folder.path().join("bin").join(program.as_ref());
        let mut command = Command::new(named);
        let home = self.folder.path();
        let _ = command.args(words).current_dir(self.work()).stdin(Stdio::null());
        let _ = command.env_clear().env("HOME", home).env("PATH", home.join("bin"));
        command
    }

    /// Writes the shim to fill in, with one check taken out.
    fn write_faulty(&self, template: &str) -> Result<()> {
        let path = workspace::root().join("conformance/shims").join(template);
        let right = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let wrong = CHECK.iter().fold(right.clone(), |text, (check, without)| text.replace(check, without));
        ensure!(right != wrong, "{template} has no such check");
        Ok(std::fs::write(self.work().join(template), wrong)?)
    }
}

fn with_pip(built: &Built) -> Result<()> {
    let python = real("python3", &["-c", "import os, sys; print(os.path.realpath(sys.executable))"])?;
    let stranger = Stranger::new(&[("python3", python), ("sh", "/bin/sh".into())])?;
    stranger.write_faulty("template.py")?;
    command::run(&mut stranger.command("python3", &["-m", "venv", "environment"]))
        .context("Debian splits venv off: install the package python3-venv")?;
    let start = Instant::now();
    let environment = stranger.work().join("environment/bin");
    let mut pip = stranger.command(environment.join("python3"), &["-m", "pip", "install", "--quiet"]);
    command::run(pip.args(["--no-index", "--disable-pip-version-check"]).arg(&built.wheel))?;
    let installed = start.elapsed();
    let program = environment.join(NAME);
    let mut run = stranger.command(&program, &["run", "--shim", "python3 template.py"]);
    explained(&mut run, NAME)?;
    told("pip", installed, start.elapsed())?;
    let list = "import importlib.metadata as m; print(*[f.name for f in m.files('handfast-conformance')])";
    let files = command::output(&mut stranger.command(environment.join("python3"), &["-c", list]))?;
    carries(|name| files.split_whitespace().any(|file| file == name || name == "README.md"))
}

fn with_npm(built: &Built) -> Result<()> {
    let node = real("node", &["-p", "process.execPath"])?;
    let [npm, npx] = ["npm", "npx"].map(found);
    let programs = [("node", node), ("npm", npm?), ("npx", npx?), ("sh", "/bin/sh".into())];
    let stranger = Stranger::new(&programs)?;
    stranger.write_faulty("template.mjs")?;
    let start = Instant::now();
    let mut install =
        stranger.command("npm", &["install", "--offline", "--no-audit", "--no-fund", "--silent"]);
    command::run(install.arg(&built.tarball))?;
    let installed = start.elapsed();
    let mut run = stranger.command("npx", &["--no-install", NAME, "run", "--shim", "node template.mjs"]);
    explained(&mut run, &format!("npx {NAME}"))?;
    told("npm", installed, start.elapsed())?;
    let package = stranger.work().join("node_modules").join(NAME);
    carries(|name| package.join(name).is_file())?;
    other_platform(&stranger, &package)
}

/// Where a program is that may be a script which asks for another one.
fn real(program: &str, words: &[&str]) -> Result<PathBuf> {
    Ok(command::output(&mut command::program(program, words))?.trim().into())
}

/// The file behind a name in the path of this process.
fn found(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").context("there is no PATH")?;
    let file = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    let file = file.with_context(|| format!("{program} is not in the path"))?;
    std::fs::canonicalize(&file).with_context(|| file.display().to_string())
}

/// Runs all cases against a shim with one fault, which must be explained; the line that repeats it begins with `called`.
fn explained(run: &mut Command, called: &str) -> Result<()> {
    let output = run.output().context("the installed program cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.code() == Some(1), "it ends with {}, right is exit code 1", output.status);
    let again = format!("      {called} run --shim ");
    for part in EXPLAINED.iter().copied().chain([again.as_str()]) {
        ensure!(text.contains(part), "it does not say `{part}`");
    }
    Ok(())
}

fn told(package: &str, installed: Duration, all: Duration) -> Result<()> {
    let (installed, seconds) = (installed.as_secs_f32(), all.as_secs_f32());
    println!(
        "{package}: installed after {installed:.1} s, the first failure is explained after {seconds:.1} s"
    );
    ensure!(all < TIME_MAX, "{package}: more than {} s", TIME_MAX.as_secs());
    Ok(())
}

/// Whether the licences are part of what is installed.
fn carries(has: impl Fn(&str) -> bool) -> Result<()> {
    let missing: Vec<&str> = TEXTS.into_iter().filter(|name| !has(name)).collect();
    ensure!(missing.is_empty(), "the installed package lacks {}", missing.join(", "));
    Ok(())
}

/// On a platform for which the package has no program, its launcher says so in one line.
fn other_platform(stranger: &Stranger, package: &Path) -> Result<()> {
    let pretend = stranger.work().join("pretend.cjs");
    std::fs::write(&pretend, "Object.defineProperty(process, 'platform', { value: 'sunos' });")?;
    let mut node = stranger.command("node", &["--require"]);
    let output = node.arg(&pretend).arg(package.join(format!("{NAME}.js"))).arg("list").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let is_right = output.status.code() == Some(2)
        && said.contains("no program for sunos-")
        && said.lines().count() == 1;
    ensure!(is_right, "for another platform the launcher ends with {} and says: {said}", output.status);
    Ok(())
}
