//! The chats of the account.

use handfast::codec::limits::{PREVIEW_LEN_MAX, TITLE_LEN_MAX};
use handfast_messages::MessageState;
use handfast_programs::chats::ChatRow;
use rusqlite::{OptionalExtension, params};

use super::{NewMessage, Store, StoreError, cut, sql, unsql};

impl Store {
    /// Adds a chat with a contact of the messenger's network.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn add_chat(&mut self, chat: u64, title: &str, contact: &str) -> Result<(), StoreError> {
        self.begin()?;
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached("INSERT INTO chats(chat, title, contact, rev) VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![sql(chat), cut(title, TITLE_LEN_MAX), contact, sql(rev)])?;
        Ok(())
    }

    /// Returns all chats, most recent first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn chats(&self) -> Result<Vec<ChatRow>, StoreError> {
        Ok(ChatRow::all(&self.conn)?)
    }

    /// Returns the contact of a chat; `None` if there is no such chat.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn contact(&self, chat: u64) -> Result<Option<String>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT contact FROM chats WHERE chat = ?1")?;
        Ok(query.query_row([sql(chat)], |row| row.get(0)).optional()?)
    }

    /// Marks a chat as read up to a message. Returns whether the chat exists.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn mark_read(&mut self, chat: u64, message: u64) -> Result<bool, StoreError> {
        self.begin()?;
        let old = self
            .conn
            .prepare_cached("SELECT read_to, unread, last_message FROM chats WHERE chat = ?1")?
            .query_row([sql(chat)], |row| Ok((unsql(row.get(0)?), unsql(row.get(1)?), unsql(row.get(2)?))))
            .optional()?;
        let Some((read_to, unread, last)) = old else { return Ok(false) };
        // req: MSG-112
        let read_to = read_to.max(message.min(last));
        let left: i64 = self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM messages WHERE chat = ?1 AND id > ?2 AND state = 6 AND deleted = 0",
            )?
            .query_row([sql(chat), sql(read_to)], |row| row.get(0))?;
        let rev = if unsql(left) == unread { None } else { Some(self.next_rev()) };
        let _ = self
            .conn
            .prepare_cached(
                "UPDATE chats SET read_to = ?2, unread = ?3, rev = coalesce(?4, rev) WHERE chat = ?1",
            )?
            .execute(params![sql(chat), sql(read_to), left, rev.map(sql)])?;
        Ok(true)
    }

    /// Updates a chat for a message that was just added. That message is the chat's newest, because ids
    /// ascend. No other message is read, however many are unread.
    pub(super) fn put_newest(&mut self, new: &NewMessage<'_>, id: u64) -> Result<(), StoreError> {
        let rev = self.next_rev();
        let name = new.media.map_or("", |media| media.name.as_str());
        let text = if new.text.is_empty() { name } else { new.text };
        let unread = i64::from(new.state == MessageState::Received);
        let _ = self
            .conn
            .prepare_cached(
                "UPDATE chats SET last_message = ?2, last_text = ?3, last_time_ms = ?4, rev = ?5,
                 unread = unread + ?6 WHERE chat = ?1",
            )?
            .execute(params![
                sql(new.chat),
                sql(id),
                cut(text, PREVIEW_LEN_MAX),
                sql(new.time_ms),
                sql(rev),
                unread
            ])?;
        Ok(())
    }

    /// Updates a chat's row after its messages have changed: the newest message, and how many are unread.
    pub(super) fn refresh_chat(&mut self, chat: u64) -> Result<(), StoreError> {
        let rev = self.next_rev();
        let last = self
            .conn
            .prepare_cached(
                "SELECT id, text, time_ms, media_name FROM messages WHERE chat = ?1 AND deleted = 0
                 ORDER BY id DESC LIMIT 1",
            )?
            .query_row([sql(chat)], |row| {
                let (text, name): (String, Option<String>) = (row.get(1)?, row.get(3)?);
                let text = if text.is_empty() { name.unwrap_or_default() } else { text };
                Ok((row.get::<_, i64>(0)?, text, row.get::<_, i64>(2)?))
            })
            .optional()?;
        let (id, text, time_ms) = last.unwrap_or_default();
        let _ = self
            .conn
            .prepare_cached(
                "UPDATE chats SET last_message = ?2, last_text = ?3, last_time_ms = ?4, rev = ?5,
                 unread = (SELECT count(*) FROM messages WHERE chat = ?1 AND id > read_to AND state = 6 AND deleted = 0)
                 WHERE chat = ?1",
            )?
            .execute(params![sql(chat), id, cut(&text, PREVIEW_LEN_MAX), time_ms, sql(rev)])?;
        Ok(())
    }
}
