//! ChaCha20-Poly1305 (RFC 8439), by one of two libraries. Both are run with the same vectors.
//!
//! That of the crate `chacha20poly1305` is the default: it runs everywhere, wipes its keys and has no code in C or assembly. With the feature
//! `ring` it is that of `ring`, which takes a tenth of the time for a short record, and half of it for a long one.

#[cfg(feature = "ring")]
mod with_ring;
#[cfg(not(feature = "ring"))]
mod with_rust_crypto;

#[cfg(feature = "ring")]
pub(crate) use with_ring::Aead;
#[cfg(not(feature = "ring"))]
pub(crate) use with_rust_crypto::Aead;
