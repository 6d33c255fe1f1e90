//! The keyspace of one link in the application's store: which key holds what, and how rows are laid out.
//!
//! May touch: nothing outside memory. The layouts are private to this library and carry a version of their own.

use alloc::vec::Vec;

use handfast_codec::frame::Collection;

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
/// Prefix of outbox rows, by index.
pub(crate) const OUTBOX: u8 = 0x20;
/// Prefix of a phone's results, by command.
pub(crate) const RESULT: u8 = 0x21;
/// Prefix of a web's unsettled commands.
pub(crate) const UNSETTLED: u8 = 0x22;
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
