//! Rows of the sync lane in the mirror: what is applied, what is set aside, snapshots, digests.

use std::collections::BTreeMap;

use bytes::Bytes;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::ContentId;
use handfast::codec::limits::CHAT_WINDOW;
use handfast::session::RowDigest;
use handfast_messages::{CollectionName, Item};
use rusqlite::params;

use super::{Change, Store, StoreError, from_sql, to_sql};

/// Whether an item speaks of the row that it came as.
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

/// The numbers of rows that have one.
fn numbers(rows: impl Iterator<Item = Bytes>) -> impl Iterator<Item = u64> {
    rows.filter_map(|row| Row::decode(&row).ok()?.id.number())
}

impl Store {
    /// Takes a row of a DELTA or a page, in the open transaction. One that cannot be applied is set aside, and gives
    /// `None`.
    ///
    /// # Errors
    /// [`StoreError`].
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
            // The number of a marker is a serial there.
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

    /// DELTAs of a collection came, in the open transaction; `from` is the revision above which they tell it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn begin_delta(&mut self, collection: &Collection, from: u64) -> Result<(), StoreError> {
        match CollectionName::decode(collection) {
            _ if from > 0 => Ok(()),
            // What is here of a chat stays until its window was found in step.
            Some(CollectionName::Messages(_)) => self.begin_snapshot(collection),
            Some(CollectionName::Changes) => Ok(()),
            // The phone tells it from its beginning: what is here goes.
            _ => {
                self.begin_snapshot(collection)?;
                self.end_snapshot(collection).map(drop)
            }
        }
    }

    /// A DELTA of these rows, up to a revision, was taken, in the open transaction.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// A snapshot of a collection begins: what is here of it stays until the snapshot ends, and is stale.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// A page of these rows was taken, in the open transaction.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// A snapshot of a collection is whole: what it did not bring goes. Returns the media of messages that went.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// The digest of a collection, over the rows that are here in the open transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn digest(&self, collection: &Collection) -> Result<RowDigest, StoreError> {
        // req: SYN-015, SYN-022
        Ok(self.window(collection)?.iter().map(|(id, rev)| (id, *rev)).collect())
    }

    /// The rows of a collection that are here and not stale, with their revisions; of a chat the newest ones, as its
    /// bound says. Of the changes none is kept.
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
        // The names of messages stand in the order of their numbers: the window is the newest ones.
        Ok(rows.into_iter().rev().take(window).collect())
    }
}
