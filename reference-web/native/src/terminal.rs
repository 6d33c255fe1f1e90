//! Events and answers as text for people, made of the same objects that `--json` prints.

use handfast_programs::chats::{author, chat_table, content, last_seen};
use handfast_programs::fields::{number, rows, text};
use handfast_programs::{ago, columns, printable, size, usage_words};
use serde_json::{Map, Value};

/// Returns the state of the link in words.
fn state(state: &str) -> &str {
    match state {
        "connecting" => "Connecting to the relay.",
        "relay_down" => "The relay cannot be reached. Trying again; what you send waits on this disk.",
        "peer_absent" => "The phone is not connected. What you send waits on this disk.",
        "waking" => "The phone is being woken.",
        "peer_silent" => "The phone does not answer yet.",
        "live" => "Connected to the phone.",
        other => other,
    }
}

/// Returns the text of an event of a running companion; `None` for an event that only a program needs. A text
/// that is a question ends with a space, so that the answer is typed on the same line.
#[must_use]
pub fn event(event: &Value) -> Option<String> {
    let said = match event["event"].as_str().unwrap_or_default() {
        "ready" => format!("The companion runs as process {}. Ctrl-C ends it.", event["pid"]),
        "code" => code(event),
        "check_code" => {
            format!(
                "Type this on your phone: {}. Never read these digits to anybody. If your phone does not ask, type: stop",
                text(event, "code")
            )
        }
        "number_wanted" => format!(
            "Type the two digits that your phone shows now, or `none` if it shows none. Account: \"{}\": ",
            text(event, "account")
        ),
        "code_burnt" if event["asks"].as_bool() == Some(true) => format!(
            "Nothing was linked ({}). If your phone says that it is linked, remove it there under `companions`. For another \
             code, type: new",
            text(event, "code")
        ),
        "code_burnt" => format!("This code is used up ({}).", text(event, "code")),
        "unconfirmed" => format!(
            "The phone has not confirmed this link, and may have made it all the same: then it goes on by itself, within {} \
             minutes. To end that and get another code, type: new, under `pair`; and remove this companion on the phone if it \
             is listed there.",
            number(event, "left_s").div_ceil(60)
        ),
        "relay_lost" => {
            format!("No connection: {}. Trying again.", text(event, "reason"))
        }
        "linked" => format!("Linked with \"{}\". Start the companion with `run`.", text(event, "account")),
        "link_state" => state(&text(event, "state")).to_owned(),
        "synced" => format!("All here: {} chats, {} messages.", event["chats"], event["messages"]),
        // Further lines of a message are indented, so that none looks like another event.
        "message" => {
            let said = format!("Chat {}: {}: {}", event["chat"], author(event), content(event));
            said.replace('\n', "\n    ")
        }
        "transfer" => return transfer(event),
        "result" => return result(event),
        "message_changed" | "presence" => return None,
        "skipped" => {
            format!("{} items of the phone are of a newer version; update this program.", event["items"])
        }
        "diverged" | "suspended" | "revoked" | "put_back" => format!("{}.", capital(&text(event, "message"))),
        "commands_forgotten" => forgotten(event),
        "link_error" if text(event, "code") == "NO_COMMON_VERSION" => too_old(&text(event, "by")).to_owned(),
        "replaced" => "Another process uses this companion. End it, or type: take back".to_owned(),
        "link_error" => {
            let by = text(event, "by");
            let by = if by == "here" { "companion" } else { &by };
            format!("The connection ended ({}, said by the {by}).", text(event, "code"))
        }
        _ => answer_to_line(event),
    };
    Some(said)
}

/// Returns the text of the answer to a line that the user typed.
fn answer_to_line(event: &Value) -> String {
    if let Some(error) = event["error"].as_str() {
        return printable(error);
    }
    match event["answered"].as_bool() {
        Some(true) => "One moment.".to_owned(),
        Some(false) => "Stopped: nothing is linked here.".to_owned(),
        None if event["new_code"] == true => "Here it comes.".to_owned(),
        None => printable(&event.to_string()),
    }
}

fn code(event: &Value) -> String {
    let shown = match (event["drawing"].as_str(), event["qr_png"].as_str()) {
        (Some(drawing), None) => format!("{drawing}\nScan this with the phone"),
        (Some(drawing), Some(path)) => {
            format!("{drawing}\nScan this, or the same in {}, with the phone", printable(path))
        }
        (None, Some(path)) => format!("The code is in {}. Scan it with the phone", printable(path)),
        (None, None) => {
            let reason = text(event, "not_drawn");
            return format!(
                "{reason}; or draw it into a picture with --qr-png FILE, or get its text with --json."
            );
        }
    };
    format!(
        "{shown}, from \"link a device\" in its app. It is shown for {} s, then a new one. The phone will ask for four \
         digits: if they are shown here and your phone asks for none, somebody else scanned it.",
        number(event, "expires_in_s") / 2
    )
}

