//! `cargo xtask wasm`: the engine of the page as an importable package in `reference-web/page/pkg`.

mod toolchain;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use handfast_e2e::engine::{COMPRESSED_MAX, compressed_len, package};

use crate::{command, notices, workspace};
use toolchain::Toolchain;
pub(crate) use toolchain::{is_wrapper as is_rustc_wrapper, wrap as wrap_rustc};

/// The crate that is built, and the name of what comes of it.
const PACKAGE: &str = "reference-web-wasm";
const TARGET: &str = "wasm32-unknown-unknown";
/// Files of the package that are not generated: the driver, and what is said about it.
const SOURCE: &str = "handfast/js";

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
    let toolchain = Toolchain::find(!options.no_install)?;
    command::run(&mut toolchain.build(PACKAGE))?;
    let module = toolchain.folder().join("wasm").join("reference_web_wasm.wasm");
    ensure!(module.is_file(), "{} was not built", module.display());
    let package = package();
    if package.exists() {
        std::fs::remove_dir_all(&package).with_context(|| format!("cannot empty {}", package.display()))?;
    }
    std::fs::create_dir_all(&package)?;
    let mut bindgen = command::cargo(["run", "--quiet", "--locked", "--package", "xtask-bindgen", "--"]);
    command::run(bindgen.arg(&module).arg(&package).arg("handfast"))?;
    copy(&workspace::root().join(SOURCE), &package)?;
    let notices = notices::make(&notices::Options::of(PACKAGE, Some(TARGET)))?;
    std::fs::write(package.join(notices::FILE), notices)?;
    measure(&package.join("handfast_bg.wasm"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("no folder {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().context("a file without a name")?;
        let _ =
            std::fs::copy(&path, to.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
    }
    Ok(())
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
