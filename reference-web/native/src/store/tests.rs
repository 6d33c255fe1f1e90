use bytes::Bytes;
use handfast::ErrorCode;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::{CommandKey, CompanionId, ContentId, MailboxId, Salt, SigningPublic};
use handfast::handshake::link::Terms;
use handfast::session::RowDigest;
use handfast::sqlite::{self, DeviceKey};
use handfast_messages::{
    CollectionName, CommandRef, CompanionState, Item, MediaDescriptor, Message as WireMessage, MessageState,
    Reaction,
};

use super::transfers::PutRow;
use super::*;

mod suite;
mod taken_over;
mod window;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("opened");
    (dir, store)
}

fn chat(chat: u64, title: &str, last: u64) -> Item {
    Item::Chat {
        chat,
        title: title.into(),
        last_message: last,
        last_text: "hello".into(),
        last_time: 5,
        unread: 2,
    }
}

fn wire(chat: u64, message: u64, text: &str) -> WireMessage {
    WireMessage {
        chat,
        message,
        author: "Ada".into(),
        time: 1_700_000_000_000,
        text: text.into(),
        state: MessageState::Received,
        reply_to: None,
        media: None,
        command: None,
        edited: false,
        reactions: Vec::new(),
    }
}

fn terms(mailbox: u8) -> Terms {
    Terms {
        mailbox: MailboxId::from_bytes([mailbox; 16]),
        salt: Salt::from_bytes([0; 16]),
        relay: handfast::RelayName::parse("relay.example").expect("a name"),
        companion: CompanionId::from_bytes([4; 16]),
        serial: 1,
        grants: 7,
        idle_days: 14,
        account: SigningPublic::from_bytes([5; 32]),
        account_name: "Demo".into(),
        label: "laptop".into(),
        origin: String::new(),
        h: [0; 32],
        cert_hash: [0; 32],
    }
}

