//! The receiving side of the reliable lane: joins parts into messages, passes the messages on in order, and
//! acknowledges them once their effect is durable.

use alloc::collections::VecDeque;

use crate::queue::pop_front_if;
use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::limits::{MESSAGE_LEN_MAX, MSG_UNACKED_LEN_MAX, OUTBOX_MESSAGES_MAX};

/// Message parts shorter than this, in bytes, are copied out of their record, so that the record's large
/// buffer can be freed.
const COPIED_BELOW: usize = 4_096;

/// A message of which some parts have arrived, but not the last one.
#[derive(Debug)]
struct Partial {
    seq: u64,
    next_part: u8,
    last: u8,
    body: BytesMut,
}

/// The messages that arrive from the peer on the reliable lane.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// The highest sequence number whose effect is durable.
    durable: u64,
    /// The highest sequence number of which every part has arrived.
    received: u64,
    partial: Option<Partial>,
    /// Complete messages that the application does not have yet, with their sequence numbers.
    waiting: VecDeque<(u64, Bytes)>,
    /// Messages received since the last ACK was sent: sequence number, and length in bytes.
    unacked: VecDeque<(u64, usize)>,
    unacked_len: usize,
    /// The highest sequence number that this side's last ACK or resume block reported as durable.
    told: u64,
}

impl Inbox {
    pub(crate) fn new(durable: u64) -> Self {
        Self {
            durable,
            received: durable,
            partial: None,
            waiting: VecDeque::new(),
            unacked: VecDeque::new(),
            unacked_len: 0,
            told: durable,
        }
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    /// Prepares for a new connection: a message of which only some parts came starts again from its first
    /// part. `told` is the sequence number that this side's resume block reported as durable. The block
    /// counts as an ACK; more may be durable by now.
    pub(crate) fn resume(&mut self, told: u64) {
        self.partial = None;
        self.tell(told);
    }

    /// Returns whether messages became durable that no ACK has reported yet.
    pub(crate) fn owes_ack(&self) -> bool {
        self.durable > self.told
    }

    /// Forgets every message, because a RESET starts sequence numbers again from 1.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(0);
    }

    /// Takes one part of a message. A message that is complete then comes out of [`Inbox::next`].
    pub(crate) fn msg(&mut self, seq: u64, part: u8, last: u8, body: Bytes) -> Result<(), ErrorCode> {
        // A peer that lost an ACK of this side sends a durable message again, which is harmless. A gap in the
        // numbers would break the order.
        // req: RES-003
        if seq <= self.received {
            return if self.partial.is_none() { Ok(()) } else { Err(ErrorCode::PART_ORDER) };
        }
        if seq > self.received.saturating_add(1) {
            return Err(ErrorCode::SEQ_GAP);
        }
        if part == 0 && last == 0 && self.partial.is_none() {
            return self.whole(seq, body);
        }
        let whole = match &mut self.partial {
            None if part == 0 => {
                self.partial = Some(Partial { seq, next_part: 1, last, body: BytesMut::from(&*body) });
                return Ok(());
            }
            Some(partial) if partial.seq == seq && partial.next_part == part && partial.last == last => {
                // Without this limit a peer could fill the memory with one endless message.
                // req: RES-005
                if partial.body.len().saturating_add(body.len()) > MESSAGE_LEN_MAX {
                    return Err(ErrorCode::MESSAGE_TOO_LARGE);
                }
                partial.body.extend_from_slice(&body);
                partial.next_part = part.saturating_add(1);
                part == last
            }
            // Parts of two messages never interleave, so one buffer is enough.
            // req: RES-004
            None | Some(_) => return Err(ErrorCode::PART_ORDER),
        };
        if whole && let Some(partial) = self.partial.take() {
            return self.whole(seq, partial.body.freeze());
        }
        Ok(())
    }

    fn whole(&mut self, seq: u64, body: Bytes) -> Result<(), ErrorCode> {
        self.unacked_len = self.unacked_len.saturating_add(body.len());
        // Without this limit a peer that never waits for ACKs could fill the memory.
        // req: RES-006
        if self.unacked_len > MSG_UNACKED_LEN_MAX || self.unacked.len() >= OUTBOX_MESSAGES_MAX {
            return Err(ErrorCode::UNACKED);
        }
        // A small body must not keep its record's buffer alive while it waits.
        let body = if body.len() < COPIED_BELOW { Bytes::copy_from_slice(&body) } else { body };
        self.received = seq;
        self.unacked.push_back((seq, body.len()));
        self.waiting.push_back((seq, body));
        Ok(())
    }

    /// Returns the next complete message, in order of sequence numbers.
    pub(crate) fn next(&mut self) -> Option<(u64, Bytes)> {
        self.waiting.pop_front()
    }

