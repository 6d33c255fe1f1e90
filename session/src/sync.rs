//! The sync lane: rows of the phone's change log, by collection (spec, delivery, *Sync*).
//!
//! The phone's side asks its application for rows when there is room; the web's side joins parts and keeps cursors.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Frame, Items, ItemsWriter};
use handfast_codec::limits::{DELTA_LEN_MAX, DELTA_UNACKED_LEN_MAX, SUBSCRIPTIONS_MAX};
use handfast_codec::record::RecordBuilder;

use crate::error::{ApiMisuse, SendRefused};

/// The phone's side of one connection.
#[derive(Debug, Default)]
pub(crate) struct PhoneSync {
    subs: BTreeMap<Collection, PhoneSub>,
    queue: VecDeque<Frame>,
    /// The phone's newest revision.
    rev: u64,
    /// Bytes of DELTAs that the web has not acknowledged.
    in_flight: usize,
    /// What was asked of the application last, and whether it has not answered.
    asked: Option<Collection>,
    waiting: bool,
}

#[derive(Debug)]
struct PhoneSub {
    /// The cursor that the web has, or is being sent.
    sent: u64,
    /// Up to here there are no further rows.
    scanned: u64,
    /// DELTAs in flight: the cursor after, and the length.
    in_flight: VecDeque<(u64, usize)>,
}

impl PhoneSync {
    /// A connection begins.
    pub(crate) fn restart(&mut self) {
        *self = Self { rev: self.rev, ..Self::default() };
    }

    pub(crate) fn rev(&self) -> u64 {
        self.rev
    }

    /// The log grew to `rev`.
    pub(crate) fn changed(&mut self, rev: u64) {
        self.rev = self.rev.max(rev);
    }

    /// The highest revision sent or skipped in every subscription.
    pub(crate) fn told(&self) -> u64 {
        self.subs.values().map(|sub| sub.scanned).min().unwrap_or(0)
    }

    pub(crate) fn since(&mut self, collection: Collection, cursor: u64) -> Result<(), ErrorCode> {
        // req: SYN-007
        if !self.subs.contains_key(&collection) && self.subs.len() >= SUBSCRIPTIONS_MAX {
            return Err(ErrorCode::LIMIT);
        }
        // req: SYN-001
        let sub = PhoneSub { sent: cursor, scanned: cursor, in_flight: VecDeque::new() };
        if let Some(old) = self.subs.insert(collection, sub) {
            let freed = old.in_flight.iter().map(|(_, len)| *len).sum();
            self.in_flight = self.in_flight.saturating_sub(freed);
        }
        Ok(())
    }

    /// The next question to the application: a collection with news, when there is room and none is open.
    pub(crate) fn next_wanted(&mut self) -> Option<(Collection, u64, usize)> {
        // req: SYN-004
        let budget = DELTA_UNACKED_LEN_MAX.saturating_sub(self.in_flight);
        if self.waiting || budget < DELTA_UNACKED_LEN_MAX / 4 {
            return None;
        }
        let behind = |(_, sub): &(&Collection, &PhoneSub)| sub.scanned < self.rev;
        let start = self.asked;
        let after_last =
            self.subs.iter().filter(|(c, _)| start.as_ref().is_some_and(|s| *c > s)).find(behind);
        let (collection, sub) = after_last.or_else(|| self.subs.iter().find(behind))?;
        let wanted = (*collection, sub.scanned, budget);
        self.asked = Some(wanted.0);
        self.waiting = true;
        Some(wanted)
    }

    /// The application's answer: all rows of the collection with a revision above the one asked for, up to `to`.
    pub(crate) fn delta(
        &mut self,
        collection: &Collection,
        to: u64,
        items: &[Bytes],
    ) -> Result<(), SendRefused> {
        if !self.waiting || self.asked.as_ref() != Some(collection) {
            return Err(ApiMisuse::WrongState.into());
        }
        let parts = pack(items).ok_or(ApiMisuse::TooLarge)?;
        let total = parts.iter().map(Items::len).sum();
        let budget = DELTA_UNACKED_LEN_MAX.saturating_sub(self.in_flight);
        let sub = self.subs.get_mut(collection).ok_or(ApiMisuse::WrongState)?;
        // req: SYN-005
        if total > budget.min(DELTA_LEN_MAX) || to < sub.scanned {
            return Err(ApiMisuse::TooLarge.into());
        }
        self.waiting = false;
        sub.scanned = to;
        if items.is_empty() {
            return Ok(());
        }
        let last = u8::try_from(parts.len().saturating_sub(1)).map_err(|_| ApiMisuse::TooLarge)?;
        for (part, items) in (0_u8..).zip(parts) {
            self.queue.push_back(Frame::Delta {
                collection: *collection,
                from: sub.sent,
                to,
                part,
                last,
                items,
            });
        }
        sub.sent = to;
        sub.in_flight.push_back((to, total));
        self.in_flight = self.in_flight.saturating_add(total);
        Ok(())
    }

