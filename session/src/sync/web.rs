//! The companion's side of the sync lane: the subscriptions of one connection, and the cursors, which outlive
//! the connection.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Frame, Items, PageCursor};
use handfast_codec::limits::{DELTA_LEN_MAX, DIGEST_EVERY, SNAPSHOT_TRIES_MAX, SUBSCRIPTIONS_MAX};
use handfast_codec::record::RecordBuilder;

use super::SyncLane;
use crate::error::{ApiMisuse, SendError};
use crate::output::SyncEvent;
use crate::queue::pop_front_if;

/// The state of the companion's side.
#[derive(Debug, Default)]
pub(crate) struct WebSync {
    /// The cursor of each collection, durable or in an open commit.
    cursors: BTreeMap<Collection, u64>,
    /// Unfinished snapshots: their revision, and the cursor of the next page.
    snapshots: BTreeMap<Collection, (u64, PageCursor)>,
    /// The number of snapshots of a collection since its digest last matched.
    tries: BTreeMap<Collection, u8>,
    subs: BTreeMap<Collection, Sub>,
    /// The collections whose cursors go into the next ACK.
    dirty: BTreeSet<Collection>,
    queue: VecDeque<Frame>,
    /// Complete DELTAs, pages and digests that were not passed to the application yet.
    ready: VecDeque<Arrived>,
    /// The digest that the application is asked to compare. Nothing more is passed to it before it answers.
    comparing: Option<(Collection, u64, [u8; 32])>,
}

/// The state of a subscription.
#[derive(Debug)]
enum Sub {
    /// DELTAs are expected.
    Open(OpenSub),
    /// Pages of a snapshot are expected. If `asked`, the next page is requested; if not, the latest page is
    /// being stored.
    Snapshot { asked: bool },
    /// LEAVE was sent and not answered yet. Until the answer, frames of the collection are ignored.
    Leaving(Then),
}

/// What to do after the phone's answer to a LEAVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Subscribe,
    Snapshot,
}

#[derive(Debug)]
struct OpenSub {
    /// The revision after the last complete DELTA on this connection.
    received: u64,
    /// The revision up to which the phone has sent everything, as it said in a PING.
    told: u64,
    /// Whether anything came in this subscription. From then on a PING's revision applies to it too.
    heard: bool,
    /// The number of DELTAs since the last digest.
    deltas: u32,
    digest_asked: bool,
    /// The revision, the last part's number, and the parts of a DELTA that is not complete yet.
    to: u64,
    last: u8,
    parts: Vec<Items>,
}

/// A complete DELTA, joined from its parts.
#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) collection: Collection,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) items: Vec<Items>,
}

/// A page of a snapshot: `at` is its own cursor, `next` the cursor of the following page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) collection: Collection,
    pub(crate) at: PageCursor,
    pub(crate) next: PageCursor,
    pub(crate) rev: u64,
    pub(crate) items: Items,
}

/// An item for the endpoint to pass to the application.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// A DELTA whose rows must be stored with the new cursor.
    Delta(Delta),
    /// A page whose rows must be stored with the cursor from which the snapshot continues.
    Page(Page),
    /// A digest of the phone's rows, to be compared with the digest of the rows that are stored now.
    Digest { collection: Collection, cursor: u64, digest: [u8; 32] },
}

/// The result of comparing two digests.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Both sides have stored the same rows, and the cursor may move up to the digest's.
    Equal { moved: Option<u64> },
    /// The rows differ, so a snapshot will replace them.
    Repair,
    /// The rows still differ after three snapshots, so no other is fetched.
    GivenUp,
    /// The rows differ, but the subscription has ended. The next subscription compares again.
    Left,
}

impl WebSync {
    pub(crate) fn new(
        cursors: BTreeMap<Collection, u64>,
        snapshots: BTreeMap<Collection, (u64, PageCursor)>,
    ) -> Self {
        Self { cursors, snapshots, ..Self::default() }
    }

    /// Prepares for a new connection, which starts without subscriptions.
    pub(crate) fn restart(&mut self) {
        self.subs.clear();
        self.dirty.clear();
        self.queue.clear();
        self.ready.clear();
        self.comparing = None;
    }

    /// Forgets everything, because the phone has another log.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Subscribes to a collection from its stored cursor, or continues its snapshot.
    pub(crate) fn subscribe(&mut self, collection: Collection) -> Result<(), SendError> {
        let is_full = self.subs.len() >= SUBSCRIPTIONS_MAX;
        match self.subs.get_mut(&collection) {
            Some(Sub::Leaving(then)) if *then == Then::Nothing => *then = Then::Subscribe,
            Some(_) => {}
            None if is_full => return Err(SendError::TooMany),
            None => self.open(collection),
        }
        Ok(())
    }

    /// Subscribes like [`WebSync::subscribe`], but to a collection whose rows are not stored here. If there
    /// is no stored cursor, it requests a snapshot. That snapshot has no rows, and reports the phone's newest
    /// revision.
    pub(crate) fn subscribe_from_now(&mut self, collection: Collection) -> Result<(), SendError> {
        if self.cursors.contains_key(&collection) || self.subs.contains_key(&collection) {
            return self.subscribe(collection);
        }
        if self.subs.len() >= SUBSCRIPTIONS_MAX {
            return Err(SendError::TooMany);
        }
        self.ask_page(collection);
        Ok(())
    }

