//! The phone's side of the sync lane, for one connection.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Frame, Items, ItemsWriter, PageCursor, Row};
use handfast_codec::limits::{
    DELTA_LEN_MAX, DELTA_UNACKED_LEN_MAX, ITEMS_LEN_MAX, SUBSCRIPTIONS_MAX, SYNC_ANSWERS_MAX, VARINT_MAX,
};
use handfast_codec::record::RecordBuilder;

use super::SyncLane;
use crate::error::{ApiMisuse, SendError};
use crate::output::SyncEvent;
use crate::queue::pop_front_if;

/// If this many frames are queued, nothing more is requested from the application.
const QUEUE_FULL: usize = 8;

/// A request to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Rows of a collection above revision `after`, about `budget` bytes of them.
    Delta { collection: Collection, after: u64, budget: usize },
    /// A page of a snapshot, by its cursor.
    Page { collection: Collection, page: PageCursor },
    /// The digest of a collection's rows.
    Digest { collection: Collection },
}

impl Wanted {
    fn collection(&self) -> &Collection {
        match self {
            Self::Delta { collection, .. } | Self::Page { collection, .. } | Self::Digest { collection } => {
                collection
            }
        }
    }
}

/// The state of the phone's side on one connection.
#[derive(Debug, Default)]
pub(crate) struct PhoneSync {
    subs: BTreeMap<Collection, Sub>,
    /// The pages that the companion has requested.
    pages: BTreeMap<Collection, PageCursor>,
    queue: VecDeque<Frame>,
    /// The newest revision of the phone's log.
    rev: u64,
    /// The newest revision when this machine was loaded. Until the companion asks for rows, it cannot know a
    /// later revision.
    first: Option<u64>,
    /// Whether the companion has asked for rows since this machine was loaded.
    was_read: bool,
    /// The revision from which on the log is complete. Markers of rows that were deleted at or below it may
    /// be gone.
    floor: u64,
    /// Bytes of the DELTAs that the companion has not acknowledged.
    in_flight: usize,
    /// The collection whose rows were last requested, so that collections take turns.
    last: Option<Collection>,
    /// The open request to the application, and whether the companion still needs its answer.
    asked: Option<(Wanted, bool)>,
}

#[derive(Debug)]
struct Sub {
    /// The revision that the companion's cursor has, or will have once it has read what is queued.
    sent: u64,
    /// The revision up to which the application has nothing more to send.
    scanned: u64,
    /// The DELTAs in flight: the revision after each, and its length.
    in_flight: VecDeque<(u64, usize)>,
    /// Whether the companion waits for a digest.
    digest: bool,
}

impl PhoneSync {
    /// Prepares for a new connection, which starts without subscriptions.
    pub(crate) fn restart(&mut self) {
        let asked = self.asked.take().map(|(wanted, _)| (wanted, false));
        *self = Self {
            rev: self.rev,
            first: self.first,
            was_read: self.was_read,
            floor: self.floor,
            asked,
            ..Self::default()
        };
    }

    /// Sets the log's newest revision, which has grown or was just loaded.
    pub(crate) fn changed(&mut self, rev: u64) {
        let rev = rev.min(VARINT_MAX);
        let _ = self.first.get_or_insert(rev);
        self.rev = self.rev.max(rev);
    }

    /// Records that the log is complete only from `floor` on, because older markers were deleted.
    pub(crate) fn pruned(&mut self, floor: u64) {
        // Below `floor` the companion might not be told of deletions, and would keep rows that are deleted
        // here.
        // req: SYN-025
        self.floor = self.floor.max(floor);
        let floor = self.floor;
        let behind: Vec<Collection> =
            self.subs.iter().filter(|(_, sub)| sub.scanned < floor).map(|(c, _)| *c).collect();
        for collection in behind {
            self.end(&collection);
            self.queue.push_back(Frame::SnapshotRequired { collection, rev: self.rev });
        }
    }

    /// Handles SINCE, by which the companion subscribes.
    pub(crate) fn since(&mut self, collection: Collection, cursor: u64) -> Result<(), ErrorCode> {
        // Two subscriptions to one collection would deliver rows twice.
        // req: SYN-081
        if self.subs.contains_key(&collection) {
            return Err(ErrorCode::FRAME_NOT_ALLOWED);
        }
        self.was_read = true;
        // The answer to an open request for an earlier subscription is not needed any more.
        self.end(&collection);
        // Each subscription costs memory and look-ups in the application.
        // req: SYN-007
        if self.subs.len() >= SUBSCRIPTIONS_MAX {
            return Err(ErrorCode::LIMIT);
        }
        // Rows deleted at or below the floor may have left no marker, and a cursor above the newest revision
        // comes from another history of the log.
        // req: SYN-025
        if cursor < self.floor || cursor > self.rev {
            return self.reply(Frame::SnapshotRequired { collection, rev: self.rev });
        }
        // The companion has all rows up to its cursor, so only later rows are sent.
        // req: SYN-001
        let sub = Sub { sent: cursor, scanned: cursor, in_flight: VecDeque::new(), digest: false };
        let _ = self.subs.insert(collection, sub);
        Ok(())
    }

