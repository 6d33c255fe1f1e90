//! The tables of chats and messages, a copy of the phone's. They are filled from DELTAs, PAGEs, and pages of
//! older messages.

use handfast::codec::ids::{CommandKey, CompanionId, ContentId};
use handfast_messages::{Item, Message as WireMessage, Reaction};
use handfast_programs::chats::ChatRow;
use rusqlite::{OptionalExtension, Params, Row, params};

use super::{Store, StoreError, from_sql, to_sql};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The chat's id.
    pub chat: u64,
    /// The message's id, unique in its chat.
    pub id: u64,
    /// The author's name; empty for a message of the account itself.
    pub author: String,
    /// The time of writing, in milliseconds since 1970, for display only.
    pub time_ms: u64,
    /// The message's text.
    pub text: String,
    /// The state of delivery, as a number (spec, messages).
    pub state: u8,
    /// The id of the message that this one answers, if any.
    pub reply_to: Option<u64>,
    /// The message's media: content id, media type, file name, and length in bytes.
    pub media: Option<(ContentId, String, String, u64)>,
    /// The companion and the command that made the message, if a companion did.
    pub command: Option<(CompanionId, CommandKey)>,
    /// Whether the text was edited after it was sent.
    pub edited: bool,
    /// The reactions to the message: the author and the reaction of each.
    pub reactions: Vec<(String, String)>,
}

/// What applying an item has changed in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The chat is new, or was changed.
    Chat(u64),
    /// The message is new.
    NewMessage(Message),
    /// The message was changed.
    Message(Message),
    /// Messages were deleted, alone or with their chat. These are the content ids of their media.
    Deleted(Vec<ContentId>),
    /// Nothing was changed.
    None,
}

/// How many rows the tables have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// The number of chats.
    pub chats: u64,
    /// The number of messages.
    pub messages: u64,
    /// The number of rows that were set aside because this version cannot read them.
    pub aside: u64,
}

const COLUMNS: &str = "chat, id, author, time_ms, text, state, reply_to, content, media_type, media_name, \
                       media_size, companion, command, edited, reactions";

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let number = |index| row.get::<_, i64>(index).map(from_sql);
    let content: Option<[u8; 32]> = row.get(7)?;
    let companion: Option<[u8; 16]> = row.get(11)?;
    let command: Option<[u8; 16]> = row.get(12)?;
    Ok(Message {
        chat: number(0)?,
        id: number(1)?,
        author: row.get(2)?,
        time_ms: number(3)?,
        text: row.get(4)?,
        state: row.get(5)?,
        reply_to: row.get::<_, Option<i64>>(6)?.map(from_sql),
        media: match content {
            Some(content) => Some((ContentId::from_bytes(content), row.get(8)?, row.get(9)?, number(10)?)),
            None => None,
        },
        command: companion
            .zip(command)
            .map(|(companion, key)| (CompanionId::from_bytes(companion), CommandKey::from_bytes(key))),
        edited: row.get(13)?,
        // This program wrote the text, so it can be parsed.
        reactions: serde_json::from_str(&row.get::<_, String>(14)?).unwrap_or_default(),
    })
}

