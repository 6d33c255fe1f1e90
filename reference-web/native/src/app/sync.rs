//! What arrives over the sync lane: rows, pages, and digests to compare.

use bytes::Bytes;
use handfast::Timestamp;
use handfast::codec::frame::Collection;
use handfast::session::SyncEvent;
use handfast_messages::CollectionName;

use super::link::{Announced, Link};
use super::subscriptions::CHATS_FOLLOWED_MAX;
use super::{App, AppEvent, PendingDelete};
use crate::store::{Change, StoreError};

impl App {
    /// Writes rows to the companion's copy of the phone's data, in the open transaction.
    pub(super) fn take_rows(
        &mut self,
        now: Timestamp,
        link: &mut Link,
        collection: &Collection,
        rows: impl Iterator<Item = Bytes>,
    ) -> Result<(), StoreError> {
        let mut skipped = 0_u64;
        for row in rows {
            // An item that this version cannot apply must not keep the others from being applied.
            // req: SYN-006
            match self.store.put_row(collection, &row)? {
                Some(change) => self.on_change(now, link, change)?,
                None => skipped = skipped.saturating_add(1),
            }
        }
        if skipped > 0 {
            self.event(AppEvent::Skipped { items: skipped });
        }
        self.tell_synced(link)
    }

    fn on_change(&mut self, now: Timestamp, link: &mut Link, change: Change) -> Result<(), StoreError> {
        match change {
            Change::Chat(chat) => {
                let subscriptions = &mut link.data.subscriptions;
                let is_needed =
                    subscriptions.has_room() || (subscriptions.has_list && self.store.has_news(chat)?);
                if is_needed {
                    subscriptions.need(now, &mut link.endpoint, chat);
                }
            }
            Change::NewMessage(message) => {
                self.event(AppEvent::Message { message: Box::new(message), is_new: true });
            }
            Change::Message(message) => {
                self.event(AppEvent::Message { message: Box::new(message), is_new: false });
            }
            Change::Deleted(contents) => {
                self.leftovers.extend(contents.into_iter().map(PendingDelete::Content));
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells the user once that all subscribed chats are copied.
    pub(super) fn tell_synced(&mut self, link: &mut Link) -> Result<(), StoreError> {
        if link.data.announced == Announced::Nothing && self.store.is_mirrored(CHATS_FOLLOWED_MAX)? {
            link.data.announced = Announced::Synced;
            let counts = self.store.counts()?;
            self.event(AppEvent::Synced { chats: counts.chats, messages: counts.messages });
        }
        Ok(())
    }

    /// Handles an event of the sync lane. Returns an event of any other kind unchanged.
    pub(super) fn on_sync_event(
        &mut self,
        now: Timestamp,
        link: &mut Link,
        event: &SyncEvent,
    ) -> Result<(), StoreError> {
        match event {
            // The machine compares this digest with the phone's.
            // req: SYN-018
            SyncEvent::DigestWanted { collection } => {
                let digest = self.store.digest(collection)?;
                // The machine refuses the digest if the connection that asked has ended; it can be dropped.
                let _ = link.endpoint.provide_digest(now, collection, digest.value());
            }
            SyncEvent::InSync { collection } => {
                let gone = self.store.window_in_step(collection)?;
                self.leftovers.extend(gone.into_iter().map(PendingDelete::Content));
                self.on_settled(now, link, collection)?;
            }
            SyncEvent::OutOfSync { collection } => {
                self.event(AppEvent::Repair { collection: *collection, failed: false });
            }
            SyncEvent::ResyncFailed { collection } => {
                self.event(AppEvent::Repair { collection: *collection, failed: true });
                self.on_settled(now, link, collection)?;
            }
            SyncEvent::Unsubscribed { collection } => {
                if let Some(CollectionName::Messages(chat)) = CollectionName::decode(collection) {
                    link.data.subscriptions.left(now, &mut link.endpoint, chat);
                }
            }
            // What a phone is asked for.
            _ => {}
        }
        Ok(())
    }

    /// Handles the news that a collection matches the phone's, or that repairing it has failed.
    fn on_settled(
        &mut self,
        now: Timestamp,
        link: &mut Link,
        collection: &Collection,
    ) -> Result<(), StoreError> {
        match CollectionName::decode(collection) {
            Some(CollectionName::Chats) if !link.data.subscriptions.has_list => {
                link.data.subscriptions.has_list = true;
                // The most recent chats are the most important. Of several calls of `need` the last one
                // counts most.
                for chat in self.store.recent_chats(CHATS_FOLLOWED_MAX)?.into_iter().rev() {
                    link.data.subscriptions.need(now, &mut link.endpoint, chat);
                }
                self.tell_synced(link)
            }
            Some(CollectionName::Messages(chat)) => {
                link.data.subscriptions.settled(now, &mut link.endpoint, chat);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Subscribes to a chat, because the user opened it.
    pub fn open_chat(&mut self, now: Timestamp, chat: u64) {
        if let Some(link) = self.link_mut() {
            link.data.subscriptions.open(now, &mut link.endpoint, chat, link.data.live);
        }
    }
}
