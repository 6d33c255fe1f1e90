//! The phone's database: account, chats, messages, media, companions, and the rows of the handfast crates.
//!
//! There is one connection, with one transaction at a time: [`Store::begin`] opens it on the first write,
//! [`Store::commit`] makes all of it durable. Every row carries the revision of its last change, from a
//! single counter, so that a companion can ask for the changes after a revision ([`Store::delta`]).

mod backup;
mod chats;
mod claims;
mod companions;
mod delta;
mod media;
mod messages;
mod reactions;
mod schema;
mod snapshot;
#[cfg(feature = "testing")]
mod testing;

use std::path::Path;

use handfast::codec::ids::{LogId, MailboxId};
use handfast::codec::limits::MARKER_REVS;
use handfast::handshake::identity::SigningKey;
use handfast::host::Incomplete;
use handfast::session::{Commit, CommitError};
use handfast::sqlite::{self, Database, DeviceKey, Remembered, SqliteError};
use zeroize::Zeroizing;

pub use backup::{BackupError, BackupReport, restore, write_backup};
pub use claims::Claimed;
pub use companions::{Companion, CompanionStatus};
pub use delta::Delta;
pub use media::MediaRow;
pub use messages::{NewMessage, StoredMessage};
pub use snapshot::PageRows;

/// The name of the database file in the data directory.
pub const DATABASE: &str = "phone.db";
/// The name of the device key's file in the data directory.
pub const DEVICE_KEY: &str = "device.key";
/// Old markers are removed all at once, when they are this many revisions older than [`MARKER_REVS`] allows.
const PRUNE_EVERY: u64 = 10_000;

/// The reason why the store could not do something.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite or a file failed.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// The database was written by a newer program, whose version of the tables this is.
    #[error("the database is of a newer version ({0}); use the newer program")]
    Newer(i64),
    /// The database has no tables of this program.
    #[error(
        "phone.db is not whole (was it copied without phone.db-wal?); restore the whole directory, or start with an \
         empty one and link again"
    )]
    NotWhole,
    /// The file of the device key is missing.
    #[error(
        "device.key is missing beside phone.db; restore it, or start with an empty directory and link again"
    )]
    KeyMissing,
    /// The directory has no account.
    #[error("there is no phone in this directory yet; start one with `run`")]
    NoAccount,
    /// A change could only be written in part, so it was rolled back.
    #[error("a change could not be stored whole, and was taken back")]
    Incomplete,
    /// Another process wrote to the rows of a link.
    #[error("the database was changed by another program (a copy, a second phone?); nothing more is written")]
    Conflict,
}

impl StoreError {
    /// Returns whether another attempt must fail too, because the database is damaged or in use by another
    /// program.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.is_final(),
            Self::Incomplete => false,
            Self::Newer(_) | Self::NotWhole | Self::KeyMissing | Self::NoAccount | Self::Conflict => true,
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
            CommitError::Store(error) => Self::Sqlite(error),
            _ => Self::Conflict,
        }
    }
}

/// The account of this phone.
pub struct Account {
    /// The name that companions show, 1 to 64 bytes.
    pub name: String,
    /// The account's key, which signs certificates and revocations.
    pub key: SigningKey,
    /// The id of the change log.
    pub log_id: LogId,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The counters of the account, including changes in the open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counters {
    rev: u64,
    next_message: u64,
    next_serial: u64,
}

/// The open database.
#[derive(Debug)]
pub struct Store {
    conn: Database,
    counters: Counters,
    /// The counters as they are stored in the database.
    stored: Counters,
    /// Whether a transaction failed and the database may contain it all the same, so that the counters must
    /// be read again.
    in_doubt: bool,
    /// The revision up to which markers of deleted rows may have been removed.
    floor: u64,
    oldest_claim: Remembered<Option<u64>>,
}

/// Converts a number for SQLite. Numbers of the protocol are below 2^62, so none is truncated.
fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Converts a number from SQLite.
fn unsql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Returns the text, shortened to at most `max` bytes without cutting a character.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or("")
}

impl Store {
    /// Opens the phone in a data directory. The caller must have the directory's lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoAccount`] when there is no account yet, or else what is wrong with the database.
    pub fn open(dir: &Path) -> Result<(Self, Account), StoreError> {
        let key = schema::load_key(dir)?;
        let (conn, reserve) = sqlite::open_reserved(&dir.join(DATABASE))?;
        Self::take_over(Database::new(conn, key, Some(reserve)))
    }

    /// Checks an opened database, which must have an account, and completes its tables.
    fn take_over(mut conn: Database) -> Result<(Self, Account), StoreError> {
        schema::check(&mut conn)?;
        let (account, counters) = schema::read_account(&conn)?;
        schema::complete(&conn)?;
        let mut store = Self::new(conn, counters);
        store.prune_markers()?;
        Ok((store, account))
    }

    /// Creates a store over a database, with no transaction open.
    fn new(conn: Database, counters: Counters) -> Self {
        Self {
            conn,
            counters,
            stored: counters,
            floor: 0,
            in_doubt: false,
            oldest_claim: Remembered::default(),
        }
    }

