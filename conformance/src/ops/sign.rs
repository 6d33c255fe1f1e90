//! Signatures: ATTACH, certificate, acceptance, revocation.

use anyhow::Result;
use ed25519_dalek::SigningKey;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachKey, CompanionId, DhPublic, MailboxId, Salt, SigningPublic};
use handfast_codec::link::LinkCert;
use handfast_codec::relay::{MailboxKind, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::signed::{self, CertificateFields};
use handfast_codec::{RelayName, ids};
use handfast_handshake::identity;
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::derive::sha256;
use crate::fields::{Fields, hex};

/// Signs with a secret key.
pub(crate) fn sign(secret: &[u8; 32], tbs: &[u8]) -> ids::Signature {
    use ed25519_dalek::Signer as _;
    ids::Signature::from_bytes(SigningKey::from_bytes(secret).sign(tbs).to_bytes())
}

/// The public key of a secret one.
pub(crate) fn public(secret: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(secret).verifying_key().to_bytes()
}

/// Whether a signature holds by the strict rule.
fn holds(key: &[u8; 32], tbs: &[u8], signature: &[u8; 64]) -> bool {
    identity::verify(key, tbs, &ids::Signature::from_bytes(*signature)).is_ok()
}

/// Gives the output if the signature holds, and this code otherwise.
fn ending(holds: bool, code: ErrorCode, out: Value, tbs: &[u8]) -> Ending {
    if holds { Ok(Outcome::of(out).with_debug(json!({ "signed": hex(tbs) }))) } else { Err(code) }
}

fn relay_name(input: &Map<String, Value>) -> Result<RelayName> {
    Ok(RelayName::parse(input.text("relay")?)?)
}

/// What a relay does with an ATTACH of version 1 after it has sent this nonce.
pub(super) fn attach(input: &Map<String, Value>) -> Result<Ending> {
    let attach = match RelayFrame::decode(input.bytes("frame")?.into()) {
        Ok(RelayFrame::Attach(attach)) => attach,
        Ok(_) => return Ok(Err(ErrorCode::NOT_ATTACHED)),
        Err(error) => return Ok(Err(error.code())),
    };
    let (kind, mailbox) = match &attach.proof {
        handfast_codec::relay::MailboxProof::Pairing { .. } => (MailboxKind::Pairing, Some(attach.mailbox)),
        handfast_codec::relay::MailboxProof::Link { phone_key, web_key, salt } => {
            let hash = sha256(&signed::mailbox_preimage(phone_key, web_key, salt));
            let id = hash.first_chunk().copied().map(MailboxId::from_bytes);
            (MailboxKind::Link, id)
        }
    };
    let tbs =
        signed::attach_tbs(&relay_name(input)?, kind, attach.role, &attach.mailbox, &input.array("nonce")?);
    let key = attach.proof.own_key(attach.role);
    let holds = mailbox == Some(attach.mailbox) && holds(key.as_bytes(), &tbs, attach.signature.as_bytes());
    let role = if attach.role == DeviceRole::Phone { "phone" } else { "web" };
    Ok(ending(holds, ErrorCode::BAD_ATTACH, json!({ "mailbox": hex(attach.mailbox), "role": role }), &tbs))
}

/// What a web does with the body of a `LINK_CERT`, from its own knowledge of the handshake.
pub(super) fn certificate(input: &Map<String, Value>) -> Result<Ending> {
    let cert = match LinkCert::decode(&input.bytes("certificate")?) {
        Ok(cert) => cert,
        Err(error) => return Ok(Err(error.code())),
    };
    let tbs = signed::certificate_tbs(&CertificateFields {
        h: &input.array("h")?,
        account: &cert.account,
        phone_key: &DhPublic::from_bytes(input.array("ps")?),
        web_key: &DhPublic::from_bytes(input.array("wd")?),
        web_signing: &SigningPublic::from_bytes(input.array("we")?),
        phone_attach: &cert.phone_attach,
        web_attach: &AttachKey::from_bytes(input.array("web_attach")?),
        salt: &cert.salt,
        companion: &cert.companion,
        serial: cert.serial,
        grants: cert.grants,
        idle_days: cert.idle_days,
        relay: &relay_name(input)?,
    });
    let holds = holds(cert.account.as_bytes(), &tbs, cert.signature.as_bytes());
    let hash = sha256(&signed::certificate_preimage(&tbs, &cert.signature));
    Ok(ending(holds, ErrorCode::BAD_SIGNATURE, json!({ "hash": hex(hash) }), &tbs))
}

/// What a phone does with a `LINK_ACCEPT`.
pub(super) fn accept(input: &Map<String, Value>) -> Result<Ending> {
    let tbs = signed::accept_tbs(&input.array("hash")?, &input.array("h")?);
    let holds = holds(&input.array("we")?, &tbs, &input.array("signature")?);
    Ok(ending(holds, ErrorCode::BAD_SIGNATURE, json!({ "accepted": true }), &tbs))
}

/// What a web does with a REVOKED.
pub(super) fn revoked(input: &Map<String, Value>) -> Result<Ending> {
    let tbs = signed::revoked_tbs(
        &CompanionId::from_bytes(input.array("companion")?),
        input.u64("serial")?,
        &MailboxId::from_bytes(input.array("mailbox")?),
    );
    let holds = holds(&input.array("account")?, &tbs, &input.array("signature")?);
    Ok(ending(holds, ErrorCode::BAD_SIGNATURE, json!({ "revoked": true }), &tbs))
}

/// Whether a signature over a message holds.
pub(super) fn ed25519(input: &Map<String, Value>) -> Result<Ending> {
    let message = input.bytes("message")?;
    let holds = holds(&input.array("key")?, &message, &input.array("signature")?);
    Ok(if holds { Ok(Outcome::of(json!({ "holds": true }))) } else { Err(ErrorCode::BAD_SIGNATURE) })
}

/// The id of a link's mailbox.
pub(crate) fn mailbox(phone: &AttachKey, web: &AttachKey, salt: &Salt) -> [u8; 16] {
    let hash = sha256(&signed::mailbox_preimage(phone, web, salt));
    core::array::from_fn(|at| hash.get(at).copied().unwrap_or_default())
}
