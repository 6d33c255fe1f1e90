//! A media stream at its receiver: size, chunk list, content, FIN.

use anyhow::{Context as _, Result};
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::ContentId;
use handfast_media::MediaReceiver;
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::fields::{Fields, unhex};

/// Bytes as a list of pairs: a text in hex, and how often it stands.
fn content(input: &Map<String, Value>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for pair in input.field("content")?.as_array().context("content is a list")? {
        let text = pair.get(0).and_then(Value::as_str).context("hex")?;
        let times = pair.get(1).and_then(Value::as_u64).context("a number")?;
        out.extend(unhex(text)?.repeat(usize::try_from(times)?));
    }
    Ok(out)
}

pub(super) fn receive(input: &Map<String, Value>) -> Result<Ending> {
    let id = ContentId::from_bytes(input.array("content_id")?);
    let mut receiver = match MediaReceiver::new(id, 0) {
        Ok(receiver) => receiver,
        Err(code) => return Ok(Err(code)),
    };
    let stream = [input.bytes("list")?, content(input)?].concat();
    let taken = match receiver.take(&stream) {
        Ok(taken) => taken,
        Err(code) => return Ok(Err(code)),
    };
    if input.contains_key("fin") && input.array::<32>("fin")? != *id.as_bytes() {
        return Ok(Err(ErrorCode::HASH));
    }
    Ok(Ok(Outcome::of(json!({ "checked": taken.checked, "complete": receiver.is_complete() }))))
}
