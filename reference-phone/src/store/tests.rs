use handfast::codec::frame::{Collection, PageCursor, Row, RowId};
use handfast::codec::ids::{CommandKey, CompanionId, ContentId};
use handfast::codec::limits::CHAT_WINDOW;
use handfast::media::ContentHasher;
use handfast_messages::{CollectionName, CommandRef, Item, MediaDescriptor, MessageState};

use super::*;

mod changes;
mod disk;
mod old_messages;
mod suite;
mod sync;

struct Phone {
    dir: tempfile::TempDir,
    store: Store,
}

fn phone() -> Phone {
    let dir = tempfile::tempdir().unwrap();
    let (store, account) = Store::open_or_create(dir.path(), "Ada", |_| Ok(())).unwrap();
    assert_eq!(account.name, "Ada");
    Phone { dir, store }
}

fn new(chat: u64, text: &str) -> NewMessage<'_> {
    NewMessage {
        chat,
        author: "",
        time_ms: 5,
        text,
        state: MessageState::Accepted,
        reply_to: None,
        media: None,
        command: None,
        network_id: None,
    }
}

fn received<'a>(chat: u64, text: &'a str, network_id: &'a str) -> NewMessage<'a> {
    NewMessage {
        author: "Bo",
        state: MessageState::Received,
        network_id: Some(network_id),
        ..new(chat, text)
    }
}

fn add(store: &mut Store, new: &NewMessage<'_>) -> (u64, u64) {
    store.add_message(new).unwrap().unwrap()
}

fn chats() -> Collection {
    CollectionName::Chats.encode().unwrap()
}

fn messages(chat: u64) -> Collection {
    CollectionName::Messages(chat).encode().unwrap()
}

/// The texts of a delta's messages, and where it ends.
fn texts(store: &Store, chat: u64, after: u64, budget: usize) -> (Vec<String>, u64) {
    let delta = store.delta(&messages(chat), after, budget).unwrap().unwrap();
    let text = |item: &bytes::Bytes| match Item::decode(&Row::decode(item).unwrap().body).unwrap() {
        Item::Message(message) => message.text,
        Item::Deleted { message, .. } => format!("deleted {}", message.unwrap()),
        other => panic!("{other:?}"),
    };
    (delta.items.iter().map(text).collect(), delta.to)
}

#[test]
fn an_account_is_created_once_and_found_again() {
    let Phone { dir, mut store } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    store.commit().unwrap();
    let rev = store.rev();
    assert_eq!(rev, 1);
    drop(store);
    let (store, account) = Store::open_or_create(dir.path(), "Other", |_| panic!("not new")).unwrap();
    assert_eq!((account.name.as_str(), store.rev()), ("Ada", rev));
    drop(store);
    let (_, again) = Store::open(dir.path()).unwrap();
    assert_eq!(again.key.public(), account.key.public());
    assert_eq!(again.log_id, account.log_id);
}

#[test]
fn the_account_key_is_wrapped_and_the_parts_belong_together() {
    let Phone { dir, store } = phone();
    drop(store);
    let (_, account) = Store::open(dir.path()).unwrap();
    for name in [DATABASE, "phone.db-wal"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap_or_default();
        assert!(!bytes.windows(32).any(|part| part == account.key.expose()), "{name}");
    }
    let key = dir.path().join(DEVICE_KEY);
    std::fs::rename(&key, dir.path().join("kept")).unwrap();
    assert_eq!(Store::open(dir.path()).err(), Some(StoreError::KeyMissing));
    DeviceKey::generate().unwrap().save_new(&key).unwrap();
    assert_eq!(Store::open(dir.path()).err(), Some(StoreError::Sqlite(SqliteError::Unwrap)));
    std::fs::remove_file(&key).unwrap();
    std::fs::rename(dir.path().join("kept"), &key).unwrap();
    assert!(Store::open(dir.path()).is_ok());
    std::fs::remove_file(dir.path().join(DATABASE)).unwrap();
    assert_eq!(Store::open(dir.path()).err(), Some(StoreError::NotWhole));
    std::fs::write(dir.path().join(DATABASE), b"").unwrap();
    assert_eq!(Store::open(dir.path()).err(), Some(StoreError::NotWhole), "no silent empty account");
}

