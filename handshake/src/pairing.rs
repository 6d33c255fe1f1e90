//! Pairing: `Noise_XKpsk0_25519_ChaChaPoly_SHA256`, initiated by the phone, and the keys of the link that it
//! creates (spec, handshake, *Pairing* and *Commit*).
//!
//! ```text
//! phone: start -> AwaitMessage2 -> AwaitApproval --CodeConfirmed--> approve -> OfferedLink
//! web:   Code::read_message1 -> AwaitMessage3 -> AwaitCertificate -> AwaitNumber -> confirm
//! ```
//!
//! The secret of a code commits to an opening, which message 2 reveals. Both numbers that the user compares
//! depend on the opening and on message 1. So an attacker who stands between page and phone with a code of
//! his own cannot search for a message that makes the numbers agree.
//!
//! Until the check code is typed, each side knows of the other only that it knows the QR code.

#[cfg(test)]
mod attack;
pub mod phone;
pub mod web;

use alloc::string::String;
use core::fmt;

use handfast_codec::RelayName;
use handfast_codec::ids::{AttachmentId, MailboxId};
use handfast_codec::qr::{Opening, QrOffer};
use handfast_codec::signed;
use subtle::ConstantTimeEq;

use crate::error::HandshakeError;
use crate::key_schedule::{self, AfterHandshake, Direction, LinkKeys};
use crate::link::Start;
use crate::noise::Pattern;
use crate::secret::{Psk, Rs};

/// The Noise pattern of a pairing.
const PATTERN: &str = "XKpsk0";

/// The relay's name and the two attachment ids of a pairing. The handshake binds them by its prologue.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the parts of the prologue")]
pub struct PairingContext {
    /// The name of the relay.
    pub relay: RelayName,
    /// The phone's attachment id.
    pub phone: AttachmentId,
    /// The companion's attachment id.
    pub web: AttachmentId,
}

/// What a page claims about itself, without proof.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the claims of version 1")]
pub struct Claims {
    /// The companion's label, 1 to 64 bytes.
    pub label: String,
    /// The origin of the page, at most 128 bytes.
    pub origin: String,
    /// The requested grants, as a bit set (spec, messages).
    pub grants: u64,
}

/// The check code: four digits that the page shows and the user types into the phone.
#[derive(Clone, Copy)]
pub struct CheckCode(u16);

impl CheckCode {
    /// Returns whether `typed` is this code. The comparison takes constant time. Spaces around the digits are
    /// ignored.
    fn matches(self, typed: &str) -> bool {
        let [thousands, hundreds] = digits(self.0 / 100);
        let [tens, ones] = digits(self.0);
        typed.trim().as_bytes().ct_eq(&[thousands, hundreds, tens, ones]).into()
    }
}

impl fmt::Display for CheckCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// The confirmation number (NN): two digits that the phone shows and the user types into the page.
#[derive(Clone, Copy)]
pub struct ConfirmationNumber(u8);

impl ConfirmationNumber {
    /// Returns whether `typed` is this number. The comparison takes constant time. Spaces around the digits
    /// are ignored.
    fn matches(self, typed: &str) -> bool {
        typed.trim().as_bytes().ct_eq(&digits(self.0.into())).into()
    }
}

impl fmt::Display for ConfirmationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// Returns the last two decimal digits of a number, in ASCII.
fn digits(number: u16) -> [u8; 2] {
    let digit = |n: u16| b'0'.saturating_add(u8::try_from(n % 10).unwrap_or(0));
    [digit(number / 10), digit(number)]
}

macro_rules! hidden_numbers {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

hidden_numbers!(CheckCode, ConfirmationNumber);

/// Derives check code and confirmation number of a pairing.
fn numbers(h1: &[u8; 32], opening: &Opening) -> (CheckCode, ConfirmationNumber) {
    let numbers = key_schedule::numbers(h1, opening);
    (CheckCode(numbers.check_code), ConfirmationNumber(numbers.confirmation))
}

/// Derives the mailbox in which page and phone meet for a QR code.
#[must_use]
pub fn mailbox(offer: &QrOffer) -> MailboxId {
    key_schedule::pairing(offer.secret(), &offer.web_key).mailbox
}

fn pattern() -> Result<Pattern, HandshakeError> {
    Pattern::parse(PATTERN)
}

fn prologue(offer: &QrOffer, context: &PairingContext) -> alloc::vec::Vec<u8> {
    let offered = offer.payload_without_secret();
    signed::pairing_prologue(&offered, &context.relay, &mailbox(offer), &context.phone, &context.web)
}

fn psk(offer: &QrOffer) -> Psk {
    key_schedule::pairing(offer.secret(), &offer.web_key).psk
}

/// Derives the keys of the new link, and the start of its ratchet and session.
fn link_keys(psk: &Psk, rs: &Rs, h: &[u8; 32]) -> (LinkKeys, Start) {
    let keys = AfterHandshake::new(psk, rs).link_keys();
    let start = Start {
        resume: keys.resume.duplicate(),
        epoch_w2p: key_schedule::epoch(h, Direction::WebToPhone),
        epoch_p2w: key_schedule::epoch(h, Direction::PhoneToWeb),
    };
    (keys, start)
}
