//! Records that are sealed and opened, beside the AEAD alone of two libraries and beside snow's transport messages.

use bytes::BytesMut;
use handfast_codec::relay::DATA_HEADER_LEN;
use handfast_e2e::bench::{Row, Target};
use handfast_handshake::hazmat::cipher_state;
use handfast_handshake::record::{Opener, Sealer};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::turns::microseconds;

/// Lengths of plaintext in bytes: the smallest record, a middle one, the largest; each with what its time should be at
/// most: as a part of snow's with the default AEAD, and of that of `ring` alone with `ring`.
const LENS: [(usize, f64, Option<f64>); 3] =
    [(128, 0.60, Some(1.30)), (2_048, 1.0, None), (16_384, 1.0, Some(1.05))];
const TAG_LEN: usize = 16;

/// Measures each length.
pub fn rows() -> Vec<Row> {
    LENS.into_iter().flat_map(|(len, snow, ring)| row(len, snow, ring)).collect()
}

fn row(len: usize, of_snow: f64, of_ring: Option<f64>) -> [Row; 2] {
    let (mut handfast, mut snow, mut ring) = (handfast(len), snow(len), ring(len));
    let [ours, theirs, bare] = microseconds([&mut handfast, &mut snow, &mut ring]);
    let is_ring = cfg!(feature = "ring");
    let with = if is_ring { ", with `ring`" } else { "" };
    let row = |against: &str, peer, target| Row {
        what: format!("a record of {len} bytes, sealed and opened{with}"),
        against: against.to_owned(),
        unit: "us".to_owned(),
        ours,
        peer,
        target,
        note: String::new(),
    };
    [
        row("snow 0.10, a transport message", theirs, (!is_ring).then_some(Target::AtMost(of_snow))),
        row("ring 0.17, its AEAD on the same bytes", bare, of_ring.filter(|_| is_ring).map(Target::AtMost)),
    ]
}

fn handfast(len: usize) -> impl FnMut() {
    let mut sealer = Sealer::new(cipher_state([1; 32], 0));
    let mut opener = Opener::new(cipher_state([1; 32], 0));
    move || {
        // A record is sealed in its own buffer and opened in the one that the socket gave.
        let mut record = BytesMut::with_capacity(DATA_HEADER_LEN + len + TAG_LEN);
        record.resize(DATA_HEADER_LEN + len, 7);
        sealer.seal(&mut record).expect("sealed");
        let ciphertext = record.split_off(DATA_HEADER_LEN);
        let plaintext = opener.open(ciphertext).expect("opened");
        assert_eq!(plaintext.len(), len);
    }
}

fn snow(len: usize) -> impl FnMut() {
    let (mut one, mut other) = transport();
    let plaintext = vec![7; len];
    let (mut message, mut opened) = (vec![0; len + TAG_LEN], vec![0; len + TAG_LEN]);
    move || {
        let sealed = one.write_message(&plaintext, &mut message).expect("sealed");
        let got = other.read_message(&message[..sealed], &mut opened).expect("opened");
        assert_eq!(got, len);
    }
}

fn ring(len: usize) -> impl FnMut() {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[1; 32]).expect("a key"));
    let mut counter = 0_u64;
    let mut message = vec![7; len];
    move || {
        let nonce = || {
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&counter.to_le_bytes());
            Nonce::assume_unique_for_key(nonce)
        };
        key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut message).expect("sealed");
        let opened = key.open_in_place(nonce(), Aad::empty(), &mut message).expect("opened");
        assert_eq!(opened.len(), len);
        message.truncate(len);
        counter += 1;
    }
}

/// Both ends of a connection of snow, with the same cipher.
fn transport() -> (snow::TransportState, snow::TransportState) {
    let pattern = "Noise_NN_25519_ChaChaPoly_SHA256";
    let builder = || snow::Builder::new(pattern.parse().expect("a pattern"));
    let mut one = builder().build_initiator().expect("an initiator");
    let mut other = builder().build_responder().expect("a responder");
    let (mut message, mut read) = ([0; 256], [0; 256]);
    let len = one.write_message(&[], &mut message).expect("message 1");
    let _ = other.read_message(&message[..len], &mut read).expect("message 1 is read");
    let len = other.write_message(&[], &mut message).expect("message 2");
    let _ = one.read_message(&message[..len], &mut read).expect("message 2 is read");
    (one.into_transport_mode().expect("ready"), other.into_transport_mode().expect("ready"))
}
