//! The Rust implementation as a shim: JSON lines on its standard input and output, as `SHIMS.md` has them.
//!
//! It plays the roles that it is started with; what it does for each operation stands in [`crate::ops`].

mod attempt;
mod session;

use std::io::{BufRead, Write};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use self::attempt::Codes;
pub(crate) use self::attempt::told as told_of_pairing;
use self::session::Session;
use crate::case::ErrorName;
use crate::runner::PROTOCOL;
use crate::{ops, peer};

/// Answers each line of `requests` by one of `answers`, until there is none.
///
/// # Errors
///
/// A line cannot be read, or is no request.
pub fn serve(roles: &[String], requests: impl BufRead, mut answers: impl Write) -> Result<()> {
    let mut session = None;
    for line in requests.lines() {
        let line = line?;
        let request: Map<String, Value> =
            serde_json::from_str(&line).context("a request is a JSON object")?;
        let (id, op) = (request.get("id").context("a request has an id")?, request.get("op"));
        let op = op.and_then(Value::as_str).context("a request has an op")?;
        let none = Map::new();
        let input = request.get("in").and_then(Value::as_object).unwrap_or(&none);
        let mut answer = match op {
            "hello" => hello(roles),
            _ if op.starts_with("session.") => in_session(&mut session, op, input)?,
            _ => answer(op, input)?,
        };
        answer["id"] = id.clone();
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}

/// What a live case is about.
enum Live {
    Codes(Codes),
    Link(Box<Session>),
}

/// A request of a live case; `session.new` and `session.pair` begin another one.
fn in_session(live: &mut Option<Live>, op: &str, input: &Map<String, Value>) -> Result<Value> {
    match op {
        "session.new" => *live = Some(Live::Link(Box::new(Session::new(input)?))),
        "session.pair" => match live {
            Some(Live::Codes(codes)) if input.contains_key("which") => codes.add(input)?,
            _ => *live = Some(Live::Codes(Codes::new(input)?)),
        },
        _ => {}
    }
    let out = match live.as_mut().context("session.new or session.pair comes first")? {
        Live::Codes(codes) => codes.step(op, input)?,
        Live::Link(session) => session.step(op, input)?,
    };
    Ok(json!({ "ok": true, "out": out }))
}

fn hello(roles: &[String]) -> Value {
    let name = format!("rust-{}", roles.join("-"));
    let version = env!("CARGO_PKG_VERSION");
    json!({ "ok": true, "proto": PROTOCOL, "spec": "1", "name": name, "version": version, "roles": roles,
        "ops": ops::NAMES.iter().chain(&[peer::OP]).collect::<Vec<_>>() })
}

fn answer(op: &str, input: &Map<String, Value>) -> Result<Value> {
    if !ops::NAMES.contains(&op) {
        return Ok(json!({ "unsupported": op }));
    }
    Ok(match ops::run(op, input).with_context(|| op.to_owned())? {
        Ok(outcome) => json!({ "ok": true, "out": outcome.out }),
        Err(code) => {
            let ErrorName { area, code } = code.into();
            json!({ "ok": false, "area": area, "code": code })
        }
    })
}