    /// Records that the effect of message `seq` is durable. Returns the number of messages that an ACK sent
    /// now would newly report.
    pub(crate) fn committed(&mut self, seq: u64) -> usize {
        self.durable = self.durable.max(seq);
        self.unacked.iter().take_while(|(s, _)| *s <= self.durable).count()
    }

    /// Records that an ACK is being sent, which reports everything that is durable.
    pub(crate) fn acked(&mut self) {
        self.tell(self.durable);
    }

    fn tell(&mut self, durable: u64) {
        self.told = durable;
        while let Some((_, len)) = pop_front_if(&mut self.unacked, |(seq, _)| *seq <= durable) {
            self.unacked_len = self.unacked_len.saturating_sub(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(len: usize) -> Bytes {
        Bytes::from(alloc::vec![7; len])
    }

    #[test]
    fn parts_join_in_order_and_only_then() {
        // req: RES-004
        let mut inbox = Inbox::new(0);
        inbox.msg(1, 0, 1, body(16_000)).unwrap();
        assert_eq!(inbox.waiting.len(), 0);
        inbox.msg(1, 1, 1, body(5)).unwrap();
        assert_eq!(inbox.next().unwrap().1.len(), 16_005);
        assert_eq!(inbox.msg(2, 1, 1, body(1)), Err(ErrorCode::PART_ORDER));
        inbox.msg(2, 0, 2, body(1)).unwrap();
        assert_eq!(inbox.msg(2, 2, 2, body(1)), Err(ErrorCode::PART_ORDER));
        assert_eq!(inbox.msg(2, 0, 0, body(1)), Err(ErrorCode::PART_ORDER));
    }

    #[test]
    fn a_skipped_seq_is_refused_and_an_old_one_ignored() {
        // req: RES-003
        let mut inbox = Inbox::new(4);
        assert_eq!(inbox.msg(6, 0, 0, body(1)), Err(ErrorCode::SEQ_GAP));
        inbox.msg(4, 0, 0, body(1)).unwrap();
        inbox.msg(1, 0, 0, body(1)).unwrap();
        assert_eq!(inbox.waiting.len(), 0);
        inbox.msg(5, 0, 0, body(1)).unwrap();
        assert_eq!(inbox.waiting.len(), 1);
    }

    #[test]
    fn a_message_is_refused_past_its_maximum() {
        // req: RES-005
        let mut inbox = Inbox::new(0);
        for part in 0..4 {
            inbox.msg(1, part, 4, body(16_000)).unwrap();
        }
        inbox.msg(1, 4, 4, body(1_536)).unwrap();
        assert_eq!(inbox.next().unwrap().1.len(), MESSAGE_LEN_MAX);
        for part in 0..4 {
            inbox.msg(2, part, 4, body(16_000)).unwrap();
        }
        assert_eq!(inbox.msg(2, 4, 4, body(1_537)), Err(ErrorCode::MESSAGE_TOO_LARGE));
    }

    #[test]
    fn unacknowledged_bytes_are_bounded_and_freed_by_an_ack() {
        // req: RES-006
        let mut inbox = Inbox::new(0);
        for seq in 1..=16 {
            inbox.msg(seq, 0, 0, body(16_000)).unwrap();
        }
        inbox.msg(17, 0, 0, body(MSG_UNACKED_LEN_MAX - 256_000)).unwrap();
        assert_eq!(inbox.committed(17), 17);
        inbox.acked();
        inbox.msg(18, 0, 0, body(16_000)).unwrap();
        for seq in 19..=33 {
            inbox.msg(seq, 0, 0, body(16_000)).unwrap();
        }
        assert_eq!(inbox.msg(34, 0, 0, body(MSG_UNACKED_LEN_MAX - 256_000 + 1)), Err(ErrorCode::UNACKED));
    }

    #[test]
    fn unacknowledged_messages_are_bounded_however_small() {
        // req: RES-006
        let mut inbox = Inbox::new(0);
        for seq in 1..=1_024 {
            inbox.msg(seq, 0, 0, Bytes::new()).unwrap();
        }
        assert_eq!(inbox.msg(1_025, 0, 0, Bytes::new()), Err(ErrorCode::UNACKED));
    }

    #[test]
    fn what_became_durable_after_the_block_is_owed_an_ack() {
        // req: RES-002
        let mut inbox = Inbox::new(0);
        inbox.msg(1, 0, 0, body(10)).unwrap();
        let block = inbox.durable();
        assert_eq!(inbox.committed(1), 1);
        inbox.resume(block);
        assert!(inbox.owes_ack());
        inbox.msg(1, 0, 0, body(10)).unwrap();
        inbox.acked();
        assert!(!inbox.owes_ack());
    }
}