fn transfer(event: &Value) -> Option<String> {
    let (what, content) = (text(event, "direction"), text(event, "content"));
    if let Some(code) = event["code"].as_str() {
        let reason = match text(event, "message") {
            reason if reason.is_empty() => printable(code),
            reason => reason,
        };
        return Some(format!("The {what} of {content} failed ({reason}); ask again."));
    }
    (event["done"] == true).then(|| match text(event, "out") {
        out if out.is_empty() => format!("The {what} of {content} is done."),
        out => format!("The {what} of {content} is done; it is in {out}."),
    })
}

fn result(event: &Value) -> Option<String> {
    let code = event["code"].as_str()?;
    Some(format!(
        "The phone refused what you sent ({}); look at the chat, then send it again.",
        printable(code)
    ))
}

/// Returns the text for a companion that was restored from too old a copy. It lists the texts that the
/// companion had not sent.
fn forgotten(event: &Value) -> String {
    let waits = |waiting: &Value| {
        format!("\n    Waits for chat {}: {}", number(waiting, "chat"), text(waiting, "text"))
    };
    let said: String = rows(event, "waiting").map(waits).collect();
    format!("{}.{said}", capital(&text(event, "message")))
}

/// Returns which program must be updated when phone and companion have no common version.
fn too_old(by: &str) -> &'static str {
    match by {
        "here" => {
            "The phone's program is too old for this companion. Update the phone; what you sent waits on this disk."
        }
        _ => "This companion is too old for the phone. Update it; what you sent waits on this disk.",
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Returns the text of an answer. `now_ms` is the wall time, in milliseconds since 1970.
#[must_use]
pub fn answer(answer: &Value, now_ms: u64) -> String {
    if answer["settings"].is_array() {
        return status(answer);
    }
    if answer["chats"].is_array() {
        return chat_table(answer, now_ms);
    }
    if answer["messages"].is_array() {
        return history(answer, now_ms);
    }
    if answer["companions"].is_array() {
        return companions(answer, now_ms);
    }
    if answer["held"] == true {
        let command = text(answer, "command");
        return format!(
            "Accepted: it waits here until the phone is there. To take it back: handfast-web undo {command}"
        );
    }
    if answer["undone"] == true {
        return "Taken back: nothing of it has left.".to_owned();
    }
    if answer["accepted"] == true {
        return "Accepted: it is on this disk, and goes on as soon as the phone is there.".to_owned();
    }
    if answer["logged_out"] == true {
        return "The keys, messages and media of this companion are deleted here. Revoke it on the phone too.".to_owned();
    }
    printable(&answer.to_string())
}

fn history(answer: &Value, now_ms: u64) -> String {
    let mut table = vec![["ID", "WHEN", "WHO", "TEXT"].map(str::to_owned)];
    table.extend(
        rows(answer, "messages").map(|row| {
            [row["id"].to_string(), ago(number(row, "time_ms"), now_ms), author(row), content(row)]
        }),
    );
    columns(&table)
}

fn companions(answer: &Value, now_ms: u64) -> String {
    let mut table = vec![["ID", "LABEL", "STATUS", "LAST SEEN"].map(str::to_owned)];
    table.extend(rows(answer, "companions").map(|row| {
        let status = match number(row, "status") {
            1 => "pending",
            2 => "active",
            _ => "suspended",
        };
        [text(row, "companion"), text(row, "label"), status.to_owned(), last_seen(row, now_ms)]
    }));
    columns(&table)
}

fn status(answer: &Value) -> String {
    let link = &answer["link"];
    let linked = if link.is_null() {
        "none; `pair` makes one".to_owned()
    } else {
        format!(
            "{} with \"{}\" over {}, {}",
            text(link, "companion"),
            text(link, "account"),
            text(link, "relay"),
            text(link, "state")
        )
    };
    let settings: Vec<_> = rows(answer, "settings").filter_map(Value::as_str).collect();
    [
        format!("link      {linked}"),
        format!("mirrored  {} chats, {} messages", answer["chats"], answer["messages"]),
        format!(
            "waiting   {} commands without answer, {} messages ({}), {} transfers",
            answer["commands_open"],
            answer["outbox_messages"],
            size(number(answer, "outbox_bytes")),
            answer["transfers"]
        ),
        usage_words(&answer["process"]),
        format!("database  {}", settings.join(", ")),
    ]
    .join("\n")
}

/// Converts a line that a person typed into a request for the companion.
#[must_use]
pub fn request(line: &str) -> Option<Map<String, Value>> {
    let line = line.trim();
    let (name, value) = match line {
        "take back" => ("verb", Value::from("take_back")),
        "new" => ("new_code", Value::Bool(true)),
        "none" | "stop" | "no" => ("number", Value::Null),
        // A wrong number of digits is refused later with advice, and does not use up the attempt.
        _ if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) => {
            ("number", Value::from(line))
        }
        _ => return None,
    };
    Some(Map::from_iter([(name.to_owned(), value)]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(line: &Value) -> String {
        event(line).expect("something to say")
    }

    #[test]
    fn the_steps_of_pairing_say_what_to_do() {
        let code =
            said(&json!({"event": "code", "drawing": "##", "expires_in_s": 60, "qr_png": "/tmp/c.png"}));
        assert!(
            code.starts_with("##\n") && code.contains("for 30 s") && code.contains("/tmp/c.png"),
            "{code}"
        );
        assert!(code.contains("your phone asks for none, somebody else scanned it"), "{code}");
        let narrow = said(
            &json!({"event": "code", "text": "HF1*SECRET", "not_drawn": "It is wide", "expires_in_s": 60}),
        );
        assert!(narrow.starts_with("It is wide; ") && narrow.contains("--qr-png FILE"), "{narrow}");
        assert!(!narrow.contains("SECRET"));
        let picture =
            said(&json!({"event": "code", "not_drawn": "x", "expires_in_s": 60, "qr_png": "/tmp/c.png"}));
        assert!(picture.starts_with("The code is in /tmp/c.png. "), "{picture}");
        assert!(said(&json!({"event": "check_code", "code": "0042"})).contains("phone: 0042."));
        let asked = said(&json!({"event": "number_wanted", "account": "Ada\n"}));
        assert!(asked.ends_with(": ") && asked.contains("`none`") && asked.contains("Ada\\u{a}"), "{asked}");
        let burnt = |asks| said(&json!({"event": "code_burnt", "code": "NOT_CONFIRMED", "asks": asks}));
        assert!(burnt(true).contains("type: new") && burnt(false).contains("used up (NOT_CONFIRMED)."));
        // req: HSK-165
        let waits = said(&json!({"event": "unconfirmed", "left_s": 86_390}));
        assert!(waits.contains("within 1440 minutes") && waits.contains("type: new"), "{waits}");
        assert!(said(&json!({"event": "relay_lost", "reason": "refused"})).contains("refused"));
    }

    // req: RES-034, RES-038, RES-040
    #[test]
    fn who_was_put_back_and_who_is_too_old_is_said() {
        use crate::app::AppEvent;
        use handfast::DeviceRole::{Phone, Web};
        let told = |event: &AppEvent| said(&crate::describe::event(event));
        for (who, words) in [(Web, "This companion was put back"), (Phone, "The phone was put back")] {
            let told = told(&AppEvent::PutBack { who });
            assert!(told.starts_with(words) && told.contains("restored from a backup, or copied"), "{told}");
        }
        let waiting = vec![(1, "one\nWaits for chat 9: no".to_owned()), (2, "two".to_owned())];
        let told_of = told(&AppEvent::Forgotten { waiting });
        assert!(told_of.contains("logout --yes") && told_of.contains("Waits for chat 2: two"), "{told_of}");
        assert_eq!(told_of.lines().count(), 3, "a text has one line: {told_of}");
        let code = handfast::ErrorCode::NO_COMMON_VERSION;
        assert!(told(&AppEvent::LinkError { code, by: "here" }).contains("Update the phone"));
        assert!(told(&AppEvent::LinkError { code, by: "phone" }).contains("Update it"));
    }

    #[test]
    fn news_are_told_and_steps_of_programs_are_not() {
        let message =
            json!({"event": "message", "chat": 3, "author": "Ada", "text": "one\ntwo", "content": null});
        assert_eq!(said(&message), "Chat 3: Ada: one\n    two");
        let mut changed = message;
        changed["edited"] = json!(true);
        changed["reactions"] = json!([{"author": "", "reaction": "+1"}]);
        assert_eq!(said(&changed), "Chat 3: Ada: one\n    two (edited) [+1 you]");
        let step =
            json!({"event": "transfer", "direction": "get", "content": "ab", "done": false, "code": null});
        assert_eq!(event(&step), None);
        let mut end = step;
        (end["done"], end["out"]) = (json!(true), json!("/tmp/x"));
        assert!(said(&end).ends_with("is done; it is in /tmp/x."));
        (end["done"], end["code"], end["message"]) =
            (json!(false), json!("IO"), json!("/tmp is a directory, not a file"));
        assert!(said(&end).contains("failed (/tmp is a directory, not a file)"));
        assert_eq!(event(&json!({"event": "result", "command": "03", "message": 4, "code": null})), None);
        let refused = json!({"event": "result", "command": "03", "code": "REFUSED"});
        assert!(said(&refused).contains("REFUSED"));
        assert_eq!(said(&json!({"event": "suspended", "message": "the phone x"})), "The phone x.");
        assert!(said(&json!({"event": "of_later"})).contains("of_later"));
    }

    #[test]
    fn lines_of_a_person_are_the_number_none_new_and_take_back() {
        // req: HSK-102
        for (line, object) in [
            ("07", json!({"number": "07"})),
            (" 75 ", json!({"number": "75"})),
            ("none", json!({"number": null})),
            ("stop", json!({"number": null})),
            ("new", json!({"new_code": true})),
        ] {
            assert_eq!(request(line).map(Value::from), Some(object), "{line}");
        }
        assert_eq!(request("yes"), None, "nothing is linked by a yes");
        assert_eq!(request("take back").map(Value::from), Some(json!({"verb": "take_back"})));
        assert_eq!(request("{}"), None);
    }
}
