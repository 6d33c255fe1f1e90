//! Noise 7 to 9: patterns by name, and the tokens of their messages.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::error::HandshakeError;

/// A token of a message pattern (Noise 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the seven tokens of Noise revision 34")]
pub enum Token {
    /// The sender's ephemeral public key.
    E,
    /// The sender's static public key, encrypted if there is a cipher key.
    S,
    /// DH of the two ephemeral keys.
    Ee,
    /// DH of the initiator's ephemeral with the responder's static key.
    Es,
    /// DH of the initiator's static with the responder's ephemeral key.
    Se,
    /// DH of the two static keys.
    Ss,
    /// A pre-shared key is mixed in.
    Psk,
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "e" => Self::E,
            "s" => Self::S,
            "ee" => Self::Ee,
            "es" => Self::Es,
            "se" => Self::Se,
            "ss" => Self::Ss,
            _ => return None,
        })
    }
}

/// The base patterns (Noise 7.4, 7.5, 7.6). Each row has three parts: the name; the static keys that the
/// other party knows beforehand (`i` the initiator's, `r` the responder's); and the messages, beginning with
/// the initiator's.
const BASE: &[(&str, &str, &str)] = &[
    ("N", "r", "e es"),
    ("K", "ir", "e es ss"),
    ("X", "r", "e es s ss"),
    ("NN", "", "e | e ee"),
    ("NK", "r", "e es | e ee"),
    ("NX", "", "e | e ee s es"),
    ("XN", "", "e | e ee | s se"),
    ("XK", "r", "e es | e ee | s se"),
    ("XX", "", "e | e ee s es | s se"),
    ("KN", "i", "e | e ee se"),
    ("KK", "ir", "e es ss | e ee se"),
    ("KX", "i", "e | e ee se s es"),
    ("IN", "", "e s | e ee se"),
    ("IK", "r", "e es s ss | e ee se"),
    ("IX", "", "e s | e ee se s es"),
    ("NK1", "r", "e | e ee es"),
    ("NX1", "", "e | e ee s | es"),
    ("X1N", "", "e | e ee | s | se"),
    ("X1K", "r", "e es | e ee | s | se"),
    ("XK1", "r", "e | e ee es | s se"),
    ("X1K1", "r", "e | e ee es | s | se"),
    ("X1X", "", "e | e ee s es | s | se"),
    ("XX1", "", "e | e ee s | es s se"),
    ("X1X1", "", "e | e ee s | es s | se"),
    ("K1N", "i", "e | e ee | se"),
    ("K1K", "ir", "e es | e ee | se"),
    ("KK1", "ir", "e | e ee se es"),
    ("K1K1", "ir", "e | e ee es | se"),
    ("K1X", "i", "e | e ee s es | se"),
    ("KX1", "i", "e | e ee se s | es"),
    ("K1X1", "i", "e | e ee s | se es"),
    ("I1N", "", "e s | e ee | se"),
    ("I1K", "r", "e es s | e ee | se"),
    ("IK1", "r", "e s | e ee se es"),
    ("I1K1", "r", "e s | e ee es | se"),
    ("I1X", "", "e s | e ee s es | se"),
    ("IX1", "", "e s | e ee se s | es"),
    ("I1X1", "", "e s | e ee s | se es"),
];

/// The part of a protocol name that follows the pattern.
const SUITE: &str = "_25519_ChaChaPoly_SHA256";

/// A handshake pattern with its modifiers, such as `XKpsk0` or `KKpsk0+psk2`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    protocol_name: String,
    initiator_known: bool,
    responder_known: bool,
    messages: Vec<Vec<Token>>,
}

impl Pattern {
    /// Parses a pattern name: a base pattern, then any of `psk0` to `psk<messages>`, ascending and joined by
    /// `+`.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnknownPattern`] for any other name.
    pub fn parse(name: &str) -> Result<Self, HandshakeError> {
        let (base, modifiers) = match name.find("psk") {
            Some(at) => name.split_at_checked(at).ok_or(HandshakeError::UnknownPattern)?,
            None => (name, ""),
        };
        let &(_, known, messages) =
            BASE.iter().find(|(row, ..)| *row == base).ok_or(HandshakeError::UnknownPattern)?;
        let mut messages: Vec<Vec<Token>> = messages
            .split(" | ")
            .map(|message| message.split(' ').filter_map(Token::parse).collect())
            .collect();
        for position in psk_positions(modifiers)? {
            place_psk(&mut messages, position)?;
        }
        Ok(Self {
            protocol_name: ["Noise_", name, SUITE].concat(),
            initiator_known: known.contains('i'),
            responder_known: known.contains('r'),
            messages,
        })
    }

    /// Parses a whole protocol name, such as `Noise_XKpsk0_25519_ChaChaPoly_SHA256`.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnknownPattern`] for another suite or an unknown pattern.
    pub fn from_protocol_name(name: &str) -> Result<Self, HandshakeError> {
        let pattern = name.strip_prefix("Noise_").and_then(|rest| rest.strip_suffix(SUITE));
        Self::parse(pattern.ok_or(HandshakeError::UnknownPattern)?)
    }

