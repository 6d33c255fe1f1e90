//! The text of a QR code: `HF1*` followed by one offer in BASE32 (spec, qr).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::{DecodeError, ErrorCode};
use crate::ids::DhPublic;
use crate::limits::{QR_HOST_LEN_MAX, QR_PAYLOAD_LEN_MAX};
use crate::name::RelayName;
use crate::parse::Cursor;
use crate::tlv::TlvReader;

/// The text with which every code begins.
pub const PREFIX: &str = "HF1*";

/// The type of today's codes, whose secret commits to an opening.
const TYPE: u8 = 2;
/// The type of the first codes, whose secret committed to nothing. A code of this type is refused.
const TYPE_WITHOUT_COMMITMENT: u8 = 1;
const FLAGS: u8 = 0;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The prime of Curve25519's field, 2^255 - 19, little-endian.
const FIELD_PRIME: [u8; 32] = {
    let mut p = [0xff; 32];
    let [first, .., last] = &mut p;
    *first = 0xed;
    *last = 0x7f;
    p
};

macro_rules! secret_bytes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name(Box<[u8; 32]>);

        impl $name {
            /// Takes over the bytes, and wipes the copy that was passed in.
            #[must_use]
            pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
                let mut secret = Self(Box::new([0; 32]));
                secret.0.copy_from_slice(&bytes);
                bytes.zeroize();
                secret
            }

            /// Returns the secret bytes. The caller must wipe every copy that it makes.
            #[must_use]
            pub fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl Zeroize for $name {
            fn zeroize(&mut self) {
                self.0.zeroize();
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.zeroize();
            }
        }

        impl ZeroizeOnDrop for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

secret_bytes! {
    /// The secret of one QR code, 32 bytes. It is wiped when dropped.
    OfferSecret;
    /// The opening of a QR code: 32 bytes that the page keeps to itself until message 2. The code's secret is
    /// a hash over the opening and the code's key (spec, qr). The opening is wiped when dropped.
    Opening;
}

/// The relay at which the companion waits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the relay byte has these three ranges")]
pub enum RelayRef {
    /// A relay by its name.
    Host(RelayName),
    /// A relay by its registered number, 1 to 239. No number is registered in version 1.
    Registered(u8),
    /// A relay by a number that only the phone's program knows, 240 to 255.
    Private(u8),
}

/// The content of a QR code. Its only text form is [`QrOffer::encode`]. It cannot be cloned:
///
/// ```compile_fail,E0599
/// # let offer = handfast_codec::qr::QrOffer::decode("").unwrap();
/// let second = offer.clone();
/// ```
///
/// # Security
/// Whoever sees a code can begin a pairing with it. A phone should accept a code only after its user chose
/// *link a device*.
pub struct QrOffer {
    /// The companion's X25519 key, fresh for this code.
    pub web_key: DhPublic,
    secret: OfferSecret,
    /// The relay at which the companion waits.
    pub relay: RelayRef,
    /// The TLV list after the relay, with the bytes that were in the code.
    extra: Vec<u8>,
}

impl QrOffer {
    /// Creates an offer. Returns `None` if the relay does not fit a code: its name has more than 40 bytes, or
    /// its number is outside its range.
    #[must_use]
    pub fn new(web_key: DhPublic, secret: [u8; 32], relay: RelayRef) -> Option<Self> {
        let secret = OfferSecret::from_bytes(secret);
        let fits = match &relay {
            RelayRef::Host(name) => name.as_str().len() <= QR_HOST_LEN_MAX,
            RelayRef::Registered(number) => (1..240).contains(number),
            RelayRef::Private(number) => *number >= 240,
        };
        fits.then(|| Self { web_key, secret, relay, extra: Vec::new() })
    }

    /// Returns the secret of the code.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret.0
    }

    /// Returns the payload without its 32 secret bytes. The prologue of the pairing contains it in this form.
    #[must_use]
    pub fn payload_without_secret(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(QR_PAYLOAD_LEN_MAX);
        self.write(&mut out, None);
        out
    }

    fn write(&self, out: &mut Vec<u8>, secret: Option<&[u8; 32]>) {
        out.extend_from_slice(&[TYPE, FLAGS]);
        out.extend_from_slice(self.web_key.as_bytes());
        if let Some(secret) = secret {
            out.extend_from_slice(secret);
        }
        match &self.relay {
            RelayRef::Host(name) => {
                let name = name.as_str().as_bytes();
                out.extend_from_slice(&[0, u8::try_from(name.len()).unwrap_or(u8::MAX)]);
                out.extend_from_slice(name);
            }
            RelayRef::Registered(number) | RelayRef::Private(number) => out.push(*number),
        }
        out.extend_from_slice(&self.extra);
    }

    /// Returns the text to draw as a QR code. It contains the secret, so it is wiped when dropped.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<String> {
        let mut payload = Zeroizing::new(Vec::with_capacity(QR_PAYLOAD_LEN_MAX));
        self.write(&mut payload, Some(self.secret()));
        base32_encode(&payload)
    }

    /// Decodes the text of a code.
    ///
    /// # Errors
    /// `QR_NOT_HANDFAST`, `FIELD_LENGTH`, `QR_ALPHABET`, `QR_OUTDATED` for type 1, `QR_UNSUPPORTED` for any
    /// other type but 2, `RELAY_NAME`, `FIELD_VALUE` for a key that is not canonical, and the faults of
    /// truncated or trailing bytes. Offsets count bytes of the payload, or of the text for the first three.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        // req: QRP-001, QRP-010
        let code =
            text.strip_prefix(PREFIX).ok_or(DecodeError::new(ErrorCode::QR_NOT_HANDFAST, 0, "qr text"))?;
        let payload = base32_decode(code.as_bytes())?;
        Self::read(&payload)
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut c = Cursor::new(payload);
        let start = c.clone();
        let (kind, flags) = (c.u8("qr type")?, c.u8("qr flags")?);
        // req: QRP-013
        if kind == TYPE_WITHOUT_COMMITMENT {
            return Err(start.error(ErrorCode::QR_OUTDATED, "qr type"));
        }
        // req: QRP-014
        if (kind, flags) != (TYPE, FLAGS) {
            return Err(start.error(ErrorCode::QR_UNSUPPORTED, "qr type"));
        }
        let at = c.clone();
        let web_key: [u8; 32] = c.array("qr key")?;
        // req: QRP-008
        if !is_canonical(&web_key) {
            return Err(at.error(ErrorCode::FIELD_VALUE, "qr key"));
        }
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(c.take(32, "qr secret")?);
        let relay = read_relay(&mut c)?;
        let base = c.offset();
        let extra = c.rest(0, QR_PAYLOAD_LEN_MAX, "qr fields")?;
        let _ = TlvReader::at(extra, base, &[])?;
        Ok(Self {
            web_key: DhPublic::from_bytes(web_key),
            secret: OfferSecret::from_bytes(*secret),
            relay,
            extra: Vec::from(extra),
        })
    }
}

