//! The companion's side of a reconnect: message 1, the verdict, the confirm (spec, handshake, *Reconnect*,
//! *Recovery*).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use handfast_codec::Versions;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{COMMANDS_OPEN_MAX, MESSAGE1_STARTS_MAX, VARINT_MAX};
use handfast_codec::link::LinkFrame;
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, KkMode, ResumeBlock};
use handfast_codec::record::decode_link_record;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_handshake::reconnect::{self, LinkContext};
use rand_core::CryptoRng;

use super::load::{active_row, put_web_ratchet};
use super::pending::CompanionDeferred;
use super::{
    CompanionEndpoint, Connection, Deferred, HANDSHAKE_MAX, Keys, LinkStatus, Pending, Queued, Sending,
};
use crate::commands::web::Judged;
use crate::commit::Op;
use crate::keys;
use crate::output::Event;
use crate::psk::IdPsk;
use crate::resume::{ResetReason, Verdict, verdict};

/// Builds the payload of message 1, which offers today's protocol version and the one before.
fn kk1() -> Kk1 {
    Kk1 {
        // With version 1 on offer an older phone can answer, so that its user can be told to update it.
        // req: HSK-155
        versions: Versions::RECONNECT,
        capabilities: Vec::new(),
        limits: Vec::new(),
        try_: 0,
        resume: None,
        psk_id_held: None,
        pending: false,
    }
}

/// How long a companion waits after DIVERGED or SUSPENDED, or when only its user can help, before it tries
/// again.
pub(super) const SUSPENDED_WAIT: Duration = Duration::from_mins(1);

/// After this many handshakes without an answer the companion no longer trusts the relay's word that the
/// phone is attached.
const UNANSWERED_MAX: u8 = 2;

impl CompanionEndpoint {
    /// Handles the case that a message 1 got no answer: the handshake is repeated, or the attachment given
    /// up.
    pub(super) fn on_unanswered(&mut self) {
        self.side.unanswered = self.side.unanswered.saturating_add(1);
        // The relay may have told the companion that the phone is attached when the phone is not. A new
        // attachment clears that up.
        // req: HSK-085
        if self.side.unanswered >= UNANSWERED_MAX {
            self.drop_socket();
        }
    }

    /// Returns whether a handshake may start as soon as its time has come.
    pub(super) fn may_start(&self) -> bool {
        // If the phone is absent nobody could answer, and each message 1 uses up a `try`.
        // req: HSK-020
        let free = match &self.conn {
            Connection::None => true,
            Connection::Live(live) => live.sending == Sending::Closing,
            _ => false,
        };
        free && !self.side.replaced && !self.dead && self.attach.peer().is_some() && self.has_room()
    }

    pub(super) fn start_if_due(&mut self, rng: &mut dyn CryptoRng) {
        if self.now < self.side.next_attempt || !self.may_start() {
            return;
        }
        // A relay that toggles the phone's presence must not make the companion compute without end.
        // req: HSK-126
        if self.side.starts.is_too_many(self.now, MESSAGE1_STARTS_MAX) {
            self.side.next_attempt = self.side.starts.ends();
            return;
        }
        if let Err(code) = self.start_attempt(rng) {
            self.event(Event::Failed(code));
            self.wait_before_next();
        }
    }

    fn start_attempt(&mut self, rng: &mut dyn CryptoRng) -> Result<(), ErrorCode> {
        let (Some(own), Some(peer)) = (self.attach.own(), self.attach.peer().map(|p| p.id)) else {
            return Ok(());
        };
        // The phone drops its old keys when it answers message 1, so it could not read old records anyway.
        // req: HSK-022
        self.end_connection();
        let block = self.block();
        let web = &mut self.side;
        let mode = if web.recover { KkMode::Recover } else { KkMode::Resume };
        let context = LinkContext {
            mailbox: web.link.terms.mailbox,
            web: own,
            phone: peer,
            relay: &web.link.terms.relay,
        };
        let mut payload = kk1();
        let psk = match mode {
            KkMode::Resume => {
                // The phone takes a `try` that it has seen before as a sign of a copied store.
                // req: HSK-021
                payload.try_ = web.ratchet.next_try().map_err(|_| ErrorCode::TRY_EXHAUSTED)?;
                payload.resume = Some(block.clone());
                payload.pending = self.status == LinkStatus::Pending;
                &web.ratchet.key().psk
            }
            KkMode::Recover => {
                // The id tells the phone which psk this companion has, so that the phone can recognise a
                // copy.
                // req: HSK-042
                payload.psk_id_held = Some(handfast_handshake::ratchet::Slot::id(web.ratchet.key()));
                &web.link.recovery
            }
        };
        let (state, body) =
            reconnect::web::start(&context, &web.link, mode, psk, &payload, rng).map_err(|e| e.code())?;
        let frame = RelayFrame::Data { kind: DataKind::KK1, body: Bytes::from(body) }.encode();
        web.recover = false;
        let op = put_web_ratchet(&web.ratchet);
        match mode {
            KkMode::Resume => {
                self.conn = Connection::AwaitReply {
                    state: Box::new(state),
                    block: Some(Box::new(block)),
                    until: None,
                };
                self.persist(alloc::vec![op], Deferred::SendHandshake(frame));
            }
            KkMode::Recover => {
                self.conn = Connection::AwaitReply { state: Box::new(state), block: None, until: None };
                self.send_handshake(frame);
            }
        }
        Ok(())
    }

