//! The connection between the sync lane and the application: requests, answers, delivered rows.

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::frame::{Collection, PageCursor};

use super::load::snapshot_row;
use super::pending::CompanionDeferred;
use super::{CompanionEndpoint, Deferred, PhoneEndpoint};
use crate::commit::Op;
use crate::error::{ApiMisuse, SendError};
use crate::keys;
use crate::output::{Event, Message, SyncEvent};
use crate::sync::{Arrived, Compared, Delta, Page, WebSync};

impl PhoneEndpoint {
    /// Sets the newest revision of the change log, at most 2^62 - 1. Also call it once right after [`PhoneEndpoint::load`]: if
    /// a companion knows a later revision, the phone was put back to an earlier state, and the user is told.
    pub fn set_log_head(&mut self, now: Timestamp, rev: u64) {
        self.tick(now);
        self.lanes.sync.changed(rev);
    }

    /// Sets the revision `floor` from which on the log is complete. Markers of rows that were deleted at or
    /// below `floor` may be gone. A companion whose cursor is below `floor` gets a snapshot.
    pub fn set_log_floor(&mut self, now: Timestamp, floor: u64) {
        self.tick(now);
        self.lanes.sync.pruned(floor);
    }

    /// Answers [`SyncEvent::DeltaWanted`] with all rows of the collection above the requested revision and up
    /// to `to`, in the order of their revisions, each encoded and at most 15,000 bytes; with no rows, when
    /// nothing changed up to `to`. A [`crate::RowList`] holds as many rows as fit. If not all of them fit,
    /// `to` is the revision of the last one that does; otherwise it is the newest of the log.
    ///
    /// # Errors
    ///
    /// [`SendError`] when no delta was requested, the rows exceed the budget, or one is none of these
    /// revisions; [`ApiMisuse::NoProgress`] when `to` is not above the requested revision.
    pub fn provide_delta(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        to: u64,
        items: &[Bytes],
    ) -> Result<(), SendError> {
        self.tick(now);
        self.lanes.sync.delta(collection, to, items)
    }

    /// Answers [`SyncEvent::DeltaWanted`] when rows may have left a bounded collection before they were sent;
    /// the companion then reads the whole collection again.
    ///
    /// # Errors
    ///
    /// [`SendError`] when no delta was requested.
    pub fn require_snapshot(&mut self, now: Timestamp, collection: &Collection) -> Result<(), SendError> {
        self.tick(now);
        self.lanes.sync.behind(collection)
    }

    /// Answers [`SyncEvent::PageWanted`] with rows of the collection as they are now, and the cursor of the
    /// next page, which is empty after the last. `rev` is the newest revision at the time of the snapshot's
    /// first page, and the same in all its pages.
    ///
    /// # Errors
    ///
    /// [`SendError`] when no page was requested, or the rows do not fit a page.
    pub fn provide_page(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        rev: u64,
        next: PageCursor,
        items: &[Bytes],
    ) -> Result<(), SendError> {
        self.tick(now);
        self.lanes.sync.page(collection, Some((rev, next, items)))
    }

    /// Answers [`SyncEvent::PageWanted`] when the page's cursor cannot be read; the companion then starts the
    /// snapshot again.
    ///
    /// # Errors
    ///
    /// [`SendError`] when no page was requested.
    pub fn reject_page_cursor(&mut self, now: Timestamp, collection: &Collection) -> Result<(), SendError> {
        self.tick(now);
        self.lanes.sync.page(collection, None)
    }

    /// Answers [`SyncEvent::DigestWanted`] with the [`crate::RowDigest`] of the collection's rows as they are
    /// stored now. `rev` is the newest revision at that time.
    ///
    /// # Errors
    ///
    /// [`SendError`] when no digest was requested.
    pub fn provide_digest(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        rev: u64,
        digest: [u8; 32],
    ) -> Result<(), SendError> {
        self.tick(now);
        self.lanes.sync.digest(collection, rev, digest)
    }
}

