//! The derivations of `spec/handshake.md`, written once more beside those of the library, so that a vector does not
//! rest on the code it is to test.

use hkdf::Hkdf;
use sha2::{Digest, Sha256};

/// Returns a label with its prefix.
fn label(name: &str) -> Vec<u8> {
    format!("handfast/1 {name}").into_bytes()
}

/// `Extract(salt, ikm)`, RFC 5869 with SHA-256.
pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> [u8; 32] {
    Hkdf::<Sha256>::extract(Some(salt), ikm).0.into()
}

/// `Expand(prk, label || rest, N)`.
pub(crate) fn expand<const N: usize>(prk: &[u8; 32], name: &str, rest: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let hkdf = Hkdf::<Sha256>::from_prk(prk).expect("a key of 32 bytes is long enough");
    hkdf.expand_multi_info(&[&label(name), rest], &mut out).expect("the output is short");
    out
}

/// `HKDF(ikm, label || rest, N) = Expand(Extract(empty, ikm), ..)`.
pub(crate) fn hkdf<const N: usize>(ikm: &[u8], name: &str, rest: &[u8]) -> [u8; N] {
    expand(&extract(&[], ikm), name, rest)
}

/// The pairing's mailbox and psk: `prk = Extract("pair", secret)`.
pub(crate) fn pairing(web_key: &[u8; 32], secret: &[u8; 32]) -> ([u8; 16], [u8; 32]) {
    let prk = extract(&label("pair"), secret);
    (expand(&prk, "pair mailbox", web_key), expand(&prk, "pair psk", web_key))
}

/// `SHA-256(bytes)`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The secret of a code: `SHA-256("code" || Wq || opening)`.
pub(crate) fn code_secret(web_key: &[u8; 32], opening: &[u8; 32]) -> [u8; 32] {
    sha256(&[&label("code")[..], web_key, opening].concat())
}

/// The check code of `h1 || opening`, four digits.
pub(crate) fn check_code(h1: &[u8; 32], opening: &[u8; 32]) -> String {
    format!("{:04}", u64::from_be_bytes(hkdf(&[*h1, *opening].concat(), "check code", &[])) % 10_000)
}

/// The number NN of `h1 || opening`, two digits.
pub(crate) fn nn(h1: &[u8; 32], opening: &[u8; 32]) -> String {
    format!("{:02}", u64::from_be_bytes(hkdf(&[*h1, *opening].concat(), "check number", &[])) % 100)
}

/// `psk id = HKDF(psk, "id" || mailbox, 8)`.
pub(crate) fn psk_id(psk: &[u8; 32], mailbox: &[u8; 16]) -> [u8; 8] {
    hkdf(psk, "id", mailbox)
}

/// `epoch = HKDF(h, "epoch" || direction, 16)`.
pub(crate) fn epoch(h: &[u8; 32], direction: &str) -> [u8; 16] {
    hkdf(h, "epoch", direction.as_bytes())
}
