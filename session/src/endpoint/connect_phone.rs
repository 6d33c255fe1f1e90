//! The phone's side of a reconnect: the two psk slots, quarantine, recovery (spec, handshake, *Reconnect*,
//! *Recovery*).

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::link::LinkFrame;
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, KkHead, KkMode, ResumeBlock};
use handfast_codec::record::{decode_link_record, decode_record_from};
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::versions::OUTDATED;
use handfast_handshake::ratchet::{Decision, Holder, Recovery};
use handfast_handshake::reconnect::phone::Received;
use handfast_handshake::reconnect::{self, LinkContext};
use rand_core::CryptoRng;

use super::load::{active_row, put_phone_ratchet, put_status};
use super::pending::PhoneDeferred;
use super::time::MESSAGE1_EVERY;
use super::{Confirm, Connection, Deferred, Keys, LinkStatus, PhoneEndpoint, Resuming, Sending};
use crate::output::Event;
use crate::psk::IdPsk;
use crate::resume::{ResetReason, Verdict, verdict};

/// Builds message 2. If `resume` is `None`, the session does not continue.
fn kk2(version: u8, resume: Option<(ResumeBlock, CommandsKnown)>, quarantine: bool) -> Kk2 {
    let (resume, commands) = resume.unzip();
    Kk2 { version, capabilities: Vec::new(), limits: Vec::new(), resume, commands, quarantine }
}

/// Reads the confirm on an ACTIVE link. Returns two things: whether the companion says that it was put back
/// to an earlier state, and the frames besides that notice.
fn read_confirm(plaintext: Bytes) -> Result<(bool, Vec<Frame>), ErrorCode> {
    let mut frames = decode_record_from(plaintext, DeviceRole::Web).map_err(|e| e.code())?;
    let was_put_back = matches!(frames.first(), Some(Frame::WebBack));
    if was_put_back {
        let _ = frames.remove(0);
    }
    Ok((was_put_back, frames))
}

impl PhoneEndpoint {
    /// Handles message 1. If it names a psk of this link, verifying it costs curve operations, and a relay
    /// can forge such a message. So one is read per second; of those that come earlier only the last is kept.
    pub(super) fn on_message1(&mut self, rng: &mut dyn CryptoRng, body: Bytes) {
        let has_room = self.has_room();
        let Some(peer) = self.attach.peer().map(|p| p.id) else { return };
        let phone = &mut self.side;
        // A relay can forge malformed messages, so one must not change anything.
        let Ok((head, _)) = KkHead::split_from(&body) else { return };
        // The look-up of the psk costs next to nothing; a message that names no psk of this link must not
        // cost a curve operation.
        // req: HSK-031
        if phone.psk(&head).is_none() {
            // `UNKNOWN_KEY` is not authenticated; one per attachment is enough for an honest companion.
            // req: HSK-040
            if phone.hinted != Some(peer) {
                phone.hinted = Some(peer);
                let hint = RelayFrame::Data { kind: DataKind::UNKNOWN_KEY, body: Bytes::new() };
                self.transmit(hint.encode());
            }
            return;
        }
        // Reading a message 1 costs curve operations, and a relay can send any number.
        // req: HSK-125
        let early = phone.read.is_some_and(|at| self.now < at.plus(MESSAGE1_EVERY));
        if early || !has_room {
            phone.held = Some(body);
            return;
        }
        self.read_message1(rng, &body);
    }

    /// Reads the message 1 that was set aside because it came within a second of another, once that second
    /// has passed.
    pub(super) fn answer_held(&mut self, rng: &mut dyn CryptoRng) {
        let has_room = self.has_room();
        let phone = &mut self.side;
        let due = phone.read.is_none_or(|at| self.now >= at.plus(MESSAGE1_EVERY));
        if due
            && has_room
            && let Some(body) = phone.held.take()
        {
            self.read_message1(rng, &body);
        }
    }

