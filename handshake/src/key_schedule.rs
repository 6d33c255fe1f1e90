//! Every key derivation of the protocol. Each is one function, with its formula above it (spec, handshake).
//!
//! ```text
//! opening --SHA-256("code" || Wq || ..)--> QR secret
//! QR secret --Extract("pair")--> prk --+--> mailbox
//!                                      +--> pairing psk --+
//! XKpsk0 --Split--> rs ------------------> x = Extract(psk, rs) --+--> resume psk --> KKpsk0 --> x' --> next ..
//!                                                                 +--> recovery psk
//!                                                                 +--> tombstone seal, goodbye seal
//! ```

use alloc::vec::Vec;

use handfast_codec::ids::{CommandKey, DhPublic, Epoch, MailboxId, PskId};
use handfast_codec::qr::Opening;
use handfast_codec::signed::{self, LABEL_PREFIX};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::{Psk, Rs, SealKey};

/// Returns a label with its prefix, followed by `parts` without separators.
fn label(name: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut info = Vec::from(LABEL_PREFIX.as_bytes());
    info.extend_from_slice(name.as_bytes());
    for part in parts {
        info.extend_from_slice(part);
    }
    info
}

/// Returns `Expand(prk, info, N)`, where `hkdf` contains the `prk`. `N` is at most 32; HKDF allows 8,160.
fn expand<const N: usize>(hkdf: &Hkdf<Sha256>, info: &[u8]) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    let done = hkdf.expand(info, out.as_mut_slice());
    debug_assert!(done.is_ok(), "32 bytes are within HKDF's limit");
    out
}

/// Returns `HKDF(ikm, info, N) = Expand(Extract(empty, ikm), info, N)`.
fn hkdf<const N: usize>(ikm: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    expand(&Hkdf::<Sha256>::new(Some(&[]), ikm), info)
}

/// Returns the number `u64(HKDF(ikm, name, 8))`.
fn number(ikm: &[u8], name: &str) -> u64 {
    u64::from_be_bytes(*hkdf::<8>(ikm, &label(name, &[])))
}

/// The values derived from the secret of a QR code.
pub(crate) struct PairingKeys {
    pub(crate) mailbox: MailboxId,
    pub(crate) psk: Psk,
}

/// Derives the mailbox and the psk of a QR code.
pub(crate) fn pairing(secret: &[u8; 32], web_key: &DhPublic) -> PairingKeys {
    // Wq is the page's public key in the QR code.
    // prk     = Extract("pair", secret)
    // mailbox = Expand(prk, "pair mailbox" || Wq, 16)
    // psk     = Expand(prk, "pair psk" || Wq, 32)
    // req: HSK-070
    let prk = Hkdf::<Sha256>::new(Some(&label("pair", &[])), secret);
    let mailbox = expand(&prk, &label("pair mailbox", &[web_key.as_bytes()]));
    let psk = expand(&prk, &label("pair psk", &[web_key.as_bytes()]));
    PairingKeys { mailbox: MailboxId::from_bytes(*mailbox), psk: Psk::from_bytes(*psk) }
}

/// Derives the secret of a QR code from the code's key and opening. The secret commits to the opening.
pub(crate) fn code_secret(web_key: &DhPublic, opening: &Opening) -> Zeroizing<[u8; 32]> {
    // secret = SHA-256("code" || Wq || opening), where Wq is the page's public key in the QR code
    // req: QRP-011
    let mut secret = Zeroizing::new([0; 32]);
    secret.copy_from_slice(&Sha256::digest(signed::code_preimage(web_key, opening).as_slice()));
    secret
}

/// The two numbers by which the user compares phone and page during a pairing.
pub(crate) struct Numbers {
    /// The four digits that the page shows, as a number below 10,000.
    pub(crate) check_code: u16,
    /// The two digits (NN) that the phone shows, as a number below 100.
    pub(crate) confirmation: u8,
}