impl CompanionEndpoint {
    /// Passes rows to the application, or requests the digest of the rows that the application has stored.
    /// Returns whether something had arrived. Needs room for a commit.
    pub(super) fn deliver_rows(&mut self) -> bool {
        let Some(arrived) = self.lanes.sync.next() else { return false };
        match arrived {
            // After a crash the stored cursor must match the stored rows.
            // req: SYN-003
            Arrived::Delta(Delta { collection, from, to, items }) => {
                let ops = alloc::vec![put_cursor(&collection, to)];
                let message = Message::Delta { collection, from, to, items };
                self.deliver_with(message, ops, Deferred::OfRole(CompanionDeferred::Cursor(collection, to)));
            }
            // An interrupted snapshot can then continue where it stopped.
            // req: SYN-013, SYN-028
            Arrived::Page(Page { collection, at, next, rev, items }) => {
                let key = keys::named(keys::SNAPSHOT, &collection);
                let (first, last) = (at.as_bytes().is_empty(), next.as_bytes().is_empty());
                let ops = if last {
                    alloc::vec![Op::Delete { key }, put_cursor(&collection, rev)]
                } else {
                    alloc::vec![Op::put(key, snapshot_row(rev, &next))]
                };
                let message = Message::Page { collection, first, last, rev, items };
                self.deliver_with(message, ops, Deferred::OfRole(CompanionDeferred::Page(collection)));
            }
            Arrived::Digest { collection, .. } => {
                self.event(Event::Sync(SyncEvent::DigestWanted { collection }));
            }
        }
        true
    }

    /// Answers [`SyncEvent::DigestWanted`] with the [`crate::RowDigest`] of the collection's rows as they are
    /// stored now.
    ///
    /// # Errors
    ///
    /// [`SendError`] when no digest was requested.
    pub fn provide_digest(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        digest: [u8; 32],
    ) -> Result<(), SendError> {
        self.tick(now);
        let collection = *collection;
        match self.lanes.sync.compare(&collection, &digest)? {
            Compared::Equal { moved } => {
                if let Some(cursor) = moved {
                    let ops = alloc::vec![put_cursor(&collection, cursor)];
                    self.persist(ops, Deferred::OfRole(CompanionDeferred::Cursor(collection, cursor)));
                }
                self.event(Event::Sync(SyncEvent::InSync { collection }));
            }
            Compared::Repair => self.event(Event::Sync(SyncEvent::OutOfSync { collection })),
            Compared::GivenUp => self.event(Event::Sync(SyncEvent::ResyncFailed { collection })),
            Compared::Left => {}
        }
        Ok(())
    }

    fn open_sync(&mut self, now: Timestamp) -> Result<&mut WebSync, SendError> {
        self.tick(now);
        if self.dead { Err(SendError::Ended) } else { Ok(&mut self.lanes.sync) }
    }

    /// Opens a subscription from the stored cursor on. It lasts as long as the connection, or until
    /// [`CompanionEndpoint::unsubscribe`].
    ///
    /// # Errors
    ///
    /// [`SendError::TooMany`] past 64: leave one, and wait for [`SyncEvent::Unsubscribed`].
    pub fn subscribe(&mut self, now: Timestamp, collection: Collection) -> Result<(), SendError> {
        self.open_sync(now)?.subscribe(collection)
    }

    /// Opens a subscription to a collection whose rows the application does not keep but applies to others
    /// (spec, messages, *Changes*). It starts at the stored cursor, or else at the phone's newest revision,
    /// which a [`Message::Page`] without rows reports first. Such a page also comes when the phone's log does
    /// not reach back to the cursor: what those rows would have changed is then unknown.
    ///
    /// # Errors
    ///
    /// [`SendError::TooMany`] past 64.
    pub fn subscribe_from_now(&mut self, now: Timestamp, collection: Collection) -> Result<(), SendError> {
        // Changes that are subscribed to later would miss edits of messages that were fetched before.
        // req: MSG-062
        self.open_sync(now)?.subscribe_from_now(collection)
    }

    /// Ends a subscription; [`SyncEvent::Unsubscribed`] follows. The stored rows and their cursor stay.
    ///
    /// # Errors
    ///
    /// [`SendError`]; `Misuse` when there is no such subscription.
    pub fn unsubscribe(&mut self, now: Timestamp, collection: Collection) -> Result<(), SendError> {
        if self.open_sync(now)?.leave(collection) {
            return Ok(());
        }
        let (is, needs) = ("none", "a subscription of this collection");
        Err(ApiMisuse::WrongState { is, needs }.into())
    }
}

fn put_cursor(collection: &Collection, cursor: u64) -> Op {
    Op::put(keys::named(keys::CURSOR, collection), cursor.to_be_bytes().to_vec())
}
