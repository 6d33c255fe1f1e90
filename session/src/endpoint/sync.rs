//! The sync lane and the application: what is asked of it, what it answers, what it gets.

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
use crate::output::{Event, Message};
use crate::sync::{Arrived, Compared, Delta, Page, Wanted};

impl Endpoint {
    /// Takes a frame of the sync lane.
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

    /// Asks the phone's application.
    pub(super) fn ask_for(&mut self, wanted: Wanted) {
        self.event(match wanted {
            Wanted::Delta { collection, after, budget } => Event::DeltaWanted { collection, after, budget },
            Wanted::Page { collection, page } => {
                Event::PageWanted { collection, page, budget: ITEMS_LEN_MAX }
            }
            Wanted::Digest { collection } => Event::DigestWanted { collection },
        });
    }

    /// Hands rows to the web's application, or asks it for the digest of those it has.
    pub(super) fn deliver_rows(&mut self, arrived: Arrived) {
        match arrived {
            // req: SYN-003
            Arrived::Delta(Delta { collection, from, to, items }) => {
                let ops = alloc::vec![put_cursor(&collection, to)];
                let message = Message::Delta { collection, from, to, items };
                self.deliver_with(message, ops, Deferred::Cursor(collection, to));
            }
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
            Arrived::Digest { collection, .. } => self.event(Event::DigestWanted { collection }),
        }
    }

    fn phone_sync(&mut self, now: Timestamp) -> Result<&mut crate::sync::PhoneSync, ApiMisuse> {
        self.tick(now);
        match &mut self.side {
            Side::Phone(phone) => Ok(&mut phone.sync),
            Side::Web(_) => Err(ApiMisuse::WrongRole),
        }
    }

    /// At the phone: the log has grown to `rev`. Call it once after [`Endpoint::load`] too, before anything else: a
    /// companion that knows a later revision then shows that the phone was rolled back.
    pub fn changed(&mut self, now: Timestamp, rev: u64) {
        if let Ok(sync) = self.phone_sync(now) {
            sync.changed(rev);
        }
    }

    /// At the phone: the log is whole from revision `floor` on; markers of what was deleted up to there may be gone.
    /// A companion that is further behind gets a snapshot.
    pub fn pruned(&mut self, now: Timestamp, floor: u64) {
        if let Ok(sync) = self.phone_sync(now) {
            sync.pruned(floor);
        }
    }

    /// At the phone: the answer to [`Event::DeltaWanted`]: all rows of the collection above the revision asked for and
    /// up to `to`, each at most 15,000 bytes; none, when nothing changed up to `to`.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when it was not asked for, or is over the budget.
    pub fn delta(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        to: u64,
        items: &[Bytes],
    ) -> Result<(), SendRefused> {
        self.phone_sync(now)?.delta(collection, to, items)
    }

    /// At the phone: the other answer to [`Event::DeltaWanted`], when rows of a bounded collection may have left it before
    /// they were sent: the companion reads the collection anew.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when it was not asked for.
    pub fn require_snapshot(&mut self, now: Timestamp, collection: &Collection) -> Result<(), SendRefused> {
        self.phone_sync(now)?.behind(collection)
    }

    /// At the phone: the answer to [`Event::PageWanted`]: rows of the collection as they are now, and the cursor of the
    /// next page, empty when this is the last. `rev` is the newest revision at the time of the snapshot's first page,
    /// and the same in all its pages.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when it was not asked for, or does not fit a page.
    pub fn page(
        &mut self,
        now: Timestamp,
        collection: &Collection,
        rev: u64,
        next: PageCursor,
        items: &[Bytes],
    ) -> Result<(), SendRefused> {
        self.phone_sync(now)?.page(collection, Some((rev, next, items)))
    }

    /// At the phone: the other answer to [`Event::PageWanted`], when the page's cursor cannot be read: the companion
    /// begins the snapshot anew.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when it was not asked for.
    pub fn reject_page_cursor(&mut self, now: Timestamp, collection: &Collection) -> Result<(), SendRefused> {
        self.phone_sync(now)?.page(collection, None)
    }

    /// The answer to [`Event::DigestWanted`]: the [`crate::RowDigest`] of the collection's rows as they are stored
    /// now. `rev` is the phone's newest revision then; a web gives 0.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when it was not asked for.
    pub fn digest(
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
                self.event(Event::InStep { collection });
            }
            Compared::Repair => self.event(Event::OutOfStep { collection }),
            Compared::GivenUp => self.event(Event::RepairFailed { collection }),
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

    /// At the web: opens a subscription from the stored cursor on. It lasts as long as the connection, or until
    /// [`Endpoint::leave`].
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooMany`] past 64: leave one, and wait for [`Event::Left`].
    pub fn subscribe(&mut self, now: Timestamp, collection: Collection) -> Result<(), SendRefused> {
        self.web_sync(now)?.subscribe(collection)
    }

    /// At the web: opens a subscription to a collection of which it keeps no rows, but applies them to others (spec,
    /// messages, *Changes*): from the stored cursor on, or else from the phone's newest revision, which a
    /// [`Message::Page`] without rows tells first. Such a page also comes when the phone's log does not reach back to
    /// the cursor: whatever those rows would have changed is not known any more.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooMany`] past 64.
    pub fn subscribe_from_now(&mut self, now: Timestamp, collection: Collection) -> Result<(), SendRefused> {
        // req: MSG-062
        self.web_sync(now)?.subscribe_from_now(collection)
    }

    /// At the web: ends a subscription; [`Event::Left`] follows. What was stored stays, and so does its cursor.
    ///
    /// # Errors
    ///
    /// [`SendRefused`]; `Misuse` when there is no such subscription.
    pub fn leave(&mut self, now: Timestamp, collection: Collection) -> Result<(), SendRefused> {
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
            return Ok(web.sync.snapshot_required(collection)?.then_some(Event::RepairFailed { collection }));
        }
        Frame::Page { collection, page, next, rev, items } => {
            web.sync.page(Page { collection, at: page, next, rev, items })?;
        }
        Frame::Digest { collection, cursor, digest } => web.sync.digest(collection, cursor, digest)?,
        Frame::Leave { collection } => {
            return Ok(web.sync.left(collection)?.then_some(Event::Left { collection }));
        }
        _ => return Err(ErrorCode::FRAME_NOT_ALLOWED),
    }
    Ok(None)
}
