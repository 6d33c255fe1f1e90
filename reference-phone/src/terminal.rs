//! Events and answers as text for people, made of the same objects that `--json` prints.

use handfast_programs::chats::{chat_table, content, last_seen};
use handfast_programs::fields::{number, rows, text};
use handfast_programs::{ago, columns, printable, size, usage_words};
use serde_json::Value;

use crate::app::grants_of;

/// Returns the state of a link in words.
fn state(state: &str) -> &str {
    match state {
        "connecting" => "connecting to the relay",
        "relay_down" => "the relay cannot be reached; trying again",
        "peer_absent" => "not connected",
        "waking" => "being woken",
        "peer_silent" => "there, but silent",
        "live" => "connected",
        other => other,
    }
}

/// Returns the text of an event of a running phone, or of a step of a scan.
#[must_use]
pub fn event(event: &Value) -> String {
    let companion = text(event, "companion");
    match event["event"].as_str().unwrap_or_default() {
        "ready" => {
            format!("The phone runs as process {}. Ctrl-C ends it; `scan` links a companion.", event["pid"])
        }
        "link_state" => format!("Companion {companion}: {}.", state(&text(event, "state"))),
        "linked" => format!("Linked. The companion's id is {companion}; `revoke {companion}` ends the link."),
        "offer_over" => {
            format!("Companion {companion} is not linked: nobody accepted it in time, or you cancelled it.")
        }
        "diverged" => format!(
            "Companion {companion} exists twice: it was copied or restored, or its computer crashed. It is suspended. \
             `revoke {companion}`, then link it again."
        ),
        "put_back" => format!(
            "{}: a profile of it was restored from a backup, or copied, and both copies ran. No text is sent twice; what \
             it had only since then may be missing there. If you did neither, `revoke {companion}` and link it again.",
            match text(event, "who").as_str() {
                "phone" =>
                    format!("This phone was put back to an earlier state, as companion {companion} shows"),
                _ => format!("Companion {companion} was put back to an earlier state"),
            }
        ),
        "contended" => format!(
            "Somebody else takes the place of this phone at the relay, {} times now (companion {companion}). If you \
             did not copy this phone, `revoke {companion}` and link again.",
            number(event, "times")
        ),
        "revoked_told" => format!("Companion {companion} knows that it is revoked."),
        "link_error" => {
            let (code, by) = (text(event, "code"), text(event, "by"));
            match (code.as_str(), by.as_str()) {
                ("COMMANDS_FORGOTTEN", _) => format!(
                    "Companion {companion} was put back to an earlier state, too far to go on: a profile of it was restored \
                     or copied. What waits there is kept and shown there; `revoke {companion}`, then link it again."
                ),
                ("NO_COMMON_VERSION", "here") => format!(
                    "Companion {companion} cannot connect: its program is too old for this phone. Update the companion; \
                     nothing is lost."
                ),
                ("NO_COMMON_VERSION", _) => format!(
                    "Companion {companion} cannot connect: this phone's program is too old for it. Update the phone; \
                     nothing is lost."
                ),
                _ => format!(
                    "Companion {companion}: the connection ended ({code}, said by the {}).",
                    speaker(&by)
                ),
            }
        }
        "link_damaged" => format!(
            "A link cannot be opened ({}). The others work; revoke this one and link it again.",
            text(event, "message")
        ),
        _ => step(event),
    }
}

fn speaker(by: &str) -> &str {
    if by == "here" { "phone" } else { by }
}

/// Returns the text of a step of a scan. A text that is a question ends with a space, so that the answer is
/// typed on the same line.
fn step(event: &Value) -> String {
    match event["event"].as_str().unwrap_or_default() {
        "looking" => format!(
            "Looking for the page that shows this code, at {}. If it is not found, a letter of the code may be wrong.",
            text(event, "relay")
        ),
        "check_code_wanted" => {
            "Type the four digits that the page shows. Does the page still show its square code? Then you \
             scanned another page's: stop with Ctrl-C. Digits: "
                .to_owned()
        }
        "wrong_code" if number(event, "left") == 0 => {
            "Not linked. Somebody may have swapped the code. To try again, scan it once more.".to_owned()
        }
        "wrong_code" => format!(
            "The page you scanned has other digits. If you mistyped, try again ({} left). If this is what your screen shows, \
             stop: the code you scanned is not your page's. Digits: ",
            number(event, "left")
        ),
        "approval_wanted" => approval(event),
        "show_nn" => format!("Type {} on the page. Only on the page, and to nobody.", text(event, "nn")),
        "ended" => format!("The scan is over: {}.", ended(event)),
        _ => printable(&event.to_string()),
    }
}

