//! The companion's side of the sync lane: the subscriptions of one connection, and the cursors, which outlive
//! the connection.

mod arrived;
mod receive;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Frame, Items, PageCursor};
use handfast_codec::limits::SUBSCRIPTIONS_MAX;
use handfast_codec::record::RecordBuilder;

pub(crate) use self::arrived::{Arrived, Compared, Delta, Page};
use super::SyncLane;
use crate::error::SendError;
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
