//! Random handshakes, with and without faults, against the `snow` crate, which brings its own primitives.
//!
//! `HANDFAST_SEED=<u64>` chooses another series; `HANDFAST_RUNS=<n>` its length.

use std::collections::BTreeMap;
use std::env;

use bytes::BytesMut;
use handfast_codec::ids::DhPublic;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern, Split, Token};
use handfast_handshake::secret::{DhSecret, Psk};
use handfast_handshake::{BadKey, HandshakeError};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The runs of one test.
const RUNS: u64 = 10_000;
/// More than any message here.
const BUFFER: usize = 8_192;

/// Everything that a run is made of.
struct Plan {
    pattern: Pattern,
    psk_positions: Vec<u8>,
    prologue: Vec<u8>,
    /// Static and ephemeral key of the initiator and of the responder.
    keys: [[[u8; 32]; 2]; 2],
    psks: Vec<[u8; 32]>,
    fault: Fault,
}

/// What the network does to one message of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    None,
    Flip {
        message: usize,
    },
    /// The top bit of the ephemeral key, where the message has one: the same point, not its canonical encoding.
    TopBit {
        message: usize,
    },
    Truncate {
        message: usize,
    },
    Append {
        message: usize,
    },
    Prologue,
    Psk,
    RemoteStatic,
    Transport,
}

fn below(rng: &mut ChaCha8Rng, end: usize) -> usize {
    usize::try_from(rng.next_u64() % u64::try_from(end).expect("fits")).expect("fits")
}

fn bytes(rng: &mut ChaCha8Rng, max: usize) -> Vec<u8> {
    let mut bytes = vec![0; below(rng, max + 1)];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn key(rng: &mut ChaCha8Rng) -> [u8; 32] {
    let mut key = [0; 32];
    rng.fill_bytes(&mut key);
    key
}

impl Plan {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let bases: Vec<_> = Pattern::base_names().collect();
        let base = bases[below(rng, bases.len())];
        let count = Pattern::parse(base).expect("a base pattern").messages().len();
        let psk_positions: Vec<u8> =
            (0..=u8::try_from(count).expect("few")).filter(|_| rng.next_u64().is_multiple_of(4)).collect();
        let modifiers: Vec<_> = psk_positions.iter().map(|position| format!("psk{position}")).collect();
        let pattern = Pattern::parse(&format!("{base}{}", modifiers.join("+"))).expect("a pattern");
        let message = below(rng, count);
        let fault = match below(rng, 15) {
            0..=6 => Fault::None,
            7 | 8 => Fault::Flip { message },
            9 => Fault::Truncate { message },
            10 => Fault::Append { message },
            11 => Fault::Prologue,
            12 if !psk_positions.is_empty() => Fault::Psk,
            12 if pattern.responder_is_known() => Fault::RemoteStatic,
            13 => Fault::TopBit { message },
            _ => Fault::Transport,
        };
        Self {
            pattern,
            prologue: bytes(rng, 64),
            keys: [[key(rng), key(rng)], [key(rng), key(rng)]],
            psks: psk_positions.iter().map(|_| key(rng)).collect(),
            psk_positions,
            fault,
        }
    }

    /// The inputs of one party: what the fault changes, it changes at the initiator alone.
    fn inputs(&self, party: usize) -> Inputs {
        let initiates = party == 0;
        let (known, remote_known) = if initiates {
            (self.pattern.initiator_is_known(), self.pattern.responder_is_known())
        } else {
            (self.pattern.responder_is_known(), self.pattern.initiator_is_known())
        };
        let sent: Vec<_> = self.pattern.messages().iter().skip(party).step_by(2).flatten().collect();
        let mut inputs = Inputs {
            prologue: self.prologue.clone(),
            s: (known || sent.contains(&&Token::S)).then_some(self.keys[party][0]),
            e: self.keys[party][1],
            rs: remote_known.then(|| DhSecret::from_bytes(self.keys[1 - party][0]).public()),
            psks: self.psks.clone(),
        };
        match self.fault {
            Fault::Prologue if initiates => inputs.prologue.push(1),
            Fault::Psk if initiates => inputs.psks[0][7] ^= 4,
            Fault::RemoteStatic if initiates => inputs.rs = Some(DhSecret::from_bytes([9; 32]).public()),
            _ => {}
        }
        inputs
    }

    fn ours(&self, party: usize) -> HandshakeState {
        let inputs = self.inputs(party);
        let mut keys = Keys::new(DhSecret::from_bytes(inputs.e));
        keys = inputs.s.into_iter().fold(keys, |keys, s| keys.with_s(DhSecret::from_bytes(s)));
        keys = inputs.rs.into_iter().fold(keys, Keys::with_rs);
        keys = inputs.psks.into_iter().fold(keys, |keys, psk| keys.with_psk(Psk::from_bytes(psk)));
        let role = [HandshakeRole::Initiator, HandshakeRole::Responder][party];
        HandshakeState::new(&self.pattern, role, &inputs.prologue, keys).expect("the keys fit")
    }

    fn theirs(&self, party: usize) -> snow::HandshakeState {
        let inputs = self.inputs(party);
        let rs = inputs.rs.map(|rs| *rs.as_bytes());
        snow_state(&self.pattern, party, &inputs, rs.as_ref(), &self.psk_positions)
    }
}

