//! What a reconnect does to the session: the resume block that is sent, and how the verdict changes the
//! queues of messages, rows and streams (spec, delivery, *Resume* and *Put back*).

use alloc::vec::Vec;

use handfast_codec::envelope::CommandEnvelope;
use handfast_codec::payload::{CommandsKnown, ResumeBlock};
use handfast_codec::role::DeviceRole;
use handfast_handshake::key_schedule::{Direction, epoch};

use super::{CompanionEndpoint, Deferred, Endpoint, Role};
use crate::commands::web::Unsettled;
use crate::commit::Op;
use crate::keys;
use crate::output::{Event, StreamEnd, StreamEvent};
use crate::resume::Verdict;
use crate::sync::SyncLane as _;

impl<R: Role> Endpoint<R> {
    /// Returns this side's resume block.
    pub(super) fn block(&self) -> ResumeBlock {
        ResumeBlock {
            out_epoch: self.counters.out_epoch,
            in_epoch: self.counters.in_epoch,
            next_seq: self.lanes.outbox.next_seq(),
            durable: self.lanes.inbox.durable(),
            oldest: self.lanes.outbox.oldest_seq(),
            log_id: self.counters.log_id,
            rev: self.lanes.sync.rev(),
            streams: self.lanes.streams.block(),
        }
    }

    /// Stores which side was put back to an earlier state, as the verdict shows it. The row stays until the
    /// user has been told, since the connection may end first.
    pub(super) fn note_put_back(&mut self, verdict: Verdict) {
        // The connection in which the put-back was found may be lost before either user has been told.
        // req: RES-042
        self.counters.put_back = verdict.put_back().or(self.counters.put_back);
    }

    /// On a companion: reports that a connection is proven, and which side was put back to an earlier state,
    /// if one was.
    pub(super) fn tell_connected(&mut self, verdict: Verdict) {
        self.event(Event::Connected { verdict });
        if self.tell_put_back() {
            self.persist(Vec::new(), Deferred::Nothing);
        }
    }

    /// Reports which side was put back to an earlier state, once a connection is proven. Returns whether it
    /// reported one, so that the next commit must clear the stored note of it.
    pub(super) fn tell_put_back(&mut self) -> bool {
        let Some(who) = self.counters.put_back.take() else { return false };
        // The side that was put back to an earlier state has lost what it had confirmed. Only the user can
        // judge what that means.
        // req: RES-034, RES-040
        self.event(Event::PutBack { who });
        true
    }

    /// Applies the verdict to the queues of messages, rows and streams. Returns the operations to commit; the
    /// counters are added to every commit anyway.
    pub(super) fn apply_verdict(
        &mut self,
        verdict: Verdict,
        (own, peer): (&ResumeBlock, &ResumeBlock),
        h: &[u8; 32],
    ) -> Vec<Op> {
        let mut events = Vec::new();
        let mut ops = Vec::new();
        match verdict {
            Verdict::Resume => {
                let gone = self.lanes.outbox.resume(peer.durable);
                ops.extend(gone.into_iter().map(|i| Op::Delete { key: keys::numbered(keys::OUTBOX, i) }));
                self.lanes.inbox.resume(own.durable);
                ops.extend(self.lanes.streams.resume(&own.streams, &peer.streams, &mut events));
            }
            // Both sides derive the same epochs from the handshake's hash, so no message is needed to agree
            // on them.
            // req: RES-021
            Verdict::Reset(_) => {
                let (w2p, p2w) = (epoch(h, Direction::WebToPhone), epoch(h, Direction::PhoneToWeb));
                let web = R::ROLE == DeviceRole::Web;
                (self.counters.out_epoch, self.counters.in_epoch) = if web { (w2p, p2w) } else { (p2w, w2p) };
                ops.extend(self.send_again());
                self.lanes.inbox.reset();
                self.counters.out_base = self.lanes.outbox.base();
                self.counters.in_durable = 0;
                self.waiting().for_each(Deferred::end_session);
                let gone = self.lanes.streams.reset();
                ops.push(Op::DeleteRange {
                    from: alloc::vec![keys::STREAM],
                    to: alloc::vec![keys::STREAM + 1],
                });
                events.extend(
                    gone.into_iter().map(|id| Event::Stream(StreamEvent::Ended { id, end: StreamEnd::Lost })),
                );
                let first = u64::from(!web);
                self.counters.next_stream = first;
                self.counters.peer_stream_min = first ^ 1;
            }
        }
        for event in events {
            self.event(event);
        }
        ops
    }

    /// Renumbers the outbox for a new epoch, so that everything in it is sent again. Returns the store
    /// operations for that.
    fn send_again(&mut self) -> Vec<Op> {
        let (gone, moved) = self.side.restart_outbox(&mut self.lanes.outbox);
        let delete = |index| Op::Delete { key: keys::numbered(keys::OUTBOX, index) };
        let mut ops: Vec<_> = gone.into_iter().map(delete).collect();
        for row in moved {
            ops.push(delete(row.from));
            ops.push(Op::put(keys::numbered(keys::OUTBOX, row.to), row.body.to_vec()));
        }
        ops
    }
}

impl CompanionEndpoint {
    /// Renumbers the waiting commands above all that the phone knows, because this companion was put back to
    /// an earlier state. Returns the store operations.
    pub(super) fn renumber(&mut self, known: &CommandsKnown) -> Vec<Op> {
        let first = known.highest.saturating_add(1);
        let (waiting, mut ops) = self.side.commands.renumber(first);
        self.counters.next_cmd = first;
        for (number, Unsettled { key, index }) in waiting {
            self.counters.next_cmd = number.saturating_add(1);
            let Some(index) = index else { continue };
            let old = self.lanes.outbox.get(index).and_then(|message| CommandEnvelope::decode(message).ok());
            let Some(CommandEnvelope { body, .. }) = old else { continue };
            let message = CommandEnvelope { number, floor: first, key, body }.encode();
            self.lanes.outbox.replace(index, message.clone());
            ops.push(Op::put(keys::numbered(keys::OUTBOX, index), message.to_vec()));
        }
        ops
    }
}
