//! A backup of the phone in one file, and its restoration.
//!
//! The file is a database. It contains the phone's tables except those of the links, the account's key
//! unencrypted, and all media in parts. It contains no key of a link, so a restored phone has no links, and
//! gets a new log id. Whoever has the file has the account, so only this user can read the file.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use handfast::codec::ids::ContentId;
use handfast::codec::limits::MEDIA_LEN_MAX;
use handfast::handshake::identity::SigningKey;
use handfast::sqlite::{self, BUSY_DEADLINE, DeviceKey, SqliteError, file};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use super::schema::{self, DEVICE_KEY_NEW, STEPS, TABLES, VERSION};
use super::{DATABASE, DEVICE_KEY, StoreError, sql, unsql, unwrap_account_key, wrap_account_key};
use handfast_programs::MediaDir;

/// The `application_id` of a backup file: "HFBK".
const MARK: i64 = 0x4846_424b;
/// The number of bytes of media in one row.
const PART_LEN: u64 = 1_048_576;
/// The tables that are not copied: keys of links, uploads that no message refers to, and the account, which
/// is written separately.
const LEFT_OUT: [&str; 4] = ["handfast", "parts", "claims", "account"];
const MEDIA_PARTS: &str = "CREATE TABLE media_parts(
    content BLOB NOT NULL,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY(content, part)
) STRICT";

/// The contents of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// The number of messages.
    pub messages: u64,
    /// The number of media files.
    pub media: u64,
}

/// The reason why a backup was not made or not restored. The phone's directory was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file exists already.
    #[error("{} is there already; name another file", .0.display())]
    Exists(PathBuf),
    /// The directory contains a phone already.
    #[error("{} holds a phone already; restore into an empty directory", .0.display())]
    Occupied(PathBuf),
    /// The file is not a backup, or is incomplete.
    #[error("{} is not a whole backup of a phone ({what}); use another copy of it", .file.display())]
    NotABackup {
        /// The path of the file.
        file: PathBuf,
        /// The fault that was found, in words.
        what: &'static str,
    },
    /// A media file that the database lists is not on the disk.
    #[error("the file of the content {0} is missing or damaged; the backup was not made")]
    Media(ContentId),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SqliteError> for BackupError {
    fn from(error: SqliteError) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Writes a backup of the phone whose data is in `dir` to the new file `to`. That phone may be running.
///
/// # Errors
///
/// [`BackupError`]; then the file `to` does not exist.
pub fn write_backup(dir: &Path, to: &Path) -> Result<BackupReport, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let key = schema::load_key(dir)?;
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    schema::remove(&part)?;
    drop(file::create_new(&part)?);
    let written = fill(&part, dir, &key).and_then(|report| {
        publish(&part, to)?;
        Ok(report)
    });
    if written.is_err() {
        // The error to report is the one from before, so a failure to remove the file is ignored.
        let _ = fs::remove_file(&part);
    }
    written
}

