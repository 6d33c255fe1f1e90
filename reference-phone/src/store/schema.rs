//! The tables of the database, their migrations, and the creation of an account.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use handfast::codec::ids::{LogId, MailboxId};
use handfast::handshake::identity::SigningKey;
use handfast::handshake::key_schedule::old_command_key;
use handfast::sqlite::{self, Database, DeviceKey, Migration, SqliteError, Tables, file};
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use super::{
    Account, Counters, DATABASE, DEVICE_KEY, Store, StoreError, unsql, unwrap_account_key, wrap_account_key,
};

/// The version of the tables, which is stored in the database as `user_version`.
pub(super) const VERSION: i64 = 5;
/// The name of the device key's file while the account is being created.
pub(super) const DEVICE_KEY_NEW: &str = "device.key.new";

pub(super) const TABLES: &str = "
CREATE TABLE account(
    id INTEGER PRIMARY KEY CHECK(id = 1),
    name TEXT NOT NULL,
    key BLOB NOT NULL,
    log_id BLOB NOT NULL,
    rev INTEGER NOT NULL,
    next_message INTEGER NOT NULL,
    next_serial INTEGER NOT NULL
) STRICT;
CREATE TABLE chats(
    chat INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    contact TEXT NOT NULL,
    last_message INTEGER NOT NULL DEFAULT 0,
    last_text TEXT NOT NULL DEFAULT '',
    last_time_ms INTEGER NOT NULL DEFAULT 0,
    unread INTEGER NOT NULL DEFAULT 0,
    read_to INTEGER NOT NULL DEFAULT 0,
    rev INTEGER NOT NULL
) STRICT;
CREATE INDEX chats_rev ON chats(rev);
CREATE TABLE messages(
    chat INTEGER NOT NULL REFERENCES chats(chat),
    id INTEGER NOT NULL,
    author TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    text TEXT NOT NULL,
    state INTEGER NOT NULL,
    reply_to INTEGER,
    content BLOB REFERENCES media(content),
    media_type TEXT,
    media_name TEXT,
    media_size INTEGER,
    companion BLOB,
    cmd_id INTEGER,
    network_id TEXT,
    deleted INTEGER NOT NULL DEFAULT 0,
    rev INTEGER NOT NULL,
    PRIMARY KEY(chat, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_rev ON messages(chat, rev);
CREATE INDEX messages_content ON messages(content) WHERE content IS NOT NULL;
CREATE INDEX messages_unfinished ON messages(id) WHERE author = '' AND state < 4;
CREATE UNIQUE INDEX messages_command ON messages(companion, cmd_id) WHERE companion IS NOT NULL;
CREATE UNIQUE INDEX messages_network ON messages(network_id) WHERE network_id IS NOT NULL;
CREATE TABLE media(
    content BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    chunks BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE companions(
    companion BLOB PRIMARY KEY,
    link BLOB NOT NULL UNIQUE,
    serial INTEGER NOT NULL,
    label TEXT NOT NULL,
    origin TEXT NOT NULL,
    relay TEXT NOT NULL,
    grants INTEGER NOT NULL,
    linked_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    status TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Version 2 adds edits, reactions, and revisions of companions. Companions that exist already get revisions
/// above all others.
pub(super) const TABLES_2: &str = "
ALTER TABLE messages ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE companions ADD COLUMN rev INTEGER NOT NULL DEFAULT 0;
CREATE TABLE reactions(
    chat INTEGER NOT NULL,
    id INTEGER NOT NULL,
    author TEXT NOT NULL,
    reaction TEXT NOT NULL,
    PRIMARY KEY(chat, id, author),
    FOREIGN KEY(chat, id) REFERENCES messages(chat, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX companions_rev ON companions(rev);
UPDATE companions SET rev = serial + (SELECT rev FROM account);
UPDATE account SET rev = rev + next_serial;
";

/// Version 3 adds two things: the revision at which a message last changed, and an index of the messages that
/// are not deletion markers.
pub(super) const TABLES_3: &str = "
ALTER TABLE messages ADD COLUMN changed INTEGER;
CREATE INDEX messages_changed ON messages(changed) WHERE changed IS NOT NULL;
CREATE INDEX messages_live ON messages(chat, id) WHERE deleted = 0;
";

/// Version 4 adds the links to which uploads belong until a message refers to them. For uploads that exist
/// already the link is unknown, and their time starts now.
pub(super) const TABLES_4: &str = "
CREATE TABLE claims(
    link BLOB NOT NULL,
    content BLOB NOT NULL REFERENCES media(content),
    since_ms INTEGER NOT NULL,
    PRIMARY KEY(link, content)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_content ON claims(content);
CREATE INDEX claims_since ON claims(since_ms);
INSERT INTO claims(link, content, since_ms)
    SELECT x'', content, unixepoch() * 1000 FROM media
    WHERE content NOT IN (SELECT content FROM messages WHERE content IS NOT NULL);
";

/// Version 5 identifies commands by keys. A command that was identified by a number gets the key that phone
/// and companion both derive from the number.
const TABLES_5: &str = "
DROP INDEX messages_command;
ALTER TABLE messages ADD COLUMN command BLOB;
";

/// Removes the old numbers of commands, and the companion of messages whose command's key is unknown.
const TABLES_5_KEYED: &str = "
UPDATE messages SET companion = NULL WHERE companion IS NOT NULL AND command IS NULL;
ALTER TABLE messages DROP COLUMN cmd_id;
CREATE UNIQUE INDEX messages_command ON messages(companion, command) WHERE companion IS NOT NULL;
";

fn take_step_5(conn: &Connection) -> Result<(), SqliteError> {
    conn.execute_batch(TABLES_5)?;
    let mut query = conn.prepare(
        "SELECT chat, id, link, cmd_id FROM messages JOIN companions USING(companion) WHERE cmd_id IS NOT NULL",
    )?;
    let rows: Vec<(i64, i64, [u8; 16], i64)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    let mut update = conn.prepare("UPDATE messages SET command = ?3 WHERE chat = ?1 AND id = ?2")?;
    for (chat, id, link, number) in rows {
        // req: RES-035
        let key = old_command_key(&MailboxId::from_bytes(link), unsql(number));
        let _ = update.execute(params![chat, id, key.as_bytes()])?;
    }
    Ok(conn.execute_batch(TABLES_5_KEYED)?)
}

/// The migrations of the tables, beginning with that from version 1 to version 2.
pub(super) const STEPS: [Migration; 4] = [
    Migration::Batch(TABLES_2),
    Migration::Batch(TABLES_3),
    Migration::Batch(TABLES_4),
    Migration::Rows(take_step_5),
];

/// Tables and indexes that were added after the first release. They are created if they do not exist.
const LATER: &str = "
CREATE TABLE IF NOT EXISTS parts(
    id INTEGER PRIMARY KEY,
    link BLOB NOT NULL,
    content BLOB NOT NULL,
    chunks BLOB NOT NULL,
    UNIQUE(link, content)
) STRICT;
CREATE TABLE IF NOT EXISTS used_keys(
    key BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
DROP TABLE IF EXISTS uploads;
CREATE INDEX IF NOT EXISTS chats_recent ON chats(last_message, chat);
CREATE INDEX IF NOT EXISTS messages_unread ON messages(chat, id) WHERE state = 6 AND deleted = 0;
CREATE INDEX IF NOT EXISTS messages_markers ON messages(rev) WHERE deleted = 1;
";

/// Creates the tables and indexes that an older program of the same version did not create.
pub(super) fn complete(conn: &Connection) -> Result<(), StoreError> {
    Ok(conn.execute_batch(LATER)?)
}

/// Refuses tables of a newer program, and migrates older ones.
pub(super) fn check(conn: &mut Connection) -> Result<(), StoreError> {
    match sqlite::migrate(conn, VERSION, &STEPS)? {
        Tables::Current => Ok(()),
        Tables::Newer(version) => Err(StoreError::Newer(version)),
        Tables::Foreign => Err(StoreError::NotWhole),
    }
}

/// Removes a file that may not exist.
pub(super) fn remove(path: &Path) -> Result<(), SqliteError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file::error(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(super) fn rename_key(dir: &Path) -> Result<(), SqliteError> {
    let path = dir.join(DEVICE_KEY);
    fs::rename(dir.join(DEVICE_KEY_NEW), &path).map_err(|error| file::error(&path, &error))?;
    file::sync_dir(dir)
}

/// Returns whether the database has an account, whatever key encrypts the account's key.
fn has_account(conn: &Connection) -> bool {
    let count: Result<i64, _> = conn.query_row("SELECT count(*) FROM account", [], |row| row.get(0));
    count == Ok(1)
}

/// Loads the device key of the directory. If creating the phone was interrupted after its commit, completes
/// it.
pub(super) fn load_key(dir: &Path) -> Result<DeviceKey, StoreError> {
    let (database, key) = (dir.join(DATABASE), dir.join(DEVICE_KEY));
    file::require_plain_or_absent(&database)?;
    file::require_plain_or_absent(&key)?;
    match (database.exists(), key.exists()) {
        (true, true) => Ok(DeviceKey::load(&key)?),
        (false, true) => Err(StoreError::NotWhole),
        (false, false) => Err(StoreError::NoAccount),
        (true, false) => {
            if !has_account(&sqlite::open(&database)?) {
                return Err(StoreError::NoAccount);
            }
            if !dir.join(DEVICE_KEY_NEW).exists() {
                return Err(StoreError::KeyMissing);
            }
            rename_key(dir)?;
            Ok(DeviceKey::load(&key)?)
        }
    }
}

/// Reads the account from an opened database.
pub(super) fn read_account(conn: &Database) -> Result<(Account, Counters), StoreError> {
    let row = conn
        .query_row("SELECT name, key, log_id FROM account", [], |row| {
            Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, [u8; 16]>(2)?))
        })
        .optional()?;
    let (name, wrapped, log_id) = row.ok_or(StoreError::NotWhole)?;
    let account =
        Account { name, key: unwrap_account_key(conn.key(), &wrapped)?, log_id: LogId::from_bytes(log_id) };
    Ok((account, read_counters(conn)?))
}

pub(super) fn read_counters(conn: &Connection) -> Result<Counters, StoreError> {
    let mut query = conn.prepare_cached("SELECT rev, next_message, next_serial FROM account")?;
    Ok(query.query_row([], |row| {
        Ok(Counters {
            rev: unsql(row.get(0)?),
            next_message: unsql(row.get(1)?),
            next_serial: unsql(row.get(2)?),
        })
    })?)
}

/// Creates the account. The device key's file gets its final name last: before that there is no account, and
/// after that it is complete.
pub(super) fn create(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&mut Store) -> Result<(), StoreError>,
) -> Result<(Store, Account), StoreError> {
    remove(&dir.join(DEVICE_KEY_NEW))?;
    for suffix in ["", "-wal", "-shm", "-reserve"] {
        remove(&dir.join(format!("{DATABASE}{suffix}")))?;
    }
    let key = DeviceKey::generate()?;
    key.save_new(&dir.join(DEVICE_KEY_NEW))?;
    let (mut seed, mut log_id) = (Zeroizing::new([0; 32]), [0; 16]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| SqliteError::NoRandomness)?;
    getrandom::fill(&mut log_id).map_err(|_| SqliteError::NoRandomness)?;
    let account = Account {
        name: name.to_owned(),
        key: SigningKey::from_bytes(*seed),
        log_id: LogId::from_bytes(log_id),
    };
    let counters = Counters { rev: 0, next_message: 1, next_serial: 1 };
    let (conn, reserve) = sqlite::open_reserved(&dir.join(DATABASE))?;
    let mut store = Store::new(Database::new(conn, key, Some(reserve)), counters);
    create_account(&mut store, &account, fill)?;
    // From here on the main database file is complete without the log.
    let _: i64 = store.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    rename_key(dir)?;
    Ok((store, account))
}

/// Creates the tables and the account in one transaction.
pub(super) fn create_account(
    store: &mut Store,
    account: &Account,
    fill: impl FnOnce(&mut Store) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    store.begin()?;
    store.conn.execute_batch(TABLES)?;
    for step in STEPS {
        step.take(&store.conn)?;
    }
    complete(&store.conn)?;
    sqlite::create_table(&store.conn)?;
    let wrapped = wrap_account_key(store.conn.key(), &account.key)?;
    let _ = store.conn.execute(
        "INSERT INTO account(id, name, key, log_id, rev, next_message, next_serial) VALUES(1, ?1, ?2, ?3, 0, 1, 1)",
        params![account.name, wrapped, account.log_id.as_bytes()],
    )?;
    fill(store)?;
    store.conn.pragma_update(None, "user_version", VERSION)?;
    store.commit()
}
