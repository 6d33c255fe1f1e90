//! For each chat, the ranges of message ids in which every message is stored. Between two ranges is a gap,
//! which the phone fills when a user asks for older messages.
//!
//! A range contains every message of its chat from `low` to `high`. The chat's own collection keeps the
//! newest messages current, and the collection of changes keeps all older ones current (spec, messages,
//! *Changes*).

use bytes::Bytes;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::{CommandKey, ContentId};
use handfast::codec::limits::CHAT_WINDOW;
use handfast_messages::{CollectionName, Command, Item};
use rusqlite::{OptionalExtension, params};

use super::{Change, Store, StoreError, from_sql, to_sql};

/// A page of older messages, as the phone sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the answer")]
pub struct HistoryPage<'a> {
    /// The encoded messages, in the page's order.
    pub items: &'a [Bytes],
    /// Whether the phone has messages older than these.
    pub more: bool,
    /// The phone's newest revision when it read the messages for the page.
    pub rev: u64,
}

impl Store {
    /// Records that all messages of a chat from `low` to `high` are stored, and merges ranges that touch.
    pub(super) fn hold(&mut self, chat: u64, low: u64, high: u64, is_window: bool) -> Result<(), StoreError> {
        let (chat, low, high) = (to_sql(chat)?, to_sql(low)?, to_sql(high)?);
        let conn = self.write()?;
        let touching = "chat = ?1 AND low <= ?3 + 1 AND high >= ?2 - 1";
        let (first, last, was_window) = conn
            .prepare_cached(&format!(
                "SELECT min(low), max(high), max(is_window) FROM ranges WHERE {touching}"
            ))?
            .query_row(params![chat, low, high], |row| {
                Ok((
                    row.get::<_, Option<i64>>(0)?,
                    row.get::<_, Option<i64>>(1)?,
                    row.get::<_, Option<bool>>(2)?,
                ))
            })?;
        let _ = conn
            .prepare_cached(&format!("DELETE FROM ranges WHERE {touching}"))?
            .execute(params![chat, low, high])?;
        let (first, last) =
            (first.map_or(low, |first| first.min(low)), last.map_or(high, |last| last.max(high)));
        let _ = conn
            .prepare_cached("INSERT INTO ranges(chat, low, high, is_window) VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![chat, first, last, is_window || was_window.unwrap_or(false)])?;
        Ok(())
    }

    /// Returns the id at which the newest range of a chat begins; `None` if no range is recorded.
    pub(super) fn newest_low(&self, chat: u64) -> Result<Option<u64>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT max(low) FROM ranges WHERE chat = ?1")?;
        let low: Option<i64> = query.query_row([to_sql(chat)?], |row| row.get(0))?;
        Ok(low.map(from_sql))
    }

    /// Makes no range of a chat the window any more, because what the chat's collection brings next does not
    /// continue the stored messages.
    pub(super) fn end_window(&mut self, chat: u64) -> Result<(), StoreError> {
        let sql = "UPDATE ranges SET is_window = 0 WHERE chat = ?1";
        let _ = self.write()?.prepare_cached(sql)?.execute([to_sql(chat)?])?;
        Ok(())
    }

    /// Extends the window of a chat up to a new message.
    pub(super) fn extend_window(&mut self, chat: u64, newest: u64) -> Result<(), StoreError> {
        let sql = "UPDATE ranges SET high = ?2 WHERE chat = ?1 AND is_window = 1 AND high < ?2";
        let _ = self.write()?.prepare_cached(sql)?.execute([to_sql(chat)?, to_sql(newest)?])?;
        Ok(())
    }