    /// Returns the names of all base patterns.
    pub fn base_names() -> impl Iterator<Item = &'static str> {
        BASE.iter().map(|(name, ..)| *name)
    }

    /// Returns the protocol name, which is mixed into the handshake hash.
    #[must_use]
    pub fn protocol_name(&self) -> &str {
        &self.protocol_name
    }

    /// Returns the pattern's name without prefix and suite, such as `XKpsk0`.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.protocol_name.strip_prefix("Noise_").and_then(|rest| rest.strip_suffix(SUITE));
        name.unwrap_or_default().to_owned()
    }

    /// Returns the tokens of each message, beginning with the initiator's.
    #[must_use]
    pub fn messages(&self) -> &[Vec<Token>] {
        &self.messages
    }

    /// Returns the number of pre-shared keys in the pattern.
    #[must_use]
    pub fn psk_count(&self) -> usize {
        self.messages.iter().flatten().filter(|token| **token == Token::Psk).count()
    }

    /// Returns whether only the initiator sends, during and after the handshake (Noise 7.4).
    #[must_use]
    pub fn is_one_way(&self) -> bool {
        self.messages.len() == 1
    }

    /// Returns whether the responder knows the initiator's static key before the first message.
    #[must_use]
    pub const fn initiator_is_known(&self) -> bool {
        self.initiator_known
    }

    /// Returns whether the initiator knows the responder's static key before the first message.
    #[must_use]
    pub const fn responder_is_known(&self) -> bool {
        self.responder_known
    }
}

/// Parses psk modifiers: `psk0+psk2` becomes `[0, 2]`. Modifiers whose order has no meaning must be sorted
/// (Noise 8.1).
fn psk_positions(modifiers: &str) -> Result<Vec<usize>, HandshakeError> {
    let mut positions = Vec::new();
    for modifier in modifiers.split('+').filter(|_| !modifiers.is_empty()) {
        let position = match modifier.strip_prefix("psk").map(str::as_bytes) {
            Some([digit @ b'0'..=b'9']) => usize::from(digit.wrapping_sub(b'0')),
            _ => return Err(HandshakeError::UnknownPattern),
        };
        if positions.last().is_some_and(|last| *last >= position) {
            return Err(HandshakeError::UnknownPattern);
        }
        positions.push(position);
    }
    Ok(positions)
}

/// Inserts a psk token: `psk0` at the start of the first message, `pskN` at the end of the Nth (Noise 9.4).
fn place_psk(messages: &mut [Vec<Token>], position: usize) -> Result<(), HandshakeError> {
    match position.checked_sub(1) {
        None => messages.first_mut().map(|message| message.insert(0, Token::Psk)),
        Some(index) => messages.get_mut(index).map(|message| message.push(Token::Psk)),
    }
    .ok_or(HandshakeError::UnknownPattern)
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.protocol_name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn the_table_has_the_patterns_of_the_specification() {
        let names: BTreeSet<_> = Pattern::base_names().collect();
        assert_eq!(names.len(), 3 + 12 + 23);
        let deferred = names.iter().filter(|name| name.contains('1')).count();
        assert_eq!(deferred, 23);
        for name in names {
            let pattern = Pattern::parse(name).expect("a base pattern");
            // Checks that parsing has dropped no token of the table of base patterns.
            let (_, _, text) = BASE.iter().find(|row| row.0 == name).expect("a row");
            let words = text.split(' ').filter(|word| *word != "|").count();
            assert_eq!(pattern.messages().iter().flatten().count(), words, "{name}");
            assert_eq!(pattern.name(), name);
        }
    }

    /// Checks the rule of Noise 7.3: each party sends each of its keys at most once, and no DH is done twice.
    #[test]
    fn the_table_is_valid() {
        for name in Pattern::base_names() {
            let pattern = Pattern::parse(name).expect("a base pattern");
            let tokens: Vec<_> = pattern.messages().iter().flatten().collect();
            for token in [Token::Ee, Token::Es, Token::Se, Token::Ss] {
                assert!(tokens.iter().filter(|found| ***found == token).count() <= 1, "{name}: {token:?}");
            }
            for (index, known) in
                [pattern.initiator_is_known(), pattern.responder_is_known()].into_iter().enumerate()
            {
                let sent: Vec<_> = pattern.messages().iter().skip(index).step_by(2).flatten().collect();
                let statics = sent.iter().filter(|token| ***token == Token::S).count() + usize::from(known);
                let class = name.chars().filter(|c| c.is_alphabetic()).nth(index);
                let expected = if pattern.is_one_way() {
                    usize::from(index == 1 || name != "N")
                } else {
                    usize::from(class != Some('N'))
                };
                assert_eq!(statics, expected, "{name}: statics of party {index}");
            }
        }
    }

    #[test]
    fn modifiers_place_the_psk() {
        let first = |name: &str| Pattern::parse(name).expect("a pattern").messages().to_vec();
        assert_eq!(first("XKpsk0")[0], [Token::Psk, Token::E, Token::Es]);
        assert_eq!(first("XKpsk3")[2], [Token::S, Token::Se, Token::Psk]);
        assert_eq!(first("NNpsk0+psk1")[0], [Token::Psk, Token::E, Token::Psk]);
        assert_eq!(Pattern::parse("XXpsk0+psk1+psk2+psk3").expect("a pattern").psk_count(), 4);
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "",
            "n",
            "XKpsk",
            "XKpsk4",
            "XKpsk00",
            "XKpsk0+",
            "XKpsk0+psk0",
            "XKpsk1+psk0",
            "XKpsk0+fallback",
            "XXfallback",
            "XKpsk0 ",
            "psk0",
            "XK+psk0",
            "N2",
            "Npsk2",
            "XKpsk-1",
            "XKpské",
        ] {
            assert_eq!(Pattern::parse(name), Err(HandshakeError::UnknownPattern), "{name}");
        }
        for name in ["XKpsk0", "Noise_XKpsk0_25519_AESGCM_SHA256", "Noise_XKpsk0_25519_ChaChaPoly_SHA256x"] {
            assert_eq!(Pattern::from_protocol_name(name), Err(HandshakeError::UnknownPattern), "{name}");
        }
        let name = "Noise_XKpsk0_25519_ChaChaPoly_SHA256";
        assert_eq!(Pattern::from_protocol_name(name).expect("a name").protocol_name(), name);
    }
}
