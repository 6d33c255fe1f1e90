//! Edits, reactions, and the list of companions.

use handfast::codec::limits::REACTIONS_MAX;
use handfast::handshake::key_schedule::old_command_key;
use handfast::session::RowDigest;
use handfast_messages::{CompanionState, Reaction};

use super::*;

#[test]
fn an_edit_is_told_and_the_list_of_chats_shows_it() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let (old, _) = add(&mut store, &new(1, "old"));
    let (newest, _) = add(&mut store, &new(1, "newest"));
    store.commit().unwrap();
    let end = store.rev();
    store.edit_message(1, old, "edited").unwrap();
    assert_eq!(store.chats().unwrap()[0].last_text, "newest");
    store.edit_message(1, newest, "another").unwrap();
    store.commit().unwrap();
    assert_eq!(store.chats().unwrap()[0].last_text, "another");
    assert_eq!(texts(&store, 1, end, 65_536).0, ["edited", "another"]);
    assert!(store.message(1, old).unwrap().unwrap().message.edited);
}

#[test]
fn each_author_has_one_reaction_and_a_message_thirty_two() {
    // req: MSG-054
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let (id, _) = add(&mut store, &new(1, "text"));
    let of = |store: &Store| store.message(1, id).unwrap().unwrap().message.reactions;
    let one =
        |author: &str, reaction: &str| Reaction { author: author.to_owned(), reaction: reaction.to_owned() };
    for (author, reaction) in [("Bo", "a"), ("", "b"), ("Ada", "c"), ("Bo", "d")] {
        assert!(store.react(1, id, author, reaction).unwrap());
    }
    assert_eq!(of(&store), [one("", "b"), one("Ada", "c"), one("Bo", "d")], "in the order of their authors");
    store.commit().unwrap();
    let end = store.rev();
    for (author, reaction) in [("Ada", "c"), ("nobody", "")] {
        assert!(store.react(1, id, author, reaction).unwrap());
    }
    store.commit().unwrap();
    assert_eq!(store.rev(), end, "nothing changed");
    for n in 3..REACTIONS_MAX {
        assert!(store.react(1, id, &format!("contact {n}"), "e").unwrap());
    }
    assert!(!store.react(1, id, "one more", "e").unwrap());
    assert!(store.react(1, id, "Bo", "f").unwrap(), "another of the same author");
    assert!(store.react(1, id, "Bo", "").unwrap());
    assert!(store.react(1, id, "one more", "e").unwrap(), "there is room again");
    assert_eq!(of(&store).len(), REACTIONS_MAX);
    assert!(
        store.react(1, id, &"x".repeat(200), &"é".repeat(64)).is_ok(),
        "cut like any text of the network"
    );
    let _ = store.delete_message(1, id).unwrap();
    assert_eq!(of(&store), []);
}

fn companion(n: u8, status: CompanionStatus) -> Companion {
    Companion {
        companion: CompanionId::from_bytes([n; 16]),
        link: MailboxId::from_bytes([n; 16]),
        serial: u64::from(n),
        label: format!("companion {n}"),
        origin: String::new(),
        relay: "127.0.0.1:8787".to_owned(),
        grants: 7,
        linked_ms: 10,
        seen_ms: 0,
        status,
    }
}

fn companions() -> Collection {
    CollectionName::Companions.encode().unwrap()
}

/// Serials of the rows above a revision, and what each says: a state and when it was seen, or nothing of a marker.
fn rows(store: &Store, after: u64) -> Vec<(u64, Option<(CompanionState, u64)>)> {
    let delta = store.delta(&companions(), after, 65_536).unwrap().unwrap();
    let read = |item: &bytes::Bytes| {
        let row = Row::decode(item).unwrap();
        match Item::decode(&row.body).unwrap() {
            Item::Companion { serial, seen, status, .. } => (serial, Some((status, seen))),
            Item::Deleted { chat, message: None } => (chat, None),
            other => panic!("{other:?}"),
        }
    };
    delta.items.iter().map(read).collect()
}