    /// Adds the messages that a PAGE of a chat's snapshot brought to their count.
    pub(super) fn count_page(&mut self, chat: u64, ids: &[u64]) -> Result<(), StoreError> {
        let (Some(low), Some(high)) = (ids.iter().min(), ids.iter().max()) else { return Ok(()) };
        let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let sql =
            "INSERT INTO pages(chat, count, low, high) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(chat) DO UPDATE SET
            count = count + excluded.count, low = min(low, excluded.low), high = max(high, excluded.high)";
        let row = params![to_sql(chat)?, to_sql(count)?, to_sql(*low)?, to_sql(*high)?];
        let _ = self.write()?.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    /// Resets the count of the messages that a snapshot brought, because a new snapshot begins.
    pub(super) fn forget_pages(&mut self, chat: u64) -> Result<(), StoreError> {
        let sql = "DELETE FROM pages WHERE chat = ?1";
        let _ = self.write()?.prepare_cached(sql)?.execute([to_sql(chat)?])?;
        Ok(())
    }

    /// Records the messages of a chat's collection as a range, because their digest agrees with the phone's.
    /// Deletes messages in this range that the phone no longer has. Returns the content ids of the media of
    /// deleted messages.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn window_in_step(&mut self, collection: &Collection) -> Result<Vec<ContentId>, StoreError> {
        let Some(CollectionName::Messages(chat)) = CollectionName::decode(collection) else {
            return Ok(Vec::new());
        };
        let ids: Vec<u64> = self.window(collection)?.keys().rev().filter_map(RowId::number).collect();
        let is_full = u64::try_from(ids.len()).unwrap_or(u64::MAX) >= CHAT_WINDOW;
        let low = if is_full { ids.last().copied().unwrap_or(0) } else { 0 };
        let gone = self.drop_stale(chat, low)?;
        if let Some(newest) = ids.first() {
            self.hold(chat, low, *newest, true)?;
        }
        Ok(gone)
    }

    /// Ends a snapshot of a chat's collection. Deletes messages that the snapshot should have brought and did
    /// not. Messages older than what it brought stay. If it brought fewer than the collection has room for, they
    /// stay stale, until [`Store::window_in_step`] knows what they are: the chat has no such messages any
    /// more, or newer ones came up between two pages, so that they have left the collection.
    pub(super) fn end_window_snapshot(&mut self, chat: u64) -> Result<Vec<ContentId>, StoreError> {
        let brought: Option<(i64, i64, i64)> = self
            .conn
            .prepare_cached("SELECT count, low, high FROM pages WHERE chat = ?1")?
            .query_row([to_sql(chat)?], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        self.forget_pages(chat)?;
        let Some((count, low, high)) = brought else { return self.drop_stale(chat, 0) };
        let is_full = from_sql(count) >= CHAT_WINDOW;
        let low = from_sql(low);
        let gone = if is_full { self.drop_stale(chat, low)? } else { self.drop_stale_from(chat, low)? };
        self.hold(chat, low, from_sql(high), true)?;
        Ok(gone)
    }

    /// Deletes the stale messages of a chat whose ids are at least `low`. Returns the content ids of their
    /// media.
    fn drop_stale_from(&mut self, chat: u64, low: u64) -> Result<Vec<ContentId>, StoreError> {
        self.contents_of_deleted(
            "DELETE FROM messages WHERE chat = ?1 AND stale = 1 AND id >= ?2 RETURNING content",
            params![to_sql(chat)?, to_sql(low)?],
        )
    }

    /// Deletes the stale messages of a chat whose ids are at least `low`, and marks all others as current.
    /// Returns the content ids of the media of deleted messages.
    fn drop_stale(&mut self, chat: u64, low: u64) -> Result<Vec<ContentId>, StoreError> {
        let gone = self.drop_stale_from(chat, low)?;
        let chat = to_sql(chat)?;
        let sql = "UPDATE messages SET stale = 0 WHERE chat = ?1 AND stale = 1";
        let _ = self.write()?.prepare_cached(sql)?.execute([chat])?;
        Ok(gone)
    }

    /// Returns the revision up to which changes of older messages are applied.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn changes_to(&self) -> Result<u64, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT changes_to FROM mirror")?;
        Ok(query.query_row([], |row| row.get(0)).optional()?.map_or(0, from_sql))
    }