    /// Handles LEAVE, by which the companion ends a subscription or gives up a snapshot.
    pub(crate) fn leave(&mut self, collection: Collection) -> Result<(), ErrorCode> {
        // By the LEAVE that answers it, the companion sees that no further frame of the collection follows.
        // req: SYN-011
        self.end(&collection);
        let _ = self.pages.remove(&collection);
        self.reply(Frame::Leave { collection })
    }

    /// Handles `PAGE_GET`, the request for a page of a snapshot.
    pub(crate) fn page_get(&mut self, collection: Collection, page: PageCursor) -> Result<(), ErrorCode> {
        self.was_read = true;
        // A companion that asks faster than it reads the answers must not grow the queue of requested pages.
        // req: SYN-020
        if !self.pages.contains_key(&collection) && self.pages.len() >= SUBSCRIPTIONS_MAX {
            return Err(ErrorCode::LIMIT);
        }
        let _ = self.pages.insert(collection, page);
        Ok(())
    }

    /// Handles `DIGEST_GET`, the request for the digest of a subscribed collection.
    pub(crate) fn digest_get(&mut self, collection: &Collection, cursor: u64) -> Result<(), ErrorCode> {
        // The request may have been sent before the companion read SNAPSHOT_REQUIRED, which ends the
        // subscription.
        let Some(sub) = self.subs.get_mut(collection) else { return Ok(()) };
        // A cursor above what was sent is impossible: nobody can have rows that were never sent.
        // req: SYN-080
        if cursor > sub.sent {
            return Err(ErrorCode::ACK_FUTURE);
        }
        sub.digest = true;
        Ok(())
    }

    /// Ends a subscription, if there is one. The answer to an open request for it will be dropped.
    fn end(&mut self, collection: &Collection) {
        if let Some(old) = self.subs.remove(collection) {
            let freed = old.in_flight.iter().map(|(_, len)| *len).sum();
            self.in_flight = self.in_flight.saturating_sub(freed);
        }
        if let Some((wanted, counts)) = &mut self.asked
            && wanted.collection() == collection
        {
            *counts = false;
        }
    }

    /// Queues an immediate answer to the companion.
    fn reply(&mut self, frame: Frame) -> Result<(), ErrorCode> {
        // A companion that asks faster than it reads the answers must not grow the queue of answers.
        // req: SYN-020
        let replies = self.queue.iter().filter(|frame| !matches!(frame, Frame::Delta { .. })).count();
        if replies >= SYNC_ANSWERS_MAX {
            return Err(ErrorCode::LIMIT);
        }
        self.queue.push_back(frame);
        Ok(())
    }

    /// Returns the next request to the application, if the queue has room and no request is open.
    pub(crate) fn next_wanted(&mut self) -> Option<Wanted> {
        if self.asked.is_some() || self.queue.len() >= QUEUE_FULL {
            return None;
        }
        let wanted = self.wanted_page().or_else(|| self.wanted_digest()).or_else(|| self.wanted_delta())?;
        self.asked = Some((wanted.clone(), true));
        Some(wanted)
    }

    fn wanted_page(&mut self) -> Option<Wanted> {
        self.pages.pop_first().map(|(collection, page)| Wanted::Page { collection, page })
    }

    /// Returns the request for a digest, once all rows up to the newest revision were sent.
    fn wanted_digest(&self) -> Option<Wanted> {
        // Both sides must compute the digest over the same rows, so it waits until none is left to send.
        // req: SYN-017
        let due = |(_, sub): &(&Collection, &Sub)| sub.digest && sub.scanned >= self.rev;
        self.subs.iter().find(due).map(|(collection, _)| Wanted::Digest { collection: *collection })
    }