#[test]
fn a_creation_that_was_cut_is_taken_up_or_begun_anew() {
    // Cut after the commit, before the key has its name.
    let Phone { dir, store } = phone();
    drop(store);
    std::fs::rename(dir.path().join(DEVICE_KEY), dir.path().join("device.key.new")).unwrap();
    assert!(Store::open(dir.path()).is_ok());
    // Cut before the commit.
    let dir = tempfile::tempdir().unwrap();
    drop(sqlite::open(&dir.path().join(DATABASE)).unwrap());
    std::fs::write(dir.path().join("device.key.new"), b"half").unwrap();
    assert_eq!(Store::open(dir.path()).err(), Some(StoreError::NoAccount));
    assert!(Store::open_or_create(dir.path(), "Ada", |_| Ok(())).is_ok());
    // Cut in the middle by an error of the network.
    let dir = tempfile::tempdir().unwrap();
    let failed = Store::open_or_create(dir.path(), "Ada", |_| Err(StoreError::Conflict));
    assert_eq!(failed.err(), Some(StoreError::Conflict));
    assert_eq!(Store::open(dir.path()).err(), Some(StoreError::NoAccount));
}

#[test]
fn a_newer_database_is_left_alone() {
    let Phone { dir, store } = phone();
    let newer = schema::VERSION + 1;
    store.conn.pragma_update(None, "user_version", newer).unwrap();
    drop(store);
    assert_eq!(Store::open(dir.path()).err(), Some(StoreError::Newer(newer)));
}

#[test]
fn a_rolled_back_round_leaves_no_row_and_no_number() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    store.commit().unwrap();
    let first = add(&mut store, &new(1, "lost"));
    store.roll_back().unwrap();
    assert_eq!(store.history(1, 0, 10).unwrap(), []);
    assert_eq!(add(&mut store, &new(1, "kept")), first);
    store.commit().unwrap();
    assert_eq!(store.history(1, 0, 10).unwrap()[0].message.text, "kept");
}

#[test]
fn deltas_come_in_the_order_of_revisions_and_end_at_the_last_one_given() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    store.add_chat(2, "Cy", "Cy").unwrap();
    let ids: Vec<_> = ["a", "b", "c"].iter().map(|text| add(&mut store, &new(1, text))).collect();
    store.commit().unwrap();
    let (all, end) = texts(&store, 1, 0, 65_536);
    assert_eq!((all, end), (vec!["a".into(), "b".into(), "c".into()], store.rev()));
    // A change moves a row to the end.
    store.advance(1, ids[0].0, MessageState::Sent).unwrap().unwrap();
    store.commit().unwrap();
    assert_eq!(texts(&store, 1, 0, 65_536).0, ["b", "c", "a"]);
    assert_eq!(texts(&store, 1, end, 65_536), (vec!["a".to_owned()], store.rev()));
    // Nothing new: the newest revision was scanned.
    assert_eq!(texts(&store, 1, store.rev(), 65_536), (vec![], store.rev()));
    assert_eq!(texts(&store, 2, end, 65_536), (vec![], store.rev()));
    // Never backwards, whatever is asked.
    assert_eq!(texts(&store, 1, 1 << 40, 65_536), (vec![], 1 << 40));
    let of_chats = store.delta(&chats(), 0, 65_536).unwrap().unwrap();
    let names: Vec<u64> = of_chats
        .items
        .iter()
        .map(|item| match Item::decode(&Row::decode(item).unwrap().body).unwrap() {
            Item::Chat { chat, .. } => chat,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, [2, 1]);
    assert_eq!(
        store.delta(&Collection::new(&[9]).unwrap(), 0, 65_536).unwrap(),
        Some(Delta::nothing(store.rev()))
    );
}

#[test]
fn a_budget_cuts_a_delta_and_the_next_goes_on_without_gap_or_repeat() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let expected: Vec<String> = (0..150).map(|n| format!("{n}-{}", "x".repeat(n * 13))).collect();
    for text in &expected {
        let _ = add(&mut store, &new(1, text));
    }
    store.commit().unwrap();
    for budget in [16_384, 20_000, 65_536] {
        let (mut got, mut after) = (Vec::new(), 0);
        while after < store.rev() {
            let delta = store.delta(&messages(1), after, budget).unwrap().unwrap();
            let len: usize = delta.items.iter().map(|item| item.len() + 2).sum();
            assert!(len <= budget && delta.to > after, "{len} of {budget}");
            let (some, to) = texts(&store, 1, after, budget);
            got.extend(some);
            after = to;
        }
        assert_eq!(got, expected);
    }
}

