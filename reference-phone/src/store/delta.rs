//! The changes of a collection after a revision.

use bytes::Bytes;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::limits::CHAT_WINDOW;
use handfast::session::RowList;
use handfast_messages::{CollectionName, Item};
use handfast_programs::chats::ChatRow;
use rusqlite::{OptionalExtension, params};

use super::{Companion, Store, StoreError, StoredMessage, companions, messages, sql, unsql};

/// Returns a chat as a row of the collection of chats.
pub(super) fn chat_row(chat: ChatRow) -> Row {
    let item = Item::Chat {
        chat: chat.chat,
        title: chat.title,
        last_message: chat.last_message,
        last_text: chat.last_text,
        last_time: chat.last_time_ms,
        unread: chat.unread,
    };
    // req: MSG-004
    Row { id: RowId::from_number(chat.chat), rev: chat.rev, body: item.encode() }
}

impl StoredMessage {
    /// Returns the message, or its deletion marker, as a row of its chat.
    pub(super) fn row(&self) -> Row {
        // req: MSG-004
        Row { id: RowId::from_number(self.message.message), rev: self.rev, body: self.item().encode() }
    }

    /// Returns the message, or its deletion marker, as a row of the collection of changes. `changed` is the
    /// revision of its last change.
    fn change_row(&self, changed: u64) -> Row {
        // req: MSG-060
        let id = RowId::from_pair(self.message.chat, self.message.message);
        Row { id, rev: changed, body: self.item().encode() }
    }
}

impl Companion {
    /// Returns the companion, or its deletion marker, as a row of the collection of companions.
    pub(super) fn row(&self, rev: u64) -> Row {
        // req: MSG-004
        Row { id: RowId::from_number(self.serial), rev, body: self.item().encode() }
    }
}

/// Changed rows, in the form that `PhoneEndpoint::provide_delta` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delta {
    /// The revision up to which all changes are included.
    pub to: u64,
    /// The rows as items, in the order of their revisions.
    pub items: Vec<Bytes>,
}

impl Delta {
    /// Returns a delta that contains no changes up to this revision.
    #[must_use]
    pub fn nothing(to: u64) -> Self {
        Self { to, items: Vec::new() }
    }
}

impl Store {
    /// Returns the rows of a collection above a revision, in the order of revisions, as far as they fit
    /// `budget` bytes. Returns `None` when rows may have left the collection after that revision. Only
    /// durable rows are included. An unknown collection has no rows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn delta(
        &self,
        collection: &Collection,
        after: u64,
        budget: usize,
    ) -> Result<Option<Delta>, StoreError> {
        let newest = self.rev();
        let delta = match CollectionName::decode(collection) {
            Some(CollectionName::Chats) => {
                let mut query = self.conn.prepare_cached(&format!(
                    "SELECT {} FROM chats WHERE rev > ?1 AND rev <= ?2 ORDER BY rev",
                    ChatRow::COLUMNS
                ))?;
                let rows =
                    query.query_map([sql(after), sql(newest)], |row| ChatRow::read(row).map(chat_row))?;
                take(rows, after, newest, budget)
            }
            Some(CollectionName::Messages(chat)) => {
                let oldest = self.oldest_of(chat)?;
                // req: MSG-045
                if after > 0 && self.is_all_new(chat, oldest, after)? {
                    return Ok(None);
                }
                let mut query = self.conn.prepare_cached(&format!(
                    "SELECT {} FROM messages WHERE chat = ?1 AND rev > ?2 AND rev <= ?3 AND id >= ?4 ORDER BY rev",
                    messages::COLUMNS
                ))?;
                let range = params![sql(chat), sql(after), sql(newest), sql(oldest)];
                let rows =
                    query.query_map(range, |row| self.read_message(row).map(|message| message.row()))?;
                take(rows, after, newest, budget)
            }
            Some(CollectionName::Companions) => {
                let mut query = self.conn.prepare_cached(&format!(
                    "SELECT {}, rev FROM companions WHERE rev > ?1 AND rev <= ?2 ORDER BY rev",
                    companions::COLUMNS
                ))?;
                let rows = query.query_map([sql(after), sql(newest)], companions::read_row)?;
                take(rows, after, newest, budget)
            }
            // req: MSG-068
            Some(CollectionName::Changes) => {
                let mut query = self.conn.prepare_cached(&format!(
                    "SELECT {}, changed FROM messages WHERE changed > ?1 AND changed <= ?2 ORDER BY changed",
                    messages::COLUMNS
                ))?;
                let rows = query.query_map([sql(after), sql(newest)], |row| {
                    Ok(self.read_message(row)?.change_row(unsql(row.get(messages::COLUMNS_LEN)?)))
                })?;
                take(rows, after, newest, budget)
            }
            _ => Ok(Delta::nothing(newest.max(after))),
        };
        delta.map(Some)
    }

    /// Returns whether all messages in a chat's collection changed after a revision, and the chat has
    /// messages that are older than those. `oldest` is the collection's oldest message.
    fn is_all_new(&self, chat: u64, oldest: u64, after: u64) -> Result<bool, StoreError> {
        // Usually the oldest message has not changed, and SQLite skips the second part of the query.
        let sql_text = "SELECT EXISTS (SELECT 1 FROM messages WHERE chat = ?1 AND id = ?2 AND rev > ?3)
            AND EXISTS (SELECT 1 FROM messages WHERE chat = ?1 AND deleted = 0 AND id < ?2)
            AND NOT EXISTS (SELECT 1 FROM messages WHERE chat = ?1 AND deleted = 0 AND id >= ?2 AND rev <= ?3)";
        let mut query = self.conn.prepare_cached(sql_text)?;
        Ok(query.query_row([sql(chat), sql(oldest), sql(after)], |row| row.get(0))?)
    }

    /// Returns the id of the oldest message in a chat's collection; 0 if all messages of the chat are in it.
    pub(super) fn oldest_of(&self, chat: u64) -> Result<u64, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT id FROM messages INDEXED BY messages_live WHERE chat = ?1 AND deleted = 0
             ORDER BY id DESC LIMIT 1 OFFSET ?2",
        )?;
        let last = [sql(chat), sql(CHAT_WINDOW.saturating_sub(1))];
        Ok(query.query_row(last, |row| row.get(0)).optional()?.map_or(0, unsql))
    }
}

/// Collects rows in order, as many as fit the budget.
fn take(
    rows: impl Iterator<Item = rusqlite::Result<Row>>,
    after: u64,
    newest: u64,
    budget: usize,
) -> Result<Delta, StoreError> {
    let (mut list, mut to) = (RowList::new(budget), after);
    for row in rows {
        let row = row?;
        if !list.push(&row) {
            return Ok(Delta { to, items: list.into_items() });
        }
        to = row.rev;
    }
    Ok(Delta { to: newest.max(after), items: list.into_items() })
}
