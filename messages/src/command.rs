//! Commands: the actions that a companion asks its phone for.

use alloc::string::String;

use bytes::Bytes;

use super::body::{freeze, list, read_kind, unknown_kind, writer};
use super::media::MediaDescriptor;
use handfast_codec::limits::{CAPTION_LEN_MAX, HISTORY_COUNT_MAX, REACTION_LEN_MAX, TEXT_LEN_MAX};
use handfast_codec::tlv::TlvReader;
use handfast_codec::{DecodeError, ErrorCode};

const SEND_TEXT: u64 = 1;
const HISTORY: u64 = 3;
const SEND_MEDIA: u64 = 5;
const MARK_READ: u64 = 7;
const EDIT_TEXT: u64 = 9;
const DELETE: u64 = 11;
const REACT: u64 = 13;

/// A command that was decoded, or is to be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Sends a text message.
    SendText {
        /// The id of the chat.
        chat: u64,
        /// The text, 1 to 8,192 bytes.
        text: String,
        /// The id of the message to which it replies.
        reply_to: Option<u64>,
    },
    /// Asks for a page of older messages.
    History {
        /// The id of the chat.
        chat: u64,
        /// The id of the message before which the page ends; 0 for the newest messages.
        before: u64,
        /// The most messages to return, 1 to 50.
        count: u8,
    },
    /// Sends a media message with content that the phone has.
    SendMedia {
        /// The id of the chat.
        chat: u64,
        /// The description of the content.
        media: MediaDescriptor,
        /// The caption, 0 to 1,024 bytes.
        caption: Option<String>,
    },
    /// Marks messages of a chat as read.
    MarkRead {
        /// The id of the chat.
        chat: u64,
        /// The id of the newest message that was read.
        message: u64,
    },
    /// Replaces the text of a message that the account wrote.
    EditText {
        /// The id of the chat.
        chat: u64,
        /// The id of the message.
        message: u64,
        /// The new text, 1 to 8,192 bytes.
        text: String,
    },
    /// Deletes a message that the account wrote.
    Delete {
        /// The id of the chat.
        chat: u64,
        /// The id of the message.
        message: u64,
    },
    /// Sets the account's reaction to a message, in place of an earlier one.
    React {
        /// The id of the chat.
        chat: u64,
        /// The id of the message.
        message: u64,
        /// The reaction, 0 to 64 bytes. An empty text removes the account's reaction.
        reaction: String,
    },
}

impl Command {
    /// Returns the encoded command.
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
            Self::MarkRead { chat, message } => of_message(MARK_READ, *chat, *message, None),
            Self::EditText { chat, message, text } => of_message(EDIT_TEXT, *chat, *message, Some(text)),
            Self::Delete { chat, message } => of_message(DELETE, *chat, *message, None),
            Self::React { chat, message, reaction } => of_message(REACT, *chat, *message, Some(reaction)),
        }
    }

    /// Decodes the body of a command.
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
                let (chat, message) = read_message(&mut list(&mut c, &[1, 3])?)?;
                Ok(Self::MarkRead { chat, message })
            }
            // req: MSG-015
            EDIT_TEXT => {
                let mut r = list(&mut c, &[1, 3, 5])?;
                let (chat, message) = read_message(&mut r)?;
                Ok(Self::EditText { chat, message, text: r.required(5, "text")?.text(1, TEXT_LEN_MAX)? })
            }
            // req: MSG-016
            DELETE => {
                let (chat, message) = read_message(&mut list(&mut c, &[1, 3])?)?;
                Ok(Self::Delete { chat, message })
            }
            // req: MSG-017
            REACT => {
                let mut r = list(&mut c, &[1, 3, 5])?;
                let (chat, message) = read_message(&mut r)?;
                let reaction = r.required(5, "reaction")?.text(0, REACTION_LEN_MAX)?;
                Ok(Self::React { chat, message, reaction })
            }
            // req: MSG-001
            _ => unknown_kind("command kind"),
        }
    }
}

/// Encodes a command about one message. `text` is the command's text, if it has one.
fn of_message(kind: u64, chat: u64, message: u64, text: Option<&str>) -> Bytes {
    let mut w = writer(kind);
    let _ = w.varint(1, chat).varint(3, message);
    if let Some(text) = text {
        let _ = w.bytes(5, text.as_bytes());
    }
    freeze(w)
}

/// Reads the ids of chat and message, with which a command about one message begins.
fn read_message(r: &mut TlvReader<'_>) -> Result<(u64, u64), DecodeError> {
    Ok((r.required(1, "chat")?.varint()?, r.required(3, "message id")?.varint()?))
}
