//! `cargo xtask models`: the exhaustive searches over the real rules, the models, and each rule patched out.

mod rules;
mod spin;
mod verifpal;

use anyhow::Result;

pub(crate) use rules::FOLDER as RULES;

/// Which of the models.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Runs also the symbolic models of the handshakes with Verifpal, which takes minutes.
    #[arg(long)]
    pub(crate) symbolic: bool,
}

/// Runs the models one after the other.
///
/// # Errors
/// A tool is missing and cannot be installed, or a model does not give its pinned verdict.
pub(crate) fn run(options: &Options) -> Result<bool> {
    spin::run()?;
    rules::run()?;
    if options.symbolic {
        verifpal::run()?;
    }
    Ok(true)
}
