//! The sending side of the reliable lane: keeps messages until the peer has them on disk, and commands until
//! their result has come (spec, delivery).
//!
//! Rows are numbered by *index*; the sequence number of a row in the epoch is `index - base`. So a RESET
//! changes `base`, and moves only the rows of commands that wait for a result.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{
    MESSAGE_LEN_MAX, MSG_PART_LEN_MAX, MSG_UNACKED_LEN_MAX, OUTBOX_LEN_MAX, OUTBOX_MESSAGES_MAX,
};
use handfast_codec::record::RecordBuilder;

use crate::error::SendError;

/// A row that a RESET has moved to another index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) body: Bytes,
}

/// The messages that the peer may not have yet, and the commands without a result.
#[derive(Debug)]
pub(crate) struct Outbox {
    rows: BTreeMap<u64, Bytes>,
    /// The indexes of commands without a result. An ACK does not delete these rows.
    kept: BTreeSet<u64>,
    /// The total length of all rows, in bytes.
    len: usize,
    base: u64,
    next_index: u64,
    /// The highest index that the peer has acknowledged, by its last resume block or an ACK since then.
    acked: u64,
    /// The highest index whose row is durable here, so that it may be sent.
    released: u64,
    /// The index and part to send next on this connection.
    cursor: (u64, usize),
    /// The highest index of a message that may have been sent completely in this epoch, on any connection.
    sent: u64,
    /// The total length, in bytes, of the messages begun on this connection and not acknowledged.
    in_flight: usize,
}

