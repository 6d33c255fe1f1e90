//! Builders of malformed bytes.

use super::walk;
use bytes::Bytes;
use handfast_codec::frame::Frame;
use handfast_codec::relay::RelayFrame;
use handfast_codec::varint::put_varint;
use handfast_codec::{DecodeError, ErrorCode};

/// The error of a decoder.
pub(crate) fn error(code: ErrorCode, at: usize, what: &'static str) -> DecodeError {
    DecodeError::new(code, at, what)
}

pub(crate) fn relay(bytes: impl AsRef<[u8]>) -> Result<RelayFrame, DecodeError> {
    RelayFrame::decode(Bytes::copy_from_slice(bytes.as_ref()))
}

pub(crate) fn frame(bytes: impl AsRef<[u8]>) -> Result<Option<Frame>, DecodeError> {
    Frame::decode(&Bytes::copy_from_slice(bytes.as_ref()))
}

/// A frame of this type around a body.
pub(crate) fn framed(kind: u64, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, kind);
    put_varint(&mut out, body.len() as u64);
    out.extend_from_slice(body);
    out
}

pub(crate) fn record(bytes: &[u8], len: usize) -> Bytes {
    let mut out = bytes.to_vec();
    out.resize(len, 0);
    out.into()
}

/// A list in its padding.
pub(crate) fn padded(list: &[u8]) -> Bytes {
    record(list, list.len().next_power_of_two().max(128))
}

/// A list of fields, in any order.
pub(crate) fn list(fields: &[(u64, &[u8])]) -> Vec<u8> {
    fields.iter().flat_map(|(kind, value)| framed(*kind, value)).collect()
}

/// The fields of an encoded list, for tests to change.
pub(crate) fn fields(list: &[u8]) -> Vec<(u64, Vec<u8>)> {
    walk::fields(list).into_iter().map(|(kind, value)| (kind, value.to_vec())).collect()
}

/// The list with one field's value replaced.
pub(crate) fn with(encoded: &[u8], kind: u64, value: &[u8]) -> Vec<u8> {
    fields(encoded)
        .iter()
        .flat_map(|(other, old)| framed(*other, if *other == kind { value } else { old }))
        .collect()
}

pub(crate) fn without(encoded: &[u8], kind: u64) -> Vec<u8> {
    fields(encoded)
        .iter()
        .filter(|(other, _)| *other != kind)
        .flat_map(|(other, v)| framed(*other, v))
        .collect()
}

pub(crate) fn qr_payload(head: &[u8], key: &[u8; 32], relay: &[u8], fields: &[u8]) -> Vec<u8> {
    [head, key, &[0x22; 32], relay, fields].concat()
}

/// BASE32, bit by bit.
pub(crate) fn qr_text(payload: &[u8]) -> String {
    let mut bits: Vec<bool> =
        payload.iter().flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1 == 1)).collect();
    bits.resize(bits.len().next_multiple_of(5), false);
    let letter = |five: &[bool]| {
        let value = five.iter().fold(0, |value, bit| value * 2 + usize::from(*bit));
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value])
    };
    format!("HF1*{}", bits.chunks(5).map(letter).collect::<String>())
}