    fn wanted_delta(&mut self) -> Option<Wanted> {
        // A slow companion must not make the phone buffer a whole log.
        // req: SYN-004
        let budget = DELTA_UNACKED_LEN_MAX.saturating_sub(self.in_flight);
        if budget < DELTA_UNACKED_LEN_MAX / 4 {
            return None;
        }
        let behind = |(_, sub): &(&Collection, &Sub)| sub.scanned < self.rev;
        let last = self.last;
        let after_last = self.subs.iter().filter(|(c, _)| last.is_some_and(|l| **c > l)).find(behind);
        let (collection, sub) = after_last.or_else(|| self.subs.iter().find(behind))?;
        let wanted = Wanted::Delta { collection: *collection, after: sub.scanned, budget };
        self.last = Some(*collection);
        Some(wanted)
    }

    /// Returns whether the companion still needs the answer. Fails if the answer does not belong to the open
    /// request.
    fn is_asked(&self, matches: impl Fn(&Wanted) -> bool) -> Result<bool, ApiMisuse> {
        match &self.asked {
            Some((wanted, counts)) if matches(wanted) => Ok(*counts),
            Some(_) | None => Err(ApiMisuse::WrongState {
                is: "none",
                needs: "an open request of this kind for this collection",
            }),
        }
    }

    /// Queues the application's answer: all rows of the collection above the requested revision, up to `to`.
    pub(crate) fn delta(
        &mut self,
        collection: &Collection,
        to: u64,
        items: &[Bytes],
    ) -> Result<(), SendError> {
        let is_it =
            |wanted: &Wanted| matches!(wanted, Wanted::Delta { collection: c, .. } if c == collection);
        let counts = self.is_asked(is_it)?;
        let Some(sub) = self.subs.get_mut(collection).filter(|_| counts) else {
            self.asked = None;
            return Ok(());
        };
        if to > VARINT_MAX {
            return Err(ApiMisuse::TooLarge.into());
        }
        // It would be asked for again at once.
        if to <= sub.scanned {
            return Err(ApiMisuse::NoProgress.into());
        }
        check_span(items, sub.scanned, to)?;
        let parts = pack(items).ok_or(ApiMisuse::TooLarge)?;
        let total = parts.iter().map(Items::len).sum();
        let budget = DELTA_UNACKED_LEN_MAX.saturating_sub(self.in_flight);
        // The companion joins all parts of a DELTA in memory, so their total length has a limit.
        // req: SYN-005
        if total > budget.min(DELTA_LEN_MAX) {
            return Err(ApiMisuse::TooLarge.into());
        }
        let last = u8::try_from(parts.len().saturating_sub(1)).map_err(|_| ApiMisuse::TooLarge)?;
        self.asked = None;
        sub.scanned = to;
        if items.is_empty() {
            return Ok(());
        }
        let (collection, from) = (*collection, sub.sent);
        sub.sent = to;
        sub.in_flight.push_back((to, total));
        self.in_flight = self.in_flight.saturating_add(total);
        for (part, items) in (0_u8..).zip(parts) {
            self.queue.push_back(Frame::Delta { collection, from, to, part, last, items });
        }
        Ok(())
    }

    /// Handles the application's answer that some rows left the collection before they were sent.
    pub(crate) fn behind(&mut self, collection: &Collection) -> Result<(), SendError> {
        let is_it =
            |wanted: &Wanted| matches!(wanted, Wanted::Delta { collection: c, .. } if c == collection);
        let counts = self.is_asked(is_it)?;
        self.asked = None;
        if counts {
            // Rows that left the collection were not sent as deleted, so only a snapshot shows that they are
            // gone.
            // req: SYN-025
            self.end(collection);
            self.queue.push_back(Frame::SnapshotRequired { collection: *collection, rev: self.rev });
        }
        Ok(())
    }

    /// Queues the application's answer: a page, or `None` when it cannot read the page's cursor.
    pub(crate) fn page(
        &mut self,
        collection: &Collection,
        answer: Option<(u64, PageCursor, &[Bytes])>,
    ) -> Result<(), SendError> {
        let counts =
            self.is_asked(|wanted| matches!(wanted, Wanted::Page { collection: c, .. } if c == collection))?;
        let Some((Wanted::Page { page, .. }, _)) = &self.asked else { return Ok(()) };
        let collection = *collection;
        let frame = match answer {
            // The cursor may have been made by an earlier version of the application.
            // req: SYN-027
            None => Frame::SnapshotRequired { collection, rev: self.rev },
            Some((rev, ..)) if rev > VARINT_MAX => return Err(ApiMisuse::TooLarge.into()),
            Some((rev, next, items)) => {
                let items = Items::build(items).ok_or(ApiMisuse::TooLarge)?;
                // The page's own cursor is repeated, so the companion sees which request is answered.
                // req: SYN-082
                Frame::Page { collection, page: page.clone(), next, rev, items }
            }
        };
        self.asked = None;
        if counts {
            self.queue.push_back(frame);
        }
        Ok(())
    }

