use std::fs;

use super::*;

const LINK: MailboxId = MailboxId::from_bytes([7; 16]);
const OTHER: MailboxId = MailboxId::from_bytes([8; 16]);
/// A key whose values must be wrapped, and one whose values are stored as they are.
const SECRET: &[u8] = &[1];
const PLAIN: &[u8] = &[0x11];

fn store(dir: &tempfile::TempDir) -> (Connection, DeviceKey) {
    let conn = open(&dir.path().join("app.db")).unwrap();
    create_table(&conn).unwrap();
    (conn, DeviceKey::load_or_create(&dir.path().join("device.key")).unwrap())
}

#[test]
fn what_is_put_is_read_and_loaded_and_secrets_are_wrapped() {
    let dir = tempfile::tempdir().unwrap();
    let (mut conn, key) = store(&dir);
    assert!(is_secret(SECRET) && !is_secret(PLAIN));
    let tx = begin(&mut conn).unwrap();
    let mut txn = Txn::new(&tx, &key);
    txn.put(LINK, SECRET, b"a very secret value").unwrap();
    txn.put(LINK, PLAIN, b"plain").unwrap();
    txn.put(LINK, PLAIN, b"newer").unwrap();
    txn.put(OTHER, PLAIN, b"of another link").unwrap();
    assert_eq!(txn.read(LINK, SECRET).unwrap().unwrap(), b"a very secret value");
    assert_eq!(txn.read(LINK, &[9]).unwrap(), None);
    tx.commit().unwrap();
    let pairs = load_rows(&conn, &key, LINK).unwrap();
    assert_eq!(pairs.len(), 2);
    assert_eq!(pairs[SECRET].as_slice(), b"a very secret value");
    assert_eq!(pairs[PLAIN].as_slice(), b"newer");
    assert_eq!(links(&conn).unwrap(), [LINK, OTHER]);
    let raw: Vec<u8> =
        conn.query_row("SELECT value FROM handfast WHERE key = x'01'", [], |row| row.get(0)).unwrap();
    assert_eq!(raw.len(), 12 + 19 + 16);
    assert!(!raw.windows(6).any(|part| part == b"secret"));
}

#[test]
fn ranges_are_half_open_and_stay_in_their_link() {
    let dir = tempfile::tempdir().unwrap();
    let (mut conn, key) = store(&dir);
    let tx = begin(&mut conn).unwrap();
    let mut txn = Txn::new(&tx, &key);
    for link in [LINK, OTHER] {
        for name in [&[0x20][..], &[0x20, 0xff], &[0x21], &[0x21, 0], &[0x22]] {
            txn.put(link, name, &[]).unwrap();
        }
    }
    txn.delete_range(LINK, &[0x20, 0xff], &[0x22]).unwrap();
    txn.delete(LINK, &[0x20]).unwrap();
    tx.commit().unwrap();
    let left: Vec<Vec<u8>> = load_rows(&conn, &key, LINK).unwrap().into_keys().collect();
    assert_eq!(left, [vec![0x22]]);
    assert_eq!(load_rows(&conn, &key, OTHER).unwrap().len(), 5);
}

#[test]
fn a_dropped_transaction_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut conn, key) = store(&dir);
    let tx = begin(&mut conn).unwrap();
    Txn::new(&tx, &key).put(LINK, PLAIN, b"lost").unwrap();
    drop(tx);
    assert_eq!(links(&conn).unwrap(), []);
}

#[test]
fn a_value_opens_only_under_its_own_key_link_and_name() {
    let dir = tempfile::tempdir().unwrap();
    let (_, key) = store(&dir);
    let wrapped = key.wrap(LINK, SECRET, b"value").unwrap();
    assert_eq!(key.unwrap(LINK, SECRET, &wrapped).unwrap().as_slice(), b"value");
    assert_eq!(key.unwrap(OTHER, SECRET, &wrapped).err(), Some(SqliteError::Unwrap));
    assert_eq!(key.unwrap(LINK, &[2], &wrapped).err(), Some(SqliteError::Unwrap));
    assert_eq!(
        DeviceKey::generate().unwrap().unwrap(LINK, SECRET, &wrapped).err(),
        Some(SqliteError::Unwrap)
    );
    for at in 0..wrapped.len() {
        let mut bad = wrapped.clone();
        bad[at] ^= 1;
        assert_eq!(key.unwrap(LINK, SECRET, &bad).err(), Some(SqliteError::Unwrap), "byte {at}");
        assert_eq!(key.unwrap(LINK, SECRET, &wrapped[..at]).err(), Some(SqliteError::Unwrap), "cut at {at}");
    }
    assert_ne!(wrapped, key.wrap(LINK, SECRET, b"value").unwrap(), "the nonce is fresh each time");
}

