//! The rows of collections that are copied from the phone: DELTAs, snapshots, digests, and rows that are set
//! aside.

use std::collections::BTreeMap;

use bytes::Bytes;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::ContentId;
use handfast::codec::limits::CHAT_WINDOW;
use handfast::session::RowDigest;
use handfast_messages::{CollectionName, Item};
use rusqlite::params;

use super::{Change, Store, StoreError, from_sql, to_sql};

/// Returns whether an item describes the row under whose id it was sent.
fn is_of(item: &Item, name: CollectionName, id: &RowId) -> bool {
    // req: SYN-009, MSG-004
    let is = |number: u64| id.number() == Some(number);
    match (name, item) {
        (CollectionName::Chats, Item::Chat { chat, .. } | Item::Deleted { chat, message: None }) => is(*chat),
        (CollectionName::Messages(of), Item::Message(message)) => message.chat == of && is(message.message),
        (CollectionName::Messages(of), Item::Deleted { chat, message: Some(message) }) => {
            *chat == of && is(*message)
        }
        (
            CollectionName::Companions,
            Item::Companion { serial, .. } | Item::Deleted { chat: serial, message: None },
        ) => is(*serial),
        _ => false,
    }
}

/// Returns the numbers that row ids encode, and skips ids that encode none.
fn numbers(rows: impl Iterator<Item = Bytes>) -> impl Iterator<Item = u64> {
    rows.filter_map(|row| Row::decode(&row).ok()?.id.number())
}

