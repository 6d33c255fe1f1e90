//! The tables of the database, their migrations, and the creation and removal of the store's files.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use handfast::codec::ids::MailboxId;
use handfast::handshake::key_schedule::old_command_key;
use handfast::sqlite::{self, Database, DeviceKey, Migration, SqliteError, Tables, file};
use rusqlite::{Connection, OptionalExtension, params};

use super::{DB_FILE, KEY_FILE, StoreError, from_sql};

/// The version of the tables, which is stored in the database as `user_version`.
const VERSION: i64 = 5;
/// The name of the device key's file while the store is being created.
const KEY_FILE_NEW: &str = "device.key.new";

pub(super) const TABLES: &str = "
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

/// Version 2 adds revisions of rows, marks of rows that a snapshot has not brought yet, and rows that were
/// set aside. Rows that exist already have no revision. So their digest differs, and a snapshot brings them
/// again.
pub(super) const TABLES_2: &str = "
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

/// Version 3 adds edits, reactions as JSON, an index of content ids, and the list of companions. Rows that
/// were set aside are forgotten, because this version may understand them. So the digest differs, and a
/// snapshot brings the rows again.
const TABLES_3: &str = "
ALTER TABLE messages ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN reactions TEXT NOT NULL DEFAULT '[]';
CREATE INDEX messages_content ON messages(content) WHERE content IS NOT NULL;
CREATE TABLE companions(
    serial INTEGER PRIMARY KEY,
    companion BLOB NOT NULL,
    label TEXT NOT NULL,
    linked_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    status INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    stale INTEGER NOT NULL DEFAULT 0
) STRICT;
DELETE FROM aside;
";

/// Version 4 adds the ranges of stored messages, the number of messages that a snapshot's pages have brought,
/// and the revision up to which changes are applied. For messages that exist already, ranges and revision are
/// unknown. So the first connection deletes those that are older than the newest messages which the phone
/// offers for each chat.
const TABLES_4: &str = "
CREATE TABLE ranges(
    chat INTEGER NOT NULL,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    is_window INTEGER NOT NULL,
    PRIMARY KEY(chat, low)
) STRICT, WITHOUT ROWID;
CREATE TABLE pages(
    chat INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL
) STRICT;
CREATE TABLE mirror(
    id INTEGER PRIMARY KEY CHECK(id = 1),
    changes_to INTEGER NOT NULL
) STRICT;
";

/// Version 5 identifies commands by keys. A command that was identified by a number gets the key that phone
/// and companion both derive from the number. Which command of another companion made a message is forgotten.
const TABLES_5: &str = "
ALTER TABLE messages ADD COLUMN command BLOB;
ALTER TABLE transfers ADD COLUMN command BLOB;
CREATE TABLE keyed(
    id INTEGER PRIMARY KEY,
    command BLOB NOT NULL UNIQUE,
    client_id TEXT UNIQUE,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    state TEXT NOT NULL,
    result INTEGER,
    error INTEGER
) STRICT;
";

const TABLES_5_KEYED: &str = "
UPDATE messages SET companion = NULL WHERE command IS NULL;
ALTER TABLE messages DROP COLUMN cmd_id;
ALTER TABLE transfers DROP COLUMN cmd_id;
DROP TABLE commands;
ALTER TABLE keyed RENAME TO commands;
";

