//! Links in SQLite: connections with the right settings, and commits inside the application's own
//! transactions.
//!
//! ```
//! use handfast::sqlite::{self, DeviceKey, Txn};
//! # use handfast::session::Commit;
//! # fn example(commit: &Commit) -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = std::env::temp_dir();
//! let key = DeviceKey::load_or_create(&dir.join("device.key"))?;
//! let mut store = sqlite::open(&dir.join("app.db"))?;
//! sqlite::create_table(&store)?;
//!
//! let txn = sqlite::begin(&mut store)?;
//! // .. the rows of the application that belong to the commit ..
//! commit.apply(&mut Txn::new(&txn, &key))?;
//! txn.commit()?; // then: endpoint.committed(now, commit)
//! # Ok(())
//! # }
//! ```
//!
//! One process may use the database, with one connection: hold a lock on its directory.

mod database;
mod device_key;
pub mod file;
mod migration;
mod remembered;
mod reserve;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use handfast_codec::ids::MailboxId;
use handfast_session::{LinkRows, StoreTxn, is_secret};
use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use zeroize::Zeroizing;

pub use database::Database;
pub use device_key::DeviceKey;
pub use migration::{Migration, Tables, migrate, split_steps};
pub use remembered::Remembered;
pub use reserve::{RESERVE_LEN, Reserve, make_room, open_reserved};

/// The oldest accepted version of SQLite, as `major * 1,000,000 + minor * 1,000 + patch`. Older versions can
/// corrupt a database in WAL mode.
pub const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// A version that SQLite's authors withdrew.
const SQLITE_VERSION_WITHDRAWN: i32 = 3_052_000;
/// The longest time for which a write waits while another program has the database locked.
pub const BUSY_DEADLINE: Duration = Duration::from_secs(5);

/// The page size of new databases, in bytes. Every page that a change touches is written as a whole. A text
/// with its states touches thirty pages.
const PAGE_LEN: u32 = 1_024;
/// The smallest page size of SQLite. A shorter file is not a database yet.
const HEADER_LEN_MIN: u64 = 512;
/// The offset of the page size in a database's header. It is stored big-endian, and 1 means 65,536.
const PAGE_LEN_AT: usize = 16;
/// The offset of the write version in a database's header, and the write version of WAL mode.
const WRITE_VERSION_AT: usize = 18;
const WRITE_VERSION_WAL: u8 = 2;

/// The only table of the handfast crates, with one row for each key of each link.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS handfast(
    link BLOB NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY(link, key)
) STRICT, WITHOUT ROWID";

/// The reason why a store could not be opened, read or written.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteError {
    /// The SQLite library is too old, or a withdrawn version.
    #[error("the SQLite library {0} is not safe to use; build with 3.51.3 or later")]
    Version(&'static str),
    /// Another program locked the database for longer than [`BUSY_DEADLINE`]. Nothing is damaged.
    #[error("another program holds the database; close it, then try again")]
    Busy,
    /// The disk is full.
    #[error("the disk is full; free some space, then try again")]
    Full,
    /// The database may be read but not written.
    #[error("the database cannot be written; check the permissions of its directory and files")]
    ReadOnly,
    /// The disk failed, or the file cannot be opened. The number is SQLite's extended result code.
    #[error("the database cannot be read or written (SQLite code {0}); check the disk and the directory")]
    Disk(i32),
    /// The file is not a database, or a part of it is damaged.
    #[error(
        "the database is damaged; restore the whole directory from a copy, or start with an empty one and link again"
    )]
    Damaged,
    /// The database file is there, but its write-ahead log, which contains the newest changes, is not.
    #[error(
        "{0} stands without {0}-wal, which holds the newest changes: restore both; if another SQLite program has merged \
         them, create {0}-wal as an empty file"
    )]
    WithoutLog(String),
    /// Any other failure of SQLite.
    #[error(transparent)]
    Sql(rusqlite::Error),
    /// A file could not be opened or written.
    #[error("{path}: {reason}")]
    File {
        /// The path of the file.
        path: String,
        /// The operating system's reason.
        reason: crate::SystemError,
    },
    /// Where a regular file must be, there is a symbolic link or something else.
    #[error("{0} is not a plain file; remove it")]
    NotAFile(String),
    /// The database did not accept a setting that durability needs.
    #[error("the database refuses {0}; is its file system read-only or remote?")]
    Setting(&'static str),
    /// The file of the device key has a wrong length.
    #[error("{0} is damaged; restore it from where the database came from, or start anew and link again")]
    KeyFile(String),
    /// A wrapped value cannot be decrypted. It is damaged, or was wrapped by another device's key.
    #[error("a stored key cannot be unwrapped; the database and device.key do not belong together")]
    Unwrap,
    /// The operating system provides no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
}

