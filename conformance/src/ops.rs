//! The operations of cases: each takes the input of a case and gives its output, or the code of its refusal.

mod commands;
mod decode;
mod media;
mod message;
mod noise;
mod outcome;
mod pairing;
mod party;
mod reconnect;
mod record;
mod reply;
mod rules;
mod sign;
mod state;

use self::outcome::Ending;
pub use self::outcome::Outcome;
pub(crate) use self::sign::{mailbox, public, sign};
pub(crate) use self::state::code_of;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

/// The names of all operations.
pub const NAMES: &[&str] = &[
    "qr.decode",
    "relay.decode",
    "record.decode",
    "link-record.decode",
    "payload.decode",
    "message.decode",
    "record.open",
    "noise.read",
    "handshake.party",
    "attach.verify",
    "certificate.verify",
    "accept.verify",
    "ed25519.verify",
    "revoked.verify",
    "pairing",
    "pairing.opening",
    "reconnect",
    "media.receive",
    "ratchet.phone",
    "ratchet.web",
    "resume.verdict",
    "envelope.decode",
    "command.old-key",
    "commands.phone",
    "commands.web",
    "reply.read",
    "version.choose",
    "version.reply",
    "kk.head",
    "keys.distinct",
    "state",
];

/// Runs an operation of the worked example. A program that calls nothing else has no state machine linked in.
///
/// # Errors
///
/// If the operation is another one, or the input lacks a field.
pub fn run_of_example(op: &str, input: &Map<String, Value>) -> Result<Ending> {
    match op {
        "qr.decode" => decode::qr(input),
        "record.open" => record::open(input),
        "pairing" => pairing::run(input),
        "reconnect" => reconnect::run(input),
        other => bail!("the worked example has no operation {other}"),
    }
}

/// Runs an operation on an input.
///
/// # Errors
///
/// If the operation is not known or the input lacks a field: then the case is malformed.
pub fn run(op: &str, input: &Map<String, Value>) -> Result<Ending> {
    match op {
        "qr.decode" => decode::qr(input),
        "relay.decode" => decode::relay(input),
        "record.decode" => decode::record(input),
        "link-record.decode" => decode::link_record(input),
        "payload.decode" => decode::payload(input),
        "record.open" => record::open(input),
        "message.decode" => message::decode(input),
        "noise.read" => noise::read(input),
        "handshake.party" => party::run(input),
        "attach.verify" => sign::attach(input),
        "certificate.verify" => sign::certificate(input),
        "accept.verify" => sign::accept(input),
        "ed25519.verify" => sign::ed25519(input),
        "revoked.verify" => sign::revoked(input),
        "pairing" => pairing::run(input),
        "pairing.opening" => pairing::opening(input),
        "reconnect" => reconnect::run(input),
        "media.receive" => media::receive(input),
        "ratchet.phone" => rules::ratchet_phone(input),
        "ratchet.web" => rules::ratchet_web(input),
        "resume.verdict" => rules::resume(input),
        "envelope.decode" => commands::envelope(input),
        "command.old-key" => commands::old_key(input),
        "commands.phone" => commands::phone(input),
        "commands.web" => commands::web(input),
        "reply.read" => reply::read(input),
        "version.choose" => rules::version_choose(input),
        "version.reply" => rules::version_reply(input),
        "kk.head" => rules::kk_head(input),
        "keys.distinct" => rules::keys_distinct(input),
        "state" => state::run(input),
        other => bail!("the operation {other} is not known"),
    }
}