    /// The web has stored a collection up to `cursor`.
    pub(crate) fn ack(&mut self, collection: &Collection, cursor: u64) -> Result<(), ErrorCode> {
        let Some(sub) = self.subs.get_mut(collection) else { return Ok(()) };
        // req: RES-007
        if cursor > sub.sent {
            return Err(ErrorCode::ACK_FUTURE);
        }
        while let Some((_, len)) = sub.in_flight.pop_front_if(|(to, _)| *to <= cursor) {
            self.in_flight = self.in_flight.saturating_sub(len);
        }
        Ok(())
    }

    pub(crate) fn wants_to_send(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn fill(&mut self, record: &mut RecordBuilder) {
        while self.queue.pop_front_if(|frame| record.push(frame)).is_some() {}
    }
}

/// Items in as few parts as they fit; `None` if one is empty or too long.
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

/// The web's side.
#[derive(Debug, Default)]
pub(crate) struct WebSync {
    /// What is durable.
    cursors: BTreeMap<Collection, u64>,
    subs: BTreeMap<Collection, WebSub>,
    /// Cursors to put into the next ACK.
    dirty: BTreeSet<Collection>,
    queue: VecDeque<Frame>,
    /// Whole DELTAs that have not been handed out.
    ready: VecDeque<Delta>,
}

#[derive(Debug)]
struct WebSub {
    /// The cursor after the last whole DELTA received on this connection.
    received: u64,
    /// The parts of the DELTA that is not whole.
    to: u64,
    last: u8,
    parts: Vec<Items>,
}

/// A whole DELTA.
#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) collection: Collection,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) items: Vec<Items>,
}

impl WebSync {
    pub(crate) fn new(cursors: BTreeMap<Collection, u64>) -> Self {
        Self { cursors, ..Self::default() }
    }

    /// A connection begins.
    pub(crate) fn restart(&mut self) {
        self.subs.clear();
        self.dirty.clear();
        self.queue.clear();
        self.ready.clear();
    }

    /// The phone has another log: nothing stored says anything of it.
    pub(crate) fn forget(&mut self) {
        self.cursors.clear();
        self.restart();
    }

    /// Asks for a collection from its stored cursor on.
    pub(crate) fn subscribe(&mut self, collection: Collection) -> Result<(), SendRefused> {
        if self.subs.contains_key(&collection) {
            return Ok(());
        }
        if self.subs.len() >= SUBSCRIPTIONS_MAX {
            return Err(SendRefused::TooMany);
        }
        let cursor = self.cursors.get(&collection).copied().unwrap_or(0);
        let sub = WebSub { received: cursor, to: 0, last: 0, parts: Vec::new() };
        let _ = self.subs.insert(collection, sub);
        self.queue.push_back(Frame::Since { collection, cursor });
        Ok(())
    }

    /// Takes one part; with its last one the DELTA waits in [`WebSync::next`].
    pub(crate) fn delta(
        &mut self,
        collection: Collection,
        span: (u64, u64),
        part: (u8, u8),
        items: Items,
    ) -> Result<(), ErrorCode> {
        // req: SYN-008
        let sub = self.subs.get_mut(&collection).ok_or(ErrorCode::FRAME_NOT_ALLOWED)?;
        let (from, to) = span;
        let (part, last) = part;
        // req: SYN-002
        if from != sub.received || to <= from {
            return Err(ErrorCode::SEQ_GAP);
        }
        if part == 0 && sub.parts.is_empty() {
            (sub.to, sub.last) = (to, last);
        } else if usize::from(part) != sub.parts.len() || part == 0 || (to, last) != (sub.to, sub.last) {
            return Err(ErrorCode::PART_ORDER);
        }
        sub.parts.push(items);
        // req: SYN-005
        if sub.parts.iter().map(Items::len).sum::<usize>() > DELTA_LEN_MAX {
            return Err(ErrorCode::MESSAGE_TOO_LARGE);
        }
        if part < last {
            return Ok(());
        }
        sub.received = to;
        self.ready.push_back(Delta { collection, from, to, items: core::mem::take(&mut sub.parts) });
        Ok(())
    }

    /// The next DELTA to hand out.
    pub(crate) fn next(&mut self) -> Option<Delta> {
        self.ready.pop_front()
    }

    /// A DELTA is durable: acknowledge it.
    pub(crate) fn committed(&mut self, collection: Collection, to: u64) {
        let cursor = self.cursors.entry(collection).or_insert(0);
        *cursor = to.max(*cursor);
        if self.subs.contains_key(&collection) {
            let _ = self.dirty.insert(collection);
        }
    }

    /// The cursors for an ACK.
    pub(crate) fn take_acks(&mut self) -> Vec<(Collection, u64)> {
        let dirty = core::mem::take(&mut self.dirty);
        dirty.into_iter().filter_map(|c| self.cursors.get(&c).map(|cursor| (c, *cursor))).collect()
    }

    pub(crate) fn wants_to_send(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn fill(&mut self, record: &mut RecordBuilder) {
        while self.queue.pop_front_if(|frame| record.push(frame)).is_some() {}
    }
}