/// Returns why a scan ended, and whether a companion may still become linked by it: one line without a full
/// stop.
#[must_use]
pub fn ended(event: &Value) -> String {
    let (message, open) = (text(event, "message"), &event["may_still_link"]);
    if open.is_null() {
        return message;
    }
    let minutes = number(open, "left_s").div_ceil(60);
    format!(
        "{message}. This companion may still be linked within {minutes} minutes: `cancel {}` ends that now, and \
         `companions` shows it",
        text(open, "companion")
    )
}

/// Returns what the user must see before approving: the companion's claims, and what contradicts them. If the
/// relay's report agrees with a claim it is not shown, because an attacker can arrange that.
fn approval(event: &Value) -> String {
    let claimed = match text(event, "origin") {
        origin if origin.is_empty() => "none: a program, not a page (its own claim)".to_owned(),
        origin => format!("{origin} (its own claim)"),
    };
    let mut grants: Vec<_> = rows(event, "grants").filter_map(Value::as_str).map(printable).collect();
    let unknown = number(event, "grants_unknown");
    // req: MSG-055
    if unknown != 0 {
        grants
            .push(format!("something that this phone does not know and will not allow (bits {unknown:#x})"));
    }
    let mut warnings = String::new();
    for code in rows(event, "warnings").filter_map(Value::as_str) {
        warnings += &["  WARNING    ", &warning(code, event), "\n"].concat();
    }
    format!(
        "The check code is right. A companion asks to be linked:\n  \
           label      {} (its own claim)\n  \
           origin     {claimed}\n  \
           wants to   {}\n  \
           by         {}\n\
         {warnings}\
         It will see your messages. Only go on if you are linking a device just now. To allow less, name what it may do, \
         for example: read send. Link it? [yes/no/rights] ",
        text(event, "label"),
        grants.join(", "),
        text(event, "relay"),
    )
}

/// Returns the text of a warning. What the relay saw is shown only if it contradicts the companion's claim.
fn warning(code: &str, event: &Value) -> String {
    match code {
        "ORIGIN_NOT_SEEN" => "it claims to be a page, and the relay saw a program; refuse it".to_owned(),
        "ORIGIN_OTHER" => {
            format!("the relay saw another origin, {}; refuse it", text(event, "origin_seen"))
        }
        "OTHER_NETWORK" => {
            "the relay says that it is in another network; refuse it if it should be beside you".to_owned()
        }
        other => printable(other),
    }
}

/// Returns the text of an answer. `now_ms` is the wall time, in milliseconds since 1970.
#[must_use]
pub fn answer(answer: &Value, now_ms: u64) -> String {
    if answer["chats"].is_array() {
        return chat_table(answer, now_ms);
    }
    if answer["messages"].is_array() {
        return history(answer, now_ms);
    }
    if let Some(file) = answer["backed_up"].as_str() {
        return format!(
            "{} messages and {} media are in {}. Whoever has this file has the account: keep it as you keep the phone.",
            answer["messages"],
            answer["media"],
            printable(file)
        );
    }
    if answer["restored"].is_string() {
        return format!(
            "Restored: {} messages, {} media. Start it with `run`, and link your companions anew.",
            answer["messages"], answer["media"]
        );
    }
    if answer["companions"].is_array() {
        return companions(answer, now_ms);
    }
    if answer["settings"].is_array() {
        return status(answer);
    }
    if answer["accepted"] == true {
        return format!("Accepted as message {}; `history` shows how far it is.", answer["id"]);
    }
    if answer["changed"] == true {
        return "Changed; the contact is told.".to_owned();
    }
    if answer["cancelled"] == true {
        return "Cancelled: this companion cannot be linked any more by that scan.".to_owned();
    }
    if answer["revoked"] == true {
        return "Revoked. It is told at once if it is connected, else when it comes back.".to_owned();
    }
    printable(&answer.to_string())
}

fn history(answer: &Value, now_ms: u64) -> String {
    let mut table = vec![["ID", "WHEN", "WHO", "TEXT"].map(str::to_owned)];
    table.extend(rows(answer, "messages").map(|row| {
        let who = match text(row, "author") {
            author if author.is_empty() => format!("you ({})", delivery(number(row, "state"))),
            author => author,
        };
        [row["id"].to_string(), ago(number(row, "time_ms"), now_ms), who, content(row)]
    }));
    columns(&table)
}

/// Returns the delivery state of a message of this account, in words.
fn delivery(state: u64) -> &'static str {
    match state {
        1 => "accepted",
        2 => "sent",
        3 => "delivered",
        4 => "read",
        5 => "failed",
        _ => "received",
    }
}

