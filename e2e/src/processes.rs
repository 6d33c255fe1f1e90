//! `cargo xtask demo`: relay, phone and companion as three processes on this machine.

pub mod build;
pub(crate) mod comparison;
mod control;
pub(crate) mod devices;
mod interactive;
pub mod keeper;
mod ledger;
pub(crate) mod patience;
pub(crate) mod photo;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod story;
pub(crate) mod table;

use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// How to show it.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Plays the whole story without asking, kills the programs on its way, and compares at the end.
    #[arg(long)]
    headless: bool,
    /// The folder for data and logs; it stays. Without it, a fresh folder that is removed after success.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Takes the programs that `cargo xtask test` has built and kept.
    #[arg(long, hide = true, requires = "headless")]
    kept: bool,
}

/// Runs the demo; returns whether everything that was checked held.
///
/// # Errors
/// The programs cannot be built or started.
pub fn run(options: &Options) -> Result<bool> {
    let programs = if options.kept { build::kept(true)? } else { build::build(options.headless)? };
    let root = match &options.dir {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("handfast-demo-{}", random::hex(4)?)),
    };
    std::fs::create_dir_all(&root).with_context(|| format!("{} cannot be made", root.display()))?;
    let root = root.canonicalize()?;
    println!("Data and logs lie in {}", root.display());
    let good =
        if options.headless { story::play(&programs, &root)? } else { interactive::run(&programs, &root)? };
    if good && options.dir.is_none() {
        std::fs::remove_dir_all(&root).with_context(|| format!("{} cannot be removed", root.display()))?;
    } else {
        println!("Data and logs stay in {}", root.display());
    }
    Ok(good)
}
