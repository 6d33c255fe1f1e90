//! First messages of the two handshakes.

use anyhow::Result;
use handfast_codec::ErrorCode;
use handfast_codec::ids::DhPublic;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::secret::{DhSecret, Psk};
use serde_json::{Value, json};

use crate::case::Case;
use crate::fields::{hex, unhex};
use crate::seed;

const PAIRING: &str = "Noise_XKpsk0_25519_ChaChaPoly_SHA256";
const RECONNECT: &str = "Noise_KKpsk0_25519_ChaChaPoly_SHA256";

fn dh(id: &str, role: &str, name: &str) -> DhSecret {
    DhSecret::from_bytes(seed::key(id, role, name))
}

/// A message 1 and everything that its receiver holds.
fn case(id: &str, protocol: &str, payload: &[u8]) -> Result<Value> {
    let (s, psk) = (dh(id, "responder", "s"), seed::key(id, "both", "psk"));
    let mut input = json!({
        "protocol": protocol, "prologue": hex(b"prologue"), "s": hex(s.expose()),
        "e": hex(seed::key(id, "responder", "e")), "psk": hex(psk),
    });
    let mut keys = Keys::new(dh(id, "initiator", "e")).with_rs(s.public()).with_psk(Psk::from_bytes(psk));
    let initiator = dh(id, "initiator", "s");
    if protocol == RECONNECT {
        input["rs"] = hex(initiator.public()).into();
    }
    keys = keys.with_s(initiator);
    let state = HandshakeState::new(
        &Pattern::from_protocol_name(protocol)?,
        HandshakeRole::Initiator,
        b"prologue",
        keys,
    )?;
    input["message"] = hex(state.write_message(payload)?.1).into();
    Ok(input)
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, protocol) in [("xkpsk0", PAIRING), ("kkpsk0", RECONNECT)] {
        for len in [0, 128, 4_048] {
            let id = format!("noise/{name}-{len}");
            let input = case(&id, protocol, &vec![0x70; len])?;
            let comment = if len == 4_048 { "the longest message, 4,096 bytes" } else { "message 1" };
            cases.push(Case::valid(&id, &["HSK-004"], comment, "noise.read", input)?);
        }
    }
    Ok(cases)
}

/// The input with another message 1.
fn with_message(input: &Value, change: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut message = unhex(input["message"].as_str().unwrap_or_default()).expect("hex");
    change(&mut message);
    let mut input = input.clone();
    input["message"] = hex(message).into();
    input
}

/// The input with another ephemeral key in its message.
fn with_ephemeral(input: &Value, key: [u8; 32]) -> Value {
    with_message(input, |message| message[..32].copy_from_slice(&key))
}

fn little_endian(low: u8, middle: u8, high: u8) -> [u8; 32] {
    let mut key = [middle; 32];
    (key[0], key[31]) = (low, high);
    key
}

/// The points of order 8 on the curve: the one with the lower and the one with the higher coordinate.
const ORDER_8: [[u8; 32]; 2] = [
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
        0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04,
        0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
];

