use std::os::unix::fs::PermissionsExt;

use handfast::codec::ids::{CompanionId, MailboxId};
use handfast_messages::{MediaDescriptor, MessageState, Reaction};
use tempfile::TempDir;

use super::super::{Account, Companion, CompanionStatus, NewMessage, Store};
use super::*;

/// Longer than one part.
const PHOTO_LEN: usize = 3 * 1_048_576 / 2;

fn companion(number: u8, status: CompanionStatus) -> Companion {
    Companion {
        companion: CompanionId::from_bytes([number; 16]),
        link: MailboxId::from_bytes([number; 16]),
        serial: number.into(),
        label: "Laptop".to_owned(),
        origin: String::new(),
        relay: "relay.example".to_owned(),
        grants: 7,
        linked_ms: 1,
        seen_ms: 2,
        status,
    }
}

fn photo() -> Vec<u8> {
    (0..PHOTO_LEN).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// A phone with a text, a photo, three companions, and rows of a link.
fn phone() -> (TempDir, Account) {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, account) = Store::open_or_create(dir.path(), "Ada", |_| Ok(())).unwrap();
    store.add_chat(1, "Bo", "bo").unwrap();
    let (content, list) = MediaDir::open(dir.path()).unwrap().put(&photo()).unwrap();
    store.put_media(content, &list).unwrap();
    let media = MediaDescriptor {
        content,
        size: list.size(),
        media_type: "image/png".to_owned(),
        name: "a.png".to_owned(),
    };
    for (text, media) in [("hello", None), ("", Some(&media))] {
        let new = NewMessage {
            chat: 1,
            author: "",
            time_ms: 5,
            text,
            state: MessageState::Accepted,
            reply_to: None,
            media,
            command: None,
            network_id: None,
        };
        let (id, _) = store.add_message(&new).unwrap().unwrap();
        assert!(store.react(1, id, "Bo", "👍").unwrap());
    }
    for (number, status) in
        [(1, CompanionStatus::Active), (2, CompanionStatus::Revoked), (3, CompanionStatus::Offered)]
    {
        store.put_companion(&companion(number, status)).unwrap();
    }
    let secret = store.conn.key().wrap(MailboxId::from_bytes([1; 16]), b"psk", b"the key of a link").unwrap();
    let _ = store
        .conn
        .execute(
            "INSERT INTO handfast(link, key, value) VALUES(?1, ?2, ?3)",
            params![[1_u8; 16], b"psk", secret],
        )
        .unwrap();
    store.commit().unwrap();
    (dir, account)
}

fn backup_of(dir: &TempDir) -> PathBuf {
    let file = dir.path().join("backup.hf");
    assert_eq!(write_backup(dir.path(), &file).unwrap(), BackupReport { messages: 2, media: 1 });
    file
}

