//! Secrets: one type for each kind, wiped when dropped, without `Clone`, `PartialEq` or a revealing `Debug`.
//!
//! Wiping does not reach copies that the compiler left in a register or on the stack. Nor does it reach what
//! the operating system wrote to swap, a core file or a hibernation image. The bytes are behind a pointer, so
//! moving a value copies no key.
//!
//! A secret cannot be cloned:
//!
//! ```compile_fail,E0599
//! use handfast_handshake::secret::Psk;
//! let psk = Psk::from_bytes([7; 32]);
//! let _copy = psk.clone();
//! ```
//!
//! nor compared with `==`, which takes a time that depends on the bytes:
//!
//! ```compile_fail,E0369
//! use handfast_handshake::secret::Psk;
//! let _ = Psk::from_bytes([7; 32]) == Psk::from_bytes([7; 32]);
//! ```

use alloc::boxed::Box;
use core::fmt;

use handfast_codec::ids::DhPublic;
use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{BadKey, HandshakeError};

macro_rules! secrets {
    ($($(#[$doc:meta])* $vis:vis $name:ident;)*) => {$(
        $(#[$doc])*
        $vis struct $name(Box<[u8; 32]>);

        impl $name {
            /// Takes over the bytes, and wipes the copy that was passed in.
            #[must_use]
            $vis fn from_bytes(mut bytes: [u8; 32]) -> Self {
                let mut secret = Self(Box::new([0; 32]));
                secret.0.copy_from_slice(&bytes);
                bytes.zeroize();
                secret
            }

            /// Returns the secret bytes, to be stored or to derive keys from.
            ///
            /// # Security
            ///
            /// The caller must neither log nor compare them, and must wipe every copy it makes.
            #[must_use]
            $vis fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl ConstantTimeEq for $name {
            fn ct_eq(&self, other: &Self) -> Choice {
                self.0.as_slice().ct_eq(other.0.as_slice())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }

        impl ZeroizeOnDrop for $name {}
    )*};
}

secrets! {
    /// A pre-shared key: of a pairing, a reconnect or a recovery (spec, handshake).
    pub Psk;
    /// The third output of Noise's `Split`, `rs`, from which later keys of the link are derived (spec,
    /// handshake).
    pub Rs;
    /// A key for the phone's tombstone or the companion's goodbye (spec, handshake).
    pub SealKey;
    /// Noise's chaining key, `ck`.
    pub(crate) ChainingKey;
    /// A ChaCha20-Poly1305 key, Noise's `k`.
    pub(crate) CipherKey;
}

impl Psk {
    /// Draws a fresh key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut psk = Self(Box::new([0; 32]));
        rng.fill_bytes(psk.0.as_mut_slice());
        psk
    }

    /// Copies the key, so that it can have a second owner inside this crate.
    pub(crate) fn duplicate(&self) -> Self {
        let mut psk = Self(Box::new([0; 32]));
        psk.0.copy_from_slice(self.0.as_slice());
        psk
    }
}

/// An X25519 secret key, static or ephemeral, with its public key.
pub struct DhSecret {
    secret: Box<[u8; 32]>,
    public: DhPublic,
}

impl DhSecret {
    /// Takes over the bytes and wipes the copy that was passed in. Any 32 bytes are valid, because they are
    /// clamped when used.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let mut secret = Box::new([0; 32]);
        secret.copy_from_slice(&bytes);
        bytes.zeroize();
        Self::from_box(secret)
    }

    /// Draws a fresh key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Box::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        Self::from_box(secret)
    }

    fn from_box(secret: Box<[u8; 32]>) -> Self {
        let public = PublicKey::from(&StaticSecret::from(*secret));
        Self { secret, public: DhPublic::from_bytes(public.to_bytes()) }
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public(&self) -> DhPublic {
        self.public
    }

    /// Returns the secret bytes, to be stored.
    ///
    /// # Security
    ///
    /// The caller must neither log nor compare them, and must wipe every copy it makes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Copies the key, so that it can have a second owner inside this crate.
    pub(crate) fn duplicate(&self) -> Self {
        let mut secret = Box::new([0; 32]);
        secret.copy_from_slice(self.secret.as_slice());
        Self { secret, public: self.public }
    }

    /// Computes the shared secret. Refuses one that is all zeros.
    pub(crate) fn diffie_hellman(&self, remote: &DhPublic) -> Result<SharedSecret, HandshakeError> {
        let shared = StaticSecret::from(*self.secret).diffie_hellman(&PublicKey::from(*remote.as_bytes()));
        // req: HSK-001
        if shared.was_contributory() { Ok(shared) } else { Err(BadKey::LowOrder.into()) }
    }
}

impl fmt::Debug for DhSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DhSecret").finish_non_exhaustive()
    }
}

