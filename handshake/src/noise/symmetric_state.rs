//! Noise 5.2, the `SymmetricState`: the chaining key, the handshake hash, and the current cipher.

use alloc::vec::Vec;
use core::fmt;

#[cfg(feature = "key-log")]
use handfast_codec::ids::DhPublic;
use handfast_codec::limits::TAG_LEN;
use hkdf::HmacImpl;
use hmac::Hmac;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::cipher_state::{CipherState, Tag};
use crate::error::HandshakeError;
#[cfg(feature = "key-log")]
use crate::key_log::Origin;
use crate::secret::{ChainingKey, CipherKey, Psk, Rs};

/// The results of a finished handshake.
#[expect(clippy::exhaustive_structs, reason = "the outputs of Split are fixed by the specification")]
pub struct Split {
    /// The final handshake hash.
    pub h: [u8; 32],
    /// The cipher for messages from the initiator.
    pub initiator_to_responder: CipherState,
    /// The cipher for messages from the responder.
    pub responder_to_initiator: CipherState,
    /// The third output of `Split`, from which the later keys of the link are derived.
    pub rs: Rs,
}

#[cfg(feature = "key-log")]
impl Split {
    /// Notes from which handshake the keys come: the initiator's and the responder's ephemeral key.
    pub(super) fn with_origin(self, ephemeral: Option<[DhPublic; 2]>) -> Self {
        let Some([initiator, responder]) = ephemeral else { return self };
        let origin = |from_initiator| Origin { initiator, responder, from_initiator };
        Self {
            initiator_to_responder: self.initiator_to_responder.with_origin(origin(true)),
            responder_to_initiator: self.responder_to_initiator.with_origin(origin(false)),
            ..self
        }
    }
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split").finish_non_exhaustive()
    }
}

/// The output length of SHA-256 and its HMAC, in bytes.
const HASH_LEN: usize = 32;

/// Noise's `ck` and `h`, and a [`CipherState`] once there is a key.
pub(super) struct SymmetricState {
    ck: ChainingKey,
    h: [u8; HASH_LEN],
    cipher: Option<CipherState>,
}

impl SymmetricState {
    /// Noise `InitializeSymmetric`: a protocol name of at most 32 bytes is padded with zeros, and a longer
    /// one is hashed.
    pub(super) fn new(protocol_name: &str) -> Self {
        let name = protocol_name.as_bytes();
        let mut h = [0; HASH_LEN];
        match h.get_mut(..name.len()) {
            Some(start) => start.copy_from_slice(name),
            None => h = Sha256::digest(name).into(),
        }
        Self { ck: ChainingKey::from_bytes(h), h, cipher: None }
    }

    /// Noise `MixKey`: `ck, temp_k = HKDF(ck, input, 2); InitializeKey(temp_k)`.
    pub(super) fn mix_key(&mut self, input: &[u8]) {
        let [ck, temp_k, _] = hkdf(&self.ck, input);
        self.ck = ChainingKey::from_bytes(*ck);
        self.cipher = Some(CipherState::new(CipherKey::from_bytes(*temp_k)));
    }

    /// Noise `MixHash`: `h = HASH(h || data)`.
    pub(super) fn mix_hash(&mut self, data: &[u8]) {
        self.h = Sha256::new().chain_update(self.h).chain_update(data).finalize().into();
    }

    /// Noise `MixKeyAndHash`: `ck, temp_h, temp_k = HKDF(ck, input, 3); MixHash(temp_h);
    /// InitializeKey(temp_k)`.
    pub(super) fn mix_key_and_hash(&mut self, psk: &Psk) {
        let [ck, temp_h, temp_k] = hkdf(&self.ck, psk.expose());
        self.ck = ChainingKey::from_bytes(*ck);
        self.mix_hash(&*temp_h);
        self.cipher = Some(CipherState::new(CipherKey::from_bytes(*temp_k)));
    }

    /// Returns the handshake hash `h`.
    pub(super) const fn handshake_hash(&self) -> [u8; HASH_LEN] {
        self.h
    }

    /// Returns whether messages are encrypted from here on.
    pub(super) const fn has_key(&self) -> bool {
        self.cipher.is_some()
    }

    /// Noise `EncryptAndHash`: appends the plaintext, encrypted if there is a key. Mixes the appended bytes
    /// into `h`.
    pub(super) fn encrypt_and_hash(
        &mut self,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeError> {
        let start = out.len();
        out.extend_from_slice(plaintext);
        if let Some(cipher) = &mut self.cipher {
            let data = out.get_mut(start..).unwrap_or_default();
            let tag = cipher.encrypt(&self.h, data)?;
            out.extend_from_slice(tag.as_bytes());
        }
        self.mix_hash(out.get(start..).unwrap_or_default());
        Ok(())
    }

    /// Noise `DecryptAndHash`: decrypts the ciphertext if there is a key. Mixes the ciphertext into `h`.
    pub(super) fn decrypt_and_hash(&mut self, ciphertext: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let mut plaintext = ciphertext.to_vec();
        if let Some(cipher) = &mut self.cipher {
            let (data, tag) =
                plaintext.split_last_chunk_mut::<TAG_LEN>().ok_or(HandshakeError::MessageTooShort)?;
            let (len, tag) = (data.len(), Tag::from_bytes(*tag));
            cipher.decrypt(&self.h, data, &tag)?;
            plaintext.truncate(len);
        }
        self.mix_hash(ciphertext);
        Ok(plaintext)
    }

    /// Noise `Split` with a third output: `k1, k2, rs = HKDF(ck, empty, 3)`.
    pub(super) fn split(self) -> Split {
        // req: HSK-084
        let [k1, k2, rs] = hkdf(&self.ck, &[]);
        Split {
            h: self.h,
            initiator_to_responder: CipherState::new(CipherKey::from_bytes(*k1)),
            responder_to_initiator: CipherState::new(CipherKey::from_bytes(*k2)),
            rs: Rs::from_bytes(*rs),
        }
    }

    #[cfg(feature = "hazmat")]
    pub(super) fn parts(&self) -> (&ChainingKey, Option<&CipherState>) {
        (&self.ck, self.cipher.as_ref())
    }
}

/// Noise's HKDF with three outputs (Noise 4.3). The first two outputs equal those of HKDF with two outputs.
fn hkdf(ck: &ChainingKey, input: &[u8]) -> [Zeroizing<[u8; HASH_LEN]>; 3] {
    // temp_key = HMAC-HASH(ck, input)
    let temp_key = hmac(ck.expose(), &[input]);
    // output1 = HMAC-HASH(temp_key, 0x01)
    let output1 = hmac(&temp_key, &[&[1]]);
    // output2 = HMAC-HASH(temp_key, output1 || 0x02)
    let output2 = hmac(&temp_key, &[&*output1, &[2]]);
    // output3 = HMAC-HASH(temp_key, output2 || 0x03)
    let output3 = hmac(&temp_key, &[&*output2, &[3]]);
    [output1, output2, output3]
}

fn hmac(key: &[u8; HASH_LEN], parts: &[&[u8]]) -> Zeroizing<[u8; HASH_LEN]> {
    let mut mac = <Hmac<Sha256> as HmacImpl>::new_from_slice(key);
    for part in parts {
        HmacImpl::update(&mut mac, part);
    }
    Zeroizing::new(HmacImpl::finalize(mac).into())
}