#[test]
fn only_what_is_durable_is_in_a_delta() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    store.commit().unwrap();
    let _ = add(&mut store, &new(1, "not yet"));
    assert_eq!(texts(&store, 1, 0, 65_536), (vec![], store.rev()));
    store.commit().unwrap();
    assert_eq!(texts(&store, 1, 0, 65_536).0, ["not yet"]);
}

#[test]
fn a_chat_s_collection_is_its_last_two_hundred_messages() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let ids: Vec<u64> = (0..=CHAT_WINDOW).map(|n| add(&mut store, &new(1, &n.to_string())).0).collect();
    store.commit().unwrap();
    let (got, _) = texts(&store, 1, 0, 65_536);
    assert_eq!(got.len(), 200);
    assert_eq!(got.first().map(String::as_str), Some("1"), "the oldest of 201 is outside");
    // A change of one that is outside is not told; it can be asked for as history.
    let end = store.rev();
    store.advance(1, ids[0], MessageState::Read).unwrap().unwrap();
    store.commit().unwrap();
    assert_eq!(texts(&store, 1, end, 65_536), (vec![], store.rev()));
    let oldest = store.history(1, ids[1], 10).unwrap();
    assert_eq!(oldest.len(), 1);
    assert_eq!(oldest[0].message.state, MessageState::Read);
}

#[test]
fn a_deleted_message_leaves_a_marker_and_its_content_goes_with_the_last_reference() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let mut hasher = ContentHasher::new();
    hasher.update(b"picture");
    let list = hasher.finish();
    let content = list.content_id();
    store.put_media(content, &list).unwrap();
    let media =
        MediaDescriptor { content, size: 7, media_type: "image/png".to_owned(), name: "a.png".to_owned() };
    let with_media = NewMessage { media: Some(&media), ..new(1, "") };
    let (one, _) = add(&mut store, &with_media);
    let (two, _) = add(&mut store, &with_media);
    let _ = add(&mut store, &new(1, "text"));
    store.commit().unwrap();
    assert_eq!(store.chats().unwrap()[0].last_text, "text");
    let end = store.rev();
    assert_eq!(store.delete_message(1, one).unwrap(), None, "still used");
    store.commit().unwrap();
    assert_eq!(texts(&store, 1, end, 65_536).0, [format!("deleted {one}")]);
    assert_eq!(store.delete_message(1, one).unwrap(), None, "deleted once");
    assert_eq!(store.delete_message(1, two).unwrap(), Some(content));
    assert_eq!(store.media(content).unwrap(), None);
    store.commit().unwrap();
    assert_eq!(store.history(1, 0, 10).unwrap().len(), 1);
    assert_eq!(store.counts().unwrap(), (1, 1));
}

#[test]
fn text_is_text_whatever_it_looks_like() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bobby'); DROP TABLE chats;--", "Bo").unwrap();
    let texts = [
        "'); DROP TABLE messages;--",
        "\" OR 1=1 --",
        "100% _under_ \\ back",
        "a\0b",
        "NEAR(a b) * \"^ OR AND NOT",
        "\u{202e}gnp.exe 👩‍👩‍👧",
        "?1 :name $x @y",
    ];
    for (n, text) in texts.iter().enumerate() {
        let _ = add(&mut store, &received(1, text, text));
        assert_eq!(store.add_message(&received(1, text, text)).unwrap(), None, "the same id of the network");
        assert_eq!(store.counts().unwrap().1, u64::try_from(n).unwrap() + 1);
    }
    store.commit().unwrap();
    let stored: Vec<String> =
        store.history(1, 0, 50).unwrap().into_iter().rev().map(|m| m.message.text).collect();
    assert_eq!(stored, texts);
    assert_eq!(store.chats().unwrap()[0].title, "Bobby'); DROP TABLE chats;--");
}