fn fill(part: &Path, dir: &Path, key: &DeviceKey) -> Result<BackupReport, BackupError> {
    let media = MediaDir::open(dir)?;
    let conn = attach(part, &dir.join(DATABASE))?;
    conn.execute_batch("BEGIN")?;
    let version = copy_tables(&conn)?;
    let (stored, log_id): (Vec<u8>, Vec<u8>) =
        conn.query_row("SELECT key, log_id FROM src.account", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    insert_account(&conn, unwrap_account_key(key, &stored)?.expose(), &log_id)?;
    bring_up(&conn, version)?;
    conn.execute_batch(MEDIA_PARTS)?;
    let contents = contents(&conn)?;
    for (content, size) in &contents {
        copy_media(&conn, &media, *content, *size)?;
    }
    conn.pragma_update(None, "application_id", MARK)?;
    finish(conn, contents.len())
}

/// Restores a phone from a backup into the directory `dir`. The caller must have the directory's lock. The
/// restored phone gets a new log id, and has no links.
///
/// # Errors
///
/// [`BackupError`]; the directory contains no phone then.
pub fn restore(dir: &Path, from: &Path) -> Result<BackupReport, BackupError> {
    if dir.join(DATABASE).exists() || dir.join(DEVICE_KEY).exists() {
        return Err(BackupError::Occupied(dir.to_owned()));
    }
    drop(file::open(from, false)?);
    let not_whole = |what| BackupError::NotABackup { file: from.to_owned(), what };
    let key = DeviceKey::generate()?;
    let part = dir.join("phone.db.part");
    schema::remove(&part)?;
    schema::remove(&dir.join(DEVICE_KEY_NEW))?;
    let made = read(&part, dir, from, &key);
    let report = made.map_err(|error| {
        let _ = fs::remove_file(&part);
        // SQLite's errors about a damaged file are reported as a damaged backup.
        if is_damage(&error) { not_whole("it is damaged") } else { error }
    })?;
    // If the process ends between these steps, the next start completes them, as for a new account.
    key.save_new(&dir.join(DEVICE_KEY_NEW))?;
    publish(&part, &dir.join(DATABASE))?;
    schema::rename_key(dir)?;
    Ok(report)
}

fn read(part: &Path, dir: &Path, from: &Path, key: &DeviceKey) -> Result<BackupReport, BackupError> {
    let not_whole = |what| BackupError::NotABackup { file: from.to_owned(), what };
    drop(file::create_new(part)?);
    let conn = attach(part, from)?;
    if conn.query_row("PRAGMA src.application_id", [], |row| row.get::<_, i64>(0))? != MARK {
        return Err(not_whole("it is something else"));
    }
    let verdict: String = conn.query_row("PRAGMA src.integrity_check", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(not_whole("it is damaged"));
    }
    conn.execute_batch("BEGIN")?;
    let version = copy_tables(&conn)?;
    let seed: Zeroizing<Vec<u8>> =
        conn.query_row("SELECT key FROM src.account", [], |row| row.get(0).map(Zeroizing::new))?;
    let seed = <[u8; 32]>::try_from(seed.as_slice()).map_err(|_| not_whole("it has no account key"))?;
    let mut log_id = [0; 16];
    getrandom::fill(&mut log_id).map_err(|_| SqliteError::NoRandomness)?;
    // req: HSK-091, HSK-092
    insert_account(&conn, &wrap_account_key(key, &SigningKey::from_bytes(seed))?, &log_id)?;
    bring_up(&conn, version)?;
    conn.execute_batch(
        "DELETE FROM companions WHERE status IN ('offered', 'forgotten');
         UPDATE companions SET status = 'lost' WHERE status <> 'revoked'",
    )?;
    let media = MediaDir::open(dir)?;
    let contents = contents(&conn)?;
    for (content, _) in &contents {
        if !media.put_parts(*content, parts(&conn, *content))? {
            return Err(not_whole("a file in it is damaged"));
        }
    }
    finish(conn, contents.len())
}

/// Opens an empty file as a database, with another database attached as `src`.
fn attach(part: &Path, src: &Path) -> Result<Connection, BackupError> {
    let conn = Connection::open(part)?;
    conn.busy_timeout(BUSY_DEADLINE)?;
    // The attached database keeps its log, even if no other program has it open.
    let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Rows may come in any order, and nothing that the attached file defines (such as a trigger) may run.
    conn.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF",
    )?;
    let src = src.to_str().ok_or_else(|| SqliteError::NotAFile(src.display().to_string()))?;
    let _ = conn.execute("ATTACH DATABASE ?1 AS src", [src])?;
    Ok(conn)
}

/// Creates the tables of the attached database's version, and copies the rows of all tables except those in
/// [`LEFT_OUT`]. Returns the version.
fn copy_tables(conn: &Connection) -> Result<i64, BackupError> {
    let version: i64 = conn.query_row("PRAGMA src.user_version", [], |row| row.get(0))?;
    let (taken, _) = sqlite::split_steps(&STEPS, version).ok_or(StoreError::Newer(version))?;
    // req: HSK-090
    conn.execute_batch(TABLES)?;
    for step in taken {
        step.take(conn)?;
    }
    sqlite::create_table(conn)?;
    let mut query = conn.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in tables.iter().filter(|table| !LEFT_OUT.contains(&table.as_str())) {
        let mut query = conn.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let columns: Vec<String> = query.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let columns = columns.join(", ");
        let _ = conn
            .execute(&format!("INSERT INTO main.{table}({columns}) SELECT {columns} FROM src.{table}"), [])?;
    }
    let unnamed = "DELETE FROM main.media WHERE content NOT IN
        (SELECT content FROM main.messages WHERE content IS NOT NULL)";
    let _ = conn.execute(unnamed, [])?;
    Ok(version)
}

