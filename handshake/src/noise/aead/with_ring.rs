//! The AEAD of `ring`.

use alloc::boxed::Box;

use handfast_codec::limits::TAG_LEN;
use ring::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};

use crate::secret::CipherKey;

/// A key of `ring`, in one place of the heap, because it is not wiped where it was moved from.
pub(crate) struct Aead(Option<Box<LessSafeKey>>);

impl Aead {
    pub(crate) fn new(key: &CipherKey) -> Self {
        Self(made(&CHACHA20_POLY1305, key.expose()).map(Box::new))
    }

    /// Encrypts in place. Returns the tag; `None` for data beyond 256 GiB.
    pub(crate) fn seal(
        &self,
        _: &CipherKey,
        nonce: [u8; 12],
        ad: &[u8],
        data: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        // req: CHN-008
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.as_ref()?.seal_in_place_separate_tag(nonce, Aad::from(ad), data).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts in place. Returns whether the tag is right; if not, `data` is unspecified, and no plaintext.
    pub(crate) fn open(
        &self,
        _: &CipherKey,
        nonce: [u8; 12],
        ad: &[u8],
        data: &mut [u8],
        tag: [u8; TAG_LEN],
    ) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.as_ref().is_some_and(|key| {
            key.open_in_place_separate_tag(nonce, Aad::from(ad), Tag::from(tag), data, 0..).is_ok()
        })
    }
}

/// Returns nothing only for a key of another length.
fn made(algorithm: &'static Algorithm, key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
}

impl Drop for Aead {
    fn drop(&mut self) {
        // `ring` does not wipe keys, so another one is put in the same place, and looked at so that this is not left out. It
        // is of the kind that fills the place: beside a shorter one lie copies of what the stack held when it was moved.
        if let (Some(key), Some(other)) = (self.0.as_deref_mut(), made(&AES_256_GCM, &[0; 32])) {
            *key = other;
            let _ = core::hint::black_box(key);
        }
    }
}
