//! A code that the faulty peer shows or has scanned.

use handfast_codec::ids::{AttachKey, DhPublic, SigningPublic};
use handfast_codec::qr::QrOffer;
use handfast_handshake::noise::HandshakeState;

/// A code and what has come of it.
pub(super) struct Code {
    pub(super) offer: QrOffer,
    /// The code's secret key, where the runner has shown it.
    pub(super) wq: [u8; 32],
    /// What the code commits to: known to who shows it, and told by message 2.
    pub(super) opening: [u8; 32],
    pub(super) h1: [u8; 32],
    pub(super) state: Option<HandshakeState>,
    pub(super) h: [u8; 32],
    /// The four digits of this attempt.
    pub(super) digits: String,
    /// The web's keys: its own of the runner, or those that the shim has claimed.
    pub(super) web: Option<(DhPublic, SigningPublic, AttachKey)>,
    /// Of the certificate that the phone has offered.
    pub(super) cert_hash: [u8; 32],
}
