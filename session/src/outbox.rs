//! The reliable lane's sending side: messages kept until the peer has them on its disk (spec, delivery).
//!
//! Rows are numbered for life by *index*; their sequence number in the epoch is `index - base`, so a RESET moves one
//! number and rewrites no row.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{
    MESSAGE_LEN_MAX, MSG_PART_LEN_MAX, MSG_UNACKED_LEN_MAX, OUTBOX_LEN_MAX, OUTBOX_MESSAGES_MAX,
};
use handfast_codec::record::RecordBuilder;

use crate::error::SendRefused;

/// Messages that the peer may not have yet.
#[derive(Debug)]
pub(crate) struct Outbox {
    rows: BTreeMap<u64, Bytes>,
    /// The sum of the rows' lengths.
    len: usize,
    base: u64,
    next_index: u64,
    /// The highest index that is durable here and may leave.
    released: u64,
    /// The next index to send on this connection, and the next part of it.
    cursor: (u64, usize),
    /// Bytes of messages begun on this connection and not acknowledged.
    in_flight: usize,
}

impl Outbox {
    /// An outbox as stored.
    pub(crate) fn new(base: u64, next_index: u64, rows: BTreeMap<u64, Bytes>) -> Self {
        let len = rows.values().map(Bytes::len).sum();
        let released = next_index.saturating_sub(1);
        Self { rows, len, base, next_index, released, cursor: (next_index, 0), in_flight: 0 }
    }

    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    pub(crate) fn next_index(&self) -> u64 {
        self.next_index
    }

    /// The sequence number that a new message would get.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_index.saturating_sub(self.base)
    }

    /// The lowest sequence number held, or the next one.
    pub(crate) fn oldest_seq(&self) -> u64 {
        self.rows.keys().next().copied().unwrap_or(self.next_index).saturating_sub(self.base)
    }

    pub(crate) fn len(&self) -> (usize, usize) {
        (self.rows.len(), self.len)
    }

    /// Whether a message of `len` bytes may be added.
    pub(crate) fn check_room(&self, len: usize) -> Result<(), SendRefused> {
        if len > MESSAGE_LEN_MAX {
            return Err(SendRefused::TooLarge);
        }
        // req: RES-016
        if self.rows.len() >= OUTBOX_MESSAGES_MAX || self.len.saturating_add(len) > OUTBOX_LEN_MAX {
            return Err(SendRefused::OutboxFull);
        }
        Ok(())
    }

    /// Adds a message; it leaves only after [`Outbox::release`].
    pub(crate) fn push(&mut self, body: Bytes) -> u64 {
        let index = self.next_index;
        self.next_index = index.saturating_add(1);
        self.len = self.len.saturating_add(body.len());
        let _ = self.rows.insert(index, body);
        index
    }

    /// The message at `index` is durable here.
    pub(crate) fn release(&mut self, index: u64) {
        self.released = self.released.max(index);
    }

    /// A connection begins: the peer has everything up to `durable`. Gives the indices that are no longer needed.
    pub(crate) fn resume(&mut self, durable: u64) -> Vec<u64> {
        let have = self.base.saturating_add(durable);
        let dropped = self.drop_to(have);
        self.cursor = (have.saturating_add(1), 0);
        self.in_flight = 0;
        dropped
    }

    /// A session begins anew: what is held gets numbers from 1.
    pub(crate) fn reset(&mut self) {
        // req: RES-021
        let first = self.rows.keys().next().copied().unwrap_or(self.next_index);
        self.base = first.saturating_sub(1);
        self.cursor = (first, 0);
        self.in_flight = 0;
    }

    /// The peer says that it has everything up to `durable`. Gives the indices that are no longer needed.
    pub(crate) fn ack(&mut self, durable: u64) -> Result<Vec<u64>, ErrorCode> {
        let index = self.base.saturating_add(durable);
        // req: RES-007
        if index >= self.cursor.0 {
            return Err(ErrorCode::ACK_FUTURE);
        }
        Ok(self.drop_to(index))
    }

    fn drop_to(&mut self, index: u64) -> Vec<u64> {
        let keep = self.rows.split_off(&index.saturating_add(1));
        let gone = core::mem::replace(&mut self.rows, keep);
        let freed: usize = gone.values().map(Bytes::len).sum();
        self.len = self.len.saturating_sub(freed);
        self.in_flight = self.in_flight.saturating_sub(freed);
        gone.into_keys().collect()
    }

    /// Whether [`Outbox::fill`] would write something.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.next_part().is_some()
    }

    /// Puts as many parts into the record as fit.
    pub(crate) fn fill(&mut self, record: &mut RecordBuilder) {
        while let Some((frame, last)) = self.next_part() {
            if !record.push(&frame) {
                return;
            }
            let (index, part) = self.cursor;
            if part == 0 {
                let len = self.rows.get(&index).map_or(0, Bytes::len);
                self.in_flight = self.in_flight.saturating_add(len);
            }
            self.cursor = if last { (index.saturating_add(1), 0) } else { (index, part.saturating_add(1)) };
        }
    }

    /// The next part that may leave, and whether it is its message's last.
    fn next_part(&self) -> Option<(Frame, bool)> {
        let (index, part) = self.cursor;
        let body = self.rows.get(&index).filter(|_| index <= self.released)?;
        // req: RES-006
        if part == 0 && self.in_flight.saturating_add(body.len()) > MSG_UNACKED_LEN_MAX {
            return None;
        }
        let last = body.len().saturating_sub(1) / MSG_PART_LEN_MAX;
        let from = part.saturating_mul(MSG_PART_LEN_MAX);
        let to = from.saturating_add(MSG_PART_LEN_MAX).min(body.len());
        let frame = Frame::Msg {
            seq: index.saturating_sub(self.base),
            part: u8::try_from(part).ok()?,
            last: u8::try_from(last).ok()?,
            body: body.slice(from..to),
        };
        Some((frame, part == last))
    }
}
