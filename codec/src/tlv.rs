//! TLV lists: `type varint | length varint | value`, types strictly ascending (spec, conventions).
//!
//! [`TlvReader`] checks the grammar of the whole list first, then returns fields in ascending order, skipping
//! unknown even types. [`TlvWriter`] writes the one canonical encoding.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{DecodeError, ErrorCode};
use crate::parse::{self, Cursor};
use crate::varint::{len_u64, put_varint, varint_len};

/// The value of one field, with its offset.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    value: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Field<'a> {
    /// Returns the bytes of the value.
    #[must_use]
    pub const fn as_slice(&self) -> &'a [u8] {
        self.value
    }

    /// Returns an error whose place is this field.
    #[must_use]
    pub const fn error(&self, code: ErrorCode) -> DecodeError {
        DecodeError::new(code, self.at, self.what)
    }

    /// Returns the offset of the value in the outermost input.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Returns a cursor over the value.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'a> {
        Cursor::at(self.value, self.at)
    }

    /// Returns the value as an array.
    ///
    /// # Errors
    /// `FIELD_LENGTH` when the value does not have `N` bytes.
    pub fn array<const N: usize>(&self) -> Result<[u8; N], DecodeError> {
        // req: FRM-010
        self.value.try_into().map_err(|_| self.error(ErrorCode::FIELD_LENGTH))
    }

    /// Returns the value, which must have `min` to `max` bytes.
    ///
    /// # Errors
    /// `FIELD_LENGTH` when it does not.
    pub fn bytes(&self, min: usize, max: usize) -> Result<&'a [u8], DecodeError> {
        // req: FRM-010
        if self.value.len() < min || self.value.len() > max {
            return Err(self.error(ErrorCode::FIELD_LENGTH));
        }
        Ok(self.value)
    }

    /// Returns the value as UTF-8 text of `min` to `max` bytes.
    ///
    /// # Errors
    /// `FIELD_LENGTH` or `BAD_UTF8`.
    pub fn text(&self, min: usize, max: usize) -> Result<String, DecodeError> {
        parse::text(self.bytes(min, max)?, self.at, self.what)
    }

    /// Returns the value as one byte.
    ///
    /// # Errors
    /// `FIELD_LENGTH` when the value is not one byte.
    pub fn u8(&self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Returns the value as a big-endian number of two bytes.
    ///
    /// # Errors
    /// `FIELD_LENGTH` when the value is not two bytes.
    pub fn u16(&self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Returns the value as a big-endian number of eight bytes.
    ///
    /// # Errors
    /// `FIELD_LENGTH` when the value is not eight bytes.
    pub fn u64(&self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Returns the value as one varint.
    ///
    /// # Errors
    /// `FIELD_LENGTH` when the value is not exactly one varint, `VARINT_NOT_MINIMAL` when the varint is not
    /// in its shortest form.
    pub fn varint(&self) -> Result<u64, DecodeError> {
        let mut cursor = self.cursor();
        let value = cursor.varint(self.what).map_err(|error| match error.code() {
            ErrorCode::TRUNCATED => self.error(ErrorCode::FIELD_LENGTH),
            _ => error,
        })?;
        if cursor.is_empty() { Ok(value) } else { Err(self.error(ErrorCode::FIELD_LENGTH)) }
    }

    /// Returns the value as one varint from `min` to `max`.
    ///
    /// # Errors
    /// As [`Field::varint`], and `FIELD_VALUE` when the number is outside the range.
    pub fn varint_in(&self, min: u64, max: u64) -> Result<u64, DecodeError> {
        let value = self.varint()?;
        // req: FRM-011
        if value < min || value > max { Err(self.error(ErrorCode::FIELD_VALUE)) } else { Ok(value) }
    }

    /// Checks that the value is empty, because the field is a flag.
    ///
    /// # Errors
    /// `FIELD_LENGTH` when the value is not empty.
    pub fn empty(&self) -> Result<(), DecodeError> {
        self.bytes(0, 0).map(|_| ())
    }
}

/// Reads the fields of a TLV list whose grammar was checked.
#[derive(Clone, Debug)]
pub struct TlvReader<'a> {
    cursor: Cursor<'a>,
    /// The offset in the outermost input at which the list ends; a missing field is reported there.
    end: usize,
}

impl<'a> TlvReader<'a> {
    /// Checks the grammar of an unpadded TLV list. `known` are the types that the caller understands.
    ///
    /// # Errors
    /// The first fault in the list: `TRUNCATED`, `VARINT_NOT_MINIMAL`, `FIELD_VALUE` (type 0),
    /// `DUPLICATE_FIELD`, `FIELD_ORDER` or `UNKNOWN_CRITICAL`.
    pub fn new(input: &'a [u8], known: &[u64]) -> Result<Self, DecodeError> {
        Self::at(input, 0, known)
    }

    /// Checks the grammar of an unpadded TLV list that begins at offset `base` of the outermost input.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn at(input: &'a [u8], base: usize, known: &[u64]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::at(input, base);
        // req: FRM-013
        let mut last = None;
        while !cursor.is_empty() {
            let _ = item(&mut cursor, &mut last, known)?;
        }
        Ok(Self { cursor: Cursor::at(input, base), end: cursor.offset() })
    }

    /// Checks the grammar of a TLV list that is padded with zeros. Also returns the length of the fields
    /// without the padding.
    pub(crate) fn padded(input: &'a [u8], known: &[u64]) -> Result<(Self, usize), DecodeError> {
        let mut cursor = Cursor::new(input);
        let mut last = None;
        while !cursor.is_empty() && cursor.peek().first() != Some(&0) {
            let _ = item(&mut cursor, &mut last, known)?;
        }
        let len = cursor.offset();
        check_zeros(&cursor)?;
        let fields = input.get(..len).unwrap_or(input);
        Ok((Self { cursor: Cursor::new(fields), end: len }, len))
    }

    /// Returns the field of this type, if it is there. Ask for types in ascending order.
    ///
    /// # Errors
    /// None: [`Self::new`] has checked the grammar.
    pub fn optional(&mut self, wanted: u64, what: &'static str) -> Result<Option<Field<'a>>, DecodeError> {
        let mut ahead = self.cursor.clone();
        while !ahead.is_empty() {
            let kind = ahead.varint("tlv type")?;
            if kind > wanted {
                break;
            }
            let value = ahead.long(0, usize::MAX, "tlv value")?;
            self.cursor = ahead.clone();
            if kind == wanted {
                return Ok(Some(Field { value, at: ahead.offset().saturating_sub(value.len()), what }));
            }
        }
        Ok(None)
    }

    /// Returns the field of this type. Ask for types in ascending order.
    ///
    /// # Errors
    /// `FIELD_MISSING` when the list lacks it.
    pub fn required(&mut self, wanted: u64, what: &'static str) -> Result<Field<'a>, DecodeError> {
        // req: FRM-009
        match self.optional(wanted, what)? {
            Some(field) => Ok(field),
            None => Err(self.missing(what)),
        }
    }

    /// Returns the error for a missing field. Its place is the end of the list.
    #[must_use]
    pub const fn missing(&self, what: &'static str) -> DecodeError {
        DecodeError::new(ErrorCode::FIELD_MISSING, self.end, what)
    }

    /// Returns whether a flag is set. A flag is a field without a value; it is set if the field is there.
    ///
    /// # Errors
    /// `FIELD_LENGTH` when the field has a value.
    pub fn flag(&mut self, wanted: u64, what: &'static str) -> Result<bool, DecodeError> {
        match self.optional(wanted, what)? {
            Some(field) => field.empty().map(|()| true),
            None => Ok(false),
        }
    }
}

/// Reads one field. Checks that its type is greater than the type before it, and that the type is known or
/// even.
fn item<'a>(
    cursor: &mut Cursor<'a>,
    last: &mut Option<u64>,
    known: &[u64],
) -> Result<(u64, &'a [u8]), DecodeError> {
    let fault = |code, cursor: &Cursor<'_>| Err(cursor.error(code, "tlv type"));
    let start = cursor.clone();
    let kind = cursor.varint("tlv type")?;
    match *last {
        // req: FRM-005
        Some(last) if kind == last => return fault(ErrorCode::DUPLICATE_FIELD, &start),
        // req: FRM-006
        Some(last) if kind < last => return fault(ErrorCode::FIELD_ORDER, &start),
        // req: FRM-012
        _ if kind == 0 => return fault(ErrorCode::FIELD_VALUE, &start),
        // req: FRM-007, FRM-008, EXT-002
        _ if !kind.is_multiple_of(2) && !known.contains(&kind) => {
            return fault(ErrorCode::UNKNOWN_CRITICAL, &start);
        }
        _ => *last = Some(kind),
    }
    let value = cursor.long(0, usize::MAX, "tlv value")?;
    Ok((kind, value))
}

/// Refuses padding that contains a byte other than zero.
pub(crate) fn check_zeros(cursor: &Cursor<'_>) -> Result<(), DecodeError> {
    // req: CHN-002
    match cursor.peek().iter().position(|byte| *byte != 0) {
        Some(n) => {
            Err(DecodeError::new(ErrorCode::BAD_PADDING, cursor.offset().saturating_add(n), "padding"))
        }
        None => Ok(()),
    }
}

/// Writes a TLV list. Fields must be written in ascending order of their types.
#[derive(Clone, Debug, Default)]
pub struct TlvWriter {
    out: Vec<u8>,
    last: Option<u64>,
}

impl TlvWriter {
    /// Creates an empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { out: Vec::new(), last: None }
    }

    /// Creates a list in a buffer that already contains other bytes. The list follows them.
    #[must_use]
    pub const fn after(out: Vec<u8>) -> Self {
        Self { out, last: None }
    }

    /// Writes a field with this type and value.
    pub fn bytes(&mut self, kind: u64, value: &[u8]) -> &mut Self {
        debug_assert!(self.last < Some(kind) && kind != 0, "fields ascend");
        self.last = Some(kind);
        put_varint(&mut self.out, kind);
        put_varint(&mut self.out, len_u64(value.len()));
        self.out.extend_from_slice(value);
        self
    }

    /// Writes a field whose value is one byte.
    pub fn u8(&mut self, kind: u64, value: u8) -> &mut Self {
        self.bytes(kind, &[value])
    }

    /// Writes a field whose value is two bytes, big-endian.
    pub fn u16(&mut self, kind: u64, value: u16) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Writes a field whose value is eight bytes, big-endian.
    pub fn u64(&mut self, kind: u64, value: u64) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Writes a field whose value is a varint.
    pub fn varint(&mut self, kind: u64, value: u64) -> &mut Self {
        let mut bytes = Vec::with_capacity(varint_len(value));
        put_varint(&mut bytes, value);
        self.bytes(kind, &bytes)
    }

    /// Writes a field without a value if `set`, and nothing otherwise.
    pub fn flag(&mut self, kind: u64, set: bool) -> &mut Self {
        if set { self.bytes(kind, &[]) } else { self }
    }

    /// Returns the encoded list.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}
