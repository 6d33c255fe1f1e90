//! `cargo xtask wasm`: the engine of the page as an importable package in `reference-web/page/pkg`.

mod toolchain;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{command, workspace};
use toolchain::Toolchain;
pub(crate) use toolchain::{is_wrapper as is_rustc_wrapper, wrap as wrap_rustc};

/// The crate that is built, and the name of what comes of it.
const PACKAGE: &str = "reference-web-wasm";
const TARGET: &str = "wasm32-unknown-unknown";
/// The most that the module may weigh, compressed by `gzip -9`, in bytes.
pub(crate) const COMPRESSED_MAX: usize = 350 * 1024;
/// Files of the package that are not generated: the driver, and what is said about it.
const SOURCES: [&str; 2] = ["handfast/js", "reference-web/wasm/pkg"];

/// What to build.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Options {
    /// Installs nothing: says what is missing, and the command that installs it.
    #[arg(long)]
    no_install: bool,
}

/// The folder of the package.
pub(crate) fn package() -> PathBuf {
    workspace::root().join("reference-web/page/pkg")
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
    for folder in SOURCES {
        copy(&workspace::root().join(folder), &package)?;
    }
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

/// The length of bytes after `gzip -9`.
///
/// # Errors
/// They cannot be compressed.
pub(crate) fn compressed_len(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_small_and_what_does_not_is_not() {
        assert!(compressed_len(&vec![0; 100_000]).unwrap() < 1_000);
        let mixed: Vec<u8> =
            (0_u32..10_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        assert!(compressed_len(&mixed).unwrap() > 20_000);
    }
}
