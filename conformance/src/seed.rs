//! Deterministic keys: a case names them, and no generator's order of draws matters.

use sha2::{Digest, Sha256};

/// Returns the 32 bytes `SHA-256("handfast-vectors/v1" || 0 || id || 0 || role || 0 || name)`.
#[must_use]
pub fn key(id: &str, role: &str, name: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update("handfast-vectors/v1")
        .chain_update([0])
        .chain_update(id)
        .chain_update([0])
        .chain_update(role)
        .chain_update([0])
        .chain_update(name)
        .finalize()
        .into()
}

/// Returns the first `N` bytes of [`key`].
#[must_use]
pub fn bytes<const N: usize>(id: &str, role: &str, name: &str) -> [u8; N] {
    let seed = key(id, role, name);
    core::array::from_fn(|at| seed.get(at).copied().unwrap_or_default())
}
