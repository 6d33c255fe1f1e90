//! A network of messages that says what a test tells it to.

use std::collections::VecDeque;

use handfast::Timestamp;
use reference_phone::upstream::{
    Change, MessageName, NetworkChat, Outgoing, OutgoingChange, Upstream, UpstreamEvent,
};

/// A network that says what a test gives it, one thing a round.
#[derive(Debug, Default, Clone)]
pub(crate) struct Network(std::sync::Arc<std::sync::Mutex<VecDeque<UpstreamEvent>>>);

impl Network {
    pub(crate) fn says(&self, chat: u64, network_id: u64, text: &str) {
        self.0.lock().unwrap().push_back(UpstreamEvent::Incoming {
            chat,
            network_id: network_id.to_string(),
            author: "Bo".into(),
            text: text.into(),
            reply_to: None,
        });
    }

    /// The contact changes a message of the chat.
    pub(crate) fn changes(&self, chat: u64, message: u64, change: Change) {
        let message = MessageName::Phone(message);
        let event = UpstreamEvent::Changed { chat, author: "Bo".into(), message, change };
        self.0.lock().unwrap().push_back(event);
    }

    /// The network tells something else.
    pub(crate) fn tells(&self, event: UpstreamEvent) {
        self.0.lock().unwrap().push_back(event);
    }

    pub(crate) fn comes(&self, chat: u64, is_there: bool) {
        self.0.lock().unwrap().push_back(UpstreamEvent::Presence { chat, is_there });
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

impl Upstream for Network {
    fn history(&self) -> Vec<NetworkChat> {
        Vec::new()
    }

    fn send(&mut self, _: Timestamp, _: Outgoing) {}

    fn change(&mut self, _: Timestamp, _: OutgoingChange) {}

    fn poll(&mut self, _: Timestamp) -> Option<UpstreamEvent> {
        self.0.lock().unwrap().pop_front()
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }
}
