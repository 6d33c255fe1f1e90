//! How a companion receives DELTAs, pages and digests: it checks them, joins them, and hands them to the application
//! one after another.

use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Frame, Items};
use handfast_codec::limits::{DELTA_LEN_MAX, DIGEST_EVERY, SNAPSHOT_TRIES_MAX};

use super::arrived::{Arrived, Compared, Delta, Page};
use super::{Sub, Then, WebSync};
use crate::error::ApiMisuse;

const NO_DIGEST_WANTED: ApiMisuse =
    ApiMisuse::WrongState { is: "none", needs: "the event DigestWanted of this collection" };

impl WebSync {
    /// Handles one part of a DELTA. After the last part the DELTA comes out of [`WebSync::next`].
    pub(crate) fn delta(
        &mut self,
        collection: Collection,
        span: (u64, u64),
        part: (u8, u8),
        items: Items,
    ) -> Result<(), ErrorCode> {
        if self.is_leaving(&collection)? {
            return Ok(());
        }
        let Some(Sub::Open(sub)) = self.subs.get_mut(&collection) else {
            return Err(ErrorCode::FRAME_NOT_ALLOWED);
        };
        let (from, to) = span;
        let (part, last) = part;
        // If a DELTA was lost, rows would be missing that nothing else reports.
        // req: SYN-002, SYN-024
        if from != sub.received || to <= from || to <= sub.told {
            return Err(ErrorCode::SEQ_GAP);
        }
        if part == 0 && sub.parts.is_empty() {
            (sub.to, sub.last) = (to, last);
        } else if usize::from(part) != sub.parts.len() || part == 0 || (to, last) != (sub.to, sub.last) {
            return Err(ErrorCode::PART_ORDER);
        }
        sub.parts.push(items);
        // The parts are joined in memory, so their total length has a limit.
        // req: SYN-005
        if sub.parts.iter().map(Items::len).sum::<usize>() > DELTA_LEN_MAX {
            return Err(ErrorCode::MESSAGE_TOO_LARGE);
        }
        if part < last {
            return Ok(());
        }
        (sub.received, sub.heard) = (to, true);
        let items = core::mem::take(&mut sub.parts);
        self.ready.push_back(Arrived::Delta(Delta { collection, from, to, items }));
        // Only a digest shows rows that differ although every DELTA arrived.
        // req: SYN-016
        sub.deltas = sub.deltas.saturating_add(1);
        if sub.deltas >= DIGEST_EVERY && !sub.digest_asked {
            sub.digest_asked = true;
            self.queue.push_back(Frame::DigestGet { collection, cursor: to });
        }
        Ok(())
    }

    /// Handles `SNAPSHOT_REQUIRED`. Returns true if that makes too many snapshots in a row; then none is
    /// fetched.
    pub(crate) fn snapshot_required(&mut self, collection: Collection) -> Result<bool, ErrorCode> {
        if self.is_leaving(&collection)? {
            return Ok(false);
        }
        // If the phone cannot read a page's cursor, the snapshot counts towards those in a row that have not
        // made the rows equal.
        if matches!(self.subs.get(&collection), Some(Sub::Snapshot { .. })) {
            self.count(collection);
        }
        let _ = self.snapshots.remove(&collection);
        if self.is_given_up(&collection) {
            let _ = self.subs.remove(&collection);
            return Ok(true);
        }
        // The new snapshot starts with its first page.
        // req: SYN-013
        self.ask_page(collection);
        Ok(false)
    }

    fn count(&mut self, collection: Collection) {
        let tries = self.tries.entry(collection).or_insert(0);
        *tries = tries.saturating_add(1);
    }

    fn is_given_up(&self, collection: &Collection) -> bool {
        // When rows still differ after several snapshots, another one would not help either.
        // req: SYN-019
        self.tries.get(collection).is_some_and(|tries| *tries >= SNAPSHOT_TRIES_MAX)
    }

