//! The collections to which the companion is subscribed: the changes of older messages, the lists of chats
//! and of companions, and as many chats as there are subscriptions left.
//!
//! The most needed chats come first: a chat that the user opens, then a chat with news, then the most recent
//! ones. To make room, the companion unsubscribes the chat that was needed longest ago, once that chat's rows
//! match the phone's. Its stored rows and its cursor stay. So every chat has its turn, however many there
//! are. The chat that the user opened last stays subscribed. To make room for it, even a chat whose rows do
//! not match yet is unsubscribed.

use std::collections::{BTreeMap, VecDeque};

use handfast::Timestamp;
use handfast::codec::frame::Collection;
use handfast::codec::limits::SUBSCRIPTIONS_MAX;
use handfast::session::CompanionEndpoint;
use handfast_messages::CollectionName;

/// How many chats are subscribed at a time. The changes of older messages and the two lists take the other
/// subscriptions.
pub(super) const CHATS_FOLLOWED_MAX: usize = SUBSCRIPTIONS_MAX - 3;

/// The state of a subscribed chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    /// The chat's rows are being brought up to date.
    Behind,
    /// The chat's rows matched the phone's.
    InSync,
    /// The chat is being unsubscribed.
    Leaving,
}

/// The subscriptions of one connection.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    followed: BTreeMap<u64, Followed>,
    /// The subscribed chats. The one that was needed longest ago comes first.
    order: VecDeque<u64>,
    /// The chats that wait for a subscription. The one that is needed most comes first.
    waiting: VecDeque<u64>,
    /// Whether the list of chats matched the phone's list.
    pub(super) has_list: bool,
    /// The chat that the user opened last. It stays known over reconnects.
    opened: Option<u64>,
}

fn messages(chat: u64) -> Option<Collection> {
    CollectionName::Messages(chat).encode()
}

impl Subscriptions {
    /// Begins a connection: subscribes to the changes of older messages, then to the lists, then to the chats
    /// in `recent`.
    pub(super) fn begin(&mut self, now: Timestamp, endpoint: &mut CompanionEndpoint, recent: &[u64]) {
        *self = Self { opened: self.opened, ..Self::default() };
        // Changes that were made while there was no connection must be known before any page of a chat.
        // req: MSG-062
        if let Some(changes) = CollectionName::Changes.encode() {
            // The first subscriptions of a connection are never refused.
            let _ = endpoint.subscribe_from_now(now, changes);
        }
        for list in [CollectionName::Chats, CollectionName::Companions]
            .map(CollectionName::encode)
            .into_iter()
            .flatten()
        {
            let _ = endpoint.subscribe(now, list);
        }
        for chat in recent.iter().take(CHATS_FOLLOWED_MAX).rev() {
            self.need(now, endpoint, *chat);
        }
        if let Some(chat) = self.opened {
            self.need(now, endpoint, chat);
        }
    }

    /// Notes that the user opened a chat. Subscribes to it if there is a live connection (`is_live`).
    pub(super) fn open(
        &mut self,
        now: Timestamp,
        endpoint: &mut CompanionEndpoint,
        chat: u64,
        is_live: bool,
    ) {
        self.opened = Some(chat);
        if is_live {
            self.need(now, endpoint, chat);
        }
    }

    /// Returns whether another chat can be subscribed without unsubscribing one.
    pub(super) fn has_room(&self) -> bool {
        self.followed.len() < CHATS_FOLLOWED_MAX
    }

    /// Subscribes to a chat, now or as soon as there is room.
    pub(super) fn need(&mut self, now: Timestamp, endpoint: &mut CompanionEndpoint, chat: u64) {
        match self.followed.get(&chat) {
            Some(Followed::Behind | Followed::InSync) => {
                self.order.retain(|of| *of != chat);
                self.order.push_back(chat);
            }
            None if self.has_room() => self.follow(now, endpoint, chat),
            Some(Followed::Leaving) | None => {
                self.waiting.retain(|of| *of != chat);
                self.waiting.push_front(chat);
            }
        }
        self.make_room(now, endpoint);
    }

    fn follow(&mut self, now: Timestamp, endpoint: &mut CompanionEndpoint, chat: u64) {
        let Some(collection) = messages(chat) else { return };
        if endpoint.subscribe(now, collection).is_ok() {
            let _ = self.followed.insert(chat, Followed::Behind);
            self.order.push_back(chat);
        }
    }

    /// Unsubscribes one chat for each chat that waits.
    fn make_room(&mut self, now: Timestamp, endpoint: &mut CompanionEndpoint) {
        let leaving = self.followed.values().filter(|state| **state == Followed::Leaving).count();
        for _ in leaving..self.waiting.len() {
            let Some(chat) = self.least_needed() else { return };
            let Some(collection) = messages(chat) else { return };
            if endpoint.unsubscribe(now, collection).is_err() {
                return;
            }
            let _ = self.followed.insert(chat, Followed::Leaving);
            self.order.retain(|of| *of != chat);
        }
    }

    /// Returns the chat to unsubscribe, if there is one: of the chats that the user has not opened, the one
    /// that was needed longest ago.
    fn least_needed(&self) -> Option<u64> {
        // The chat that the user looks at must stay up to date.
        // req: MSG-067
        let others = || self.order.iter().copied().filter(|chat| Some(*chat) != self.opened);
        let idle = others().find(|chat| self.followed.get(chat) == Some(&Followed::InSync));
        let is_open_waiting = self.waiting.front().is_some_and(|chat| Some(*chat) == self.opened);
        idle.or_else(|| others().next().filter(|_| is_open_waiting))
    }

    /// Returns the chats that are subscribed or wait for a subscription.
    pub(super) fn chats(&self) -> Vec<u64> {
        self.followed.keys().chain(&self.waiting).copied().collect()
    }

    /// Notes that a chat's rows match the phone's, or that repairing them has failed.
    pub(super) fn settled(&mut self, now: Timestamp, endpoint: &mut CompanionEndpoint, chat: u64) {
        if let Some(state) = self.followed.get_mut(&chat)
            && *state == Followed::Behind
        {
            *state = Followed::InSync;
        }
        self.make_room(now, endpoint);
    }

    /// Notes that a chat was unsubscribed, and subscribes to the next waiting chat.
    pub(super) fn left(&mut self, now: Timestamp, endpoint: &mut CompanionEndpoint, chat: u64) {
        let _ = self.followed.remove(&chat);
        if let Some(next) = self.waiting.pop_front() {
            self.follow(now, endpoint, next);
        }
    }

    /// Returns how many chats are subscribed, and how many wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.followed.len(), self.waiting.len())
    }
}
