//! Bodies of the reference application: commands, results, items, values of NOW.

use anyhow::{Result, bail};
use handfast_codec::error::DecodeError;
use handfast_codec::frame::PageState;
use handfast_messages::{Command, Item, MediaDescriptor, Message, NowValue, Reaction, ResultBody};
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::describe::object;
use crate::fields::{Fields, hex, number};

/// Takes a decoded value further, or gives the code.
fn ended<T>(decoded: Result<T, DecodeError>, describe: impl FnOnce(&T) -> Result<Value>) -> Result<Ending> {
    Ok(match decoded {
        Ok(value) => Ok(Outcome::of(describe(&value)?)),
        Err(error) => Err(error.code()),
    })
}

pub(super) fn decode(input: &Map<String, Value>) -> Result<Ending> {
    let body = input.bytes("body")?;
    match input.text("kind")? {
        "command" => ended(Command::decode(&body), command),
        "result" => ended(ResultBody::decode(&body.into()), result),
        "item" => ended(Item::decode(&body), item),
        "now-1" => now(1, &body),
        "now-3" => now(3, &body),
        "now-5" => now(5, &body),
        "now-7" => now(7, &body),
        other => bail!("{other} is no kind of message"),
    }
}

fn now(slot: u64, body: &[u8]) -> Result<Ending> {
    ended(NowValue::decode(slot, body), |value| {
        Ok(match value {
            Some(NowValue::Page(state)) => json!({ "page": u8::from(*state == PageState::Hidden) }),
            Some(NowValue::PhoneStatus { battery, charging }) => {
                json!({ "battery": battery, "charging": u8::from(*charging) })
            }
            Some(NowValue::Typing { chat }) => json!({ "chat": number(*chat) }),
            Some(NowValue::Presence { present }) => {
                json!({ "present": present.iter().copied().map(number).collect::<Vec<_>>() })
            }
            other => bail!("{other:?} has no description yet"),
        })
    })
}

fn media(media: &MediaDescriptor) -> Value {
    json!({
        "content": hex(media.content.as_bytes()), "size": number(media.size), "type": media.media_type,
        "name": media.name,
    })
}

fn optional(value: Option<u64>) -> Value {
    value.map_or(Value::Null, number)
}

fn pruned(value: Value) -> Value {
    Value::Object(object(value))
}

fn command(command: &Command) -> Result<Value> {
    Ok(pruned(match command {
        Command::SendText { chat, text, reply_to } => json!({
            "command": "SEND_TEXT", "chat": number(*chat), "text": text, "reply_to": optional(*reply_to),
        }),
        Command::History { chat, before, count } => json!({
            "command": "HISTORY", "chat": number(*chat), "before": number(*before), "count": count,
        }),
        Command::SendMedia { chat, media: descriptor, caption } => json!({
            "command": "SEND_MEDIA", "chat": number(*chat), "media": media(descriptor), "caption": caption,
        }),
        Command::MarkRead { chat, message } => json!({
            "command": "MARK_READ", "chat": number(*chat), "message": number(*message),
        }),
        Command::EditText { chat, message, text } => json!({
            "command": "EDIT_TEXT", "chat": number(*chat), "message": number(*message), "text": text,
        }),
        Command::Delete { chat, message } => json!({
            "command": "DELETE", "chat": number(*chat), "message": number(*message),
        }),
        Command::React { chat, message, reaction } => json!({
            "command": "REACT", "chat": number(*chat), "message": number(*message), "reaction": reaction,
        }),
        other => bail!("{other:?} has no description yet"),
    }))
}

fn result(result: &ResultBody) -> Result<Value> {
    Ok(match result {
        ResultBody::Accepted { message, rev } => {
            json!({ "result": "ACCEPTED", "message": number(*message), "rev": number(*rev) })
        }
        ResultBody::HistoryPage { items, more, rev } => {
            let items: Vec<String> = items.iter().map(hex).collect();
            json!({ "result": "HISTORY_PAGE", "items": items, "more": u8::from(*more), "rev": number(*rev) })
        }
        ResultBody::Failed { code } => json!({ "result": "FAILED", "code": code.as_u16() }),
        ResultBody::Done => json!({ "result": "DONE" }),
        other => bail!("{other:?} has no description yet"),
    })
}

fn item(item: &Item) -> Result<Value> {
    Ok(pruned(match item {
        Item::Chat { chat, title, last_message, last_text, last_time, unread } => json!({
            "item": "CHAT", "chat": number(*chat), "title": title, "last_message": number(*last_message),
            "last_text": last_text, "last_time": number(*last_time), "unread": number(*unread),
        }),
        Item::Message(message) => self::message(message),
        Item::Deleted { chat, message } => {
            json!({ "item": "DELETED", "chat": number(*chat), "message": optional(*message) })
        }
        Item::Companion { companion, serial, label, linked, seen, status } => json!({
            "item": "COMPANION", "companion": hex(companion.as_bytes()), "serial": number(*serial), "label": label,
            "linked": number(*linked), "seen": number(*seen), "status": status.number(),
        }),
        other => bail!("{other:?} has no description yet"),
    }))
}

fn reactions(reactions: &[Reaction]) -> Option<Vec<Value>> {
    let one = |of: &Reaction| json!({ "author": of.author, "reaction": of.reaction });
    (!reactions.is_empty()).then(|| reactions.iter().map(one).collect())
}

fn message(message: &Message) -> Value {
    let command = message.command.map(
        |command| json!({ "companion": hex(command.companion.as_bytes()), "key": hex(command.key.as_bytes()) }),
    );
    json!({
        "item": "MESSAGE", "chat": number(message.chat), "message": number(message.message),
        "author": message.author, "time": number(message.time), "text": message.text,
        "state": message.state.number(), "reply_to": optional(message.reply_to),
        "media": message.media.as_ref().map(media), "command": command, "edited": message.edited.then_some(1),
        "reactions": reactions(&message.reactions),
    })
}
