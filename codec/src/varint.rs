//! QUIC variable-length integers (spec, conventions; RFC 9000, section 16).

use bytes::BufMut;

use crate::error::{DecodeError, ErrorCode};
use crate::limits::VARINT_MAX;

/// Returns the encoded length of a value, in bytes: 1, 2, 4 or 8.
#[must_use]
pub const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// Writes a value in its shortest form.
///
/// A value above [`VARINT_MAX`] has no encoding, so the maximum is written instead. No counter of the
/// protocol gets that high.
pub fn put_varint(out: &mut impl BufMut, value: u64) {
    debug_assert!(value <= VARINT_MAX, "a varint holds 62 bits");
    let value = value.min(VARINT_MAX);
    match varint_len(value) {
        1 => out.put_uint(value, 1),
        2 => out.put_uint(value | 0x4000, 2),
        4 => out.put_uint(value | 0x8000_0000, 4),
        _ => out.put_u64(value | 0xc000_0000_0000_0000),
    }
}

/// Reads a varint. Returns its value, and the bytes after it.
///
/// # Errors
/// `TRUNCATED`, or `VARINT_NOT_MINIMAL` for an encoding that is not the shortest.
pub fn take_varint(input: &[u8]) -> Result<(u64, &[u8]), DecodeError> {
    split_varint(input).map_err(|code| DecodeError::new(code, 0, "varint"))
}

/// Reads a varint from the front of a slice. Returns its value and the bytes after it, or the code of the
/// fault.
pub(crate) fn split_varint(input: &[u8]) -> Result<(u64, &[u8]), ErrorCode> {
    let first = input.first().ok_or(ErrorCode::TRUNCATED)?;
    let (len, mask): (usize, u64) = match first >> 6 {
        0 => (1, 0x3f),
        1 => (2, 0x3fff),
        2 => (4, 0x3fff_ffff),
        _ => (8, 0x3fff_ffff_ffff_ffff),
    };
    let (bytes, rest) = input.split_at_checked(len).ok_or(ErrorCode::TRUNCATED)?;
    let value = bytes.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte)) & mask;
    // req: FRM-001
    if varint_len(value) != len {
        return Err(ErrorCode::VARINT_NOT_MINIMAL);
    }
    Ok((value, rest))
}

/// Returns a length as a number that can be written as a varint.
#[must_use]
pub fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Returns whether a number is grease: even, reserved in every registry and never assigned (spec,
/// conventions).
#[must_use]
pub const fn is_grease(number: u64) -> bool {
    number % 62 == 58
}

/// Returns the `n`th grease number, `62 * n + 58`.
#[must_use]
pub const fn grease(n: u8) -> u64 {
    // The largest result, 255 * 62 + 58, is far below the maximum of a varint.
    u64_from(n).saturating_mul(62).saturating_add(58)
}

const fn u64_from(n: u8) -> u64 {
    u64::from_be_bytes([0, 0, 0, 0, 0, 0, 0, n])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_examples_of_rfc_9000_appendix_a_1() {
        let examples: [(u64, &[u8]); 4] = [
            (151_288_809_941_952_652, &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]),
            (494_878_333, &[0x9d, 0x7f, 0x3e, 0x7d]),
            (15_293, &[0x7b, 0xbd]),
            (37, &[0x25]),
        ];
        for (value, bytes) in examples {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(varint_len(value), bytes.len());
        }
    }

    #[test]
    fn grease_numbers_are_even_and_known_as_such() {
        // req: EXT-002
        for n in 0..=u8::MAX {
            assert!(is_grease(grease(n)) && grease(n).is_multiple_of(2));
        }
        assert!(!is_grease(57) && !is_grease(59));
    }
}
