//! The AEAD of the crate `chacha20poly1305`. A key is scheduled for each message, which costs nothing beside its first block.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use handfast_codec::limits::TAG_LEN;

use crate::secret::CipherKey;

pub(crate) struct Aead;

impl Aead {
    pub(crate) const fn new(_: &CipherKey) -> Self {
        Self
    }

    /// Encrypts in place. Returns the tag; `None` for data beyond 256 GiB.
    #[expect(clippy::unused_self, reason = "the other one has a state")]
    pub(crate) fn seal(
        &self,
        key: &CipherKey,
        nonce: [u8; 12],
        ad: &[u8],
        data: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        // req: CHN-008
        let cipher = ChaCha20Poly1305::new(key.expose().into());
        cipher.encrypt_inout_detached(&nonce.into(), ad, data.into()).ok().map(Into::into)
    }

    /// Decrypts in place. Returns whether the tag is right; if not, `data` is unspecified, and no plaintext.
    #[expect(clippy::unused_self, reason = "the other one has a state")]
    pub(crate) fn open(
        &self,
        key: &CipherKey,
        nonce: [u8; 12],
        ad: &[u8],
        data: &mut [u8],
        tag: [u8; TAG_LEN],
    ) -> bool {
        let cipher = ChaCha20Poly1305::new(key.expose().into());
        cipher.decrypt_inout_detached(&nonce.into(), ad, data.into(), &tag.into()).is_ok()
    }
}
