//! The phone's database: account, chats, messages, media, companions, and the library's own keyspace.
//!
//! One connection, one transaction at a time: [`Store::begin`] opens it when the first write comes, [`Store::commit`]
//! makes all of it durable at once. Every row of state carries the revision of its last change, from one counter, so
//! that a companion can ask for what changed since ([`Store::delta`]).

mod backup;
mod chats;
mod claims;
mod companions;
mod delta;
#[cfg(feature = "hazmat")]
mod hazmat;
mod media;
mod messages;
mod reactions;
mod schema;
mod snapshot;

use std::path::Path;

use handfast::codec::ids::{LogId, MailboxId};
use handfast::codec::limits::MARKER_REVS;
use handfast::handshake::identity::SigningKey;
use handfast::host::Incomplete;
use handfast::session::{Commit, CommitError, Pairs};
use handfast::sqlite::{self, DeviceKey, Reserve, SqliteError, Txn};
use rusqlite::Connection;
use zeroize::Zeroizing;

pub use backup::{BackupError, BackupReport, restore, write_backup};
pub use chats::ChatRow;
pub use claims::Claimed;
pub use companions::{Companion, CompanionStatus};
pub use delta::Delta;
pub use media::MediaRow;
pub use messages::{NewMessage, StoredMessage};
pub use snapshot::PageRows;

/// The file of the database in the data directory.
pub const DATABASE: &str = "phone.db";
/// The file of the device key in the data directory.
pub const DEVICE_KEY: &str = "device.key";
/// How many revisions behind [`MARKER_REVS`] old markers pile up before they are removed at one go.
const PRUNE_EVERY: u64 = 10_000;

/// Why the store could not do something.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite or a file failed.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// The database is of a newer program.
    #[error("the database is of a newer version ({0}); use the newer program")]
    Newer(i64),
    /// The database lacks its tables.
    #[error(
        "phone.db is not whole (was it copied without phone.db-wal?); restore the whole directory, or start with an \
         empty one and link again"
    )]
    NotWhole,
    /// The device key's file is missing.
    #[error(
        "device.key is missing beside phone.db; restore it, or start with an empty directory and link again"
    )]
    KeyMissing,
    /// There is no account here.
    #[error("there is no phone in this directory yet; start one with `run`")]
    NoAccount,
    /// A change could not be written whole.
    #[error("a change could not be stored whole, and was taken back")]
    Incomplete,
    /// Another process wrote to a link.
    #[error("the database was changed by another program (a copy, a second phone?); nothing more is written")]
    Conflict,
}

impl StoreError {
    /// Whether it cannot be otherwise when it is tried again: the database is another's, or not whole.
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

/// Who this phone is.
pub struct Account {
    /// The name that companions are shown, 1 to 64 bytes.
    pub name: String,
    /// The account's key. It signs certificates and revocations.
    pub key: SigningKey,
    /// The change log's id.
    pub log_id: LogId,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The counters of the account, as of the open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counters {
    rev: u64,
    next_message: u64,
    next_serial: u64,
}

/// The open database.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    key: DeviceKey,
    open: bool,
    counters: Counters,
    /// As they stand in the database.
    stored: Counters,
    /// A transaction failed, and nobody knows whether the database took it: the counters must be read again.
    in_doubt: bool,
    /// Markers with a revision up to here are gone.
    floor: u64,
    /// Room for the day on which the disk is full; none for a database that the caller opened.
    reserve: Option<Reserve>,
}

/// A number as SQLite holds it. Numbers of the protocol end at 2^62 - 1, so none is ever cut.
fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from SQLite.
fn unsql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Text of at most `max` bytes, cut between characters.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or("")
}

impl Store {
    /// Opens the phone in a data directory whose lock is held.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoAccount`] when there is none yet; otherwise what is wrong with it.
    pub fn open(dir: &Path) -> Result<(Self, Account), StoreError> {
        let key = schema::load_key(dir)?;
        let (conn, reserve) = sqlite::open_reserved(&dir.join(DATABASE))?;
        let (mut store, account) = Self::take_over(conn, key)?;
        store.reserve = Some(reserve);
        Ok((store, account))
    }

