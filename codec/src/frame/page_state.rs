//! The one ephemeral value that the protocol itself reads: whether a page can be seen (spec, messages).

use bytes::Bytes;

use crate::error::{DecodeError, ErrorCode};
use crate::parse::Cursor;

/// Whether a page can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the states of version 1; others are refused")]
pub enum PageState {
    /// It can.
    Visible,
    /// It cannot.
    Hidden,
}

impl PageState {
    /// The NOW slot of this value.
    pub const SLOT: u64 = 1;

    /// The value's byte.
    #[must_use]
    pub const fn encode(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Visible => &[0],
            Self::Hidden => &[1],
        })
    }

    /// Reads the value.
    ///
    /// # Errors
    /// `TRUNCATED`, `TRAILING_BYTES` or `FIELD_VALUE`.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(body);
        // req: MSG-041
        let state = match cursor.u8("page state")? {
            0 => Self::Visible,
            1 => Self::Hidden,
            // req: MSG-044
            _ => return Err(DecodeError::new(ErrorCode::FIELD_VALUE, 0, "page state")),
        };
        cursor.finish("now body")?;
        Ok(state)
    }
}
