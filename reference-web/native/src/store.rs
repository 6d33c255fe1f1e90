//! The companion's store: the database `companion.db`, the key `device.key`, and the directory of content.
//!
//! There is one connection, with one transaction at a time: the first write opens it, and [`Store::commit`]
//! makes all of it durable: the commits of the link's machine together with what the companion derived from
//! the messages.

mod commands;
mod companions;
mod links;
mod mirror;
mod ranges;
mod schema;
mod sync;
#[cfg(feature = "testing")]
mod testing;
mod transfers;

use std::path::{Path, PathBuf};

use handfast::host::Incomplete;
use handfast::session::{Commit, CommitError};
use handfast::sqlite::{Database, Remembered, SqliteError};
use handfast_programs::wall_ms;
use rusqlite::Connection;

pub use commands::{CommandState, StoredCommand};
pub use companions::LinkedCompanion;
pub use links::{LinkRow, LinkRowState};
pub use mirror::{Change, Counts, Message};
pub use ranges::HistoryPage;
pub use transfers::{Direction, PutRow, Transfer, TransferState};

use crate::media::MediaDir;

/// The name of the database file in the data directory.
pub const DB_FILE: &str = "companion.db";
/// The name of the device key's file in the data directory.
pub const KEY_FILE: &str = "device.key";

/// The reason why the store could not do something.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite or a file failed.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// The database was written by a newer program, whose version of the tables this is.
    #[error("the data directory was written by a newer handfast-web (version {0}): use that")]
    Newer(i64),
    /// The database has no tables of this program.
    #[error("companion.db is not whole: restore the whole data directory, or empty it and pair again")]
    NotWhole,
    /// The file of the device key is missing.
    #[error(
        "device.key is missing beside companion.db: restore it, or empty the data directory and pair again"
    )]
    KeyMissing,
    /// A change could only be written in part, so it was rolled back.
    #[error("a change could not be stored whole, and was taken back")]
    Incomplete,
    /// Another process wrote to the rows of the link.
    #[error("the store was changed by something else (expected version {expected}, found {found})")]
    Conflict {
        /// The version that this process wrote last.
        expected: u64,
        /// The version that is stored now.
        found: u64,
    },
    /// A stored value is outside its range.
    #[error(
        "a row of the store is damaged ({0}): restore the data directory, or run `logout --yes` and pair again"
    )]
    Damaged(&'static str),
}

impl StoreError {
    /// Returns whether another attempt must fail too, because the database is damaged or in use by another
    /// program.
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

/// The companion's open database and files. The caller holds the lock of the data directory.
#[derive(Debug)]
pub struct Store {
    conn: Database,
    dir: PathBuf,
    media: MediaDir,
    /// A function that returns the wall clock's time, in milliseconds since 1970.
    wall_ms: fn() -> u64,
    has_queued: Remembered<bool>,
}

impl Store {
    /// Opens the store in a data directory. Creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be opened, or is damaged.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let media = MediaDir::open(dir)?;
        Self::with(schema::open(dir)?, media, dir, wall_ms)
    }

    fn with(
        mut conn: Database,
        media: MediaDir,
        dir: &Path,
        wall_ms: fn() -> u64,
    ) -> Result<Self, StoreError> {
        schema::check(&mut conn)?;
        Ok(Self { conn, dir: dir.to_path_buf(), media, wall_ms, has_queued: Remembered::default() })
    }

    /// Returns whether a data directory contains a store.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        dir.join(DB_FILE).is_file()
    }

    /// Returns the directory of content.
    #[must_use]
    pub fn media(&self) -> &MediaDir {
        &self.media
    }

    pub(crate) fn media_mut(&mut self) -> &mut MediaDir {
        &mut self.media
    }

    /// Returns the wall clock's time, in milliseconds since 1970. The clock may be wrong, so the time is for
    /// display only.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        (self.wall_ms)()
    }

    /// Returns the connection, with a transaction open.
    fn write(&mut self) -> Result<&Connection, StoreError> {
        Ok(self.conn.write()?)
    }

    /// Returns the database, with the rows of the handfast crates, for reading.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.conn
    }

    /// Makes the open transaction durable, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that fails; call [`Store::roll_back`] then.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        Ok(self.conn.commit()?)
    }

    /// Empties the log with the reserved disk space: see [`Database::make_room`].
    pub fn make_room(&mut self) {
        self.conn.make_room();
    }

    /// Rolls back the open transaction, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing may be read or written until a further call succeeds.
    pub fn roll_back(&mut self) -> Result<(), StoreError> {
        Ok(self.conn.roll_back()?)
    }

    /// Applies a commit of the link's machine in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when another process wrote, or [`StoreError::Sqlite`].
    pub fn apply(&mut self, commit: &Commit) -> Result<(), StoreError> {
        Ok(self.conn.apply(commit)?)
    }

    /// Deletes every row in the open transaction, including the keys.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn wipe_rows(&mut self) -> Result<(), StoreError> {
        self.wipe_mirror()?;
        Ok(self.write()?.execute_batch("DELETE FROM links; DELETE FROM handfast;")?)
    }

    /// Deletes what came over a link, and what waits to be sent over it, in the open transaction: chats,
    /// messages, companions, commands and transfers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn wipe_mirror(&mut self) -> Result<(), StoreError> {
        Ok(self.write()?.execute_batch(
            "DELETE FROM chats; DELETE FROM messages; DELETE FROM companions; DELETE FROM aside; DELETE FROM ranges;
             DELETE FROM pages; DELETE FROM mirror; DELETE FROM commands;
             DELETE FROM transfers; DELETE FROM exports;",
        )?)
    }

    /// Deletes the store from the disk: first its rows, durably, then its files.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a write or a removal fails.
    pub fn destroy(mut self) -> Result<(), StoreError> {
        // req: HSK-153
        self.wipe_rows()?;
        self.commit()?;
        self.media.wipe()?;
        let Self { conn, dir, .. } = self;
        conn.close()?;
        schema::remove(&dir)
    }
}

/// Converts a number for SQLite. Numbers of the protocol are below 2^62, so every valid number fits.
fn to_sql(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Damaged("number"))
}

fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
