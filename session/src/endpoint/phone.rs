//! A phone's part in the work of its endpoint.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{MailboxId, Signature};
use handfast_codec::payload::{KkHead, KkMode};
use handfast_codec::relay::DataKind;
use handfast_handshake::key_schedule;
use handfast_handshake::link::{PhoneLink, Terms};
use handfast_handshake::ratchet::PhoneRatchet;
use handfast_handshake::secret::Psk;
use rand_core::CryptoRng;

use super::load::{Rows, read_phone_link, read_ratchet};
use super::pending::PhoneDeferred;
use super::role::{Hooks, Phone};
use super::time::MESSAGE1_EVERY;
use super::{Connection, Deferred, Endpoint, PhoneEndpoint};
use crate::attach::{AttachEvent, Seat};
use crate::commands::unanswered::Unanswered;
use crate::error::LoadError;
use crate::output::Message;
use crate::sync::PhoneSync;
use crate::wake::PhoneWake;

impl Phone {
    /// Returns the psk that a message 1 names in its head, if that psk belongs to this link.
    pub(super) fn psk(&self, head: &KkHead) -> Option<&Psk> {
        match head.mode {
            KkMode::Resume => self.ratchet.key(&head.psk_id).map(|slot| &slot.psk),
            KkMode::Recover => (head.psk_id == self.recovery_id).then_some(&self.link.recovery),
        }
    }
}

impl Hooks for Phone {
    type Sync = PhoneSync;
    type Deferred = PhoneDeferred;

    fn mailbox(link: &[u8]) -> Result<MailboxId, LoadError> {
        Ok(read_phone_link(link)?.terms.mailbox)
    }

    fn load(
        link: &[u8],
        ratchet: &[u8],
        rows: &mut Rows<'_>,
        _: Timestamp,
    ) -> Result<(Self, PhoneSync), LoadError> {
        let link: PhoneLink = read_phone_link(link)?;
        let (last_try, current, candidate) = read_ratchet(ratchet, &link.terms.mailbox)?;
        let phone = Self {
            recovery_id: key_schedule::psk_id(&link.recovery, &link.terms.mailbox),
            link,
            ratchet: PhoneRatchet::new(current, candidate, last_try),
            held: None,
            read: None,
            hinted: None,
            commands: core::mem::take(&mut rows.commands),
            unanswered: Unanswered::load(core::mem::take(&mut rows.unanswered))?,
            revoked: rows.revoked,
            wake: PhoneWake::default(),
        };
        Ok((phone, PhoneSync::default()))
    }

    fn terms(&self) -> &Terms {
        &self.link.terms
    }

    fn seat(&self) -> Seat<'_> {
        Seat::Link { own: &self.link.attach, peer: self.link.web_attach, salt: self.link.terms.salt }
    }

    fn settle(endpoint: &mut PhoneEndpoint, rng: &mut dyn CryptoRng) {
        endpoint.answer_held(rng);
    }

    fn deadline(endpoint: &PhoneEndpoint) -> Option<Timestamp> {
        let Phone { held, read, .. } = &endpoint.side;
        held.as_ref().and(*read).map(|at| at.plus(MESSAGE1_EVERY))
    }

    fn on_attach_event(endpoint: &mut PhoneEndpoint, rng: &mut dyn CryptoRng, event: AttachEvent) {
        // Newer relays may send kinds of frames that this version does not know.
        // req: RLY-002
        if let AttachEvent::Data(DataKind::KK1, body) = event {
            endpoint.on_message1(rng, body);
        }
    }

    fn on_opened(endpoint: &mut PhoneEndpoint, plaintext: Bytes) {
        match core::mem::replace(&mut endpoint.conn, Connection::None) {
            Connection::AwaitConfirm { keys, kind, .. } => endpoint.on_confirm(keys, kind, plaintext),
            conn => {
                endpoint.conn = conn;
                endpoint.on_plaintext(plaintext);
            }
        }
    }

    fn on_revoked(_: &mut PhoneEndpoint, _: &Signature) -> Result<(), ErrorCode> {
        Err(ErrorCode::FRAME_NOT_ALLOWED)
    }

    fn deliver(endpoint: &mut PhoneEndpoint) {
        // The last run has counted it as received, so the companion does not send it again.
        // req: RES-043
        if let Some((key, body)) = endpoint.side.unanswered.next_again() {
            endpoint.deliver_with(Message::Command { key, body }, Vec::new(), Deferred::Nothing);
        } else if endpoint.has_room_for_result() {
            endpoint.deliver_message(Endpoint::on_command);
        }
    }

    fn run(endpoint: &mut PhoneEndpoint, deferred: PhoneDeferred) {
        match deferred {
            PhoneDeferred::LinkCommit => endpoint.send_link_commit(),
            PhoneDeferred::Revoke(signature) => endpoint.send_revoked(signature),
        }
    }
}
