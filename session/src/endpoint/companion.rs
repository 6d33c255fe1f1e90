//! A companion's part in the work of its endpoint.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{MailboxId, Signature};
use handfast_codec::relay::{DataKind, Wake};
use handfast_handshake::link::Terms;
use handfast_handshake::ratchet::WebRatchet;
use rand_core::CryptoRng;

use super::load::{Rows, own_commands, read_ratchet, read_web_link};
use super::pending::CompanionDeferred;
use super::role::{Companion, Hooks};
use super::{CompanionEndpoint, Connection, Endpoint};
use crate::attach::{AttachEvent, Seat};
use crate::counted::Counted;
use crate::error::LoadError;
use crate::outbox::{Moved, Outbox};
use crate::output::Event;
use crate::sync::WebSync;
use crate::wake::WebWake;

impl Hooks for Companion {
    type Sync = WebSync;
    type Deferred = CompanionDeferred;

    fn mailbox(link: &[u8]) -> Result<MailboxId, LoadError> {
        Ok(read_web_link(link)?.terms.mailbox)
    }

    fn load(
        link: &[u8],
        ratchet: &[u8],
        rows: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<(Self, WebSync), LoadError> {
        let link = read_web_link(link)?;
        let (last_try, key, _) = read_ratchet(ratchet, &link.terms.mailbox)?;
        let companion = Self {
            link,
            ratchet: WebRatchet::new(key, last_try),
            next_attempt: now,
            starts: Counted::since(now),
            unanswered: 0,
            recover: false,
            replaced: false,
            outdated: false,
            commands: own_commands(rows),
            wake: WebWake::default(),
        };
        let (cursors, snapshots) = (core::mem::take(&mut rows.cursors), core::mem::take(&mut rows.snapshots));
        Ok((companion, WebSync::new(cursors, snapshots)))
    }

    fn terms(&self) -> &Terms {
        &self.link.terms
    }

    fn seat(&self) -> Seat<'_> {
        Seat::Link { own: &self.link.attach, peer: self.link.phone_attach, salt: self.link.terms.salt }
    }

    fn kept(&self) -> BTreeSet<u64> {
        self.commands.rows().collect()
    }

    fn restart_outbox(&mut self, outbox: &mut Outbox) -> (Vec<u64>, Vec<Moved>) {
        let gone = outbox.drop_settled();
        let moved = outbox.reset();
        self.commands.moved(&moved.iter().map(|row| (row.from, row.to)).collect());
        (gone, moved)
    }

    fn plan_attempt(&mut self, at: Timestamp) {
        self.next_attempt = at;
    }

    fn is_waking(&self) -> bool {
        self.wake.is_waking()
    }

    fn settle(endpoint: &mut CompanionEndpoint, rng: &mut dyn CryptoRng) {
        endpoint.wake_if_absent();
        endpoint.start_if_due(rng);
    }

    fn deadline(endpoint: &CompanionEndpoint) -> Option<Timestamp> {
        if endpoint.may_start() {
            Some(endpoint.side.next_attempt)
        } else if endpoint.alive.hidden {
            None
        } else {
            endpoint.side.wake.deadline()
        }
    }

    fn on_attach_event(endpoint: &mut CompanionEndpoint, _: &mut dyn CryptoRng, event: AttachEvent) {
        match event {
            AttachEvent::Attached => {
                endpoint.side.unanswered = 0;
                endpoint.end_rest();
            }
            AttachEvent::PeerUp | AttachEvent::PeerDown => endpoint.end_rest(),
            AttachEvent::Wake(answer) => {
                endpoint.side.wake.answered(&answer);
                if let Wake::Failed(class) = answer {
                    endpoint.event(Event::WakeFailed(class));
                }
            }
            AttachEvent::Data(DataKind::KK2, body) => endpoint.on_message2(&body),
            AttachEvent::Data(DataKind::UNKNOWN_KEY, _) => endpoint.on_unknown_key(),
            // Two tabs of one companion would otherwise take the seat from each other forever.
            // req: TIM-012
            AttachEvent::Refused(ErrorCode::REPLACED) => endpoint.side.replaced = true,
            // Newer relays may send kinds of frames that this version does not know.
            // req: RLY-002
            _ => {}
        }
    }

    fn on_unanswered(endpoint: &mut CompanionEndpoint) {
        endpoint.on_unanswered();
    }

    fn on_opened(endpoint: &mut CompanionEndpoint, plaintext: Bytes) {
        match &endpoint.conn {
            Connection::AwaitCommit { .. } => endpoint.on_link_record(plaintext),
            _ => endpoint.on_plaintext(plaintext),
        }
    }

    fn on_revoked(endpoint: &mut CompanionEndpoint, signature: &Signature) -> Result<(), ErrorCode> {
        endpoint.on_revoked(signature)
    }

    fn deliver(endpoint: &mut CompanionEndpoint) {
        if !endpoint.deliver_rows() {
            endpoint.deliver_message(Endpoint::on_result);
        }
    }

    fn run(endpoint: &mut CompanionEndpoint, deferred: CompanionDeferred) {
        match deferred {
            CompanionDeferred::Confirm => endpoint.send_confirm(),
            CompanionDeferred::Cursor(collection, to) => {
                endpoint.lanes.sync.committed(collection, to);
                endpoint.schedule_ack(1);
            }
            CompanionDeferred::Page(collection) => endpoint.lanes.sync.page_committed(collection),
        }
    }
}
