//! The network behind the phone, as a trait: what a real messenger would connect to.

pub mod contacts;
pub mod demo;

use handfast::Timestamp;
use handfast_messages::MessageState;

/// What the network holds of an account that is new on this phone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a network fills each field")]
pub struct NetworkChat {
    /// The chat's id.
    pub chat: u64,
    /// Its title.
    pub title: String,
    /// Who is at the other end.
    pub contact: String,
    /// Its history, oldest first.
    pub messages: Vec<NetworkMessage>,
}

/// One message of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a network fills each field")]
pub struct NetworkMessage {
    /// Who wrote it; empty: the account itself.
    pub author: String,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// Its text.
    pub text: String,
    /// A picture: its file name and a PNG.
    pub photo: Option<(String, Vec<u8>)>,
}

/// A message that this account sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a phone fills each field")]
pub struct Outgoing {
    /// The chat.
    pub chat: u64,
    /// The message's id at this phone.
    pub message: u64,
    /// Who is at the other end.
    pub contact: String,
    /// Its text, or the file's name if it has none.
    pub text: String,
    /// How far it had come: after a start the network is handed again what it had not finished.
    pub state: MessageState,
}

/// How the network and a phone name a message to one another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a message came from one of the two")]
pub enum MessageName {
    /// By its id at this phone, which sent it.
    Phone(u64),
    /// By its id in the network, from which it came.
    Network(String),
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It has another text.
    Edited(String),
    /// It was deleted.
    Deleted,
    /// Somebody reacted to it; empty: the reaction was taken back.
    Reacted(String),
}

/// A change of a message that this account made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a phone fills each field")]
pub struct OutgoingChange {
    /// The chat.
    pub chat: u64,
    /// Who is at the other end.
    pub contact: String,
    /// The message.
    pub message: MessageName,
    /// What became of it.
    pub change: Change,
}

/// Something happened in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpstreamEvent {
    /// A message that was sent has come further.
    State {
        /// The chat.
        chat: u64,
        /// The message.
        message: u64,
        /// How far.
        state: MessageState,
    },
    /// A contact wrote.
    Incoming {
        /// The chat.
        chat: u64,
        /// The message's id in the network: it is stored once, however often it is told.
        network_id: String,
        /// Who wrote it.
        author: String,
        /// Its text.
        text: String,
        /// The message of this account that it answers.
        reply_to: Option<u64>,
    },
    /// A contact edited or deleted a message of its own, or reacted to one.
    Changed {
        /// The chat.
        chat: u64,
        /// Who did it.
        author: String,
        /// The message.
        message: MessageName,
        /// What became of it.
        change: Change,
    },
    /// A contact came, or went.
    Presence {
        /// The chat.
        chat: u64,
        /// Whether it is there now.
        is_there: bool,
    },
}

/// The network. It has no clock and no memory that must survive: after a start it is handed again what it had not
/// finished.
pub trait Upstream: Send + std::fmt::Debug {
    /// What the network holds of a new account.
    fn history(&self) -> Vec<NetworkChat>;

    /// Sends a message. It is durable here already.
    fn send(&mut self, now: Timestamp, message: Outgoing);

    /// Tells of a change of a message. It is durable here already, and told once: after a start no change is handed again.
    fn change(&mut self, now: Timestamp, change: OutgoingChange);

    /// The next thing that happened, up to now. Events that are due at one moment are stored in one transaction.
    fn poll(&mut self, now: Timestamp) -> Option<UpstreamEvent>;

    /// When something will happen next.
    fn deadline(&self) -> Option<Timestamp>;
}
