//! Fixed keys, counters and a look inside states, for vectors and tests: feature `hazmat`, never in a shipped build.
//!
//! # Security
//!
//! Everything here breaks a promise of the crate: keys that are not fresh, counters that may repeat, secrets shown.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use crate::error::HandshakeError;
use crate::link::{require_distinct, require_unused};
use crate::noise::{CipherState, HandshakeState};
use crate::secret::CipherKey;

handfast_codec::test_builds_only!("hazmat");

/// What a handshake holds at one point, in the letters of the Noise specification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the variables of Noise's SymmetricState and CipherState")]
pub struct Intermediates {
    /// The chaining key.
    pub ck: [u8; 32],
    /// The handshake hash.
    pub h: [u8; 32],
    /// The cipher key, once there is one.
    pub k: Option<[u8; 32]>,
    /// The counter of that key, 0 while there is none.
    pub n: u64,
}

/// Shows what a handshake holds.
#[must_use]
pub fn intermediates(state: &HandshakeState) -> Intermediates {
    let (ck, cipher) = state.symmetric_parts();
    Intermediates {
        ck: *ck.expose(),
        h: state.handshake_hash(),
        k: cipher.map(|cipher| *cipher.k().expose()),
        n: cipher.map_or(0, CipherState::n),
    }
}

/// Makes a cipher with this key that has used the counter values below `n`.
#[must_use]
pub fn cipher_state(k: [u8; 32], n: u64) -> CipherState {
    CipherState::at(CipherKey::from_bytes(k), n)
}

/// Refuses keys of a link that equal one another, or a key that another link has.
///
/// # Errors
///
/// [`HandshakeError::KeyReused`].
pub fn refuse_reused(keys: &[[u8; 32]], in_use: &[[u8; 32]]) -> Result<(), HandshakeError> {
    let borrowed: Vec<&[u8; 32]> = keys.iter().collect();
    require_distinct(&borrowed)?;
    require_unused(keys, in_use)
}

/// Shows the key of a cipher.
#[must_use]
pub fn cipher_key(cipher: &CipherState) -> [u8; 32] {
    *cipher.k().expose()
}

/// A generator that gives out the bytes it was made with, in order, then zeros.
///
/// So that a vector names its keys, whatever the order in which an implementation draws them.
#[derive(Clone, Debug, Default)]
pub struct ScriptedRng {
    bytes: VecDeque<u8>,
    overdrawn: bool,
}

impl ScriptedRng {
    /// Gives out the draws one after the other.
    #[must_use]
    pub fn new(draws: &[&[u8]]) -> Self {
        Self { bytes: draws.concat().into(), overdrawn: false }
    }

    /// Returns whether exactly the bytes it was made with were drawn.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.bytes.is_empty() && !self.overdrawn
    }
}

impl TryRng for ScriptedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for byte in dst {
            *byte = self.bytes.pop_front().unwrap_or_else(|| {
                self.overdrawn = true;
                0
            });
        }
        Ok(())
    }
}

impl TryCryptoRng for ScriptedRng {}
