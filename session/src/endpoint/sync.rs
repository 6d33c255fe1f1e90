//! The connection between the sync lane and the application: requests, answers, delivered rows.

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Frame, PageCursor};
use handfast_codec::limits::ITEMS_LEN_MAX;

use super::load::snapshot_row;
use super::{Deferred, Endpoint, PhoneSide, Side, WebSide};
use crate::commit::Op;
use crate::error::{ApiMisuse, SendRefused};
use crate::keys;
use crate::output::{Event, Message, SyncEvent};
use crate::sync::{Arrived, Compared, Delta, Page, Wanted};

impl Endpoint {
    /// Handles a frame of the sync lane.
    pub(super) fn on_sync_frame(&mut self, frame: Frame) -> Result<(), ErrorCode> {
        match &mut self.side {
            Side::Phone(phone) => on_phone(phone, frame),
            Side::Web(web) => {
                let event = on_web(web, frame)?;
                if let Some(event) = event {
                    self.event(event);
                }
                Ok(())
            }
        }
    }

    /// Passes a request of the sync lane to the phone's application.
    pub(super) fn ask_for(&mut self, wanted: Wanted) {
        self.event(match wanted {
            Wanted::Delta { collection, after, budget } => {
                Event::Sync(SyncEvent::DeltaWanted { collection, after, budget })
            }
            Wanted::Page { collection, page } => {
                Event::Sync(SyncEvent::PageWanted { collection, page, budget: ITEMS_LEN_MAX })
            }
            Wanted::Digest { collection } => Event::Sync(SyncEvent::DigestWanted { collection }),
        });
    }

    /// Passes rows to the companion's application, or requests the digest of the rows that the application
    /// has stored.
    pub(super) fn deliver_rows(&mut self, arrived: Arrived) {
        match arrived {
            // After a crash the stored cursor must match the stored rows.
            // req: SYN-003
            Arrived::Delta(Delta { collection, from, to, items }) => {
                let ops = alloc::vec![put_cursor(&collection, to)];
                let message = Message::Delta { collection, from, to, items };
                self.deliver_with(message, ops, Deferred::Cursor(collection, to));
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
                self.deliver_with(message, ops, Deferred::Page(collection));
            }
            Arrived::Digest { collection, .. } => {
                self.event(Event::Sync(SyncEvent::DigestWanted { collection }));
            }
        }
    }

    fn phone_sync(&mut self, now: Timestamp) -> Result<&mut crate::sync::PhoneSync, ApiMisuse> {
        self.tick(now);
        match &mut self.side {
            Side::Phone(phone) => Ok(&mut phone.sync),
            Side::Web(_) => Err(ApiMisuse::WrongRole),
        }
    }

    /// On a phone: sets the newest revision of the change log. Also call it once right after
    /// [`Endpoint::load`]: if a companion knows a later revision, the phone was put back to an earlier state,
    /// and the user is told.
    pub fn set_log_head(&mut self, now: Timestamp, rev: u64) {
        if let Ok(sync) = self.phone_sync(now) {
            sync.changed(rev);
        }
    }

    /// On a phone: sets the revision `floor` from which on the log is complete. Markers of rows that were
    /// deleted at or below `floor` may be gone. A companion whose cursor is below `floor` gets a snapshot.
    pub fn set_log_floor(&mut self, now: Timestamp, floor: u64) {
        if let Ok(sync) = self.phone_sync(now) {
            sync.pruned(floor);
        }
    }

    /// On a phone: answers [`SyncEvent::DeltaWanted`] with all rows of the collection above the requested
    /// revision and up to `to`, each at most 15,000 bytes; with no rows, when nothing changed up to `to`.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when no delta was requested, or the rows exceed the budget.
    pub fn provide_delta(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        to: u64,
        items: &[Bytes],
    ) -> Result<(), SendRefused> {
        self.phone_sync(now)?.delta(collection, to, items)
    }

    /// On a phone: answers [`SyncEvent::DeltaWanted`] when rows may have left a bounded collection before they
    /// were sent; the companion then reads the whole collection again.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when no delta was requested.
    pub fn require_snapshot(&mut self, now: Timestamp, collection: &Collection) -> Result<(), SendRefused> {
        self.phone_sync(now)?.behind(collection)
    }

    /// On a phone: answers [`SyncEvent::PageWanted`] with rows of the collection as they are now, and the cursor
    /// of the next page, which is empty after the last. `rev` is the newest revision at the time of the
    /// snapshot's first page, and the same in all its pages.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when no page was requested, or the rows do not fit a page.
    pub fn provide_page(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        rev: u64,
        next: PageCursor,
        items: &[Bytes],
    ) -> Result<(), SendRefused> {
        self.phone_sync(now)?.page(collection, Some((rev, next, items)))
    }

    /// On a phone: answers [`SyncEvent::PageWanted`] when the page's cursor cannot be read; the companion then
    /// starts the snapshot again.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when no page was requested.
    pub fn reject_page_cursor(&mut self, now: Timestamp, collection: &Collection) -> Result<(), SendRefused> {
        self.phone_sync(now)?.page(collection, None)
    }

