//! Simulated contacts: a message reaches a contact step by step, and a contact answers a message that it has
//! read. A contact is online from the delivery of a message until some time after the last one. A contact
//! likes texts that end with an exclamation mark.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use handfast::Timestamp;
use handfast_messages::MessageState;

use super::{Change, MessageName, Outgoing, UpstreamEvent};

/// How long after its sending the network has a message.
pub const SENT_AFTER: Duration = Duration::from_millis(40);
/// How long after its sending a message is delivered.
pub const DELIVERED_AFTER: Duration = Duration::from_millis(120);
/// How long after its sending a message is read and answered.
pub const READ_AFTER: Duration = Duration::from_millis(300);

/// How long a contact stays online after the last step of a message.
pub const PRESENT_FOR: Duration = Duration::from_secs(5);
/// A contact's reaction to a text that ends with an exclamation mark.
pub const LIKE: &str = "👍";

const STEPS: [(Duration, MessageState); 3] = [
    (SENT_AFTER, MessageState::Sent),
    (DELIVERED_AFTER, MessageState::Delivered),
    (READ_AFTER, MessageState::Read),
];

/// The contacts of a simulated network, and the messages on their way to them.
#[derive(Debug)]
pub struct Contacts {
    answer: fn(&str) -> String,
    due: BTreeMap<(Timestamp, u64), (Outgoing, MessageState)>,
    next: u64,
    ready: VecDeque<UpstreamEvent>,
    /// The chats whose contact is online, each with the time until which it is.
    present: BTreeMap<u64, Timestamp>,
}

impl Contacts {
    /// Creates contacts that answer a text with the result of `answer`.
    #[must_use]
    pub const fn new(answer: fn(&str) -> String) -> Self {
        Self { answer, due: BTreeMap::new(), next: 0, ready: VecDeque::new(), present: BTreeMap::new() }
    }

    /// Begins to deliver a message, or continues with one that was partly delivered before a restart.
    pub fn send(&mut self, now: Timestamp, message: &Outgoing) {
        for (after, state) in STEPS {
            if state > message.state {
                self.next += 1;
                let _ = self.due.insert((now.plus(after), self.next), (message.clone(), state));
            }
        }
    }

    /// Returns the next event whose time is at most `now`.
    pub fn poll(&mut self, now: Timestamp) -> Option<UpstreamEvent> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        if self.due.first_key_value().is_some_and(|((at, _), _)| *at <= now) {
            let ((at, _), (message, state)) = self.due.pop_first()?;
            let (chat, id) = (message.chat, message.message);
            self.follow(at, message, state);
            return Some(UpstreamEvent::State { chat, message: id, state });
        }
        let chat = self.present.iter().find(|(_, until)| **until <= now).map(|(chat, _)| *chat)?;
        let _ = self.present.remove(&chat);
        Some(UpstreamEvent::Presence { chat, is_there: false })
    }

    /// Queues what a step of a message causes, so that it becomes durable together with the step.
    fn follow(&mut self, at: Timestamp, message: Outgoing, state: MessageState) {
        let chat = message.chat;
        if state < MessageState::Delivered {
            return;
        }
        if self.present.insert(chat, at.plus(PRESENT_FOR)).is_none() {
            self.ready.push_back(UpstreamEvent::Presence { chat, is_there: true });
        }
        if state != MessageState::Read {
            return;
        }
        self.ready.push_back(UpstreamEvent::Incoming {
            chat,
            network_id: format!("answer-{chat}-{}", message.message),
            author: message.contact.clone(),
            text: (self.answer)(&message.text),
            reply_to: Some(message.message),
        });
        if message.text.ends_with('!') {
            self.ready.push_back(UpstreamEvent::Changed {
                chat,
                author: message.contact,
                message: MessageName::Phone(message.message),
                change: Change::Reacted(LIKE.to_owned()),
            });
        }
    }

    /// Returns when the next event will come.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        if !self.ready.is_empty() {
            return Some(Timestamp::ZERO);
        }
        let due = self.due.keys().next().map(|(at, _)| *at);
        due.into_iter().chain(self.present.values().copied()).min()
    }
}
