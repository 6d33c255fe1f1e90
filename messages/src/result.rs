//! Results: the phone's answers to commands.

use alloc::vec::Vec;

use bytes::Bytes;

use super::body::{freeze, list, read_kind, unknown_kind, writer};
use handfast_codec::limits::{HISTORY_COUNT_MAX, ITEM_LEN_MAX};
use handfast_codec::tlv::Field;
use handfast_codec::varint::{len_u64, put_varint};
use handfast_codec::{DecodeError, ErrorCode};

const ACCEPTED: u64 = 1;
const HISTORY_PAGE: u64 = 3;
const FAILED: u64 = 5;
const DONE: u64 = 7;

/// A result that was decoded, or is to be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResultBody {
    /// The phone has stored the message that was to be sent.
    Accepted {
        /// The id of the message.
        message: u64,
        /// The revision of the message's row.
        rev: u64,
    },
    /// A page of older messages.
    HistoryPage {
        /// The encoded items, at most 50. An item that cannot be decoded must be skipped.
        items: Vec<Bytes>,
        /// Whether the phone has messages older than these.
        more: bool,
        /// The phone's newest revision when it read the messages of the page.
        rev: u64,
    },
    /// The command was not executed.
    Failed {
        /// The reason why the command was not executed.
        code: ErrorCode,
    },
    /// The command was executed.
    Done,
}

impl ResultBody {
    /// Returns the encoded result.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Accepted { message, rev } => {
                let mut w = writer(ACCEPTED);
                let _ = w.varint(1, *message).varint(3, *rev);
                freeze(w)
            }
            Self::HistoryPage { items, more, rev } => {
                let mut all = Vec::new();
                for item in items {
                    put_varint(&mut all, len_u64(item.len()));
                    all.extend_from_slice(item);
                }
                let mut w = writer(HISTORY_PAGE);
                let _ = w.bytes(1, &all).u8(3, u8::from(*more)).varint(5, *rev);
                freeze(w)
            }
            Self::Failed { code } => {
                let mut w = writer(FAILED);
                let _ = w.u16(1, code.as_u16());
                freeze(w)
            }
            Self::Done => freeze(writer(DONE)),
        }
    }

    /// Decodes the body of a result. Items are slices of that body.
    ///
    /// # Errors
    /// `UNKNOWN_CRITICAL` for an unknown kind, and the faults of a TLV list and its fields.
    pub fn decode(body: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut c) = read_kind(body, "result kind")?;
        match kind {
            // req: MSG-021
            ACCEPTED => {
                let mut r = list(&mut c, &[1, 3])?;
                let message = r.required(1, "message id")?.varint()?;
                Ok(Self::Accepted { message, rev: r.required(3, "rev")?.varint()? })
            }
            // req: MSG-022
            HISTORY_PAGE => {
                let mut r = list(&mut c, &[1, 3, 5])?;
                let items = read_items(&r.required(1, "history items")?, body)?;
                let field = r.required(3, "history more")?;
                let more = match field.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(field.error(ErrorCode::FIELD_VALUE)),
                };
                // req: MSG-061
                Ok(Self::HistoryPage { items, more, rev: r.required(5, "history rev")?.varint()? })
            }
            // req: MSG-023
            FAILED => {
                let code = list(&mut c, &[1])?.required(1, "failure code")?.u16()?;
                Ok(Self::Failed { code: ErrorCode::from_u16(code) })
            }
            // req: MSG-024
            DONE => list(&mut c, &[]).map(|_| Self::Done),
            // req: MSG-001
            _ => unknown_kind("result kind"),
        }
    }
}

fn read_items(field: &Field<'_>, body: &Bytes) -> Result<Vec<Bytes>, DecodeError> {
    let mut cursor = field.cursor();
    let mut items = Vec::new();
    while !cursor.is_empty() {
        // req: FRM-024
        if len_u64(items.len()) == HISTORY_COUNT_MAX {
            return Err(cursor.error(ErrorCode::FIELD_LENGTH, "history items"));
        }
        items.push(body.slice_ref(cursor.long(1, ITEM_LEN_MAX, "item")?));
    }
    Ok(items)
}