fn companions(answer: &Value, now_ms: u64) -> String {
    let mut table = vec![["ID", "LABEL", "STATUS", "NOW", "LAST SEEN"].map(str::to_owned)];
    table.extend(rows(answer, "companions").map(|row| {
        let now = state(row["state"].as_str().unwrap_or_default()).to_owned();
        [text(row, "companion"), text(row, "label"), text(row, "status"), now, last_seen(row, now_ms)]
    }));
    if table.len() == 1 {
        return "No companion is linked; `scan` links one.".to_owned();
    }
    columns(&table)
}

fn status(answer: &Value) -> String {
    let mut lines = vec![
        format!("account   {}", text(answer, "account")),
        format!(
            "content   {} chats, {} messages, revision {}",
            answer["chats"], answer["messages"], answer["rev"]
        ),
        usage_words(&answer["process"]),
    ];
    lines.extend(rows(answer, "links").map(|link| {
        format!(
            "link      {}: {}; {} messages ({}) wait for it, {} streams",
            text(link, "companion"),
            state(link["state"].as_str().unwrap_or("not connected")),
            link["outbox_messages"],
            size(number(link, "outbox_bytes")),
            link["streams"]
        )
    }));
    let settings: Vec<_> = rows(answer, "settings").filter_map(Value::as_str).collect();
    lines.push(format!("database  {}", settings.join(", ")));
    lines.join("\n")
}

