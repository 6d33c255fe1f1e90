//! Text of QR codes.

use handfast_codec::DecodeError;
use handfast_codec::limits::{QR_HOST_LEN_MAX, QR_PAYLOAD_LEN_MAX};
use handfast_codec::qr::{PREFIX, QrOffer, RelayRef};

/// Reads the bytes as text of a code, and once more as the payload of one.
///
/// # Panics
/// When a code that is accepted is not the only text of its value, is over a limit, or when a fault lies outside of the
/// text.
pub fn run(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data) {
        check(text);
    }
    check(&text_of(data));
}

fn check(text: &str) {
    let offer = match QrOffer::decode(text) {
        Ok(offer) => offer,
        Err(error) => return check_error(error, text.len()),
    };
    assert_eq!(offer.encode().as_str(), text, "an accepted text is the only one of its value");
    let payload = offer.payload_without_secret();
    assert!(payload.len() + 32 <= QR_PAYLOAD_LEN_MAX, "a payload has a maximum");
    assert!(offer.web_key.as_bytes()[31] < 0x80, "a key is canonical");
    match &offer.relay {
        RelayRef::Host(name) => {
            assert!(name.as_str().len() <= QR_HOST_LEN_MAX, "a host has a maximum");
            assert!(!name.as_str().bytes().any(|byte| byte.is_ascii_uppercase()), "a host is in lower case");
            assert!(!name.host().is_empty() && name.port() != Some(0), "a host has a name");
        }
        RelayRef::Registered(number) => {
            assert!((1..240).contains(number), "the number of a registered relay");
        }
        RelayRef::Private(number) => assert!(*number >= 240, "the number of a private relay"),
    }
}

fn check_error(error: DecodeError, len: usize) {
    assert!(error.at <= len && error.code.is_known(), "a fault lies in the text: {error}");
}

/// The text of a payload, bit by bit.
fn text_of(payload: &[u8]) -> String {
    let bit = |n: usize| payload.get(n / 8).is_some_and(|byte| (byte >> (7 - n % 8)) & 1 == 1);
    let letters = (0..(payload.len() * 8).div_ceil(5)).map(|letter| {
        let value = (0..5).fold(0, |value, n| value * 2 + usize::from(bit(letter * 5 + n)));
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value])
    });
    PREFIX.chars().chain(letters).collect()
}