struct Inputs {
    prologue: Vec<u8>,
    s: Option<[u8; 32]>,
    e: [u8; 32],
    rs: Option<DhPublic>,
    psks: Vec<[u8; 32]>,
}

fn snow_state(
    pattern: &Pattern,
    party: usize,
    inputs: &Inputs,
    rs: Option<&[u8; 32]>,
    psk_positions: &[u8],
) -> snow::HandshakeState {
    let mut builder = snow::Builder::new(pattern.protocol_name().parse().expect("snow knows it"))
        .prologue(&inputs.prologue)
        .expect("set once")
        .fixed_ephemeral_key_for_testing_only(&inputs.e);
    if let Some(s) = &inputs.s {
        builder = builder.local_private_key(s).expect("set once");
    }
    if let Some(rs) = rs {
        builder = builder.remote_public_key(rs).expect("set once");
    }
    for (position, psk) in psk_positions.iter().zip(&inputs.psks) {
        builder = builder.psk(*position, psk).expect("set once");
    }
    if party == 0 { builder.build_initiator() } else { builder.build_responder() }.expect("the keys fit")
}

fn snow_write(state: &mut snow::HandshakeState, payload: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; BUFFER];
    let len = state.write_message(payload, &mut buffer).expect("snow writes");
    buffer.truncate(len);
    buffer
}

fn snow_read(state: &mut snow::HandshakeState, message: &[u8]) -> Result<Vec<u8>, snow::Error> {
    let mut buffer = vec![0; BUFFER];
    let len = state.read_message(message, &mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    /// Both handshakes finished, alike.
    Agreed,
    /// Both refused the same message.
    BothRefused,
    /// A key that is not canonical was refused here; the listed divergence.
    KeyRefusedHere,
    /// Both finished and both refused the changed transport message.
    TransportRefused,
}

fn run(plan: &Plan, rng: &mut ChaCha8Rng) -> Ending {
    let mut ours = [Some(plan.ours(0)), Some(plan.ours(1))];
    let mut theirs = [plan.theirs(0), plan.theirs(1)];
    for index in 0..plan.pattern.messages().len() {
        let (sender, receiver) = (index % 2, 1 - index % 2);
        let payload = bytes(rng, 200);
        let state = ours[sender].take().expect("alive");
        let (state, message) = state.write_message(&payload).expect("writes");
        ours[sender] = Some(state);
        assert_eq!(snow_write(&mut theirs[sender], &payload), message, "message {index}: the same bytes");
        let arrived = damage(plan.fault, index, &message, rng);
        let here = ours[receiver].take().expect("alive").read_message(&arrived);
        let there = snow_read(&mut theirs[receiver], &arrived);
        match (here, there) {
            (Ok((state, read)), Ok(read_there)) => {
                assert_eq!(read, read_there, "message {index}: the same payload");
                assert!(arrived != message || read == payload, "message {index}: the payload sent");
                ours[receiver] = Some(state);
            }
            (Err(_), Err(_)) => {
                assert_ne!(plan.fault, Fault::None, "message {index}: refused without a fault");
                return Ending::BothRefused;
            }
            (Err(HandshakeError::BadKey(BadKey::NonCanonical)), Ok(_)) => {
                assert!(
                    matches!(plan.fault, Fault::Flip { .. } | Fault::TopBit { .. }),
                    "an honest key is canonical"
                );
                return Ending::KeyRefusedHere;
            }
            (here, there) => panic!("message {index}: {here:?} here, {there:?} there"),
        }
    }
    finish(plan, ours.map(|state| state.expect("alive")), theirs, rng)
}

fn damage(fault: Fault, index: usize, message: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut arrived = message.to_vec();
    match fault {
        Fault::Flip { message } if message == index => {
            let bit = below(rng, arrived.len() * 8);
            arrived[bit / 8] ^= 1 << (bit % 8);
        }
        Fault::TopBit { message } if message == index => {
            let at = 31.min(arrived.len() - 1);
            arrived[at] ^= 0x80;
        }
        Fault::Truncate { message } if message == index => arrived.truncate(below(rng, arrived.len())),
        Fault::Append { message } if message == index => {
            arrived.extend(bytes(rng, 40));
            arrived.push(0);
        }
        _ => {}
    }
    arrived
}

fn finish(
    plan: &Plan,
    ours: [HandshakeState; 2],
    theirs: [snow::HandshakeState; 2],
    rng: &mut ChaCha8Rng,
) -> Ending {
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!(ours.is_finished() && theirs.is_handshake_finished(), "both are finished");
        assert_eq!(ours.handshake_hash(), theirs.get_handshake_hash(), "the same hash");
        assert_eq!(
            ours.remote_static().map(|rs| rs.as_bytes().to_vec()).as_deref(),
            theirs.get_remote_static()
        );
    }
    // The last message of every pattern is encrypted, so nothing that was changed before it gets this far.
    assert!(matches!(plan.fault, Fault::None | Fault::Transport), "{:?} went unnoticed", plan.fault);
    assert_eq!(ours[0].handshake_hash(), ours[1].handshake_hash(), "both parties have the same hash");
    let splits = ours.map(|state| state.split().expect("finished"));
    assert_eq!(splits[0].rs.expose(), splits[1].rs.expose(), "the same rs");
    let theirs = theirs.map(|state| state.into_transport_mode().expect("finished"));
    transport(plan, splits, theirs, rng)
}

