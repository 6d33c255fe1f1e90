//! How far the search goes, and what it must not find.

use super::rules::Rules;

/// What may go wrong, how far the search goes, and which rules hold.
#[derive(Clone, Copy, Debug)]
pub struct PutBack {
    /// The rules.
    pub rules: Rules,
    /// What the user does at the web.
    pub acts: u8,
    /// Connections that are lost.
    pub cuts: u8,
    /// Copies that are made of the web's store; the last one is held.
    pub web_copies: u8,
    /// How often the held copy is put back.
    pub web_backs: u8,
    /// Copies that are made of the phone's store; all are held.
    pub phone_copies: u8,
    /// How often one of them is put back.
    pub phone_backs: u8,
    /// Settled commands whose keys are kept: 4,096 in the protocol.
    pub kept: u8,
    /// Commands that may be open: 1,024 in the protocol.
    pub open: u8,
    /// Whether ACKs may be lost.
    pub lost_acks: bool,
}

/// What must never be, and was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    CommandFloor,
    Limit,
    /// A command was settled that has not run, or by the result of another one.
    Settled,
    /// A side is said to have been put back, and was not.
    FalseAlarm,
}
