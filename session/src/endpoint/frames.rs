//! The handling of a received record: decryption, frames, and the lane that each frame belongs to.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Frame, OpenKind, PageState};
use handfast_codec::ids::Signature;
use handfast_codec::limits::OWED_FRAMES_MAX;
use handfast_codec::record;
use handfast_codec::role::DeviceRole;
use handfast_handshake::certificate;

use super::connect_web::SUSPENDED_WAIT;
use super::load::wipe_rows;
use super::{CompanionEndpoint, Connection, Deferred, Endpoint, Role, Sending};
use crate::commit::Op;
use crate::keys;
use crate::output::{Event, Message, StreamEnd, StreamEvent};
use crate::stream::Durable;
use crate::sync::SyncLane as _;

impl<R: Role> Endpoint<R> {
    /// Decrypts one sealed record and handles its frames.
    pub(super) fn on_record(&mut self, ciphertext: BytesMut) {
        // Without keys a record cannot be read, and a relay can send any number of them.
        // req: CHN-006
        let opener = match &mut self.conn {
            Connection::None
            | Connection::AwaitReply { .. }
            | Connection::Confirming { .. }
            | Connection::AwaitConfirm { until: None, .. } => {
                if self.attach.is_stray_too_many(self.now) {
                    self.on_refused(ErrorCode::LIMIT);
                }
                return;
            }
            Connection::AwaitVerdict { keys, .. }
            | Connection::AwaitCommit { keys, .. }
            | Connection::AwaitConfirm { keys, .. } => &mut keys.opener,
            Connection::Live(live) => &mut live.keys.opener,
        };
        let plaintext = match opener.open(ciphertext) {
            Ok(plaintext) => plaintext.freeze(),
            Err(error) => {
                // The opener's keys are lost after a record that fails. The sealer's still work, so the peer
                // is told the reason.
                // req: CHN-003, CHN-012, HSK-029
                if matches!(&self.conn, Connection::Live(live) if live.sending == Sending::Open) {
                    self.send_close(error.code());
                }
                self.event(Event::Failed(error.code()));
                self.drop_connection();
                self.wait_before_next();
                return;
            }
        };
        self.alive.heard(self.now);
        R::on_opened(self, plaintext);
    }

    /// Decodes the plaintext of a record, and handles its frames.
    pub(super) fn on_plaintext(&mut self, plaintext: Bytes) {
        match record::decode_record_from(plaintext, !R::ROLE) {
            Ok(frames) => self.on_frames(frames),
            Err(error) => self.fail(error.code()),
        }
    }

    /// Handles the frames of one record.
    pub(super) fn on_frames(&mut self, frames: Vec<Frame>) {
        if let Connection::Live(live) = &mut self.conn
            && !live.proven
        {
            live.proven = true;
            let verdict = live.verdict;
            self.attach.live();
            self.tell_connected(verdict);
        }
        for frame in frames {
            let only_close = matches!(self.conn, Connection::AwaitVerdict { .. });
            if matches!(self.conn, Connection::None) || self.dead {
                return;
            }
            if only_close && !matches!(frame, Frame::Close { .. } | Frame::Revoked { .. }) {
                continue;
            }
            if let Err(code) = self.on_frame(frame) {
                return self.fail(code);
            }
        }
    }

