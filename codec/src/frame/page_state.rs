//! The page state: the one value of the ephemeral lane that the protocol itself reads (spec, messages).

use bytes::Bytes;

use crate::error::{DecodeError, ErrorCode};
use crate::parse::Cursor;

/// Whether the companion's page is visible to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the states of version 1; others are refused")]
pub enum PageState {
    /// The page is on the screen; byte 0.
    Visible,
    /// The page is in the background; byte 1.
    Hidden,
}

impl PageState {
    /// The NOW slot that carries this value.
    pub const SLOT: u64 = 1;

    /// Returns the value as its single byte.
    #[must_use]
    pub const fn encode(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Visible => &[0],
            Self::Hidden => &[1],
        })
    }

    /// Decodes the value of the NOW slot.
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
