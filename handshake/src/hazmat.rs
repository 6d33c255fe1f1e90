//! Fixed keys and counters, and access to inner states, for vectors and tests. The feature `hazmat` must
//! never be in a shipped build.
//!
//! # Security
//!
//! Everything here breaks a promise of this crate: keys are not fresh, counters may repeat, secrets are
//! exposed.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use crate::error::HandshakeError;
use crate::link::{require_distinct, require_unused};
use crate::noise::aead::Aead;
use crate::noise::{CipherState, HandshakeState};
use crate::secret::CipherKey;

handfast_codec::test_builds_only!("hazmat");

/// The inner values of a handshake, named as in the Noise specification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the variables of Noise's SymmetricState and CipherState")]
pub struct Intermediates {
    /// The chaining key.
    pub ck: [u8; 32],
    /// The handshake hash.
    pub h: [u8; 32],
    /// The cipher key, if there is one yet.
    pub k: Option<[u8; 32]>,
    /// The nonce counter of the cipher key; 0 if there is no key yet.
    pub n: u64,
}

/// Returns the inner values of a handshake.
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

/// Creates a cipher with this key whose counter starts at `n`.
#[must_use]
pub fn cipher_state(k: [u8; 32], n: u64) -> CipherState {
    CipherState::at(CipherKey::from_bytes(k), n)
}

/// Encrypts in place with the AEAD of this build. Returns the tag; `None` for data beyond 256 GiB.
#[must_use]
pub fn seal(key: [u8; 32], nonce: [u8; 12], ad: &[u8], data: &mut [u8]) -> Option<[u8; 16]> {
    let key = CipherKey::from_bytes(key);
    Aead::new(&key).seal(&key, nonce, ad, data)
}

/// Decrypts in place with the AEAD of this build. Returns whether the tag is right.
#[must_use]
pub fn open(key: [u8; 32], nonce: [u8; 12], ad: &[u8], data: &mut [u8], tag: [u8; 16]) -> bool {
    let key = CipherKey::from_bytes(key);
    Aead::new(&key).open(&key, nonce, ad, data, tag)
}

/// Refuses keys of a link that equal each other or a key in `in_use`.
///
/// # Errors
///
/// [`HandshakeError::KeyReused`] if two keys are equal.
pub fn refuse_reused(keys: &[[u8; 32]], in_use: &[[u8; 32]]) -> Result<(), HandshakeError> {
    let borrowed: Vec<&[u8; 32]> = keys.iter().collect();
    require_distinct(&borrowed)?;
    require_unused(keys, in_use)
}

/// Returns the key of a cipher.
#[must_use]
pub fn cipher_key(cipher: &CipherState) -> [u8; 32] {
    *cipher.k().expose()
}

/// A random generator that returns given bytes in order, and zeros after them.
///
/// With it a test vector can fix its keys, even for implementations that draw them in another order.
#[derive(Clone, Debug, Default)]
pub struct ScriptedRng {
    bytes: VecDeque<u8>,
    overdrawn: bool,
}

impl ScriptedRng {
    /// Creates a generator that returns the concatenated `draws`.
    #[must_use]
    pub fn new(draws: &[&[u8]]) -> Self {
        Self { bytes: draws.concat().into(), overdrawn: false }
    }

    /// Returns whether exactly the given bytes were drawn, neither fewer nor more.
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
