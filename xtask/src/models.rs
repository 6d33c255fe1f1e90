//! `cargo xtask models`: the exhaustive searches over the real ratchet and resume types.

use anyhow::Result;

use crate::command;

/// Runs the searches, which print how many states they have seen.
///
/// # Errors
/// A search finds a violation, or does not find the one that a left-out rule must bring.
pub(crate) fn run() -> Result<bool> {
    command::run(&mut command::cargo([
        "test",
        "--locked",
        "--package",
        "handfast-session",
        "--test",
        "search",
        "--",
        "--nocapture",
        "--test-threads=1",
    ]))?;
    Ok(true)
}