impl SqliteError {
    /// Returns whether an open store will keep failing: the database is damaged, or belongs to another
    /// device.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Damaged | Self::Unwrap)
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(found, _) = &error else { return Self::Sql(error) };
        match found.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ReadOnly => Self::ReadOnly,
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                Self::Disk(found.extended_code)
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
            _ => Self::Sql(error),
        }
    }
}

/// Checks that the version of the SQLite library is a safe one.
fn check_version(number: i32, name: &'static str) -> Result<(), SqliteError> {
    if number < SQLITE_VERSION_MIN || number == SQLITE_VERSION_WITHDRAWN {
        return Err(SqliteError::Version(name));
    }
    Ok(())
}

/// Opens a database, or creates it, readable by this user only, in WAL mode, with every commit synced. A
/// symbolic link in place of the file is refused.
///
/// The write-ahead log stays beside the database when the database is closed. So a database without a log is
/// known to be an incomplete copy.
///
/// # Errors
///
/// [`SqliteError`] if the file is damaged, unusable or held by another program.
pub fn open(path: &Path) -> Result<Connection, SqliteError> {
    check_version(rusqlite::version_number(), rusqlite::version())?;
    file::require_plain_or_absent(path)?;
    if !path.exists() {
        drop(file::create_new(path)?);
    }
    require_log(path)?;
    // SQLite refuses a symbolic link in any part of the path. Here the directory may be reached through one,
    // but the file may not.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = parent.canonicalize().map_err(|error| file::error(parent, &error))?;
    let path = parent.join(path.file_name().unwrap_or_default());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_DEADLINE)?;
    // Makes SQLite use the same plan for a query whatever values are bound to it. Otherwise it would prepare
    // the query again for each new revision.
    let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "secure_delete", true)?;
    // The page size takes effect in a new database only.
    conn.pragma_update(None, "page_size", PAGE_LEN)?;
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(SqliteError::Setting("journal_mode = WAL"));
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    let level: i64 = conn.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    if level < 2 {
        return Err(SqliteError::Setting("synchronous = FULL"));
    }
    // Empties the log, so that deleted rows do not survive in it. Does not wait for another program that
    // reads the log.
    conn.busy_timeout(Duration::ZERO)?;
    let _: Result<i64, _> = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    conn.busy_timeout(BUSY_DEADLINE)?;
    Ok(conn)
}

/// Refuses a database in WAL mode that has tables but no log file beside it.
fn require_log(path: &Path) -> Result<(), SqliteError> {
    let failed = |error: std::io::Error| file::error(path, &error);
    let mut log = path.as_os_str().to_os_string();
    log.push("-wal");
    let mut opened = file::open(path, false)?;
    let len = opened.metadata().map_err(failed)?.len();
    if Path::new(&log).exists() || len < HEADER_LEN_MIN {
        return Ok(());
    }
    let mut header = [0; WRITE_VERSION_AT + 1];
    opened.read_exact(&mut header).map_err(failed)?;
    let page_len = u64::from(u16::from_be_bytes([header[PAGE_LEN_AT], header[PAGE_LEN_AT + 1]]));
    // A database without tables is one page long.
    if len > page_len.max(HEADER_LEN_MIN) && header[WRITE_VERSION_AT] == WRITE_VERSION_WAL {
        return Err(SqliteError::WithoutLog(path.display().to_string()));
    }
    Ok(())
}

/// Creates the table of the handfast crates if it does not exist. Call it in the transaction that creates the
/// application's tables.
///
/// # Errors
///
/// [`SqliteError`] if the write fails.
pub fn create_table(conn: &Connection) -> Result<(), SqliteError> {
    Ok(conn.execute_batch(TABLE)?)
}

/// Begins a transaction that has the write lock from the start. So it cannot fail later because another
/// program wrote first.
///
/// # Errors
///
/// [`SqliteError`], such as `Busy`.
pub fn begin(conn: &mut Connection) -> Result<Transaction<'_>, SqliteError> {
    Ok(conn.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Begins a transaction like [`begin`], for a store that keeps the transaction open over several calls.
///
/// # Errors
///
/// [`SqliteError`]. Nothing may be read or written then until [`roll_back`] has succeeded.
fn begin_kept(conn: &Connection) -> Result<(), SqliteError> {
    roll_back(conn)?;
    let _ = conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    Ok(())
}

/// Rolls back the open transaction, if there is one. (After some failures SQLite has rolled it back itself.)
///
/// # Errors
///
/// [`SqliteError`]; the transaction is still open then, and reads would see what it wrote. Try again.
fn roll_back(conn: &Connection) -> Result<(), SqliteError> {
    if !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    Ok(())
}

/// Returns the settings on which durability depends, as name and value, for a status command.
///
/// # Errors
///
/// [`SqliteError`] if they cannot be read.
pub fn settings(conn: &Connection) -> Result<Vec<(&'static str, String)>, SqliteError> {
    let mut settings = vec![("sqlite_version", rusqlite::version().to_owned())];
    for name in ["journal_mode", "synchronous", "foreign_keys", "secure_delete", "user_version"] {
        let value = conn.pragma_query_value(None, name, |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => String::from_utf8_lossy(other.as_bytes()?).into_owned(),
            })
        })?;
        settings.push((name, value));
    }
    Ok(settings)
}

