//! The changes: what happened to messages after they came, in a collection's window or not.

use handfast::session::RowDigest;

use super::*;

fn changes() -> Collection {
    CollectionName::Changes.encode().unwrap()
}

/// The rows of the changes above a revision: chat, message, and what it says now.
fn rows(store: &Store, after: u64) -> Vec<(u64, u64, String)> {
    let delta = store.delta(&changes(), after, 65_536).unwrap().unwrap();
    let row = |item: &bytes::Bytes| {
        let row = Row::decode(item).unwrap();
        let (chat, id) = row.id.pair().unwrap();
        let said = match Item::decode(&row.body).unwrap() {
            Item::Message(message) => format!("{}{}", message.text, "!".repeat(message.reactions.len())),
            Item::Deleted { chat: of, message } => {
                assert_eq!((of, message), (chat, Some(id)), "the marker is of the row");
                "deleted".to_owned()
            }
            other => panic!("{other:?}"),
        };
        (chat, id, said)
    };
    delta.items.iter().map(row).collect()
}

/// A phone with 250 messages in chat 1 and three in chat 2, and the id of the oldest.
fn filled() -> (Phone, u64) {
    let mut phone = phone();
    for chat in 1..=2 {
        phone.store.add_chat(chat, "Bo", "Bo").unwrap();
    }
    let first = add(&mut phone.store, &new(1, "first")).0;
    for _ in 1..250 {
        let _ = add(&mut phone.store, &new(1, "text"));
    }
    for _ in 0..3 {
        let _ = add(&mut phone.store, &new(2, "other"));
    }
    phone.store.commit().unwrap();
    (phone, first)
}

#[test]
fn whatever_happens_to_a_message_after_it_came_is_a_row() {
    // req: MSG-068
    let (Phone { mut store, .. }, first) = filled();
    assert_eq!(rows(&store, 0), [], "to come is no change");
    let newest = first + 249;
    store.edit_message(1, first, "edited").unwrap();
    assert!(store.react(1, first + 1, "Bo", "+1").unwrap());
    assert_eq!(store.delete_message(1, first + 2).unwrap(), None);
    let _ = store.advance(1, first + 3, MessageState::Read).unwrap().unwrap();
    let _ = store.advance(1, newest, MessageState::Sent).unwrap().unwrap();
    let _ = store.advance(2, newest + 1, MessageState::Sent).unwrap().unwrap();
    store.commit().unwrap();
    let row = |chat: u64, id: u64, said: &str| (chat, id, said.to_owned());
    let all = [
        row(1, first, "edited"),
        row(1, first + 1, "text!"),
        row(1, first + 2, "deleted"),
        row(1, first + 3, "text"),
        row(1, newest, "text"),
        row(2, newest + 1, "other"),
    ];
    assert_eq!(rows(&store, 0), all, "beyond the window or in it, of all chats, in the order of revisions");
    // Each message has one row, at its last change.
    let end = store.rev();
    assert!(store.react(1, first, "Bo", "+1").unwrap());
    assert!(store.react(1, first + 1, "Bo", "").unwrap(), "taken back");
    store.commit().unwrap();
    assert_eq!(rows(&store, end), [row(1, first, "edited!"), row(1, first + 1, "text")]);
    assert_eq!(rows(&store, 0).len(), 6);
}

#[test]
fn a_message_that_enters_the_window_did_not_change() {
    // req: MSG-068
    let (Phone { mut store, .. }, first) = filled();
    let (newest, entering) = (first + 249, first + 49);
    let before = store.message(1, entering).unwrap().unwrap().rev;
    let _ = store.delete_message(1, newest).unwrap();
    store.commit().unwrap();
    assert!(store.message(1, entering).unwrap().unwrap().rev > before, "its chat's collection has it anew");
    assert_eq!(rows(&store, 0), [(1, newest, "deleted".to_owned())]);
}

#[test]
fn the_changes_reach_back_as_far_as_the_markers() {
    // req: MSG-069
    let (Phone { dir, mut store }, first) = filled();
    store.edit_message(1, first, "edited").unwrap();
    let _ = store.delete_message(1, first + 1).unwrap();
    store.commit().unwrap();
    let deleted_at = store.message(1, first + 1).unwrap().unwrap().rev;
    for (age, left) in [(MARKER_REVS - 1, 1), (MARKER_REVS, 0)] {
        store.begin().unwrap();
        store.counters.rev = deleted_at + age;
        store.commit().unwrap();
        drop(store);
        store = Store::open(dir.path()).unwrap().0;
        assert_eq!(rows(&store, 0).len(), left, "{age} revisions later");
    }
    let edited = store.message(1, first).unwrap().unwrap();
    assert_eq!(edited.message.text, "edited", "the message itself stays");
}

#[test]
fn a_snapshot_of_the_changes_tells_the_revision_and_no_row() {
    // req: MSG-062, MSG-063
    let (Phone { mut store, .. }, first) = filled();
    store.edit_message(1, first, "edited").unwrap();
    store.commit().unwrap();
    let page = store.page(&changes(), &PageCursor::default(), 16_000).unwrap();
    assert_eq!(page, Some(PageRows::empty(store.rev())));
    assert_eq!(store.digest(&changes()).unwrap(), RowDigest::default(), "nobody keeps its rows");
}

#[test]
fn f17_markers_are_left_out_by_an_index() {
    let (Phone { store, .. }, _) = filled();
    for query in [
        "SELECT id FROM messages INDEXED BY messages_live WHERE chat = 1 AND deleted = 0 ORDER BY id DESC LIMIT 1 OFFSET 199",
        "SELECT text FROM messages INDEXED BY messages_live WHERE chat = 1 AND id < 9 AND deleted = 0 ORDER BY id DESC",
    ] {
        let explained: String =
            store.conn.query_row(&format!("EXPLAIN QUERY PLAN {query}"), [], |row| row.get(3)).unwrap();
        assert!(explained.contains("messages_live"), "{explained}");
        assert!(!explained.contains("SCAN"), "{explained}");
    }
}