/// Migrates tables of an older version to this program's version, once all rows are copied.
fn bring_up(conn: &Connection, version: i64) -> Result<(), BackupError> {
    let (_, missing) = sqlite::split_steps(&STEPS, version).ok_or(StoreError::Newer(version))?;
    for step in missing {
        step.take(conn)?;
    }
    Ok(())
}

fn insert_account(conn: &Connection, key: &[u8], log_id: &[u8]) -> Result<(), BackupError> {
    let _ = conn.execute(
        "INSERT INTO main.account(id, name, key, log_id, rev, next_message, next_serial)
         SELECT 1, name, ?1, ?2, rev, next_message, next_serial FROM src.account",
        params![key, log_id],
    )?;
    Ok(())
}

/// Returns the ids and sizes of all media files in the database.
fn contents(conn: &Connection) -> Result<Vec<(ContentId, u64)>, BackupError> {
    let mut query = conn.prepare("SELECT content, size FROM main.media")?;
    let rows = query.query_map([], |row| Ok((ContentId::from_bytes(row.get(0)?), row.get(1)?)))?;
    Ok(rows
        .map(|row| row.map(|(content, size): (_, i64)| (content, unsql(size))))
        .collect::<Result<_, _>>()?)
}

/// Copies a media file into the backup, part by part.
fn copy_media(conn: &Connection, media: &MediaDir, content: ContentId, size: u64) -> Result<(), BackupError> {
    let mut file = media.open_content(content).map_err(|_| BackupError::Media(content))?;
    let mut insert =
        conn.prepare_cached("INSERT INTO main.media_parts(content, part, bytes) VALUES(?1, ?2, ?3)")?;
    let mut copied = 0;
    for part in 0_u64.. {
        let mut bytes = Vec::new();
        let read = (&mut file).take(PART_LEN).read_to_end(&mut bytes);
        match read {
            Ok(0) => break,
            Ok(len) => copied += u64::try_from(len).unwrap_or(u64::MAX),
            Err(_) => return Err(BackupError::Media(content)),
        }
        let _ = insert.execute(params![content.as_bytes(), sql(part), bytes])?;
    }
    if copied == size { Ok(()) } else { Err(BackupError::Media(content)) }
}

/// Returns the parts that the backup contains of a media file.
fn parts(conn: &Connection, content: ContentId) -> impl Iterator<Item = Result<Vec<u8>, SqliteError>> {
    let part = move |part: u64| {
        conn.prepare_cached("SELECT bytes FROM src.media_parts WHERE content = ?1 AND part = ?2")?
            .query_row(params![content.as_bytes(), sql(part)], |row| row.get(0))
            .optional()
    };
    // A media file has a limited size, whatever a manipulated backup contains, so only so many parts are
    // read.
    (0..MEDIA_LEN_MAX.div_ceil(PART_LEN))
        .map_while(move |number| part(number).map_err(Into::into).transpose())
}

/// Commits the new database, and closes it.
fn finish(conn: Connection, media: usize) -> Result<BackupReport, BackupError> {
    conn.pragma_update(None, "user_version", VERSION)?;
    conn.execute_batch("COMMIT")?;
    let messages: i64 = conn.query_row("SELECT count(*) FROM main.messages", [], |row| row.get(0))?;
    conn.close().map_err(|(_, error)| error)?;
    Ok(BackupReport { messages: unsql(messages), media: u64::try_from(media).unwrap_or(u64::MAX) })
}

/// Renames a finished file to its final name, and makes the new name durable.
fn publish(part: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |error| file::error(to, &error);
    File::open(part).and_then(|part| part.sync_all()).map_err(failed)?;
    fs::rename(part, to).map_err(failed)?;
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(file::sync_dir(dir)?)
}

/// Returns whether SQLite failed because a file is damaged, and not because space or time ran out.
fn is_damage(error: &BackupError) -> bool {
    matches!(error, BackupError::Store(StoreError::Sqlite(SqliteError::Damaged | SqliteError::Sql(_))))
}

#[cfg(test)]
mod tests;
