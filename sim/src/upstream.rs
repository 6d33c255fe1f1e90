//! The network behind the simulated phone: three chats, ten messages each, and an answer to every text.

use handfast::Timestamp;
use handfast_messages::MessageState;
use reference_phone::store::{NewMessage, Store, StoreError};
use reference_phone::upstream::contacts::Contacts;
use reference_phone::upstream::{NetworkChat, Outgoing, OutgoingChange, Upstream, UpstreamEvent};

/// How many chats there are; their ids are 1 and up.
pub const CHATS: u64 = 3;

/// The network.
#[derive(Debug)]
pub struct Network(Contacts);

impl Default for Network {
    fn default() -> Self {
        Self(Contacts::new(|text| format!("re {}", text.chars().take(40).collect::<String>())))
    }
}

impl Upstream for Network {
    fn history(&self) -> Vec<NetworkChat> {
        Vec::new()
    }

    fn send(&mut self, now: Timestamp, message: Outgoing) {
        self.0.send(now, &message);
    }

    fn change(&mut self, _: Timestamp, _: OutgoingChange) {}

    fn poll(&mut self, now: Timestamp) -> Option<UpstreamEvent> {
        self.0.poll(now)
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.0.deadline()
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
