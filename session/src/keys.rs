//! The keyspace of one link in the application's store: which key holds which row.
//!
//! The layouts are private to the handfast crates and carry their own version. Nothing here does I/O.

use alloc::vec::Vec;

use handfast_codec::frame::Collection;
use handfast_codec::ids::CommandKey;

/// Key of the store's version number, which every commit compares and increments.
pub(crate) const VERSION: &[u8] = &[0x00];
/// Key of the link's keys and terms (secret).
pub(crate) const LINK: &[u8] = &[0x01];
/// Key of the ratchet's psks and its last try (secret).
pub(crate) const RATCHET: &[u8] = &[0x02];
/// Key of the link's status.
pub(crate) const STATUS: &[u8] = &[0x10];
/// Key of the session's counters and epochs.
pub(crate) const SESSION: &[u8] = &[0x11];
/// Prefix of outbox rows of version 1, when commands had no keys: by number.
pub(crate) const OUTBOX_V1: u8 = 0x20;
/// Prefix of results of version 1: by number.
pub(crate) const RESULT_V1: u8 = 0x21;
/// Prefix of waiting commands of version 1: by number.
pub(crate) const UNSETTLED_V1: u8 = 0x22;
/// Prefix of the outbox rows, by index.
pub(crate) const OUTBOX: u8 = 0x24;
/// Prefix of the commands that a phone has run, by command key.
pub(crate) const COMMAND: u8 = 0x25;
/// Prefix of a companion's commands that wait for a result, by number; the value is the command key.
pub(crate) const UNSETTLED: u8 = 0x26;
/// Prefix of a companion's commands that have a result, by number; the value is the command key.
pub(crate) const SETTLED: u8 = 0x27;
/// Prefix of the commands that a phone has counted as received and not answered, by command key; the value is
/// the number and the body.
pub(crate) const UNANSWERED: u8 = 0x28;
/// Prefix of a companion's cursors, by collection.
pub(crate) const CURSOR: u8 = 0x30;
/// Prefix of a companion's unfinished snapshots, by collection. Its byte follows that of CURSOR, so that one
/// range covers both.
pub(crate) const SNAPSHOT: u8 = 0x31;
/// Prefix of the open streams, by id.
pub(crate) const STREAM: u8 = 0x40;
/// The first key beyond all others.
pub(crate) const END: &[u8] = &[0xff];

/// Returns whether values under `key` hold key material.
pub(crate) fn is_secret(key: &[u8]) -> bool {
    key == LINK || key == RATCHET
}

/// Returns the key made of a prefix and a number.
pub(crate) fn numbered(prefix: u8, number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(9);
    key.push(prefix);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Returns the number after the prefix of a key.
pub(crate) fn number_of(key: &[u8]) -> Option<u64> {
    <[u8; 8]>::try_from(key.get(1..)?).ok().map(u64::from_be_bytes)
}

/// Returns the key made of a prefix and a command key.
pub(crate) fn keyed(prefix: u8, command: &CommandKey) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    key.push(prefix);
    key.extend_from_slice(command.as_bytes());
    key
}

/// Returns the command key after the prefix of a key.
pub(crate) fn command_of(key: &[u8]) -> Option<CommandKey> {
    <[u8; 16]>::try_from(key.get(1..)?).ok().map(CommandKey::from_bytes)
}

/// Returns the key made of a prefix and a collection name.
pub(crate) fn named(prefix: u8, collection: &Collection) -> Vec<u8> {
    let name = collection.as_bytes();
    let mut key = Vec::with_capacity(name.len().saturating_add(1));
    key.push(prefix);
    key.extend_from_slice(name);
    key
}

/// Returns the collection name after the prefix of a key.
pub(crate) fn collection_of(key: &[u8]) -> Option<Collection> {
    Collection::new(key.get(1..)?)
}
