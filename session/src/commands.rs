//! Commands and their results, known by keys, so that each command runs once (spec, delivery, *Commands*).
//!
//! The modules: `phone` keeps the results of commands that ran, `unanswered` those that have no result yet,
//! `web` the companion's own commands; `version_1` migrates older stores. Nothing here does I/O.

pub(crate) mod phone;
pub(crate) mod unanswered;
pub(crate) mod version_1;
pub(crate) mod web;

/// What a phone does when a command arrives again after its result was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a result is kept or it is not")]
pub enum Repeat {
    /// It sends the stored result again, or `ALREADY_DONE` if the result is no longer kept. The command does
    /// not run again.
    Answer,
    /// It runs the command again. This is for a command that only reads and whose result contains text of
    /// messages: such text is not stored twice.
    Run,
}

/// Returns a command key made from a number, for tests.
#[cfg(test)]
fn test_key(n: u64) -> handfast_codec::ids::CommandKey {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    handfast_codec::ids::CommandKey::from_bytes(bytes)
}
