//! Events and answers of the companion as JSON objects.

use handfast::DeviceRole;
use handfast_messages::CollectionName;
use serde_json::{Value, json};

use crate::app::{AppEvent, Status};
use crate::store::{LinkedCompanion, Message};

fn row(m: &Message) -> Value {
    let (content, media_type, name, size) = match &m.media {
        Some((content, media_type, name, size)) => {
            (Some(content.to_string()), Some(media_type), Some(name), Some(size))
        }
        None => (None, None, None, None),
    };
    let reactions =
        m.reactions.iter().map(|(author, reaction)| json!({"author": author, "reaction": reaction}));
    json!({"chat": m.chat, "id": m.id, "author": m.author, "time_ms": m.time_ms, "text": m.text,
        "state": m.state, "reply_to": m.reply_to, "content": content, "media_type": media_type,
        "media_name": name, "media_size": size, "edited": m.edited, "reactions": reactions.collect::<Vec<_>>()})
}

/// Converts an event into JSON. Events with pairing codes are converted by the driver, because it also draws
/// the codes.
pub(crate) fn event(event: &AppEvent) -> Value {
    match event {
        AppEvent::Export { content, out } => {
            json!({"event": "export", "content": content.to_string(), "out": out})
        }
        AppEvent::Code { text } => json!({"event": "code", "text": text}),
        AppEvent::CheckCode(code) => json!({"event": "check_code", "code": code}),
        AppEvent::NumberWanted { account } => json!({"event": "number_wanted", "account": account}),
        AppEvent::CodeBurnt { code, asks } => {
            json!({"event": "code_burnt", "code": code.to_string(), "asks": asks})
        }
        AppEvent::Unconfirmed { left_s } => json!({"event": "unconfirmed", "left_s": left_s}),
        AppEvent::RelayLost { reason } => json!({"event": "relay_lost", "reason": reason}),
        AppEvent::Linked { companion, account } => {
            json!({"event": "linked", "companion": companion.to_string(), "account": account})
        }
        AppEvent::LinkState(state) => json!({"event": "link_state", "state": state.name()}),
        AppEvent::Synced { chats, messages } => {
            json!({"event": "synced", "chats": chats, "messages": messages})
        }
        AppEvent::Message { message, is_new } => {
            let mut line = row(message);
            line["event"] = json!(if *is_new { "message" } else { "message_changed" });
            line
        }
        AppEvent::Repair { collection, failed } => json!({
            "event": if *failed { "repair_failed" } else { "repair" },
            "chat": match CollectionName::decode(collection) {
                Some(CollectionName::Messages(chat)) => Some(chat),
                _ => None,
            },
        }),
        AppEvent::Presence { present } => json!({"event": "presence", "present": present}),
        AppEvent::Skipped { items } => json!({"event": "skipped", "items": items}),
        AppEvent::Result { key, client_id, outcome } => json!({
            "event": "result", "command": key.to_string(), "client_id": client_id,
            "message": outcome.as_ref().ok().copied().flatten(),
            "code": outcome.as_ref().err().map(ToString::to_string),
        }),
        AppEvent::Transfer { direction, content, offset, size, done, error, out, reason } => json!({
            "event": "transfer", "direction": direction.as_str(), "content": content.to_string(),
            "offset": offset, "size": size, "done": done, "code": error.map(|code| code.to_string()),
            "out": out, "message": reason,
        }),
        AppEvent::PutBack { who } => put_back(*who),
        AppEvent::Forgotten { waiting } => forgotten(waiting),
        AppEvent::Diverged => json!({"event": "diverged", "message":
            "two copies of this companion were seen; link it again on the phone, or revoke it there"}),
        AppEvent::Suspended => json!({"event": "suspended", "message":
            "the phone has suspended this companion; look at its linked devices"}),
        AppEvent::Revoked => json!({"event": "revoked", "message":
            "the phone has unlinked this companion; its keys and messages are deleted"}),
        AppEvent::Lapsed => json!({"event": "lapsed", "message":
            "the phone did not confirm the link within a day; run `pair` to link it again"}),
        AppEvent::Replaced => json!({"event": "replaced", "message":
            "another process uses this companion; stop it, or send {\"verb\":\"take_back\"}"}),
        AppEvent::StoreFailed { reason, retry } => {
            json!({"event": "store_failed", "message": reason, "retry_s": retry.as_secs()})
        }
        AppEvent::LinkError { code, by } => {
            json!({"event": "link_error", "code": code.to_string(), "by": by})
        }
    }
}

fn put_back(who: DeviceRole) -> Value {
    let (who, message) = match who {
        DeviceRole::Web => ("companion", "this companion was put back to an earlier state"),
        DeviceRole::Phone => ("phone", "the phone was put back to an earlier state"),
    };
    json!({"event": "put_back", "who": who, "message": format!(
        "{message}: a profile of it was restored from a backup, or copied, and both copies ran. No text is sent twice; \
         what it had only since then may be missing there. If you did neither, link this companion again"
    )})
}

fn forgotten(waiting: &[(u64, String)]) -> Value {
    let waiting: Vec<_> = waiting.iter().map(|(chat, text)| json!({"chat": chat, "text": text})).collect();
    json!({"event": "commands_forgotten", "waiting": waiting, "message":
        "this companion was put back to an earlier state, too far to go on: a profile of it was restored or copied. \
         What waits here may have been sent, and is kept; write down what you need, then run `logout --yes` and link \
         it again"})
}

pub(crate) fn history(messages: &[Message]) -> Value {
    json!({"messages": messages.iter().map(row).collect::<Vec<_>>()})
}

pub(crate) fn companions(companions: &[LinkedCompanion]) -> Value {
    let rows = companions.iter().map(|c| {
        json!({"companion": c.companion.to_string(), "serial": c.serial, "label": c.label, "linked_ms": c.linked_ms,
            "seen_ms": c.seen_ms, "status": c.status})
    });
    json!({"companions": rows.collect::<Vec<_>>()})
}

/// Converts the companion's status into JSON. `process` is the resource usage of the running companion, or
/// null.
pub(crate) fn status(status: &Status, process: &Value) -> Value {
    let link = status.link.as_ref().map(|link| {
        json!({"companion": link.companion.to_string(), "account": link.account_name, "relay": link.relay,
            "label": link.label, "state": link.state.as_str()})
    });
    let companion = status.link.as_ref().map(|link| link.companion.to_string());
    json!({"companion": companion, "link": link, "chats": status.counts.chats, "messages": status.counts.messages,
        "aside": status.counts.aside, "followed": status.followed.0, "waiting": status.followed.1,
        "commands_open": status.commands_open, "outbox_messages": status.outbox.0,
        "outbox_bytes": status.outbox.1, "transfers": status.transfers, "process": process,
        "settings": status.settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()})
}
