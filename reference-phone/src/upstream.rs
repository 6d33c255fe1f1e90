//! The messenger's network behind the phone, as a trait.

pub mod contacts;
pub mod demo;

use handfast::Timestamp;
use handfast_messages::MessageState;

/// A chat that the messenger's network has when its account is new on this phone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a network fills each field")]
pub struct NetworkChat {
    /// The chat's id.
    pub chat: u64,
    /// The chat's title.
    pub title: String,
    /// The contact's name.
    pub contact: String,
    /// The chat's messages, oldest first.
    pub messages: Vec<NetworkMessage>,
}

/// A message that the messenger's network has in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a network fills each field")]
pub struct NetworkMessage {
    /// The author's name; empty for the account itself.
    pub author: String,
    /// The time at which the message was written, in milliseconds since 1970.
    pub time_ms: u64,
    /// The message's text.
    pub text: String,
    /// A picture: its file name, and a PNG file.
    pub photo: Option<(String, Vec<u8>)>,
}

/// A message that this account sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a phone fills each field")]
pub struct Outgoing {
    /// The chat's id.
    pub chat: u64,
    /// The message's id on this phone.
    pub message: u64,
    /// The contact's name.
    pub contact: String,
    /// The message's text, or the name of its file if it has no text.
    pub text: String,
    /// The message's state of delivery. After a restart, messages that are not delivered are passed to the
    /// network again.
    pub state: MessageState,
}

/// The id of a message, as the messenger's network and the phone exchange it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a message came from one of the two")]
pub enum MessageName {
    /// The message's id on this phone, for a message that this phone sent.
    Phone(u64),
    /// The message's id in the network, for a message that came from there.
    Network(String),
}

/// A change of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The message was edited to this text.
    Edited(String),
    /// The message was deleted.
    Deleted,
    /// Somebody reacted to the message; an empty reaction removes the earlier one.
    Reacted(String),
}

/// A change that this account made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a phone fills each field")]
pub struct OutgoingChange {
    /// The chat's id.
    pub chat: u64,
    /// The contact's name.
    pub contact: String,
    /// The message that was changed.
    pub message: MessageName,
    /// The change itself.
    pub change: Change,
}

/// An event that the messenger's network reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpstreamEvent {
    /// The delivery of a message has advanced.
    State {
        /// The chat's id.
        chat: u64,
        /// The message's id on this phone.
        message: u64,
        /// The message's new state of delivery.
        state: MessageState,
    },
    /// A contact sent a message.
    Incoming {
        /// The chat's id.
        chat: u64,
        /// The message's id in the network. The message is stored once, however often this event comes.
        network_id: String,
        /// The author's name.
        author: String,
        /// The message's text.
        text: String,
        /// The id on this phone of the message to which it replies, if any.
        reply_to: Option<u64>,
    },
    /// A contact edited or deleted one of its own messages, or reacted to a message.
    Changed {
        /// The chat's id.
        chat: u64,
        /// The contact who made the change.
        author: String,
        /// The message that was changed.
        message: MessageName,
        /// The change itself.
        change: Change,
    },
    /// A contact came online, or went offline.
    Presence {
        /// The chat's id.
        chat: u64,
        /// Whether the contact is online now.
        is_there: bool,
    },
}

/// The messenger's network. It has no clock. It need not remember anything after a restart, because all
/// unfinished messages are then passed to it again.
pub trait Upstream: Send + std::fmt::Debug {
    /// Returns the chats that the network has when its account is new on a phone.
    fn history(&self) -> Vec<NetworkChat>;

    /// Sends a message. The message is already durable on the phone.
    fn send(&mut self, now: Timestamp, message: Outgoing);

    /// Sends a change of a message. The change is already durable on the phone. It is passed to the network
    /// only once, not again after a restart.
    fn change(&mut self, now: Timestamp, change: OutgoingChange);

    /// Returns the next event whose time is at most `now`. Events of the same moment are stored in one
    /// transaction.
    fn poll(&mut self, now: Timestamp) -> Option<UpstreamEvent>;

    /// Returns when the next event will come.
    fn deadline(&self) -> Option<Timestamp>;
}
