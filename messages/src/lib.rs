//! The vocabulary of a messenger, which the reference programs speak (spec, messages): commands, results, the rows of
//! collections, ephemeral values and media descriptors. The protocol never looks into them; an application with other
//! matters brings a vocabulary of its own.
//!
//! Each body is `kind varint | TLV list`. Ids of chats and messages are given by the phone; times are milliseconds
//! since 1970, as a label only. Nothing here reads a clock, a socket or a random number.
#![no_std]
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

/// What a companion may do, as bits.
pub mod grants {
    /// Reads chats and messages.
    pub const READ: u64 = 1;
    /// Sends messages.
    pub const SEND: u64 = 2;
    /// Fetches and sends media.
    pub const MEDIA: u64 = 4;
    /// All of version 1.
    pub const ALL: u64 = READ | SEND | MEDIA;
}
