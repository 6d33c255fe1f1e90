//! Items: the bodies of rows in collections, and of messages in history pages.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::body::{freeze, list, read_kind, unknown_kind, writer};
use super::media::MediaDescriptor;
use handfast_codec::ids::{CommandKey, CompanionId};
use handfast_codec::limits::{
    AUTHOR_LEN_MAX, LABEL_LEN_MAX, PREVIEW_LEN_MAX, REACTION_LEN_MAX, REACTIONS_MAX, TEXT_LEN_MAX,
    TITLE_LEN_MAX,
};
use handfast_codec::parse::{self, Cursor, ascends};
use handfast_codec::tlv::Field;
use handfast_codec::varint::{len_u64, put_varint};
use handfast_codec::{DecodeError, ErrorCode};

const CHAT: u64 = 1;
const MESSAGE: u64 = 3;
const DELETED: u64 = 5;
const COMPANION: u64 = 7;

/// The state of delivery of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MessageState {
    /// The phone has stored the message, and has not sent it yet.
    Accepted,
    /// The phone has sent the message to the messenger's network.
    Sent,
    /// The message has reached the recipient's device.
    Delivered,
    /// The recipient has read the message.
    Read,
    /// The network or the recipient refused the message.
    Failed,
    /// The account has received the message from somebody else.
    Received,
}

impl MessageState {
    /// Returns the state's number on the wire, 1 to 6.
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

    /// Returns the state that has this number, if there is one.
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

/// Which command created a message. By it a companion recognises its own message if the message arrives
/// before the command's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct CommandRef {
    /// The id of the companion that sent the command.
    pub companion: CompanionId,
    /// The key of the command.
    pub key: CommandKey,
}

/// A reaction to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct Reaction {
    /// The author's name, 0 to 128 bytes; empty for the account itself.
    pub author: String,
    /// The reaction, 1 to 64 bytes.
    pub reaction: String,
}

/// The state of a linked companion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CompanionState {
    /// The phone's user has approved the companion, and the companion has not accepted yet.
    Pending,
    /// The companion is linked.
    Active,
    /// The link is suspended, because two devices have the companion's keys.
    Suspended,
}

impl CompanionState {
    /// Returns the state's number on the wire, 1 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Pending => 1,
            Self::Active => 2,
            Self::Suspended => 3,
        }
    }

    /// Returns the state that has this number, if there is one.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Pending),
            2 => Some(Self::Active),
            3 => Some(Self::Suspended),
            _ => None,
        }
    }
}

/// A message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct Message {
    /// The id of the chat.
    pub chat: u64,
    /// The id of the message.
    pub message: u64,
    /// The author's name, 0 to 128 bytes; empty for the account itself.
    pub author: String,
    /// The time at which the message was written, in milliseconds since 1970.
    pub time: u64,
    /// The text, 0 to 8,192 bytes.
    pub text: String,
    /// The message's state of delivery.
    pub state: MessageState,
    /// The id of the message to which it replies.
    pub reply_to: Option<u64>,
    /// The description of the message's media content.
    pub media: Option<MediaDescriptor>,
    /// The command that created the message.
    pub command: Option<CommandRef>,
    /// Whether the message's text was edited.
    pub edited: bool,
    /// The reactions, at most 32, sorted by their authors' bytes.
    pub reactions: Vec<Reaction>,
}

/// An item that was decoded, or is to be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// A chat.
    Chat {
        /// The id of the chat.
        chat: u64,
        /// The chat's title, 1 to 128 bytes.
        title: String,
        /// The id of the chat's newest message; 0 if there is none.
        last_message: u64,
        /// The beginning of the newest message's text, 0 to 256 bytes.
        last_text: String,
        /// The time at which the newest message was written, in milliseconds since 1970.
        last_time: u64,
        /// The number of unread messages.
        unread: u64,
    },
    /// A message.
    Message(Message),
    /// A marker that a message, chat or companion was deleted.
    Deleted {
        /// The id of the chat; in the collection of companions, the serial number of the companion.
        chat: u64,
        /// The id of the message; `None` for a whole chat or a companion.
        message: Option<u64>,
    },
    /// A linked companion.
    Companion {
        /// The id of the companion.
        companion: CompanionId,
        /// The companion's serial number on the phone.
        serial: u64,
        /// The label that the companion claims, 0 to 64 bytes.
        label: String,
        /// The time at which the companion was linked, in milliseconds since 1970.
        linked: u64,
        /// The time at which the companion was last connected, in milliseconds since 1970; 0 if never.
        seen: u64,
        /// The state of the companion's link.
        status: CompanionState,
    },
}

