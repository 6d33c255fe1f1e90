//! The network behind the simulated phone: three chats, ten messages each, and an answer to every text.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use handfast::Timestamp;
use handfast::codec::message::MessageState;
use reference_phone::store::{NewMessage, Store, StoreError};
use reference_phone::upstream::{NetworkChat, Outgoing, Upstream, UpstreamEvent};

/// How many chats there are; their ids are 1 and up.
pub const CHATS: u64 = 3;
/// How many messages each begins with.
const MESSAGES: u64 = 10;
const STEPS: [(u64, MessageState); 3] =
    [(40, MessageState::Sent), (120, MessageState::Delivered), (300, MessageState::Read)];

/// The network.
#[derive(Debug, Default)]
pub struct Network {
    due: BTreeMap<(Timestamp, u64), (Outgoing, MessageState)>,
    next: u64,
    ready: VecDeque<UpstreamEvent>,
}

impl Upstream for Network {
    fn history(&self) -> Vec<NetworkChat> {
        Vec::new()
    }

    fn send(&mut self, now: Timestamp, message: Outgoing) {
        for (after, state) in STEPS {
            if state > message.state {
                self.next += 1;
                let at = now.plus(Duration::from_millis(after));
                let _ = self.due.insert((at, self.next), (message.clone(), state));
            }
        }
    }

    fn poll(&mut self, now: Timestamp) -> Option<UpstreamEvent> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        if self.due.first_key_value().is_none_or(|((at, _), _)| *at > now) {
            return None;
        }
        let (_, (message, state)) = self.due.pop_first()?;
        if state == MessageState::Read {
            self.ready.push_back(UpstreamEvent::Incoming {
                chat: message.chat,
                network_id: format!("answer-{}-{}", message.chat, message.message),
                author: message.contact,
                text: format!("re {}", message.text.chars().take(40).collect::<String>()),
                reply_to: Some(message.message),
            });
        }
        Some(UpstreamEvent::State { chat: message.chat, message: message.message, state })
    }

    fn deadline(&self) -> Option<Timestamp> {
        if !self.ready.is_empty() {
            return Some(Timestamp::ZERO);
        }
        self.due.first_key_value().map(|((at, _), _)| *at)
    }
}

/// Puts the history into a new store.
///
/// # Errors
///
/// The store's.
pub fn fill(store: &mut Store, chats: u64, messages: u64) -> Result<(), StoreError> {
    for chat in 1..=chats {
        store.add_chat(chat, &format!("Chat {chat}"), &format!("contact {chat}"))?;
        for number in 0..messages {
            let is_own = number % 3 == 0;
            let _ = store.add_message(&NewMessage {
                chat,
                author: if is_own { "" } else { "contact" },
                time_ms: 1_767_000_000_000 + number * 60_000,
                text: &format!("history {chat}/{number}"),
                state: if is_own { MessageState::Read } else { MessageState::Received },
                reply_to: None,
                media: None,
                command: None,
                network_id: Some(&format!("history-{chat}-{number}")),
            })?;
        }
    }
    Ok(())
}

/// The history of the standard account.
///
/// # Errors
///
/// The store's.
pub fn fill_standard(store: &mut Store) -> Result<(), StoreError> {
    fill(store, CHATS, MESSAGES)
}
