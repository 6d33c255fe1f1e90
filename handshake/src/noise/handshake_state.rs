//! Noise 5.3, the `HandshakeState`: each message of a handshake is one step that consumes the state.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use handfast_codec::ids::DhPublic;
use handfast_codec::limits::{HANDSHAKE_MESSAGE_LEN_MAX, TAG_LEN};

use super::pattern::{Pattern, Token};
use super::symmetric_state::{Split, SymmetricState};
use crate::error::{BadKey, HandshakeError};
use crate::secret::{DhSecret, Psk, require_canonical};

/// The length of a public key, in bytes.
const DH_LEN: usize = 32;

/// The role of a party in a handshake. It is independent of the device role,
/// `handfast_codec::role::DeviceRole`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a handshake has two parties")]
pub enum HandshakeRole {
    /// The party that sends the first message.
    Initiator,
    /// The party that sends the second message.
    Responder,
}

/// The keys that a party brings to a handshake.
pub struct Keys {
    e: DhSecret,
    s: Option<DhSecret>,
    rs: Option<DhPublic>,
    psks: VecDeque<Psk>,
}

impl Keys {
    /// Creates a set of keys with only the ephemeral key, which must be fresh.
    #[must_use]
    pub const fn new(e: DhSecret) -> Self {
        Self { e, s: None, rs: None, psks: VecDeque::new() }
    }

    /// Adds this party's own static key.
    #[must_use]
    pub fn with_s(mut self, s: DhSecret) -> Self {
        self.s = Some(s);
        self
    }

    /// Adds the other party's static key, if it is known before the handshake.
    #[must_use]
    pub const fn with_rs(mut self, rs: DhPublic) -> Self {
        self.rs = Some(rs);
        self
    }

    /// Adds one pre-shared key. If the pattern has several, call it in the order of the pattern's `psk`
    /// tokens.
    #[must_use]
    pub fn with_psk(mut self, psk: Psk) -> Self {
        self.psks.push_back(psk);
        self
    }
}

/// The state of a handshake between two of its messages.
///
/// Each step consumes the state, and returns the next state only on success. After a failure there is no
/// state, and its keys are wiped.
// req: HSK-003
pub struct HandshakeState {
    symmetric: SymmetricState,
    role: HandshakeRole,
    keys: Keys,
    re: Option<DhPublic>,
    psk_mode: bool,
    messages: VecDeque<Vec<Token>>,
    /// Whether this party sends the next message.
    my_turn: bool,
}

impl HandshakeState {
    /// Noise `Initialize`: mixes in the prologue and the static keys that are known beforehand.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::MissingKey`] or [`HandshakeError::SurplusKey`] if the keys are not those that the
    /// pattern needs for this role; [`HandshakeError::BadKey`] if the known remote key is not canonical or is
    /// this party's own.
    pub fn new(
        pattern: &Pattern,
        role: HandshakeRole,
        prologue: &[u8],
        keys: Keys,
    ) -> Result<Self, HandshakeError> {
        let initiates = role == HandshakeRole::Initiator;
        require_keys(pattern, initiates, &keys)?;
        let mut symmetric = SymmetricState::new(pattern.protocol_name());
        symmetric.mix_hash(prologue);
        let local = keys.s.as_ref().map(DhSecret::public);
        let (initiator, responder) = if initiates { (local, keys.rs) } else { (keys.rs, local) };
        if let Some(s) = initiator.filter(|_| pattern.initiator_is_known()) {
            symmetric.mix_hash(s.as_bytes());
        }
        if let Some(s) = responder.filter(|_| pattern.responder_is_known()) {
            symmetric.mix_hash(s.as_bytes());
        }
        let state = Self {
            symmetric,
            role,
            psk_mode: pattern.psk_count() > 0,
            messages: pattern.messages().iter().cloned().collect(),
            my_turn: initiates,
            keys,
            re: None,
        };
        if let Some(rs) = &state.keys.rs {
            state.require_remote_static(rs)?;
        }
        Ok(state)
    }

