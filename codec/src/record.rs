//! The plaintexts of records: frames, padded with zeros to a power of two (spec, records).

use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{DecodeError, ErrorCode};
use crate::frame::Frame;
use crate::limits::{PADDED_LEN_MIN, RECORD_CIPHERTEXT_LEN_MAX, RECORD_PLAINTEXT_LEN_MAX, TAG_LEN};
use crate::link::LinkFrame;
use crate::parse::Cursor;
use crate::relay::{DATA_HEADER_LEN, RECORD_HEADER};
use crate::role::DeviceRole;
use crate::tlv::check_zeros;
use crate::varint::{grease, put_varint};

/// Returns the length of the plaintext in which `len` bytes of frames fit: the smallest 128*2^k. Returns
/// `None` if that would be above 16,384.
#[must_use]
pub const fn padded_len(len: usize) -> Option<usize> {
    padded_to(len, RECORD_PLAINTEXT_LEN_MAX)
}

/// Returns the smallest 128*2^k that is at least `len`; `None` if it would be above `max`.
pub(crate) const fn padded_to(len: usize, max: usize) -> Option<usize> {
    if len > max {
        return None;
    }
    if len <= PADDED_LEN_MIN { Some(PADDED_LEN_MIN) } else { len.checked_next_power_of_two() }
}

/// Checks the length of a record before it is decrypted.
///
/// # Errors
/// `BAD_RECORD_SIZE` unless it is 128*2^k + 16 bytes, k = 0 to 7.
pub const fn check_ciphertext_len(len: usize) -> Result<(), DecodeError> {
    // req: CHN-011
    match len.checked_sub(TAG_LEN) {
        Some(plain) if len <= RECORD_CIPHERTEXT_LEN_MAX && is_padded_len(plain, RECORD_PLAINTEXT_LEN_MAX) => {
            Ok(())
        }
        _ => Err(DecodeError::new(ErrorCode::BAD_RECORD_SIZE, 0, "record")),
    }
}

/// Returns whether `len` is an allowed length of a padded list.
pub(crate) const fn is_padded_len(len: usize, max: usize) -> bool {
    len >= PADDED_LEN_MIN && len <= max && len.is_power_of_two()
}