#[test]
fn the_list_of_companions_tells_each_change_and_a_marker_of_what_ended() {
    // req: MSG-004, MSG-005
    let Phone { mut store, .. } = phone();
    for n in 1..=4 {
        store.put_companion(&companion(n, CompanionStatus::Offered)).unwrap();
    }
    store.commit().unwrap();
    let pending = Some((CompanionState::Pending, 0));
    assert_eq!(rows(&store, 0), [(1, pending), (2, pending), (3, pending), (4, pending)]);
    let end = store.rev();
    let link = |n: u8| MailboxId::from_bytes([n; 16]);
    store.set_companion_status(link(1), CompanionStatus::Active).unwrap();
    store.set_companion_seen(link(1), 9).unwrap();
    store.set_companion_status(link(2), CompanionStatus::Suspended).unwrap();
    store.set_companion_status(link(3), CompanionStatus::Revoked).unwrap();
    store.forget_companion(link(4)).unwrap();
    store.commit().unwrap();
    let active = Some((CompanionState::Active, 9));
    let suspended = Some((CompanionState::Suspended, 0));
    assert_eq!(rows(&store, end), [(1, active), (2, suspended), (3, None), (4, None)]);
    let end = store.rev();
    store.set_companion_seen(link(1), 9).unwrap();
    store.commit().unwrap();
    assert_eq!(rows(&store, end), [], "it was seen then already");

    let (mut cursor, mut serials) = (PageCursor::default(), Vec::new());
    loop {
        let page = store.page(&companions(), &cursor, 100).unwrap().unwrap();
        serials.extend(page.items.iter().map(|item| Row::decode(item).unwrap().id.number().unwrap()));
        if page.next.as_bytes().is_empty() {
            break;
        }
        cursor = page.next;
    }
    assert_eq!(serials, [2, 1], "those that are linked, the newest first");
    let mut digest = RowDigest::default();
    for item in store.delta(&companions(), 0, 65_536).unwrap().unwrap().items.iter().take(2) {
        let row = Row::decode(item).unwrap();
        digest.add(&row.id, row.rev);
    }
    assert_eq!(store.digest(&companions()).unwrap(), digest);
    assert_eq!(store.companions().unwrap().len(), 3, "a forgotten one is for nobody's eyes");

    // Its marker goes like those of messages.
    store.begin().unwrap();
    store.counters.rev += MARKER_REVS + PRUNE_EVERY + 1;
    store.commit().unwrap();
    assert_eq!(rows(&store, 0), [(1, active), (2, suspended), (3, None)]);
}

#[test]
fn tables_of_version_1_are_taken_over() {
    let Phone { dir, mut store } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let (id, _) = add(&mut store, &new(1, "text"));
    let by = |n: u8| CommandRef {
        companion: CompanionId::from_bytes([n; 16]),
        key: CommandKey::from_bytes([0; 16]),
    };
    for n in [2, 9] {
        let _ = add(&mut store, &NewMessage { command: Some(by(n)), ..new(1, "by a command") });
    }
    for n in 1..=2 {
        let _ = store.next_serial().unwrap();
        store.put_companion(&companion(n, CompanionStatus::Active)).unwrap();
    }
    store.commit().unwrap();
    let rev = store.rev();
    store
        .conn
        .execute_batch(
            "DROP INDEX messages_command; ALTER TABLE messages DROP COLUMN command;
             ALTER TABLE messages ADD COLUMN cmd_id INTEGER;
             UPDATE messages SET cmd_id = 7 WHERE companion IS NOT NULL;
             CREATE UNIQUE INDEX messages_command ON messages(companion, cmd_id) WHERE companion IS NOT NULL;
             DROP TABLE claims; DROP TABLE reactions; DROP INDEX companions_rev; ALTER TABLE companions DROP COLUMN rev;
             ALTER TABLE messages DROP COLUMN edited; DROP INDEX messages_changed;
             DROP INDEX messages_live; ALTER TABLE messages DROP COLUMN changed; PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(store);
    let backup = dir.path().join("backup");
    let _ = write_backup(dir.path(), &backup).unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let active = Some((CompanionState::Active, 0));
    assert_eq!(rows(&store, rev), [(1, active), (2, active)], "both are news");
    assert!(store.react(1, id, "", "+1").unwrap());
    store.commit().unwrap();
    // req: RES-035
    let keyed = Some(CommandRef { key: old_command_key(&MailboxId::from_bytes([2; 16]), 7), ..by(2) });
    let commands = |store: &Store| -> Vec<_> {
        store.history(1, 0, 9).unwrap().into_iter().map(|m| m.message.command).collect()
    };
    assert_eq!(commands(&store), [None, keyed, None], "nobody knows the link of companion 9");
    // A backup of that version, too.
    let new_dir = tempfile::tempdir().unwrap();
    let _ = restore(new_dir.path(), &backup).unwrap();
    let (mut store, _) = Store::open(new_dir.path()).unwrap();
    assert_eq!(store.history(1, 0, 9).unwrap()[2].message.text, "text");
    assert_eq!(commands(&store), [None, keyed, None]);
    assert!(store.react(1, id, "", "+1").unwrap());
    store.commit().unwrap();
}
