//! Lines of a key log, with which a debugger decrypts a captured connection. The feature `key-log` must never
//! be in a shipped build.
//!
//! `tools/README.md` in the repository describes the lines.
//!
//! # Security
//!
//! Whoever has the line of a direction reads every record of that direction, and can forge records while the
//! connection lasts.

use alloc::string::String;
use core::fmt::Write as _;

use handfast_codec::ids::DhPublic;
use zeroize::Zeroizing;

use crate::secret::CipherKey;

handfast_codec::test_builds_only!("key-log");

/// The length of a line: a label, a space, 128 digits, a space, 64 digits.
const LINE_LEN: usize = LABEL_LEN + 1 + 128 + 1 + 64;
const LABEL_LEN: usize = 22;
const INITIATOR: &str = "HANDFAST_INITIATOR_KEY";
const RESPONDER: &str = "HANDFAST_RESPONDER_KEY";
const _: () = assert!(INITIATOR.len() == LABEL_LEN && RESPONDER.len() == LABEL_LEN);

/// The handshake that a key comes from, by what crosses the wire in clear, and the direction that it encrypts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The initiator's ephemeral key, with which message 1 begins.
    pub(crate) initiator: DhPublic,
    /// The responder's ephemeral key, with which message 2 begins.
    pub(crate) responder: DhPublic,
    /// Whether the initiator encrypts with the key, or the responder.
    pub(crate) from_initiator: bool,
}

impl Origin {
    /// Returns the line of a key. It never grows, so no copy of the key is left behind.
    pub(crate) fn line(&self, key: &CipherKey) -> Zeroizing<String> {
        let mut line = Zeroizing::new(String::with_capacity(LINE_LEN));
        line.push_str(if self.from_initiator { INITIATOR } else { RESPONDER });
        line.push(' ');
        put_hex(&mut line, self.initiator.as_bytes());
        put_hex(&mut line, self.responder.as_bytes());
        line.push(' ');
        put_hex(&mut line, key.expose());
        line
    }
}

fn put_hex(line: &mut String, bytes: &[u8; 32]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(line, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_length_that_is_reserved_for_it() {
        for (from_initiator, label) in [(true, INITIATOR), (false, RESPONDER)] {
            let origin = Origin {
                initiator: DhPublic::from_bytes([0x1a; 32]),
                responder: DhPublic::from_bytes([0x2b; 32]),
                from_initiator,
            };
            let line = origin.line(&CipherKey::from_bytes([0x03; 32]));
            let (one, two, key) = ("1a".repeat(32), "2b".repeat(32), "03".repeat(32));
            assert_eq!(*line, alloc::format!("{label} {one}{two} {key}"));
            assert_eq!((line.len(), line.capacity()), (LINE_LEN, LINE_LEN));
        }
    }
}