/// Reads a padded list of frames. The function `frame` reads one of them.
fn walk(
    plaintext: &[u8],
    mut frame: impl FnMut(&mut Cursor<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let wrong_size = DecodeError::new(ErrorCode::BAD_RECORD_SIZE, 0, "record");
    // req: CHN-011
    if !is_padded_len(plaintext.len(), RECORD_PLAINTEXT_LEN_MAX) {
        return Err(wrong_size);
    }
    let mut cursor = Cursor::new(plaintext);
    // req: CHN-002
    while cursor.peek().first().is_some_and(|byte| *byte != 0) {
        frame(&mut cursor)?;
    }
    check_zeros(&cursor)?;
    if padded_len(cursor.offset()) != Some(plaintext.len()) {
        return Err(wrong_size);
    }
    Ok(())
}

/// Decodes the frames of a record, whichever role sent it. Byte fields of the frames are slices of the
/// plaintext.
///
/// # Errors
/// `BAD_RECORD_SIZE`, `BAD_PADDING`, or the fault of the first bad frame.
#[expect(clippy::needless_pass_by_value, reason = "the plaintext is given away: its slices own it")]
pub fn decode_record(plaintext: Bytes) -> Result<Vec<Frame>, DecodeError> {
    decode(&plaintext, None)
}

/// Decodes the frames of a record that this role sent.
///
/// # Errors
/// As [`decode_record`], and `FRAME_NOT_ALLOWED` for a frame that the role may not send.
#[expect(clippy::needless_pass_by_value, reason = "the plaintext is given away: its slices own it")]
pub fn decode_record_from(plaintext: Bytes, sender: DeviceRole) -> Result<Vec<Frame>, DecodeError> {
    decode(&plaintext, Some(sender))
}

fn decode(plaintext: &Bytes, sender: Option<DeviceRole>) -> Result<Vec<Frame>, DecodeError> {
    let mut frames = Vec::new();
    walk(plaintext, |cursor| {
        frames.extend(Frame::read(cursor, plaintext, sender)?);
        Ok(())
    })?;
    Ok(frames)
}

/// Decodes the frames of a link record.
///
/// # Errors
/// `BAD_RECORD_SIZE`, `BAD_PADDING`, or the fault of the first bad frame.
#[expect(clippy::needless_pass_by_value, reason = "the plaintext is given away: its slices own it")]
pub fn decode_link_record(plaintext: Bytes) -> Result<Vec<LinkFrame>, DecodeError> {
    let mut frames = Vec::new();
    walk(&plaintext, |cursor| {
        frames.extend(LinkFrame::read(cursor)?);
        Ok(())
    })?;
    Ok(frames)
}

/// Builds a record in the buffer in which it is sealed and sent.
///
/// ```text
/// DATA header 2 | frames | zeros up to 128*2^k | room for the tag 16
/// ```
#[derive(Debug)]
pub struct RecordBuilder {
    buffer: BytesMut,
}

impl RecordBuilder {
    /// Creates an empty record in a small buffer that grows.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(PADDED_LEN_MIN)
    }

    /// Creates an empty record in a buffer for `len` bytes of frames, so that filling it does not copy.
    #[must_use]
    pub fn with_capacity(len: usize) -> Self {
        let padded = padded_len(len).unwrap_or(RECORD_PLAINTEXT_LEN_MAX);
        let mut buffer =
            BytesMut::with_capacity(padded.saturating_add(DATA_HEADER_LEN).saturating_add(TAG_LEN));
        buffer.put_slice(&RECORD_HEADER);
        Self { buffer }
    }

    /// Returns the DATA header and the frames so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.buffer
    }

    /// Returns the length of the frames so far, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len().saturating_sub(DATA_HEADER_LEN)
    }

    /// Returns whether no frame was added yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many more bytes of frames fit.
    #[must_use]
    pub fn room(&self) -> usize {
        RECORD_PLAINTEXT_LEN_MAX.saturating_sub(self.len())
    }

    /// Appends a frame if it fits. Returns whether it fits. A frame with a field beyond its limit never fits.
    #[must_use]
    pub fn push(&mut self, frame: &Frame) -> bool {
        debug_assert!(frame.is_within_limits(), "a frame is built within its limits");
        let fits = frame.is_within_limits() && frame.encoded_len() <= self.room();
        if fits {
            frame.encode(&mut self.buffer);
        }
        fits
    }

    /// Appends a link frame if it fits. Returns whether it fits.
    #[must_use]
    pub fn push_link(&mut self, frame: &LinkFrame) -> bool {
        let bytes = frame.encode();
        let fits = bytes.len() <= self.room();
        if fits {
            self.buffer.put_slice(&bytes);
        }
        fits
    }

    /// Appends a grease frame, if it fits; `n` selects its type and length (spec, conventions).
    pub fn grease(&mut self, n: u8) {
        // req: EXT-001
        let kind = grease(n >> 4);
        let body = [n; 16];
        let body = body.get(..usize::from(n & 0x0f)).unwrap_or(&[]);
        if self.room() >= body.len().saturating_add(9) {
            put_varint(&mut self.buffer, kind);
            put_varint(&mut self.buffer, crate::varint::len_u64(body.len()));
            self.buffer.put_slice(body);
        }
    }

    /// Returns the padded buffer: the DATA header, then the plaintext to encrypt in place, with spare
    /// capacity for the tag.
    #[must_use]
    pub fn finish(mut self) -> BytesMut {
        // req: CHN-001
        let padded = padded_len(self.len()).unwrap_or(RECORD_PLAINTEXT_LEN_MAX);
        self.buffer.resize(padded.saturating_add(DATA_HEADER_LEN), 0);
        self.buffer.reserve(TAG_LEN);
        self.buffer
    }
}

impl Default for RecordBuilder {
    fn default() -> Self {
        Self::new()
    }
}
