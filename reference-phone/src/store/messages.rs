//! The messages of all chats.

use handfast::codec::ids::{CommandKey, CompanionId, ContentId};
use handfast::codec::limits::{AUTHOR_LEN_MAX, TEXT_LEN_MAX};
use handfast_messages::{CommandRef, Item, MediaDescriptor, Message, MessageState};
use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError, cut, sql, unsql};

/// A message to be added.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each field has to be thought of")]
pub struct NewMessage<'a> {
    /// The chat's id.
    pub chat: u64,
    /// The author's name; empty for the account itself.
    pub author: &'a str,
    /// The time at which the message was written, in milliseconds since 1970.
    pub time_ms: u64,
    /// The message's text.
    pub text: &'a str,
    /// The message's state of delivery.
    pub state: MessageState,
    /// The id of the message to which it replies.
    pub reply_to: Option<u64>,
    /// The message's media, whose content must be in the store.
    pub media: Option<&'a MediaDescriptor>,
    /// The command that created the message.
    pub command: Option<CommandRef>,
    /// The message's id in the network, if the message came from there. A second message with this id is not
    /// stored.
    pub network_id: Option<&'a str>,
}

/// A message, with the revision of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredMessage {
    /// The message itself.
    pub message: Message,
    /// The revision of the message's last change.
    pub rev: u64,
    /// Whether the message was deleted, so that only its deletion marker is left.
    pub deleted: bool,
    /// The message's id in the network, if the message came from there.
    pub network_id: Option<String>,
}

pub(super) const COLUMNS: &str = "chat, id, author, time_ms, text, state, reply_to, content, media_type, media_name, \
                                  media_size, companion, command, deleted, rev, edited, network_id";

/// The number of columns in [`COLUMNS`]. Further columns of a query come after these.
pub(super) const COLUMNS_LEN: usize = 17;

impl StoredMessage {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let content: Option<[u8; 32]> = row.get(7)?;
        let media = match content {
            None => None,
            Some(content) => Some(MediaDescriptor {
                content: ContentId::from_bytes(content),
                media_type: row.get(8)?,
                name: row.get(9)?,
                size: unsql(row.get(10)?),
            }),
        };
        let companion: Option<[u8; 16]> = row.get(11)?;
        let command = match companion {
            None => None,
            Some(companion) => Some(CommandRef {
                companion: CompanionId::from_bytes(companion),
                key: CommandKey::from_bytes(row.get(12)?),
            }),
        };
        let state: i64 = row.get(5)?;
        let state = u8::try_from(state).ok().and_then(MessageState::from_number);
        let message = Message {
            chat: unsql(row.get(0)?),
            message: unsql(row.get(1)?),
            author: row.get(2)?,
            time: unsql(row.get(3)?),
            text: row.get(4)?,
            state: state.ok_or(rusqlite::Error::IntegralValueOutOfRange(5, 0))?,
            reply_to: row.get::<_, Option<i64>>(6)?.map(unsql),
            media,
            command,
            edited: row.get(15)?,
            reactions: Vec::new(),
        };
        Ok(Self { message, deleted: row.get(13)?, rev: unsql(row.get(14)?), network_id: row.get(16)? })
    }

    /// Returns the message in the form in which companions get it.
    #[must_use]
    pub fn item(&self) -> Item {
        if self.deleted {
            Item::Deleted { chat: self.message.chat, message: Some(self.message.message) }
        } else {
            Item::Message(self.message.clone())
        }
    }
}

impl Store {
    /// Reads a row with [`COLUMNS`], and the message's reactions.
    pub(super) fn read_message(&self, row: &Row<'_>) -> rusqlite::Result<StoredMessage> {
        let mut stored = StoredMessage::read(row)?;
        let message = &mut stored.message;
        message.reactions = self.reactions(message.chat, message.message)?;
        Ok(stored)
    }