#[test]
fn states_only_go_forward_and_unfinished_messages_are_found() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let (own, _) = add(&mut store, &new(1, "own"));
    let (theirs, _) = add(&mut store, &received(1, "theirs", "n1"));
    assert_eq!(store.unfinished().unwrap().len(), 1);
    assert!(store.advance(1, own, MessageState::Delivered).unwrap().is_some());
    assert_eq!(store.advance(1, own, MessageState::Sent).unwrap(), None);
    assert_eq!(store.advance(1, own, MessageState::Delivered).unwrap(), None);
    assert_eq!(store.advance(1, theirs, MessageState::Read).unwrap(), None);
    assert_eq!(store.advance(1, 999, MessageState::Read).unwrap(), None);
    assert!(store.advance(1, own, MessageState::Read).unwrap().is_some());
    assert_eq!(store.unfinished().unwrap(), []);
}

// req: MSG-112
#[test]
fn unread_counts_what_came_after_what_was_read() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let (one, _) = add(&mut store, &received(1, "1", "n1"));
    let _ = add(&mut store, &received(1, "2", "n2"));
    let _ = add(&mut store, &new(1, "own"));
    let unread = |store: &Store| store.chats().unwrap()[0].unread;
    assert_eq!(unread(&store), 2);
    assert!(store.mark_read(1, one).unwrap());
    assert_eq!(unread(&store), 1);
    assert!(store.mark_read(1, u64::MAX).unwrap());
    assert_eq!(unread(&store), 0);
    let _ = add(&mut store, &received(1, "3", "n3"));
    assert_eq!(unread(&store), 1, "what comes later is not read by that");
    assert!(!store.mark_read(2, 1).unwrap());
}

#[test]
fn a_command_makes_one_message() {
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let command =
        CommandRef { companion: CompanionId::from_bytes([3; 16]), key: CommandKey::from_bytes([4; 16]) };
    let by_command = NewMessage { command: Some(command), ..new(1, "once") };
    let _ = add(&mut store, &by_command);
    store.commit().unwrap();
    assert_eq!(store.add_message(&by_command).unwrap(), None, "its key is there");
    store.commit().unwrap();
    let stored = store.history(1, 0, 1).unwrap();
    assert_eq!(stored[0].message.command, Some(command));
}

#[test]
fn companions_are_kept_in_order_with_all_that_is_known() {
    let Phone { mut store, .. } = phone();
    let companion = |n: u8| Companion {
        companion: CompanionId::from_bytes([n; 16]),
        link: MailboxId::from_bytes([n; 16]),
        serial: u64::from(n),
        label: format!("companion <{n}>"),
        origin: "https://example".to_owned(),
        relay: "127.0.0.1:8787".to_owned(),
        grants: 7,
        linked_ms: 10,
        seen_ms: 0,
        status: CompanionStatus::Offered,
    };
    for n in [2, 1] {
        store.put_companion(&companion(n)).unwrap();
    }
    let link = MailboxId::from_bytes([1; 16]);
    store.set_companion_status(link, CompanionStatus::Active).unwrap();
    store.set_companion_seen(link, 9).unwrap();
    store.set_companion_seen(link, 8).unwrap();
    store.commit().unwrap();
    let active = Companion { status: CompanionStatus::Active, seen_ms: 9, ..companion(1) };
    assert_eq!(store.companions().unwrap(), [active.clone(), companion(2)]);
    assert_eq!(store.companion_of(link).unwrap(), Some(active));
    store.forget_companion(link).unwrap();
    assert_eq!(store.companion_of(link).unwrap(), None);
}

#[test]
fn uploads_remember_their_lists() {
    let Phone { mut store, .. } = phone();
    let mut hasher = ContentHasher::new();
    hasher.update(&vec![5; 70_000]);
    let list = hasher.finish();
    let link = MailboxId::from_bytes([1; 16]);
    let content = list.content_id();
    store.put_part(link, &list).unwrap();
    store.put_part(link, &list).unwrap();
    assert_eq!(store.part(link, content).unwrap(), Some(list.clone()));
    assert_eq!(store.parts(link).unwrap(), [content]);
    assert_eq!(store.part(MailboxId::from_bytes([2; 16]), content).unwrap(), None);
    store.forget_part(link, content).unwrap();
    assert_eq!(store.part(link, content).unwrap(), None);
    store.put_media(list.content_id(), &list).unwrap();
    store.put_media(list.content_id(), &list).unwrap();
    assert_eq!(store.media(list.content_id()).unwrap().unwrap().list, list);
    assert_eq!(store.media_ids().unwrap(), [list.content_id()]);
    assert_eq!(store.media(ContentId::from_bytes([0; 32])).unwrap(), None);
}
