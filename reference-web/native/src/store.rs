//! The companion's store: `companion.db`, `device.key` and the directory of content.
//!
//! One transaction is open at a time, from the first write on until [`Store::commit`]: what one round of inputs
//! produced becomes durable together, with the commits of the machine.

mod commands;
mod companions;
#[cfg(feature = "hazmat")]
mod hazmat;
mod links;
mod mirror;
mod ranges;
mod schema;
mod sync;
mod transfers;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use handfast::codec::ids::MailboxId;
use handfast::host::Incomplete;
use handfast::session::{Commit, CommitError, Pairs};
use handfast::sqlite::{self, DeviceKey, Reserve, SqliteError, Txn};
use rusqlite::Connection;

pub use commands::{CommandState, StoredCommand};
pub use companions::LinkedCompanion;
pub use links::{LinkRow, LinkRowState};
pub use mirror::{Change, Chat, Counts, Message};
pub use ranges::HistoryPage;
pub use transfers::{Direction, PutRow, Transfer, TransferState};

use crate::media::MediaDir;

/// The database's name in the data directory.
pub const DB_FILE: &str = "companion.db";
/// The device key's name in the data directory.
pub const KEY_FILE: &str = "device.key";

/// The store could not be opened, read or written.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite, or a file.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// The tables are of a newer program.
    #[error("the data directory was written by a newer handfast-web (version {0}): use that")]
    Newer(i64),
    /// The database lacks its tables.
    #[error("companion.db is not whole: restore the whole data directory, or empty it and pair again")]
    NotWhole,
    /// The device key's file is missing.
    #[error(
        "device.key is missing beside companion.db: restore it, or empty the data directory and pair again"
    )]
    KeyMissing,
    /// A change could not be written whole.
    #[error("a change could not be stored whole, and was taken back")]
    Incomplete,
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

impl StoreError {
    /// Whether it cannot be otherwise when it is tried again: the store is another's, or not whole.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.is_final(),
            Self::Incomplete => false,
            Self::Newer(_) | Self::NotWhole | Self::KeyMissing | Self::Conflict { .. } | Self::Damaged(_) => {
                true
            }
        }
    }
}

impl From<Incomplete> for StoreError {
    fn from(_: Incomplete) -> Self {
        Self::Incomplete
    }
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
    /// Room for the day on which the disk is full; none for a database that the caller opened.
    reserve: Option<Reserve>,
}

impl Store {
    /// Opens the store of a data directory, and creates it if it is not there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let media = MediaDir::open(dir)?;
        let (conn, reserve, key) = schema::open(dir)?;
        let mut store = Self::with(conn, key, media, dir, wall_ms)?;
        store.reserve = Some(reserve);
        Ok(store)
    }

    fn with(
        mut conn: Connection,
        key: DeviceKey,
        media: MediaDir,
        dir: &Path,
        wall_ms: fn() -> u64,
    ) -> Result<Self, StoreError> {
        schema::check(&mut conn)?;
        Ok(Self { conn, key, dir: dir.to_path_buf(), media, wall_ms, in_txn: false, reserve: None })
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
            if self.reserve.as_ref().is_some_and(Reserve::is_wanted) {
                self.make_room();
            }
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

    /// A write failed, perhaps for want of room: empties the log with the room that is held back for it. No transaction may
    /// be open. Where nothing comes of it, the next write says why.
    pub fn make_room(&mut self) {
        if let Some(reserve) = &mut self.reserve {
            let _ = sqlite::make_room(&self.conn, reserve);
        }
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
            "DELETE FROM chats; DELETE FROM messages; DELETE FROM companions; DELETE FROM aside; DELETE FROM ranges;
             DELETE FROM pages; DELETE FROM mirror; DELETE FROM commands;
             DELETE FROM transfers; DELETE FROM exports;",
        )?)
    }

    /// Removes the store from the disk: its rows first, durably, then its files.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn destroy(mut self) -> Result<(), StoreError> {
        // req: HSK-153
        self.wipe_rows()?;
        self.commit()?;
        self.media.wipe()?;
        let Self { conn, dir, .. } = self;
        conn.close().map_err(|(_, error)| error)?;
        schema::remove(&dir)
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
