//! What phone and companion have in common about chats: verbs of their command lines, the row of a chat, and
//! texts for people.

use clap::Subcommand;
use rusqlite::{Connection, Row};
use serde_json::{Value, json};

use super::fields::{lines, number, rows, text};
use super::{ago, columns, size};

/// The verbs for chats and their messages.
#[derive(Debug, Subcommand)]
#[expect(clippy::exhaustive_enums, reason = "made by clap alone")]
#[expect(missing_docs, reason = "the doc comment of a field is printed by --help")]
pub enum ChatVerb {
    /// Lists chats.
    Chats,
    /// Shows the last messages of a chat.
    History { chat: u64 },
    /// Sends a text.
    #[command(disable_help_flag = true)]
    Send {
        chat: u64,
        /// The text; it may begin with a dash.
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Replaces the text of a message of this account.
    #[command(disable_help_flag = true)]
    Edit {
        chat: u64,
        message: u64,
        /// The new text; it may begin with a dash.
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Deletes a message of this account.
    Delete { chat: u64, message: u64 },
    /// Reacts to a message; an empty reaction removes the earlier one.
    #[command(disable_help_flag = true)]
    React {
        chat: u64,
        message: u64,
        /// The reaction; it may begin with a dash.
        #[arg(allow_hyphen_values = true)]
        reaction: String,
    },
}

impl ChatVerb {
    /// Returns the request to the running program.
    #[must_use]
    pub fn request(self) -> Value {
        match self {
            Self::Chats => json!({"verb": "chats"}),
            Self::History { chat } => json!({"verb": "history", "chat": chat}),
            Self::Send { chat, text } => json!({"verb": "send", "chat": chat, "text": text}),
            Self::Edit { chat, message, text } => {
                json!({"verb": "edit", "chat": chat, "message": message, "text": text})
            }
            Self::Delete { chat, message } => json!({"verb": "delete", "chat": chat, "message": message}),
            Self::React { chat, message, reaction } => {
                json!({"verb": "react", "chat": chat, "message": message, "reaction": reaction})
            }
        }
    }
}

/// A row of the table of chats, which both databases have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChatRow {
    /// The chat's id.
    pub chat: u64,
    /// The chat's title.
    pub title: String,
    /// The id of the chat's newest message; 0 if there is none.
    pub last_message: u64,
    /// The beginning of the newest message's text.
    pub last_text: String,
    /// When the newest message was written, in milliseconds since 1970.
    pub last_time_ms: u64,
    /// The number of unread messages.
    pub unread: u64,
    /// The revision of the chat's last change.
    pub rev: u64,
}

impl ChatRow {
    /// The columns that [`ChatRow::read`] expects.
    pub const COLUMNS: &str = "chat, title, last_message, last_text, last_time_ms, unread, rev";

    /// Returns all chats of a database, most recent first.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn all(conn: &Connection) -> rusqlite::Result<Vec<Self>> {
        let sql = format!("SELECT {} FROM chats ORDER BY last_message DESC, chat", Self::COLUMNS);
        conn.prepare_cached(&sql)?.query_map([], Self::read)?.collect()
    }

    /// Reads a row with [`ChatRow::COLUMNS`].
    ///
    /// # Errors
    ///
    /// SQLite's, such as for a column of another type.
    pub fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let number = |index| row.get::<_, i64>(index).map(|number| u64::try_from(number).unwrap_or(0));
        Ok(Self {
            chat: number(0)?,
            title: row.get(1)?,
            last_message: number(2)?,
            last_text: row.get(3)?,
            last_time_ms: number(4)?,
            unread: number(5)?,
            rev: number(6)?,
        })
    }
}

/// Converts chats into the answer to `chats`.
#[must_use]
pub fn chat_list(chats: &[ChatRow]) -> Value {
    let rows = chats.iter().map(|c| {
        json!({"chat": c.chat, "title": c.title, "last_message": c.last_message, "last_text": c.last_text,
            "last_time_ms": c.last_time_ms, "unread": c.unread})
    });
    json!({"chats": rows.collect::<Vec<_>>()})
}

/// Returns the text of the answer to `chats`.
#[must_use]
pub fn chat_table(answer: &Value, now_ms: u64) -> String {
    let mut table = vec![["CHAT", "NEW", "TITLE", "LAST", "TEXT"].map(str::to_owned)];
    table.extend(rows(answer, "chats").map(|row| {
        let last = number(row, "last_time_ms");
        let last = if last == 0 { String::new() } else { ago(last, now_ms) };
        [row["chat"].to_string(), row["unread"].to_string(), text(row, "title"), last, text(row, "last_text")]
    }));
    columns(&table)
}

/// Returns when a companion was last connected, in words.
#[must_use]
pub fn last_seen(companion: &Value, now_ms: u64) -> String {
    match number(companion, "seen_ms") {
        0 => "never".to_owned(),
        seen => ago(seen, now_ms),
    }
}

/// Returns the author of a message or reaction; `you` for the account itself.
#[must_use]
pub fn author(row: &Value) -> String {
    match text(row, "author") {
        author if author.is_empty() => "you".to_owned(),
        author => author,
    }
}

/// Returns the content of a message: its text and media, whether it was edited, and its reactions.
#[must_use]
pub fn content(row: &Value) -> String {
    let what = match row["content"].as_str() {
        None => lines(row, "text"),
        Some(content) => {
            let bytes = size(number(row, "media_size"));
            format!("[{}, {bytes}, content {content}] {}", text(row, "media_name"), lines(row, "text"))
        }
    };
    let edited = if row["edited"] == true { " (edited)" } else { "" };
    let reactions = rows(row, "reactions").map(|of| format!(" [{} {}]", text(of, "reaction"), author(of)));
    what + edited + &reactions.collect::<String>()
}