    /// Handles a page, which must have been requested.
    pub(crate) fn page(&mut self, page: Page) -> Result<(), ErrorCode> {
        if self.is_leaving(&page.collection)? {
            return Ok(());
        }
        let expected = self.next_page(&page.collection);
        let is_of_snapshot = self.snapshots.get(&page.collection).is_none_or(|(rev, _)| *rev == page.rev);
        // A page that nobody asked for could mix two snapshots.
        // req: SYN-008
        match self.subs.get_mut(&page.collection) {
            Some(Sub::Snapshot { asked }) if *asked && expected == page.at => *asked = false,
            _ => return Err(ErrorCode::FRAME_NOT_ALLOWED),
        }
        // Pages of different revisions are of two snapshots, which must not be mixed.
        // req: SYN-086
        if !is_of_snapshot {
            return Err(ErrorCode::SEQ_GAP);
        }
        self.ready.push_back(Arrived::Page(page));
        Ok(())
    }

    /// Handles a digest, which must have been requested.
    pub(crate) fn digest(
        &mut self,
        collection: Collection,
        cursor: u64,
        digest: [u8; 32],
    ) -> Result<(), ErrorCode> {
        if self.is_leaving(&collection)? {
            return Ok(());
        }
        match self.subs.get_mut(&collection) {
            Some(Sub::Open(sub)) if sub.digest_asked && sub.parts.is_empty() => {
                // The phone's digest would cover fewer rows than are stored here.
                // req: SYN-031
                if cursor < sub.received {
                    return Err(ErrorCode::SEQ_GAP);
                }
                // The phone's next DELTA starts at the digest's revision.
                // req: SYN-034
                (sub.received, sub.heard) = (cursor, true);
                (sub.digest_asked, sub.deltas) = (false, 0);
            }
            _ => return Err(ErrorCode::FRAME_NOT_ALLOWED),
        }
        self.ready.push_back(Arrived::Digest { collection, cursor, digest });
        Ok(())
    }

    /// Returns the next item to pass to the application.
    pub(crate) fn next(&mut self) -> Option<Arrived> {
        if self.comparing.is_some() {
            return None;
        }
        let arrived = self.ready.pop_front()?;
        match &arrived {
            Arrived::Delta(_) => {}
            Arrived::Page(page) => {
                let _ = if page.next.as_bytes().is_empty() {
                    let _ = self.snapshots.remove(&page.collection);
                    self.cursors.insert(page.collection, page.rev)
                } else {
                    self.snapshots.insert(page.collection, (page.rev, page.next.clone())).map(|(rev, _)| rev)
                };
            }
            Arrived::Digest { collection, cursor, digest } => {
                self.comparing = Some((*collection, *cursor, *digest));
            }
        }
        Some(arrived)
    }

    /// Compares the digest of the companion's rows with the phone's.
    pub(crate) fn compare(&mut self, collection: &Collection, own: &[u8; 32]) -> Result<Compared, ApiMisuse> {
        let (_, cursor, digest) =
            self.comparing.take_if(|(asked, ..)| asked == collection).ok_or(NO_DIGEST_WANTED)?;
        // Equal digests prove that no row is missing up to the digest's cursor.
        // req: SYN-018
        if digest == *own {
            let _ = self.tries.remove(collection);
            let stored = self.cursors.get(collection).copied().unwrap_or(0);
            return Ok(Compared::Equal { moved: (cursor > stored).then_some(cursor) });
        }
        if !matches!(self.subs.get(collection), Some(Sub::Open(_))) {
            return Ok(Compared::Left);
        }
        if self.is_given_up(collection) {
            return Ok(Compared::GivenUp);
        }
        // A snapshot replaces every row, so it repairs a difference of any cause.
        // req: SYN-032
        let _ = self.leave_then(*collection, Then::Snapshot);
        Ok(Compared::Repair)
    }

    /// Records that rows are durable up to `to`. Acknowledges them if this subscription has received rows up
    /// to `to`.
    pub(crate) fn committed(&mut self, collection: Collection, to: u64) {
        let cursor = self.cursors.entry(collection).or_insert(0);
        *cursor = to.max(*cursor);
        if let Some(Sub::Open(sub)) = self.subs.get(&collection)
            && to <= sub.received
        {
            let _ = self.dirty.insert(collection);
        }
    }

    /// Records that a page is durable. Requests the next page, or after the last one the changes since the
    /// snapshot.
    pub(crate) fn page_committed(&mut self, collection: Collection) {
        // The next page is requested only now: a page that is lost in a crash is then requested again.
        // req: SYN-013
        if let Some(Sub::Snapshot { asked: false }) = self.subs.get(&collection) {
            if !self.snapshots.contains_key(&collection) {
                self.count(collection);
            }
            self.open(collection);
        }
    }
}