#[test]
fn files_are_private_and_tables_are_made_once() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, store) = store();
    drop(store);
    for name in [DB_FILE, KEY_FILE] {
        let mode = std::fs::metadata(dir.path().join(name)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let media = std::fs::metadata(dir.path().join("media")).expect("there").permissions().mode();
    assert_eq!(media & 0o777, 0o700);
    let store = Store::open(dir.path()).expect("opened again");
    let settings = sqlite::settings(&store.conn).expect("read");
    assert!(settings.contains(&("journal_mode", "wal".into())), "{settings:?}");
}

#[test]
fn the_parts_of_a_store_belong_together_and_a_cut_creation_is_taken_up() {
    let (dir, mut store) = store();
    let (key, kept) = (dir.path().join(KEY_FILE), dir.path().join("kept"));
    let is_empty = |store: &Store| store.link().expect("read").is_none();
    // Cut after the tables were made, before the key has its name.
    drop(store);
    std::fs::rename(&key, dir.path().join("device.key.new")).expect("renamed");
    store = Store::open(dir.path()).expect("taken up");
    assert!(key.exists());
    // A key that is lost while nothing hangs on it is made anew; afterwards it is asked for.
    drop(store);
    std::fs::remove_file(&key).expect("removed");
    store = Store::open(dir.path()).expect("made anew");
    let commit = handfast::session::testing::commit(
        MailboxId::from_bytes([1; 16]),
        0,
        vec![handfast::session::Op::Put { key: vec![1], value: b"secret".to_vec().into() }],
    );
    store.apply(&commit).expect("applied");
    store.put_link(&terms(1)).expect("put");
    store.commit().expect("durable");
    drop(store);
    std::fs::rename(&key, &kept).expect("renamed");
    assert!(matches!(Store::open(dir.path()), Err(StoreError::KeyMissing)));
    std::fs::rename(&kept, &key).expect("renamed");
    assert!(!is_empty(&Store::open(dir.path()).expect("whole again")));
    // A key without its database, or with an empty file in its place, is no new store.
    for content in [None, Some(b"".as_slice()), Some(b"x")] {
        let database = dir.path().join(DB_FILE);
        std::fs::rename(&database, &kept).expect("renamed");
        if let Some(content) = content {
            std::fs::write(&database, content).expect("written");
        }
        assert!(matches!(Store::open(dir.path()), Err(StoreError::NotWhole)), "{content:?}");
        std::fs::rename(&kept, &database).expect("renamed");
    }
}

fn key(number: u8) -> CommandKey {
    CommandKey::from_bytes([number; 16])
}

#[test]
fn items_upsert_and_deleted_ones_go() {
    let (_dir, mut store) = store();
    assert_eq!(store.put_item(&chat(1, "Ada", 3), 1).expect("put"), Change::Chat(1));
    let _ = store.put_item(&chat(2, "Bob", 9), 1).expect("put");
    let mut first = wire(1, 3, "hello");
    first.media = Some(MediaDescriptor {
        content: ContentId::from_bytes([8; 32]),
        size: 70_000,
        media_type: "image/png".into(),
        name: "x.png".into(),
    });
    first.command = Some(CommandRef { companion: CompanionId::from_bytes([4; 16]), key: key(6) });
    let change = store.put_item(&Item::Message(first.clone()), 4).expect("put");
    let Change::NewMessage(new) = change else { panic!("{change:?}") };
    assert_eq!(new.media, Some((ContentId::from_bytes([8; 32]), "image/png".into(), "x.png".into(), 70_000)));
    assert_eq!(new.command, Some((CompanionId::from_bytes([4; 16]), key(6))));
    assert_eq!(store.put_item(&Item::Message(first.clone()), 5).expect("put"), Change::None);
    first.text = "edited".into();
    first.edited = true;
    first.reactions = vec![Reaction { author: String::new(), reaction: "👍".into() }];
    first.state = MessageState::Read;
    let Change::Message(changed) = store.put_item(&Item::Message(first.clone()), 6).expect("put") else {
        panic!("it changed")
    };
    assert_eq!((changed.text.as_str(), changed.edited, changed.state), ("edited", true, 4));
    assert_eq!(changed.reactions, [(String::new(), "👍".to_owned())]);
    // A page of history that was answered before the edit does not undo it.
    first.text = "hello".into();
    assert_eq!(store.put_item(&Item::Message(first), 0).expect("put"), Change::None);

    for id in 4..10 {
        let _ = store.put_item(&Item::Message(wire(1, id, "more")), 7).expect("put");
    }
    store.commit().expect("durable");
    assert_eq!(store.chats().expect("read").iter().map(|c| c.chat).collect::<Vec<_>>(), [2, 1]);
    let ids =
        |store: &Store| -> Vec<u64> { store.history(1, 3).expect("read").iter().map(|m| m.id).collect() };
    assert_eq!(ids(&store), [7, 8, 9]);
    assert_eq!(store.oldest(1).expect("read"), 3);
    let gone = Item::Deleted { chat: 1, message: Some(8) };
    assert_eq!(store.put_item(&gone, 8).expect("put"), Change::Deleted(Vec::new()));
    assert_eq!(ids(&store), [6, 7, 9]);
    let gone = store.put_item(&Item::Deleted { chat: 1, message: None }, 9).expect("put");
    assert_eq!(gone, Change::Deleted(vec![ContentId::from_bytes([8; 32])]));
    assert_eq!(store.counts().expect("read"), Counts { chats: 1, messages: 0, aside: 0 });
}

#[test]
fn a_rolled_back_round_leaves_nothing() {
    let (_dir, mut store) = store();
    let _ = store.put_item(&chat(1, "Ada", 3), 1).expect("put");
    assert!(store.conn.is_open());
    store.roll_back().expect("rolled back");
    assert!(!store.conn.is_open());
    assert_eq!(store.counts().expect("read").chats, 0);
    store.commit().expect("nothing to do");
}

#[test]
fn numbers_that_sqlite_cannot_keep_are_refused() {
    let (_dir, mut store) = store();
    assert!(store.put_item(&chat(u64::MAX, "x", 1), 1).is_err());
    assert!(store.put_item(&chat(i64::MAX.unsigned_abs(), "x", 1), 1).is_ok());
}

#[test]
fn commands_are_found_by_key_and_by_name() {
    let (dir, mut store) = store();
    store.put_command(key(1), Some("a"), "send_text", b"body", CommandState::Queued).expect("put");
    store.put_command(key(2), None, "send_text", b"body", CommandState::Sent).expect("put");
    store.commit().expect("durable");
    assert!(
        store.put_command(key(3), Some("a"), "send_text", b"", CommandState::Queued).is_err(),
        "the name is taken"
    );
    store.roll_back().expect("rolled back");
    drop(store);
    let mut store = Store::open(dir.path()).expect("opened");
    let found = store.command_of_client("a").expect("read").expect("there");
    assert_eq!((found.key, found.state), (key(1), CommandState::Queued));
    store.commands_leave().expect("updated");
    assert_eq!(store.command(key(1)).expect("read").expect("there").state, CommandState::Sent);
    assert_eq!(store.commands_open().expect("read"), 2);
    store.settle_command(key(1), CommandState::Accepted, Some(44), None).expect("settled");
    store.settle_command(key(2), CommandState::Failed, None, Some(ErrorCode::GONE)).expect("settled");
    assert_eq!(store.command(key(1)).expect("read").expect("there").result, Some(44));
    assert_eq!(store.command(key(2)).expect("read").expect("there").error, Some(ErrorCode::GONE));
    assert_eq!(store.commands_open().expect("read"), 0);
    assert_eq!(store.command_of_client("b").expect("read"), None);
}

#[test]
fn transfers_outlive_the_process() {
    let (dir, mut store) = store();
    let content = ContentId::from_bytes([1; 32]);
    let put = PutRow::new(3, "text/plain".into(), "a.txt".into(), Some("look".into()));
    let id = store.put_upload(content, 10, &put, Some("c"), key(9)).expect("put");
    let get = store.put_download(ContentId::from_bytes([2; 32])).expect("put");
    store.put_export(ContentId::from_bytes([2; 32]), "copy.bin").expect("put");
    let mut transfer = store.transfer_of_client("c").expect("read").expect("there");
    assert_eq!((transfer.id, transfer.put.as_ref()), (id, Some(&put)));
    assert!(!store.is_content_in_use(content, id).expect("read"));
    (transfer.stream, transfer.offset, transfer.state) = (Some(4), 7, TransferState::Open);
    store.update_transfer(&transfer).expect("put");
    store.commit().expect("durable");
    drop(store);
    let mut store = Store::open(dir.path()).expect("opened");
    let open = store.transfers_open().expect("read");
    assert_eq!(open.len(), 2);
    assert_eq!(open[0], transfer);
    assert_eq!((open[1].id, open[1].direction, open[1].size), (get, Direction::Get, None));
    assert_eq!(store.exports(open[1].content).expect("read"), ["copy.bin"]);
    let mut done = open[1].clone();
    done.state = TransferState::Done;
    assert_eq!(store.exports_due().expect("read"), [], "it is not here yet");
    store.update_transfer(&done).expect("put");
    assert_eq!(store.exports_due().expect("read"), [(done.content, "copy.bin".to_owned())]);
    // It was removed, and is fetched again: the copy waits for that.
    let again = store.put_download(done.content).expect("put");
    assert_eq!(store.exports_due().expect("read"), []);
    let mut again =
        store.transfers_open().expect("read").into_iter().find(|row| row.id == again).expect("open");
    again.state = TransferState::Failed;
    store.update_transfer(&again).expect("put");
    assert!(store.drop_export(done.content, "copy.bin").expect("dropped"));
    assert!(!store.drop_export(done.content, "copy.bin").expect("dropped"), "it is dropped once");
    assert_eq!(store.exports_due().expect("read"), []);
    assert_eq!(store.transfers_open().expect("read").len(), 1);
}

#[test]
fn links_are_kept_without_keys_and_forgotten_whole() {
    let (_dir, mut store) = store();
    assert_eq!(store.link().expect("read"), None);
    store.put_link(&terms(1)).expect("put");
    let link = store.link().expect("read").expect("there");
    assert_eq!((link.state, link.account_name.as_str()), (LinkRowState::Pending, "Demo"));
    for state in [LinkRowState::Active, LinkRowState::Diverged, LinkRowState::Suspended] {
        store.set_link_state(link.link, state).expect("set");
        assert_eq!(store.link().expect("read").expect("there").state, state);
    }
    let _ = store.put_item(&chat(1, "Ada", 3), 1).expect("put");
    store.put_link(&terms(2)).expect("put");
    store.forget_links_but(MailboxId::from_bytes([2; 16])).expect("forgotten");
    assert_eq!(store.link().expect("read").expect("there").link, MailboxId::from_bytes([2; 16]));
    assert_eq!(store.counts().expect("read").chats, 0, "what came over the old link is gone");
    store.forget_link(MailboxId::from_bytes([2; 16])).expect("forgotten");
    assert_eq!(store.link().expect("read"), None);
}

#[test]
fn a_destroyed_store_leaves_no_file_but_the_directory() {
    // req: HSK-153
    let (dir, mut store) = store();
    store.put_link(&terms(1)).expect("put");
    std::fs::write(dir.path().join("media/x.part"), b"x").expect("written");
    store.destroy().expect("destroyed");
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    assert_eq!(left, ["media"]);
    assert_eq!(std::fs::read_dir(dir.path().join("media")).expect("listed").count(), 0);
    assert!(!Store::exists(dir.path()));
}

fn chats_name() -> Collection {
    CollectionName::Chats.encode().expect("a name")
}

fn messages_name(chat: u64) -> Collection {
    CollectionName::Messages(chat).encode().expect("a name")
}

fn row(id: u64, rev: u64, item: &Item) -> Bytes {
    Row { id: RowId::from_number(id), rev, body: item.encode() }.encode()
}

#[test]
fn what_cannot_be_applied_is_set_aside_and_counts_until_it_can() {
    // req: SYN-006, SYN-009, SYN-022
    let (_dir, mut store) = store();
    let good = Item::Message(wire(1, 3, "hello"));
    let before = store.digest(&messages_name(1)).expect("read");
    let unknown = Row { id: RowId::from_number(3), rev: 5, body: Bytes::from_static(b"\x7d\x01") };
    for (what, collection, bytes) in [
        ("an unknown kind", messages_name(1), unknown.encode()),
        ("another message", messages_name(1), row(4, 5, &good)),
        ("another chat", messages_name(2), row(3, 5, &good)),
        ("another kind", chats_name(), row(3, 5, &good)),
        ("an unknown collection", Collection::new(&[9]).expect("a name"), row(3, 5, &good)),
        ("not a row", messages_name(1), Bytes::from_static(&[0, 1, 2])),
    ] {
        assert_eq!(store.put_row(&collection, &bytes).expect("taken"), None, "{what}");
    }
    assert_eq!(store.counts().expect("read"), Counts { chats: 0, messages: 0, aside: 5 });
    let mut expected = RowDigest::default();
    expected.add(&RowId::from_number(3), 5);
    expected.add(&RowId::from_number(4), 5);
    assert_ne!(store.digest(&messages_name(1)).expect("read"), before);
    assert_eq!(store.digest(&messages_name(1)).expect("read"), expected);
    // A later version of the row that can be read takes its place.
    let change = store.put_row(&messages_name(1), &row(3, 6, &good)).expect("taken");
    assert!(matches!(change, Some(Change::NewMessage(_))));
    expected.remove(&RowId::from_number(3), 5);
    expected.add(&RowId::from_number(3), 6);
    assert_eq!(store.digest(&messages_name(1)).expect("read"), expected);
    assert_eq!(store.counts().expect("read").aside, 4);
}

#[test]
fn four_versions_of_a_row_end_the_same_in_every_order() {
    // req: SYN-029
    let versions: Vec<Bytes> =
        (1..=4).map(|rev| row(3, rev, &Item::Message(wire(1, 3, &format!("version {rev}"))))).collect();
    for order in 0..24_usize {
        let (mut left, mut code) = (versions.clone(), order);
        let (_dir, mut store) = store();
        while !left.is_empty() {
            let next = left.remove(code % left.len());
            code /= left.len() + 1;
            let _ = store.put_row(&messages_name(1), &next).expect("taken");
        }
        assert_eq!(store.history(1, 9).expect("read")[0].text, "version 4", "order {order}");
    }
}

#[test]
fn a_snapshot_replaces_what_is_here_whatever_its_revision() {
    // req: SYN-028, SYN-029
    let (_dir, mut store) = store();
    let name = messages_name(1);
    for (id, rev) in [(1, 900), (2, 5), (3, 5)] {
        let item = Item::Message(wire(1, id, "damaged"));
        let _ = store.put_row(&name, &row(id, rev, &item)).expect("taken");
    }
    let other = Item::Message(wire(2, 8, "of another chat"));
    let _ = store.put_row(&messages_name(2), &row(8, 5, &other)).expect("taken");
    store.begin_snapshot(&name).expect("begun");
    assert_eq!(store.counts().expect("read").messages, 4, "shown until the snapshot is whole");
    let bring = |store: &mut Store, id, rev, text: &str| {
        let item = Item::Message(wire(1, id, text));
        let _ = store.put_row(&name, &row(id, rev, &item)).expect("taken");
    };
    // A page of history does not count as brought.
    let _ = store.put_item(&Item::Message(wire(1, 3, "history")), 0).expect("taken");
    bring(&mut store, 1, 7, "right");
    bring(&mut store, 2, 8, "right");
    // A page that is given twice brings an older copy: the newer one stays.
    bring(&mut store, 2, 6, "old");
    store.end_snapshot(&name).expect("ended");
    let texts: Vec<_> = store.history(1, 9).expect("read").into_iter().map(|m| (m.id, m.text)).collect();
    assert_eq!(texts, [(1, "right".to_owned()), (2, "right".to_owned())]);
    assert_eq!(store.history(2, 9).expect("read").len(), 1);
}

#[test]
fn the_list_of_companions_is_mirrored_and_a_marker_takes_one_out() {
    // req: MSG-004, MSG-005, SYN-029
    let (_dir, mut store) = store();
    let name = CollectionName::Companions.encode().expect("a name");
    let companion = |serial: u64, label: &str| Item::Companion {
        companion: CompanionId::from_bytes([4; 16]),
        serial,
        label: label.into(),
        linked: 5,
        seen: 0,
        status: CompanionState::Pending,
    };
    let _ = store.put_item(&chat(2, "Bob", 9), 1).expect("put");
    for (serial, rev, label) in [(1, 3, "PC"), (2, 4, "old"), (2, 6, "new"), (2, 5, "older")] {
        let _ = store.put_row(&name, &row(serial, rev, &companion(serial, label))).expect("taken");
    }
    let labels = |store: &Store| -> Vec<String> {
        store.companions().expect("read").into_iter().map(|companion| companion.label).collect()
    };
    assert_eq!(labels(&store), ["PC", "new"]);
    assert_eq!(store.put_row(&name, &row(9, 7, &companion(1, "PC"))).expect("taken"), None, "another serial");
    let mut expected = RowDigest::default();
    for (serial, rev) in [(1, 3), (2, 6), (9, 7)] {
        expected.add(&RowId::from_number(serial), rev);
    }
    assert_eq!(store.digest(&name).expect("read"), expected);
    let marker = Item::Deleted { chat: 2, message: None };
    let _ = store.put_row(&name, &row(2, 8, &marker)).expect("taken");
    assert_eq!(labels(&store), ["PC"]);
    assert_eq!(store.chats().expect("read").len(), 1, "a chat of the same number stays");
    store.begin_snapshot(&name).expect("begun");
    store.end_snapshot(&name).expect("ended");
    assert_eq!(labels(&store), Vec::<String>::new());
}

fn changes_name() -> Collection {
    CollectionName::Changes.encode().expect("a name")
}

fn change(chat: u64, id: u64, rev: u64, item: &Item) -> Bytes {
    Row { id: RowId::from_pair(chat, id), rev, body: item.encode() }.encode()
}

#[test]
fn a_page_of_history_that_is_older_than_the_changes_is_not_taken() {
    // req: MSG-066
    let (_dir, mut store) = store();
    store.end_delta(&changes_name(), 70, std::iter::empty()).expect("kept");
    let items = [Item::Message(wire(1, 3, "before an edit")).encode()];
    for (rev, is_taken) in [(69, false), (70, true)] {
        let page = HistoryPage { items: &items, more: true, rev };
        assert_eq!(store.put_history(1, 9, &page).expect("read"), is_taken, "{rev}");
        assert_eq!(store.history(1, 9).expect("read").len(), usize::from(is_taken));
    }
}

#[test]
fn a_change_is_applied_where_a_message_is_held_or_belongs() {
    // req: MSG-064
    let (_dir, mut store) = store();
    let items = [Item::Message(wire(1, 7, "seven")).encode(), Item::Message(wire(1, 5, "five")).encode()];
    let page = HistoryPage { items: &items, more: true, rev: 1 };
    assert!(store.put_history(1, 9, &page).expect("taken"));
    let put = |store: &mut Store, chat, id, text: &str| {
        let row = change(chat, id, 10, &Item::Message(wire(chat, id, text)));
        store.put_row(&changes_name(), &row).expect("taken")
    };
    assert!(matches!(put(&mut store, 1, 7, "edited"), Some(Change::Message(_))), "it is here");
    assert!(matches!(put(&mut store, 1, 6, "missing"), Some(Change::NewMessage(_))), "all from 5 to 8 are");
    assert!(matches!(put(&mut store, 1, 9, "newer"), Some(Change::NewMessage(_))), "its window is to come");
    assert_eq!(put(&mut store, 1, 4, "older"), Some(Change::None));
    assert_eq!(put(&mut store, 2, 6, "of a chat that nobody opened"), Some(Change::None));
    let texts: Vec<_> = store.history(1, 9).expect("read").into_iter().map(|m| (m.id, m.text)).collect();
    let right = [(5, "five"), (6, "missing"), (7, "edited"), (9, "newer")];
    assert_eq!(texts, right.map(|(id, text)| (id, text.to_owned())));
    let deleted = Item::Deleted { chat: 1, message: Some(5) };
    let _ = store.put_row(&changes_name(), &change(1, 5, 11, &deleted)).expect("taken");
    assert_eq!(store.history(1, 9).expect("read").len(), 3);
    // What is not of the row that it came as is not applied, and nothing is kept of it.
    for (chat, id, item) in [(1, 6, &deleted), (2, 7, &Item::Message(wire(1, 7, "of another chat")))] {
        assert_eq!(store.put_row(&changes_name(), &change(chat, id, 12, item)).expect("taken"), None);
    }
    assert_eq!(store.counts().expect("read").aside, 0);
    assert_eq!(store.digest(&changes_name()).expect("read"), RowDigest::default());
}
