//! Ed25519 keys: of accounts, of companions, and of seats in mailboxes (spec, certificates).

use alloc::boxed::Box;
use core::fmt;

use ed25519_dalek::{Signer, VerifyingKey};
use handfast_codec::ids::{AttachKey, Signature, SigningPublic};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::{BadKey, HandshakeError};

/// An Ed25519 secret key with its public key. It is wiped when dropped.
pub struct SigningKey(Box<ed25519_dalek::SigningKey>);

impl SigningKey {
    /// Takes over the bytes of a secret key, and wipes the copy that was passed in.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = Self(Box::new(ed25519_dalek::SigningKey::from_bytes(&bytes)));
        bytes.zeroize();
        key
    }

    /// Draws a fresh key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *bytes);
        Self::from_bytes(*bytes)
    }

    /// Returns the secret bytes, to be stored.
    ///
    /// # Security
    ///
    /// The caller must neither log nor compare them, and must wipe every copy it makes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Returns the public key as the signing key of an account or a companion.
    #[must_use]
    pub fn public(&self) -> SigningPublic {
        SigningPublic::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Returns the public key as an attach key, which proves the right to a seat in a mailbox.
    #[must_use]
    pub fn attach_key(&self) -> AttachKey {
        AttachKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs `tbs`. It must be one of the layouts of `handfast_codec::signed`, each of which has its own
    /// label.
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

// ed25519-dalek wipes its key when dropped, because its feature `zeroize` is enabled.
impl ZeroizeOnDrop for SigningKey {}

/// Verifies a signature by the strict rule: cofactorless, S < L, A and R canonical and not of small order.
///
/// # Errors
///
/// [`HandshakeError::BadSignature`] if the signature does not verify.
pub fn verify(public: &[u8; 32], tbs: &[u8], signature: &Signature) -> Result<(), HandshakeError> {
    // req: CRT-001
    // `verify_strict` rejects a non-canonical R, because it compares R as bytes. It accepts a non-canonical
    // A, so A is checked here.
    if !is_canonical_y(public) {
        return Err(HandshakeError::BadSignature);
    }
    let key = VerifyingKey::from_bytes(public).map_err(|_| HandshakeError::BadSignature)?;
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    key.verify_strict(tbs, &signature).map_err(|_| HandshakeError::BadSignature)
}

/// Refuses a public key under which no signature can verify by the strict rule: it is not a point, not
/// canonical, or of small order. A link with such a key could never be used.
///
/// # Errors
///
/// [`BadKey`] with the reason.
pub fn require_verifying(public: &[u8; 32]) -> Result<(), BadKey> {
    // req: CRT-020
    let key = VerifyingKey::from_bytes(public).map_err(|_| BadKey::NonCanonical)?;
    if !is_canonical_y(public) {
        return Err(BadKey::NonCanonical);
    }
    if key.is_weak() { Err(BadKey::LowOrder) } else { Ok(()) }
}

/// Returns whether the y coordinate of an encoded point is below 2^255-19. The sign bit is ignored: points
/// for which both sign bits are encodings are of small order, and refused anyway.
fn is_canonical_y(point: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = point;
    !(high & 0x7f == 0x7f && middle.iter().all(|byte| *byte == 0xff) && *low >= 0xed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// The order L of the base point, little-endian.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    #[test]
    fn a_signature_verifies_for_its_key_and_bytes_alone() {
        // req: CRT-001
        let (key, other) = (SigningKey::from_bytes([1; 32]), SigningKey::from_bytes([2; 32]));
        let signature = key.sign(b"handfast/1 test bytes");
        assert_eq!(verify(key.public().as_bytes(), b"handfast/1 test bytes", &signature), Ok(()));
        let refused = Err(HandshakeError::BadSignature);
        assert_eq!(verify(other.public().as_bytes(), b"handfast/1 test bytes", &signature), refused);
        assert_eq!(verify(key.public().as_bytes(), b"handfast/1 other bytes", &signature), refused);
        for bit in 0..512_usize {
            let mut wrong = *signature.as_bytes();
            wrong[bit / 8] ^= 1 << (bit % 8);
            let wrong = Signature::from_bytes(wrong);
            assert_eq!(verify(key.public().as_bytes(), b"handfast/1 test bytes", &wrong), refused, "{bit}");
        }
    }

    #[test]
    fn an_s_of_l_or_more_is_refused() {
        // req: CRT-001
        let key = SigningKey::from_bytes([1; 32]);
        let mut bytes = *key.sign(b"tbs").as_bytes();
        let mut carry = 0_u16;
        for (byte, l) in bytes[32..].iter_mut().zip(L) {
            carry += u16::from(*byte) + u16::from(l);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        let malleated = Signature::from_bytes(bytes);
        assert_eq!(verify(key.public().as_bytes(), b"tbs", &malleated), Err(HandshakeError::BadSignature));
    }

    #[test]
    fn keys_and_r_of_small_order_or_not_canonical_are_refused() {
        // req: CRT-001
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut identity_non_canonical = [0xff; 32];
        identity_non_canonical[0] = 0xee;
        identity_non_canonical[31] = 0x7f;
        let mut order_2 = [0xff; 32];
        order_2[0] = 0xec;
        order_2[31] = 0x7f;
        // With A and R of order 1 and S = 0 the equation holds for every message.
        for a in [identity, identity_non_canonical, order_2, [0; 32]] {
            for r in [identity, identity_non_canonical] {
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(&r);
                let signature = Signature::from_bytes(signature);
                assert_eq!(
                    verify(&a, b"anything", &signature),
                    Err(HandshakeError::BadSignature),
                    "{a:02x?}"
                );
            }
        }
        assert!(!is_canonical_y(&identity_non_canonical) && is_canonical_y(&order_2));
    }

    // req: CRT-020
    #[test]
    fn keys_under_which_nothing_verifies_are_refused() {
        // One encoding of each point of small order, and a second one of some.
        let y8 = [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ];
        let (mut one, mut minus_one, mut y8_negative) = ([0; 32], [0xff; 32], y8);
        (one[0], minus_one[0], minus_one[31]) = (1, 0xec, 0x7f);
        y8_negative[31] |= 0x80;
        for weak in [one, minus_one, [0; 32], y8, y8_negative] {
            assert_eq!(require_verifying(&weak), Err(BadKey::LowOrder), "{weak:02x?}");
        }
        let (mut no_point, mut one_again) = ([0; 32], [0xff; 32]);
        (no_point[0], one_again[0], one_again[31]) = (2, 0xee, 0x7f);
        for wrong in [no_point, one_again] {
            assert_eq!(require_verifying(&wrong), Err(BadKey::NonCanonical), "{wrong:02x?}");
        }
        assert_eq!(require_verifying(SigningKey::from_bytes([1; 32]).public().as_bytes()), Ok(()));
    }

    #[test]
    fn debug_shows_no_byte() {
        assert_eq!(format!("{:?}", SigningKey::from_bytes([0x2a; 32])), "SigningKey { .. }");
    }
}
