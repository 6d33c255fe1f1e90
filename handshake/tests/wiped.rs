//! Whether dropped secrets can still be found in the memory of this process (FAULTS.md, XC04).
//!
//! What is searched for is computed byte by byte while it is compared, so that the search leaves no copy of its own.
//! Heap and static memory must hold none; what is left on the stack is printed.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use handfast_codec::ids::AttachmentId;
use handfast_codec::qr::QrOffer;
use handfast_handshake::hazmat::{ScriptedRng, cipher_state};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::pairing::web::{Code, Message1Refused};
use handfast_handshake::pairing::{Claims, PairingContext, phone};
use handfast_handshake::record::Sealer;
use handfast_handshake::secret::{DhSecret, Psk};

const LEN: usize = 32;
/// How much is read at a time.
const CHUNK: usize = 1 << 20;

/// Holds the other tests up: the buffer of one search holds what another one searches for.
fn alone() -> MutexGuard<'static, ()> {
    static SEARCH: Mutex<()> = Mutex::new(());
    SEARCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A byte of the secret of this number.
fn byte(secret: u8, at: usize) -> u8 {
    let at = u8::try_from(at).unwrap();
    at.wrapping_mul(73).wrapping_add(secret.wrapping_mul(151)) ^ 0x5a ^ (at << 3)
}

fn key(secret: u8) -> [u8; LEN] {
    core::array::from_fn(|at| byte(secret, at))
}

/// How many copies of a secret lie outside this thread's stack, and on it.
fn copies(secret: u8) -> (usize, usize) {
    let here = 0_u8;
    let stack_at = format!("{:p}", &raw const here);
    let stack_at = u64::from_str_radix(stack_at.trim_start_matches("0x"), 16).unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut buffer = vec![0; CHUNK];
    let (mut elsewhere, mut on_stack) = (0, 0);
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        let (from, to) = range.split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let count = if (from..to).contains(&stack_at) { &mut on_stack } else { &mut elsewhere };
        let mut at = from;
        while at < to {
            buffer.fill(0);
            // What is mapped and cannot be read holds no secret of ours.
            let Ok(len) = memory.read_at(&mut buffer, at) else { break };
            let len = len.min(usize::try_from(to - at).unwrap());
            let found = buffer[..len].windows(LEN).filter(|window| {
                let mut bytes = window.iter().enumerate();
                bytes.all(|(at, found)| *found == byte(secret, at))
            });
            *count += found.count();
            if len < CHUNK {
                break;
            }
            at += u64::try_from(len - LEN + 1).unwrap();
        }
    }
    (elsewhere, on_stack)
}

/// Nothing of these secrets lies outside the stack any more.
#[track_caller]
fn all_gone(secrets: impl IntoIterator<Item = u8>) {
    for secret in secrets {
        let (elsewhere, on_stack) = copies(secret);
        println!("secret {secret}: {elsewhere} copies outside the stack, {on_stack} on it");
        assert_eq!(elsewhere, 0, "secret {secret} can be found");
    }
}

#[test]
fn a_dropped_secret_is_not_found_in_memory() {
    let _alone = alone();
    let (psk, dh, signing) =
        (Psk::from_bytes(key(1)), DhSecret::from_bytes(key(2)), SigningKey::from_bytes(key(3)));
    let _ = signing.sign(b"text");
    for secret in [1, 2, 3] {
        assert!(copies(secret).0 > 0, "the search finds secret {secret} while it lives");
    }
    drop((psk, dh, signing));
    all_gone([1, 2, 3]);
}

#[test]
fn the_keys_of_a_handshake_are_not_found_in_memory() {
    let _alone = alone();
    let pattern = Pattern::parse("XXpsk0").unwrap();
    let party = |e: u8, s: u8| {
        Keys::new(DhSecret::from_bytes(key(e)))
            .with_s(DhSecret::from_bytes(key(s)))
            .with_psk(Psk::from_bytes(key(9)))
    };
    let start = |role, keys| HandshakeState::new(&pattern, role, b"", keys).unwrap();
    let initiator = start(HandshakeRole::Initiator, party(5, 6));
    let responder = start(HandshakeRole::Responder, party(7, 8));
    assert!(copies(9).0 >= 2, "both hold it");
    let (initiator, one) = initiator.write_message(b"").unwrap();
    let (responder, two) = responder.read_message(&one).unwrap().0.write_message(b"").unwrap();
    let (initiator, three) = initiator.read_message(&two).unwrap().0.write_message(b"").unwrap();
    let responder = responder.read_message(&three).unwrap().0;
    let (here, there) = (initiator.split().unwrap(), responder.split().unwrap());
    all_gone([5, 6, 7, 8, 9]);
    drop((here, there));
}

#[test]
fn the_key_of_records_is_not_found_in_memory() {
    let _alone = alone();
    let mut sealer = Sealer::new(cipher_state(key(10), 0));
    let mut record = BytesMut::from(&[0; 130][..]);
    sealer.seal(&mut record).unwrap();
    assert!(copies(10).0 > 0, "the search finds the key while it is used");
    drop(sealer);
    all_gone([10]);
}

fn context() -> PairingContext {
    PairingContext {
        relay: "relay.example".parse().unwrap(),
        phone: AttachmentId::from_bytes([1; 8]),
        web: AttachmentId::from_bytes([2; 8]),
    }
}

/// A code whose opening is the secret of this number.
fn code_opened_by(secret: u8) -> Code {
    let mut rng = ScriptedRng::new(&[&[0x33; 32], &key(secret)]);
    Code::generate(context().relay, &mut rng).unwrap()
}

#[test]
fn the_opening_of_a_code_is_not_found_in_memory_once_message_2_was_made_or_the_code_is_shown_no_longer() {
    let _alone = alone();
    // req: HSK-105
    let claims = Claims { label: "label".to_owned(), origin: String::new(), grants: 1 };
    let answered = code_opened_by(20);
    let offer = QrOffer::decode(&answered.offer().encode()).unwrap();
    let mut rng = ScriptedRng::new(&[&[0x5c; 32], &[0x5d; 32]]);
    let (_phone, message1) = phone::start(&offer, &context(), &mut rng).unwrap();
    assert!(copies(20).0 > 0, "the search finds the opening while the code is shown");
    let mut rng = ScriptedRng::new(&[&[0x3b; 32], &[0x3c; 32], &[0x3d; 32], &[0x3e; 32]]);
    let answer = answered.read_message1(&context(), &claims, &message1, &mut rng).unwrap();
    all_gone([20]);
    drop(answer);

    let replaced = code_opened_by(21);
    let mut rng = ScriptedRng::new(&[&[0x3b; 32]]);
    let refused = replaced.read_message1(&context(), &claims, &[9; 200], &mut rng).unwrap_err();
    let Message1Refused::NotForThisCode(kept, _) = refused else { panic!("the code is kept") };
    assert!(copies(21).0 > 0, "a message that does not decrypt leaves the code as it is");
    drop(kept);
    all_gone([21]);
}