/// Returns the mailbox ids of the links that have rows, in ascending order.
///
/// # Errors
///
/// [`SqliteError`] if they cannot be read.
pub fn links(conn: &Connection) -> Result<Vec<MailboxId>, SqliteError> {
    // Of a revoked or wiped link only the version row is left, which keeps an old machine from writing again.
    let mut query =
        conn.prepare_cached("SELECT DISTINCT link FROM handfast WHERE key <> x'00' ORDER BY link")?;
    let rows = query.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(rows.map(|row| row.map(MailboxId::from_bytes)).collect::<Result<_, _>>()?)
}

/// Returns the rows of a link, with secrets unwrapped, as `PhoneEndpoint::load` and `CompanionEndpoint::load`
/// take them.
///
/// # Errors
///
/// [`SqliteError`] if they cannot be read or unwrapped.
pub fn load_rows(conn: &Connection, key: &DeviceKey, link: MailboxId) -> Result<LinkRows, SqliteError> {
    let mut query = conn.prepare_cached("SELECT key, value FROM handfast WHERE link = ?1")?;
    let mut rows = query.query([link.as_bytes()])?;
    let mut pairs = LinkRows::new();
    while let Some(row) = rows.next()? {
        let name: Vec<u8> = row.get(0)?;
        let stored = Zeroizing::new(row.get::<_, Vec<u8>>(1)?);
        let value = if is_secret(&name) { key.unwrap(link, &name, &stored)? } else { stored };
        drop(pairs.insert(name, value));
    }
    Ok(pairs)
}

/// A transaction of the application, in the form that [`handfast_session::Commit::apply`] takes.
#[derive(Debug)]
pub struct Txn<'a> {
    conn: &'a Connection,
    key: &'a DeviceKey,
}

impl<'a> Txn<'a> {
    /// Wraps a connection on which a transaction is open, such as a [`Transaction`].
    #[must_use]
    pub fn new(conn: &'a Connection, key: &'a DeviceKey) -> Self {
        Self { conn, key }
    }
}

impl StoreTxn for Txn<'_> {
    type Error = SqliteError;

    fn read(&mut self, link: MailboxId, key: &[u8]) -> Result<Option<Vec<u8>>, SqliteError> {
        let mut query =
            self.conn.prepare_cached("SELECT value FROM handfast WHERE link = ?1 AND key = ?2")?;
        let stored =
            query.query_row(params![link.as_bytes(), key], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        match stored {
            Some(stored) if is_secret(key) => Ok(Some(self.key.unwrap(link, key, &stored)?.to_vec())),
            other => Ok(other),
        }
    }

    fn put(&mut self, link: MailboxId, key: &[u8], value: &[u8]) -> Result<(), SqliteError> {
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO handfast(link, key, value) VALUES(?1, ?2, ?3)
             ON CONFLICT(link, key) DO UPDATE SET value = excluded.value",
        )?;
        if is_secret(key) {
            let wrapped = self.key.wrap(link, key, value)?;
            let _ = insert.execute(params![link.as_bytes(), key, wrapped])?;
        } else {
            let _ = insert.execute(params![link.as_bytes(), key, value])?;
        }
        Ok(())
    }

    fn delete(&mut self, link: MailboxId, key: &[u8]) -> Result<(), SqliteError> {
        let mut delete = self.conn.prepare_cached("DELETE FROM handfast WHERE link = ?1 AND key = ?2")?;
        let _ = delete.execute(params![link.as_bytes(), key])?;
        Ok(())
    }

    fn delete_range(&mut self, link: MailboxId, from: &[u8], to: &[u8]) -> Result<(), SqliteError> {
        let mut delete =
            self.conn.prepare_cached("DELETE FROM handfast WHERE link = ?1 AND key >= ?2 AND key < ?3")?;
        let _ = delete.execute(params![link.as_bytes(), from, to])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
