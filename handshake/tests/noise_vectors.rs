//! Every Noise vector of three other implementations for this suite, and proof that each case can fail.

use std::fmt::Write as _;
use std::fs;

use handfast_codec::ids::DhPublic;
use handfast_handshake::noise::{CipherState, HandshakeRole, HandshakeState, Keys, Pattern, Token};
use handfast_handshake::secret::{DhSecret, Psk};
use serde::Deserialize;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    protocol_name: String,
    init_prologue: String,
    #[serde(default)]
    init_psks: Vec<String>,
    init_static: Option<String>,
    init_ephemeral: String,
    init_remote_static: Option<String>,
    resp_prologue: String,
    #[serde(default)]
    resp_psks: Vec<String>,
    resp_static: Option<String>,
    resp_ephemeral: Option<String>,
    resp_remote_static: Option<String>,
    handshake_hash: Option<String>,
    messages: Vec<Message>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    payload: String,
    ciphertext: String,
}

#[derive(Deserialize)]
struct File {
    vectors: Vec<Case>,
}

/// Who sends the messages after the handshake.
#[derive(Clone, Copy)]
enum Transport {
    /// Message `i` of all comes from the initiator when `i` is even; a one-way pattern has no other sender.
    ParityOfAll,
    /// The initiator starts again, and the two alternate, in one-way patterns too.
    InitiatorFirst,
}

const FILES: [(&str, usize, Transport); 3] = [
    ("cacophony", 59, Transport::ParityOfAll),
    ("snow", 51, Transport::ParityOfAll),
    ("flynn", 240, Transport::InitiatorFirst),
];

fn load(name: &str) -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/noise");
    let text = fs::read_to_string(format!("{folder}/{name}-25519-ChaChaPoly-SHA256.json"))
        .expect("the file is there");
    serde_json::from_str::<File>(&text).expect("the file is as described").vectors
}

fn hex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0, "whole bytes");
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digits).collect()
}

fn array(text: &str) -> [u8; 32] {
    hex(text).try_into().expect("32 bytes")
}

fn dh(text: &str) -> DhSecret {
    DhSecret::from_bytes(array(text))
}

/// Whether a party has a static key in this pattern.
fn needs_static(pattern: &Pattern, initiates: bool) -> bool {
    let known = if initiates { pattern.initiator_is_known() } else { pattern.responder_is_known() };
    let mut sent = pattern.messages().iter().skip(usize::from(!initiates)).step_by(2).flatten();
    known || sent.any(|token| *token == Token::S)
}

/// Builds a party's state from what the pattern needs, and checks what the case lists beyond the private keys.
fn party(case: &Case, pattern: &Pattern, role: HandshakeRole) -> Result<HandshakeState, String> {
    let initiates = role == HandshakeRole::Initiator;
    let remote_known = if initiates { pattern.responder_is_known() } else { pattern.initiator_is_known() };
    let (prologue, e, s, remote_s, listed, psks) = if initiates {
        (
            &case.init_prologue,
            Some(&case.init_ephemeral),
            &case.init_static,
            &case.resp_static,
            &case.init_remote_static,
            &case.init_psks,
        )
    } else {
        (
            &case.resp_prologue,
            case.resp_ephemeral.as_ref(),
            &case.resp_static,
            &case.init_static,
            &case.resp_remote_static,
            &case.resp_psks,
        )
    };
    let mut keys = Keys::new(e.map_or_else(|| DhSecret::from_bytes([1; 32]), |e| dh(e)));
    if needs_static(pattern, initiates) {
        keys = keys.with_s(dh(s.as_ref().expect("a static key")));
    }
    if remote_known {
        let remote = dh(remote_s.as_ref().expect("the other static key")).public();
        if listed.as_ref().is_some_and(|listed| DhPublic::from_bytes(array(listed)) != remote) {
            return Err("the listed key is not that of the private one".to_owned());
        }
        keys = keys.with_rs(remote);
    }
    for psk in psks {
        keys = keys.with_psk(Psk::from_bytes(array(psk)));
    }
    HandshakeState::new(pattern, role, &hex(prologue), keys).map_err(|e| e.to_string())
}

/// Runs a case from both sides; the error says where it differs.
fn run(case: &Case, transport: Transport) -> Result<(), String> {
    let pattern = Pattern::from_protocol_name(&case.protocol_name).map_err(|e| e.to_string())?;
    let mut sender = party(case, &pattern, HandshakeRole::Initiator)?;
    let mut receiver = party(case, &pattern, HandshakeRole::Responder)?;
    let count = pattern.messages().len();
    let (handshake, rest) = case.messages.split_at(count);
    for (index, message) in handshake.iter().enumerate() {
        let (payload, expected) = (hex(&message.payload), hex(&message.ciphertext));
        let (after, written) = sender.write_message(&payload).map_err(|e| format!("write {index}: {e}"))?;
        if written != expected {
            return Err(format!("message {index} differs"));
        }
        let (other, read) = receiver.read_message(&expected).map_err(|e| format!("read {index}: {e}"))?;
        if read != payload {
            return Err(format!("payload {index} differs"));
        }
        (sender, receiver) = (other, after);
    }
    let (initiator, responder) =
        if sender.role() == HandshakeRole::Initiator { (sender, receiver) } else { (receiver, sender) };
    let h = initiator.handshake_hash();
    if responder.handshake_hash() != h
        || case.handshake_hash.as_ref().is_some_and(|expected| array(expected) != h)
    {
        return Err("the handshake hash differs".to_owned());
    }
    let one = initiator.split().map_err(|e| e.to_string())?;
    let two = responder.split().map_err(|e| e.to_string())?;
    if one.rs.expose() != two.rs.expose() {
        return Err("rs differs".to_owned());
    }
    let mut forth = (one.initiator_to_responder, two.initiator_to_responder);
    let mut back = (two.responder_to_initiator, one.responder_to_initiator);
    for (index, message) in rest.iter().enumerate() {
        let from_initiator = match transport {
            Transport::ParityOfAll => pattern.is_one_way() || (count + index).is_multiple_of(2),
            Transport::InitiatorFirst => index.is_multiple_of(2),
        };
        let ciphers = if from_initiator { &mut forth } else { &mut back };
        transfer(&mut ciphers.0, &mut ciphers.1, message).map_err(|e| format!("transport {index}: {e}"))?;
    }
    Ok(())
}