    /// Records in the open transaction the revision up to which changes of older messages are applied.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn set_changes_to(&mut self, rev: u64) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO mirror(id, changes_to) VALUES(1, ?1)";
        let _ = self.write()?.prepare_cached(sql)?.execute([to_sql(rev)?])?;
        Ok(())
    }

    /// Applies a row of the collection of changes to its message, if that message is stored or belongs into a
    /// stored range. The row itself is not stored. Returns `None` for a row that this version cannot read.
    pub(super) fn put_change(&mut self, row: &Row) -> Result<Option<Change>, StoreError> {
        // req: MSG-064
        let of = row.id.pair();
        match Item::decode(&row.body) {
            Ok(item @ Item::Deleted { chat, message: Some(id) }) if of == Some((chat, id)) => {
                self.put_item(&item, row.rev).map(Some)
            }
            Ok(Item::Message(message)) if of == Some((message.chat, message.message)) => {
                let (chat, id) = (message.chat, message.message);
                if !self.belongs_here(chat, id)? {
                    return Ok(Some(Change::None));
                }
                let key = params![to_sql(chat)?, to_sql(id)?];
                let sql = "SELECT stale FROM messages WHERE chat = ?1 AND id = ?2";
                let stale: Option<bool> =
                    self.conn.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
                let change = self.put_item(&Item::Message(message), row.rev)?;
                if stale == Some(true) {
                    // The running snapshot has not brought this message yet, so the message stays stale.
                    let sql = "UPDATE messages SET stale = 1 WHERE chat = ?1 AND id = ?2";
                    let _ = self.write()?.prepare_cached(sql)?.execute(key)?;
                }
                Ok(Some(change))
            }
            _ => Ok(None),
        }
    }

    /// Returns whether a message is stored, lies in a stored range, or is newer than all ranges. In the last
    /// case the chat's collection is about to bring the message, perhaps without its change.
    fn belongs_here(&self, chat: u64, id: u64) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS(SELECT 1 FROM messages WHERE chat = ?1 AND id = ?2)
            OR EXISTS(SELECT 1 FROM ranges WHERE chat = ?1 AND low <= ?2 AND high >= ?2)
            OR ?2 > (SELECT max(high) FROM ranges WHERE chat = ?1)";
        let mut query = self.conn.prepare_cached(sql)?;
        let belongs: Option<bool> = query.query_row(params![to_sql(chat)?, to_sql(id)?], |row| row.get(0))?;
        Ok(belongs.unwrap_or(false))
    }

    /// Deletes older messages, because the phone cannot report what happened to them since the last
    /// connection. The newest messages of the chats in `followed` stay, because their own collections bring
    /// them up to date. Returns the content ids of the media of deleted messages.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn forget_older(&mut self, followed: &[u64]) -> Result<Vec<ContentId>, StoreError> {
        // req: MSG-065
        let _ = self.write()?.execute("DELETE FROM ranges", [])?;
        let mut query = self.conn.prepare("SELECT DISTINCT chat FROM messages")?;
        let chats: Vec<i64> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        drop(query);
        let mut gone = Vec::new();
        for chat in chats {
            let kept = if followed.contains(&from_sql(chat)) { CHAT_WINDOW } else { 0 };
            gone.extend(self.contents_of_deleted(
                "DELETE FROM messages WHERE chat = ?1 AND id NOT IN
                    (SELECT id FROM messages WHERE chat = ?1 ORDER BY id DESC LIMIT ?2) RETURNING content",
                params![chat, to_sql(kept)?],
            )?);
        }
        Ok(gone)
    }

    /// Returns what a HISTORY command asked for: the chat, and the message before which older ones are
    /// wanted.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn history_asked(&self, key: CommandKey) -> Result<Option<(u64, u64)>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT body FROM commands WHERE command = ?1")?;
        let body: Option<Vec<u8>> = query.query_row([key.as_bytes()], |row| row.get(0)).optional()?;
        Ok(match body.map(|body| Command::decode(&Bytes::from(body))) {
            Some(Ok(Command::History { chat, before, .. })) => Some((chat, before)),
            _ => None,
        })
    }

    /// Stores a page of a chat's older messages in the open transaction. The page was asked for before a
    /// given message (0: the newest). If the page was made before changes that are already applied, it lacks
    /// some of them: then it is not stored, and the result is false.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn put_history(
        &mut self,
        chat: u64,
        before: u64,
        page: &HistoryPage<'_>,
    ) -> Result<bool, StoreError> {
        // req: MSG-066
        if page.rev < self.changes_to()? {
            return Ok(false);
        }
        let mut ids = Vec::new();
        for item in page.items.iter().filter_map(|item| Item::decode(item).ok()) {
            if let Item::Message(message) = &item
                && message.chat == chat
            {
                ids.push(message.message);
                let _ = self.put_item(&item, 0)?;
            }
        }
        let low = if page.more { ids.iter().min().copied() } else { Some(0) };
        let high = if before == 0 { ids.iter().max().copied() } else { before.checked_sub(1) };
        if let (Some(low), Some(high)) = (low, high)
            && low <= high
        {
            self.hold(chat, low, high, false)?;
        }
        Ok(true)
    }
}
