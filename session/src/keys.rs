//! The keyspace of one link in the application's store: which key holds what, and how rows are laid out.
//!
//! May touch: nothing outside memory. The layouts are private to this library and carry a version of their own.

use alloc::vec::Vec;

use handfast_codec::frame::Collection;
use handfast_codec::ids::CommandKey;

/// The store version that every commit compares and swaps.
pub(crate) const VERSION: &[u8] = &[0x00];
/// The link's keys and terms (secret).
pub(crate) const LINK: &[u8] = &[0x01];
/// The ratchet's slots and try (secret).
pub(crate) const RATCHET: &[u8] = &[0x02];
/// The link's status.
pub(crate) const STATUS: &[u8] = &[0x10];
/// The session's counters and epochs.
pub(crate) const SESSION: &[u8] = &[0x11];
/// Prefixes of rows of version 1, which had no keys of commands: outbox, results and unsettled commands by number.
pub(crate) const OUTBOX_V1: u8 = 0x20;
/// See [`OUTBOX_V1`].
pub(crate) const RESULT_V1: u8 = 0x21;
/// See [`OUTBOX_V1`].
pub(crate) const UNSETTLED_V1: u8 = 0x22;
/// Prefix of outbox rows, by index.
pub(crate) const OUTBOX: u8 = 0x24;
/// Prefix of the commands that a phone has run, by key.
pub(crate) const COMMAND: u8 = 0x25;
/// Prefix of a web's unsettled commands, by number: the key.
pub(crate) const UNSETTLED: u8 = 0x26;
/// Prefix of a web's settled commands, by number: the key.
pub(crate) const SETTLED: u8 = 0x27;
/// Prefix of a web's cursors, by collection.
pub(crate) const CURSOR: u8 = 0x30;
/// Prefix of a web's snapshots that are not whole, by collection. Follows the cursors, so that one range holds both.
pub(crate) const SNAPSHOT: u8 = 0x31;
/// Prefix of stream rows, by id.
pub(crate) const STREAM: u8 = 0x40;
/// The first key after all.
pub(crate) const END: &[u8] = &[0xff];

/// Whether values under `key` hold key material.
pub(crate) fn is_secret(key: &[u8]) -> bool {
    key == LINK || key == RATCHET
}

/// A key with a number behind its prefix.
pub(crate) fn numbered(prefix: u8, number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(9);
    key.push(prefix);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The number behind the prefix of a key.
pub(crate) fn number_of(key: &[u8]) -> Option<u64> {
    <[u8; 8]>::try_from(key.get(1..)?).ok().map(u64::from_be_bytes)
}

/// A key with a command's key behind its prefix.
pub(crate) fn keyed(prefix: u8, command: &CommandKey) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    key.push(prefix);
    key.extend_from_slice(command.as_bytes());
    key
}

/// The command's key behind the prefix of a key.
pub(crate) fn command_of(key: &[u8]) -> Option<CommandKey> {
    <[u8; 16]>::try_from(key.get(1..)?).ok().map(CommandKey::from_bytes)
}

/// A key with a collection behind its prefix.
pub(crate) fn named(prefix: u8, collection: &Collection) -> Vec<u8> {
    let name = collection.as_bytes();
    let mut key = Vec::with_capacity(name.len().saturating_add(1));
    key.push(prefix);
    key.extend_from_slice(name);
    key
}

/// The collection behind the prefix of a key.
pub(crate) fn collection_of(key: &[u8]) -> Option<Collection> {
    Collection::new(key.get(1..)?)
}