fn transfer(from: &mut CipherState, to: &mut CipherState, message: &Message) -> Result<(), String> {
    let (payload, expected) = (hex(&message.payload), hex(&message.ciphertext));
    let mut buf = bytes::BytesMut::from(&payload[..]);
    from.encrypt_in_place(b"", &mut buf).map_err(|e| e.to_string())?;
    if buf != expected {
        return Err("the ciphertext differs".to_owned());
    }
    to.decrypt_in_place(b"", &mut buf).map_err(|e| e.to_string())?;
    if buf == payload { Ok(()) } else { Err("the payload differs".to_owned()) }
}

#[test]
fn every_vector_of_three_implementations_passes() {
    let mut total = 0;
    for (name, expected, transport) in FILES {
        let cases = load(name);
        let failures: Vec<_> = cases
            .iter()
            .enumerate()
            .filter_map(|(index, case)| {
                let reason = run(case, transport).err()?;
                Some(format!("{name} {index} {}: {reason}", case.protocol_name))
            })
            .collect();
        assert!(failures.is_empty(), "{} of {} fail: {failures:#?}", failures.len(), cases.len());
        assert_eq!(cases.len(), expected, "{name}: no case is skipped");
        println!("{name}: {} of {expected} pass", cases.len());
        total += cases.len();
    }
    println!("total: {total} of 350 pass, 0 skipped");
    assert_eq!(total, 350);
}

/// Flips one bit of one byte of a hex string.
fn flip(text: &mut String, at: usize) {
    let mut bytes = hex(text);
    let at = at % bytes.len();
    bytes[at] ^= 1 << (at % 8);
    text.clear();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes it");
    }
}

/// Finds one field of a case.
type Field = Box<dyn Fn(&mut Case) -> &mut String>;

/// Every field of a case that its pattern uses, by name.
fn fields(case: &Case, pattern: &Pattern) -> Vec<(&'static str, Field)> {
    fn field(name: &'static str, get: impl Fn(&mut Case) -> &mut String + 'static) -> (&'static str, Field) {
        (name, Box::new(get))
    }
    let mut fields = vec![field("init_ephemeral", |case| &mut case.init_ephemeral)];
    if !case.init_prologue.is_empty() {
        fields.push(field("init_prologue", |case| &mut case.init_prologue));
        fields.push(field("resp_prologue", |case| &mut case.resp_prologue));
    }
    if !pattern.is_one_way() {
        fields.push(field("resp_ephemeral", |case| case.resp_ephemeral.as_mut().expect("two parties")));
    }
    if needs_static(pattern, true) {
        fields.push(field("init_static", |case| case.init_static.as_mut().expect("a static key")));
    }
    if needs_static(pattern, false) {
        fields.push(field("resp_static", |case| case.resp_static.as_mut().expect("a static key")));
    }
    if case.handshake_hash.is_some() {
        fields.push(field("handshake_hash", |case| case.handshake_hash.as_mut().expect("a hash")));
    }
    for at in 0..case.init_psks.len() {
        fields.push(field("init_psks", move |case| &mut case.init_psks[at]));
        fields.push(field("resp_psks", move |case| &mut case.resp_psks[at]));
    }
    for (at, message) in case.messages.iter().enumerate() {
        fields.push(field("ciphertext", move |case| &mut case.messages[at].ciphertext));
        if !message.payload.is_empty() {
            fields.push(field("payload", move |case| &mut case.messages[at].payload));
        }
    }
    fields
}

#[test]
fn a_changed_byte_fails_its_case() {
    let (mut cases, mut changed) = (0, 0);
    for (name, _, transport) in FILES {
        for (index, case) in load(name).into_iter().enumerate() {
            let pattern = Pattern::from_protocol_name(&case.protocol_name).expect("a pattern");
            for (field, get) in fields(&case, &pattern) {
                let mut wrong = case.clone();
                // Another byte in each case, but neither end of a key, where clamping drops bits.
                flip(get(&mut wrong), 1 + index % 30);
                assert!(run(&wrong, transport).is_err(), "{name} {index}: {field}");
                changed += 1;
            }
            cases += 1;
        }
    }
    println!("{changed} times one byte was changed in one of {cases} cases; each time the case failed");
    assert_eq!(cases, 350);
}
