//! The certificate of a link, its acceptance, and its revocation (spec, certificates).

use handfast_codec::ids::{DhPublic, Signature};
use handfast_codec::link::LinkCert;
use handfast_codec::signed::{self, CertificateFields};
use sha2::{Digest, Sha256};

use crate::error::HandshakeError;
use crate::identity::{SigningKey, require_verifying, verify};
use crate::link::{PhoneLink, Terms, WebLink, require_distinct};

/// Proof that the companion's `LINK_ACCEPT` was verified.
#[derive(Debug)]
pub struct Accepted(());

/// Returns the hash of a certificate and its signature.
pub(crate) fn hash(fields: &CertificateFields<'_>, signature: &Signature) -> [u8; 32] {
    let tbs = signed::certificate_tbs(fields);
    Sha256::digest(signed::certificate_preimage(&tbs, signature)).into()
}

/// The values that a certificate signs and that its frame does not carry, because both sides know them.
pub(crate) struct Bound<'a> {
    pub(crate) h: &'a [u8; 32],
    pub(crate) phone_key: &'a DhPublic,
    pub(crate) web_key: &'a DhPublic,
    pub(crate) web_signing: &'a handfast_codec::ids::SigningPublic,
    pub(crate) web_attach: &'a handfast_codec::ids::AttachKey,
    pub(crate) relay: &'a handfast_codec::RelayName,
}

impl<'a> Bound<'a> {
    /// Returns all fields that a certificate signs.
    pub(crate) fn fields(&'a self, cert: &'a LinkCert) -> CertificateFields<'a> {
        CertificateFields {
            h: self.h,
            account: &cert.account,
            phone_key: self.phone_key,
            web_key: self.web_key,
            web_signing: self.web_signing,
            phone_attach: &cert.phone_attach,
            web_attach: self.web_attach,
            salt: &cert.salt,
            companion: &cert.companion,
            serial: cert.serial,
            grants: cert.grants,
            idle_days: cert.idle_days,
            relay: self.relay,
        }
    }

    /// Refuses a link in which one key has two purposes.
    pub(crate) fn require_distinct(&self, cert: &LinkCert) -> Result<(), HandshakeError> {
        require_distinct(&[
            self.phone_key.as_bytes(),
            self.web_key.as_bytes(),
            self.web_signing.as_bytes(),
            self.web_attach.as_bytes(),
            cert.phone_attach.as_bytes(),
            cert.account.as_bytes(),
        ])
    }

    /// Verifies the signature of a certificate. Returns the certificate's hash.
    pub(crate) fn verify(&self, cert: &LinkCert) -> Result<[u8; 32], HandshakeError> {
        // req: CRT-002, CRT-003
        let fields = self.fields(cert);
        verify(cert.account.as_bytes(), &signed::certificate_tbs(&fields), &cert.signature)?;
        self.require_distinct(cert)?;
        require_verifying(cert.phone_attach.as_bytes())?;
        Ok(hash(&fields, &cert.signature))
    }
}

/// Signs the companion's acceptance of a certificate.
pub(crate) fn sign_accept(we: &SigningKey, cert_hash: &[u8; 32], h: &[u8; 32]) -> Signature {
    we.sign(&signed::accept_tbs(cert_hash, h))
}

impl PhoneLink {
    /// Verifies the signature of a `LINK_ACCEPT` for this link.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::BadSignature`] if the signature does not verify.
    pub fn verify_accept(&self, signature: &Signature) -> Result<Accepted, HandshakeError> {
        // req: CRT-004
        let tbs = signed::accept_tbs(&self.terms.cert_hash, &self.terms.h);
        verify(self.web_signing.as_bytes(), &tbs, signature).map(|()| Accepted(()))
    }
}

/// Signs the revocation of a link with the account's key.
#[must_use]
pub fn sign_revoked(account: &SigningKey, terms: &Terms) -> Signature {
    account.sign(&signed::revoked_tbs(&terms.companion, terms.serial, &terms.mailbox))
}

/// On a companion: verifies the account's signature over the revocation of a link.
///
/// # Errors
///
/// [`HandshakeError::BadSignature`] if the signature does not verify.
pub fn verify_revoked(link: &WebLink, signature: &Signature) -> Result<(), HandshakeError> {
    // req: CRT-005
    let terms = &link.terms;
    let tbs = signed::revoked_tbs(&terms.companion, terms.serial, &terms.mailbox);
    verify(terms.account.as_bytes(), &tbs, signature)
}
