//! What a scene reads of a device: its rows, what waits in it, what it told its user.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::processes::devices::Device;

/// The code that both sides are told while one of them is too old.
pub(super) const TOO_OLD: &str = "NO_COMMON_VERSION";
/// Events after which something may be lost or in doubt.
const ALARMS: [&str; 10] = [
    "diverged",
    "put_back",
    "commands_forgotten",
    "suspended",
    "revoked",
    "lapsed",
    "link_damaged",
    "store_failed",
    "repair_failed",
    "skipped",
];

/// A message as both releases show it, without what the contact's side changes: chat, id, author, text, name of media.
pub(super) type Row = (u64, u64, String, String, String);

/// What a device holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// The messages of the chats that were asked for.
    pub(super) rows: Vec<Row>,
    /// What is on its way to the other device: numbers of `status`, by their names.
    pub(super) waiting: Vec<(&'static str, u64)>,
}

impl Held {
    /// Reads it from a device that runs. `waiting` points to numbers of its status.
    ///
    /// # Errors
    /// It does not answer, or not so.
    pub(super) fn by(device: &Device, chats: &[u64], waiting: &[&'static str]) -> Result<Self> {
        let mut rows = Vec::new();
        for chat in chats {
            let answer = device.ask(&json!({"verb": "history", "chat": chat, "count": 1_000}))?;
            rows.extend(rows_of(&answer)?);
        }
        let status = device.ask(&json!({"verb": "status"}))?;
        let waiting = waiting.iter().map(|pointer| {
            let number = status.pointer(pointer).and_then(Value::as_u64);
            let name = pointer.rsplit('/').next().unwrap_or(pointer);
            Ok((name, number.with_context(|| format!("no {pointer} in {status}"))?))
        });
        Ok(Self { rows, waiting: waiting.collect::<Result<_>>()? })
    }

    /// Returns what is on its way, in words.
    pub(super) fn waiting_said(&self) -> String {
        let words = self.waiting.iter().map(|(name, number)| format!("{name} {number}"));
        words.collect::<Vec<_>>().join(", ")
    }

    /// Returns how many rows have this text.
    pub(super) fn count(&self, text: &str) -> usize {
        self.rows.iter().filter(|row| row.3 == text).count()
    }

    /// Checks that this is what was held before, and besides it rows of these texts alone, each once.
    ///
    /// # Errors
    /// Something is gone, changed or new.
    pub(super) fn adds(&self, before: &Self, texts: &[String]) -> Result<()> {
        let gone = before.rows.iter().find(|row| !self.rows.contains(row));
        ensure!(gone.is_none(), "it holds no longer {gone:?}");
        let new: Vec<&Row> = self.rows.iter().filter(|row| !before.rows.contains(row)).collect();
        let strange = new.iter().find(|row| !texts.contains(&row.3));
        ensure!(strange.is_none(), "it holds what nobody sent, {strange:?}");
        ensure!(
            self.rows.len() == before.rows.len() + texts.len()
                && texts.iter().all(|text| self.count(text) == 1),
            "it holds {} rows and held {}, with {texts:?} to come",
            self.rows.len(),
            before.rows.len()
        );
        Ok(())
    }
}

fn rows_of(history: &Value) -> Result<Vec<Row>> {
    let rows = history["messages"].as_array().with_context(|| format!("no messages in {history}"))?;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let row = |row: &Value| {
        let number = |name: &str| row[name].as_u64().with_context(|| format!("no `{name}` in {row}"));
        Ok((number("chat")?, number("id")?, text(row, "author"), text(row, "text"), text(row, "media_name")))
    };
    rows.iter().map(row).collect()
}

/// Returns whether an event tells that the two devices have no version in common, and that `by` said so.
pub(super) fn is_too_old(event: &Value, by: &str) -> bool {
    event["event"] == "link_error" && event["code"] == TOO_OLD && event["by"] == by
}

/// Returns the first event that none of the scenes may lead to.
pub(super) fn alarm(events: &[Value]) -> Option<&Value> {
    events.iter().find(|event| {
        let name = event["event"].as_str().unwrap_or_default();
        ALARMS.contains(&name) || (name == "link_error" && event["code"] != TOO_OLD && event["by"] != "relay")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(texts: &[&str]) -> Held {
        let row = |(id, text): (usize, &&str)| json!({"chat": 1, "id": id, "author": "", "text": text});
        let rows: Vec<Value> = texts.iter().enumerate().map(row).collect();
        Held { rows: rows_of(&json!({"messages": rows})).unwrap(), waiting: Vec::new() }
    }

    #[test]
    fn what_is_held_may_grow_by_what_was_sent_alone() {
        let (before, new) = (held(&["a", "b"]), ["c".to_owned()]);
        held(&["a", "b"]).adds(&before, &[]).unwrap();
        held(&["a", "b", "c"]).adds(&before, &new).unwrap();
        let told = |rows: &[&str], new: &[String]| held(rows).adds(&before, new).unwrap_err().to_string();
        assert!(told(&["a"], &[]).starts_with("it holds no longer Some((1, 1,"));
        assert!(told(&["a", "x"], &[]).starts_with("it holds no longer Some((1, 1,"));
        assert!(told(&["a", "b", "x"], &new).starts_with("it holds what nobody sent"));
        assert!(told(&["a", "b", "c", "c"], &new).starts_with("it holds 4 rows and held 2"));
        assert!(told(&["a", "b"], &new).starts_with("it holds 2 rows and held 2"));
        assert_eq!(held(&["a", "b", "a"]).count("a"), 2);
    }

    #[test]
    fn what_waits_is_said_by_its_names() {
        let waiting = vec![("commands_open", 13), ("transfers", 1)];
        assert_eq!(Held { rows: Vec::new(), waiting }.waiting_said(), "commands_open 13, transfers 1");
    }

    #[test]
    fn a_row_without_its_number_is_no_row() {
        assert!(rows_of(&json!({"messages": [{"chat": 1}]})).is_err());
        assert!(rows_of(&json!({})).is_err());
    }

    #[test]
    fn the_word_on_versions_is_told_from_all_other_errors() {
        let error = |code, by| json!({"event": "link_error", "code": code, "by": by});
        assert!(is_too_old(&error(TOO_OLD, "here"), "here"));
        assert!(!is_too_old(&error(TOO_OLD, "phone"), "here"));
        assert!(!is_too_old(&error("TIMEOUT", "here"), "here"));
        let good = [error(TOO_OLD, "here"), error("SHUTDOWN", "relay"), json!({"event": "ready"})];
        assert_eq!(alarm(&good), None);
        for bad in [error("TIMEOUT", "here"), json!({"event": "put_back"}), json!({"event": "diverged"})] {
            assert_eq!(alarm(&[json!({"event": "ready"}), bad.clone()]), Some(&bad));
        }
    }
}