fn read_relay(c: &mut Cursor<'_>) -> Result<RelayRef, DecodeError> {
    match c.u8("qr relay")? {
        0 => {
            let at = c.offset();
            let name = c.short(0, QR_HOST_LEN_MAX, "qr host")?;
            // req: QRP-005
            RelayName::from_slice(name, at).map(RelayRef::Host)
        }
        number @ 1..=239 => Ok(RelayRef::Registered(number)),
        number => Ok(RelayRef::Private(number)),
    }
}

/// Returns whether the key, as a number, is below 2^255 - 19.
fn is_canonical(key: &[u8; 32]) -> bool {
    key.iter().rev().lt(FIELD_PRIME.iter().rev())
}

impl fmt::Debug for QrOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QrOffer")
            .field("web_key", &self.web_key)
            .field("relay", &self.relay)
            .finish_non_exhaustive()
    }
}

/// Returns the length of the BASE32 text of `len` bytes.
const fn base32_len(len: usize) -> usize {
    len.saturating_mul(8).div_ceil(5)
}

fn base32_encode(payload: &[u8]) -> Zeroizing<String> {
    let len = base32_len(payload.len()).saturating_add(PREFIX.len());
    let mut text = Zeroizing::new(String::with_capacity(len));
    text.push_str(PREFIX);
    let (mut bits, mut held) = (0_u16, 0_u32);
    for byte in payload {
        bits = (bits << 8) | u16::from(*byte);
        held = held.saturating_add(8);
        while held >= 5 {
            held = held.saturating_sub(5);
            text.push(letter(bits.checked_shr(held).unwrap_or(0)));
        }
    }
    if held > 0 {
        text.push(letter(bits.checked_shl(5_u32.saturating_sub(held)).unwrap_or(0)));
    }
    text
}

fn letter(bits: u16) -> char {
    ALPHABET.get(usize::from(bits & 0x1f)).copied().map_or('A', char::from)
}

fn base32_decode(code: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    let fault = |code, at: usize| DecodeError::new(code, at.saturating_add(PREFIX.len()), "qr text");
    // req: QRP-003
    if code.len() > base32_len(QR_PAYLOAD_LEN_MAX) {
        return Err(fault(ErrorCode::FIELD_LENGTH, 0));
    }
    let mut payload = Zeroizing::new(Vec::with_capacity(QR_PAYLOAD_LEN_MAX));
    let (mut bits, mut held) = (0_u16, 0_u32);
    for (at, letter) in code.iter().enumerate() {
        // req: QRP-002
        let five = match letter {
            b'A'..=b'Z' => letter.wrapping_sub(b'A'),
            b'2'..=b'7' => letter.wrapping_sub(b'2').wrapping_add(26),
            _ => return Err(fault(ErrorCode::QR_ALPHABET, at)),
        };
        bits = (bits << 5) | u16::from(five);
        held = held.saturating_add(5);
        if held >= 8 {
            held = held.saturating_sub(8);
            let [_, byte] = bits.checked_shr(held).unwrap_or(0).to_be_bytes();
            payload.push(byte);
        }
    }
    let spare = 1_u16.checked_shl(held).unwrap_or(0).wrapping_sub(1);
    if held >= 5 || bits & spare != 0 {
        return Err(fault(ErrorCode::QR_ALPHABET, code.len().saturating_sub(1)));
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zeroizes<T: ZeroizeOnDrop>() {}

    #[test]
    fn the_secret_is_wiped_and_the_text_too() {
        zeroizes::<OfferSecret>();
        zeroizes::<Opening>();
        zeroizes::<Zeroizing<String>>();
    }

    #[test]
    fn base32_by_the_examples_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32_encode(bytes.as_bytes()).as_str(), alloc::format!("{PREFIX}{text}"));
            assert_eq!(base32_decode(text.as_bytes()).unwrap().as_slice(), bytes.as_bytes());
        }
    }
}
