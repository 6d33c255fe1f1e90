//! Secrets are wiped, and shown by nothing.

use std::fmt::Debug;

use bytes::BytesMut;
use handfast_codec::ids::AttachmentId;
use handfast_codec::qr::{OfferSecret, Opening};
use handfast_codec::relay::RECORD_HEADER;
use handfast_handshake::hazmat::{ScriptedRng, cipher_state};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::pairing::{Claims, PairingContext, phone, web};
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
    zeroizes::<SigningKey>();
    zeroizes::<OfferSecret>();
    zeroizes::<Opening>();
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
    shows_no_key(&SigningKey::from_bytes(SECRET));
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
fn debug_of_a_pairing_shows_no_key() {
    // Every draw is the known byte, so every secret of both sides is made of it.
    let rng = || ScriptedRng::new(&[&[0xa7; 1_024]]);
    let context = PairingContext {
        relay: "relay.example".parse().expect("a name"),
        phone: AttachmentId::from_bytes([1; 8]),
        web: AttachmentId::from_bytes([2; 8]),
    };
    let code = web::Code::generate(context.relay.clone(), &mut rng()).expect("a code");
    shows_no_key(&code);
    // The phone's own keys are drawn apart: a side refuses its own static key.
    let mut phone_rng = ScriptedRng::new(&[&[0x5c; 64], &[0xa7; 1_024]]);
    let (at_phone, message1) = phone::start(code.offer(), &context, &mut phone_rng).expect("message 1");
    shows_no_key(&at_phone);
    let claims = Claims { label: "label".to_owned(), origin: String::new(), grants: 1 };
    let mut web_rng = ScriptedRng::new(&[&[0xa7; 32], &[0x3b; 32], &[0xa7; 32], &[0xb4; 32]]);
    let read = code.read_message1(&context, &claims, &message1, &mut web_rng);
    let (at_web, message2) = read.expect("message 2");
    shows_no_key(&at_web);
    let at_phone = at_phone.read(&message2).expect("reads message 2");
    shows_no_key(&at_phone);
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

#[test]
fn debug_of_a_pairing_and_a_link_shows_no_secret() {
    let made = crate::support::scan();
    let shown = made.web.check_code();
    assert_eq!(format!("{shown:?}"), "CheckCode { .. }", "a check code is told to the user alone");
    let number = crate::support::approve().offered.confirmation;
    assert_eq!(format!("{number:?}"), "ConfirmationNumber { .. }", "NN is told to the user alone");
    let texts =
        [format!("{:?}", crate::support::code()), format!("{:?}", made.web), format!("{:?}", made.phone)];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let decimal = |bytes: &[u8]| format!("{bytes:?}");
    for text in texts {
        assert!(!text.contains(&hex(made.offer.secret())), "{text}");
        assert!(!text.contains(&decimal(made.offer.secret())), "{text}");
    }
    let link = crate::support::link();
    let texts = [
        format!("{:?}", link.phone),
        format!("{:?}", link.web),
        format!("{:?}", link.phone_start),
        format!("{:?}", link.web_start),
    ];
    let secrets = [
        link.phone.ps.expose(),
        link.phone.attach.expose(),
        link.phone.recovery.expose(),
        link.web.wd.expose(),
        link.web.we.expose(),
        link.web.attach.expose(),
        link.phone_start.resume.expose(),
    ];
    for text in &texts {
        for secret in secrets {
            assert!(!text.contains(&hex(secret)) && !text.contains(&decimal(secret)), "{text}");
        }
    }
}