impl Drop for DhSecret {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl ZeroizeOnDrop for DhSecret {}

/// Refuses a public key that is not the canonical encoding of its point.
///
/// # Errors
///
/// [`BadKey::NonCanonical`] if the top bit is set or the value is 2^255-19 or more.
pub fn require_canonical(key: &DhPublic) -> Result<(), BadKey> {
    // req: HSK-009
    let [low, middle @ .., high] = key.as_bytes();
    let too_large = *high == 0x7f && middle.iter().all(|byte| *byte == 0xff) && *low >= 0xed;
    if *high > 0x7f || too_large { Err(BadKey::NonCanonical) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// Points of order 4, 1 and 8 on the curve or its twist.
    const LOW_ORDER: [[u8; 32]; 3] = [
        [0; 32],
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
            0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
    ];

    #[test]
    fn an_all_zero_result_is_refused() {
        // req: HSK-001
        let key = DhSecret::from_bytes([0x42; 32]);
        for point in LOW_ORDER {
            let result = key.diffie_hellman(&DhPublic::from_bytes(point));
            assert!(matches!(result, Err(HandshakeError::BadKey(BadKey::LowOrder))), "{point:02x?}");
        }
        assert!(key.diffie_hellman(&DhSecret::from_bytes([0x43; 32]).public()).is_ok());
    }

    #[test]
    fn a_non_canonical_key_is_refused() {
        // req: HSK-009
        let mut prime = [0xff; 32];
        prime[0] = 0xed;
        prime[31] = 0x7f;
        assert_eq!(require_canonical(&DhPublic::from_bytes(prime)), Err(BadKey::NonCanonical));
        prime[0] = 0xec;
        assert_eq!(require_canonical(&DhPublic::from_bytes(prime)), Ok(()));
        let mut top = [0; 32];
        top[0] = 9;
        assert_eq!(require_canonical(&DhPublic::from_bytes(top)), Ok(()));
        top[31] = 0x80;
        assert_eq!(require_canonical(&DhPublic::from_bytes(top)), Err(BadKey::NonCanonical));
    }

    #[test]
    fn secrets_compare_by_value_and_duplicate() {
        let psk = Psk::from_bytes([7; 32]);
        assert!(bool::from(psk.ct_eq(&psk.duplicate())));
        assert!(!bool::from(psk.ct_eq(&Psk::from_bytes([8; 32]))));
        let key = DhSecret::from_bytes([9; 32]);
        assert_eq!(key.duplicate().expose(), key.expose());
        assert_eq!(key.duplicate().public(), key.public());
    }

    #[test]
    fn internal_secrets_are_wiped_too() {
        fn zeroizes<T: ZeroizeOnDrop>() {}
        zeroizes::<ChainingKey>();
        zeroizes::<CipherKey>();
        zeroizes::<SharedSecret>();
        zeroizes::<chacha20poly1305::ChaCha20Poly1305>();
    }

    #[test]
    fn debug_shows_no_byte() {
        assert_eq!(format!("{:?}", Psk::from_bytes([0x2a; 32])), "Psk { .. }");
        assert_eq!(format!("{:?}", DhSecret::from_bytes([0x2a; 32])), "DhSecret { .. }");
    }
}
