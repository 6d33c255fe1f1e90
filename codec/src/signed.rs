//! Every byte layout that is signed or hashed, each under its own label (spec, certificates, relay and
//! handshake).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::ids::{AttachKey, AttachmentId, CompanionId, DhPublic, MailboxId, Salt, Signature, SigningPublic};
use crate::link::CERTIFICATE_VERSION;
use crate::name::RelayName;
use crate::payload::KkHead;
use crate::qr::Opening;
use crate::relay::MailboxKind;
use crate::role::DeviceRole;
use crate::tlv::TlvWriter;

/// The text with which every label begins.
pub const LABEL_PREFIX: &str = "handfast/1 ";

/// Returns a label with its prefix, followed by `parts` without separators.
fn labelled(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let len = parts.iter().map(|part| part.len()).fold(LABEL_PREFIX.len(), usize::saturating_add);
    let mut out = Vec::with_capacity(len.saturating_add(label.len()));
    out.extend_from_slice(LABEL_PREFIX.as_bytes());
    out.extend_from_slice(label.as_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Returns a length as one byte. All fields whose length is taken here are far shorter than 255 bytes by
/// their types.
fn len_u8(bytes: &[u8]) -> [u8; 1] {
    debug_assert!(bytes.len() <= 255, "a short field has a one-byte length");
    [u8::try_from(bytes.len()).unwrap_or(u8::MAX)]
}

/// Returns the input of the hash that is a link mailbox's id: `"mailbox" || phone attach key || web attach
/// key || salt`.
#[must_use]
pub fn mailbox_preimage(phone_key: &AttachKey, web_key: &AttachKey, salt: &Salt) -> Vec<u8> {
    // req: RLY-120
    labelled("mailbox", &[phone_key.as_bytes(), web_key.as_bytes(), salt.as_bytes()])
}

/// Returns the input of the hash that is a code's secret: `"code" || Wq || opening`, where `Wq` is the code's
/// key. The input contains the opening, so it is wiped when dropped.
#[must_use]
pub fn code_preimage(web_key: &DhPublic, opening: &Opening) -> Zeroizing<Vec<u8>> {
    // req: QRP-011
    Zeroizing::new(labelled("code", &[web_key.as_bytes(), opening.expose()]))
}

/// Returns the bytes that ATTACH signs: `"attach" || len u8 || relay name || kind u8 || role u8 || mailbox ||
/// nonce`.
#[must_use]
pub fn attach_tbs(
    relay: &RelayName,
    kind: MailboxKind,
    role: DeviceRole,
    mailbox: &MailboxId,
    nonce: &[u8; 32],
) -> Vec<u8> {
    // req: RLY-121
    let name = relay.as_str().as_bytes();
    labelled("attach", &[&len_u8(name), name, &[kind.number(), role.number()], mailbox.as_bytes(), nonce])
}

/// The fields that a link certificate signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a signed layout is fixed by its version")]
pub struct CertificateFields<'a> {
    /// The handshake hash of the pairing.
    pub h: &'a [u8; 32],
    /// The account's public key.
    pub account: &'a SigningPublic,
    /// The phone's static key for this link.
    pub phone_key: &'a DhPublic,
    /// The companion's static key for this link.
    pub web_key: &'a DhPublic,
    /// The companion's signing key.
    pub web_signing: &'a SigningPublic,
    /// The phone's attach key.
    pub phone_attach: &'a AttachKey,
    /// The companion's attach key.
    pub web_attach: &'a AttachKey,
    /// The salt of the link's mailbox.
    pub salt: &'a Salt,
    /// The companion's id.
    pub companion: &'a CompanionId,
    /// The companion's serial number on this phone.
    pub serial: u64,
    /// The granted rights, as a bit set.
    pub grants: u64,
    /// The number of idle days after which the link should be suspended.
    pub idle_days: u16,
    /// The name of the link's relay.
    pub relay: &'a RelayName,
}

/// Returns the bytes that the account signs in a `LINK_CERT`: a canonical TLV list (spec, certificates).
#[must_use]
pub fn certificate_tbs(fields: &CertificateFields<'_>) -> Vec<u8> {
    // req: CRT-006
    let mut w = TlvWriter::new();
    let _ = w
        .bytes(1, b"handfast/1 certificate")
        .u8(3, CERTIFICATE_VERSION)
        .bytes(5, fields.h)
        .bytes(7, fields.account.as_bytes())
        .bytes(9, fields.phone_key.as_bytes())
        .bytes(11, fields.web_key.as_bytes())
        .bytes(13, fields.web_signing.as_bytes())
        .bytes(15, fields.phone_attach.as_bytes())
        .bytes(17, fields.web_attach.as_bytes())
        .bytes(19, fields.salt.as_bytes())
        .bytes(21, fields.companion.as_bytes())
        .varint(23, fields.serial)
        .varint(25, fields.grants)
        .varint(27, u64::from(fields.idle_days))
        .bytes(29, fields.relay.as_str().as_bytes());
    w.finish()
}

/// Returns the input of a certificate's hash: `signed TLV list || certificate signature`.
#[must_use]
pub fn certificate_preimage(tbs: &[u8], signature: &Signature) -> Vec<u8> {
    let mut out = Vec::from(tbs);
    out.extend_from_slice(signature.as_bytes());
    out
}

/// Returns the bytes that `LINK_ACCEPT` signs: `"accept" || SHA-256(signed TLV list || certificate signature)
/// || h`.
#[must_use]
pub fn accept_tbs(cert_hash: &[u8; 32], h: &[u8; 32]) -> Vec<u8> {
    // req: CRT-009
    labelled("accept", &[cert_hash, h])
}

/// Returns the bytes that REVOKED signs: `"revoked" || companion id || serial u64 || mailbox`.
#[must_use]
pub fn revoked_tbs(companion: &CompanionId, serial: u64, mailbox: &MailboxId) -> Vec<u8> {
    // req: CRT-012
    labelled("revoked", &[companion.as_bytes(), &serial.to_be_bytes(), mailbox.as_bytes()])
}

/// Returns the prologue of a pairing, where `offer` is the QR payload without its secret:
/// `"pairing" || len u8 || offer || len u8 || relay name || mailbox || phone attachment id || web attachment id`
#[must_use]
pub fn pairing_prologue(
    offer: &[u8],
    relay: &RelayName,
    mailbox: &MailboxId,
    phone: &AttachmentId,
    web: &AttachmentId,
) -> Vec<u8> {
    // req: HSK-071
    let name = relay.as_str().as_bytes();
    labelled(
        "pairing",
        &[&len_u8(offer), offer, &len_u8(name), name, mailbox.as_bytes(), phone.as_bytes(), web.as_bytes()],
    )
}

/// Returns the prologue of a reconnect:
/// `"link" || mailbox || web attachment id || phone attachment id || len u8 || relay name || head`.
#[must_use]
pub fn link_prologue(
    mailbox: &MailboxId,
    web: &AttachmentId,
    phone: &AttachmentId,
    relay: &RelayName,
    head: &KkHead,
) -> Vec<u8> {
    // req: HSK-079
    let name = relay.as_str().as_bytes();
    labelled(
        "link",
        &[mailbox.as_bytes(), web.as_bytes(), phone.as_bytes(), &len_u8(name), name, &head.encode()],
    )
}