    /// Reads a message 1 under the psk that it names. The next message 1 is read after a second at the
    /// earliest, even if this one is invalid.
    fn read_message1(&mut self, rng: &mut dyn CryptoRng, body: &[u8]) {
        let (Some(own), Some(peer)) = (self.attach.own(), self.attach.peer().map(|p| p.id)) else { return };
        let phone = &mut self.side;
        phone.read = Some(self.now);
        let context = LinkContext {
            mailbox: phone.link.terms.mailbox,
            web: peer,
            phone: own,
            relay: &phone.link.terms.relay,
        };
        let lookup = |head: &KkHead| phone.psk(head);
        // A message 1 that does not verify changes nothing.
        // A relay alone can cause such a fault. An answer would tell the relay something, and the peer
        // nothing.
        // req: ERR-022
        let Ok(received) = reconnect::phone::receive(&context, &phone.link, body, lookup, rng) else {
            return;
        };
        match received.head.mode {
            KkMode::Resume => self.answer_resume(received),
            KkMode::Recover => self.answer_recover(received),
        }
    }

    fn answer_resume(&mut self, received: Received) {
        let block = self.block();
        let phone = &mut self.side;
        let Some(holder) = phone.ratchet.find(&received.head.psk_id) else { return };
        let stopped = matches!(self.status, LinkStatus::Suspended | LinkStatus::Revoked);
        // A companion whose program is too old must learn why it cannot connect. Only an encrypted CLOSE can
        // prove the reason.
        // req: HSK-156
        if received.version == OUTDATED && !stopped {
            return self.answer_apart(received, Confirm::Outdated);
        }
        let decision = phone.ratchet.decide(holder, received.payload.try_);
        match decision {
            // req: HSK-027, HSK-044
            // A `try` below the last one shows that two devices have the same keys. Neither may resume before
            // the user has decided.
            Decision::Quarantine => self.answer_apart(received, Confirm::Quarantine { holder }),
            Decision::Answer(_) if stopped => self.answer_apart(received, Confirm::Quarantine { holder }),
            // An answer would use a second ephemeral key with the same psk and `try`.
            // req: HSK-026
            Decision::Silence => {}
            Decision::Answer(answer) => {
                let Kk1 { resume, pending, .. } = received.payload.clone();
                let Some(peer) = resume else { return };
                // By the *commands known* block the companion judges whether it was put back to an earlier
                // state.
                // req: RES-032
                let reply = kk2(
                    received.version,
                    Some((block.clone(), phone.commands.known(self.counters.known))),
                    false,
                );
                let Ok((connection, message)) = received.answer(&reply) else { return };
                // The companion may change to the new psk as soon as it has message 2. So the phone must
                // still know that psk after a crash.
                // req: HSK-023, HSK-025
                let next = IdPsk::new(connection.next, &phone.link.terms.mailbox);
                phone.ratchet.answered(&answer, next);
                let op = put_phone_ratchet(&phone.ratchet);
                let verdict = verdict(&peer, &block);
                self.note_put_back(verdict);
                let keys = self.take_keys(connection.sealer, connection.opener);
                let kind = Resuming { verdict, own: block, peer, pending, h: connection.h };
                self.await_confirm(keys, Confirm::Resume(Box::new(kind)));
                let frame = RelayFrame::Data { kind: DataKind::KK2, body: Bytes::from(message) }.encode();
                self.persist(alloc::vec![op], Deferred::SendHandshake(frame));
            }
        }
    }

    /// Answers a companion that must not resume: the phone's psks stay as they are, and its confirm will be
    /// answered with CLOSE.
    fn answer_apart(&mut self, received: Received, kind: Confirm) {
        let reply = kk2(received.version, None, true);
        let Ok((connection, message)) = received.answer(&reply) else { return };
        let keys = self.take_keys(connection.sealer, connection.opener);
        self.await_confirm(keys, kind);
        self.send_handshake(RelayFrame::Data { kind: DataKind::KK2, body: Bytes::from(message) }.encode());
    }

