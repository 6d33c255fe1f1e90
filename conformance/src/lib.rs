//! Vectors of the Handfast protocol: made here, checked here and, independently, by `check.py`.
//!
//! A *case* has an input and an operation on it, and either an output or the error code of the specification. The
//! files in `v1/` are the authority for other implementations; `README.md` explains their fields. Keys are
//! deterministic: see [`seed`].
//!
//! On WebAssembly there are the operations and the grammar alone: no runner, no shim, no sockets.

#![cfg_attr(
    target_family = "wasm",
    allow(dead_code, unused_imports, reason = "what only the runner uses is without a user there")
)]

mod build;
pub mod case;
#[cfg(not(target_family = "wasm"))]
pub mod cli;
#[cfg(not(target_family = "wasm"))]
pub mod damaged;
mod derive;
mod describe;
#[cfg(not(target_family = "wasm"))]
pub mod dissector;
#[cfg(not(target_family = "wasm"))]
pub mod example;
mod fields;
pub mod grammar;
mod link_keys;
#[cfg(not(target_family = "wasm"))]
pub mod live;
#[cfg(test)]
mod machines;
#[cfg(not(target_family = "wasm"))]
pub mod manifest;
pub mod ops;
#[cfg(not(target_family = "wasm"))]
pub mod out;
#[cfg(not(target_family = "wasm"))]
pub mod peer;
#[cfg(not(target_family = "wasm"))]
pub mod runner;
pub mod seed;
#[cfg(not(target_family = "wasm"))]
pub mod shim;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod stats;
#[cfg(not(target_family = "wasm"))]
pub mod suite;
#[cfg(not(target_family = "wasm"))]
mod templates;
#[cfg(not(target_family = "wasm"))]
mod topics;

use anyhow::Result;

use crate::case::VectorFile;

/// Makes every vector file anew.
///
/// # Errors
///
/// If a case does not end as its author wrote down: then code and vectors disagree.
#[cfg(not(target_family = "wasm"))]
pub fn files() -> Result<Vec<VectorFile>> {
    topics::ALL.iter().map(|(name, comment, cases)| VectorFile::new(name, comment, cases()?)).collect()
}