    /// Answers [`SyncEvent::DigestWanted`] with the [`crate::RowDigest`] of the collection's rows as they are
    /// stored now. `rev` is the phone's newest revision at that time; a companion passes 0.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when no digest was requested.
    pub fn provide_digest(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        rev: u64,
        digest: [u8; 32],
    ) -> Result<(), SendRefused> {
        self.tick(now);
        let collection = *collection;
        let compared = match &mut self.side {
            Side::Phone(phone) => return phone.sync.digest(&collection, rev, digest),
            Side::Web(web) => web.sync.compare(&collection, &digest)?,
        };
        match compared {
            Compared::Equal { moved } => {
                if let Some(cursor) = moved {
                    let ops = alloc::vec![put_cursor(&collection, cursor)];
                    self.persist(ops, Deferred::Cursor(collection, cursor));
                }
                self.event(Event::Sync(SyncEvent::InSync { collection }));
            }
            Compared::Repair => self.event(Event::Sync(SyncEvent::OutOfSync { collection })),
            Compared::GivenUp => self.event(Event::Sync(SyncEvent::ResyncFailed { collection })),
            Compared::Left => {}
        }
        Ok(())
    }

    fn web_sync(&mut self, now: Timestamp) -> Result<&mut crate::sync::WebSync, SendRefused> {
        self.tick(now);
        match &mut self.side {
            Side::Web(_) if self.dead => Err(SendRefused::Ended),
            Side::Web(web) => Ok(&mut web.sync),
            Side::Phone(_) => Err(ApiMisuse::WrongRole.into()),
        }
    }

    /// On a companion: opens a subscription from the stored cursor on. It lasts as long as the connection, or
    /// until [`Endpoint::unsubscribe`].
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooMany`] past 64: leave one, and wait for [`SyncEvent::Unsubscribed`].
    pub fn subscribe(&mut self, now: Timestamp, collection: Collection) -> Result<(), SendRefused> {
        self.web_sync(now)?.subscribe(collection)
    }

    /// On a companion: opens a subscription to a collection whose rows it does not keep but applies to others
    /// (spec, messages, *Changes*). It starts at the stored cursor, or else at the phone's newest revision,
    /// which a [`Message::Page`] without rows reports first. Such a page also comes when the phone's log does
    /// not reach back to the cursor: what those rows would have changed is then unknown.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooMany`] past 64.
    pub fn subscribe_from_now(&mut self, now: Timestamp, collection: Collection) -> Result<(), SendRefused> {
        // Changes that are subscribed to later would miss edits of messages that were fetched before.
        // req: MSG-062
        self.web_sync(now)?.subscribe_from_now(collection)
    }

    /// On a companion: ends a subscription; [`SyncEvent::Unsubscribed`] follows. The stored rows and their cursor stay.
    ///
    /// # Errors
    ///
    /// [`SendRefused`]; `Misuse` when there is no such subscription.
    pub fn unsubscribe(&mut self, now: Timestamp, collection: Collection) -> Result<(), SendRefused> {
        if self.web_sync(now)?.leave(collection) { Ok(()) } else { Err(ApiMisuse::WrongState.into()) }
    }
}

fn put_cursor(collection: &Collection, cursor: u64) -> Op {
    Op::put(keys::named(keys::CURSOR, collection), cursor.to_be_bytes().to_vec())
}

fn on_phone(phone: &mut PhoneSide, frame: Frame) -> Result<(), ErrorCode> {
    match frame {
        Frame::Since { collection, cursor } => phone.sync.since(collection, cursor),
        Frame::PageGet { collection, page } => phone.sync.page_get(collection, page),
        Frame::DigestGet { collection, cursor } => phone.sync.digest_get(&collection, cursor),
        Frame::Leave { collection } => phone.sync.leave(collection),
        _ => Err(ErrorCode::FRAME_NOT_ALLOWED),
    }
}

fn on_web(web: &mut WebSide, frame: Frame) -> Result<Option<Event>, ErrorCode> {
    match frame {
        Frame::Delta { collection, from, to, part, last, items } => {
            web.sync.delta(collection, (from, to), (part, last), items)?;
        }
        Frame::SnapshotRequired { collection, .. } => {
            return Ok(web
                .sync
                .snapshot_required(collection)?
                .then_some(Event::Sync(SyncEvent::ResyncFailed { collection })));
        }
        Frame::Page { collection, page, next, rev, items } => {
            web.sync.page(Page { collection, at: page, next, rev, items })?;
        }
        Frame::Digest { collection, cursor, digest } => web.sync.digest(collection, cursor, digest)?,
        Frame::Leave { collection } => {
            return Ok(web
                .sync
                .left(collection)?
                .then_some(Event::Sync(SyncEvent::Unsubscribed { collection })));
        }
        _ => return Err(ErrorCode::FRAME_NOT_ALLOWED),
    }
    Ok(None)
}
