//! What leaves: handshake frames, records, the last words of a connection.
//!
//! Lane records are chosen and sealed late, when the driver asks and the socket has room, so that a text never waits
//! behind a video.

use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::ids::Signature;
use handfast_codec::limits::{AHEAD_BULK_MAX, AHEAD_MAX};
use handfast_codec::link::LinkFrame;
use handfast_codec::record::{LinkRecord, RecordBuilder};

use super::{Ack, Connection, Endpoint, HANDSHAKE_MAX, Keys, Side};
use crate::output::Event;

/// About one record in this many carries grease.
const GREASE_EVERY: u64 = 16;

impl Endpoint {
    /// Sends a handshake frame; the wait for its answer begins.
    pub(super) fn send_handshake(&mut self, frame: Bytes) {
        let due = self.now.plus(HANDSHAKE_MAX);
        match &mut self.conn {
            Connection::AwaitReply { until, .. } | Connection::AwaitConfirm { until, .. } => *until = Some(due),
            _ => return,
        }
        self.transmit(frame);
    }

    /// The keys of the connection, in whatever state it is.
    fn keys(&mut self) -> Option<&mut Keys> {
        match &mut self.conn {
            Connection::None | Connection::AwaitReply { .. } => None,
            Connection::Confirming { keys, .. }
            | Connection::AwaitVerdict { keys, .. }
            | Connection::AwaitCommit { keys, .. }
            | Connection::AwaitConfirm { keys, .. } => Some(keys),
            Connection::Live(live) => Some(&mut live.keys),
        }
    }

    /// Seals a record that is not chosen late.
    fn send_record(&mut self, record: BytesMut) {
        let Some(keys) = self.keys() else { return };
        // req: CHN-005
        match keys.sealer.seal(record) {
            Ok(bytes) => self.transmit(bytes),
            Err(error) => {
                self.drop_connection();
                self.event(Event::Failed(error.local_code()));
            }
        }
    }

    pub(super) fn send_empty_record(&mut self) {
        self.send_record(RecordBuilder::new().finish());
    }

    pub(super) fn send_link_frame(&mut self, frame: &LinkFrame) {
        self.send_record(LinkRecord::encode(frame));
    }

    /// Sends CLOSE and ends the connection.
    pub(super) fn send_close(&mut self, code: ErrorCode) {
        self.send_last(&[Frame::Close { code, retry_ms: 0 }]);
    }

    /// Sends REVOKED and CLOSE{REVOKED}, and ends the connection.
    pub(super) fn send_revoked(&mut self, signature: Signature) {
        self.send_last(&[Frame::Revoked { signature }, Frame::Close { code: ErrorCode::REVOKED, retry_ms: 0 }]);
        self.event(Event::RevokedTold);
    }

    fn send_last(&mut self, frames: &[Frame]) {
        let mut record = RecordBuilder::new();
        for frame in frames {
            let _ = record.push(frame);
        }
        self.send_record(record.finish());
        self.drop_connection();
    }

    /// The peer broke a rule: say so, and end the connection.
    pub(super) fn fail(&mut self, code: ErrorCode) {
        self.send_close(code);
        self.event(Event::Failed(code));
        self.wait_before_next();
    }

    /// Fresh keys are due: say so, then read on but send nothing.
    pub(super) fn rekey(&mut self) {
        // req: CHN-007
        let mut record = RecordBuilder::new();
        let _ = record.push(&Frame::Close { code: ErrorCode::REKEY, retry_ms: 0 });
        self.send_record(record.finish());
        if let Connection::Live(live) = &mut self.conn {
            live.closing = true;
        }
        if let Side::Web(web) = &mut self.side {
            web.next_attempt = self.now;
        }
    }

    /// Whether lane records may leave now.
    fn may_seal(&self) -> bool {
        match &self.conn {
            Connection::Live(live) => {
                !live.closing && live.gate.is_none_or(|id| !self.gate.is_open(id)) && self.ahead < AHEAD_MAX
            }
            _ => false,
        }
    }

    /// Chooses and seals the next record, if there is something to say and room for it.
    pub(super) fn seal_next(&mut self) -> Option<Bytes> {
        if !self.may_seal() {
            return None;
        }
        if let Connection::Live(live) = &self.conn && live.keys.sealer.is_worn() {
            self.rekey();
            return match self.out.pop_front() {
                Some(crate::output::Output::Transmit(bytes)) => Some(bytes),
                Some(other) => {
                    self.out.push_front(other);
                    None
                }
                None => None,
            };
        }
        let bulk = self.ahead < AHEAD_BULK_MAX;
        if !self.has_news(bulk) {
            return None;
        }
        let mut record = RecordBuilder::new();
        self.fill(&mut record, bulk);
        // req: EXT-001
        if self.jitter.below(GREASE_EVERY) == 0 {
            record.grease(self.jitter.next());
        }
        let Connection::Live(live) = &mut self.conn else { return None };
        match live.keys.sealer.seal(record.finish()) {
            Ok(bytes) => {
                self.ahead = self.ahead.saturating_add(bytes.len());
                Some(bytes)
            }
            Err(error) => {
                self.drop_connection();
                self.event(Event::Failed(error.local_code()));
                None
            }
        }
    }

    fn has_news(&mut self, bulk: bool) -> bool {
        let sync = match &self.side {
            Side::Phone(phone) => phone.sync.wants_to_send(),
            Side::Web(web) => web.sync.wants_to_send(),
        };
        !self.lanes.control.is_empty()
            || self.lanes.ack == Ack::Now
            || sync
            || self.lanes.outbox.wants_to_send()
            || self.lanes.slots.wants_to_send()
            || self.lanes.streams.wants_control()
            || (bulk && self.lanes.streams.wants_data())
    }

    /// Control, then messages, then rows, then slots, then streams.
    fn fill(&mut self, record: &mut RecordBuilder, bulk: bool) {
        while self.lanes.control.pop_front_if(|frame| record.push(frame)).is_some() {}
        if self.lanes.ack != Ack::None {
            self.fill_ack(record);
        }
        self.lanes.streams.fill_control(record);
        self.lanes.outbox.fill(record);
        match &mut self.side {
            Side::Phone(phone) => phone.sync.fill(record),
            Side::Web(web) => web.sync.fill(record),
        }
        self.lanes.slots.fill(record);
        if bulk {
            self.lanes.streams.fill_data(record);
        }
    }

    /// An ACK rides along with whatever leaves, or by itself when it is due.
    fn fill_ack(&mut self, record: &mut RecordBuilder) {
        let cursors = match &mut self.side {
            Side::Web(web) => web.sync.take_acks(),
            Side::Phone(_) => alloc::vec::Vec::new(),
        };
        let ack = Frame::Ack { durable: self.lanes.inbox.durable(), cursors };
        if record.push(&ack) {
            self.lanes.inbox.acked();
            self.lanes.ack = Ack::None;
        }
    }
}