    /// Writes the next message, with this payload.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OutOfTurn`] if the other party must send or the handshake is finished,
    /// [`HandshakeError::MessageTooLong`] beyond 4,096 bytes, [`HandshakeError::BadKey`] if a shared secret
    /// is all zeros.
    pub fn write_message(mut self, payload: &[u8]) -> Result<(Self, Vec<u8>), HandshakeError> {
        let tokens = self.next_message(true)?;
        let len = self.overhead(&tokens).saturating_add(payload.len());
        if len > HANDSHAKE_MESSAGE_LEN_MAX {
            return Err(HandshakeError::MessageTooLong);
        }
        let mut message = Vec::with_capacity(len);
        for token in tokens {
            match token {
                Token::E => {
                    let e = self.keys.e.public();
                    message.extend_from_slice(e.as_bytes());
                    self.mix_ephemeral(&e);
                }
                Token::S => {
                    let s = self.keys.s.as_ref().ok_or(HandshakeError::MissingKey)?.public();
                    self.symmetric.encrypt_and_hash(s.as_bytes(), &mut message)?;
                }
                other => self.mix(other)?,
            }
        }
        self.symmetric.encrypt_and_hash(payload, &mut message)?;
        Ok((self, message))
    }

    /// Reads the next message and returns its payload.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::MessageTooLong`] beyond 4,096 bytes, [`HandshakeError::MessageTooShort`] if the keys
    /// and tags do not fit, [`HandshakeError::OutOfTurn`] if this party must send or the handshake is
    /// finished, [`HandshakeError::BadKey`] for a key that is not canonical, of low order or this party's
    /// own, [`HandshakeError::Decrypt`] if a tag is invalid.
    pub fn read_message(mut self, message: &[u8]) -> Result<(Self, Vec<u8>), HandshakeError> {
        // req: HSK-004
        if message.len() > HANDSHAKE_MESSAGE_LEN_MAX {
            return Err(HandshakeError::MessageTooLong);
        }
        let tokens = self.next_message(false)?;
        if message.len() < self.overhead(&tokens) {
            return Err(HandshakeError::MessageTooShort);
        }
        let mut rest = message;
        for token in tokens {
            match token {
                Token::E => {
                    let (re, after) = split_key(rest)?;
                    require_canonical(&re)?;
                    self.mix_ephemeral(&re);
                    self.re = Some(re);
                    rest = after;
                }
                Token::S => {
                    let len = DH_LEN.saturating_add(if self.symmetric.has_key() { TAG_LEN } else { 0 });
                    let (sealed, after) =
                        rest.split_at_checked(len).ok_or(HandshakeError::MessageTooShort)?;
                    let opened = self.symmetric.decrypt_and_hash(sealed)?;
                    let (rs, _) = split_key(&opened)?;
                    self.require_remote_static(&rs)?;
                    self.keys.rs = Some(rs);
                    rest = after;
                }
                other => self.mix(other)?,
            }
        }
        let payload = self.symmetric.decrypt_and_hash(rest)?;
        Ok((self, payload))
    }

    /// Returns whether all messages of the pattern were exchanged.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns this party's static key, if the pattern has one.
    pub(crate) const fn local_static(&self) -> Option<&DhSecret> {
        self.keys.s.as_ref()
    }

    /// Returns this party's handshake role.
    #[must_use]
    pub const fn role(&self) -> HandshakeRole {
        self.role
    }

    /// Returns Noise's `h` at this point; after message 1 it is `h1`.
    #[must_use]
    pub const fn handshake_hash(&self) -> [u8; 32] {
        self.symmetric.handshake_hash()
    }

    /// Returns the other party's static key, if it is known yet.
    #[must_use]
    pub const fn remote_static(&self) -> Option<DhPublic> {
        self.keys.rs
    }

    /// Ends the handshake, and returns the keys for its connection.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OutOfTurn`] if a message is missing.
    pub fn split(self) -> Result<Split, HandshakeError> {
        if !self.is_finished() {
            return Err(HandshakeError::OutOfTurn);
        }
        #[cfg(feature = "key-log")]
        let ephemeral = self.ephemeral_keys();
        let split = self.symmetric.split();
        #[cfg(feature = "key-log")]
        let split = split.with_origin(ephemeral);
        Ok(split)
    }

    /// Returns the initiator's and the responder's ephemeral public key.
    #[cfg(feature = "key-log")]
    fn ephemeral_keys(&self) -> Option<[DhPublic; 2]> {
        let (own, peer) = (self.keys.e.public(), self.re?);
        Some(match self.role {
            HandshakeRole::Initiator => [own, peer],
            HandshakeRole::Responder => [peer, own],
        })
    }

    #[cfg(feature = "hazmat")]
    pub(crate) fn symmetric_parts(
        &self,
    ) -> (&crate::secret::ChainingKey, Option<&super::cipher_state::CipherState>) {
        self.symmetric.parts()
    }