/// Converts a line typed during a scan into an object for the running phone: digits, yes or no, or the rights
/// to grant.
#[must_use]
pub fn scan_answer(line: &str) -> Option<Value> {
    let line = line.trim();
    if !line.is_empty() && line.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(serde_json::json!({"check_code": line}));
    }
    if let Some(approve) = handfast_programs::yes_or_no(line) {
        return Some(serde_json::json!({"approve": approve}));
    }
    let rights = line.to_lowercase();
    let rights: Vec<_> = rights.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let is_rights = !rights.is_empty() && grants_of(&rights).is_some();
    is_rights.then(|| serde_json::json!({"approve": true, "grants": rights}))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::ScanStep;

    fn asked(origin: &str, seen: Option<&str>, same_net: Option<bool>) -> String {
        let step = ScanStep::ApprovalWanted {
            label: "Laptop\x1b[2J".to_owned(),
            origin: origin.to_owned(),
            origin_seen: seen.map(str::to_owned),
            same_net,
            grants: 3,
            relay: handfast::RelayName::parse("relay.example").expect("a name"),
        };
        event(&crate::describe::scan(&step))
    }

    #[test]
    fn the_approval_shows_label_origin_and_grants_as_claims() {
        let shown = asked("https://app.example", Some("https://app.example"), None);
        for part in [
            "Laptop\\u{1b}[2J (its own claim)",
            "https://app.example (its own claim)",
            "read, send",
            "relay.example",
            "[yes/no/rights] ",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains('\x1b'));
    }

    // req: HSK-127, HSK-128, HSK-129
    #[test]
    fn what_a_relay_says_is_a_warning_or_nothing() {
        let page = "https://app.example";
        let quiet = asked(page, Some(page), None);
        assert!(
            !quiet.contains("WARNING") && !quiet.contains("saw") && !quiet.contains("network"),
            "{quiet}"
        );
        assert_eq!(asked(page, Some(page), Some(true)), quiet, "the same network is no reassurance");
        assert_eq!(asked("", None, Some(true)), asked("", None, None));
        for (origin, seen, same_net, words) in [
            (page, None, None, "the relay saw a program"),
            (page, Some("https://evil.example"), None, "another origin, https://evil.example"),
            (page, Some("https://app.example:8443"), None, "another origin"),
            (page, Some("http://app.example"), Some(true), "another origin, http://app.example"),
            ("", Some("https://evil.example"), None, "another origin, https://evil.example"),
            (page, Some(page), Some(false), "in another network"),
        ] {
            let shown = asked(origin, seen, same_net);
            assert_eq!(shown.matches("WARNING").count(), 1, "{shown}");
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert_eq!(asked(page, None, Some(false)).matches("WARNING").count(), 2);
    }

    // req: RES-034, RES-038, RES-040
    #[test]
    fn who_was_put_back_and_who_is_too_old_is_said() {
        use crate::app::AppEvent;
        use handfast::DeviceRole::{Phone, Web};
        let companion = handfast::codec::ids::CompanionId::from_bytes([7; 16]);
        let told = |told: &AppEvent| event(&crate::describe::event(told));
        for (who, words) in
            [(Web, format!("Companion {companion} was put")), (Phone, "This phone was put".into())]
        {
            let told = told(&AppEvent::PutBack { companion, who });
            assert!(told.starts_with(&words) && told.contains("restored from a backup, or copied"), "{told}");
        }
        let ended = |code, by| told(&AppEvent::LinkError { companion, code, by });
        assert!(ended(handfast::ErrorCode::COMMANDS_FORGOTTEN, "companion").contains("then link it again"));
        assert!(ended(handfast::ErrorCode::NO_COMMON_VERSION, "here").contains("Update the companion"));
        assert!(ended(handfast::ErrorCode::NO_COMMON_VERSION, "companion").contains("Update the phone"));
    }

    // req: HSK-132
    #[test]
    fn an_end_that_is_not_final_says_so() {
        let companion = handfast::codec::ids::CompanionId::from_bytes([7; 16]);
        let (code, message) = (handfast::ErrorCode::PEER_GONE, "the page went away".to_owned());
        let step = |open| ScanStep::Ended { code, message: message.clone(), open };
        let over = event(&crate::describe::scan(&step(None)));
        assert_eq!(over, "The scan is over: the page went away.");
        for (left_s, minutes) in [(600, "10 minutes"), (481, "9 minutes"), (30, "1 minutes")] {
            let open = crate::app::OpenOffer { companion, left_s };
            let said = event(&crate::describe::scan(&step(Some(open))));
            assert!(said.contains(&format!("may still be linked within {minutes}")), "{said}");
            assert!(said.contains(&format!("`cancel {companion}`")) && said.ends_with('.'), "{said}");
        }
    }

    // req: MSG-055
    #[test]
    fn grants_that_this_phone_does_not_know_are_told_and_not_given() {
        for (grants, bits) in [(8, "0x8"), (7 | 1 << 40, "0x10000000000"), (u64::MAX, "0xfffffffffffffff8")] {
            let step = ScanStep::ApprovalWanted {
                label: "x".to_owned(),
                origin: String::new(),
                origin_seen: None,
                same_net: None,
                grants,
                relay: handfast::RelayName::parse("relay.example").expect("a name"),
            };
            let shown = event(&crate::describe::scan(&step));
            assert!(shown.contains(&format!("will not allow (bits {bits})")), "{shown}");
        }
        assert!(!asked("", None, None).contains("bits"));
    }

    #[test]
    fn questions_end_open_and_statements_with_a_full_stop() {
        for asks in [json!({"event": "check_code_wanted"}), json!({"event": "wrong_code", "left": 2})] {
            assert!(event(&asks).ends_with(": "), "{asks}");
        }
        for says in [
            json!({"event": "wrong_code", "left": 0}),
            json!({"event": "show_nn", "nn": "07"}),
            json!({"event": "ended", "code": "REFUSED", "message": "refused; nothing was linked"}),
            json!({"event": "link_state", "companion": "ab", "state": "live"}),
        ] {
            assert!(event(&says).ends_with('.'), "{says}");
        }
        assert!(event(&json!({"event": "of_later", "x": 1})).contains("of_later"));
    }

    #[test]
    fn answers_of_a_person_are_digits_or_yes_and_no() {
        assert_eq!(scan_answer(" 0042 "), Some(json!({"check_code": "0042"})));
        assert_eq!(scan_answer("yes"), Some(json!({"approve": true})));
        assert_eq!(scan_answer("N"), Some(json!({"approve": false})));
        for (line, rights) in [("read", json!(["read"])), (" Send, READ ", json!(["send", "read"]))] {
            assert_eq!(scan_answer(line), Some(json!({"approve": true, "grants": rights})), "{line}");
        }
        for line in ["", "maybe", "read everything", ",", "yes read"] {
            assert_eq!(scan_answer(line), None, "{line}");
        }
    }

    #[test]
    fn lists_are_tables_and_text_of_contacts_stays_in_its_line() {
        let said = json!({"messages": [
            {"id": 4, "time_ms": 0, "author": "", "text": "hello", "state": 4, "content": null, "edited": true,
                "reactions": [{"author": "", "reaction": "+1"}, {"author": "Ada", "reaction": "x"}]},
            {"id": 5, "time_ms": 0, "author": "Ada", "text": "one\ntwo", "state": 6, "content": null},
            {"id": 6, "time_ms": 0, "author": "Ada", "text": "", "state": 6, "content": "ab", "media_name": "a.png", "media_size": 2048},
        ]});
        let shown = answer(&said, 120_000);
        assert_eq!(shown.lines().count(), 5, "{shown}");
        assert!(shown.contains("you (read)") && shown.contains("a.png, 2 KiB"));
        let second = shown.lines().find(|line| line.trim_start() == "two").expect("a line of its own");
        assert!(second.starts_with("    "), "it does not look like a row: {shown}");
        assert!(shown.contains("hello (edited) [+1 you] [x Ada]"), "{shown}");
        assert!(answer(&json!({"companions": []}), 0).contains("`scan`"));
        assert!(answer(&json!({"accepted": true, "id": 9}), 0).contains("message 9"));
    }
}
