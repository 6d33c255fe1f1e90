//! Ed25519 identities: account keys, a web's signing key, attach keys (spec, certificates).
//!
//! A key is always made from its seed, so a public half from elsewhere can never meet it. What is signed is always one
//! of the layouts of `handfast_codec::signed`, each of which begins with a label of its own.

use core::fmt;

use alloc::boxed::Box;

use ed25519_dalek::{Signer, VerifyingKey};
use handfast_codec::ids::{AttachKey, Signature, SigningPublic};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::HandshakeError;

/// An Ed25519 key that signs.
pub struct SigningKey(Box<ed25519_dalek::SigningKey>);

impl SigningKey {
    /// Takes over a seed and wipes the copy that was passed in.
    #[must_use]
    pub fn from_bytes(mut seed: [u8; 32]) -> Self {
        let key = Self(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed)));
        seed.zeroize();
        key
    }

    /// Draws a key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::from_bytes(*seed)
    }

    /// Returns the seed, to be stored.
    ///
    /// # Security
    ///
    /// The caller must neither log nor compare it, and must wipe every copy it makes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Returns the public key, as that of an account or a web.
    #[must_use]
    pub fn public(&self) -> SigningPublic {
        SigningPublic::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Returns the public key, as that of a mailbox seat.
    #[must_use]
    pub fn attach_key(&self) -> AttachKey {
        AttachKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs a layout of `handfast_codec::signed`.
    #[must_use]
    pub fn sign(&self, tbs: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(tbs).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

impl ZeroizeOnDrop for SigningKey {}

/// Verifies a signature by the strict rule: cofactorless, canonical, no key or point of small order.
///
/// # Errors
///
/// [`HandshakeError::BadSignature`], whatever the reason.
pub fn verify(public: &[u8; 32], tbs: &[u8], signature: &Signature) -> Result<(), HandshakeError> {
    // req: CRT-001
    let key = VerifyingKey::from_bytes(public).map_err(|_| HandshakeError::BadSignature)?;
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    key.verify_strict(tbs, &signature).map_err(|_| HandshakeError::BadSignature)
}
