//! `cargo xtask wasm`: the engine of the page as an importable package in `reference-web/page/pkg`.

mod toolchain;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use handfast_e2e::engine::{COMPRESSED_MAX, compressed_len, package};

use crate::pack::has_ending;
use crate::{command, notices, workspace};
use toolchain::Toolchain;
pub(crate) use toolchain::{is_wrapper as is_rustc_wrapper, wrap as wrap_rustc};

/// The crate that is built, and the name of what comes of it.
pub(crate) const PACKAGE: &str = "reference-web-wasm";
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// Where the scripts lie that are not generated: those of pages, with those of Node in a folder of their own.
pub(crate) const SOURCE: &str = "handfast/js";

/// What to build.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Options {
    /// Installs nothing: says what is missing, and the command that installs it.
    #[arg(long)]
    no_install: bool,
}

/// Builds the package, and says how large the module is.
///
/// # Errors
/// A tool is missing and may not be installed, or the build fails.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let package = package();
    bind(options, &package)?;
    for name in scripts(&workspace::root().join(SOURCE))? {
        copy(&workspace::root().join(SOURCE).join(&name), &package.join(&name))?;
    }
    measure(&package.join("handfast_bg.wasm"))
}

/// Builds the module, and writes it with its generated script and types and its notices into a folder that is emptied before.
///
/// # Errors
/// A tool is missing and may not be installed, or the build fails.
pub(crate) fn bind(options: &Options, folder: &Path) -> Result<()> {
    let toolchain = Toolchain::find(!options.no_install)?;
    command::run(&mut toolchain.build(PACKAGE))?;
    generate(&module(toolchain, PACKAGE)?, folder, &["handfast"])?;
    declare_for_all(&folder.join("handfast.d.ts"))?;
    let notices = notices::make(&notices::Options::of(PACKAGE, Some(TARGET)))?;
    std::fs::write(folder.join(notices::FILE), notices)
        .with_context(|| format!("cannot write to {}", folder.display()))
}

/// What is missing to build a module, after it was installed if that is allowed.
pub(crate) fn missing() -> Option<String> {
    Toolchain::find(true).err().map(|error| error.to_string())
}

/// Builds a package for pages as `NAME.js`, a plain script, and `NAME_bg.wasm`. It may have features for tests.
///
/// # Errors
/// A tool is missing and may not be installed, or the build fails.
pub(crate) fn build_script(package: &str, folder: &Path, name: &str) -> Result<()> {
    let toolchain = Toolchain::find(true)?;
    command::run(toolchain.build(package).env(command::TEST_BUILD, "1"))?;
    generate(&module(toolchain, package)?, folder, &[name, "script"])
}

/// The module that was built of a package.
fn module(toolchain: Toolchain, package: &str) -> Result<PathBuf> {
    let module = toolchain.folder().join("wasm").join(format!("{}.wasm", package.replace('-', "_")));
    ensure!(module.is_file(), "{} was not built", module.display());
    Ok(module)
}

/// Makes the JavaScript around a module, in a folder that is emptied first.
fn generate(module: &Path, folder: &Path, words: &[&str]) -> Result<()> {
    workspace::make_empty(folder)?;
    let mut bindgen = command::cargo(["run", "--quiet", "--locked", "--package", "xtask-bindgen", "--"]);
    command::run(bindgen.arg(module).arg(folder).args(words))
}

/// What begins the part of the generated types that loads the module. The scripts of the package do that.
const LOADING: &str = "export type InitInput";

/// Takes out of the generated types what an application never uses and not every project knows: the types of a browser,
/// by which the module is loaded, and a method of the newest libraries of TypeScript.
fn declare_for_all(types: &Path) -> Result<()> {
    let text = std::fs::read_to_string(types).with_context(|| format!("no {}", types.display()))?;
    let (own, _) =
        text.split_once(LOADING).context("the generated types say nowhere how to load the module")?;
    let lines = own.lines().filter(|line| !line.contains("[Symbol.dispose]"));
    let kept: String = lines.flat_map(|line| [line, "\n"]).collect();
    std::fs::write(types, kept).with_context(|| format!("cannot write {}", types.display()))
}

/// The names of the scripts in a folder, and of what says their types.
pub(crate) fn scripts(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("no folder {}", folder.display()))? {
        let name = entry?.file_name().into_string().ok().context("a name that is no UTF-8")?;
        if ["js", "ts"].iter().any(|ending| has_ending(&name, ending)) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {}", from.display()))
}

fn measure(module: &Path) -> Result<bool> {
    let bytes = std::fs::read(module).with_context(|| format!("no {}", module.display()))?;
    let compressed = compressed_len(&bytes)?;
    let fits = compressed <= COMPRESSED_MAX;
    println!(
        "\n{}: {} bytes, {compressed} with gzip -9, {} % of the {COMPRESSED_MAX} that are allowed{}",
        module.strip_prefix(workspace::root()).unwrap_or(module).display(),
        bytes.len(),
        100 * compressed / COMPRESSED_MAX,
        if fits { "" } else { ": TOO LARGE" },
    );
    Ok(fits)
}