fn transport(
    plan: &Plan,
    [mut initiator, mut responder]: [Split; 2],
    mut theirs: [snow::TransportState; 2],
    rng: &mut ChaCha8Rng,
) -> Ending {
    for index in 0..4 {
        let sender = if plan.pattern.is_one_way() { 0 } else { below(rng, 2) };
        let (seal, open) = if sender == 0 {
            (&mut initiator.initiator_to_responder, &mut responder.initiator_to_responder)
        } else {
            (&mut responder.responder_to_initiator, &mut initiator.responder_to_initiator)
        };
        let payload = bytes(rng, 300);
        let mut sealed = BytesMut::from(&payload[..]);
        seal.encrypt_in_place(b"", &mut sealed).expect("seals");
        let mut buffer = vec![0; BUFFER];
        let len = theirs[sender].write_message(&payload, &mut buffer).expect("snow seals");
        assert_eq!(sealed, buffer[..len], "transport {index}: the same bytes");
        let fault = plan.fault == Fault::Transport && index == 3;
        if fault {
            let bit = below(rng, sealed.len() * 8);
            sealed[bit / 8] ^= 1 << (bit % 8);
        }
        let there = theirs[1 - sender].read_message(&sealed, &mut buffer);
        let here = open.decrypt_in_place(b"", &mut sealed);
        if fault {
            assert_eq!(here, Err(HandshakeError::Decrypt));
            assert!(there.is_err(), "snow refuses it too");
            return Ending::TransportRefused;
        }
        here.expect("opens");
        assert_eq!(sealed, payload);
        assert_eq!(there.ok(), Some(payload.len()));
    }
    Ending::Agreed
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn random_handshakes_agree_with_snow() {
    let (seed, runs) = (setting("HANDFAST_SEED", 1), setting("HANDFAST_RUNS", RUNS));
    println!("HANDFAST_SEED={seed} HANDFAST_RUNS={runs}");
    let mut endings = BTreeMap::new();
    let mut patterns = BTreeMap::new();
    for index in 0..runs {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(index));
        let plan = Plan::draw(&mut rng);
        let ending = run(&plan, &mut rng);
        let honest = plan.fault == Fault::None;
        assert_eq!(honest, ending == Ending::Agreed, "run {index}: {:?} ended {ending:?}", plan.fault);
        *endings.entry(ending).or_insert(0_u64) += 1;
        *patterns.entry(plan.pattern.protocol_name().to_owned()).or_insert(0_u64) += 1;
    }
    println!("{runs} runs over {} patterns: {endings:?}", patterns.len());
    if runs >= RUNS {
        assert!(patterns.len() > 150, "many patterns: {}", patterns.len());
        assert_eq!(endings.len(), 4, "every ending was seen: {endings:?}");
    }
}

/// The two parties of one pattern, ours and snow's, with fixed keys.
fn responders(name: &str, e: [u8; 32], s: Option<[u8; 32]>) -> (HandshakeState, snow::HandshakeState) {
    let pattern = Pattern::parse(name).expect("a pattern");
    let inputs = Inputs { prologue: Vec::new(), s, e, rs: None, psks: Vec::new() };
    let keys =
        s.into_iter().fold(Keys::new(DhSecret::from_bytes(e)), |k, s| k.with_s(DhSecret::from_bytes(s)));
    let ours = HandshakeState::new(&pattern, HandshakeRole::Responder, b"", keys).expect("the keys fit");
    (ours, snow_state(&pattern, 1, &inputs, None, &[]))
}