/// Ephemeral keys that no side takes.
fn keys() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, protocol) in [("xkpsk0", PAIRING), ("kkpsk0", RECONNECT)] {
        let good = case(&format!("refuse-noise/{name}"), protocol, &[0x70; 128])?;
        let mut push = |what: &str, req: &str, comment: &str, key| -> Result<()> {
            let mut input = with_ephemeral(&good, key);
            input["local"] = true.into();
            let id = format!("refuse-noise/{name}-{what}");
            cases.push(Case::invalid(&id, &[req], comment, "noise.read", input, ErrorCode::BAD_KEY)?);
            Ok(())
        };
        for (order, key) in [
            ("0", little_endian(0, 0, 0)),
            ("1", little_endian(1, 0, 0)),
            ("8-low", ORDER_8[0]),
            ("8-high", ORDER_8[1]),
            ("minus-1", little_endian(0xec, 0xff, 0x7f)),
        ] {
            let comment = "a key of low order: the shared secret is zero";
            push(&format!("low-{order}"), "HSK-001", comment, key)?;
        }
        for (which, key) in [
            ("prime", little_endian(0xed, 0xff, 0x7f)),
            ("prime-10", little_endian(0xf6, 0xff, 0x7f)),
            ("top-bit", little_endian(9, 0, 0x80)),
            ("ones", little_endian(0xff, 0xff, 0xff)),
        ] {
            let comment = "a key that is not canonical";
            push(&format!("key-{which}"), "HSK-009", comment, key)?;
        }
    }
    Ok(cases)
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, protocol) in [("xkpsk0", PAIRING), ("kkpsk0", RECONNECT)] {
        let good = case(&format!("refuse-noise/{name}"), protocol, &[0x70; 128])?;
        let mut push = |what: &str, req: &str, comment: &str, mut input: Value, code| -> Result<()> {
            // What leaves the device does not tell the key from the tag; what its user is told does.
            input["local"] = true.into();
            let id = format!("refuse-noise/{name}-{what}");
            cases.push(Case::invalid(&id, &[req], comment, "noise.read", input, code)?);
            Ok(())
        };
        let failed = ErrorCode::HANDSHAKE_FAILED;
        for at in [0, 16, 32, 100, 160, 175] {
            let input = with_message(&good, |message| message[at] ^= 1);
            push(&format!("flip-{at}"), "HSK-005", "one bit differs", input, failed)?;
        }
        for field in ["prologue", "psk"] {
            let mut input = good.clone();
            let mut bytes = unhex(input[field].as_str().unwrap_or_default())?;
            bytes[0] ^= 1;
            input[field] = hex(bytes).into();
            push(&format!("other-{field}"), "HSK-005", "the sides hold different values", input, failed)?;
        }
        let mut input = good.clone();
        input["s"] = hex(seed::key("refuse-noise", "stranger", "s")).into();
        push("other-static", "HSK-005", "a message for another key", input, failed)?;
        let input = with_message(&good, |message| message.push(0));
        push("trailing", "HSK-005", "a byte behind the message", input, failed)?;
        let input = with_message(&good, |message| message.truncate(150));
        push("cut", "HSK-005", "a shorter message with room for its tag", input, failed)?;
        let input = with_message(&good, |message| message.truncate(47));
        push("cut-47", "ERR-001", "no room for key and tag", input, ErrorCode::TRUNCATED)?;
        let input = with_message(&good, |message| message.resize(4_097, 0));
        push("length-4097", "HSK-004", "one byte over the longest message", input, ErrorCode::FIELD_LENGTH)?;
    }
    cases.extend(keys()?);
    let id = "refuse-noise/kkpsk0-own-static";
    let mut input = case(id, RECONNECT, &[])?;
    let own: DhPublic = dh(id, "responder", "s").public();
    input["rs"] = hex(own).into();
    input["local"] = true.into();
    let comment = "the other side's static key is the own one";
    cases.push(Case::invalid(id, &["HSK-002"], comment, "noise.read", input.clone(), ErrorCode::BAD_KEY)?);
    for (name, field) in [("own-static-wire", None), ("low-order-wire", Some([0; 32]))] {
        let mut input = field.map_or_else(
            || input.clone(),
            |key| with_ephemeral(&case(id, RECONNECT, &[]).expect("a case"), key),
        );
        if let Value::Object(map) = &mut input {
            let _ = map.remove("local");
        }
        let id = format!("refuse-noise/kkpsk0-{name}");
        let comment = "the wire does not say which check failed";
        let code = ErrorCode::HANDSHAKE_FAILED;
        cases.push(Case::invalid(&id, &["ERR-004", "HSK-005"], comment, "noise.read", input, code)?);
    }
    Ok(cases)
}
