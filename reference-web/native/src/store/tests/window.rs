//! The window of a chat, and the snapshot that brings it.

use bytes::Bytes;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast_messages::{CollectionName, Item};

use super::{store, wire};
use crate::store::Store;

/// Stores messages of chat 1 as rows of its collection. Returns the rows.
fn bring(store: &mut Store, name: &Collection, ids: std::ops::RangeInclusive<u64>) -> Vec<Bytes> {
    let encoded = |id| {
        let body = Item::Message(wire(1, id, "text")).encode();
        Row { id: RowId::from_number(id), rev: id, body }.encode()
    };
    let rows: Vec<Bytes> = ids.map(encoded).collect();
    for row in &rows {
        let _ = store.put_row(name, row).expect("taken");
    }
    rows
}

/// How many messages of chat 1 are stored, and where its newest range begins.
fn stored(store: &Store) -> (i64, Option<u64>) {
    let count = store.conn.query_row("SELECT count(*) FROM messages WHERE chat = 1", [], |row| row.get(0));
    (count.expect("read"), store.newest_low(1).expect("read"))
}

/// A companion with ten messages, after a snapshot that brought a hundred others.
fn after_a_snapshot() -> (tempfile::TempDir, Store, Collection) {
    let (dir, mut store) = store();
    let name = CollectionName::Messages(1).encode().expect("a name");
    let _ = bring(&mut store, &name, 1..=10);
    let _ = store.window_in_step(&name).expect("recorded");
    assert_eq!(stored(&store), (10, Some(0)), "the chat has ten messages");
    store.begin_snapshot(&name).expect("begun");
    let rows = bring(&mut store, &name, 901..=1_000);
    store.end_page(&name, rows.into_iter()).expect("counted");
    assert!(store.end_snapshot(&name).expect("ended").is_empty());
    assert_eq!(stored(&store), (110, Some(901)), "whether the chat has the ten still is not known");
    (dir, store, name)
}

#[test]
fn what_left_the_window_while_a_snapshot_came_is_not_deleted() {
    // req: MSG-072, SYN-028
    let (_dir, mut store, name) = after_a_snapshot();
    let _ = bring(&mut store, &name, 1_001..=1_100);
    assert!(store.window_in_step(&name).expect("recorded").is_empty());
    assert_eq!(stored(&store), (210, Some(901)));
    store.begin_snapshot(&name).expect("begun");
    let rows = bring(&mut store, &name, 901..=1_100);
    store.end_page(&name, rows.into_iter()).expect("counted");
    assert!(store.end_snapshot(&name).expect("ended").is_empty());
    assert_eq!(stored(&store), (210, Some(901)));
}

#[test]
fn what_a_small_chat_has_not_any_more_goes_once_the_digest_agrees() {
    // req: SYN-028
    let (_dir, mut store, name) = after_a_snapshot();
    assert!(store.window_in_step(&name).expect("recorded").is_empty());
    assert_eq!(stored(&store), (100, Some(0)));
}
