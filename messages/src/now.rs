//! The values of NOW slots: the value that the protocol itself reads, and the values of the messenger.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::frame::PageState;
use handfast_codec::limits::PRESENT_MAX;
use handfast_codec::parse::{Cursor, ascends};
use handfast_codec::varint::put_varint;
use handfast_codec::{DecodeError, ErrorCode};

const PHONE_STATUS: u64 = 3;
const TYPING: u64 = 5;
const PRESENCE: u64 = 7;

/// The decoded value of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NowValue {
    /// Slot 1, from the companion: whether its page is visible.
    Page(PageState),
    /// Slot 3, from the phone: its battery.
    PhoneStatus {
        /// The charge, 0 to 100 percent.
        battery: u8,
        /// Whether the battery is being charged.
        charging: bool,
    },
    /// Slot 5, from either side: somebody is typing.
    Typing {
        /// The id of the chat.
        chat: u64,
    },
    /// Slot 7, from the phone: the contacts who are online.
    Presence {
        /// The ids of the chats whose contact is online, ascending, at most 100.
        present: Vec<u64>,
    },
}

impl NowValue {
    /// Returns the number of the slot that carries the value.
    #[must_use]
    pub const fn slot(&self) -> u64 {
        match self {
            Self::Page(_) => PageState::SLOT,
            Self::PhoneStatus { .. } => PHONE_STATUS,
            Self::Typing { .. } => TYPING,
            Self::Presence { .. } => PRESENCE,
        }
    }

    /// Returns the encoded value.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Page(state) => state.encode(),
            Self::PhoneStatus { battery, charging } => {
                Bytes::copy_from_slice(&[*battery, u8::from(*charging)])
            }
            Self::Typing { chat } => varints(&[*chat]),
            Self::Presence { present } => varints(present),
        }
    }

    /// Decodes the value of a slot. Returns `None` for a slot that the messenger does not use.
    ///
    /// # Errors
    /// `TRUNCATED`, `TRAILING_BYTES`, `FIELD_VALUE` or `VARINT_NOT_MINIMAL`; of a list also `FIELD_LENGTH`,
    /// `DUPLICATE_FIELD` or `FIELD_ORDER`.
    pub fn decode(slot: u64, body: &[u8]) -> Result<Option<Self>, DecodeError> {
        let mut c = Cursor::new(body);
        // req: MSG-044
        let refused = |at, what| Err(DecodeError::new(ErrorCode::FIELD_VALUE, at, what));
        let value = match slot {
            PageState::SLOT => return Ok(Some(Self::Page(PageState::decode(body)?))),
            // req: MSG-042
            PHONE_STATUS => match (c.u8("battery")?, c.u8("charging")?) {
                (battery @ 0..=100, charging @ 0..=1) => {
                    Self::PhoneStatus { battery, charging: charging == 1 }
                }
                (0..=100, _) => return refused(1, "charging"),
                _ => return refused(0, "battery"),
            },
            // req: MSG-043
            TYPING => Self::Typing { chat: c.varint("chat")? },
            // req: MSG-046
            PRESENCE => Self::Presence { present: read_present(&mut c)? },
            // req: MSG-090
            _ => return Ok(None),
        };
        c.finish("now body")?;
        Ok(Some(value))
    }
}

fn varints(numbers: &[u64]) -> Bytes {
    let mut out = Vec::new();
    for number in numbers {
        put_varint(&mut out, *number);
    }
    Bytes::from(out)
}

fn read_present(c: &mut Cursor<'_>) -> Result<Vec<u64>, DecodeError> {
    let mut present = Vec::new();
    while !c.is_empty() {
        let start = c.clone();
        // req: FRM-024
        if present.len() == PRESENT_MAX {
            return Err(start.error(ErrorCode::FIELD_LENGTH, "presence"));
        }
        let chat = c.varint("chat")?;
        // req: MSG-047
        ascends(present.last(), &chat, &start, "presence")?;
        present.push(chat);
    }
    Ok(present)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn values_by_example() {
        // req: MSG-041, MSG-042, MSG-043
        let cases: [(NowValue, u64, &[u8]); 6] = [
            (NowValue::Page(PageState::Visible), 1, &[0]),
            (NowValue::Page(PageState::Hidden), 1, &[1]),
            (NowValue::PhoneStatus { battery: 100, charging: true }, 3, &[100, 1]),
            (NowValue::Typing { chat: 300 }, 5, &[0x41, 0x2c]),
            (NowValue::Presence { present: vec![] }, 7, &[]),
            (NowValue::Presence { present: vec![3, 300] }, 7, &[3, 0x41, 0x2c]),
        ];
        for (value, slot, bytes) in cases {
            assert_eq!((value.slot(), value.encode().as_ref()), (slot, bytes));
            assert_eq!(NowValue::decode(slot, bytes), Ok(Some(value)));
        }
    }

    #[test]
    fn a_slot_that_is_not_listed_is_ignored_whatever_it_holds() {
        // req: MSG-090
        for slot in [0, 2, 4, 6, 8, 9, 58, (1 << 62) - 1] {
            for body in [&b""[..], &[1], &[0xff; 1_024]] {
                assert_eq!(NowValue::decode(slot, body), Ok(None), "{slot}");
            }
        }
    }

    #[test]
    fn presence_is_a_hundred_chats_at_most_that_ascend() {
        // req: MSG-046, MSG-047, FRM-024
        let value = |count: u64| NowValue::Presence { present: (0..count).collect() };
        let read = |body: &[u8]| NowValue::decode(7, body);
        assert_eq!(read(&value(100).encode()), Ok(Some(value(100))));
        let refused = |code, at, what| Err(DecodeError::new(code, at, what));
        assert_eq!(read(&value(101).encode()), refused(ErrorCode::FIELD_LENGTH, 136, "presence"));
        assert_eq!(read(&[4, 4]), refused(ErrorCode::DUPLICATE_FIELD, 1, "presence"));
        assert_eq!(read(&[4, 3]), refused(ErrorCode::FIELD_ORDER, 1, "presence"));
        assert_eq!(read(&[4, 0x40]), refused(ErrorCode::TRUNCATED, 1, "chat"));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        // req: FRM-011, MSG-044
        let refused = |slot, body: &[u8]| NowValue::decode(slot, body).unwrap_err();
        assert_eq!(refused(1, &[2]), DecodeError::new(ErrorCode::FIELD_VALUE, 0, "page state"));
        assert_eq!(refused(3, &[101, 0]), DecodeError::new(ErrorCode::FIELD_VALUE, 0, "battery"));
        assert_eq!(refused(3, &[1, 2]), DecodeError::new(ErrorCode::FIELD_VALUE, 1, "charging"));
        assert_eq!(refused(3, &[1]), DecodeError::new(ErrorCode::TRUNCATED, 1, "charging"));
        assert_eq!(refused(1, &[0, 0]), DecodeError::new(ErrorCode::TRAILING_BYTES, 1, "now body"));
    }
}