    fn on_frame(&mut self, frame: Frame) -> Result<(), ErrorCode> {
        match frame {
            Frame::Ping { id, rev } => {
                // A peer that asks faster than it reads the answers must not grow the queue of answers.
                // req: FRM-025
                if self.lanes.control.len() >= OWED_FRAMES_MAX {
                    return Err(ErrorCode::LIMIT);
                }
                self.lanes.sync.on_ping(rev);
                self.lanes.control.push_back(Frame::Pong { id });
                Ok(())
            }
            Frame::Pong { id } => {
                if let Some(least) = self.alive.pong(self.now, id) {
                    self.lanes.streams.round_trip(self.now, least);
                }
                Ok(())
            }
            Frame::Msg { seq, part, last, body } => {
                let known = seq <= self.lanes.inbox.durable();
                self.lanes.inbox.msg(seq, part, last, body)?;
                if known {
                    // The message came again although it is durable: its last ACK was lost, or the message
                    // became durable after the resume block was sent.
                    self.schedule_ack(1);
                }
                Ok(())
            }
            Frame::Ack { durable, cursors } => self.on_ack(durable, cursors),
            Frame::Now { slot, body } => {
                // A peer may set any slot. This machine reads only those that concern it; the application
                // gets all.
                // req: MSG-111
                if slot == PageState::SLOT && R::ROLE == DeviceRole::Phone {
                    // The phone sends fewer PINGs to a hidden page, which a browser runs seldom.
                    // req: MSG-041, MSG-044
                    let state = PageState::decode(&body).map_err(|error| error.code())?;
                    self.alive.hidden = state == PageState::Hidden;
                }
                self.event(Event::Ephemeral { slot, body });
                Ok(())
            }
            Frame::Close { code, .. } => {
                self.on_close(code);
                Ok(())
            }
            Frame::Revoked { signature } => R::on_revoked(self, &signature),
            // After the confirm the verdict has been applied. A put-back that is reported later would change
            // it.
            // req: FRM-054
            Frame::WebBack => Err(ErrorCode::FRAME_NOT_ALLOWED),
            other => self.on_lane_frame(other),
        }
    }

    fn on_lane_frame(&mut self, frame: Frame) -> Result<(), ErrorCode> {
        let streams = &mut self.lanes.streams;
        let event = match frame {
            Frame::Open { id, kind, meta } => return self.on_open(id, kind, meta),
            Frame::Data { id, offset, body } => {
                self.check_stream_id(id)?;
                // How much credit is given follows what the path carries.
                // req: STR-027
                if self.lanes.streams.comes(self.now) && self.alive.pinged.is_none() {
                    self.ping();
                }
                self.lanes.streams.data(id, offset, body)?
            }
            Frame::Fin { id, hash } => {
                self.check_stream_id(id)?;
                self.lanes.streams.fin(id, hash)?
            }
            Frame::Credit { id, offset } => {
                self.check_stream_id(id)?;
                self.lanes.streams.credit(id, offset)?;
                None
            }
            Frame::ConnCredit { offset } => {
                streams.conn_credit(offset)?;
                None
            }
            Frame::Durable { id, offset } => return self.on_durable(id, offset),
            Frame::Stop { id, code } => {
                self.check_stream_id(id)?;
                self.end_stream(id, StreamEnd::Stopped(code));
                None
            }
            other => self.lanes.sync.on_frame(other)?.map(Event::Sync),
        };
        if let Some(event) = event {
            self.event(event);
        }
        Ok(())
    }

    /// Refuses a frame for a stream that was never opened. A frame for a stream that was closed passes.
    fn check_stream_id(&self, id: u64) -> Result<(), ErrorCode> {
        // One side may send data while the other sends STOP, so frames for a closed stream are normal.
        // req: STR-009
        let is_local = id & 1 == self.counters.next_stream & 1;
        let known =
            if is_local { id < self.counters.next_stream } else { id < self.counters.peer_stream_min };
        if known { Ok(()) } else { Err(ErrorCode::STREAM_STATE) }
    }

    fn on_ack(
        &mut self,
        durable: u64,
        cursors: Vec<(handfast_codec::frame::Collection, u64)>,
    ) -> Result<(), ErrorCode> {
        // The peer may need the message again until it has acknowledged it, so the row is kept until the ACK.
        // req: RES-001
        let gone = self.lanes.outbox.ack(durable)?;
        self.lapsed.extend(gone.into_iter().map(|i| Op::Delete { key: keys::numbered(keys::OUTBOX, i) }));
        for (collection, cursor) in cursors {
            self.lanes.sync.ack(&collection, cursor)?;
        }
        Ok(())
    }