    /// Takes the tokens of the next message from the pattern. `writing` tells whether this party wants to
    /// write that message or to read it.
    fn next_message(&mut self, writing: bool) -> Result<Vec<Token>, HandshakeError> {
        if self.my_turn != writing {
            return Err(HandshakeError::OutOfTurn);
        }
        self.my_turn = !self.my_turn;
        self.messages.pop_front().ok_or(HandshakeError::OutOfTurn)
    }

    /// Returns the length of a message with these tokens, without its payload, in bytes.
    fn overhead(&self, tokens: &[Token]) -> usize {
        let mut keyed = self.symmetric.has_key();
        let mut len = 0_usize;
        for token in tokens {
            match token {
                Token::E => {
                    len = len.saturating_add(DH_LEN);
                    keyed |= self.psk_mode;
                }
                Token::S => len = len.saturating_add(if keyed { DH_LEN + TAG_LEN } else { DH_LEN }),
                Token::Ee | Token::Es | Token::Se | Token::Ss | Token::Psk => keyed = true,
            }
        }
        len.saturating_add(if keyed { TAG_LEN } else { 0 })
    }

    /// Calls `MixHash(e)`. In a pattern with a pre-shared key it also calls `MixKey(e)` (Noise 9.2).
    fn mix_ephemeral(&mut self, e: &DhPublic) {
        self.symmetric.mix_hash(e.as_bytes());
        if self.psk_mode {
            self.symmetric.mix_key(e.as_bytes());
        }
    }

    /// Mixes in a token for which no bytes are sent: `MixKey(DH(..))` or `MixKeyAndHash(psk)`.
    fn mix(&mut self, token: Token) -> Result<(), HandshakeError> {
        let initiates = self.role == HandshakeRole::Initiator;
        let s = self.keys.s.as_ref();
        let e = Some(&self.keys.e);
        let (local, remote) = match token {
            Token::Ee => (e, &self.re),
            Token::Ss => (s, &self.keys.rs),
            Token::Es if initiates => (e, &self.keys.rs),
            Token::Es => (s, &self.re),
            Token::Se if initiates => (s, &self.re),
            Token::Se => (e, &self.keys.rs),
            Token::Psk => {
                let psk = self.keys.psks.pop_front().ok_or(HandshakeError::MissingKey)?;
                self.symmetric.mix_key_and_hash(&psk);
                return Ok(());
            }
            Token::E | Token::S => return Err(HandshakeError::OutOfTurn),
        };
        let (Some(local), Some(remote)) = (local, remote) else {
            return Err(HandshakeError::MissingKey);
        };
        let shared = local.diffie_hellman(remote)?;
        self.symmetric.mix_key(shared.as_bytes());
        Ok(())
    }

    /// Refuses a static key of the other party that is not canonical, or that is this party's own.
    fn require_remote_static(&self, rs: &DhPublic) -> Result<(), HandshakeError> {
        require_canonical(rs)?;
        // req: HSK-002
        if self.keys.s.as_ref().is_some_and(|s| s.public() == *rs) {
            return Err(BadKey::Own.into());
        }
        Ok(())
    }
}

/// Checks that the keys are exactly those that the pattern needs for this role.
fn require_keys(pattern: &Pattern, initiates: bool, keys: &Keys) -> Result<(), HandshakeError> {
    let (local_known, remote_known) = if initiates {
        (pattern.initiator_is_known(), pattern.responder_is_known())
    } else {
        (pattern.responder_is_known(), pattern.initiator_is_known())
    };
    let mine = pattern.messages().iter().skip(usize::from(!initiates)).step_by(2).flatten();
    let needs_s = local_known || mine.into_iter().any(|token| *token == Token::S);
    let given = [usize::from(keys.s.is_some()), usize::from(keys.rs.is_some()), keys.psks.len()];
    let needed = [usize::from(needs_s), usize::from(remote_known), pattern.psk_count()];
    let mut pairs = given.iter().zip(&needed);
    if pairs.any(|(given, needed)| given < needed) {
        return Err(HandshakeError::MissingKey);
    }
    if given != needed {
        return Err(HandshakeError::SurplusKey);
    }
    Ok(())
}

fn split_key(bytes: &[u8]) -> Result<(DhPublic, &[u8]), HandshakeError> {
    let (key, rest) = bytes.split_first_chunk::<DH_LEN>().ok_or(HandshakeError::MessageTooShort)?;
    Ok((DhPublic::from_bytes(*key), rest))
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl fmt::Debug for HandshakeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeState")
            .field("role", &self.role)
            .field("messages_left", &self.messages.len())
            .finish_non_exhaustive()
    }
}
