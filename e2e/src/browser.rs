//! `cargo xtask page-test`: the page in Debian's Chromium, as the companion of the real phone over the real relay.
//!
//! Pictures of the screens are written to `reference-web/screenshots`.

mod adversity;
mod axe;
pub mod bench;
mod changes;
mod chosen_files;
mod chromium;
mod everyday;
mod firefox;
mod flood;
mod keyboard;
mod looks;
mod media;
mod no_network;
mod old_messages;
mod report;
mod scenes;
mod script;
mod scroll;
mod served;
pub mod site;
mod steps;
mod store;
mod story;
mod tab;
mod troubles;
mod unconfirmed;
pub(crate) mod webdriver;
mod window;

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::processes::build::Programs;
use crate::processes::{build, random};
use crate::{engine, workspace};

/// What to run.
#[derive(clap::Args, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Options {
    /// Takes the engine as it was built last, if it was.
    #[arg(long)]
    keep_engine: bool,
    /// Plays the chapter about old messages and many chats, and nothing else.
    #[arg(long)]
    old_messages: bool,
    /// Looks at a report of the conformance runner, and at nothing else.
    #[arg(long)]
    report: bool,
    /// Plays only what a page meets on an ordinary day.
    #[arg(long)]
    day: bool,
}

/// Builds the page's engine by `engine`, and the programs, and plays the tests; returns whether all that was checked held.
///
/// # Errors
/// Something cannot be built, installed or started.
pub fn run(options: &Options, engine: fn() -> Result<bool>) -> Result<bool> {
    chromium::ensure()?;
    if !options.old_messages && !options.day {
        report::look()?;
    }
    if options.report {
        return Ok(true);
    }
    let (programs, root) = prepare(engine, options.keep_engine)?;
    let pictures = workspace::root().join("reference-web/screenshots");
    std::fs::create_dir_all(&pictures)?;
    let good = story::play(&programs, &root, &pictures, options)?;
    if good {
        std::fs::remove_dir_all(&root).with_context(|| format!("{} cannot be removed", root.display()))?;
    }
    Ok(good)
}

/// Installs the browser if it is missing.
///
/// # Errors
/// It is missing and cannot be installed. The message names the command.
pub(crate) fn ensure() -> Result<()> {
    chromium::ensure()
}

/// Builds the page and the programs, and makes a folder for their data.
fn prepare(engine: fn() -> Result<bool>, keep_engine: bool) -> Result<(Programs, PathBuf)> {
    chromium::ensure()?;
    if !keep_engine || !engine::package().is_dir() {
        let _ = engine()?;
    }
    let programs = build::build(false)?;
    let root = std::env::temp_dir().join(format!("handfast-page-{}", random::hex(4)?));
    std::fs::create_dir_all(&root)?;
    println!("Data and logs lie in {}", root.display());
    Ok((programs, root))
}
