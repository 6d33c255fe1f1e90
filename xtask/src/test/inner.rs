//! The inner crates know neither std nor a runtime.

use std::path::Path;

use anyhow::{Result, ensure};

use super::Done;
use crate::command;

const INNER: [&str; 5] =
    ["handfast-codec", "handfast-media", "handfast-messages", "handfast-handshake", "handfast-session"];

/// Crates that would bring an executor, sockets or clocks.
const RUNTIMES: [&str; 6] = ["tokio", "async-std", "smol", "mio", "futures-executor", "getrandom"];

/// Targets without std, the likeliest to be installed first.
const BARE_TARGETS: [&str; 6] = [
    "thumbv7em-none-eabihf",
    "thumbv7em-none-eabi",
    "x86_64-unknown-none",
    "riscv32imac-unknown-none-elf",
    "aarch64-unknown-none",
    "wasm32v1-none",
];

fn inner_words() -> impl Iterator<Item = &'static str> {
    INNER.into_iter().flat_map(|name| ["--package", name])
}

/// Checks the dependency tree of the inner crates.
///
/// # Errors
/// A feature `std` is on somewhere in it, or a runtime is part of it.
pub(crate) fn tree() -> Result<()> {
    let words = ["tree", "--locked", "--prefix", "none", "--edges", "normal,features"];
    let text = command::output(&mut command::cargo(words.into_iter().chain(inner_words())))?;
    ensure!(
        INNER.iter().all(|name| text.contains(name)),
        "cargo tree does not name the inner crates:\n{text}"
    );
    let bad = offenders(&text);
    ensure!(bad.is_empty(), "the inner crates depend on:\n{}", bad.join("\n"));
    println!("{} lines of cargo tree, no std feature, no runtime", text.lines().count());
    Ok(())
}

/// Returns the lines of `cargo tree` that must not be there.
fn offenders(tree: &str) -> Vec<&str> {
    let bad = |line: &&str| {
        let name = line.split_whitespace().next().unwrap_or_default();
        line.contains("feature \"std\"") || RUNTIMES.contains(&name)
    };
    tree.lines().filter(bad).collect()
}

/// Builds the inner crates for a target that has no std, where the toolchain has one or can build one.
///
/// # Errors
/// The build fails.
pub(crate) fn bare_metal() -> Result<Done> {
    let sysroot = command::output(&mut command::program("rustc", ["--print", "sysroot"]))?;
    let rustlib = Path::new(sysroot.trim()).join("lib/rustlib");
    let build = ["build", "--locked"].into_iter().chain(inner_words());
    if let Some(target) = BARE_TARGETS.into_iter().find(|target| rustlib.join(target).is_dir()) {
        command::run(&mut command::cargo(build.chain(["--target", target])))?;
        return Ok(Done::Passed);
    }
    if rustlib.join("src/rust/library/core").is_dir() {
        let extra = ["--target", "x86_64-unknown-none", "-Zbuild-std=core,alloc"];
        command::run(command::cargo(build.chain(extra)).env("RUSTC_BOOTSTRAP", "1"))?;
        return Ok(Done::Passed);
    }
    let wanted = BARE_TARGETS.join(", ");
    Ok(Done::Skipped(format!(
        "this toolchain has none of the targets {wanted}, nor rust-src to build one; \
         `rustup target add {}` brings one",
        BARE_TARGETS[0]
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn std_features_and_runtimes_are_offenders() {
        let tree =
            "handfast-codec v0.1.0\nnom feature \"alloc\"\nnom feature \"std\"\ntokio v1.54.0\nnom v8.0.0\n";
        assert_eq!(offenders(tree), ["nom feature \"std\"", "tokio v1.54.0"]);
    }
}
