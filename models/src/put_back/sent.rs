//! What the two sides send each other.

/// A command as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Command {
    pub(super) number: u8,
    pub(super) floor: u8,
    pub(super) key: u8,
}

/// A result: the key of the command that it is of, and the number under which it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outcome {
    pub(super) number: u8,
    pub(super) key: u8,
}

/// What a phone tells with its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Known {
    pub(super) highest: u8,
    pub(super) key: u8,
    pub(super) from: u8,
}