impl Outbox {
    /// Creates an outbox from stored rows; `kept` names the rows of commands without a result.
    pub(crate) fn new(base: u64, next_index: u64, rows: BTreeMap<u64, Bytes>, kept: BTreeSet<u64>) -> Self {
        let len = rows.values().map(Bytes::len).sum();
        // An earlier process may have sent the stored rows, so an ACK for them is valid.
        let released = next_index.saturating_sub(1);
        let (acked, cursor, sent) = (0, (next_index, 0), released);
        Self { rows, kept, len, base, next_index, acked, released, cursor, sent, in_flight: 0 }
    }

    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    pub(crate) fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Returns the sequence number of the next new message.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_index.saturating_sub(self.base)
    }

    /// Returns the lowest sequence number from which on no row is missing; if there are no rows, that of the
    /// next new message.
    pub(crate) fn oldest_seq(&self) -> u64 {
        self.oldest().saturating_sub(self.base)
    }

    fn oldest(&self) -> u64 {
        let mut oldest = self.next_index;
        for index in self.rows.keys().rev() {
            if index.saturating_add(1) != oldest {
                break;
            }
            oldest = *index;
        }
        oldest
    }

    pub(crate) fn len(&self) -> (usize, usize) {
        (self.rows.len(), self.len)
    }

    /// Returns an error if no message of `len` bytes may be added now.
    pub(crate) fn check_room(&self, len: usize) -> Result<(), SendError> {
        if len > MESSAGE_LEN_MAX {
            return Err(SendError::TooLarge);
        }
        // While a peer is away for months, messages to it must not fill the disk.
        // req: RES-016
        if self.rows.len() >= OUTBOX_MESSAGES_MAX || self.len.saturating_add(len) > OUTBOX_LEN_MAX {
            return Err(SendError::OutboxFull);
        }
        Ok(())
    }

    /// Adds a message, which may be sent only after [`Outbox::release`]. Returns its index.
    pub(crate) fn push(&mut self, body: Bytes) -> u64 {
        let index = self.next_index;
        self.next_index = index.saturating_add(1);
        self.len = self.len.saturating_add(body.len());
        let _ = self.rows.insert(index, body);
        index
    }

    /// Returns the message at `index`, if it is still here.
    pub(crate) fn get(&self, index: u64) -> Option<&Bytes> {
        self.rows.get(&index)
    }

    /// Replaces the message at `index`, to be sent again in a new epoch.
    pub(crate) fn replace(&mut self, index: u64, body: Bytes) {
        self.len = self.len.saturating_add(body.len());
        let old = self.rows.insert(index, body);
        self.len = self.len.saturating_sub(old.map_or(0, |old| old.len()));
    }

    /// Marks the row at `index` as a command: the row stays until [`Outbox::settle`].
    pub(crate) fn keep(&mut self, index: u64) {
        let _ = self.kept.insert(index);
    }

    /// Records that the result of the command at `index` has come. Returns whether the command's row was
    /// deleted; if it was not, the ACK will delete it.
    pub(crate) fn settle(&mut self, index: u64) -> bool {
        let _ = self.kept.remove(&index);
        if index > self.acked {
            return false;
        }
        let gone = self.rows.remove(&index);
        self.len = self.len.saturating_sub(gone.as_ref().map_or(0, Bytes::len));
        gone.is_some()
    }

    /// Records that the message at `index` is durable here, so that the message may be sent.
    pub(crate) fn release(&mut self, index: u64) {
        self.released = self.released.max(index);
    }

    /// Prepares for a new connection. The peer has everything up to sequence number `durable`. Returns the
    /// indexes of rows that were deleted.
    pub(crate) fn resume(&mut self, durable: u64) -> Vec<u64> {
        let have = self.base.saturating_add(durable);
        let dropped = self.drop_to(have);
        // A peer that was put back to an earlier state may have less than it has acknowledged before.
        self.acked = have;
        self.cursor = (have.saturating_add(1), 0);
        self.in_flight = 0;
        dropped
    }

    /// Deletes the commands whose result has come, though no ACK covers them: the result shows that the phone
    /// has run them. Returns their indexes.
    pub(crate) fn drop_settled(&mut self) -> Vec<u64> {
        // Sending a command again after its result has come would be useless.
        // req: RES-017
        let gone: Vec<u64> = self.rows.keys().copied().filter(|index| !self.kept.contains(index)).collect();
        for index in &gone {
            let body = self.rows.remove(index);
            self.len = self.len.saturating_sub(body.map_or(0, |body| body.len()));
        }
        gone
    }

    /// Starts a new epoch, in which the remaining rows are numbered from 1. Returns the rows that moved.
    pub(crate) fn reset(&mut self) -> Vec<Moved> {
        // Commands without a result may have been lost with the old epoch, so they are put in front of the
        // other rows.
        // req: RES-021, RES-017
        let mut first = self.oldest();
        let held = self.rows.split_off(&first);
        let mut moved = Vec::new();
        for (from, body) in core::mem::replace(&mut self.rows, held).into_iter().rev() {
            first = first.saturating_sub(1);
            let _ = self.rows.insert(first, body.clone());
            if self.kept.remove(&from) {
                let _ = self.kept.insert(first);
            }
            moved.push(Moved { from, to: first, body });
        }
        self.base = first.saturating_sub(1);
        self.cursor = (first, 0);
        (self.sent, self.acked, self.in_flight) = (self.base, self.base, 0);
        moved
    }

    /// Handles an ACK for everything up to `durable`. Returns the indexes of rows that were deleted.
    pub(crate) fn ack(&mut self, durable: u64) -> Result<Vec<u64>, ErrorCode> {
        let index = self.base.saturating_add(durable);
        // An ACK beyond what was sent would delete messages that the peer has never seen.
        // req: RES-007
        if index > self.sent {
            return Err(ErrorCode::ACK_FUTURE);
        }
        let gone = self.drop_to(index);
        // The ACK may cover messages that were sent over an earlier connection and need not be sent again.
        if self.cursor.0 <= index {
            self.cursor = (index.saturating_add(1), 0);
        }
        Ok(gone)
    }

    fn drop_to(&mut self, index: u64) -> Vec<u64> {
        let (at, part) = self.cursor;
        let mut gone = Vec::new();
        if index <= self.acked {
            return gone;
        }
        for (index, body) in self.rows.range(self.acked.saturating_add(1)..=index) {
            if *index < at || (*index == at && part > 0) {
                self.in_flight = self.in_flight.saturating_sub(body.len());
            }
            // An ACK says that the phone stored the command, not that the phone has run it.
            // req: RES-017
            if !self.kept.contains(index) {
                self.len = self.len.saturating_sub(body.len());
                gone.push(*index);
            }
        }
        for index in &gone {
            let _ = self.rows.remove(index);
        }
        self.acked = index;
        gone
    }

    /// Returns whether [`Outbox::fill`] would write something.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.next_part().is_some()
    }

    /// Writes as many parts of messages into the record as fit.
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
            if last {
                self.sent = self.sent.max(index);
            }
            self.cursor = if last { (index.saturating_add(1), 0) } else { (index, part.saturating_add(1)) };
        }
    }

    /// Returns the next part that may be sent, and whether it is the last of its message.
    fn next_part(&self) -> Option<(Frame, bool)> {
        let (index, part) = self.cursor;
        let body = self.rows.get(&index).filter(|_| index <= self.released)?;
        // The peer must keep the parts of unacknowledged messages in memory. It ends the session when their
        // total length exceeds this limit.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an outbox whose rows 1 to 3 are durable and have been written to one record.
    fn filled() -> Outbox {
        let mut outbox = Outbox::new(0, 1, BTreeMap::new(), BTreeSet::new());
        let _ = outbox.resume(0);
        for _ in 0..3 {
            let index = outbox.push(Bytes::from_static(b"x"));
            outbox.release(index);
        }
        outbox
    }

    #[test]
    fn an_ack_of_what_left_over_an_earlier_connection_is_taken() {
        // req: RES-007
        let mut outbox = filled();
        outbox.fill(&mut RecordBuilder::new());
        // The next connection begins before the peer has stored what arrived over the last one.
        let _ = outbox.resume(0);
        assert_eq!(outbox.ack(2), Ok(alloc::vec![1, 2]));
        assert!(outbox.wants_to_send(), "row 3 leaves, and none before it");
        let mut record = RecordBuilder::new();
        outbox.fill(&mut record);
        assert_eq!(outbox.ack(3), Ok(alloc::vec![3]));
        assert_eq!((outbox.len(), outbox.in_flight), ((0, 0), 0));
    }

    #[test]
    fn an_ack_of_what_never_left_is_refused() {
        // req: RES-007
        let mut outbox = filled();
        assert_eq!(outbox.ack(1), Err(ErrorCode::ACK_FUTURE));
        outbox.fill(&mut RecordBuilder::new());
        assert_eq!(outbox.ack(4), Err(ErrorCode::ACK_FUTURE));
        outbox.reset();
        assert_eq!(outbox.ack(1), Err(ErrorCode::ACK_FUTURE), "nothing has left in the new epoch");
        assert_eq!(outbox.len(), (3, 3));
    }

    #[test]
    fn a_command_stays_until_it_is_settled_and_leaves_again_in_a_new_epoch() {
        // req: RES-017
        let mut outbox = filled();
        (1..=3).for_each(|index| outbox.keep(index));
        outbox.fill(&mut RecordBuilder::new());
        assert_eq!(outbox.ack(3), Ok(alloc::vec![]), "none is settled");
        assert!(!outbox.wants_to_send(), "the peer has them");
        assert!(outbox.settle(2));
        assert_eq!(
            (outbox.len(), outbox.oldest_seq()),
            ((2, 2), 3),
            "2 is missing, so all are held from 3 on"
        );
        let _ = outbox.push(Bytes::from_static(b"y"));
        outbox.release(4);
        assert_eq!(outbox.reset(), alloc::vec![Moved { from: 1, to: 2, body: Bytes::from_static(b"x") }]);
        assert_eq!((outbox.next_seq(), outbox.oldest_seq()), (4, 1));
        outbox.fill(&mut RecordBuilder::new());
        assert!(!outbox.settle(2), "it was sent again, and its ACK ends it");
        assert_eq!(outbox.ack(3), Ok(alloc::vec![2, 4]), "3 is not settled");
        assert!(outbox.settle(3));
        assert_eq!((outbox.len(), outbox.in_flight), ((0, 0), 0));
    }

    #[test]
    fn a_command_that_is_settled_does_not_leave_again_in_a_new_epoch() {
        // req: RES-017
        let mut outbox = filled();
        (1..=3).for_each(|index| outbox.keep(index));
        outbox.fill(&mut RecordBuilder::new());
        assert!(!outbox.settle(2), "its result came before its ACK");
        assert_eq!(outbox.drop_settled(), alloc::vec![2]);
        assert_eq!(outbox.reset(), alloc::vec![Moved { from: 1, to: 2, body: Bytes::from_static(b"x") }]);
        assert_eq!((outbox.len(), outbox.next_seq()), ((2, 2), 3));
    }

    #[test]
    fn a_peer_that_was_rolled_back_gets_again_what_is_not_settled() {
        // req: RES-017
        let mut outbox = filled();
        (1..=3).for_each(|index| outbox.keep(index));
        outbox.fill(&mut RecordBuilder::new());
        assert_eq!(outbox.ack(3), Ok(alloc::vec![]));
        assert_eq!(outbox.resume(1), alloc::vec![]);
        outbox.fill(&mut RecordBuilder::new());
        assert_eq!(outbox.ack(3), Ok(alloc::vec![]));
        assert_eq!((outbox.len(), outbox.in_flight), ((3, 3), 0));
    }
}
