//! The causes of a failed TLS handshake, with texts for users; and trust in a user's own certificate
//! authorities.

use std::io;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, Error, RootCertStore};

/// The reason why there is no TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The certificate does not lead to a trusted authority.
    #[error(
        "its certificate is of an authority that is not trusted here; one of your own is named with --ca FILE"
    )]
    UnknownIssuer,
    /// The certificate has expired.
    #[error("its certificate has expired, or this machine's clock is wrong")]
    Expired,
    /// The certificate is not valid yet.
    #[error("its certificate is not valid yet, or this machine's clock is wrong")]
    NotYetValid,
    /// The certificate is for another name than the relay's.
    #[error("its certificate is for another name")]
    WrongName,
    /// The certificate is damaged, revoked, self-signed, or not for a server.
    #[error(
        "its certificate cannot be used: it is damaged, revoked, signed by itself, or not one for a server"
    )]
    Certificate,
    /// What answered does not speak TLS.
    #[error("what answers there speaks no TLS")]
    NoTls,
    /// The server and this program share no safe version of TLS, or no cipher.
    #[error("it speaks only versions of TLS that are not safe any more")]
    Version,
    /// The server closed the connection during the handshake.
    #[error("it hung up before the connection was secure")]
    HungUp,
    /// The server refused this client with an alert.
    #[error("it refused the secure connection")]
    Refused,
    /// Any other failure.
    #[error("the secure connection failed")]
    Other,
}

impl From<&io::Error> for TlsFailure {
    fn from(error: &io::Error) -> Self {
        let found = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match found {
            Some(Error::InvalidCertificate(reason)) => of_certificate(reason),
            Some(Error::InvalidMessage(_) | Error::InappropriateMessage { .. }) => Self::NoTls,
            Some(Error::PeerIncompatible(_)) => Self::Version,
            Some(Error::AlertReceived(_)) => Self::Refused,
            Some(_) => Self::Other,
            None => Self::HungUp,
        }
    }
}

fn of_certificate(reason: &CertificateError) -> TlsFailure {
    match reason {
        CertificateError::UnknownIssuer => TlsFailure::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFailure::WrongName
        }
        _ => TlsFailure::Certificate,
    }
}

/// The reason why a file of certificates cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificatesError {
    /// The file is not a PEM file with certificates.
    #[error("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    None,
    /// A certificate in the file is damaged, or cannot be that of an authority.
    #[error("a certificate in it is damaged")]
    Unusable,
}

/// Adds the certificates of a PEM file to the trusted ones.
pub(super) fn add_roots(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), CertificatesError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| CertificatesError::Unusable)?;
        roots.add(certificate).map_err(|_| CertificatesError::Unusable)?;
    }
    if roots.len() == before { Err(CertificatesError::None) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
