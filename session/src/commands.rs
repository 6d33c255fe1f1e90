//! Commands are known by keys: what each side keeps of them (spec, delivery, *Commands*).
//!
//! May touch: nothing outside memory.

pub(crate) mod phone;
pub(crate) mod version_1;
pub(crate) mod web;

/// What a phone does with a command that comes again after it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a result is kept or it is not")]
pub enum Repeat {
    /// It answers with the same result, or tells that the command was run.
    Answer,
    /// It runs the command again: one that only reads, and whose result holds text of messages.
    Run,
}

/// A key that counts up with its number.
#[cfg(test)]
fn test_key(n: u64) -> handfast_codec::ids::CommandKey {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    handfast_codec::ids::CommandKey::from_bytes(bytes)
}