    fn answer_recover(&mut self, received: Received) {
        let Some(held) = received.payload.psk_id_held else { return };
        let in_step = self.side.ratchet.find(&held).is_some();
        let reply = kk2(received.version, None, false);
        let Ok((connection, message)) = received.answer(&reply) else { return };
        let keys = self.take_keys(connection.sealer, connection.opener);
        self.await_confirm(keys, Confirm::Recover { held, in_step });
        self.send_handshake(RelayFrame::Data { kind: DataKind::KK2, body: Bytes::from(message) }.encode());
    }

    fn await_confirm(&mut self, keys: Keys, kind: Confirm) {
        self.end_connection();
        self.conn = Connection::AwaitConfirm { keys, kind, until: None };
    }

    /// Handles the first record after message 2, the confirm. It proves that the companion has the keys.
    pub(super) fn on_confirm(&mut self, keys: Keys, kind: Confirm, plaintext: Bytes) {
        match kind {
            Confirm::Resume(resuming) => self.confirm_resume(keys, &resuming, plaintext),
            Confirm::Quarantine { holder } => self.confirm_quarantine(keys, holder),
            // Only an encrypted CLOSE shows the companion that an update is due.
            // req: HSK-156
            Confirm::Outdated => {
                self.keep_for_close(keys);
                self.fail(ErrorCode::NO_COMMON_VERSION);
            }
            Confirm::Recover { .. } if self.status == LinkStatus::Revoked => self.tell_revoked(keys),
            Confirm::Recover { held, in_step } => {
                // A companion that still has a current psk has only missed message 2; one with an older psk
                // is a copy.
                // req: HSK-043
                match self.side.ratchet.recovery_verdict(in_step, &held) {
                    Recovery::InSync => {
                        let code = match self.status {
                            LinkStatus::Suspended => ErrorCode::SUSPENDED,
                            _ => ErrorCode::IN_STEP,
                        };
                        self.keep_for_close(keys);
                        self.end_told(code);
                    }
                    Recovery::Diverged => self.diverged(keys),
                }
            }
        }
    }

    fn confirm_resume(&mut self, keys: Keys, resuming: &Resuming, plaintext: Bytes) {
        let Resuming { verdict, own, peer, pending, h } = resuming;
        let (mut verdict, pending) = (*verdict, *pending);
        let confirm = if pending { self.read_accept(plaintext) } else { read_confirm(plaintext) };
        let (was_put_back, frames) = match confirm {
            Ok(read) => read,
            Err(code) => {
                self.keep_for_close(keys);
                return if pending { self.refuse_accept(code) } else { self.fail(code) };
            }
        };
        // The phone's change log cannot show that the companion's store was put back.
        // req: RES-034
        if was_put_back {
            verdict = Verdict::Reset(ResetReason::WebBack);
        }
        // If LINK_COMMIT was lost it is repeated here, so that no crash leaves the link on one side alone.
        // req: HSK-018, HSK-089
        if !pending && self.status == LinkStatus::Offered {
            self.keep_for_close(keys);
            return self.fail(ErrorCode::NOT_ACCEPTED);
        }
        self.note_put_back(verdict);
        let mut ops = self.apply_verdict(verdict, (own, peer), h);
        // The commit below stores that the user has been told who was put back to an earlier state.
        let _ = self.tell_put_back();
        let phone = &mut self.side;
        // The confirm proves that the companion has stored the new psk, so the old psk is no longer needed.
        // req: HSK-025
        phone.ratchet.confirmed();
        phone.wake.confirmed();
        ops.push(put_phone_ratchet(&phone.ratchet));
        self.lanes.sync.restart();
        if self.status == LinkStatus::Offered {
            self.status = LinkStatus::Active;
            ops.push(active_row());
        }
        let resumed = verdict == Verdict::Resume;
        let deferred = match (pending, resumed) {
            (true, _) => Deferred::OfRole(PhoneDeferred::LinkCommit),
            (false, false) => Deferred::Unlock,
            (false, true) => Deferred::Nothing,
        };
        self.persist(ops, deferred);
        let sending = if pending || !resumed { Sending::Locked } else { Sending::Open };
        self.go_live(keys, verdict, true, sending);
        self.event(Event::Connected { verdict });
        self.on_frames(frames);
    }

