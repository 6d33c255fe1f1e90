//! The vocabulary of a messenger, used by the reference programs (spec, messages): commands, results, rows of
//! collections, ephemeral values and media descriptors. The protocol never reads these bodies. An application
//! for another purpose defines its own.
//!
//! Each body is `kind varint | TLV list`. The phone assigns the ids of chats and messages; times are
//! milliseconds since 1970, and only for display. Nothing here reads a clock or a socket, or draws a random
//! number.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::iter_over_hash_type,
        clippy::exhaustive_enums,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

extern crate alloc;

mod body;
mod collections;
mod command;
mod item;
mod media;
mod now;
mod result;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use self::collections::CollectionName;
pub use self::command::Command;
pub use self::item::{CommandRef, CompanionState, Item, Message, MessageState, Reaction};
pub use self::media::MediaDescriptor;
pub use self::now::NowValue;
pub use self::result::ResultBody;

/// The rights of a companion, as bits of a set.
pub mod grants {
    /// The right to read chats and messages.
    pub const READ: u64 = 1;
    /// The right to send messages.
    pub const SEND: u64 = 2;
    /// The right to fetch and send media.
    pub const MEDIA: u64 = 4;
    /// All rights of version 1.
    pub const ALL: u64 = READ | SEND | MEDIA;
}