impl Store {
    /// Applies an item of revision `rev` in the open transaction. A page of older messages has no revisions,
    /// so its items have the `rev` 0.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn put_item(&mut self, item: &Item, rev: u64) -> Result<Change, StoreError> {
        match item {
            Item::Chat { chat, title, last_message, last_text, last_time, unread } => {
                // req: SYN-029
                let _ = self
                    .write()?
                    .prepare_cached(
                        "INSERT INTO chats(chat, title, last_message, last_text, last_time_ms, unread, rev)
                         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
                         ON CONFLICT(chat) DO UPDATE SET
                            title = excluded.title, last_message = excluded.last_message,
                            last_text = excluded.last_text, last_time_ms = excluded.last_time_ms,
                            unread = excluded.unread, rev = excluded.rev, stale = 0
                         WHERE excluded.rev >= chats.rev OR chats.stale = 1",
                    )?
                    .execute(params![
                        to_sql(*chat)?,
                        title,
                        to_sql(*last_message)?,
                        last_text,
                        to_sql(*last_time)?,
                        to_sql(*unread)?,
                        to_sql(rev)?
                    ])?;
                Ok(Change::Chat(*chat))
            }
            Item::Message(wire) => self.put_message(wire, rev),
            Item::Deleted { chat, message: Some(message) } => {
                let sql = "DELETE FROM messages WHERE chat = ?1 AND id = ?2 RETURNING content";
                self.delete(sql, params![to_sql(*chat)?, to_sql(*message)?])
            }
            Item::Deleted { chat, message: None } => {
                let id = to_sql(*chat)?;
                let _ = self.write()?.execute("DELETE FROM chats WHERE chat = ?1", [id])?;
                let _ = self.write()?.execute("DELETE FROM ranges WHERE chat = ?1", [id])?;
                self.delete("DELETE FROM messages WHERE chat = ?1 RETURNING content", [id])
            }
            _ => Ok(Change::None),
        }
    }

    fn delete(&mut self, sql: &str, of: impl Params) -> Result<Change, StoreError> {
        self.contents_of_deleted(sql, of).map(Change::Deleted)
    }

    /// Runs a statement that deletes messages and returns their column `content`. Returns these content ids.
    pub(super) fn contents_of_deleted(
        &mut self,
        sql: &str,
        of: impl Params,
    ) -> Result<Vec<ContentId>, StoreError> {
        let mut statement = self.write()?.prepare_cached(sql)?;
        let contents = statement.query_map(of, |row| row.get::<_, Option<[u8; 32]>>(0))?;
        let contents = contents.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        Ok(contents.into_iter().map(ContentId::from_bytes).collect())
    }

    fn put_message(&mut self, wire: &WireMessage, rev: u64) -> Result<Change, StoreError> {
        let before = self.message(wire.chat, wire.message)?;
        let media = wire.media.as_ref();
        let size = media.map(|media| to_sql(media.size)).transpose()?;
        let reply_to = wire.reply_to.map(to_sql).transpose()?;
        // A page of older messages (`rev` 0) may have been made before a DELTA that is applied, so it must
        // not replace a row that has a revision.
        // req: SYN-029
        let _ = self.write()?.prepare_cached("INSERT INTO messages(chat, id, author, time_ms, text, state, reply_to, content, media_type, media_name,
                                  media_size, companion, command, rev, edited, reactions)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
             ON CONFLICT(chat, id) DO UPDATE SET
                author = excluded.author, time_ms = excluded.time_ms, text = excluded.text, state = excluded.state,
                reply_to = excluded.reply_to, content = excluded.content, media_type = excluded.media_type,
                media_name = excluded.media_name, media_size = excluded.media_size,
                companion = excluded.companion, command = excluded.command, rev = excluded.rev,
                edited = excluded.edited, reactions = excluded.reactions, stale = 0
             WHERE excluded.rev >= messages.rev OR (messages.stale = 1 AND excluded.rev > 0)")?.execute(
            params![
                to_sql(wire.chat)?,
                to_sql(wire.message)?,
                wire.author,
                to_sql(wire.time)?,
                wire.text,
                wire.state.number(),
                reply_to,
                media.map(|media| media.content.as_bytes()),
                media.map(|media| media.media_type.as_str()),
                media.map(|media| media.name.as_str()),
                size,
                wire.command.as_ref().map(|command| command.companion.as_bytes()),
                wire.command.as_ref().map(|command| command.key.as_bytes()),
                to_sql(rev)?,
                wire.edited,
                reactions_to_sql(&wire.reactions),
            ],
        )?;
        let after = self.message(wire.chat, wire.message)?;
        Ok(match (before, after) {
            (None, Some(new)) => Change::NewMessage(new),
            (Some(old), Some(new)) if old != new => Change::Message(new),
            _ => Change::None,
        })
    }

    fn message(&self, chat: u64, id: u64) -> Result<Option<Message>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE chat = ?1 AND id = ?2"))?;
        Ok(query.query_row(params![to_sql(chat)?, to_sql(id)?], message).optional()?)
    }

    /// Returns whether a message or an unfinished transfer refers to this content.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn needs_content(&self, content: ContentId) -> Result<bool, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT 1 FROM messages WHERE content = ?1")?;
        Ok(query.exists([content.as_bytes()])? || self.is_content_in_use(content, 0)?)
    }

    /// Returns the chats. The one with the newest message comes first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn chats(&self) -> Result<Vec<ChatRow>, StoreError> {
        Ok(ChatRow::all(&self.conn)?)
    }

    /// Returns the last `count` messages of a chat by ascending id. Messages before a gap are not returned.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn history(&self, chat: u64, count: u64) -> Result<Vec<Message>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT * FROM (SELECT {COLUMNS} FROM messages WHERE chat = ?1 AND id >= ?3 ORDER BY id DESC LIMIT ?2)
             ORDER BY id"
        ))?;
        // req: MSG-072
        let low = self.newest_low(chat)?.unwrap_or(0);
        let rows = query.query_map(params![to_sql(chat)?, to_sql(count)?, to_sql(low)?], message)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the id of the oldest message after which none is missing: a HISTORY command asks for messages
    /// before it. Returns 0 when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn oldest(&self, chat: u64) -> Result<u64, StoreError> {
        if let Some(low) = self.newest_low(chat)?.filter(|low| *low > 0) {
            return Ok(low);
        }
        let chat = to_sql(chat)?;
        let oldest: Option<i64> =
            self.conn.query_row("SELECT min(id) FROM messages WHERE chat = ?1", [chat], |row| row.get(0))?;
        Ok(oldest.map_or(0, from_sql))
    }

    /// Returns the ids of the `count` chats that have the newest messages, or of fewer. The newest comes
    /// first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn recent_chats(&self, count: usize) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT chat FROM chats ORDER BY last_message DESC, chat LIMIT ?1";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows =
            query.query_map([i64::try_from(count).unwrap_or(i64::MAX)], |row| row.get(0).map(from_sql))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns whether a chat has a newer message than those that are stored here.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn has_news(&self, chat: u64) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS(SELECT 1 FROM chats WHERE chat = ?1
            AND last_message > (SELECT coalesce(max(id), 0) FROM messages WHERE messages.chat = ?1))";
        Ok(self.conn.prepare_cached(sql)?.query_row([to_sql(chat)?], |row| row.get(0))?)
    }

    /// Returns whether the list of chats is stored, and messages of each of the `count` most recent chats.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn is_mirrored(&self, count: usize) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS(SELECT 1 FROM chats) AND NOT EXISTS(
            SELECT 1 FROM (SELECT chat, last_message FROM chats ORDER BY last_message DESC, chat LIMIT ?1) AS recent
            WHERE last_message > 0 AND NOT EXISTS(SELECT 1 FROM messages WHERE messages.chat = recent.chat))";
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Ok(self.conn.prepare_cached(sql)?.query_row([count], |row| row.get(0))?)
    }

    /// Returns how many rows the tables have.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let count = |sql: &str| self.conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(from_sql);
        Ok(Counts {
            chats: count("SELECT count(*) FROM chats")?,
            messages: count("SELECT count(*) FROM messages")?,
            aside: count("SELECT count(*) FROM aside")?,
        })
    }
}

fn reactions_to_sql(reactions: &[Reaction]) -> String {
    let pairs = reactions.iter().map(|of| [of.author.as_str(), &of.reaction]);
    pairs.collect::<serde_json::Value>().to_string()
}
