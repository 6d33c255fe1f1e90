//! What stands in a message of the reliable lane around the application's words (spec, delivery).

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::{DecodeError, ErrorCode};
use handfast_codec::varint::{put_varint, take_varint};

const STATUS_RESULT: u8 = 0;
const STATUS_ALREADY_DONE: u8 = 1;

/// A command, web to phone: `cmd_id varint | floor varint | body`.
pub(crate) struct CommandMessage {
    pub(crate) cmd_id: u64,
    pub(crate) floor: u64,
    pub(crate) body: Bytes,
}

impl CommandMessage {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.body.len().saturating_add(16));
        put_varint(&mut out, self.cmd_id);
        put_varint(&mut out, self.floor);
        out.extend_from_slice(&self.body);
        Bytes::from(out)
    }

    pub(crate) fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let (cmd_id, rest) = take_varint(message)?;
        let (floor, rest) = take_varint(rest)?;
        Ok(Self { cmd_id, floor, body: message.slice_ref(rest) })
    }
}

/// A result, phone to web: `cmd_id varint | status u8 | body`.
pub(crate) struct ResultMessage {
    pub(crate) cmd_id: u64,
    /// `None`: `ALREADY_DONE`.
    pub(crate) body: Option<Bytes>,
}

impl ResultMessage {
    pub(crate) fn encode(&self) -> Bytes {
        let len = self.body.as_ref().map_or(0, Bytes::len);
        let mut out = Vec::with_capacity(len.saturating_add(9));
        put_varint(&mut out, self.cmd_id);
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
        let (cmd_id, rest) = take_varint(message)?;
        let at = message.len().saturating_sub(rest.len());
        let (status, body) =
            rest.split_first().ok_or(DecodeError::new(ErrorCode::TRUNCATED, at, "result status"))?;
        let body = match *status {
            STATUS_RESULT => Some(message.slice_ref(body)),
            STATUS_ALREADY_DONE if body.is_empty() => None,
            STATUS_ALREADY_DONE => return Err(DecodeError::new(ErrorCode::TRAILING_BYTES, at, "result")),
            _ => return Err(DecodeError::new(ErrorCode::FIELD_VALUE, at, "result status")),
        };
        Ok(Self { cmd_id, body })
    }
}

/// The answer to a command that was run before and whose result is no longer held.
pub(crate) fn already_done(cmd_id: u64) -> Bytes {
    ResultMessage { cmd_id, body: None }.encode()
}
