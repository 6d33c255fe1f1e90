//! Commands and results as bytes, with keys that a test calls by numbers.

use bytes::Bytes;
use handfast_codec::ids::CommandKey;

/// The key of the command that a test calls by this number.
pub fn key(n: u64) -> CommandKey {
    let mut bytes = [0xcc; CommandKey::LEN];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    CommandKey::from_bytes(bytes)
}

/// The number by which a test calls a command.
pub fn number_of(key: &CommandKey) -> u64 {
    u64::from_be_bytes(key.as_bytes()[8..].try_into().unwrap())
}

/// A command's bytes, of small numbers; its key is that of its number.
pub fn command(number: u8, floor: u8, body: &[u8]) -> Bytes {
    Bytes::from([&[number, floor], key(u64::from(number)).as_bytes().as_slice(), body].concat())
}

/// A result's bytes, for the command of this number; without a body it is `ALREADY_DONE`.
pub fn result(number: u8, body: Option<&[u8]>) -> Bytes {
    let status = u8::from(body.is_none());
    let key = key(u64::from(number));
    Bytes::from([key.as_bytes().as_slice(), &[status], body.unwrap_or_default()].concat())
}