    /// Handles `UNKNOWN_KEY`: the phone, or a relay in its name, says that the phone does not know the psk of
    /// message 1.
    pub(super) fn on_unknown_key(&mut self) {
        // `UNKNOWN_KEY` is not authenticated. When no message 1 waits for its answer, only a relay can have
        // sent it.
        // req: HSK-041
        let waits = matches!(&self.conn, Connection::AwaitReply { block: Some(_), until: Some(_), .. });
        if waits {
            self.side.unanswered = 0;
            self.side.recover = true;
            self.side.next_attempt = self.now;
            self.drop_connection();
        }
    }

    /// Handles message 2, the phone's answer.
    pub(super) fn on_message2(&mut self, body: &[u8]) {
        if !matches!(&self.conn, Connection::AwaitReply { until: Some(_), .. }) {
            return;
        }
        self.side.unanswered = 0;
        let Connection::AwaitReply { state, block, .. } =
            core::mem::replace(&mut self.conn, Connection::None)
        else {
            return;
        };
        let (reply, connection) = match state.read(body) {
            Ok(read) => read,
            Err(error) => return self.attempt_failed(error.code()),
        };
        let keys = self.take_keys(connection.sealer, connection.opener);
        match (block, &reply) {
            // This companion may be a copy, and a copy must not change to the next psk.
            // req: HSK-028
            (_, Kk2 { quarantine: true, .. }) | (None, _) => {
                self.conn = Connection::AwaitVerdict { keys, until: self.now.plus(HANDSHAKE_MAX) };
                self.send_empty_record();
            }
            (Some(own), Kk2 { resume: Some(peer), commands, .. }) => {
                // Numbers of new commands would be too large for varints.
                // req: RES-041
                if commands.is_some_and(|known| known.highest > VARINT_MAX.saturating_sub(COMMANDS_OPEN_MAX))
                {
                    return self.attempt_failed(ErrorCode::FIELD_VALUE);
                }
                self.take_reply(keys, connection.next, &connection.h, (&own, peer), *commands);
            }
            (Some(_), Kk2 { resume: None, .. }) => self.attempt_failed(ErrorCode::FIELD_MISSING),
        }
    }

    fn attempt_failed(&mut self, code: ErrorCode) {
        self.event(Event::Failed(code));
        self.drop_connection();
        self.wait_before_next();
    }

    /// Commits the next psk together with what the verdict changes on this side. The confirm is sent when
    /// that commit is durable.
    fn take_reply(
        &mut self,
        keys: Keys,
        next: handfast_handshake::secret::Psk,
        h: &[u8; 32],
        (own, peer): (&ResumeBlock, &ResumeBlock),
        commands: Option<CommandsKnown>,
    ) {
        let mut verdict = verdict(own, peer);
        let mut ops = Vec::new();
        let end = match commands.map(|known| (self.judge(&known), known)) {
            // A phone of version 1 knows commands by number only, and could run them twice.
            // req: HSK-157
            None => Some(ErrorCode::NO_COMMON_VERSION),
            Some((Judged::Forgotten, _)) => Some(ErrorCode::COMMANDS_FORGOTTEN),
            Some((Judged::InSync, _)) => None,
            Some((Judged::PutBack, known)) => {
                verdict = Verdict::Reset(ResetReason::WebBack);
                ops = self.renumber(&known);
                None
            }
        };
        if end.is_none() {
            self.note_put_back(verdict);
            // An earlier connection found that this companion was put back to an earlier state. That
            // connection may have been lost before the phone learned this.
            // req: RES-033
            if self.counters.put_back == Some(DeviceRole::Web) {
                verdict = Verdict::Reset(ResetReason::WebBack);
            }
        }
        // The phone forgets the old psk when it reads the confirm. So this side must still know the new psk
        // after a crash.
        // req: HSK-024, RES-022
        ops.extend(self.apply_verdict(verdict, (own, peer), h));
        let mut log_id = None;
        let web = &mut self.side;
        web.ratchet.advanced(IdPsk::new(next, &web.link.terms.mailbox));
        ops.push(put_web_ratchet(&web.ratchet));
        // A log with another id may give the same revisions to other rows.
        // req: RES-023
        if self.counters.log_id != peer.log_id || verdict != Verdict::Resume {
            log_id = Some(peer.log_id);
            self.lanes.sync.forget();
            self.waiting().for_each(Deferred::forget_log);
            ops.push(Op::DeleteRange {
                from: alloc::vec![keys::CURSOR],
                to: alloc::vec![keys::SNAPSHOT + 1],
            });
        }
        self.lanes.sync.restart();
        self.conn = Connection::Confirming { keys, verdict, end };
        let deferred = Deferred::OfRole(CompanionDeferred::Confirm);
        let pending = Pending { message: None, ops, log_id, deferred };
        self.out.push_back(Queued::Commit(pending));
    }