#[test]
fn the_device_key_is_made_once_and_a_damaged_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.key");
    let wrapped = DeviceKey::load_or_create(&path).unwrap().wrap(LINK, SECRET, b"v").unwrap();
    assert!(DeviceKey::load_or_create(&path).unwrap().unwrap(LINK, SECRET, &wrapped).is_ok());
    // A crash during creation leaves a file that must not be taken for a key.
    fs::remove_file(&path).unwrap();
    fs::write(dir.path().join("device.key.new"), b"half").unwrap();
    assert!(DeviceKey::load_or_create(&path).is_ok());
    for bad in [&[0; 31][..], &[0; 33], &[]] {
        fs::write(&path, bad).unwrap();
        let damaged = SqliteError::KeyFile(path.display().to_string());
        assert_eq!(DeviceKey::load_or_create(&path).err(), Some(damaged));
    }
}

#[test]
fn versions_before_the_fix_and_the_withdrawn_one_are_refused() {
    for (number, is_good) in
        [(3_051_002, false), (3_051_003, true), (3_052_000, false), (3_052_001, true), (3_054_001, true)]
    {
        assert_eq!(check_version(number, "x").is_ok(), is_good, "{number}");
    }
}

#[test]
fn settings_are_those_of_a_durable_store() {
    let dir = tempfile::tempdir().unwrap();
    let (conn, _) = store(&dir);
    let settings = settings(&conn).unwrap();
    let value = |name| settings.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str());
    assert_eq!(value("journal_mode"), Some("wal"));
    assert_eq!(value("synchronous"), Some("2"));
    assert_eq!(value("secure_delete"), Some("1"));
}

#[cfg(unix)]
#[test]
fn files_belong_to_this_user_alone_and_links_are_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let (mut conn, _) = store(&dir);
    let tx = begin(&mut conn).unwrap();
    tx.execute_batch("CREATE TABLE t(x)").unwrap();
    tx.commit().unwrap();
    for name in ["app.db", "app.db-wal", "app.db-shm", "device.key"] {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let new = dir.path().join("new");
    file::require_dir(&new).unwrap();
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o700);
    let target = dir.path().join("target");
    fs::write(&target, [0; 32]).unwrap();
    for (name, wanted) in [("link.db", true), ("link.key", false)] {
        let link = dir.path().join(name);
        symlink(&target, &link).unwrap();
        let refused = Some(SqliteError::NotAFile(link.display().to_string()));
        if wanted {
            assert_eq!(open(&link).err(), refused);
        } else {
            assert_eq!(DeviceKey::load_or_create(&link).err(), refused);
        }
        assert_eq!(file::open(&link, true).err(), refused);
        assert!(file::create_new(&link).is_err());
    }
    let link = dir.path().join("linked");
    symlink(&new, &link).unwrap();
    assert_eq!(file::require_dir(&link).err(), Some(SqliteError::NotAFile(link.display().to_string())));
    // A dangling link is refused too, not followed to a new file.
    let dangling = dir.path().join("dangling.db");
    symlink(dir.path().join("nowhere"), &dangling).unwrap();
    assert!(open(&dangling).is_err());
    assert!(!dir.path().join("nowhere").exists());
}

#[test]
fn a_writer_that_holds_the_database_makes_others_busy_not_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let (mut conn, _) = store(&dir);
    let mut other = open(&dir.path().join("app.db")).unwrap();
    other.busy_timeout(Duration::from_millis(1)).unwrap();
    let tx = begin(&mut conn).unwrap();
    assert_eq!(begin(&mut other).err(), Some(SqliteError::Busy));
    assert_eq!(begin_kept(&other), Err(SqliteError::Busy));
    tx.commit().unwrap();
    assert!(begin(&mut other).is_ok());
}

#[test]
fn what_a_failed_end_left_open_never_becomes_part_of_the_next_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let (conn, key) = store(&dir);
    begin_kept(&conn).unwrap();
    Txn::new(&conn, &key).put(LINK, PLAIN, b"half").unwrap();
    // The store's `ROLLBACK` failed before, and nobody could react to it.
    begin_kept(&conn).unwrap();
    Txn::new(&conn, &key).put(OTHER, PLAIN, b"whole").unwrap();
    conn.execute_batch("COMMIT").unwrap();
    assert_eq!(links(&conn).unwrap(), [OTHER]);
}

#[test]
fn failures_say_what_to_do() {
    let code = |extended| {
        SqliteError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(extended), None))
    };
    // BUSY_SNAPSHOT, LOCKED, FULL, READONLY_DIRECTORY, IOERR_WRITE, CANTOPEN, CORRUPT, NOTADB
    for (extended, error) in [
        (517, SqliteError::Busy),
        (6, SqliteError::Busy),
        (13, SqliteError::Full),
        (1544, SqliteError::ReadOnly),
        (778, SqliteError::Disk(778)),
        (14, SqliteError::Disk(14)),
        (11, SqliteError::Damaged),
        (26, SqliteError::Damaged),
    ] {
        assert_eq!(code(extended), error, "{extended}");
    }
    assert!(matches!(code(19), SqliteError::Sql(_)));
}
