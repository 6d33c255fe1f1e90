//! Reading one handshake message, with everything a party holds given.

use anyhow::{Result, bail};
use handfast_codec::ids::DhPublic;
use handfast_handshake::HandshakeError;
use handfast_handshake::hazmat::{self, Intermediates};
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::secret::{DhSecret, Psk};
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::fields::{Fields, hex, number};

/// The variables of a handshake, in the letters of the Noise specification.
pub(super) fn variables(values: &Intermediates) -> Value {
    json!({
        "ck": hex(values.ck), "h": hex(values.h), "k": hex(values.k.unwrap_or_default()), "n": number(values.n),
    })
}

/// The first message that a responder gets, in the prologue and with the keys of the input. The wire code is given
/// unless the case asks for the local one.
pub(super) fn read(input: &Map<String, Value>) -> Result<Ending> {
    let read = start(input)?.and_then(|state| {
        let message = input.bytes("message").unwrap_or_default();
        state.read_message(&message)
    });
    Ok(told(
        input,
        read.map(|(state, payload)| {
            let out = Outcome::of(json!({ "payload": hex(payload), "h": hex(state.handshake_hash()) }));
            out.with_debug(variables(&hazmat::intermediates(&state)))
        }),
    ))
}

/// How a handshake ended, in the code that the case asks for: the local one, or the one for the wire.
pub(super) fn told(input: &Map<String, Value>, ended: Result<Outcome, HandshakeError>) -> Ending {
    ended.map_err(|error| if input.contains_key("local") { error.local_code() } else { error.code() })
}

/// The pattern of a party and what it holds, as the input names them.
pub(super) fn party(input: &Map<String, Value>) -> Result<(Pattern, Keys)> {
    let pattern = Pattern::from_protocol_name(input.text("protocol")?)?;
    let mut keys = Keys::new(DhSecret::from_bytes(input.array("e")?))
        .with_s(DhSecret::from_bytes(input.array("s")?))
        .with_psk(Psk::from_bytes(input.array("psk")?));
    if input.contains_key("rs") {
        keys = keys.with_rs(DhPublic::from_bytes(input.array("rs")?));
    }
    Ok((pattern, keys))
}

fn start(input: &Map<String, Value>) -> Result<Result<HandshakeState, HandshakeError>> {
    let (pattern, keys) = party(input)?;
    if input.bytes("message")?.is_empty() {
        bail!("there is a message");
    }
    Ok(HandshakeState::new(&pattern, HandshakeRole::Responder, &input.bytes("prologue")?, keys))
}
