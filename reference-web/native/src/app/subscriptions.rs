//! Which collections the companion follows: the changes of older messages, the lists of chats and of companions, and as
//! many chats as subscriptions are left.
//!
//! Those that are needed stand first: a chat that the user opens, one that has news, then the most recent. To make room,
//! the chat that was needed longest ago is left, once it is in step: what is stored of it stays, and so does its cursor.
//! So every chat is within reach, whatever their number. The chat that the user opened last is never left, and for it
//! one that is not in step yet is.

use std::collections::{BTreeMap, VecDeque};

use handfast::Timestamp;
use handfast::codec::frame::Collection;
use handfast::codec::limits::SUBSCRIPTIONS_MAX;
use handfast::session::Endpoint;
use handfast_messages::CollectionName;

/// How many chats are followed at a time; the changes and the two lists take the other subscriptions.
pub(super) const CHATS_FOLLOWED_MAX: usize = SUBSCRIPTIONS_MAX - 3;

/// Where a followed chat stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    /// It is being brought up to date.
    Behind,
    /// It was found in step.
    InStep,
    /// It is being left.
    Leaving,
}

/// The subscriptions of one connection.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    followed: BTreeMap<u64, Followed>,
    /// Followed chats, the one needed longest ago first.
    order: VecDeque<u64>,
    /// Chats that wait for room, the one that is needed most first.
    waiting: VecDeque<u64>,
    /// Whether the list of chats was found in step.
    pub(super) has_list: bool,
    /// The chat that the user opened last. It outlives the connection.
    opened: Option<u64>,
}

fn messages(chat: u64) -> Option<Collection> {
    CollectionName::Messages(chat).encode()
}

impl Subscriptions {
    /// A connection begins: the changes first, then the lists, then these chats.
    pub(super) fn begin(&mut self, now: Timestamp, endpoint: &mut Endpoint, recent: &[u64]) {
        *self = Self { opened: self.opened, ..Self::default() };
        // req: MSG-062
        if let Some(changes) = CollectionName::Changes.encode() {
            // The first ones of a connection are never refused.
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

    /// The user opens a chat; `is_live`: whether there is a connection now.
    pub(super) fn open(&mut self, now: Timestamp, endpoint: &mut Endpoint, chat: u64, is_live: bool) {
        self.opened = Some(chat);
        if is_live {
            self.need(now, endpoint, chat);
        }
    }

    /// Whether there is room without leaving a chat.
    pub(super) fn has_room(&self) -> bool {
        self.followed.len() < CHATS_FOLLOWED_MAX
    }

    /// A chat is needed now.
    pub(super) fn need(&mut self, now: Timestamp, endpoint: &mut Endpoint, chat: u64) {
        match self.followed.get(&chat) {
            Some(Followed::Behind | Followed::InStep) => {
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

    fn follow(&mut self, now: Timestamp, endpoint: &mut Endpoint, chat: u64) {
        let Some(collection) = messages(chat) else { return };
        if endpoint.subscribe(now, collection).is_ok() {
            let _ = self.followed.insert(chat, Followed::Behind);
            self.order.push_back(chat);
        }
    }

    /// Leaves a chat for each that waits.
    fn make_room(&mut self, now: Timestamp, endpoint: &mut Endpoint) {
        let leaving = self.followed.values().filter(|state| **state == Followed::Leaving).count();
        for _ in leaving..self.waiting.len() {
            let Some(chat) = self.least_needed() else { return };
            let Some(collection) = messages(chat) else { return };
            if endpoint.leave(now, collection).is_err() {
                return;
            }
            let _ = self.followed.insert(chat, Followed::Leaving);
            self.order.retain(|of| *of != chat);
        }
    }

    /// The chat to be left, if any is: the one that was needed longest ago, and not the one that is open.
    fn least_needed(&self) -> Option<u64> {
        // req: MSG-067
        let others = || self.order.iter().copied().filter(|chat| Some(*chat) != self.opened);
        let idle = others().find(|chat| self.followed.get(chat) == Some(&Followed::InStep));
        let is_open_waiting = self.waiting.front().is_some_and(|chat| Some(*chat) == self.opened);
        idle.or_else(|| others().next().filter(|_| is_open_waiting))
    }

    /// The chats that are followed, or wait to be.
    pub(super) fn chats(&self) -> Vec<u64> {
        self.followed.keys().chain(&self.waiting).copied().collect()
    }

    /// A chat is in step, or will not come to be.
    pub(super) fn settled(&mut self, now: Timestamp, endpoint: &mut Endpoint, chat: u64) {
        if let Some(state) = self.followed.get_mut(&chat)
            && *state == Followed::Behind
        {
            *state = Followed::InStep;
        }
        self.make_room(now, endpoint);
    }

    /// A chat that was left is gone: the next one takes its place.
    pub(super) fn left(&mut self, now: Timestamp, endpoint: &mut Endpoint, chat: u64) {
        let _ = self.followed.remove(&chat);
        if let Some(next) = self.waiting.pop_front() {
            self.follow(now, endpoint, next);
        }
    }

    /// How many chats are followed, and how many wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.followed.len(), self.waiting.len())
    }
}
