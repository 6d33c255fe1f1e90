//! Made-up contacts: a message reaches them step by step, and whoever has read it answers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use handfast::Timestamp;
use handfast::codec::message::MessageState;

use super::{Outgoing, UpstreamEvent};

/// When the network has a message.
pub const SENT_AFTER: Duration = Duration::from_millis(40);
/// When it is delivered.
pub const DELIVERED_AFTER: Duration = Duration::from_millis(120);
/// When it is read and answered.
pub const READ_AFTER: Duration = Duration::from_millis(300);

const STEPS: [(Duration, MessageState); 3] = [
    (SENT_AFTER, MessageState::Sent),
    (DELIVERED_AFTER, MessageState::Delivered),
    (READ_AFTER, MessageState::Read),
];

/// The contacts of a made-up network, and what is on its way to them.
#[derive(Debug)]
pub struct Contacts {
    answer: fn(&str) -> String,
    due: BTreeMap<(Timestamp, u64), (Outgoing, MessageState)>,
    next: u64,
    ready: VecDeque<UpstreamEvent>,
}

impl Contacts {
    /// Contacts who answer a text so.
    #[must_use]
    pub const fn new(answer: fn(&str) -> String) -> Self {
        Self { answer, due: BTreeMap::new(), next: 0, ready: VecDeque::new() }
    }

    /// A message is on its way; of one that had come further before, the rest of it.
    pub fn send(&mut self, now: Timestamp, message: &Outgoing) {
        for (after, state) in STEPS {
            if state > message.state {
                self.next += 1;
                let _ = self.due.insert((now.plus(after), self.next), (message.clone(), state));
            }
        }
    }

    /// The next thing that happened, up to now.
    pub fn poll(&mut self, now: Timestamp) -> Option<UpstreamEvent> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        if self.due.first_key_value().is_none_or(|((at, _), _)| *at > now) {
            return None;
        }
        let (_, (message, state)) = self.due.pop_first()?;
        if state == MessageState::Read {
            // READ and the answer become durable together.
            self.ready.push_back(UpstreamEvent::Incoming {
                chat: message.chat,
                network_id: format!("answer-{}-{}", message.chat, message.message),
                author: message.contact,
                text: (self.answer)(&message.text),
                reply_to: Some(message.message),
            });
        }
        Some(UpstreamEvent::State { chat: message.chat, message: message.message, state })
    }

    /// When something will happen next.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        if !self.ready.is_empty() {
            return Some(Timestamp::ZERO);
        }
        self.due.first_key_value().map(|((at, _), _)| *at)
    }
}
