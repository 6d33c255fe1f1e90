//! The companion's side of a reconnect handshake: builds message 1, and reads message 2.

use alloc::vec::Vec;

use handfast_codec::Versions;
use handfast_codec::payload::{Kk1, Kk2, KkHead, KkMode};
use handfast_codec::versions::OUTDATED;
use rand_core::CryptoRng;

use super::{Connection, LinkContext, finish, pattern, require_fields};
use crate::error::HandshakeError;
use crate::key_schedule::psk_id;
use crate::link::WebLink;
use crate::noise::{HandshakeRole, HandshakeState, Keys};
use crate::secret::{DhSecret, Psk};

/// The state after message 1 was built. Message 2 is awaited.
pub struct AwaitMessage2 {
    state: HandshakeState,
    psk: Psk,
    offered: Versions,
    mode: KkMode,
}

impl core::fmt::Debug for AwaitMessage2 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AwaitMessage2").finish_non_exhaustive()
    }
}

/// Builds message 1, the body of a DATA frame of kind KK1. `psk` must be the psk that belongs to `mode`.
///
/// # Errors
///
/// [`HandshakeError`] if a key of the link is refused or the payload is too long.
pub fn start(
    context: &LinkContext<'_>,
    link: &WebLink,
    mode: KkMode,
    psk: &Psk,
    payload: &Kk1,
    rng: &mut dyn CryptoRng,
) -> Result<(AwaitMessage2, Vec<u8>), HandshakeError> {
    let head = KkHead { mode, psk_id: psk_id(psk, &context.mailbox) };
    let keys = Keys::new(DhSecret::generate(rng))
        .with_s(link.wd.duplicate())
        .with_rs(link.phone_key)
        .with_psk(psk.duplicate());
    let state = HandshakeState::new(&pattern()?, HandshakeRole::Initiator, &context.prologue(&head), keys)?;
    let (state, message) = state.write_message(&payload.encode())?;
    let body = [head.encode().as_slice(), &message].concat();
    Ok((AwaitMessage2 { state, psk: psk.duplicate(), offered: payload.versions, mode }, body))
}

impl AwaitMessage2 {
    /// Reads message 2. Returns its payload and the keys of the connection.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`], which ends the attempt.
    pub fn read(self, body: &[u8]) -> Result<(Kk2, Connection), HandshakeError> {
        let (state, payload) = self.state.read_message(body)?;
        let reply = Kk2::decode(&payload)?;
        // req: HSK-008
        if !self.offered.contains(&reply.version) {
            return Err(HandshakeError::NoCommonVersion);
        }
        let resumes = self.mode == KkMode::Resume && !reply.quarantine;
        require_fields(&[
            (resumes, reply.resume.is_some(), "resume block"),
            (resumes && reply.version != OUTDATED, reply.commands.is_some(), "commands known"),
        ])?;
        Ok((reply, finish(state, &self.psk, true)?))
    }
}