    /// Takes over a database that holds an account.
    fn take_over(mut conn: Connection, key: DeviceKey) -> Result<(Self, Account), StoreError> {
        schema::check(&mut conn)?;
        let (account, counters) = schema::read_account(&conn, &key)?;
        schema::complete(&conn)?;
        let mut store = Self::new(conn, key, counters);
        store.prune_markers()?;
        Ok((store, account))
    }

    /// A store with nothing open and nothing in doubt.
    fn new(conn: Connection, key: DeviceKey, counters: Counters) -> Self {
        Self { conn, key, open: false, counters, stored: counters, floor: 0, in_doubt: false, reserve: None }
    }

    /// Opens the phone, or creates its account; `fill` puts what the network holds into a new one, in the same
    /// transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then nothing was created that the next call would not take up.
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

    /// Opens a transaction if none is open.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn begin(&mut self) -> Result<(), StoreError> {
        if !self.open {
            if self.reserve.as_ref().is_some_and(Reserve::is_wanted) {
                self.make_room();
            }
            sqlite::begin_kept(&self.conn)?;
            self.read_counters()?;
            self.open = true;
        }
        Ok(())
    }

    /// Whether a transaction is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Makes the open transaction durable, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`]; call [`Store::roll_back`] then.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if !self.open {
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
        let _ = self.conn.prepare_cached("COMMIT")?.execute([])?;
        self.open = false;
        self.stored = self.counters;
        Ok(())
    }

    /// A write failed, perhaps for want of room: empties the log with the room that is held back for it. No transaction may
    /// be open. Where nothing comes of it, the next write says why.
    pub fn make_room(&mut self) {
        if let Some(reserve) = &mut self.reserve {
            let _ = sqlite::make_room(&self.conn, reserve);
        }
    }

    /// Drops the open transaction, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`]: nothing may be read or written until this has worked.
    pub fn roll_back(&mut self) -> Result<(), StoreError> {
        (self.open, self.in_doubt) = (false, true);
        sqlite::roll_back(&self.conn)?;
        self.read_counters()
    }

    /// Reads the counters again if they are in doubt: a commit whose answer was lost may have been made.
    fn read_counters(&mut self) -> Result<(), StoreError> {
        if self.in_doubt {
            self.counters = schema::read_counters(&self.conn)?;
            self.stored = self.counters;
            self.in_doubt = false;
        }
        Ok(())
    }

    /// Applies a commit of the library in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when another process wrote, [`StoreError::Sqlite`].
    pub fn apply(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.begin()?;
        Ok(commit.apply(&mut Txn::new(&self.conn, &self.key))?)
    }

    /// The newest revision that is durable.
    #[must_use]
    pub fn rev(&self) -> u64 {
        self.stored.rev
    }

    /// The newest revision of the open transaction, or the one that is durable.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.counters.rev
    }

    /// Returns the next revision.
    fn next_rev(&mut self) -> u64 {
        self.counters.rev = self.counters.rev.saturating_add(1);
        self.counters.rev
    }

    /// Returns the next serial number of a companion.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn next_serial(&mut self) -> Result<u64, StoreError> {
        self.begin()?;
        let serial = self.counters.next_serial;
        self.counters.next_serial = serial.saturating_add(1);
        Ok(serial)
    }

    /// The links that have rows of the library.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn links(&self) -> Result<Vec<MailboxId>, StoreError> {
        Ok(sqlite::links(&self.conn)?)
    }

    /// The library's rows of a link.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn pairs(&self, link: MailboxId) -> Result<Pairs, StoreError> {
        Ok(sqlite::load_pairs(&self.conn, &self.key, link)?)
    }

    /// Forgets the library's rows of a link.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn forget_link(&mut self, link: MailboxId) -> Result<(), StoreError> {
        self.begin()?;
        let _ = self.conn.execute("DELETE FROM handfast WHERE link = ?1", [link.as_bytes()])?;
        Ok(())
    }

    /// The settings that durability hangs on.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn settings(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        Ok(sqlite::settings(&self.conn)?)
    }

    /// The revision from which on the log has every marker.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Forgets markers of deleted rows that are older than [`MARKER_REVS`] revisions. The log's floor rises at once: a
    /// commit whose answer is lost may have been made.
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

/// The account key as it is stored: wrapped like a link's secrets, under a name of its own.
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
