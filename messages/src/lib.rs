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

mod collections;
mod command;
mod item;
mod media;
mod now;
mod result;

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::parse::Cursor;
use handfast_codec::tlv::{TlvReader, TlvWriter};
use handfast_codec::varint::put_varint;
use handfast_codec::{DecodeError, ErrorCode};

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

/// Begins a body of this kind.
fn writer(kind: u64) -> TlvWriter {
    let mut out = Vec::new();
    put_varint(&mut out, kind);
    TlvWriter::after(out)
}

/// A body's kind, and the cursor at its list.
fn read_kind<'a>(body: &'a [u8], what: &'static str) -> Result<(u64, Cursor<'a>), DecodeError> {
    let mut cursor = Cursor::new(body);
    let kind = cursor.varint(what)?;
    Ok((kind, cursor))
}

/// The list behind a body's kind.
fn list<'a>(cursor: &mut Cursor<'a>, known: &[u64]) -> Result<TlvReader<'a>, DecodeError> {
    let base = cursor.offset();
    TlvReader::at(cursor.rest(0, usize::MAX, "body")?, base, known)
}

/// The error of a kind that is not known.
fn unknown_kind<T>(what: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError::new(ErrorCode::UNKNOWN_CRITICAL, 0, what))
}

fn freeze(writer: TlvWriter) -> Bytes {
    Bytes::from(writer.finish())
}
