//! What stands in a message of the reliable lane around the application's words (spec, delivery).

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::{DecodeError, ErrorCode};
use handfast_codec::ids::CommandKey;
use handfast_codec::varint::{put_varint, take_varint};

const STATUS_RESULT: u8 = 0;
const STATUS_ALREADY_DONE: u8 = 1;

/// Splits a command's key off.
fn take_key<'a>(message: &Bytes, rest: &'a [u8]) -> Result<(CommandKey, &'a [u8]), DecodeError> {
    let at = message.len().saturating_sub(rest.len());
    let (key, rest) =
        rest.split_first_chunk().ok_or(DecodeError::new(ErrorCode::TRUNCATED, at, "command key"))?;
    Ok((CommandKey::from_bytes(*key), rest))
}

/// A command, web to phone: `number varint | floor varint | key 16 | body`.
pub(crate) struct CommandMessage {
    pub(crate) number: u64,
    pub(crate) floor: u64,
    pub(crate) key: CommandKey,
    pub(crate) body: Bytes,
}

impl CommandMessage {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.body.len().saturating_add(32));
        put_varint(&mut out, self.number);
        put_varint(&mut out, self.floor);
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(&self.body);
        Bytes::from(out)
    }

    pub(crate) fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let (number, rest) = take_varint(message)?;
        let (floor, rest) = take_varint(rest)?;
        let (key, rest) = take_key(message, rest)?;
        Ok(Self { number, floor, key, body: message.slice_ref(rest) })
    }
}

/// A result, phone to web: `key 16 | status u8 | body`.
pub(crate) struct ResultMessage {
    pub(crate) key: CommandKey,
    /// `None`: `ALREADY_DONE`.
    pub(crate) body: Option<Bytes>,
}

impl ResultMessage {
    pub(crate) fn encode(&self) -> Bytes {
        let len = self.body.as_ref().map_or(0, Bytes::len);
        let mut out = Vec::with_capacity(len.saturating_add(CommandKey::LEN).saturating_add(1));
        out.extend_from_slice(self.key.as_bytes());
        match &self.body {
            Some(body) => {
                out.push(STATUS_RESULT);
                out.extend_from_slice(body);
            }
            None => out.push(STATUS_ALREADY_DONE),
        }
        Bytes::from(out)
    }

    pub(crate) fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let (key, rest) = take_key(message, message)?;
        let at = message.len().saturating_sub(rest.len());
        let body = read_status(message, rest, at)?;
        Ok(Self { key, body })
    }
}

/// `status u8 | body`: the body, or none for `ALREADY_DONE`.
fn read_status(message: &Bytes, rest: &[u8], at: usize) -> Result<Option<Bytes>, DecodeError> {
    let (status, body) =
        rest.split_first().ok_or(DecodeError::new(ErrorCode::TRUNCATED, at, "result status"))?;
    match *status {
        STATUS_RESULT => Ok(Some(message.slice_ref(body))),
        STATUS_ALREADY_DONE if body.is_empty() => Ok(None),
        STATUS_ALREADY_DONE => Err(DecodeError::new(ErrorCode::TRAILING_BYTES, at, "result")),
        _ => Err(DecodeError::new(ErrorCode::FIELD_VALUE, at, "result status")),
    }
}

/// The stored envelopes of version 1, which had no keys: `number | floor | body` and `number | status | body`.
pub(crate) mod version_1 {
    use super::{Bytes, DecodeError, read_status, take_varint};

    pub(crate) fn command(message: &Bytes) -> Result<(u64, u64, Bytes), DecodeError> {
        let (number, rest) = take_varint(message)?;
        let (floor, rest) = take_varint(rest)?;
        Ok((number, floor, message.slice_ref(rest)))
    }

    pub(crate) fn result(message: &Bytes) -> Result<(u64, Option<Bytes>), DecodeError> {
        let (number, rest) = take_varint(message)?;
        let at = message.len().saturating_sub(rest.len());
        Ok((number, read_status(message, rest, at)?))
    }
}