fn take_step_5(conn: &Connection) -> Result<(), SqliteError> {
    conn.execute_batch(TABLES_5)?;
    let newest = "SELECT link, companion FROM links ORDER BY created_ms DESC, rowid DESC LIMIT 1";
    let link: Option<([u8; 16], [u8; 16])> =
        conn.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    if let Some((link, companion)) = link {
        let numbers = |sql: &str| -> rusqlite::Result<Vec<i64>> {
            conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        };
        // req: RES-035
        let key_of = |number| old_command_key(&MailboxId::from_bytes(link), from_sql(number));
        let mut insert = conn.prepare(
            "INSERT INTO keyed(id, command, client_id, kind, body, state, result, error)
             SELECT cmd_id, ?2, client_id, kind, body, state, result, error FROM commands WHERE cmd_id = ?1",
        )?;
        for number in numbers("SELECT cmd_id FROM commands")? {
            let _ = insert.execute(params![number, key_of(number).as_bytes()])?;
        }
        let mut update =
            conn.prepare("UPDATE messages SET command = ?3 WHERE companion = ?1 AND cmd_id = ?2")?;
        let mut query =
            conn.prepare("SELECT cmd_id FROM messages WHERE companion = ?1 AND cmd_id IS NOT NULL")?;
        let made: Vec<i64> = query.query_map([companion], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for number in made {
            let _ = update.execute(params![companion, number, key_of(number).as_bytes()])?;
        }
        let mut update = conn.prepare("UPDATE transfers SET command = ?2 WHERE cmd_id = ?1")?;
        for number in numbers("SELECT cmd_id FROM transfers WHERE cmd_id IS NOT NULL")? {
            let _ = update.execute(params![number, key_of(number).as_bytes()])?;
        }
    }
    // Uploads whose message is not sent yet have no command number. Each gets a random key, like a new
    // upload.
    let mut query = conn.prepare("SELECT id FROM transfers WHERE direction = 'put' AND command IS NULL")?;
    let chosen: Vec<i64> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in chosen {
        let mut key = [0_u8; 16];
        getrandom::fill(&mut key).map_err(|_| SqliteError::NoRandomness)?;
        let _ = conn.execute("UPDATE transfers SET command = ?2 WHERE id = ?1", params![id, key])?;
    }
    drop(query);
    Ok(conn.execute_batch(TABLES_5_KEYED)?)
}

/// The migrations of the tables, beginning with that from version 1 to version 2.
const STEPS: [Migration; 4] = [
    Migration::Batch(TABLES_2),
    Migration::Batch(TABLES_3),
    Migration::Batch(TABLES_4),
    Migration::Rows(take_step_5),
];

/// Opens the store, or creates it. The device key's file gets its final name last: before that there is no
/// store, and after that it is complete.
pub(super) fn open(dir: &Path) -> Result<Database, StoreError> {
    let (database, key) = (dir.join(DB_FILE), dir.join(KEY_FILE));
    file::require_plain_or_absent(&database)?;
    file::require_plain_or_absent(&key)?;
    if !key.exists() && !take_up(dir)? {
        return create(dir);
    }
    if !database.exists() {
        return Err(StoreError::NotWhole);
    }
    let key = DeviceKey::load(&key)?;
    let (conn, reserve) = sqlite::open_reserved(&database)?;
    Ok(Database::new(conn, key, Some(reserve)))
}

/// If creating the store was interrupted after its commit, completes it. Returns whether a store exists now.
fn take_up(dir: &Path) -> Result<bool, StoreError> {
    let database = dir.join(DB_FILE);
    if !database.exists() {
        return Ok(false);
    }
    let conn = sqlite::open(&database)?;
    // If a database has no tables, or no keys in them, the missing device key would decrypt nothing.
    let keys: rusqlite::Result<i64> = conn.query_row("SELECT count(*) FROM handfast", [], |row| row.get(0));
    if dir.join(KEY_FILE_NEW).exists() && keys.is_ok() {
        rename_key(dir)?;
        return Ok(true);
    }
    if keys.is_ok_and(|keys| keys > 0) { Err(StoreError::KeyMissing) } else { Ok(false) }
}

fn rename_key(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(KEY_FILE);
    fs::rename(dir.join(KEY_FILE_NEW), &path).map_err(|error| file::error(&path, &error))?;
    Ok(file::sync_dir(dir)?)
}

fn create(dir: &Path) -> Result<Database, StoreError> {
    remove(dir)?;
    let key = DeviceKey::generate()?;
    key.save_new(&dir.join(KEY_FILE_NEW))?;
    let (mut conn, reserve) = sqlite::open_reserved(&dir.join(DB_FILE))?;
    create_tables(&mut conn)?;
    // From here on the main database file is complete without the log.
    let _: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    rename_key(dir)?;
    Ok(Database::new(conn, key, Some(reserve)))
}

/// Creates the tables in an empty database.
pub(super) fn create_tables(conn: &mut Connection) -> Result<(), StoreError> {
    let txn = sqlite::begin(conn)?;
    sqlite::create_table(&txn)?;
    txn.execute_batch(TABLES)?;
    for step in STEPS {
        step.take(&txn)?;
    }
    txn.pragma_update(None, "user_version", VERSION)?;
    Ok(txn.commit()?)
}

/// Refuses tables of a newer program, and migrates older ones.
pub(super) fn check(conn: &mut Connection) -> Result<(), StoreError> {
    match sqlite::migrate(conn, VERSION, &STEPS)? {
        Tables::Current => Ok(()),
        Tables::Newer(version) => Err(StoreError::Newer(version)),
        Tables::Foreign => Err(StoreError::NotWhole),
    }
}

/// Removes the files of a store. The key is removed first, so that after an interruption the store is either
/// complete or gone.
pub(super) fn remove(dir: &Path) -> Result<(), StoreError> {
    for name in
        [KEY_FILE, KEY_FILE_NEW, DB_FILE, "companion.db-wal", "companion.db-shm", "companion.db-reserve"]
    {
        let path = dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(file::error(&path, &error).into());
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(file::sync_dir(dir)?)
}
