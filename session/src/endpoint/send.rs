//! Sending: handshake frames, records, the CLOSE that ends a connection.
//!
//! Messages, rows and streams are chosen and sealed only when the socket has room, so that a text never waits
//! behind a video.

use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::ids::Signature;
use handfast_codec::limits::{AHEAD_BULK_LEN_MAX, AHEAD_LEN_MAX};
use handfast_codec::link::LinkFrame;
use handfast_codec::record::RecordBuilder;

use super::{Ack, Connection, Endpoint, HANDSHAKE_MAX, Keys, PhoneEndpoint, Role, Sending};
use crate::output::Event;
use crate::queue::pop_front_if;
use crate::sync::SyncLane as _;

/// About one record in this many carries grease, so that peers keep ignoring unknown values (RFC 8701).
const GREASE_EVERY: u64 = 16;

impl<R: Role> Endpoint<R> {
    /// Sends a handshake frame, and starts the wait for its answer.
    pub(super) fn send_handshake(&mut self, frame: Bytes) {
        let due = self.now.plus(HANDSHAKE_MAX);
        match &mut self.conn {
            Connection::AwaitReply { until, .. } | Connection::AwaitConfirm { until, .. } => {
                *until = Some(due);
            }
            _ => return,
        }
        self.transmit(frame);
    }

    /// Returns the keys of the connection, if its state has any.
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

    /// Seals and queues a record at once. This is for records such as CLOSE, which do not wait until the
    /// socket has room.
    fn send_record(&mut self, record: BytesMut) {
        if let Some(bytes) = self.seal(record) {
            self.transmit(bytes);
        }
    }

    /// Seals a record under the keys of the connection.
    fn seal(&mut self, mut record: BytesMut) -> Option<Bytes> {
        // A nonce must never be used for two records, even when sealing fails.
        // req: CHN-005
        match self.keys()?.sealer.seal(&mut record) {
            Ok(()) => Some(record.freeze()),
            Err(error) => {
                self.drop_connection();
                self.event(Event::Failed(error.code()));
                None
            }
        }
    }

    /// Seals a plaintext that the caller made, DATA header included, under the keys of the live connection:
    /// tests simulate a hostile peer this way. Returns whether a connection was live.
    #[cfg(feature = "testing")]
    pub fn inject(&mut self, record: BytesMut) -> bool {
        let live = matches!(self.conn, Connection::Live(_));
        if live {
            self.send_record(record);
        }
        live
    }

    pub(super) fn send_empty_record(&mut self) {
        self.send_record(RecordBuilder::new().finish());
    }

    pub(super) fn send_link_frames(&mut self, frames: &[LinkFrame]) {
        let mut record = RecordBuilder::new();
        if frames.iter().all(|frame| record.push_link(frame)) {
            self.send_record(record.finish());
        }
    }

    /// Sends CLOSE, and ends the connection.
    pub(super) fn send_close(&mut self, code: ErrorCode) {
        // With CLOSE the peer knows the fault at once, instead of waiting for a timeout.
        // req: ERR-020
        self.send_last(&[Frame::Close { code, retry_ms: 0 }]);
    }

    fn send_last(&mut self, frames: &[Frame]) {
        let mut record = RecordBuilder::new();
        for frame in frames {
            let _ = record.push(frame);
        }
        self.send_record(record.finish());
        self.drop_connection();
    }

    /// Ends the connection with CLOSE, because the peer broke a rule.
    pub(super) fn fail(&mut self, code: ErrorCode) {
        self.send_close(code);
        self.event(Event::Failed(code));
        self.wait_before_next();
    }

    /// Asks the peer for fresh keys by CLOSE{REKEY}, then reads on but sends nothing.
    pub(super) fn rekey(&mut self) {
        // Keys that are used without end give an attacker ever more ciphertext under one key. A thief of the
        // keys could read ever more of the past.
        // req: CHN-007
        let mut record = RecordBuilder::new();
        let _ = record.push(&Frame::Close { code: ErrorCode::REKEY, retry_ms: 0 });
        self.send_record(record.finish());
        if let Connection::Live(live) = &mut self.conn {
            live.sending = Sending::Closing;
            self.alive.rekeying(self.now);
        }
        self.side.plan_attempt(self.now);
    }

    /// Asks for fresh keys once the keys have sealed or opened as many records as they may.
    pub(super) fn rekey_if_worn(&mut self) {
        if let Connection::Live(live) = &self.conn
            && live.sending != Sending::Closing
            && (live.keys.sealer.rekey_due() || live.keys.opener.rekey_due())
        {
            self.rekey();
        }
    }

    /// Returns whether records with messages, rows, slots or streams may be sealed now.
    fn may_seal(&self) -> bool {
        match &self.conn {
            Connection::Live(live) => live.sending == Sending::Open && self.ahead < AHEAD_LEN_MAX,
            _ => false,
        }
    }

    /// Chooses and seals the next record, if something waits and the socket has room for it.
    pub(super) fn seal_next(&mut self) -> Option<Bytes> {
        if !self.may_seal() {
            return None;
        }
        let bulk = self.ahead < AHEAD_BULK_LEN_MAX;
        if !self.has_news(bulk) {
            return None;
        }
        let mut record = RecordBuilder::new();
        self.fill(&mut record, bulk);
        // Now and then an unknown value is sent, because implementations that never meet one come to reject it.
        // req: EXT-001
        if self.jitter.below(GREASE_EVERY) == 0 {
            let [n, ..] = self.jitter.next().to_be_bytes();
            record.grease(n);
        }
        let bytes = self.seal(record.finish())?;
        self.ahead = self.ahead.saturating_add(bytes.len());
        Some(bytes)
    }

    fn has_news(&mut self, bulk: bool) -> bool {
        !self.lanes.control.is_empty()
            || self.lanes.ack == Ack::Now
            || self.lanes.sync.wants_to_send()
            || self.lanes.outbox.wants_to_send()
            || self.lanes.ephemeral.wants_to_send()
            || self.lanes.streams.wants_control()
            || (bulk && self.lanes.streams.wants_data())
    }

    /// Fills a record by priority: control, messages, rows, slots, streams.
    fn fill(&mut self, record: &mut RecordBuilder, bulk: bool) {
        while pop_front_if(&mut self.lanes.control, |frame| record.push(frame)).is_some() {}
        if self.lanes.ack != Ack::None {
            self.fill_ack(record);
        }
        self.lanes.streams.fill_control(record);
        self.lanes.outbox.fill(record);
        self.lanes.sync.fill(record);
        self.lanes.ephemeral.fill(record);
        if bulk {
            self.lanes.streams.fill_data(record);
        }
    }

    /// Adds an ACK to a record that is sent anyway. When an ACK is due, a record is sent for it.
    fn fill_ack(&mut self, record: &mut RecordBuilder) {
        let cursors = self.lanes.sync.take_acks();
        let ack = Frame::Ack { durable: self.lanes.inbox.durable(), cursors };
        if record.push(&ack) {
            self.lanes.inbox.acked();
            self.lanes.ack = Ack::None;
        }
    }
}

impl PhoneEndpoint {
    /// Sends REVOKED and CLOSE{REVOKED}, and ends the connection.
    pub(super) fn send_revoked(&mut self, signature: Signature) {
        // REVOKED proves the reason; CLOSE ends the connection in the same record.
        // req: HSK-152
        self.send_last(&[
            Frame::Revoked { signature },
            Frame::Close { code: ErrorCode::REVOKED, retry_ms: 0 },
        ]);
        self.event(Event::RevokedTold);
    }
}
