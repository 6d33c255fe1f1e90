//! The verification of ATTACH: a signature over this socket's challenge, and the id of a link mailbox.

use bytes::Bytes;
use ed25519_dalek::{Signature, VerifyingKey};
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachKey, MailboxId, Salt};
use handfast_codec::relay::{Attach, MailboxProof, RelayFrame};
use handfast_codec::{RelayName, signed};
use sha2::{Digest, Sha256};

/// Proof that the client which sent an ATTACH has its key. Only [`verify`] creates one.
#[derive(Debug)]
pub(crate) struct Proven {
    key: AttachKey,
}

impl Proven {
    pub(crate) const fn key(&self) -> AttachKey {
        self.key
    }
}

/// Derives the id of a link mailbox from the keys of its two seats and its salt.
fn link_mailbox(phone_key: &AttachKey, web_key: &AttachKey, salt: &Salt) -> Option<MailboxId> {
    let hash = Sha256::digest(signed::mailbox_preimage(phone_key, web_key, salt));
    hash.first_chunk::<16>().copied().map(MailboxId::from_bytes)
}

/// Verifies an ATTACH. Every fault has the same code, `BAD_ATTACH`.
pub(crate) fn verify(attach: &Attach, name: &RelayName, nonce: &[u8; 32]) -> Result<Proven, ErrorCode> {
    // req: RLY-010
    if let MailboxProof::Link { phone_key, web_key, salt } = &attach.proof
        && (link_mailbox(phone_key, web_key, salt) != Some(attach.mailbox) || phone_key == web_key)
    {
        return Err(ErrorCode::BAD_ATTACH);
    }
    let key = *attach.proof.own_key(attach.role);
    let tbs = signed::attach_tbs(name, attach.proof.kind(), attach.role, &attach.mailbox, nonce);
    let signature = Signature::from_bytes(attach.signature.as_bytes());
    VerifyingKey::from_bytes(key.as_bytes())
        .and_then(|verifying| verifying.verify_strict(&tbs, &signature))
        .map_err(|_| ErrorCode::BAD_ATTACH)?;
    Ok(Proven { key })
}

/// The type number of an ATTACH frame.
const ATTACH: u8 = 5;

/// A message, and if it is an ATTACH, the result of verifying its signature.
#[derive(Debug)]
pub struct Checked {
    bytes: Bytes,
    verdict: Option<Verdict>,
}

/// The result of verifying one ATTACH for one challenge.
#[derive(Debug)]
pub(crate) struct Verdict {
    nonce: [u8; 32],
    proven: Result<Proven, ErrorCode>,
}

impl Checked {
    /// Verifies the signature of an ATTACH for the relay's name and the socket's challenge. Nothing else
    /// about handling a message is slow. Other messages, and malformed ones, are returned unchanged.
    #[must_use]
    pub fn new(name: &RelayName, nonce: &[u8; 32], bytes: Bytes) -> Self {
        let verdict = match bytes.first() {
            Some(&ATTACH) => match RelayFrame::decode(bytes.clone()) {
                Ok(RelayFrame::Attach(attach)) => {
                    Some(Verdict { nonce: *nonce, proven: verify(&attach, name, nonce) })
                }
                _ => None,
            },
            _ => None,
        };
        Self { bytes, verdict }
    }

    pub(crate) fn into_parts(self) -> (Bytes, Option<Verdict>) {
        (self.bytes, self.verdict)
    }
}

impl Verdict {
    /// Returns the result of verifying, if the ATTACH was verified for this challenge.
    pub(crate) fn for_challenge(self, nonce: &[u8; 32]) -> Result<Proven, ErrorCode> {
        // req: RLY-010
        if self.nonce == *nonce { self.proven } else { Err(ErrorCode::BAD_ATTACH) }
    }
}