    /// Adds a message. Returns its id and revision; `None` when its network id or its command is stored
    /// already.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`], also when the chat or the content does not exist.
    pub fn add_message(&mut self, new: &NewMessage<'_>) -> Result<Option<(u64, u64)>, StoreError> {
        self.begin()?;
        if let Some(network_id) = new.network_id {
            let known = self
                .conn
                .prepare_cached("SELECT 1 FROM messages WHERE network_id = ?1")?
                .exists([network_id])?;
            if known {
                return Ok(None);
            }
        }
        // A companion may repeat a command after the session has forgotten its key. That must not create a
        // second message.
        if let Some(command) = new.command {
            let known = self
                .conn
                .prepare_cached("SELECT 1 FROM messages WHERE companion = ?1 AND command = ?2")?
                .exists([command.companion.as_bytes(), command.key.as_bytes()])?;
            if known {
                return Ok(None);
            }
        }
        let id = self.counters.next_message;
        self.counters.next_message = id.saturating_add(1);
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached(
                "INSERT INTO messages(chat, id, author, time_ms, text, state, reply_to, content, media_type,
                 media_name, media_size, companion, command, network_id, rev)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            )?
            .execute(params![
                sql(new.chat),
                sql(id),
                cut(new.author, AUTHOR_LEN_MAX),
                sql(new.time_ms),
                cut(new.text, TEXT_LEN_MAX),
                new.state.number(),
                new.reply_to.map(sql),
                new.media.map(|media| media.content.as_bytes()),
                new.media.map(|media| media.media_type.as_str()),
                new.media.map(|media| media.name.as_str()),
                new.media.map(|media| sql(media.size)),
                new.command.map(|command| *command.companion.as_bytes()),
                new.command.map(|command| *command.key.as_bytes()),
                new.network_id,
                sql(rev),
            ])?;
        if let Some(media) = new.media {
            self.name_content(media.content)?;
        }
        self.put_newest(new, id)?;
        Ok(Some((id, rev)))
    }

    /// Sets the delivery state of a message of this account to a later one. Returns the message's new
    /// revision; `None` if it has reached that state already, or does not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn advance(&mut self, chat: u64, id: u64, state: MessageState) -> Result<Option<u64>, StoreError> {
        self.begin()?;
        let old: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT state FROM messages WHERE chat = ?1 AND id = ?2 AND author = '' AND deleted = 0",
            )?
            .query_row([sql(chat), sql(id)], |row| row.get(0))
            .optional()?;
        if old.is_none_or(|old| old >= i64::from(state.number())) {
            return Ok(None);
        }
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached(
                "UPDATE messages SET state = ?3, rev = ?4, changed = ?4 WHERE chat = ?1 AND id = ?2",
            )?
            .execute(params![sql(chat), sql(id), state.number(), sql(rev)])?;
        Ok(Some(rev))
    }

    /// Deletes a message. A deletion marker of it stays for a while. Returns its content if nothing else
    /// refers to that; the content's file may be removed once the transaction is durable.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn delete_message(&mut self, chat: u64, id: u64) -> Result<Option<ContentId>, StoreError> {
        self.begin()?;
        let found = self
            .conn
            .prepare_cached("SELECT content FROM messages WHERE chat = ?1 AND id = ?2 AND deleted = 0")?
            .query_row([sql(chat), sql(id)], |row| row.get::<_, Option<[u8; 32]>>(0))
            .optional()?;
        let Some(content) = found else { return Ok(None) };
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached(
                "UPDATE messages SET deleted = 1, rev = ?3, changed = ?3, text = '', edited = 0, reply_to = NULL, content = NULL,
                 media_type = NULL, media_name = NULL, media_size = NULL WHERE chat = ?1 AND id = ?2",
            )?
            .execute([sql(chat), sql(id), sql(rev)])?;
        let _ = self
            .conn
            .prepare_cached("DELETE FROM reactions WHERE chat = ?1 AND id = ?2")?
            .execute([sql(chat), sql(id)])?;
        self.refresh_chat(chat)?;
        self.fill_window(chat, id)?;
        let Some(content) = content else { return Ok(None) };
        let used =
            self.conn.prepare_cached("SELECT 1 FROM messages WHERE content = ?1")?.exists([content])?;
        if used {
            return Ok(None);
        }
        // If a companion has offered the same content again, the content is kept until that companion's
        // message refers to it.
        if self.conn.prepare_cached("SELECT 1 FROM claims WHERE content = ?1")?.exists([content])? {
            return Ok(None);
        }
        let _ = self.conn.execute("DELETE FROM media WHERE content = ?1", [content])?;
        Ok(Some(ContentId::from_bytes(content)))
    }

    /// When a message leaves a chat's collection, an older one enters it. The older one gets a new revision,
    /// so that companions receive it.
    fn fill_window(&mut self, chat: u64, gone: u64) -> Result<(), StoreError> {
        // req: SYN-030
        let oldest = self.oldest_of(chat)?;
        if oldest == 0 || gone < oldest {
            return Ok(());
        }
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached("UPDATE messages SET rev = ?3 WHERE chat = ?1 AND id = ?2")?
            .execute([sql(chat), sql(oldest), sql(rev)])?;
        Ok(())
    }

    /// Returns at most `count` messages of a chat before the one with id `before` (0: the newest), newest
    /// first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn history(&self, chat: u64, before: u64, count: u64) -> Result<Vec<StoredMessage>, StoreError> {
        let before = if before == 0 { u64::MAX } else { before };
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages INDEXED BY messages_live WHERE chat = ?1 AND id < ?2 AND deleted = 0
             ORDER BY id DESC LIMIT ?3"
        ))?;
        let rows = query.query_map([sql(chat), sql(before), sql(count)], |row| self.read_message(row))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns one message, or the deletion marker that stands for it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn message(&self, chat: u64, id: u64) -> Result<Option<StoredMessage>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE chat = ?1 AND id = ?2"))?;
        Ok(query.query_row([sql(chat), sql(id)], |row| self.read_message(row)).optional()?)
    }

    /// Returns the messages of this account whose delivery is not finished, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn unfinished(&self) -> Result<Vec<StoredMessage>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages WHERE author = '' AND state < 4 AND deleted = 0 ORDER BY id"
        ))?;
        let rows = query.query_map([], |row| self.read_message(row))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns how many chats and how many messages there are.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn counts(&self) -> Result<(u64, u64), StoreError> {
        let counts = self.conn.query_row(
            "SELECT (SELECT count(*) FROM chats), (SELECT count(*) FROM messages WHERE deleted = 0)",
            [],
            |row| Ok((unsql(row.get(0)?), unsql(row.get(1)?))),
        )?;
        Ok(counts)
    }
}
