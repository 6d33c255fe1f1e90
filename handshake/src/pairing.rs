//! Pairing: `Noise_XKpsk0_25519_ChaChaPoly_SHA256`, which the phone initiates, and the keys of the link that it makes
//! (spec, handshake, *Pairing* and *Commit*).
//!
//! ```text
//! phone: start -> AwaitMessage2 -> AwaitApproval --CodeConfirmed--> approve -> Offered
//! web:   Code::read_message1 -> AwaitMessage3 -> AwaitCertificate -> AwaitNumber -> confirm
//! ```
//!
//! The secret of a code commits to an opening, which message 2 tells. Both numbers that people compare hang on it and on
//! message 1, so that whoever stands between two codes cannot search for a message that makes them agree.
//!
//! Before the check code is typed, neither side knows more of the other than that it has seen the QR code.

#[cfg(test)]
mod attack;
pub mod phone;
pub mod web;

use alloc::string::String;
use core::fmt;

use handfast_codec::RelayName;
use handfast_codec::ids::{AttachmentId, MailboxId};
use handfast_codec::qr::{Offer, Opening};
use handfast_codec::signed;
use subtle::ConstantTimeEq;

use crate::error::HandshakeError;
use crate::key_schedule::{self, AfterHandshake, Direction, LinkKeys};
use crate::link::Start;
use crate::noise::Pattern;
use crate::secret::{Psk, Rs};

/// The pattern of a pairing.
const PATTERN: &str = "XKpsk0";

/// Where a pairing takes place. All of it is bound by the handshake.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the parts of the prologue")]
pub struct PairingContext {
    /// The relay.
    pub relay: RelayName,
    /// The phone's attachment.
    pub phone: AttachmentId,
    /// The web's attachment.
    pub web: AttachmentId,
}

/// What a page says of itself: claimed, not proven.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the claims of version 1")]
pub struct Claims {
    /// A name for the companion, 1 to 64 bytes.
    pub label: String,
    /// The origin it says it is from, up to 128 bytes.
    pub origin: String,
    /// The grants it asks for, as bits (spec, messages).
    pub grants: u64,
}

/// Four digits that the page shows and the user types into the phone.
#[derive(Clone, Copy)]
pub struct CheckCode(u16);

impl CheckCode {
    /// Whether this is what was typed, compared in constant time. Spaces around it are ignored.
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

/// NN: two digits that the phone shows and the user types into the page.
#[derive(Clone, Copy)]
pub struct ConfirmationNumber(u8);

impl ConfirmationNumber {
    /// Whether this is what was typed, compared in constant time. Spaces around it are ignored.
    fn matches(self, typed: &str) -> bool {
        typed.trim().as_bytes().ct_eq(&digits(self.0.into())).into()
    }
}

impl fmt::Display for ConfirmationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// The last two decimal digits of a number.
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

/// Both numbers of an attempt.
fn numbers(h1: &[u8; 32], opening: &Opening) -> (CheckCode, ConfirmationNumber) {
    let numbers = key_schedule::numbers(h1, opening);
    (CheckCode(numbers.check_code), ConfirmationNumber(numbers.confirmation))
}

/// Derives the mailbox in which the two devices of a QR code meet.
#[must_use]
pub fn mailbox(offer: &Offer) -> MailboxId {
    key_schedule::pairing(offer.secret(), &offer.web_key).mailbox
}

fn pattern() -> Result<Pattern, HandshakeError> {
    Pattern::parse(PATTERN)
}

fn prologue(offer: &Offer, context: &PairingContext) -> alloc::vec::Vec<u8> {
    let offered = offer.payload_without_secret();
    signed::pairing_prologue(&offered, &context.relay, &mailbox(offer), &context.phone, &context.web)
}

fn psk(offer: &Offer) -> Psk {
    key_schedule::pairing(offer.secret(), &offer.web_key).psk
}

/// The keys of the new link, and where its session starts.
fn link_keys(psk: &Psk, rs: &Rs, h: &[u8; 32]) -> (LinkKeys, Start) {
    let keys = AfterHandshake::new(psk, rs).link_keys();
    let start = Start {
        resume: keys.resume.duplicate(),
        epoch_w2p: key_schedule::epoch(h, Direction::WebToPhone),
        epoch_p2w: key_schedule::epoch(h, Direction::PhoneToWeb),
    };
    (keys, start)
}
