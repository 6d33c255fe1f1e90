//! Records sealed and opened a second, beside snow's transport messages of the same length in the same run.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use handfast_codec::relay::DATA_HEADER_LEN;
use handfast_handshake::hazmat::cipher_state;
use handfast_handshake::record::{Opener, Sealer};

/// The smallest, a middle one and the largest record, in bytes of plaintext.
const LENS: [usize; 3] = [128, 2_048, 16_384];

/// Compares in `rounds` turns of `time` each, and prints the best of each.
pub fn compare(time: Duration, rounds: usize) {
    for len in LENS {
        let (mut own, mut peer) = (0.0_f64, 0.0_f64);
        for _ in 0..rounds {
            own = own.max(handfast(len, time));
            peer = peer.max(snow(len, time));
        }
        println!(
            "records of {len} bytes, sealed and opened: {own:.0}/s, snow {peer:.0}/s, ratio {:.2}",
            own / peer
        );
    }
}

/// Runs until the time is over. Returns runs a second.
fn rate(time: Duration, mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut runs = 0_u32;
    while start.elapsed() < time {
        for _ in 0..32 {
            run();
        }
        runs += 32;
    }
    f64::from(runs) / start.elapsed().as_secs_f64()
}

fn handfast(len: usize, time: Duration) -> f64 {
    let mut sealer = Sealer::new(cipher_state([1; 32], 0));
    let mut opener = Opener::new(cipher_state([1; 32], 0));
    rate(time, || {
        // A record is sealed in its own buffer and opened in the one that the socket gave.
        let mut record = BytesMut::with_capacity(DATA_HEADER_LEN + len + 16);
        record.resize(DATA_HEADER_LEN + len, 7);
        sealer.seal(&mut record).expect("sealed");
        let ciphertext = record.split_off(DATA_HEADER_LEN);
        let plaintext = opener.open(ciphertext).expect("opened");
        assert_eq!(plaintext.len(), len);
    })
}

fn snow(len: usize, time: Duration) -> f64 {
    let (mut one, mut other) = transport();
    let plaintext = vec![7; len];
    let (mut message, mut opened) = (vec![0; len + 16], vec![0; len + 16]);
    rate(time, || {
        let sealed = one.write_message(&plaintext, &mut message).expect("sealed");
        let got = other.read_message(&message[..sealed], &mut opened).expect("opened");
        assert_eq!(got, len);
    })
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
