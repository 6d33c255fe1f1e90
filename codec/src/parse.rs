//! A cursor that reads fields in order and knows the offset of each, built on nom's `complete` parsers.
//!
//! Applications can use the cursor for layouts that keep to the same rules (spec, conventions).

use alloc::string::String;

use nom::bytes::complete::take;
use nom::error::{ErrorKind, ParseError};
use nom::number::complete::{be_u8, be_u16, be_u32};
use nom::{Err, IResult, Parser};

use crate::error::{DecodeError, ErrorCode};
use crate::varint::split_varint;

/// A parser's error: the broken rule, and how many bytes of the input were left at the fault.
#[derive(Debug)]
struct Fault {
    code: ErrorCode,
    left: usize,
}

impl<'a> ParseError<&'a [u8]> for Fault {
    fn from_error_kind(input: &'a [u8], _: ErrorKind) -> Self {
        // req: FRM-002
        Self { code: ErrorCode::TRUNCATED, left: input.len() }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, O> = IResult<&'a [u8], O, Fault>;

fn fault<O>(code: ErrorCode, input: &[u8]) -> Parsed<'_, O> {
    Err(Err::Failure(Fault { code, left: input.len() }))
}

/// Parses a varint, which must have its shortest form.
fn varint(input: &[u8]) -> Parsed<'_, u64> {
    match split_varint(input) {
        Ok((value, rest)) => Ok((rest, value)),
        Err(code) => fault(code, input),
    }
}

/// Parses `len u8 | x`. Returns x.
fn short_bytes(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, len) = be_u8(input)?;
    take(len).parse(rest)
}

/// Parses `len varint | x`. Returns x.
fn long_bytes(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, len) = varint(input)?;
    // A length that exceeds the address space exceeds the input too.
    match usize::try_from(len) {
        Ok(len) => take(len).parse(rest),
        Err(_) => fault(ErrorCode::TRUNCATED, rest),
    }
}

/// A reader that moves through a slice. The slice may be a part of a larger input; errors name offsets in the
/// outermost input.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    /// The offset in the outermost input at which `rest` ends.
    end: usize,
}

impl<'a> Cursor<'a> {
    /// Creates a cursor at the first byte of `input`.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input, end: input.len() }
    }

    /// Creates a cursor over a slice that begins at offset `base` of the outermost input.
    #[must_use]
    pub fn at(input: &'a [u8], base: usize) -> Self {
        Self { rest: input, end: base.saturating_add(input.len()) }
    }

    /// Returns the offset of the next byte in the outermost input.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.end.saturating_sub(self.rest.len())
    }

    /// Returns whether all bytes were read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns an error whose place is the next byte. `what` names the field.
    #[must_use]
    pub fn error(&self, code: ErrorCode, what: &'static str) -> DecodeError {
        DecodeError::new(code, self.offset(), what)
    }

    fn run<O>(
        &mut self,
        mut parser: impl Parser<&'a [u8], Output = O, Error = Fault>,
        what: &'static str,
    ) -> Result<O, DecodeError> {
        match parser.parse(self.rest) {
            Ok((rest, value)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(Err::Error(fault) | Err::Failure(fault)) => {
                Err(DecodeError::new(fault.code, self.end.saturating_sub(fault.left), what))
            }
            // Complete parsers never ask for more input.
            Err(Err::Incomplete(_)) => Err(self.error(ErrorCode::TRUNCATED, what)),
        }
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// `TRUNCATED`.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.run(be_u8, what)
    }

    /// Reads two bytes as a big-endian number.
    ///
    /// # Errors
    /// `TRUNCATED`.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.run(be_u16, what)
    }

    /// Reads four bytes as a big-endian number.
    ///
    /// # Errors
    /// `TRUNCATED`.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.run(be_u32, what)
    }

    /// Reads a varint, which must have its shortest form.
    ///
    /// # Errors
    /// `TRUNCATED`, `VARINT_NOT_MINIMAL`.
    pub fn varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.run(varint, what)
    }

    /// Reads `len` bytes.
    ///
    /// # Errors
    /// `TRUNCATED`.
    pub fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        self.run(take(len), what)
    }

    /// Reads `len u8 | x` with x of `min` to `max` bytes. Returns x.
    ///
    /// # Errors
    /// `TRUNCATED`, `FIELD_LENGTH`.
    pub fn short(&mut self, min: usize, max: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let at = self.offset();
        let value = self.run(short_bytes, what)?;
        check_len(value, min, max, at, what)
    }

    /// Reads `len varint | x` with x of `min` to `max` bytes. Returns x.
    ///
    /// # Errors
    /// `TRUNCATED`, `VARINT_NOT_MINIMAL`, `FIELD_LENGTH`.
    pub fn long(&mut self, min: usize, max: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let at = self.offset();
        let value = self.run(long_bytes, what)?;
        check_len(value, min, max, at, what)
    }

    /// Reads `N` bytes as an array.
    ///
    /// # Errors
    /// `TRUNCATED`.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let at = self.offset();
        let value = self.take(N, what)?;
        value.try_into().map_err(|_| DecodeError::new(ErrorCode::TRUNCATED, at, what))
    }

    /// Reads all bytes that are left. There must be `min` to `max` of them.
    ///
    /// # Errors
    /// `FIELD_LENGTH`.
    pub fn rest(&mut self, min: usize, max: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let at = self.offset();
        let value = core::mem::take(&mut self.rest);
        check_len(value, min, max, at, what)
    }

    /// Returns all bytes that are left, and stays where it is.
    #[must_use]
    pub fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// Checks that no bytes are left after the last field.
    ///
    /// # Errors
    /// `TRAILING_BYTES`.
    pub fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        // req: FRM-003
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(ErrorCode::TRAILING_BYTES, what)) }
    }
}

fn check_len<'a>(
    value: &'a [u8],
    min: usize,
    max: usize,
    at: usize,
    what: &'static str,
) -> Result<&'a [u8], DecodeError> {
    // req: FRM-024
    if value.len() < min || value.len() > max {
        return Err(DecodeError::new(ErrorCode::FIELD_LENGTH, at, what));
    }
    Ok(value)
}

/// Checks that an element of a list is greater than the element before it. `start` is the offset where the
/// element begins.
///
/// # Errors
/// `DUPLICATE_FIELD` when both are equal, `FIELD_ORDER` when the element is smaller.
pub fn ascends<T: Ord>(
    last: Option<&T>,
    next: &T,
    start: &Cursor<'_>,
    what: &'static str,
) -> Result<(), DecodeError> {
    match last {
        // req: FRM-005, HSK-066, MSG-036, MSG-047
        Some(last) if next == last => Err(start.error(ErrorCode::DUPLICATE_FIELD, what)),
        // req: FRM-006, HSK-066, MSG-036, MSG-047
        Some(last) if next < last => Err(start.error(ErrorCode::FIELD_ORDER, what)),
        _ => Ok(()),
    }
}

/// Decodes UTF-8 text that begins at offset `at` of the outermost input.
///
/// # Errors
/// `BAD_UTF8`, at the first byte that is not valid.
pub fn text(value: &[u8], at: usize, what: &'static str) -> Result<String, DecodeError> {
    // req: FRM-004
    core::str::from_utf8(value)
        .map(String::from)
        .map_err(|error| DecodeError::new(ErrorCode::BAD_UTF8, at.saturating_add(error.valid_up_to()), what))
}
