//! The database of a tether: one open transaction for all that one input causes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handfast_codec::frame::{Collection, Row, RowId};
use handfast_codec::ids::{ContentId, MailboxId};
use handfast_session::LinkRows;
use handfast_session::pairing::{KeysInUse, peer_keys};
use rand_core::CryptoRng;
use rusqlite::{Connection, OptionalExtension as _, params};
use zeroize::Zeroizing;

use super::TetherError;
use crate::DeviceRole;
use crate::sqlite::{self, Database, DeviceKey, SqliteError};

/// The tables of a tether, beside the table of links.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS handfast_rows(
        collection BLOB NOT NULL, id BLOB NOT NULL, rev INTEGER NOT NULL, body BLOB NOT NULL,
        stale INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(collection, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS handfast_rows_changed ON handfast_rows(collection, rev);
    CREATE INDEX IF NOT EXISTS handfast_rows_head ON handfast_rows(rev);
    CREATE TABLE IF NOT EXISTS handfast_content(
        content BLOB PRIMARY KEY, list BLOB NOT NULL, whole INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS handfast_wanted(
        content BLOB NOT NULL, path TEXT NOT NULL, PRIMARY KEY(content, path)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS handfast_offered(content BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS handfast_since(
        link BLOB PRIMARY KEY, at INTEGER NOT NULL DEFAULT (unixepoch())
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS handfast_serials(serial INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;
    CREATE TABLE IF NOT EXISTS handfast_used_keys(key BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS handfast_identity(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// The account's own values are wrapped like those of a link that nobody has.
const ACCOUNT: MailboxId = MailboxId::from_bytes([0; 16]);

/// The directory of one side: database, device key, content.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) db: Database,
    pub(super) dir: PathBuf,
    /// Content that was forgotten in the open transaction, whose files are to be removed.
    pub(super) removed: Vec<ContentId>,
    /// Locked for as long as this process uses the directory.
    _lock: File,
}

impl Store {
    /// Opens the directory, and creates it if it does not exist.
    pub(super) fn open(dir: &Path) -> Result<Self, TetherError> {
        let failed = |error: std::io::Error| sqlite::file::error(dir, &error);
        std::fs::create_dir_all(dir).map_err(failed)?;
        let lock = File::create(dir.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|_| TetherError::InUse(dir.to_owned()))?;
        sqlite::file::require_dir(&dir.join("content"))?;
        let key = DeviceKey::load_or_create(&dir.join("device.key"))?;
        let (conn, reserve) = sqlite::open_reserved(&dir.join("handfast.db"))?;
        sqlite::create_table(&conn)?;
        conn.execute_batch(TABLES)?;
        let _ =
            conn.execute("DELETE FROM handfast_since WHERE link NOT IN (SELECT link FROM handfast)", [])?;
        Ok(Self {
            db: Database::new(conn, key, Some(reserve)),
            dir: dir.to_owned(),
            removed: Vec::new(),
            _lock: lock,
        })
    }

    /// Returns the connection, with a transaction open.
    pub(super) fn write(&mut self) -> Result<&Connection, SqliteError> {
        self.db.write()
    }

    /// Begins a part of the open transaction that can be undone alone.
    pub(super) fn begin_part(&mut self) -> Result<(), SqliteError> {
        Ok(self.write()?.execute_batch("SAVEPOINT part")?)
    }

    /// Ends the part, and undoes its writes unless `is_kept`.
    pub(super) fn end_part(&mut self, is_kept: bool) -> Result<(), SqliteError> {
        let undo = if is_kept { "" } else { "ROLLBACK TO part;" };
        Ok(self.db.execute_batch(&format!("{undo} RELEASE part"))?)
    }

    /// Returns the rows of each stored link.
    pub(super) fn links(&self) -> Result<Vec<(MailboxId, LinkRows)>, SqliteError> {
        self.db.links()?.into_iter().map(|id| Ok((id, self.db.link_rows(id)?))).collect()
    }

    /// Returns how long ago a link was loaded for the first time, by the clock of the wall: a link that its peer
    /// has not confirmed lapses although the process was restarted.
    pub(super) fn age(&mut self, link: MailboxId) -> Result<Duration, SqliteError> {
        let find = "SELECT unixepoch() - at FROM handfast_since WHERE link = ?1";
        let found = self.db.query_row(find, [link.as_bytes()], |row| row.get::<_, i64>(0)).optional()?;
        if found.is_none() {
            let insert = "INSERT INTO handfast_since(link) VALUES(?1)";
            let _ = self.write()?.execute(insert, [link.as_bytes()])?;
        }
        // The clock of the wall may have been set back.
        Ok(Duration::from_secs(u64::try_from(found.unwrap_or(0)).unwrap_or(0)))
    }

    /// Returns the peers' keys of all present and former links.
    pub(super) fn keys_in_use(&self) -> Result<KeysInUse, SqliteError> {
        // A key of two links would show the relay that they belong together.
        // req: CRT-003, CRT-013
        let mut query = self.db.prepare_cached("SELECT key FROM handfast_used_keys")?;
        Ok(query.query_map([], |row| row.get::<_, [u8; 32]>(0))?.collect::<Result<_, _>>()?)
    }

    /// Notes the keys of a link's peer for good, because no later link may use them.
    pub(super) fn note_keys(&mut self, role: DeviceRole, rows: &LinkRows) -> Result<(), TetherError> {
        for key in peer_keys(role, rows)? {
            let find = "SELECT 1 FROM handfast_used_keys WHERE key = ?1";
            if !self.db.prepare_cached(find)?.exists([key])? {
                let _ = self.write()?.execute("INSERT INTO handfast_used_keys VALUES(?1)", [key])?;
            }
        }
        Ok(())
    }

    /// Returns a serial number for a new companion, which no other has had.
    pub(super) fn next_serial(&mut self) -> Result<u64, SqliteError> {
        let insert = "INSERT INTO handfast_serials DEFAULT VALUES RETURNING serial";
        Ok(self.write()?.query_row(insert, [], |row| row.get::<_, i64>(0))?.cast_unsigned())
    }

    /// Returns a secret of the account by its name. It is drawn and stored the first time.
    pub(super) fn identity<const N: usize>(
        &mut self,
        name: &str,
        rng: &mut dyn CryptoRng,
    ) -> Result<Zeroizing<[u8; N]>, TetherError> {
        let find = "SELECT value FROM handfast_identity WHERE name = ?1";
        let found = self.db.query_row(find, [name], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        let mut secret = Zeroizing::new([0; N]);
        if let Some(stored) = found {
            let value = self.db.key().unwrap(ACCOUNT, name.as_bytes(), &stored)?;
            *secret = value.as_slice().try_into().map_err(|_| SqliteError::Damaged)?;
        } else {
            rng.fill_bytes(secret.as_mut_slice());
            let wrapped = self.db.key().wrap(ACCOUNT, name.as_bytes(), secret.as_slice())?;
            let insert = "INSERT INTO handfast_identity VALUES(?1, ?2)";
            let _ = self.write()?.execute(insert, params![name, wrapped])?;
        }
        Ok(secret)
    }
}

/// The open transaction, lent to a function of the application. `E` is the application's event.
///
/// An error that a function called by the tether returns must be one of the store: the transaction is undone,
/// and everything is loaded again after a pause.
#[derive(Debug)]
pub struct Txn<'a, E> {
    pub(super) store: &'a mut Store,
    events: Vec<E>,
}

impl<'a, E> Txn<'a, E> {
    pub(super) const fn new(store: &'a mut Store) -> Self {
        Self { store, events: Vec::new() }
    }

    pub(super) fn into_events(self) -> Vec<E> {
        self.events
    }

    /// Returns the connection on which the transaction is open, for the application's own tables. The names of
    /// the tether's tables begin with `handfast`.
    #[must_use]
    pub fn db(&self) -> &Connection {
        &self.store.db
    }

    /// Reports an event to the user once the transaction is durable.
    pub fn event(&mut self, event: E) {
        self.events.push(event);
    }

    /// Returns the newest revision of all collections, 0 if there is no row yet.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn newest(&self) -> Result<u64, TetherError> {
        Ok(self.store.newest()?)
    }

    /// Returns a row, unless there is none or it was removed.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn row(&self, collection: &Collection, id: &RowId) -> Result<Option<Row>, TetherError> {
        self.store.row(collection, id)
    }

    /// Returns the file of content that is here whole. It must not be changed.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn content(&self, content: ContentId) -> Result<Option<PathBuf>, TetherError> {
        Ok(self.store.has_whole(content)?.then(|| self.store.content_path(content)))
    }

    /// Returns at most `max` rows of a collection in the order of their ids, from the first one after `after`
    /// on. Removed rows are left out.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn rows(
        &self,
        collection: &Collection,
        after: Option<&RowId>,
        max: usize,
    ) -> Result<Vec<Row>, TetherError> {
        self.store.rows_by_id(collection, after, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_ages_while_the_process_is_not_there_and_never_below_zero() {
        let dir = tempfile::tempdir().unwrap();
        let link = MailboxId::from_bytes([7; 16]);
        for (ago_s, age_s) in [(0, 0), (700, 700), (-700, 0)] {
            let mut store = Store::open(dir.path()).unwrap();
            let _ = store.age(link).unwrap();
            let set = "UPDATE handfast_since SET at = unixepoch() - ?1";
            let _ = store.write().unwrap().execute(set, [ago_s]).unwrap();
            let age = store.age(link).unwrap().as_secs();
            assert!((age_s..age_s + 5).contains(&age), "{ago_s}: {age}");
        }
    }
}