    fn open(&mut self, collection: Collection) {
        // An interrupted snapshot continues where it stopped.
        // req: SYN-013
        if self.snapshots.contains_key(&collection) {
            return self.ask_page(collection);
        }
        let cursor = self.cursors.get(&collection).copied().unwrap_or(0);
        let sub = OpenSub {
            received: cursor,
            told: 0,
            heard: false,
            deltas: 0,
            digest_asked: true,
            to: 0,
            last: 0,
            parts: Vec::new(),
        };
        let _ = self.subs.insert(collection, Sub::Open(sub));
        self.queue.push_back(Frame::Since { collection, cursor });
        // Only a digest shows rows that differ although every DELTA arrived.
        // req: SYN-016
        self.queue.push_back(Frame::DigestGet { collection, cursor });
    }

    /// Requests the next page of a snapshot; the first one if none was stored.
    fn ask_page(&mut self, collection: Collection) {
        let page = self.next_page(&collection);
        let _ = self.subs.insert(collection, Sub::Snapshot { asked: true });
        self.queue.push_back(Frame::PageGet { collection, page });
    }

    fn next_page(&self, collection: &Collection) -> PageCursor {
        self.snapshots.get(collection).map(|(_, next)| next.clone()).unwrap_or_default()
    }

    /// Leaves a subscription. Returns whether there was one.
    pub(crate) fn leave(&mut self, collection: Collection) -> bool {
        self.leave_then(collection, Then::Nothing)
    }

    fn leave_then(&mut self, collection: Collection, next: Then) -> bool {
        match self.subs.get_mut(&collection) {
            None => return false,
            Some(Sub::Leaving(then)) => *then = next,
            Some(sub) => {
                *sub = Sub::Leaving(next);
                let _ = self.dirty.remove(&collection);
                self.queue.push_back(Frame::Leave { collection });
            }
        }
        true
    }

    /// Handles the phone's answer to a LEAVE. Returns whether the subscription has ended.
    pub(crate) fn left(&mut self, collection: Collection) -> Result<bool, ErrorCode> {
        let Some(Sub::Leaving(then)) = self.subs.get(&collection) else {
            return Err(ErrorCode::FRAME_NOT_ALLOWED);
        };
        match then {
            Then::Nothing => {
                let _ = self.subs.remove(&collection);
                return Ok(true);
            }
            Then::Subscribe => self.open(collection),
            Then::Snapshot => self.ask_page(collection),
        }
        Ok(false)
    }

    /// Returns whether frames of the collection must be ignored, because its subscription is being ended.
    ///
    /// # Errors
    /// `FRAME_NOT_ALLOWED` when there is no subscription at all.
    fn is_leaving(&self, collection: &Collection) -> Result<bool, ErrorCode> {
        // Frames that were sent before the phone read LEAVE are normal. A frame without any subscription is
        // the phone's fault.
        // req: SYN-008, SYN-023
        match self.subs.get(collection) {
            None => Err(ErrorCode::FRAME_NOT_ALLOWED),
            Some(Sub::Leaving(_)) => Ok(true),
            Some(_) => Ok(false),
        }
    }

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
        // req: SYN-012
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
            self.comparing.take_if(|(asked, ..)| asked == collection).ok_or(ApiMisuse::WrongState)?;
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

impl SyncLane for WebSync {
    /// Returns the highest revision of the phone's log that this companion knows.
    fn rev(&self) -> u64 {
        let snapshots = self.snapshots.values().map(|(rev, _)| rev);
        self.cursors.values().chain(snapshots).copied().max().unwrap_or(0)
    }

    fn on_ping(&mut self, rev: u64) {
        for sub in self.subs.values_mut() {
            if let Sub::Open(sub) = sub
                && sub.heard
            {
                sub.told = sub.told.max(rev);
            }
        }
    }

    fn on_frame(&mut self, frame: Frame) -> Result<Option<SyncEvent>, ErrorCode> {
        let event = match frame {
            Frame::Delta { collection, from, to, part, last, items } => {
                self.delta(collection, (from, to), (part, last), items)?;
                None
            }
            Frame::SnapshotRequired { collection, .. } => {
                self.snapshot_required(collection)?.then_some(SyncEvent::ResyncFailed { collection })
            }
            Frame::Page { collection, page, next, rev, items } => {
                self.page(Page { collection, at: page, next, rev, items })?;
                None
            }
            Frame::Digest { collection, cursor, digest } => {
                self.digest(collection, cursor, digest)?;
                None
            }
            Frame::Leave { collection } => {
                self.left(collection)?.then_some(SyncEvent::Unsubscribed { collection })
            }
            _ => return Err(ErrorCode::FRAME_NOT_ALLOWED),
        };
        Ok(event)
    }

    fn take_acks(&mut self) -> Vec<(Collection, u64)> {
        let dirty = core::mem::take(&mut self.dirty);
        let received = |collection: &Collection| match self.subs.get(collection) {
            Some(Sub::Open(sub)) => Some(sub.received),
            _ => None,
        };
        dirty
            .into_iter()
            .filter_map(|c| Some((c, received(&c)?.min(self.cursors.get(&c).copied()?))))
            .collect()
    }

    fn wants_to_send(&self) -> bool {
        !self.queue.is_empty()
    }

    fn fill(&mut self, record: &mut RecordBuilder) {
        while pop_front_if(&mut self.queue, |frame| record.push(frame)).is_some() {}
    }
}