fn restored(file: &Path) -> (TempDir, Store, Account) {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(restore(dir.path(), file).unwrap(), BackupReport { messages: 2, media: 1 });
    let (store, account) = Store::open(dir.path()).unwrap();
    (dir, store, account)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

// req: HSK-091, HSK-092
#[test]
fn a_restored_phone_has_the_account_and_all_messages_a_new_log_and_no_links() {
    let (dir, account) = phone();
    let file = backup_of(&dir);
    let (new_dir, store, new_account) = restored(&file);
    assert_eq!(new_account.key.expose(), account.key.expose());
    assert_eq!(new_account.name, "Ada");
    assert_ne!(new_account.log_id, account.log_id, "its companions must not take it for the log they know");
    assert_eq!(store.conn.links().unwrap(), [], "no link is restored");
    let status: Vec<_> = store.companions().unwrap().iter().map(|c| (c.serial, c.status)).collect();
    assert_eq!(status, [(1, CompanionStatus::Lost), (2, CompanionStatus::Revoked)]);
    let texts: Vec<_> = store.history(1, 0, 10).unwrap().into_iter().map(|m| m.message.text).collect();
    assert_eq!(texts, ["", "hello"]);
    let liked = [Reaction { author: "Bo".to_owned(), reaction: "👍".to_owned() }];
    assert!(store.history(1, 0, 10).unwrap().iter().all(|m| m.message.reactions == liked));
    let content = store.media_ids().unwrap()[0];
    let mut bytes = Vec::new();
    let mut media = MediaDir::open(new_dir.path()).unwrap().open_content(content).unwrap();
    let _ = media.read_to_end(&mut bytes).unwrap();
    assert!(bytes == photo(), "the photo is whole");
    // Numbers go on, so that no id and no serial comes twice.
    let (old, _) = Store::open(dir.path()).unwrap();
    assert_eq!((store.rev(), store.counters), (old.rev(), old.counters));
}

// req: HSK-090
#[test]
fn a_backup_holds_no_key_of_a_link_and_is_for_this_user_alone() {
    let (dir, account) = phone();
    let file = backup_of(&dir);
    let bytes = fs::read(&file).unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let stored: Vec<u8> = store
        .conn
        .query_row("SELECT value FROM handfast WHERE key = ?1", [b"psk"], |row| row.get(0))
        .unwrap();
    let device_key = fs::read(dir.path().join(DEVICE_KEY)).unwrap();
    assert!(contains(&bytes, account.key.expose()), "the account is in it");
    for (what, part) in
        [("wrapped", &stored[..]), ("clear", b"the key of a link"), ("the device's", &device_key)]
    {
        assert!(!contains(&bytes, part), "{what}");
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn it_runs_beside_a_phone_that_writes() {
    let (dir, _) = phone();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let _ = store.mark_read(1, u64::MAX).unwrap();
    store.begin().unwrap();
    let _ = store.next_serial().unwrap();
    let file = backup_of(&dir);
    store.commit().unwrap();
    drop(restored(&file));
}

#[test]
fn it_leaves_the_log_beside_a_phone_that_does_not_run() {
    let (dir, account) = phone();
    let _ = backup_of(&dir);
    assert!(dir.path().join("phone.db-wal").exists());
    assert_eq!(Store::open(dir.path()).unwrap().1.log_id, account.log_id);
}

#[test]
fn nothing_is_written_over() {
    let (dir, _) = phone();
    let file = backup_of(&dir);
    assert!(matches!(write_backup(dir.path(), &file), Err(BackupError::Exists(_))));
    assert!(matches!(restore(dir.path(), &file), Err(BackupError::Occupied(_))));
    let no_dir = dir.path().join("none/backup.hf");
    assert!(write_backup(dir.path(), &no_dir).is_err());
}

#[test]
fn media_that_is_missing_or_short_makes_no_backup() {
    let (dir, _) = phone();
    let content = Store::open(dir.path()).unwrap().0.media_ids().unwrap()[0];
    let path = MediaDir::open(dir.path()).unwrap().path(content);
    let file = dir.path().join("backup.hf");
    fs::write(&path, &photo()[1..]).unwrap();
    assert!(matches!(write_backup(dir.path(), &file), Err(BackupError::Media(c)) if c == content));
    fs::remove_file(&path).unwrap();
    assert!(matches!(write_backup(dir.path(), &file), Err(BackupError::Media(c)) if c == content));
    assert!(!file.exists() && !dir.path().join("backup.hf.part").exists());
}

#[test]
fn a_damaged_or_foreign_file_is_refused_and_the_directory_stays_free() {
    let (source, _) = phone();
    let file = backup_of(&source);
    let good = fs::read(&file).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (photo, photo_len) = (photo(), 64);
    let photo_at = good.windows(photo_len).position(|part| part == &photo[1_000..][..photo_len]).unwrap();
    let mut flipped = good.clone();
    flipped[photo_at] ^= 1;
    let foreign = source.path().join(DATABASE);
    for (what, bytes) in [
        ("a flipped byte in a photo", flipped),
        ("cut", good[..good.len() / 2].to_vec()),
        ("no database", b"hello".to_vec()),
        ("empty", Vec::new()),
        ("a phone's own database", fs::read(foreign).unwrap()),
    ] {
        let bad = source.path().join("bad.hf");
        fs::write(&bad, bytes).unwrap();
        let error = restore(dir.path(), &bad).expect_err(what);
        assert!(matches!(error, BackupError::NotABackup { .. }), "{what}: {error}");
        assert!(matches!(Store::open(dir.path()), Err(StoreError::NoAccount)), "{what}");
    }
    assert!(restore(dir.path(), &source.path().join("none.hf")).is_err());
    let _ = restore(dir.path(), &file).expect("what is left of the refused ones is in nobody's way");
    drop(Store::open(dir.path()).unwrap());
}
