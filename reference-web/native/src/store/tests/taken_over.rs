//! Tables of older versions.

use handfast::handshake::key_schedule::old_command_key;

use super::*;

/// A database with the tables of version 1.
fn version_1() -> (tempfile::TempDir, Connection) {
    let dir = tempfile::tempdir().expect("a directory");
    drop(DeviceKey::load_or_create(&dir.path().join(KEY_FILE)).expect("a key"));
    let conn = sqlite::open(&dir.path().join(DB_FILE)).expect("opened");
    sqlite::create_table(&conn).expect("made");
    conn.execute_batch(schema::TABLES).expect("made");
    (dir, conn)
}

#[test]
fn tables_of_version_1_are_taken_over() {
    let (dir, conn) = version_1();
    conn.execute_batch(
        "INSERT INTO chats(chat, title, last_message, last_text, last_time_ms, unread) VALUES(1, 'Ada', 3, '', 0, 0);
         PRAGMA user_version = 1;",
    )
    .expect("made");
    drop(conn);
    let store = Store::open(dir.path()).expect("taken over");
    assert_eq!(store.chats().expect("read").len(), 1);
    assert_eq!(store.companions().expect("read"), []);
    let mut digest = RowDigest::default();
    digest.add(&RowId::from_number(1), 0);
    assert_eq!(store.digest(&chats_name()).expect("read"), digest, "its revision is not known");
    drop(store);
    assert!(Store::open(dir.path()).is_ok());
}

#[test]
fn commands_of_version_1_get_the_keys_of_their_numbers() {
    // req: RES-035
    let (dir, conn) = version_1();
    let link = "x'02020202020202020202020202020202'";
    let (own, other) = ("x'04040404040404040404040404040404'", "x'05050505050505050505050505050505'");
    conn.execute_batch(&format!(
        "INSERT INTO links(link, account, account_name, companion, relay, label, grants, created_ms, state)
            VALUES({link}, zeroblob(32), 'Ada', {own}, 'relay.example', 'PC', 7, 1, 'active');
         INSERT INTO messages(chat, id, author, time_ms, text, state, companion, cmd_id, rev) VALUES
            (1, 3, '', 5, 'own', 4, {own}, 7, 7), (1, 4, '', 5, 'other', 4, {other}, 7, 8), (1, 5, '', 5, 'no', 4, NULL, NULL, 9);
         INSERT INTO commands(cmd_id, client_id, kind, body, state, result) VALUES
            (7, 'a', 'text', x'', 'accepted', 3), (9, NULL, 'text', x'', 'sent', NULL), (8, 'b', 'text', x'', 'sent', NULL);
         INSERT INTO transfers(direction, content, size, base, offset, state, chat, media_type, media_name, client_id, cmd_id)
            VALUES('put', zeroblob(32), 10, 0, 10, 'done', 1, 't', 'n', 'sent', 6),
                ('put', zeroblob(32), 10, 0, 0, 'queued', 1, 't', 'n', 'one', NULL),
                ('put', zeroblob(32), 10, 0, 0, 'queued', 1, 't', 'n', 'two', NULL);
         PRAGMA user_version = 1;"
    ))
    .expect("made");
    drop(conn);
    let store = Store::open(dir.path()).expect("taken over");
    let keyed = |number| old_command_key(&MailboxId::from_bytes([2; 16]), number);
    let made: Vec<_> =
        store.history(1, 9).expect("read").into_iter().map(|message| message.command).collect();
    assert_eq!(made, [Some((CompanionId::from_bytes([4; 16]), keyed(7))), None, None]);
    for (client, number) in [("a", 7), ("b", 8)] {
        let command = store.command_of_client(client).expect("read").expect("there");
        assert_eq!(command.key, keyed(number), "{client}");
    }
    let command = store.command(keyed(7)).expect("read").expect("there");
    assert_eq!((command.state, command.result), (CommandState::Accepted, Some(3)));
    assert_eq!(store.commands_open().expect("read"), 2);
    let of = |client| store.transfer_of_client(client).expect("read").expect("there").command.expect("a key");
    assert_eq!(of("sent"), keyed(6));
    assert_ne!(of("one"), of("two"), "what waits is drawn a key each");
    drop(store);
    assert!(Store::open(dir.path()).is_ok());
}

#[test]
fn tables_of_version_2_are_taken_over_and_what_was_set_aside_is_asked_for_again() {
    let (dir, conn) = version_1();
    conn.execute_batch(schema::TABLES_2).expect("made");
    conn.execute_batch(
        "INSERT INTO messages(chat, id, author, time_ms, text, state, rev) VALUES(1, 3, '', 5, 'old', 4, 7);
         INSERT INTO aside(collection, id, rev) VALUES(x'0201', x'0000000000000004', 8);
         PRAGMA user_version = 2;",
    )
    .expect("made");
    drop(conn);
    let store = Store::open(dir.path()).expect("taken over");
    let old = store.history(1, 9).expect("read").remove(0);
    assert_eq!((old.text.as_str(), old.edited, old.reactions), ("old", false, vec![]));
    let mut digest = RowDigest::default();
    digest.add(&RowId::from_number(3), 7);
    assert_eq!(store.digest(&messages_name(1)).expect("read"), digest);
}
