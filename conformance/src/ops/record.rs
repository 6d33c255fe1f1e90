//! Opening one sealed record.

use anyhow::Result;
use bytes::BytesMut;
use handfast_handshake::hazmat;
use handfast_handshake::record::Opener;
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::fields::{Fields, hex};

pub(super) fn open(input: &Map<String, Value>) -> Result<Ending> {
    let cipher = hazmat::cipher_state(input.array("k")?, input.u64("n")?);
    let record = BytesMut::from(input.bytes("record")?.as_slice());
    Ok(match Opener::new(cipher).open(record) {
        Ok(plaintext) => Ok(Outcome::of(json!({ "plaintext": hex(plaintext) }))),
        Err(error) => Err(error.code()),
    })
}
