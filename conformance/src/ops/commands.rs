//! Commands by keys: envelopes, what a phone knows and answers, what a web that was put back does.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use handfast_codec::envelope::{CommandEnvelope, ResultEnvelope};
use handfast_codec::ids::{CommandKey, MailboxId};
use handfast_handshake::key_schedule::old_command_key;
use handfast_session::Repeat;
use handfast_session::testing::{PhoneCommands, WebCommands};
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::build;
use crate::describe;
use crate::fields::{Fields, hex, number};

type Object = Map<String, Value>;

/// The key that cases give by a number: its 16 bytes.
fn key(number: u64) -> CommandKey {
    CommandKey::from_bytes(u128::from(number).to_be_bytes())
}

/// The envelope of a command or a result.
pub(super) fn envelope(input: &Object) -> Result<Ending> {
    let message = Bytes::from(input.bytes("message")?);
    let out = match input.text("kind")? {
        "command" => CommandEnvelope::decode(&message).map(|CommandEnvelope { number: at, floor, key, body }| {
            json!({ "number": number(at), "floor": number(floor), "key": hex(key), "body": hex(body) })
        }),
        "result" => ResultEnvelope::decode(&message).map(|ResultEnvelope { key, body }| match body {
            Some(body) => json!({ "key": hex(key), "status": "RESULT", "body": hex(body) }),
            None => json!({ "key": hex(key), "status": "ALREADY_DONE" }),
        }),
        other => bail!("{other} has no envelope"),
    };
    Ok(out.map(Outcome::of).map_err(|error| error.code()))
}

/// The key of a command that was stored in version 1.
pub(super) fn old_key(input: &Object) -> Result<Ending> {
    let mailbox = MailboxId::from_bytes(input.array("mailbox")?);
    Ok(Ok(Outcome::of(json!({ "key": hex(old_command_key(&mailbox, input.u64("number")?)) }))))
}

/// The commands of a step: number, floor and key of each.
fn commands(step: &Object) -> Result<Vec<(u64, u64, CommandKey)>> {
    let optional = |name: &str| step.contains_key(name).then(|| step.u64(name)).transpose();
    let first = step.u64("number")?;
    let (floor, first_key) = (optional("floor")?, optional("key")?.unwrap_or(first));
    let stands = step.contains_key("stands");
    let command = |at: u64| {
        let number = if stands { first } else { first + at };
        (number, floor.unwrap_or(number), key(first_key + at))
    };
    Ok((0..optional("count")?.unwrap_or(1)).map(command).collect())
}

/// What a phone answers to commands one after another, and what it keeps of them. The case is refused if the last command
/// is.
pub(super) fn phone(input: &Object) -> Result<Ending> {
    let mut phone = PhoneCommands::default();
    let mut steps = Vec::new();
    for step in input.field("steps")?.as_array().context("steps is a list")? {
        let step = step.as_object().context("a step is an object")?;
        let len = if step.contains_key("len") { step.u64("len")? } else { 3 };
        let body = Bytes::from(vec![7; usize::try_from(len)?]);
        let repeat = if step.contains_key("reads") { Repeat::Run } else { Repeat::Answer };
        let mut answers: Vec<(String, u64)> = Vec::new();
        for (number, floor, key) in commands(step)? {
            let answer = match phone.arrived(number, floor, key) {
                Ok(None) => {
                    phone.answered(number, key, &body, repeat);
                    "RUN".to_owned()
                }
                Ok(Some(Some(result))) => format!("RESULT {}", result.len()),
                Ok(Some(None)) => "ALREADY_DONE".to_owned(),
                Err(code) => return Ok(Err(code)),
            };
            match answers.last_mut() {
                Some((last, count)) if *last == answer => *count += 1,
                _ => answers.push((answer, 1)),
            }
        }
        let (keys, bytes) = phone.kept();
        let known = describe::commands_known(&phone.known());
        steps.push(json!({ "answers": answers, "keys": keys, "bytes": bytes, "known": known }));
    }
    Ok(Ok(Outcome::of(json!({ "steps": steps }))))
}

/// What a web makes of the commands that its phone knows.
pub(super) fn web(input: &Object) -> Result<Ending> {
    let mut web = WebCommands::default();
    for (first, last) in input.pairs("settled")? {
        for number in first..=last {
            web.sent(number, key(number));
            web.settled(&key(number));
        }
    }
    for (number, name) in input.pairs("waiting")? {
        web.sent(number, key(name));
    }
    let known = build::commands_known(input.object("known")?)?;
    Ok(web.meet(input.u64("next")?, &known).map(|numbered| {
        Outcome::of(match numbered {
            None => json!({ "put_back": false }),
            Some(waiting) => {
                let first = known.highest + 1;
                let next = first + waiting.len() as u64;
                let waiting: Vec<_> =
                    waiting.iter().map(|(at, key)| json!([number(*at), hex(key)])).collect();
                json!({ "put_back": true, "waiting": waiting, "floor": number(first), "next": number(next) })
            }
        })
    }))
}