/// Derives both numbers of a pairing from `h1` and the opening, and from nothing that comes later. So neither
/// side has the last word: whoever chooses `h1` does not know the opening yet, and the opening is fixed by
/// the code's secret.
#[must_use]
pub(crate) fn numbers(h1: &[u8; 32], opening: &Opening) -> Numbers {
    let mut ikm = Zeroizing::new([0; 64]);
    let (front, back) = ikm.split_at_mut(32);
    front.copy_from_slice(h1);
    back.copy_from_slice(opening.expose());
    // check code = u64(HKDF(h1 || opening, "check code", 8)) mod 10^4
    // req: HSK-094
    let check_code = number(ikm.as_slice(), "check code") % 10_000;
    // NN = u64(HKDF(h1 || opening, "check number", 8)) mod 100
    // req: HSK-095
    let confirmation = number(ikm.as_slice(), "check number") % 100;
    Numbers {
        check_code: u16::try_from(check_code).unwrap_or(0),
        confirmation: u8::try_from(confirmation).unwrap_or(0),
    }
}

/// The secret after a handshake, `x = Extract(psk used, rs)`. A method that derives from it consumes it.
pub(crate) struct AfterHandshake(Hkdf<Sha256>);

impl AfterHandshake {
    pub(crate) fn new(psk: &Psk, rs: &Rs) -> Self {
        Self(Hkdf::new(Some(psk.expose()), rs.expose()))
    }

    /// Returns the next psk of the ratchet, `Expand(x, "resume", 32)`.
    pub(crate) fn next_psk(self) -> Psk {
        // req: HSK-083
        Psk::from_bytes(*expand(&self.0, &label("resume", &[])))
    }

    /// Derives the keys of a new link.
    pub(crate) fn link_keys(self) -> LinkKeys {
        // recovery psk   = Expand(x, "recovery psk", 32)
        // tombstone seal = Expand(x, "tombstone seal", 32)
        // goodbye seal   = Expand(x, "goodbye seal", 32)
        // req: HSK-074
        let recovery = Psk::from_bytes(*expand(&self.0, &label("recovery psk", &[])));
        // req: HSK-075
        let tombstone_seal = SealKey::from_bytes(*expand(&self.0, &label("tombstone seal", &[])));
        let goodbye_seal = SealKey::from_bytes(*expand(&self.0, &label("goodbye seal", &[])));
        LinkKeys { recovery, tombstone_seal, goodbye_seal, resume: self.next_psk() }
    }
}

/// The keys that a pairing derives for the life of a link.
pub(crate) struct LinkKeys {
    pub(crate) resume: Psk,
    pub(crate) recovery: Psk,
    pub(crate) tombstone_seal: SealKey,
    pub(crate) goodbye_seal: SealKey,
}

/// Derives the id by which a psk is named in the clear: `HKDF(psk, "id" || mailbox, 8)`.
#[must_use]
pub fn psk_id(psk: &Psk, mailbox: &MailboxId) -> PskId {
    // req: HSK-077
    PskId::from_bytes(*hkdf(psk.expose(), &label("id", &[mailbox.as_bytes()])))
}

/// Derives the key of a command that was stored before commands had keys, `SHA-256("old command" || mailbox
/// || number u64)[..16]`.
#[must_use]
pub fn old_command_key(mailbox: &MailboxId, number: u64) -> CommandKey {
    // req: RES-035
    let hash: [u8; 32] =
        Sha256::digest(label("old command", &[mailbox.as_bytes(), &number.to_be_bytes()])).into();
    let [key @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash;
    CommandKey::from_bytes(key)
}

/// The direction of a link's messages. Each direction has its own epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two directions")]
pub enum Direction {
    /// From the companion to the phone.
    WebToPhone,
    /// From the phone to the companion.
    PhoneToWeb,
}

/// Derives the epoch of a direction: `HKDF(h, "epoch" || direction, 16)`.
#[must_use]
pub fn epoch(h: &[u8; 32], direction: Direction) -> Epoch {
    let name: &[u8] = match direction {
        Direction::WebToPhone => b"w2p",
        Direction::PhoneToWeb => b"p2w",
    };
    // req: HSK-076
    Epoch::from_bytes(*hkdf(h, &label("epoch", &[name])))
}
