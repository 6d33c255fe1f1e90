//! Vectors of the Handfast protocol: made here, checked here and, independently, by `check.py`.
//!
//! A *case* has an input and an operation on it, and either an output or the error code of the specification. The
//! files in `v1/` are the authority for other implementations; `README.md` explains their fields. Keys are
//! deterministic: see [`seed`].

mod build;
pub mod case;
pub mod cli;
pub mod damaged;
mod derive;
mod describe;
pub mod dissector;
pub mod example;
mod fields;
pub mod grammar;
mod link_keys;
pub mod live;
#[cfg(test)]
mod machines;
pub mod manifest;
pub mod ops;
pub mod out;
pub mod peer;
pub mod runner;
pub mod seed;
pub mod shim;
pub mod state;
pub mod stats;
pub mod suite;
mod templates;
mod topics;

use anyhow::Result;

use crate::case::VectorFile;

/// Makes every vector file anew.
///
/// # Errors
///
/// If a case does not end as its author wrote down: then code and vectors disagree.
pub fn files() -> Result<Vec<VectorFile>> {
    topics::ALL.iter().map(|(name, comment, cases)| VectorFile::new(name, comment, cases()?)).collect()
}
