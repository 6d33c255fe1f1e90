//! The Noise protocol framework, revision 34, for `25519_ChaChaPoly_SHA256`: one module for each object of
//! the Noise specification. Patterns are chosen by name.
//!
//! ```
//! use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
//! use handfast_handshake::secret::{DhSecret, Psk};
//!
//! let pattern = Pattern::parse("XKpsk0")?;
//! let (phone_static, web_static) = (DhSecret::from_bytes([1; 32]), DhSecret::from_bytes([2; 32]));
//! let phone = Keys::new(DhSecret::from_bytes([3; 32]))
//!     .with_rs(web_static.public())
//!     .with_s(phone_static)
//!     .with_psk(Psk::from_bytes([5; 32]));
//! let web = Keys::new(DhSecret::from_bytes([4; 32])).with_s(web_static).with_psk(Psk::from_bytes([5; 32]));
//!
//! let initiator = HandshakeState::new(&pattern, HandshakeRole::Initiator, b"prologue", phone)?;
//! let responder = HandshakeState::new(&pattern, HandshakeRole::Responder, b"prologue", web)?;
//! let (initiator, message1) = initiator.write_message(b"")?;
//! let (responder, _) = responder.read_message(&message1)?;
//! let (responder, message2) = responder.write_message(b"hello")?;
//! let (initiator, payload) = initiator.read_message(&message2)?;
//! assert_eq!(payload, b"hello");
//! let (initiator, message3) = initiator.write_message(b"")?;
//! let (responder, _) = responder.read_message(&message3)?;
//! assert_eq!(initiator.split()?.h, responder.split()?.h);
//! # Ok::<(), handfast_handshake::HandshakeError>(())
//! ```
//!
//! A step consumes its state, so a state that has failed or was used cannot be used again:
//!
//! ```compile_fail,E0382
//! # use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
//! # use handfast_handshake::secret::DhSecret;
//! # let pattern = Pattern::parse("NN").unwrap();
//! let keys = Keys::new(DhSecret::from_bytes([3; 32]));
//! let state = HandshakeState::new(&pattern, HandshakeRole::Responder, b"", keys).unwrap();
//! let _failed = state.read_message(b"too short");
//! let _again = state.read_message(b"too short");
//! ```

pub(crate) mod aead;
mod cipher_state;
mod handshake_state;
mod pattern;
mod symmetric_state;

pub use cipher_state::{CipherState, Tag};
pub use handshake_state::{HandshakeRole, HandshakeState, Keys};
pub use pattern::{Pattern, Token};
pub use symmetric_state::Split;
