//! Events and answers of the phone as JSON objects.

use handfast::DeviceRole;
use handfast::session::LinkState;
use handfast_messages::{Reaction, grants};
use serde_json::{Value, json};

use crate::app::{AppEvent, ScanStep, Status, grant_names};
use crate::store::{Companion, StoredMessage};

pub(crate) fn event(event: &AppEvent) -> Value {
    match event {
        AppEvent::Scan(step) => scan(step),
        AppEvent::LinkState { companion, state } => {
            json!({"event": "link_state", "companion": companion.to_string(), "state": state.name()})
        }
        AppEvent::Linked { companion } => json!({"event": "linked", "companion": companion.to_string()}),
        AppEvent::OfferOver { companion } => {
            json!({"event": "offer_over", "companion": companion.to_string()})
        }
        AppEvent::Diverged { companion } => json!({"event": "diverged", "companion": companion.to_string()}),
        AppEvent::PutBack { companion, who } => {
            let who = match who {
                DeviceRole::Phone => "phone",
                DeviceRole::Web => "companion",
            };
            json!({"event": "put_back", "companion": companion.to_string(), "who": who})
        }
        AppEvent::Contended { companion, times } => {
            json!({"event": "contended", "companion": companion.to_string(), "times": times})
        }
        AppEvent::RevokedTold { companion } => {
            json!({"event": "revoked_told", "companion": companion.to_string()})
        }
        AppEvent::LinkError { companion, code, by } => {
            json!({"event": "link_error", "companion": companion.to_string(), "code": code.to_string(), "by": by})
        }
        AppEvent::StoreFailed { reason, retry } => {
            json!({"event": "store_failed", "message": reason, "retry_s": retry.as_secs()})
        }
        AppEvent::LinkDamaged { link, error } => {
            json!({"event": "link_damaged", "link": link.to_string(), "message": error.to_string()})
        }
    }
}

pub(crate) fn scan(step: &ScanStep) -> Value {
    match step {
        ScanStep::Looking { relay } => json!({"event": "looking", "relay": relay.as_str()}),
        ScanStep::CheckCodeWanted => json!({"event": "check_code_wanted"}),
        ScanStep::WrongCode { left } => json!({"event": "wrong_code", "left": left}),
        ScanStep::ApprovalWanted { label, origin, origin_seen, same_net, grants: asked, relay } => json!({
            "event": "approval_wanted", "label": label, "origin": origin, "origin_seen": origin_seen,
            "same_net": same_net, "grants": grant_names(*asked), "grants_unknown": asked & !grants::ALL,
            "warnings": warnings(origin, origin_seen.as_deref(), *same_net), "relay": relay.as_str(),
        }),
        ScanStep::ShowConfirmation(number) => json!({"event": "show_nn", "nn": number}),
        ScanStep::Linked { companion } => json!({"event": "linked", "companion": companion.to_string()}),
        ScanStep::Ended { code, message, open: None } => {
            json!({"event": "ended", "code": code.to_string(), "message": message})
        }
        ScanStep::Ended { code, message, open: Some(open) } => json!({
            "event": "ended", "code": code.to_string(), "message": message,
            "may_still_link": {"companion": open.companion.to_string(), "left_s": open.left_s},
        }),
    }
}

/// Returns the codes of warnings about a companion's claims. If the relay's report agrees with a claim there
/// is no code, because that proves nothing.
fn warnings(origin: &str, seen: Option<&str>, same_net: Option<bool>) -> Vec<&'static str> {
    let mut warnings = Vec::new();
    // req: HSK-127, HSK-129
    match seen {
        None if !origin.is_empty() => warnings.push("ORIGIN_NOT_SEEN"),
        Some(seen) if seen != origin => warnings.push("ORIGIN_OTHER"),
        Some(_) | None => {}
    }
    // req: HSK-128
    if same_net == Some(false) {
        warnings.push("OTHER_NETWORK");
    }
    warnings
}

pub(crate) fn history(messages: &[StoredMessage]) -> Value {
    let rows = messages.iter().map(|m| {
        let m = &m.message;
        json!({"chat": m.chat, "id": m.message, "author": m.author, "time_ms": m.time, "text": m.text,
            "state": m.state.number(), "content": m.media.as_ref().map(|media| media.content.to_string()),
            "media_type": m.media.as_ref().map(|media| media.media_type.as_str()),
            "media_name": m.media.as_ref().map(|media| media.name.as_str()),
            "media_size": m.media.as_ref().map(|media| media.size), "edited": m.edited,
            "reactions": reactions(&m.reactions)})
    });
    json!({"messages": rows.collect::<Vec<_>>()})
}

fn reactions(reactions: &[Reaction]) -> Value {
    reactions.iter().map(|r| json!({"author": r.author, "reaction": r.reaction})).collect()
}

pub(crate) fn companions(companions: &[(Companion, Option<LinkState>)]) -> Value {
    let rows = companions.iter().map(|(c, s)| {
        json!({"companion": c.companion.to_string(), "label": c.label, "origin": c.origin, "relay": c.relay,
            "linked_ms": c.linked_ms, "seen_ms": c.seen_ms, "status": c.status.as_str(), "state": s.map(LinkState::name)})
    });
    json!({"companions": rows.collect::<Vec<_>>()})
}

/// Converts the phone's status into JSON. `process` is the resource usage of the running phone, or null.
pub(crate) fn status(status: &Status, process: &Value) -> Value {
    let links = status.links.iter().map(|link| {
        json!({"companion": link.companion.to_string(), "state": link.state.map(LinkState::name), "socket": link.has_socket,
            "outbox_messages": link.outbox.0, "outbox_bytes": link.outbox.1, "streams": link.streams})
    });
    json!({"account": status.account, "rev": status.rev, "chats": status.counts.0, "messages": status.counts.1,
        "scanning": status.scanning, "links": links.collect::<Vec<_>>(), "process": process,
        "settings": status.settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()})
}