    /// Queues the application's answer: the digest of the collection, computed at revision `rev`.
    pub(crate) fn digest(
        &mut self,
        collection: &Collection,
        rev: u64,
        digest: [u8; 32],
    ) -> Result<(), SendError> {
        let counts =
            self.is_asked(|wanted| matches!(wanted, Wanted::Digest { collection: c } if c == collection))?;
        self.asked = None;
        // A digest of another revision proves nothing. It is requested again once the rows in between are
        // sent.
        if let Some(sub) = self.subs.get_mut(collection).filter(|sub| counts && sub.scanned == rev) {
            sub.digest = false;
            sub.sent = rev;
            self.queue.push_back(Frame::Digest { collection: *collection, cursor: rev, digest });
        }
        Ok(())
    }
}

impl SyncLane for PhoneSync {
    /// Returns the revision for the resume block: the highest one that a companion can know.
    fn rev(&self) -> u64 {
        // With a later revision in the block, the companion could not see that the phone was restored from a
        // backup.
        // req: RES-082
        self.first.filter(|_| !self.was_read).unwrap_or(self.rev)
    }

    /// Returns the revision up to which the rows of every subscription were sent or skipped, for a PING.
    fn ping_rev(&self) -> u64 {
        // By this revision the companion can see that a DELTA was lost.
        // req: SYN-021
        let scanned = self.subs.values().map(|sub| sub.scanned).min().unwrap_or(0);
        let queued = self.queue.iter().filter_map(|frame| match frame {
            Frame::Delta { from, .. } => Some(*from),
            _ => None,
        });
        queued.fold(scanned, u64::min)
    }

    fn on_frame(&mut self, frame: Frame) -> Result<Option<SyncEvent>, ErrorCode> {
        match frame {
            Frame::Since { collection, cursor } => self.since(collection, cursor)?,
            Frame::PageGet { collection, page } => self.page_get(collection, page)?,
            Frame::DigestGet { collection, cursor } => self.digest_get(&collection, cursor)?,
            Frame::Leave { collection } => self.leave(collection)?,
            _ => return Err(ErrorCode::FRAME_NOT_ALLOWED),
        }
        Ok(None)
    }

    /// Handles the companion's acknowledgement of a collection up to `cursor`.
    fn ack(&mut self, collection: &Collection, cursor: u64) -> Result<(), ErrorCode> {
        let Some(sub) = self.subs.get_mut(collection) else { return Ok(()) };
        // A cursor above what was sent is impossible: nobody can have stored rows that were never sent.
        // req: SYN-080
        if cursor > sub.sent {
            return Err(ErrorCode::ACK_FUTURE);
        }
        while let Some((_, len)) = pop_front_if(&mut sub.in_flight, |(to, _)| *to <= cursor) {
            self.in_flight = self.in_flight.saturating_sub(len);
        }
        Ok(())
    }

    fn ask(&mut self) -> Option<SyncEvent> {
        Some(match self.next_wanted()? {
            Wanted::Delta { collection, after, budget } => {
                SyncEvent::DeltaWanted { collection, after, budget }
            }
            Wanted::Page { collection, page } => {
                SyncEvent::PageWanted { collection, page, budget: ITEMS_LEN_MAX }
            }
            Wanted::Digest { collection } => SyncEvent::DigestWanted { collection },
        })
    }

    fn wants_to_send(&self) -> bool {
        !self.queue.is_empty()
    }

    fn fill(&mut self, record: &mut RecordBuilder) {
        while pop_front_if(&mut self.queue, |frame| record.push(frame)).is_some() {}
    }
}

/// Refuses items that are not rows of revisions above `after` and up to `to`, in ascending order: the
/// companion would end the session for them, or lack them.
fn check_span(items: &[Bytes], after: u64, to: u64) -> Result<(), ApiMisuse> {
    let last = items.iter().try_fold(after, |last, item| {
        let rev = Row::decode(item).ok()?.rev;
        (rev > last).then_some(rev)
    });
    if last.is_some_and(|last| last <= to) { Ok(()) } else { Err(ApiMisuse::RowOutside) }
}

/// Packs items into as few parts as possible. Returns `None` if an item is empty or too long.
fn pack(items: &[Bytes]) -> Option<Vec<Items>> {
    let mut parts = Vec::new();
    let mut part = ItemsWriter::new();
    for item in items {
        if !part.push(item) {
            parts.push(core::mem::take(&mut part).finish());
            part.push(item).then_some(())?;
        }
    }
    parts.push(part.finish());
    Some(parts)
}

#[cfg(test)]
mod tests;