    /// Returns the verdict on whether this companion was put back to an earlier state.
    fn judge(&self, known: &CommandsKnown) -> Judged {
        self.side.commands.judge(self.counters.next_cmd, known)
    }

    /// Once its commit is durable, seals the confirm, which is the first record, and sends it.
    pub(super) fn send_confirm(&mut self) {
        let Connection::Confirming { keys, verdict, end } =
            core::mem::replace(&mut self.conn, Connection::None)
        else {
            return;
        };
        if let Some(code) = end {
            return self.end_in_confirm(keys, code);
        }
        let was_put_back = verdict == Verdict::Reset(ResetReason::WebBack);
        if self.status == LinkStatus::Pending {
            let signature = self.side.link.accept;
            let until = self.now.plus(HANDSHAKE_MAX);
            self.conn = Connection::AwaitCommit { keys, verdict, until };
            let back = was_put_back.then_some(LinkFrame::WebBack);
            let frames: Vec<_> = [LinkFrame::Accept { signature }].into_iter().chain(back).collect();
            self.send_link_frames(&frames);
            return;
        }
        if was_put_back {
            self.lanes.control.push_front(Frame::WebBack);
        }
        self.go_live(keys, verdict, false, Sending::Open);
    }

    /// Sends a confirm that closes the connection with `code`, and waits a minute before the next handshake.
    fn end_in_confirm(&mut self, keys: Keys, code: ErrorCode) {
        self.conn = Connection::AwaitVerdict { keys, until: self.now.plus(HANDSHAKE_MAX) };
        if self.status == LinkStatus::Pending {
            self.send_link_frames(&[LinkFrame::Close { code }]);
            self.drop_connection();
        } else {
            self.send_close(code);
        }
        self.event(Event::Failed(code));
        self.side.outdated = code == ErrorCode::NO_COMMON_VERSION;
        self.side.next_attempt = self.now.plus(SUSPENDED_WAIT);
    }

    /// If this companion waits because the phone's program is too old: ends that wait when the phone attaches
    /// again, since its program may be new.
    pub(super) fn end_rest(&mut self) {
        // The phone attaches again after its program was updated. Trying soon then spares the user the
        // remaining wait.
        // req: HSK-164
        if core::mem::take(&mut self.side.outdated) {
            self.wait_before_next();
        }
    }

    /// Handles the phone's first record to a PENDING companion: `LINK_COMMIT` or `LINK_CLOSE`. The records
    /// after `LINK_COMMIT` contain frames, which are read even before ACTIVE is durable here. Until ACTIVE is
    /// durable this side sends nothing.
    pub(super) fn on_link_record(&mut self, plaintext: Bytes) {
        let frames = match decode_link_record(plaintext) {
            Ok(frames) => frames,
            Err(error) => return self.fail(error.code()),
        };
        let answer = frames.iter().find(|f| matches!(f, LinkFrame::Commit | LinkFrame::Close { .. }));
        match answer {
            Some(LinkFrame::Commit) => {}
            // The phone's refusal may be temporary, so the PENDING link stays until its time has passed.
            // req: HSK-124
            Some(LinkFrame::Close { code }) => return self.on_close(*code),
            _ => return self.fail(ErrorCode::UNEXPECTED_MESSAGE),
        }
        let conn = core::mem::replace(&mut self.conn, Connection::None);
        let Connection::AwaitCommit { keys, verdict, .. } = conn else { return };
        self.persist(alloc::vec![active_row()], Deferred::Unlock);
        self.status = LinkStatus::Active;
        // Link records and frames share type numbers, so both sides must switch at the same record.
        // req: HSK-122
        self.go_live(keys, verdict, true, Sending::Locked);
        self.tell_connected(verdict);
    }
}
