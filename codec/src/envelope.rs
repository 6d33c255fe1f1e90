//! The envelopes that the reliable lane puts around commands and results (spec, delivery, *Commands*).

use alloc::vec::Vec;

use bytes::Bytes;

use crate::error::{DecodeError, ErrorCode};
use crate::ids::CommandKey;
use crate::parse::Cursor;
use crate::varint::put_varint;

const STATUS_RESULT: u8 = 0;
const STATUS_ALREADY_DONE: u8 = 1;

/// A command from the companion to the phone: `number varint | floor varint | key 16 | body`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the layout")]
pub struct CommandEnvelope {
    /// The command's number, from 1, in the order in which the user acted.
    pub number: u64,
    /// The lowest number of a command whose result the companion has not stored; at most `number`.
    pub floor: u64,
    /// The key of the command: 16 random bytes that no other command has.
    pub key: CommandKey,
    /// The application's bytes, at most 65,504 of them.
    pub body: Bytes,
}

impl CommandEnvelope {
    /// Returns the encoded command.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.body.len().saturating_add(32));
        put_varint(&mut out, self.number);
        put_varint(&mut out, self.floor);
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(&self.body);
        Bytes::from(out)
    }

    /// Decodes a message of the reliable lane as a command. The command's body is a slice of the message.
    ///
    /// # Errors
    /// `TRUNCATED`, `VARINT_NOT_MINIMAL`.
    pub fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(message);
        let number = cursor.varint("command number")?;
        let floor = cursor.varint("command floor")?;
        let key = CommandKey::from_bytes(cursor.array("command key")?);
        Ok(Self { number, floor, key, body: message.slice_ref(cursor.peek()) })
    }
}

/// A result from the phone to the companion: `key 16 | status u8 | body`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the layout")]
pub struct ResultEnvelope {
    /// The key of the command that this result answers.
    pub key: CommandKey,
    /// The application's bytes of the result; `None` when the phone ran the command before and no longer has
    /// the result (`ALREADY_DONE`).
    pub body: Option<Bytes>,
}

impl ResultEnvelope {
    /// Returns the encoded result.
    #[must_use]
    pub fn encode(&self) -> Bytes {
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

    /// Decodes a message of the reliable lane as a result. The result's body is a slice of the message.
    ///
    /// # Errors
    /// `TRUNCATED`; `FIELD_VALUE` for an unknown status; `TRAILING_BYTES` when a body follows `ALREADY_DONE`.
    pub fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(message);
        let key = CommandKey::from_bytes(cursor.array("command key")?);
        let at = cursor.offset();
        let body = match cursor.u8("result status")? {
            STATUS_RESULT => Some(message.slice_ref(cursor.peek())),
            STATUS_ALREADY_DONE => cursor.finish("result").map(|()| None)?,
            _ => return Err(DecodeError::new(ErrorCode::FIELD_VALUE, at, "result status")),
        };
        Ok(Self { key, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_by_example() {
        let key = CommandKey::from_bytes([7; 16]);
        let body = Bytes::from_static(b"hi");
        let command = CommandEnvelope { number: 300, floor: 2, key, body: body.clone() };
        let bytes = [&[0x41, 0x2c, 2][..], &[7; 16], b"hi"].concat();
        assert_eq!(command.encode(), bytes);
        assert_eq!(CommandEnvelope::decode(&bytes.into()), Ok(command));
        for (result, tail) in [(Some(body), &b"\x00hi"[..]), (Some(Bytes::new()), &[0]), (None, &[1])] {
            let (result, bytes) = (ResultEnvelope { key, body: result }, [&[7; 16][..], tail].concat());
            assert_eq!(result.encode(), bytes);
            assert_eq!(ResultEnvelope::decode(&bytes.into()), Ok(result));
        }
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused() {
        let refused =
            |tail: &[u8]| ResultEnvelope::decode(&[&[7; 16][..], tail].concat().into()).unwrap_err();
        assert_eq!(refused(&[]), DecodeError::new(ErrorCode::TRUNCATED, 16, "result status"));
        assert_eq!(refused(&[2]), DecodeError::new(ErrorCode::FIELD_VALUE, 16, "result status"));
        assert_eq!(refused(&[1, 0]), DecodeError::new(ErrorCode::TRAILING_BYTES, 17, "result"));
        let cut = CommandEnvelope::decode(&Bytes::from_static(&[1, 1, 7])).unwrap_err();
        assert_eq!(cut, DecodeError::new(ErrorCode::TRUNCATED, 2, "command key"));
    }
}
