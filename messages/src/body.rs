//! The layout that all bodies (of items, commands and results) have in common: `kind varint | TLV list`.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::parse::Cursor;
use handfast_codec::tlv::{TlvReader, TlvWriter};
use handfast_codec::varint::put_varint;
use handfast_codec::{DecodeError, ErrorCode};

/// Begins a body with this kind.
pub(crate) fn writer(kind: u64) -> TlvWriter {
    let mut out = Vec::new();
    put_varint(&mut out, kind);
    TlvWriter::after(out)
}

/// Reads the kind of a body. Returns it, and a cursor at the TLV list after it.
pub(crate) fn read_kind<'a>(body: &'a [u8], what: &'static str) -> Result<(u64, Cursor<'a>), DecodeError> {
    let mut cursor = Cursor::new(body);
    let kind = cursor.varint(what)?;
    Ok((kind, cursor))
}

/// Reads the TLV list after a body's kind.
pub(crate) fn list<'a>(cursor: &mut Cursor<'a>, known: &[u64]) -> Result<TlvReader<'a>, DecodeError> {
    let base = cursor.offset();
    TlvReader::at(cursor.rest(0, usize::MAX, "body")?, base, known)
}

/// Returns the error that the kind of a body is unknown.
pub(crate) fn unknown_kind<T>(what: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError::new(ErrorCode::UNKNOWN_CRITICAL, 0, what))
}

pub(crate) fn freeze(writer: TlvWriter) -> Bytes {
    Bytes::from(writer.finish())
}