impl Item {
    /// Returns the encoded item.
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
            Self::Companion { companion, serial, label, linked, seen, status } => {
                let mut w = writer(COMPANION);
                let _ = w
                    .bytes(1, companion.as_bytes())
                    .varint(3, *serial)
                    .bytes(5, label.as_bytes())
                    .varint(7, *linked)
                    .varint(9, *seen)
                    .u8(11, status.number());
                freeze(w)
            }
        }
    }

    /// Decodes an item.
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
            // req: MSG-035
            COMPANION => {
                let mut r = list(&mut c, &[1, 3, 5, 7, 9, 11])?;
                Ok(Self::Companion {
                    companion: CompanionId::from_bytes(r.required(1, "companion id")?.array()?),
                    serial: r.required(3, "serial")?.varint()?,
                    label: r.required(5, "label")?.text(0, LABEL_LEN_MAX)?,
                    linked: r.required(7, "linked")?.varint()?,
                    seen: r.required(9, "last seen")?.varint()?,
                    status: {
                        let field = r.required(11, "companion status")?;
                        CompanionState::from_number(field.u8()?).ok_or(field.error(ErrorCode::FIELD_VALUE))?
                    },
                })
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
            value.extend_from_slice(command.key.as_bytes());
            let _ = w.bytes(17, &value);
        }
        if self.edited {
            let _ = w.u8(19, 1);
        }
        if !self.reactions.is_empty() {
            let _ = w.bytes(21, &encode_reactions(&self.reactions));
        }
        freeze(w)
    }

    fn read(c: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut r = list(c, &[1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21])?;
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
            edited: match r.optional(19, "edited")? {
                None => false,
                Some(field) if field.u8()? == 1 => true,
                Some(field) => return Err(field.error(ErrorCode::FIELD_VALUE)),
            },
            reactions: match r.optional(21, "reactions")? {
                None => Vec::new(),
                Some(field) => read_reactions(&field)?,
            },
        })
    }
}

fn read_command(field: &Field<'_>) -> Result<CommandRef, DecodeError> {
    let mut c = field.cursor();
    let companion = CompanionId::from_bytes(c.array("companion id")?);
    let key = CommandKey::from_bytes(c.array("command key")?);
    c.finish("command")?;
    Ok(CommandRef { companion, key })
}

fn encode_reactions(reactions: &[Reaction]) -> Vec<u8> {
    let mut out = Vec::new();
    for Reaction { author, reaction } in reactions {
        for text in [author, reaction] {
            put_varint(&mut out, len_u64(text.len()));
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

fn read_reactions(field: &Field<'_>) -> Result<Vec<Reaction>, DecodeError> {
    let mut c = field.cursor();
    let mut reactions: Vec<Reaction> = Vec::new();
    // An empty list must be encoded by leaving the field out, so a field without bytes is refused.
    let _ = field.bytes(1, usize::MAX)?;
    while !c.is_empty() {
        let start = c.clone();
        // req: FRM-024
        if reactions.len() == REACTIONS_MAX {
            return Err(start.error(ErrorCode::FIELD_LENGTH, "reactions"));
        }
        let author = long_text(&mut c, 0, AUTHOR_LEN_MAX, "reaction author")?;
        // req: MSG-036
        ascends(reactions.last().map(|last| &last.author), &author, &start, "reactions")?;
        reactions.push(Reaction { author, reaction: long_text(&mut c, 1, REACTION_LEN_MAX, "reaction")? });
    }
    Ok(reactions)
}

/// Reads `len varint | text`.
fn long_text(c: &mut Cursor<'_>, min: usize, max: usize, what: &'static str) -> Result<String, DecodeError> {
    let value = c.long(min, max, what)?;
    parse::text(value, c.offset().saturating_sub(value.len()), what)
}