impl Store {
    /// Applies a row of a DELTA or a PAGE in the open transaction. A row that cannot be applied is set aside;
    /// then the result is `None`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn put_row(&mut self, collection: &Collection, bytes: &Bytes) -> Result<Option<Change>, StoreError> {
        // req: SYN-006
        let Ok(row) = Row::decode(bytes) else { return Ok(None) };
        if CollectionName::decode(collection) == Some(CollectionName::Changes) {
            return self.put_change(&row);
        }
        let item = Item::decode(&row.body).ok();
        let name = CollectionName::decode(collection);
        let key = params![collection.as_bytes(), row.id.as_bytes()];
        if let Some((item, name)) = item.zip(name).filter(|(item, name)| is_of(item, *name, &row.id)) {
            let sql = "DELETE FROM aside WHERE collection = ?1 AND id = ?2";
            let _ = self.write()?.prepare_cached(sql)?.execute(key)?;
            // In the collection of companions, the number of a deletion marker is a serial number and not the
            // id of a chat.
            if name == CollectionName::Companions {
                return self.put_companion(&item, row.rev).map(Some);
            }
            return self.put_item(&item, row.rev).map(Some);
        }
        let sql = "INSERT OR REPLACE INTO aside(collection, id, rev) VALUES(?1, ?2, ?3)";
        let key_and_rev = params![collection.as_bytes(), row.id.as_bytes(), to_sql(row.rev)?];
        let _ = self.write()?.prepare_cached(sql)?.execute(key_and_rev)?;
        Ok(None)
    }

    /// Prepares a collection, in the open transaction, for a DELTA of the changes above revision `from`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn begin_delta(&mut self, collection: &Collection, from: u64) -> Result<(), StoreError> {
        match CollectionName::decode(collection) {
            _ if from > 0 => Ok(()),
            // The stored messages stay until the digest of the chat's collection agrees.
            Some(CollectionName::Messages(_)) => self.begin_snapshot(collection),
            Some(CollectionName::Changes) => Ok(()),
            // The phone sends the whole collection again, so the stored rows are deleted.
            _ => {
                self.begin_snapshot(collection)?;
                self.end_snapshot(collection).map(drop)
            }
        }
    }

    /// Records in the open transaction that a DELTA of these rows, up to revision `to`, was applied.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn end_delta(
        &mut self,
        collection: &Collection,
        to: u64,
        rows: impl Iterator<Item = Bytes>,
    ) -> Result<(), StoreError> {
        match CollectionName::decode(collection) {
            Some(CollectionName::Messages(chat)) => {
                numbers(rows).max().map_or(Ok(()), |newest| self.extend_window(chat, newest))
            }
            Some(CollectionName::Changes) => self.set_changes_to(to),
            _ => Ok(()),
        }
    }

    /// Begins a snapshot of a collection. The stored rows stay, but are stale until the snapshot brings them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn begin_snapshot(&mut self, collection: &Collection) -> Result<(), StoreError> {
        let conn = self.write()?;
        let _ = conn.execute("DELETE FROM aside WHERE collection = ?1", [collection.as_bytes()])?;
        let _ = match CollectionName::decode(collection) {
            Some(CollectionName::Chats) => conn.execute("UPDATE chats SET stale = 1", [])?,
            Some(CollectionName::Messages(chat)) => {
                let _ = conn.execute("UPDATE messages SET stale = 1 WHERE chat = ?1", [to_sql(chat)?])?;
                self.end_window(chat)?;
                self.forget_pages(chat)?;
                0
            }
            Some(CollectionName::Companions) => conn.execute("UPDATE companions SET stale = 1", [])?,
            _ => 0,
        };
        Ok(())
    }

    /// Records in the open transaction that a PAGE of these rows was applied.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn end_page(
        &mut self,
        collection: &Collection,
        rows: impl Iterator<Item = Bytes>,
    ) -> Result<(), StoreError> {
        match CollectionName::decode(collection) {
            Some(CollectionName::Messages(chat)) => self.count_page(chat, &numbers(rows).collect::<Vec<_>>()),
            _ => Ok(()),
        }
    }

    /// Ends a snapshot of a collection: deletes the rows that the snapshot did not bring. Returns the content
    /// ids of the media of deleted messages.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn end_snapshot(&mut self, collection: &Collection) -> Result<Vec<ContentId>, StoreError> {
        // req: SYN-028
        let conn = self.write()?;
        let _ = match CollectionName::decode(collection) {
            Some(CollectionName::Chats) => conn.execute("DELETE FROM chats WHERE stale = 1", [])?,
            Some(CollectionName::Messages(chat)) => return self.end_window_snapshot(chat),
            Some(CollectionName::Companions) => conn.execute("DELETE FROM companions WHERE stale = 1", [])?,
            _ => 0,
        };
        Ok(Vec::new())
    }

    /// Returns the digest over the stored rows of a collection, including changes in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn digest(&self, collection: &Collection) -> Result<RowDigest, StoreError> {
        // req: SYN-015, SYN-022
        Ok(self.window(collection)?.iter().map(|(id, rev)| (id, *rev)).collect())
    }

    /// Returns the ids and revisions of the rows of a collection that are not stale. Of a chat only the
    /// newest messages count, up to the limit of its collection. Of the collection of changes no row is
    /// stored.
    pub(super) fn window(&self, collection: &Collection) -> Result<BTreeMap<RowId, u64>, StoreError> {
        // req: SYN-033, MSG-063
        let mut rows = BTreeMap::new();
        let read = |rows: &mut BTreeMap<RowId, u64>, sql: &str, of: &[i64]| -> Result<(), StoreError> {
            let mut query = self.conn.prepare_cached(sql)?;
            let mut found = query.query(rusqlite::params_from_iter(of))?;
            while let Some(row) = found.next()? {
                let _ = rows.insert(RowId::from_number(from_sql(row.get(0)?)), from_sql(row.get(1)?));
            }
            Ok(())
        };
        let window = match CollectionName::decode(collection) {
            Some(CollectionName::Chats) => {
                read(&mut rows, "SELECT chat, rev FROM chats", &[])?;
                usize::MAX
            }
            Some(CollectionName::Messages(chat)) => {
                let newest =
                    "SELECT id, rev FROM messages WHERE chat = ?1 AND stale = 0 ORDER BY id DESC LIMIT ?2";
                read(&mut rows, newest, &[to_sql(chat)?, to_sql(CHAT_WINDOW)?])?;
                usize::try_from(CHAT_WINDOW).unwrap_or(usize::MAX)
            }
            Some(CollectionName::Companions) => {
                read(&mut rows, "SELECT serial, rev FROM companions", &[])?;
                usize::MAX
            }
            _ => usize::MAX,
        };
        let mut query = self.conn.prepare_cached("SELECT id, rev FROM aside WHERE collection = ?1")?;
        let mut aside = query.query([collection.as_bytes()])?;
        while let Some(row) = aside.next()? {
            if let Some(id) = RowId::new(Bytes::from(row.get::<_, Vec<u8>>(0)?)) {
                let _ = rows.insert(id, from_sql(row.get(1)?));
            }
        }
        // Row ids of messages sort by number, so the last ids are those of the newest messages.
        Ok(rows.into_iter().rev().take(window).collect())
    }
}