#[test]
fn divergence_a_low_order_key_is_refused_here() {
    // req: HSK-001
    let (ours, mut theirs) = responders("NN", [1; 32], None);
    let message = [0; 32];
    assert!(snow_read(&mut theirs, &message).is_ok());
    assert!(!snow_write(&mut theirs, b"").is_empty(), "snow goes on with an all-zero secret");
    let (ours, _) = ours.read_message(&message).expect("the key is not used yet");
    assert_eq!(ours.write_message(b"").err(), Some(BadKey::LowOrder.into()));

    let (ours, mut theirs) = responders("NK", [1; 32], Some([2; 32]));
    assert!(snow_read(&mut theirs, &[0; 48]).is_err(), "the tag is wrong for snow");
    assert_eq!(ours.read_message(&[0; 48]).err(), Some(BadKey::LowOrder.into()), "found before the tag");
}

#[test]
fn divergence_a_key_that_is_not_canonical_is_refused_here() {
    // req: HSK-009
    let (ours, mut theirs) = responders("NN", [1; 32], None);
    let mut message = *DhSecret::from_bytes([5; 32]).public().as_bytes();
    message[31] |= 0x80;
    assert!(snow_read(&mut theirs, &message).is_ok());
    assert_eq!(ours.read_message(&message).err(), Some(BadKey::NonCanonical.into()));
}

#[test]
fn divergence_the_own_static_key_is_refused_here() {
    // req: HSK-002
    let pattern = Pattern::parse("XX").expect("a pattern");
    let s = [2; 32];
    for snow_initiates in [true, false] {
        let (responder, mut snow_responder) = responders("XX", [3; 32], Some(s));
        let keys = Keys::new(DhSecret::from_bytes([4; 32])).with_s(DhSecret::from_bytes(s));
        let initiator = HandshakeState::new(&pattern, HandshakeRole::Initiator, b"", keys).expect("fits");
        let (initiator, message1) = initiator.write_message(b"").expect("writes");
        let (_, message2) =
            responder.read_message(&message1).expect("reads").0.write_message(b"").expect("writes");
        if snow_initiates {
            let inputs = Inputs { prologue: Vec::new(), s: Some(s), e: [4; 32], rs: None, psks: Vec::new() };
            let mut snow_initiator = snow_state(&pattern, 0, &inputs, None, &[]);
            assert_eq!(snow_write(&mut snow_initiator, b""), message1);
            assert!(snow_read(&mut snow_initiator, &message2).is_ok(), "snow takes its own key");
        } else {
            assert!(snow_read(&mut snow_responder, &message1).is_ok());
            assert_eq!(snow_write(&mut snow_responder, b""), message2);
        }
        assert_eq!(initiator.read_message(&message2).err(), Some(BadKey::Own.into()));
    }
    let keys = Keys::new(DhSecret::from_bytes([4; 32]))
        .with_s(DhSecret::from_bytes(s))
        .with_rs(DhSecret::from_bytes(s).public());
    let kk = Pattern::parse("KK").expect("a pattern");
    let refused = HandshakeState::new(&kk, HandshakeRole::Initiator, b"", keys);
    assert_eq!(refused.err(), Some(BadKey::Own.into()));
}

#[test]
fn divergence_a_message_over_4096_bytes_is_refused_here() {
    // req: HSK-004
    let e = *DhSecret::from_bytes([5; 32]).public().as_bytes();
    for (len, accepted) in [(4_096, true), (4_097, false)] {
        let (ours, mut theirs) = responders("NN", [1; 32], None);
        let mut message = e.to_vec();
        message.resize(len, 0);
        assert!(snow_read(&mut theirs, &message).is_ok());
        let here = ours.read_message(&message).map(|(_, payload)| payload.len());
        assert_eq!(here, if accepted { Ok(len - 32) } else { Err(HandshakeError::MessageTooLong) });
    }
}

#[test]
fn bytes_appended_to_a_clear_payload_are_found_by_both_in_the_next_message() {
    let pattern = Pattern::parse("NN").expect("a pattern");
    let (responder, mut snow_responder) = responders("NN", [1; 32], None);
    let keys = Keys::new(DhSecret::from_bytes([4; 32]));
    let initiator = HandshakeState::new(&pattern, HandshakeRole::Initiator, b"", keys).expect("fits");
    let (initiator, mut message) = initiator.write_message(b"clear").expect("writes");
    message.extend_from_slice(b" and more");
    assert_eq!(snow_read(&mut snow_responder, &message).ok().as_deref(), Some(&b"clear and more"[..]));
    let (responder, payload) = responder.read_message(&message).expect("nothing authenticates it yet");
    assert_eq!(payload, b"clear and more");
    let (_, reply) = responder.write_message(b"").expect("writes");
    assert_eq!(snow_write(&mut snow_responder, b""), reply);
    assert_eq!(initiator.read_message(&reply).err(), Some(HandshakeError::Decrypt));
}
