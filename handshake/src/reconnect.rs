//! The reconnect handshake: `Noise_KKpsk0_25519_ChaChaPoly_SHA256`, initiated by the companion (spec,
//! handshake).
//!
//! The handshake takes one round trip. This module only builds and reads the messages. What they do to
//! ratchet and session is for the caller to decide.

pub mod phone;
pub mod web;

use handfast_codec::RelayName;
use handfast_codec::error::{DecodeError, ErrorCode};
use handfast_codec::ids::{AttachmentId, MailboxId};
use handfast_codec::payload::KkHead;
use handfast_codec::signed;

use crate::error::HandshakeError;
use crate::key_schedule::AfterHandshake;
use crate::noise::{HandshakeState, Pattern};
use crate::record::{Opener, Sealer};
use crate::secret::Psk;

/// The Noise pattern of a reconnect.
const PATTERN: &str = "KKpsk0";

/// The mailbox, relay and attachments of a reconnect. The handshake binds them by its prologue.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the parts of the prologue")]
pub struct LinkContext<'a> {
    /// The id of the link's mailbox.
    pub mailbox: MailboxId,
    /// The companion's attachment id.
    pub web: AttachmentId,
    /// The phone's attachment id.
    pub phone: AttachmentId,
    /// The name of the relay.
    pub relay: &'a RelayName,
}

impl LinkContext<'_> {
    fn prologue(&self, head: &KkHead) -> alloc::vec::Vec<u8> {
        signed::link_prologue(&self.mailbox, &self.web, &self.phone, self.relay, head)
    }
}

/// The results of a reconnect handshake.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connection {
    /// The next psk of the ratchet. After quarantine or recovery it is not used.
    pub next: Psk,
    /// The final handshake hash.
    pub h: [u8; 32],
    /// Encrypts the records that this side sends.
    pub sealer: Sealer,
    /// Decrypts the records that the peer sends.
    pub opener: Opener,
}

fn pattern() -> Result<Pattern, HandshakeError> {
    Pattern::parse(PATTERN)
}

/// Checks that each field is present exactly if the mode needs it. A field is `(wanted, present, name)`.
fn require_fields(fields: &[(bool, bool, &'static str)]) -> Result<(), DecodeError> {
    // req: FRM-009
    for (wanted, present, what) in fields {
        match (wanted, present) {
            (true, false) => return Err(DecodeError::new(ErrorCode::FIELD_MISSING, 0, what)),
            (false, true) => return Err(DecodeError::new(ErrorCode::FIELD_VALUE, 0, what)),
            (true, true) | (false, false) => {}
        }
    }
    Ok(())
}

/// Derives the keys of the connection after the last message.
fn finish(state: HandshakeState, psk: &Psk, initiator: bool) -> Result<Connection, HandshakeError> {
    // x = Extract(psk used, rs); next psk = Expand(x, "resume", 32)
    let split = state.split()?;
    let next = AfterHandshake::new(psk, &split.rs).next_psk();
    let (seal, open) = if initiator {
        (split.initiator_to_responder, split.responder_to_initiator)
    } else {
        (split.responder_to_initiator, split.initiator_to_responder)
    };
    Ok(Connection { next, h: split.h, sealer: Sealer::new(seal), opener: Opener::new(open) })
}
