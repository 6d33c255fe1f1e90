//! The words of the reference application (spec, messages). The session never looks into them.
//!
//! Each body is `kind varint | TLV list`. Ids of chats and messages are given by the phone; times are milliseconds
//! since 1970, as a label only.

mod collections;
mod command;
mod item;
mod media;
mod now;
mod result;

use alloc::vec::Vec;

use bytes::Bytes;

pub use self::collections::CollectionName;
pub use self::command::Command;
pub use self::item::{CommandRef, CompanionState, Item, Message, MessageState, Reaction};
pub use self::media::MediaDescriptor;
pub use self::now::{NowValue, PageState};
pub use self::result::ResultBody;
use crate::error::{DecodeError, ErrorCode};
use crate::parse::Cursor;
use crate::tlv::{TlvReader, TlvWriter};
use crate::varint::put_varint;

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
