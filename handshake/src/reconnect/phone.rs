//! The phone's side of a reconnect handshake: reads message 1, and builds message 2.

use alloc::vec::Vec;

use handfast_codec::Versions;
use handfast_codec::payload::{Kk1, Kk2, KkHead, KkMode};
use rand_core::CryptoRng;

use super::{Connection, LinkContext, finish, pattern, require_fields};
use crate::error::HandshakeError;
use crate::link::PhoneLink;
use crate::noise::{HandshakeRole, HandshakeState, Keys};
use crate::secret::{DhSecret, Psk};

/// The reason why a message 1 is not accepted. Such a message has changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// No psk has the id that the message names. No key was used to find that out.
    #[error("no psk has this id")]
    UnknownKey,
    /// The message is not valid.
    #[error(transparent)]
    Failed(#[from] HandshakeError),
}

/// A valid message 1. Its sender has the companion's key and the psk, or has recorded the message of somebody
/// who has them. Only the confirm tells the two apart.
pub struct Received {
    /// The head of the message, which was sent in the clear.
    pub head: KkHead,
    /// The decrypted payload.
    pub payload: Kk1,
    /// The highest version that both sides have.
    pub version: u8,
    state: HandshakeState,
    psk: Psk,
}

impl core::fmt::Debug for Received {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Received").field("head", &self.head).finish_non_exhaustive()
    }
}

/// Reads message 1, the body of a DATA frame of kind KK1. `lookup` must return the psk that the message's
/// head names.
///
/// # Errors
///
/// [`ReceiveError::UnknownKey`] before any key is used, or [`ReceiveError::Failed`].
pub fn receive<'k>(
    context: &LinkContext<'_>,
    link: &PhoneLink,
    body: &[u8],
    lookup: impl FnOnce(&KkHead) -> Option<&'k Psk>,
    rng: &mut dyn CryptoRng,
) -> Result<Received, ReceiveError> {
    let (head, message) = KkHead::split_from(body).map_err(HandshakeError::from)?;
    // req: HSK-031
    let psk = lookup(&head).ok_or(ReceiveError::UnknownKey)?;
    let keys = Keys::new(DhSecret::generate(rng))
        .with_s(link.ps.duplicate())
        .with_rs(link.web_key)
        .with_psk(psk.duplicate());
    let state = HandshakeState::new(&pattern()?, HandshakeRole::Responder, &context.prologue(&head), keys)?;
    let (state, payload) = state.read_message(message)?;
    let payload = Kk1::decode(&payload).map_err(HandshakeError::from)?;
    require_fields(&[
        (head.mode == KkMode::Resume, payload.resume.is_some(), "resume block"),
        (head.mode == KkMode::Recover, payload.psk_id_held.is_some(), "psk id held"),
    ])
    .map_err(HandshakeError::from)?;
    // req: HSK-007
    let version =
        Versions::RECONNECT.highest_common(&payload.versions).ok_or(HandshakeError::NoCommonVersion)?;
    Ok(Received { head, payload, version, state, psk: psk.duplicate() })
}

impl Received {
    /// Builds message 2 from `reply`; its version is replaced by the one that both sides have. Returns the
    /// connection's keys. They prove nothing until the confirm decrypts.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`], which ends the attempt.
    pub fn answer(self, reply: &Kk2) -> Result<(Connection, Vec<u8>), HandshakeError> {
        let reply = Kk2 { version: self.version, ..reply.clone() };
        let (state, message) = self.state.write_message(&reply.encode())?;
        Ok((finish(state, &self.psk, false)?, message))
    }
}