    /// Refuses the confirm of a PENDING companion with `LINK_CLOSE`, because before `LINK_COMMIT` it reads
    /// link records only.
    fn refuse_accept(&mut self, code: ErrorCode) {
        // The companion cannot read frames before LINK_COMMIT.
        // req: HSK-123
        self.send_link_frames(&[LinkFrame::Close { code }]);
        self.drop_connection();
        self.event(Event::Failed(code));
    }

    /// Reads the confirm of a PENDING companion, which contains the companion's signature. Returns whether
    /// the companion says that it was put back to an earlier state, and an empty list, because such a confirm
    /// contains no frames.
    fn read_accept(&self, plaintext: Bytes) -> Result<(bool, Vec<Frame>), ErrorCode> {
        let frames = decode_link_record(plaintext).map_err(|e| e.code())?;
        let was_put_back = frames.contains(&LinkFrame::WebBack);
        let accept = frames.iter().find_map(|frame| match frame {
            LinkFrame::Accept { signature } => Some(signature),
            _ => None,
        });
        let signature = accept.ok_or(ErrorCode::NOT_ACCEPTED)?;
        // Only its signature shows that the companion agreed to the link with this account.
        // req: CRT-004
        let accepted = self.side.link.verify_accept(signature).map_err(|e| e.code());
        accepted.map(|_| (was_put_back, Vec::new()))
    }

    /// Tells a PENDING companion that its link is ACTIVE, once the phone's ACTIVE is durable.
    pub(super) fn send_link_commit(&mut self) {
        if matches!(self.conn, Connection::Live(_)) {
            self.send_link_frames(&[LinkFrame::Commit]);
            self.unlock();
        }
    }

    fn confirm_quarantine(&mut self, keys: Keys, holder: Holder) {
        match (self.status, holder) {
            (LinkStatus::Revoked, _) => self.tell_revoked(keys),
            (LinkStatus::Suspended, Holder::Current | Holder::Candidate) => {
                self.keep_for_close(keys);
                self.end_told(ErrorCode::SUSPENDED);
            }
            _ => self.diverged(keys),
        }
    }

    /// Answers a confirm on a revoked link with the account's signed REVOKED.
    fn tell_revoked(&mut self, keys: Keys) {
        self.keep_for_close(keys);
        // The companion must learn of the revocation from the account itself, not from a relay.
        // req: HSK-152
        if let Some(signature) = self.side.revoked {
            self.send_revoked(signature);
        }
    }

    /// Suspends the link, because two devices have the companion's keys, and tells the one that has
    /// connected.
    fn diverged(&mut self, keys: Keys) {
        self.keep_for_close(keys);
        self.event(Event::Diverged);
        if self.status == LinkStatus::Suspended {
            return self.end_told(ErrorCode::DIVERGED);
        }
        // An OFFERED link is suspended too, and does not lapse after that.
        // Either of the two devices with the companion's keys may be the one that accepts, so only the user
        // can decide.
        // req: HSK-161, HSK-162
        self.status = LinkStatus::Suspended;
        let ops: Vec<_> = alloc::vec![put_status(LinkStatus::Suspended)];
        self.persist(ops, Deferred::Close(ErrorCode::DIVERGED));
    }

    /// Keeps the keys of the connection to send one CLOSE, and for nothing else.
    fn keep_for_close(&mut self, keys: Keys) {
        let until = self.now.plus(super::HANDSHAKE_MAX);
        self.conn = Connection::AwaitVerdict { keys, until };
    }

    /// Sends CLOSE, but emits no event: CLOSE is the regular end of such a handshake.
    fn end_told(&mut self, code: ErrorCode) {
        self.send_close(code);
    }
}
