//! Items: rows of collections and of history pages.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::media::MediaDescriptor;
use super::{freeze, list, read_kind, unknown_kind, writer};
use crate::error::{DecodeError, ErrorCode};
use crate::ids::CompanionId;
use crate::limits::{AUTHOR_LEN_MAX, PREVIEW_LEN_MAX, TEXT_LEN_MAX, TITLE_LEN_MAX};
use crate::parse::Cursor;
use crate::tlv::Field;
use crate::varint::put_varint;

const CHAT: u64 = 1;
const MESSAGE: u64 = 3;
const DELETED: u64 = 5;

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MessageState {
    /// On the phone's disk.
    Accepted,
    /// Sent to the network.
    Sent,
    /// At the other's device.
    Delivered,
    /// Read there.
    Read,
    /// Refused.
    Failed,
    /// Received from another.
    Received,
}

impl MessageState {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Accepted => 1,
            Self::Sent => 2,
            Self::Delivered => 3,
            Self::Read => 4,
            Self::Failed => 5,
            Self::Received => 6,
        }
    }

    /// The state of a number on the wire.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Accepted),
            2 => Some(Self::Sent),
            3 => Some(Self::Delivered),
            4 => Some(Self::Read),
            5 => Some(Self::Failed),
            6 => Some(Self::Received),
            _ => None,
        }
    }
}

/// The command that made a row, so that a delta which overtakes the result is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct CommandRef {
    /// The companion that sent it.
    pub companion: CompanionId,
    /// Its number in that companion's link.
    pub cmd_id: u64,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct Message {
    /// The chat.
    pub chat: u64,
    /// The message.
    pub message: u64,
    /// Who wrote it, 0 to 128 bytes; empty: the account itself.
    pub author: String,
    /// When, in milliseconds since 1970.
    pub time: u64,
    /// 0 to 8,192 bytes.
    pub text: String,
    /// How far it has come.
    pub state: MessageState,
    /// The message that it answers.
    pub reply_to: Option<u64>,
    /// Its media.
    pub media: Option<MediaDescriptor>,
    /// The command that made it.
    pub command: Option<CommandRef>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// A chat.
    Chat {
        /// The chat.
        chat: u64,
        /// 1 to 128 bytes.
        title: String,
        /// Its newest message; 0 when there is none.
        last_message: u64,
        /// The beginning of that message's text, 0 to 256 bytes.
        last_text: String,
        /// When that was written, in milliseconds since 1970.
        last_time: u64,
        /// How many messages are not read.
        unread: u64,
    },
    /// A message.
    Message(Message),
    /// A message or a chat was deleted.
    Deleted {
        /// The chat.
        chat: u64,
        /// The message; none: the whole chat.
        message: Option<u64>,
    },
}

impl Item {
    /// The item's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Chat { chat, title, last_message, last_text, last_time, unread } => {
                let mut w = writer(CHAT);
                let _ = w
                    .varint(1, *chat)
                    .bytes(3, title.as_bytes())
                    .varint(5, *last_message)
                    .bytes(7, last_text.as_bytes())
                    .varint(9, *last_time)
                    .varint(11, *unread);
                freeze(w)
            }
            Self::Message(message) => message.encode(),
            Self::Deleted { chat, message } => {
                let mut w = writer(DELETED);
                let _ = w.varint(1, *chat);
                if let Some(message) = message {
                    let _ = w.varint(3, *message);
                }
                freeze(w)
            }
        }
    }

    /// Reads an item.
    ///
    /// # Errors
    /// `UNKNOWN_CRITICAL` for an unknown kind, and the faults of a TLV list and its fields.
    pub fn decode(item: &[u8]) -> Result<Self, DecodeError> {
        let (kind, mut c) = read_kind(item, "item kind")?;
        match kind {
            // req: MSG-031
            CHAT => {
                let mut r = list(&mut c, &[1, 3, 5, 7, 9, 11])?;
                Ok(Self::Chat {
                    chat: r.required(1, "chat")?.varint()?,
                    title: r.required(3, "title")?.text(1, TITLE_LEN_MAX)?,
                    last_message: r.required(5, "last message id")?.varint()?,
                    last_text: r.required(7, "last text")?.text(0, PREVIEW_LEN_MAX)?,
                    last_time: r.required(9, "last time")?.varint()?,
                    unread: r.required(11, "unread")?.varint()?,
                })
            }
            // req: MSG-032
            MESSAGE => Message::read(&mut c).map(Self::Message),
            // req: MSG-033
            DELETED => {
                let mut r = list(&mut c, &[1, 3])?;
                let chat = r.required(1, "chat")?.varint()?;
                let message = r.optional(3, "message id")?.map(|field| field.varint()).transpose()?;
                Ok(Self::Deleted { chat, message })
            }
            // req: MSG-001
            _ => unknown_kind("item kind"),
        }
    }
}

impl Message {
    fn encode(&self) -> Bytes {
        let mut w = writer(MESSAGE);
        let _ = w
            .varint(1, self.chat)
            .varint(3, self.message)
            .bytes(5, self.author.as_bytes())
            .varint(7, self.time)
            .bytes(9, self.text.as_bytes())
            .u8(11, self.state.number());
        if let Some(message) = self.reply_to {
            let _ = w.varint(13, message);
        }
        if let Some(media) = &self.media {
            let _ = w.bytes(15, &media.encode());
        }
        if let Some(command) = &self.command {
            let mut value = Vec::from(command.companion.as_bytes());
            put_varint(&mut value, command.cmd_id);
            let _ = w.bytes(17, &value);
        }
        freeze(w)
    }

    fn read(c: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut r = list(c, &[1, 3, 5, 7, 9, 11, 13, 15, 17])?;
        Ok(Self {
            chat: r.required(1, "chat")?.varint()?,
            message: r.required(3, "message id")?.varint()?,
            author: r.required(5, "author")?.text(0, AUTHOR_LEN_MAX)?,
            time: r.required(7, "time")?.varint()?,
            text: r.required(9, "text")?.text(0, TEXT_LEN_MAX)?,
            state: {
                let field = r.required(11, "message state")?;
                MessageState::from_number(field.u8()?).ok_or(field.error(ErrorCode::FIELD_VALUE))?
            },
            reply_to: r.optional(13, "reply to")?.map(|field| field.varint()).transpose()?,
            media: r.optional(15, "media")?.map(|field| MediaDescriptor::read(&field)).transpose()?,
            command: r.optional(17, "command")?.map(|field| read_command(&field)).transpose()?,
        })
    }
}

fn read_command(field: &Field<'_>) -> Result<CommandRef, DecodeError> {
    let mut c = field.cursor();
    let companion = CompanionId::from_bytes(c.array("companion id")?);
    let cmd_id = c.varint("command id")?;
    c.finish("command")?;
    Ok(CommandRef { companion, cmd_id })
}