    /// Opens the phone, or creates an account with this name. In the transaction that creates the account,
    /// `fill` adds the network's chats.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the next call continues with whatever was created.
    pub fn open_or_create(
        dir: &Path,
        name: &str,
        fill: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(Self, Account), StoreError> {
        match Self::open(dir) {
            Err(StoreError::NoAccount) => schema::create(dir, name, fill),
            other => other,
        }
    }

    /// Opens a transaction, unless one is already open.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if it cannot be opened.
    pub fn begin(&mut self) -> Result<(), StoreError> {
        let _ = self.conn.write()?;
        self.read_counters()
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
    /// [`StoreError::Sqlite`] if that fails; call [`Store::roll_back`] then.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if !self.conn.is_open() {
            return Ok(());
        }
        if self.counters != self.stored {
            let Counters { rev, next_message, next_serial } = self.counters;
            let _ = self
                .conn
                .prepare_cached("UPDATE account SET rev = ?1, next_message = ?2, next_serial = ?3")?
                .execute([sql(rev), sql(next_message), sql(next_serial)])?;
        }
        let oldest = self.floor.saturating_add(MARKER_REVS).saturating_add(PRUNE_EVERY);
        if self.counters.rev > oldest {
            self.prune_markers()?;
        }
        self.conn.commit()?;
        self.stored = self.counters;
        Ok(())
    }

    /// Empties the log with the reserved disk space: see [`Database::make_room`].
    pub fn make_room(&mut self) {
        self.conn.make_room();
    }

    /// Rolls back the open transaction, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`]; nothing may be read or written until a further call succeeds.
    pub fn roll_back(&mut self) -> Result<(), StoreError> {
        self.in_doubt = true;
        self.conn.roll_back()?;
        self.read_counters()
    }

    /// Reads the counters again if a transaction failed, because the transaction may have been committed all
    /// the same.
    fn read_counters(&mut self) -> Result<(), StoreError> {
        if self.in_doubt {
            self.counters = schema::read_counters(&self.conn)?;
            self.stored = self.counters;
            self.in_doubt = false;
        }
        Ok(())
    }

    /// Applies a commit of a link's machine in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when another process wrote, or [`StoreError::Sqlite`].
    pub fn apply(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.begin()?;
        Ok(self.conn.apply(commit)?)
    }

    /// Returns the newest revision whose changes are durable.
    #[must_use]
    pub fn rev(&self) -> u64 {
        self.stored.rev
    }

    /// Returns the newest revision, including changes in the open transaction.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.counters.rev
    }

    /// Takes the next revision for a change.
    fn next_rev(&mut self) -> u64 {
        self.counters.rev = self.counters.rev.saturating_add(1);
        self.counters.rev
    }

    /// Takes the next serial number for a companion.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the transaction cannot be opened.
    pub fn next_serial(&mut self) -> Result<u64, StoreError> {
        self.begin()?;
        let serial = self.counters.next_serial;
        self.counters.next_serial = serial.saturating_add(1);
        Ok(serial)
    }

    /// Deletes the rows that the handfast crates keep for a link.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if they cannot be deleted.
    pub fn forget_link(&mut self, link: MailboxId) -> Result<(), StoreError> {
        self.begin()?;
        Ok(self.conn.forget_link(link)?)
    }

    /// Returns the revision from which on the log contains all markers of deleted rows.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Removes markers of deleted rows that are more than [`MARKER_REVS`] revisions old. The revision from
    /// which the log is complete rises at once, because the commit may take effect even if it seems to fail.
    fn prune_markers(&mut self) -> Result<(), StoreError> {
        // req: SYN-010
        let floor = self.counters.rev.saturating_sub(MARKER_REVS);
        self.floor = self.floor.max(floor);
        for sql_text in [
            "DELETE FROM messages WHERE deleted = 1 AND rev <= ?1",
            // req: MSG-069
            "UPDATE messages SET changed = NULL WHERE changed <= ?1",
            "DELETE FROM companions WHERE status = 'forgotten' AND rev <= ?1",
        ] {
            let _ = self.conn.prepare_cached(sql_text)?.execute([sql(floor)])?;
        }
        Ok(())
    }
}

/// The account's key is wrapped like a secret of a link; this stands for that link's mailbox id.
const ACCOUNT_LINK: MailboxId = MailboxId::from_bytes(*b"account key\0\0\0\0\0");

fn wrap_account_key(device: &DeviceKey, key: &SigningKey) -> Result<Vec<u8>, SqliteError> {
    device.wrap(ACCOUNT_LINK, b"account", key.expose())
}

fn unwrap_account_key(device: &DeviceKey, stored: &[u8]) -> Result<SigningKey, SqliteError> {
    let value = device.unwrap(ACCOUNT_LINK, b"account", stored)?;
    let seed = Zeroizing::new(<[u8; 32]>::try_from(value.as_slice()).map_err(|_| SqliteError::Unwrap)?);
    Ok(SigningKey::from_bytes(*seed))
}

#[cfg(test)]
mod tests;
