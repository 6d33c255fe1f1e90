//! Rows of the sync lane in the mirror: what is applied, what is set aside, snapshots, digests.

use std::collections::BTreeMap;

use bytes::Bytes;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::limits::CHAT_WINDOW;
use handfast::codec::message::{CollectionName, Item};
use handfast::session::RowDigest;
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

impl Store {
    /// Takes a row of a DELTA or a page, in the open transaction. One that cannot be applied is set aside, and gives
    /// `None`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_row(&mut self, collection: &Collection, bytes: &Bytes) -> Result<Option<Change>, StoreError> {
        // req: SYN-006
        let Ok(row) = Row::decode(bytes) else { return Ok(None) };
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

    /// The phone tells a collection from its beginning by DELTAs: what is here of it goes, in the open transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn clear_collection(&mut self, collection: &Collection) -> Result<(), StoreError> {
        self.begin_snapshot(collection)?;
        self.end_snapshot(collection)
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
                conn.execute("UPDATE messages SET stale = 1 WHERE chat = ?1", [to_sql(chat)?])?
            }
            Some(CollectionName::Companions) => conn.execute("UPDATE companions SET stale = 1", [])?,
            _ => 0,
        };
        Ok(())
    }

    /// A snapshot of a collection is whole: what it did not bring goes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn end_snapshot(&mut self, collection: &Collection) -> Result<(), StoreError> {
        // req: SYN-028
        let conn = self.write()?;
        let _ = match CollectionName::decode(collection) {
            Some(CollectionName::Chats) => conn.execute("DELETE FROM chats WHERE stale = 1", [])?,
            Some(CollectionName::Messages(chat)) => {
                conn.execute("DELETE FROM messages WHERE chat = ?1 AND stale = 1", [to_sql(chat)?])?
            }
            Some(CollectionName::Companions) => conn.execute("DELETE FROM companions WHERE stale = 1", [])?,
            _ => 0,
        };
        Ok(())
    }

    /// The digest of a collection, over the rows that are here in the open transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn digest(&self, collection: &Collection) -> Result<RowDigest, StoreError> {
        // req: SYN-015, SYN-022
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
                let newest = "SELECT id, rev FROM messages WHERE chat = ?1 ORDER BY id DESC LIMIT ?2";
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
        Ok(rows.iter().rev().take(window).map(|(id, rev)| (id, *rev)).collect())
    }
}
