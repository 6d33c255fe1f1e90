//! The rules of a handshake: turns, keys, lengths.

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::DhPublic;
use handfast_codec::limits::HANDSHAKE_MESSAGE_LEN_MAX;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::secret::{DhSecret, Psk};
use handfast_handshake::{BadKey, HandshakeError};

fn key(byte: u8) -> DhSecret {
    DhSecret::from_bytes([byte; 32])
}

fn state(name: &str, role: HandshakeRole, keys: Keys) -> Result<HandshakeState, HandshakeError> {
    HandshakeState::new(&Pattern::parse(name).expect("a pattern"), role, b"", keys)
}

/// The two parties of `XKpsk0`.
fn parties() -> (HandshakeState, HandshakeState) {
    let initiator = Keys::new(key(1)).with_s(key(2)).with_rs(key(4).public());
    let responder = Keys::new(key(3)).with_s(key(4));
    let psk = || Psk::from_bytes([5; 32]);
    (
        state("XKpsk0", HandshakeRole::Initiator, initiator.with_psk(psk())).expect("the keys fit"),
        state("XKpsk0", HandshakeRole::Responder, responder.with_psk(psk())).expect("the keys fit"),
    )
}

#[test]
fn a_step_out_of_turn_is_refused() {
    let (initiator, responder) = parties();
    assert_eq!(responder.write_message(b"").err(), Some(HandshakeError::OutOfTurn));
    assert_eq!(initiator.read_message(&[0; 48]).err(), Some(HandshakeError::OutOfTurn));
    let (initiator, _) = parties();
    let (initiator, _) = initiator.write_message(b"").expect("writes");
    assert_eq!(initiator.write_message(b"").err(), Some(HandshakeError::OutOfTurn));
    assert_eq!(parties().0.split().err(), Some(HandshakeError::OutOfTurn));
}

#[test]
fn nothing_follows_the_last_message() {
    let keys = || Keys::new(key(1)).with_rs(key(2).public());
    let finished = || {
        let state = state("N", HandshakeRole::Initiator, keys()).expect("the keys fit");
        state.write_message(b"").expect("writes").0
    };
    assert!(finished().is_finished());
    assert_eq!(finished().write_message(b"").err(), Some(HandshakeError::OutOfTurn));
    assert_eq!(finished().read_message(&[0; 48]).err(), Some(HandshakeError::OutOfTurn));
    assert!(finished().split().is_ok());
}

#[test]
fn the_keys_must_be_those_of_the_pattern() {
    let psk = || Psk::from_bytes([5; 32]);
    let rs = key(4).public();
    for (name, role, keys, error) in [
        ("XX", HandshakeRole::Initiator, Keys::new(key(1)), HandshakeError::MissingKey),
        ("XK", HandshakeRole::Initiator, Keys::new(key(1)).with_s(key(2)), HandshakeError::MissingKey),
        ("NK", HandshakeRole::Responder, Keys::new(key(1)), HandshakeError::MissingKey),
        ("NNpsk0", HandshakeRole::Initiator, Keys::new(key(1)), HandshakeError::MissingKey),
        (
            "NNpsk0+psk2",
            HandshakeRole::Initiator,
            Keys::new(key(1)).with_psk(psk()),
            HandshakeError::MissingKey,
        ),
        ("NN", HandshakeRole::Initiator, Keys::new(key(1)).with_psk(psk()), HandshakeError::SurplusKey),
        ("NN", HandshakeRole::Initiator, Keys::new(key(1)).with_s(key(2)), HandshakeError::SurplusKey),
        ("NX", HandshakeRole::Initiator, Keys::new(key(1)).with_rs(rs), HandshakeError::SurplusKey),
    ] {
        assert_eq!(state(name, role, keys).err(), Some(error), "{name}");
    }
}

#[test]
fn a_known_remote_key_is_checked_at_the_start() {
    // req: HSK-002, HSK-009
    let own = Keys::new(key(1)).with_s(key(2)).with_rs(key(2).public());
    assert_eq!(state("KK", HandshakeRole::Initiator, own).err(), Some(BadKey::Own.into()));
    let odd = Keys::new(key(1)).with_s(key(2)).with_rs(DhPublic::from_bytes([0xff; 32]));
    assert_eq!(state("KK", HandshakeRole::Initiator, odd).err(), Some(BadKey::NonCanonical.into()));
}

#[test]
fn a_message_too_short_for_its_keys_and_tags_is_refused() {
    let message = parties().0.write_message(b"").expect("writes").1;
    assert_eq!(message.len(), 48);
    for len in 0..48 {
        let cut = message.get(..len).expect("shorter");
        assert_eq!(parties().1.read_message(cut).err(), Some(HandshakeError::MessageTooShort), "{len}");
    }
}

#[test]
fn a_message_has_4096_bytes_at_most() {
    // req: HSK-004
    let largest = HANDSHAKE_MESSAGE_LEN_MAX - 48;
    let (_, message) = parties().0.write_message(&vec![0; largest]).expect("writes");
    assert_eq!(message.len(), HANDSHAKE_MESSAGE_LEN_MAX);
    assert_eq!(parties().1.read_message(&message).expect("reads").1.len(), largest);
    let over = parties().0.write_message(&vec![0; largest + 1]);
    assert_eq!(over.err(), Some(HandshakeError::MessageTooLong));
    let mut over = message;
    over.push(0);
    assert_eq!(parties().1.read_message(&over).err(), Some(HandshakeError::MessageTooLong));
}

#[test]
fn a_changed_bit_of_a_message_is_refused() {
    // req: HSK-003
    let message = parties().0.write_message(b"payload").expect("writes").1;
    for bit in 0..message.len() * 8 {
        let mut wrong = message.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let error = parties().1.read_message(&wrong).expect_err("refused");
        assert_eq!(error.code(), ErrorCode::HANDSHAKE_FAILED, "bit {bit}");
    }
}
