//! Random numbers, bytes, texts and error codes.

use bytes::Bytes;
use handfast_codec::ErrorCode;
use proptest::collection::vec;
use proptest::prelude::*;

/// A number of 1 to 62 bits, every size as likely.
pub(crate) fn number() -> impl Strategy<Value = u64> {
    (2_u32..64, any::<u64>()).prop_map(|(shift, value)| value >> shift)
}

pub(crate) fn bytes(min: usize, max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), min..=max).prop_map(Bytes::from)
}

/// Text of `min` to `max` bytes.
pub(crate) fn text(min: usize, max: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), min..=max).prop_map(move |chars| {
        let mut out = String::new();
        for char in chars {
            if out.len() + char.len_utf8() <= max {
                out.push(char);
            }
        }
        if out.len() < min { "x".repeat(min) } else { out }
    })
}

pub(crate) fn code() -> impl Strategy<Value = ErrorCode> {
    any::<u16>().prop_map(ErrorCode::from_u16)
}
