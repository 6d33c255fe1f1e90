//! Complete messages of the reliable lane: commands on a phone, results on a companion.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::envelope::{CommandEnvelope, ResultEnvelope};
use handfast_codec::error::ErrorCode;
use handfast_codec::limits::MESSAGE_LEN_MAX;

use super::{CompanionEndpoint, Deferred, Endpoint, PhoneEndpoint, Role};
use crate::commands::phone::Arrived;
use crate::commit::Op;
use crate::keys;
use crate::output::Message;

impl<R: Role> Endpoint<R> {
    /// Passes messages that have arrived to the application, and deletes acknowledged outbox rows, as far as
    /// commits may be opened.
    pub(super) fn deliver(&mut self) {
        if !self.lapsed.is_empty() && self.has_room() {
            let ops = core::mem::take(&mut self.lapsed);
            return self.persist(ops, Deferred::Nothing);
        }
        if self.has_room() {
            R::deliver(self);
        }
    }

    /// Passes the next message of the peer to `take`, if one has arrived whole. Needs room for a commit.
    pub(super) fn deliver_message(&mut self, take: fn(&mut Self, u64, &Bytes) -> Result<(), ErrorCode>) {
        // One message at a time is taken, and its sequence number counted at once. So no commit that was
        // opened before can count the message as received.
        let Some((seq, body)) = self.lanes.inbox.next() else { return };
        self.counters.in_durable = seq;
        if let Err(code) = take(self, seq, &body) {
            // The message would fail again after every reconnect. Counting it as received keeps it from
            // blocking the link.
            // req: RES-081
            self.persist(Vec::new(), Deferred::Received(seq));
            self.fail(code);
        }
    }

    /// Puts a message into the outbox. Returns its index, and the operation that stores it.
    pub(super) fn enqueue(&mut self, message: Bytes) -> (u64, Op) {
        let row = message.to_vec();
        let index = self.lanes.outbox.push(message);
        self.counters.next_index = self.lanes.outbox.next_index();
        (index, Op::put(keys::numbered(keys::OUTBOX, index), row))
    }
}

impl PhoneEndpoint {
    /// Returns whether another command may be passed to the application: not while the outbox has no room for
    /// its result, or while too many commands wait for the application.
    pub(super) fn has_room_for_result(&self) -> bool {
        self.side.unanswered.has_room() && self.lanes.outbox.check_room(MESSAGE_LEN_MAX).is_ok()
    }

    pub(super) fn on_command(&mut self, seq: u64, body: &Bytes) -> Result<(), ErrorCode> {
        let CommandEnvelope { number, floor, key, body } =
            CommandEnvelope::decode(body).map_err(|error| error.code())?;
        let (arrived, mut ops) = self.side.commands.arrived(&mut self.counters, (number, floor, key));
        let arrived = match arrived {
            Ok(arrived) => arrived,
            Err(code) => {
                self.lapsed.extend(ops);
                return Err(code);
            }
        };
        if let Arrived::Again(result) = arrived {
            let message = ResultEnvelope { key, body: result }.encode();
            self.lanes.outbox.check_room(message.len()).map_err(|_| ErrorCode::LIMIT)?;
            let (index, put) = self.enqueue(message);
            ops.push(put);
            self.persist(ops, Deferred::ReceivedAndRelease(seq, index));
            return Ok(());
        }
        // If the application answers in the transaction of this commit, the row is gone before it is durable.
        // req: RES-043
        let (is_new, put) = self.side.unanswered.insert(key, number, &body);
        ops.push(put);
        if is_new {
            self.deliver_with(Message::Command { key, body }, ops, Deferred::Received(seq));
        } else {
            self.persist(ops, Deferred::Received(seq));
        }
        Ok(())
    }
}

impl CompanionEndpoint {
    pub(super) fn on_result(&mut self, seq: u64, body: &Bytes) -> Result<(), ErrorCode> {
        let ResultEnvelope { key, body } = ResultEnvelope::decode(body).map_err(|error| error.code())?;
        // The phone may send a result twice; the second copy finds no waiting command.
        // req: RES-030
        let Some((index, mut ops)) = self.side.commands.settle(&key) else {
            self.persist(Vec::new(), Deferred::Received(seq));
            return Ok(());
        };
        if let Some(index) = index.filter(|index| self.lanes.outbox.settle(*index)) {
            ops.push(Op::Delete { key: keys::numbered(keys::OUTBOX, index) });
        }
        self.deliver_with(Message::Result { key, body }, ops, Deferred::Received(seq));
        Ok(())
    }
}
