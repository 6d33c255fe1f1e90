//! Reactions to messages, and edits of them.

use handfast::codec::limits::{AUTHOR_LEN_MAX, REACTION_LEN_MAX, REACTIONS_MAX, TEXT_LEN_MAX};
use handfast_messages::Reaction;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError, cut, sql, unsql};

impl Store {
    /// Replaces the text of a message.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn edit_message(&mut self, chat: u64, id: u64, text: &str) -> Result<(), StoreError> {
        self.begin()?;
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached(
                "UPDATE messages SET text = ?3, edited = 1, rev = ?4, changed = ?4 WHERE chat = ?1 AND id = ?2 AND deleted = 0",
            )?
            .execute(params![sql(chat), sql(id), cut(text, TEXT_LEN_MAX), sql(rev)])?;
        let is_newest = self
            .conn
            .prepare_cached("SELECT 1 FROM chats WHERE chat = ?1 AND last_message = ?2")?
            .exists([sql(chat), sql(id)])?;
        if is_newest { self.refresh_chat(chat) } else { Ok(()) }
    }

    /// Sets the reaction of an author (empty for the account) to a message; an empty reaction removes it.
    /// Returns false if the message has as many reactions as it may.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn react(&mut self, chat: u64, id: u64, author: &str, reaction: &str) -> Result<bool, StoreError> {
        self.begin()?;
        let (author, reaction) = (cut(author, AUTHOR_LEN_MAX), cut(reaction, REACTION_LEN_MAX));
        let old: Option<String> = self
            .conn
            .prepare_cached("SELECT reaction FROM reactions WHERE chat = ?1 AND id = ?2 AND author = ?3")?
            .query_row(params![sql(chat), sql(id), author], |row| row.get(0))
            .optional()?;
        if old.as_deref().unwrap_or_default() == reaction {
            return Ok(true);
        }
        // req: MSG-054
        if old.is_none() && self.reactions(chat, id)?.len() >= REACTIONS_MAX {
            return Ok(false);
        }
        if reaction.is_empty() {
            let sql_text = "DELETE FROM reactions WHERE chat = ?1 AND id = ?2 AND author = ?3";
            let _ = self.conn.prepare_cached(sql_text)?.execute(params![sql(chat), sql(id), author])?;
        } else {
            let sql_text =
                "INSERT OR REPLACE INTO reactions(chat, id, author, reaction) VALUES(?1, ?2, ?3, ?4)";
            let row = params![sql(chat), sql(id), author, reaction];
            let _ = self.conn.prepare_cached(sql_text)?.execute(row)?;
        }
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached("UPDATE messages SET rev = ?3, changed = ?3 WHERE chat = ?1 AND id = ?2")?
            .execute([sql(chat), sql(id), sql(rev)])?;
        Ok(true)
    }

    /// Returns the reactions to a message, sorted by author.
    pub(super) fn reactions(&self, chat: u64, id: u64) -> rusqlite::Result<Vec<Reaction>> {
        let mut query = self.conn.prepare_cached(
            "SELECT author, reaction FROM reactions WHERE chat = ?1 AND id = ?2 ORDER BY author",
        )?;
        let rows = query.query_map([sql(chat), sql(id)], |row| {
            Ok(Reaction { author: row.get(0)?, reaction: row.get(1)? })
        })?;
        rows.collect()
    }

    /// Returns the id of the message in a chat that has this id in the network, unless it was deleted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn message_of_network(&self, chat: u64, network_id: &str) -> Result<Option<u64>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT id FROM messages WHERE network_id = ?2 AND chat = ?1 AND deleted = 0")?;
        Ok(query.query_row(params![sql(chat), network_id], |row| row.get(0).map(unsql)).optional()?)
    }
}
