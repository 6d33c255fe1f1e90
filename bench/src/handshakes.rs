//! The processor's work of both sides' Noise in a pairing and a reconnect, beside snow's for the same pattern, and beside
//! the curve's operations alone.

use handfast_e2e::bench::{Row, Target};
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::secret::{DhSecret, Psk};

use crate::turns::microseconds;

/// The patterns, with how often both sides together multiply on the curve: each makes an ephemeral key, and each DH token
/// is computed twice.
const HANDSHAKES: [(&str, &str, u32); 2] =
    [("a pairing", "XKpsk0", 2 + 2 * 3), ("a reconnect", "KKpsk0", 2 + 2 * 4)];

const STATIC: [[u8; 32]; 2] = [[1; 32], [2; 32]];
const EPHEMERAL: [[u8; 32]; 2] = [[3; 32], [4; 32]];
const PSK: [u8; 32] = [5; 32];
/// More than any message here.
const MESSAGE_LEN: usize = 512;

/// Measures each.
pub fn rows() -> Vec<Row> {
    HANDSHAKES.into_iter().flat_map(|(what, name, count)| row(what, name, count)).collect()
}

fn row(what: &str, name: &str, count: u32) -> [Row; 2] {
    let pattern = Pattern::parse(name).expect("a pattern");
    let public = *DhSecret::from_bytes(STATIC[1]).public().as_bytes();
    let [ours, theirs, curve] =
        microseconds([&mut || handfast(&pattern), &mut || snow(&pattern), &mut || {
            for _ in 0..count {
                let _ = std::hint::black_box(x25519_dalek::x25519(STATIC[0], std::hint::black_box(public)));
            }
        }]);
    let row = |against: String, peer, most| Row {
        what: format!("{what}: Noise of both sides ({name})"),
        against,
        unit: "us".to_owned(),
        ours,
        peer,
        target: Some(Target::AtMost(most)),
        note: String::new(),
    };
    [
        row("snow 0.10, the same pattern".to_owned(), theirs, 0.80),
        row(format!("{count} X25519 operations"), curve, 1.10),
    ]
}

fn handfast(pattern: &Pattern) {
    let mut states = [HandshakeRole::Initiator, HandshakeRole::Responder].map(|role| {
        let party = usize::from(role == HandshakeRole::Responder);
        let mut keys = Keys::new(DhSecret::from_bytes(EPHEMERAL[party]))
            .with_s(DhSecret::from_bytes(STATIC[party]))
            .with_psk(Psk::from_bytes(PSK));
        if knows_other(pattern, party) {
            keys = keys.with_rs(DhSecret::from_bytes(STATIC[1 - party]).public());
        }
        Some(HandshakeState::new(pattern, role, b"prologue", keys).expect("the keys fit"))
    });
    for index in 0..pattern.messages().len() {
        let (sender, receiver) = (index % 2, 1 - index % 2);
        let (state, message) = states[sender].take().expect("alive").write_message(b"").expect("written");
        states[sender] = Some(state);
        let (state, _) = states[receiver].take().expect("alive").read_message(&message).expect("read");
        states[receiver] = Some(state);
    }
    let [one, other] = states.map(|state| state.expect("alive").split().expect("done").h);
    assert_eq!(one, other);
}

fn snow(pattern: &Pattern) {
    let mut states = [0, 1].map(|party| {
        let remote = *DhSecret::from_bytes(STATIC[1 - party]).public().as_bytes();
        let mut builder = snow::Builder::new(pattern.protocol_name().parse().expect("snow knows it"))
            .prologue(b"prologue")
            .and_then(|builder| builder.local_private_key(&STATIC[party]))
            .and_then(|builder| builder.psk(0, &PSK))
            .expect("set once")
            .fixed_ephemeral_key_for_testing_only(&EPHEMERAL[party]);
        if knows_other(pattern, party) {
            builder = builder.remote_public_key(&remote).expect("set once");
        }
        if party == 0 { builder.build_initiator() } else { builder.build_responder() }.expect("the keys fit")
    });
    let (mut message, mut payload) = ([0; MESSAGE_LEN], [0; MESSAGE_LEN]);
    for index in 0..pattern.messages().len() {
        let len = states[index % 2].write_message(b"", &mut message).expect("written");
        let _ = states[1 - index % 2].read_message(&message[..len], &mut payload).expect("read");
    }
    assert_eq!(states[0].get_handshake_hash(), states[1].get_handshake_hash());
}

/// Whether a side has the other's static key before the handshake.
fn knows_other(pattern: &Pattern, party: usize) -> bool {
    if party == 0 { pattern.responder_is_known() } else { pattern.initiator_is_known() }
}
