//! The companion's store: `companion.db`, `device.key` and the directory of content.
//!
//! One transaction is open at a time, from the first write on until [`Store::commit`]: what one round of inputs
//! produced becomes durable together, with the commits of the machine.

mod commands;
#[cfg(feature = "hazmat")]
mod hazmat;
mod links;
mod mirror;
mod sync;
mod transfers;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use handfast::codec::ids::MailboxId;
use handfast::session::{Commit, CommitError, Pairs};
use handfast::sqlite::{self, DeviceKey, SqliteError, Txn};
use rusqlite::Connection;

pub use commands::{CommandState, StoredCommand};
pub use links::{LinkRow, LinkRowState};
pub use mirror::{Change, Chat, Counts, Message};
pub use sync::CHAT_WINDOW;
pub use transfers::{Direction, PutRow, Transfer, TransferState};

use crate::media::MediaDir;

/// The database's name in the data directory.
pub const DB_FILE: &str = "companion.db";
/// The device key's name in the data directory.
pub const KEY_FILE: &str = "device.key";
/// The version of the tables, kept in `user_version`.
const SCHEMA_VERSION: i64 = 2;

const SCHEMA: &str = "
CREATE TABLE links(
    link BLOB PRIMARY KEY,
    account BLOB NOT NULL,
    account_name TEXT NOT NULL,
    companion BLOB NOT NULL,
    relay TEXT NOT NULL,
    label TEXT NOT NULL,
    grants INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT;
CREATE TABLE chats(
    chat INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    last_message INTEGER NOT NULL,
    last_text TEXT NOT NULL,
    last_time_ms INTEGER NOT NULL,
    unread INTEGER NOT NULL
) STRICT;
CREATE TABLE messages(
    chat INTEGER NOT NULL,
    id INTEGER NOT NULL,
    author TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    text TEXT NOT NULL,
    state INTEGER NOT NULL,
    reply_to INTEGER,
    content BLOB,
    media_type TEXT,
    media_name TEXT,
    media_size INTEGER,
    companion BLOB,
    cmd_id INTEGER,
    rev INTEGER NOT NULL,
    PRIMARY KEY(chat, id)
) STRICT;
CREATE TABLE commands(
    cmd_id INTEGER PRIMARY KEY,
    client_id TEXT UNIQUE,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    state TEXT NOT NULL,
    result INTEGER,
    error INTEGER
) STRICT;
CREATE TABLE transfers(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    direction TEXT NOT NULL,
    content BLOB NOT NULL,
    size INTEGER,
    base INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    stream INTEGER,
    state TEXT NOT NULL,
    error INTEGER,
    chat INTEGER,
    media_type TEXT,
    media_name TEXT,
    caption TEXT,
    client_id TEXT UNIQUE,
    cmd_id INTEGER
) STRICT;
CREATE TABLE exports(
    content BLOB NOT NULL,
    out TEXT NOT NULL,
    PRIMARY KEY(content, out)
) STRICT;
";

/// What version 2 adds: the revision of each row, which rows a snapshot has not brought yet, and what was set aside.
/// Rows of version 1 do not know their revision: the digest finds that, and a snapshot brings it.
const SCHEMA_2: &str = "
ALTER TABLE chats ADD COLUMN rev INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chats ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;
CREATE TABLE aside(
    collection BLOB NOT NULL,
    id BLOB NOT NULL,
    rev INTEGER NOT NULL,
    PRIMARY KEY(collection, id)
) STRICT, WITHOUT ROWID;
";

/// The store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite, or a file.
    #[error("the store failed: {0}")]
    Sqlite(#[from] SqliteError),
    /// The tables are of a newer program.
    #[error("the data directory was written by a newer handfast-web (version {0}): use that")]
    Newer(i64),
    /// Another machine wrote to the store.
    #[error("the store was changed by something else (expected version {expected}, found {found})")]
    Conflict {
        /// What this process wrote last.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// A stored value is not what it must be.
    #[error(
        "a row of the store is damaged ({0}): restore the data directory, or run `logout --yes` and pair again"
    )]
    Damaged(&'static str),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

impl From<CommitError<SqliteError>> for StoreError {
    fn from(error: CommitError<SqliteError>) -> Self {
        match error {
            CommitError::Conflict { expected, found } => Self::Conflict { expected, found },
            CommitError::Store(error) => Self::Sqlite(error),
            _ => Self::Damaged("commit"),
        }
    }
}

/// The companion's store. One process has it, under the lock of its directory.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    key: DeviceKey,
    dir: PathBuf,
    media: MediaDir,
    /// The wall clock.
    wall_ms: fn() -> u64,
    in_txn: bool,
}

impl Store {
    /// Opens the store of a data directory, and creates it if it is not there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let media = MediaDir::open(dir)?;
        let key = DeviceKey::load_or_create(&dir.join(KEY_FILE))?;
        let conn = sqlite::open(&dir.join(DB_FILE))?;
        Self::with(conn, key, media, dir, wall_ms)
    }

    fn with(
        mut conn: Connection,
        key: DeviceKey,
        media: MediaDir,
        dir: &Path,
        wall_ms: fn() -> u64,
    ) -> Result<Self, StoreError> {
        let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > SCHEMA_VERSION {
            return Err(StoreError::Newer(version));
        }
        if version < SCHEMA_VERSION {
            let txn = sqlite::begin(&mut conn)?;
            if version == 0 {
                sqlite::create_table(&txn)?;
                txn.execute_batch(SCHEMA)?;
            }
            txn.execute_batch(SCHEMA_2)?;
            txn.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            txn.commit()?;
        }
        Ok(Self { conn, key, dir: dir.to_path_buf(), media, wall_ms, in_txn: false })
    }

    /// Whether a data directory holds a store.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        dir.join(DB_FILE).is_file()
    }

    /// The directory of content.
    #[must_use]
    pub fn media(&self) -> &MediaDir {
        &self.media
    }

    /// Milliseconds since 1970 on the wall clock, which nobody vouches for.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        (self.wall_ms)()
    }

    /// The connection, inside a transaction that writes.
    fn write(&mut self) -> Result<&Connection, StoreError> {
        if !self.in_txn {
            sqlite::begin_kept(&self.conn)?;
            self.in_txn = true;
        }
        Ok(&self.conn)
    }

    /// Whether something waits for [`Store::commit`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.in_txn
    }

    /// Makes everything written since the last time durable.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of it is stored then: call [`Store::roll_back`].
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if self.in_txn {
            let _ = self.conn.prepare_cached("COMMIT")?.execute([])?;
            self.in_txn = false;
        }
        Ok(())
    }

    /// Forgets everything written since the last commit.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may be read or written until this has worked.
    pub fn roll_back(&mut self) -> Result<(), StoreError> {
        self.in_txn = false;
        Ok(sqlite::roll_back(&self.conn)?)
    }

    /// Applies a commit of a machine to the open transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn apply(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let _ = self.write()?;
        commit.apply(&mut Txn::new(&self.conn, &self.key)).map_err(StoreError::from)
    }

    /// The rows of a link, as `Endpoint::load` takes them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn pairs(&self, link: MailboxId) -> Result<Pairs, StoreError> {
        Ok(sqlite::load_pairs(&self.conn, &self.key, link)?)
    }

    /// Whether there are keys of a link.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_keys(&self, link: MailboxId) -> Result<bool, StoreError> {
        Ok(sqlite::links(&self.conn)?.contains(&link))
    }

    /// The settings that durability hangs on: name and value.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn settings(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        Ok(sqlite::settings(&self.conn)?)
    }

    /// Deletes every row, keys and messages alike, in the open transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn wipe_rows(&mut self) -> Result<(), StoreError> {
        self.wipe_mirror()?;
        Ok(self.write()?.execute_batch("DELETE FROM links; DELETE FROM handfast;")?)
    }

    /// Deletes what came over a link, in the open transaction: chats, messages, commands, transfers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn wipe_mirror(&mut self) -> Result<(), StoreError> {
        Ok(self.write()?.execute_batch(
            "DELETE FROM chats; DELETE FROM messages; DELETE FROM aside; DELETE FROM commands; DELETE FROM transfers;
             DELETE FROM exports;",
        )?)
    }

    /// Removes the store from the disk: its rows first, durably, then its files.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn destroy(mut self) -> Result<(), StoreError> {
        self.wipe_rows()?;
        self.commit()?;
        self.media.wipe()?;
        let Self { conn, dir, .. } = self;
        conn.close().map_err(|(_, error)| error)?;
        for name in [DB_FILE, "companion.db-wal", "companion.db-shm", KEY_FILE] {
            let path = dir.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(sqlite::file::error(&path, &error).into());
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(sqlite::file::sync_dir(&dir)?)
    }
}

/// A number of the protocol as SQLite keeps it. They are below 2^62, or are refused.
fn to_sql(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Damaged("number"))
}

fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Milliseconds since 1970 on this machine's clock.
fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
