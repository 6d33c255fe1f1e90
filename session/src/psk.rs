//! A pre-shared key, with the id by which message 1 names it.

use handfast_codec::ids::{MailboxId, PskId};
use handfast_handshake::key_schedule;
use handfast_handshake::ratchet::Slot;
use handfast_handshake::secret::Psk;

/// A psk of the ratchet, with its id.
pub(crate) struct IdPsk {
    pub(crate) psk: Psk,
    id: PskId,
}

impl IdPsk {
    pub(crate) fn new(psk: Psk, mailbox: &MailboxId) -> Self {
        let id = key_schedule::psk_id(&psk, mailbox);
        Self { psk, id }
    }
}

impl Slot for IdPsk {
    type Id = PskId;

    fn id(&self) -> PskId {
        self.id
    }
}
