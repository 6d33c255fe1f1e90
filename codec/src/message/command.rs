//! Commands: what a companion asks its phone to do.

use alloc::string::String;

use bytes::Bytes;

use super::media::MediaDescriptor;
use super::{freeze, list, read_kind, unknown_kind, writer};
use crate::error::{DecodeError, ErrorCode};
use crate::limits::{CAPTION_LEN_MAX, HISTORY_COUNT_MAX, TEXT_LEN_MAX};

const SEND_TEXT: u64 = 1;
const HISTORY: u64 = 3;
const SEND_MEDIA: u64 = 5;
const MARK_READ: u64 = 7;

/// The body of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Sends a text.
    SendText {
        /// The chat.
        chat: u64,
        /// 1 to 8,192 bytes.
        text: String,
        /// The message that it answers.
        reply_to: Option<u64>,
    },
    /// Asks for older messages.
    History {
        /// The chat.
        chat: u64,
        /// Messages before this one; 0 for the newest.
        before: u64,
        /// How many, 1 to 50.
        count: u8,
    },
    /// Sends media that the phone has.
    SendMedia {
        /// The chat.
        chat: u64,
        /// The media.
        media: MediaDescriptor,
        /// 0 to 1,024 bytes.
        caption: Option<String>,
    },
    /// Marks a chat as read.
    MarkRead {
        /// The chat.
        chat: u64,
        /// The newest message that was read.
        message: u64,
    },
}

impl Command {
    /// The body's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::SendText { chat, text, reply_to } => {
                let mut w = writer(SEND_TEXT);
                let _ = w.varint(1, *chat).bytes(3, text.as_bytes());
                if let Some(message) = reply_to {
                    let _ = w.varint(5, *message);
                }
                freeze(w)
            }
            Self::History { chat, before, count } => {
                let mut w = writer(HISTORY);
                let _ = w.varint(1, *chat).varint(3, *before).varint(5, u64::from(*count));
                freeze(w)
            }
            Self::SendMedia { chat, media, caption } => {
                let mut w = writer(SEND_MEDIA);
                let _ = w.varint(1, *chat).bytes(3, &media.encode());
                if let Some(caption) = caption {
                    let _ = w.bytes(5, caption.as_bytes());
                }
                freeze(w)
            }
            Self::MarkRead { chat, message } => {
                let mut w = writer(MARK_READ);
                let _ = w.varint(1, *chat).varint(3, *message);
                freeze(w)
            }
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// `UNKNOWN_CRITICAL` for an unknown kind, and the faults of a TLV list and its fields.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let (kind, mut c) = read_kind(body, "command kind")?;
        match kind {
            // req: MSG-011
            SEND_TEXT => {
                let mut r = list(&mut c, &[1, 3, 5])?;
                Ok(Self::SendText {
                    chat: r.required(1, "chat")?.varint()?,
                    text: r.required(3, "text")?.text(1, TEXT_LEN_MAX)?,
                    reply_to: r.optional(5, "reply to")?.map(|field| field.varint()).transpose()?,
                })
            }
            // req: MSG-012
            HISTORY => {
                let mut r = list(&mut c, &[1, 3, 5])?;
                let chat = r.required(1, "chat")?.varint()?;
                let before = r.required(3, "before")?.varint()?;
                let field = r.required(5, "count")?;
                let count = u8::try_from(field.varint_in(1, HISTORY_COUNT_MAX)?)
                    .map_err(|_| field.error(ErrorCode::FIELD_VALUE))?;
                Ok(Self::History { chat, before, count })
            }
            // req: MSG-013
            SEND_MEDIA => {
                let mut r = list(&mut c, &[1, 3, 5])?;
                Ok(Self::SendMedia {
                    chat: r.required(1, "chat")?.varint()?,
                    media: MediaDescriptor::read(&r.required(3, "media")?)?,
                    caption: r
                        .optional(5, "caption")?
                        .map(|field| field.text(0, CAPTION_LEN_MAX))
                        .transpose()?,
                })
            }
            // req: MSG-014
            MARK_READ => {
                let mut r = list(&mut c, &[1, 3])?;
                let chat = r.required(1, "chat")?.varint()?;
                Ok(Self::MarkRead { chat, message: r.required(3, "message id")?.varint()? })
            }
            // req: MSG-001
            _ => unknown_kind("command kind"),
        }
    }
}
