//! `cargo xtask suite`: the conformance suite as packages for pip and npm, which hold the program and need no Rust.

pub(crate) mod install;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{command, notices, venv, workspace};

/// The crate, its program, and both packages.
const NAME: &str = "handfast-conformance";
/// What both packages carry beside the program.
const TEXTS: [&str; 4] = ["README.md", "LICENSE-MIT", "LICENSE-APACHE", notices::FILE];

/// How to build.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Options {
    /// Takes the dev profile, whose build is there after the tests: larger and slower, for trying the packages
    #[arg(long)]
    pub(crate) dev: bool,
}

/// The built packages.
pub(crate) struct Built {
    pub(crate) wheel: PathBuf,
    pub(crate) tarball: PathBuf,
}

/// Builds both packages and prints where they are, and their sizes.
///
/// # Errors
/// Those of [`build`].
pub(crate) fn run(options: &Options) -> Result<bool> {
    let Built { wheel, tarball } = build(options)?;
    for package in [wheel, tarball] {
        let len = std::fs::metadata(&package)?.len();
        println!("{:>6} KiB  {}", len.div_ceil(1024), package.display());
    }
    Ok(true)
}

/// Builds the wheel with maturin, and the npm package around the same program.
///
/// # Errors
/// Python with venv, Node or npm is missing, or a build fails.
pub(crate) fn build(options: &Options) -> Result<Built> {
    let root = workspace::target().join("suite");
    let (python, npm, out) = (root.join("python"), root.join("npm"), root.join("packages"));
    for folder in [&python, &npm, &out] {
        workspace::make_empty(folder)?;
    }
    let notices = notices::make(&notices::Options::of(NAME, None))?;
    for folder in [&python, &npm] {
        copy_texts(folder, &notices)?;
    }
    let wheel = wheel(&root, &python, &out, options)?;
    let tarball = tarball(&root, &npm, &wheel, &out)?;
    Ok(Built { wheel, tarball })
}

/// Where the sources of the packages are.
fn sources() -> PathBuf {
    workspace::root().join("conformance/packages")
}

fn copy_texts(folder: &Path, notices: &str) -> Result<()> {
    std::fs::write(folder.join(notices::FILE), notices)?;
    let _ = std::fs::copy(sources().join("README.md"), folder.join("README.md"))?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let _ = std::fs::copy(workspace::root().join(licence), folder.join(licence)).context(licence)?;
    }
    Ok(())
}

fn wheel(root: &Path, folder: &Path, out: &Path, options: &Options) -> Result<PathBuf> {
    let project = std::fs::read_to_string(sources().join("pyproject.toml"))?;
    let manifest = workspace::root().join("conformance/Cargo.toml");
    // TOML takes a JSON text as one of its own.
    let line = format!("[tool.maturin]\nmanifest-path = {}\n", Value::from(manifest.display().to_string()));
    std::fs::write(folder.join("pyproject.toml"), project.replace("[tool.maturin]\n", &line))?;
    let mut build = command::program(maturin(root, &project)?, ["build", "--locked", "--out"]);
    let _ = build.arg(out).current_dir(folder);
    if !options.dev {
        // The suite is for tests: its faulty peer needs what no application may have.
        let _ = build.arg("--release").env(command::TEST_BUILD, "1");
    }
    command::run(&mut build)?;
    only_file(out, "whl")
}

/// The version of maturin that the project names, in an environment of its own below the target folder.
fn maturin(root: &Path, project: &str) -> Result<PathBuf> {
    let requirement = project.split('"').find(|text| text.starts_with("maturin=="));
    let requirement = requirement.context("pyproject.toml names no version of maturin")?;
    let environment = root.join("maturin");
    let program = environment.join("bin/maturin");
    let version = requirement.replace("==", " ");
    let is_there = || {
        program.is_file()
            && command::output(&mut command::program(&program, ["--version"]))
                .is_ok_and(|told| told.trim() == version)
    };
    if !is_there() {
        let _ = venv::make(&environment, &[requirement])?;
        ensure!(is_there(), "{} is not {version}", program.display());
    }
    Ok(program)
}

/// The npm package, with the program of the wheel.
fn tarball(root: &Path, folder: &Path, wheel: &Path, out: &Path) -> Result<PathBuf> {
    let platform =
        command::output(&mut command::program("node", ["-p", "process.platform + '-' + process.arch"]))?;
    let native = folder.join("native").join(platform.trim());
    std::fs::create_dir_all(&native)?;
    let script = format!("{NAME}.js");
    let _ = std::fs::copy(sources().join(&script), folder.join(&script))?;
    let text = std::fs::read_to_string(sources().join("package.json"))?;
    let mut package: Value = serde_json::from_str(&text).context("package.json")?;
    package["version"] = env!("CARGO_PKG_VERSION").into();
    std::fs::write(folder.join("package.json"), serde_json::to_string_pretty(&package)? + "\n")?;
    let unpack = "import os, sys, zipfile\n\
        wheel = zipfile.ZipFile(sys.argv[1])\n\
        [name] = [name for name in wheel.namelist() if '.data/scripts/' in name]\n\
        open(sys.argv[2], 'wb').write(wheel.read(name))\n\
        os.chmod(sys.argv[2], 0o755)";
    let mut python = command::program(root.join("maturin/bin/python3"), ["-c", unpack]);
    let _ = command::output(python.arg(wheel).arg(native.join(NAME)))?;
    let mut pack = command::program("npm", ["pack", "--silent", "--pack-destination"]);
    let _ = command::output(pack.arg(out).current_dir(folder))?;
    only_file(out, "tgz")
}

fn only_file(folder: &Path, ending: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths = entries.iter().map(std::fs::DirEntry::path);
    paths
        .find(|path| path.extension().is_some_and(|is| is == ending))
        .with_context(|| format!("no .{ending} in {}", folder.display()))
}
