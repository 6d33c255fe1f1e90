//! One party of a handshake from its keys: it writes its own messages and reads the peer's.

use anyhow::{Context as _, Result, bail};
use handfast_handshake::HandshakeError;
use handfast_handshake::hazmat;
use handfast_handshake::noise::{HandshakeRole, HandshakeState};
use serde_json::{Map, Value, json};

use super::noise::{self, variables};
use super::outcome::{Ending, Outcome};
use crate::fields::{Fields, hex, unhex};

fn texts(input: &Map<String, Value>, name: &str) -> Result<Vec<Vec<u8>>> {
    let list = input.field(name)?.as_array().with_context(|| format!("{name} is a list"))?;
    list.iter().map(|text| unhex(text.as_str().context("hex")?)).collect()
}

/// Runs the party until a message is refused or the lists are used up.
pub(super) fn run(input: &Map<String, Value>) -> Result<Ending> {
    let role = match input.text("role")? {
        "initiator" => HandshakeRole::Initiator,
        "responder" => HandshakeRole::Responder,
        other => bail!("{other} is no role"),
    };
    let (pattern, keys) = noise::party(input)?;
    let (payloads, messages) = (texts(input, "payloads")?, texts(input, "messages")?);
    let started = HandshakeState::new(&pattern, role, &input.bytes("prologue")?, keys);
    Ok(noise::told(input, started.and_then(|state| talk(state, role, &payloads, &messages))))
}

fn talk(
    mut state: HandshakeState,
    role: HandshakeRole,
    payloads: &[Vec<u8>],
    messages: &[Vec<u8>],
) -> Result<Outcome, HandshakeError> {
    let (mut sent, mut read, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    let (mut payloads, mut messages) = (payloads.iter(), messages.iter());
    let mut writes = role == HandshakeRole::Initiator;
    loop {
        if writes {
            let Some(payload) = payloads.next() else { break };
            let (next, message) = state.write_message(payload)?;
            sent.push(hex(message));
            state = next;
        } else {
            let Some(message) = messages.next() else { break };
            let (next, payload) = state.read_message(message)?;
            read.push(hex(payload));
            state = next;
        }
        steps.push(variables(&hazmat::intermediates(&state)));
        writes = !writes;
    }
    let out = json!({ "sent": sent, "read": read, "h": hex(state.handshake_hash()) });
    Ok(Outcome::of(out).with_debug(json!({ "steps": steps })))
}
