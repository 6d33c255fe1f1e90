//! Secrets are wiped, and shown by nothing.

use std::fmt::Debug;

use bytes::BytesMut;
use handfast_codec::relay::RECORD_HEADER;
use handfast_handshake::hazmat::cipher_state;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::record::{Opener, Sealer};
use handfast_handshake::secret::{DhSecret, Psk, Rs, SealKey};
use zeroize::ZeroizeOnDrop;

fn zeroizes<T: ZeroizeOnDrop>() {}

#[test]
fn every_secret_is_wiped_when_dropped() {
    zeroizes::<DhSecret>();
    zeroizes::<Psk>();
    zeroizes::<Rs>();
    zeroizes::<SealKey>();
}

/// The key bytes of this test: no other text of a `Debug` output contains them in any base.
const SECRET: [u8; 32] = [0xa7; 32];

#[track_caller]
fn shows_no_key(value: &impl Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        for needle in ["a7", "A7", "167", "0xa7"] {
            assert!(!text.contains(needle), "{text} shows a key");
        }
    }
}

fn keys() -> Keys {
    Keys::new(DhSecret::from_bytes(SECRET))
        .with_s(DhSecret::from_bytes(SECRET))
        .with_psk(Psk::from_bytes(SECRET))
}

#[test]
fn debug_shows_no_key() {
    shows_no_key(&DhSecret::from_bytes(SECRET));
    shows_no_key(&Psk::from_bytes(SECRET));
    shows_no_key(&Rs::from_bytes(SECRET));
    shows_no_key(&SealKey::from_bytes(SECRET));
    shows_no_key(&keys());
    let pattern = Pattern::parse("XXpsk0").expect("a pattern");
    shows_no_key(&pattern);
    let state =
        HandshakeState::new(&pattern, HandshakeRole::Initiator, &SECRET, keys()).expect("the keys fit");
    shows_no_key(&state);
    let (state, _) = state.write_message(&SECRET).expect("writes");
    shows_no_key(&state);
    let failed = state.read_message(&[0xa7; 96]).expect_err("nothing valid");
    shows_no_key(&failed);

    let cipher = cipher_state(SECRET, 0);
    shows_no_key(&cipher);
    let mut sealer = Sealer::new(cipher);
    let mut record = BytesMut::from(&RECORD_HEADER[..]);
    record.resize(RECORD_HEADER.len() + 128, 0xa7);
    sealer.seal(&mut record).expect("seals");
    shows_no_key(&sealer);
    let mut opener = Opener::new(cipher_state(SECRET, 0));
    let _ = opener.open(record.split_off(RECORD_HEADER.len())).expect("opens");
    shows_no_key(&opener);
}

#[test]
fn debug_of_the_keys_of_a_finished_handshake_shows_none() {
    let pattern = Pattern::parse("N").expect("a pattern");
    let remote = DhSecret::from_bytes([1; 32]).public();
    let initiator = Keys::new(DhSecret::from_bytes(SECRET)).with_rs(remote);
    let state =
        HandshakeState::new(&pattern, HandshakeRole::Initiator, b"", initiator).expect("the keys fit");
    let split = state.write_message(b"").expect("writes").0.split().expect("finished");
    let text = format!("{split:?}");
    assert_eq!(text, "Split { .. }");
    assert_eq!(format!("{:?}", split.rs), "Rs { .. }");
    assert_eq!(format!("{:?}", split.initiator_to_responder), "CipherState { n: 0, .. }");
}
