//! One side of a session: what it holds for the peer, and what it has of it.

use handfast_codec::ids::{Epoch, LogId};
use handfast_codec::payload::ResumeBlock;

/// One side's part of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lanes<M> {
    pub(super) out_epoch: u8,
    pub(super) in_epoch: u8,
    /// What is held, by seq.
    pub(super) outbox: Vec<(u8, M)>,
    pub(super) next_seq: u8,
    /// The highest seq that the peer has, as it said.
    pub(super) acked: u8,
    /// The highest seq received.
    pub(super) durable: u8,
}

impl<M: Clone> Lanes<M> {
    pub(super) const fn new(out_epoch: u8, in_epoch: u8) -> Self {
        Self { out_epoch, in_epoch, outbox: Vec::new(), next_seq: 1, acked: 0, durable: 0 }
    }

    pub(super) fn push(&mut self, message: M) {
        self.outbox.push((self.next_seq, message));
        self.next_seq += 1;
    }

    /// The next message that the peer lacks.
    pub(super) fn next_for(&self, durable: u8) -> Option<M> {
        let row = self.outbox.iter().find(|(seq, _)| *seq == durable + 1);
        row.map(|(_, message)| message.clone())
    }

    /// The lowest seq from which on all are held.
    pub(super) fn oldest(&self) -> u8 {
        let mut oldest = self.next_seq;
        for (seq, _) in self.outbox.iter().rev() {
            if seq + 1 != oldest {
                break;
            }
            oldest = *seq;
        }
        oldest
    }

    pub(super) fn block(&self) -> ResumeBlock {
        ResumeBlock {
            out_epoch: Epoch::from_bytes([self.out_epoch; 16]),
            in_epoch: Epoch::from_bytes([self.in_epoch; 16]),
            next_seq: u64::from(self.next_seq),
            durable: u64::from(self.durable),
            oldest: u64::from(self.oldest()),
            log_id: LogId::from_bytes([0; 16]),
            rev: 0,
            streams: Vec::new(),
        }
    }

    /// The peer has everything up to `durable`; rows that `keep` names stay.
    pub(super) fn drop_to(&mut self, durable: u8, keep: impl Fn(&M) -> bool) {
        self.acked = durable;
        self.outbox.retain(|(seq, message)| *seq > durable || keep(message));
    }

    /// Begins a new session, with these epochs.
    pub(super) fn reset(&mut self, out_epoch: u8, in_epoch: u8) {
        for ((seq, _), n) in self.outbox.iter_mut().zip(1..) {
            *seq = n;
        }
        self.next_seq = self.outbox.last().map_or(1, |(seq, _)| seq + 1);
        (self.acked, self.durable) = (0, 0);
        (self.out_epoch, self.in_epoch) = (out_epoch, in_epoch);
    }
}