    fn on_open(&mut self, id: u64, kind: OpenKind, meta: Bytes) -> Result<(), ErrorCode> {
        // The ids of each side's streams ascend, odd or even by side. So an id that was passed and is not
        // open was closed, and no list of closed streams is needed.
        // req: STR-001, STR-081
        let parity = id & 1 != self.counters.next_stream & 1;
        if !parity || id < self.counters.peer_stream_min {
            return Err(ErrorCode::STREAM_ID);
        }
        self.counters.peer_stream_min = id.checked_add(2).ok_or(ErrorCode::STREAM_ID)?;
        // A peer that opens streams faster than it reads the refusals must not grow the queue of refusals.
        // req: FRM-025
        if self.lanes.streams.owes_too_much() {
            return Err(ErrorCode::LIMIT);
        }
        if !self.has_room() {
            self.lanes.streams.say(id, Frame::Stop { id, code: ErrorCode::BUSY });
            return Ok(());
        }
        match self.lanes.streams.opened(id, kind, meta.clone()) {
            Ok(op) => {
                let ops = alloc::vec![op];
                self.deliver_with(Message::Opened { id, kind, meta }, ops, Deferred::Nothing);
            }
            Err(code) => self.lanes.streams.say(id, Frame::Stop { id, code }),
        }
        Ok(())
    }

    fn on_durable(&mut self, id: u64, offset: u64) -> Result<(), ErrorCode> {
        self.check_stream_id(id)?;
        match self.lanes.streams.durable(id, offset)? {
            Some(Durable::Done) => self.end_stream(id, StreamEnd::Done),
            Some(Durable::Progress) => self.event(Event::Stream(StreamEvent::Durable { id, offset })),
            None => {}
        }
        Ok(())
    }

    /// Ends a stream at the peer's request, and tells the application.
    fn end_stream(&mut self, id: u64, end: StreamEnd) {
        if let Some(op) = self.lanes.streams.close(id, None) {
            self.persist(alloc::vec![op], Deferred::Nothing);
            self.event(Event::Stream(StreamEvent::Ended { id, end }));
        }
    }

    /// Requests from the application what may be sent next: rows on a phone, bytes of streams on either side.
    pub(super) fn ask(&mut self) {
        if !self.is_live() {
            return;
        }
        if let Some(wanted) = self.lanes.sync.ask() {
            self.event(Event::Sync(wanted));
        }
        if self.ahead < handfast_codec::limits::AHEAD_BULK_LEN_MAX {
            while let Some(event) = self.lanes.streams.next_wanted() {
                self.event(event);
            }
        }
    }

    pub(super) fn on_close(&mut self, code: ErrorCode) {
        self.drop_connection();
        if code == ErrorCode::REKEY {
            self.alive.rekeying(self.now);
        }
        if code == ErrorCode::REKEY || code == ErrorCode::IN_STEP {
            self.side.plan_attempt(self.now);
            return;
        }
        self.event(if code == ErrorCode::DIVERGED {
            Event::Diverged
        } else if code == ErrorCode::SUSPENDED {
            Event::Suspended
        } else {
            Event::Closed(code)
        });
        if code == ErrorCode::DIVERGED || code == ErrorCode::SUSPENDED {
            self.side.plan_attempt(self.now.plus(SUSPENDED_WAIT));
        } else {
            self.wait_before_next();
        }
    }
}

impl CompanionEndpoint {
    /// Deletes the link, if the account has signed that it is revoked.
    pub(super) fn on_revoked(&mut self, signature: &Signature) -> Result<(), ErrorCode> {
        // Only the account's signature may delete a link, because a relay can forge any unsigned refusal.
        // req: CRT-005, HSK-045
        certificate::verify_revoked(&self.side.link, signature).map_err(|e| e.code())?;
        self.drop_connection();
        self.persist(alloc::vec![wipe_rows()], Deferred::Wiped);
        self.event(Event::Revoked);
        self.event(Event::Disconnect);
        self.attach.down_until(None);
        Ok(())
    }
}
