//! Markers, pages and digests.

use handfast::session::RowDigest;

use super::*;

/// The ids of the rows of a page.
fn ids(page: &PageRows) -> Vec<u64> {
    page.items.iter().map(|item| Row::decode(item).unwrap().id.number().unwrap()).collect()
}

#[test]
fn markers_are_kept_for_100000_revisions() {
    // req: SYN-010
    let Phone { dir, mut store } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let (id, _) = add(&mut store, &new(1, "short"));
    let _ = store.delete_message(1, id).unwrap();
    store.commit().unwrap();
    let deleted_at = store.message(1, id).unwrap().unwrap().rev;
    for (age, is_there) in [(MARKER_REVS - 1, true), (MARKER_REVS, false)] {
        store.begin().unwrap();
        store.counters.rev = deleted_at + age;
        store.commit().unwrap();
        drop(store);
        store = Store::open(dir.path()).unwrap().0;
        assert_eq!(store.floor(), (deleted_at + age).saturating_sub(MARKER_REVS));
        assert_eq!(store.message(1, id).unwrap().is_some(), is_there, "{age} revisions later");
    }
    // A phone that is never restarted forgets them too.
    let (id, _) = add(&mut store, &new(1, "short"));
    let _ = store.delete_message(1, id).unwrap();
    store.commit().unwrap();
    let floor = store.floor();
    store.begin().unwrap();
    store.counters.rev += MARKER_REVS + PRUNE_EVERY;
    store.commit().unwrap();
    assert!(store.floor() > floor);
    assert_eq!(store.message(1, id).unwrap(), None);
}

#[test]
fn pages_hold_every_row_once_and_come_out_the_same_when_asked_again() {
    // req: SYN-012, SYN-014
    let Phone { mut store, .. } = phone();
    for chat in 1..=40 {
        store.add_chat(chat, &format!("chat {chat}"), "Bo").unwrap();
    }
    for n in 0..260_u64 {
        let _ = add(&mut store, &new(n % 3 + 1, &"x".repeat(50)));
    }
    store.commit().unwrap();
    let expected: Vec<u64> = store.history(1, 0, 200).unwrap().iter().map(|m| m.message.message).collect();
    let recent: Vec<u64> = store.chats().unwrap().iter().map(|chat| chat.chat).collect();
    for (collection, expected, budget) in [(messages(1), expected, 1_000), (chats(), recent, 700)] {
        let (mut cursor, mut got, mut revs) = (PageCursor::default(), Vec::new(), Vec::new());
        loop {
            let page = store.page(&collection, &cursor, budget).unwrap().unwrap();
            assert_eq!(store.page(&collection, &cursor, budget).unwrap().unwrap(), page);
            got.extend(ids(&page));
            revs.push(page.rev);
            // A live message in between changes neither the revision nor the rest.
            let _ = add(&mut store, &new(2, "live"));
            store.commit().unwrap();
            if page.next.as_bytes().is_empty() {
                break;
            }
            cursor = page.next;
        }
        revs.dedup();
        assert_eq!(revs.len(), 1, "one snapshot, one revision");
        got.retain(|id| *id != 2 || collection != chats());
        let mut expected = expected;
        expected.retain(|id| *id != 2 || collection != chats());
        got.sort_unstable();
        expected.sort_unstable();
        assert_eq!(got, expected);
    }
}

#[test]
fn a_cursor_that_cannot_be_read_gives_no_page() {
    // req: SYN-027
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    store.commit().unwrap();
    let cursor = |rev: u64, len: usize| {
        let mut bytes = [rev, 1, 1].map(u64::to_be_bytes).concat();
        bytes.resize(len, 0);
        PageCursor::new(bytes.into()).unwrap()
    };
    for page in [cursor(1, 23), cursor(1, 25), cursor(1, 1), cursor(store.rev() + 1, 24)] {
        assert_eq!(store.page(&chats(), &page, 1_000).unwrap(), None, "{page:?}");
    }
    assert!(store.page(&chats(), &cursor(1, 24), 1_000).unwrap().is_some());
    let unknown = Collection::new(&[9]).unwrap();
    assert_eq!(store.page(&unknown, &PageCursor::default(), 9).unwrap(), Some(PageRows::empty(store.rev())));
    store.floor = 2;
    assert_eq!(store.page(&chats(), &cursor(1, 24), 1_000).unwrap(), None, "the log lost what came since");
}

#[test]
fn a_delta_is_refused_when_messages_may_have_left_the_window_unsent() {
    // req: MSG-045
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let (first, _) = add(&mut store, &new(1, "old"));
    let revs: Vec<u64> = (0..CHAT_WINDOW).map(|_| add(&mut store, &new(1, "x")).1).collect();
    store.commit().unwrap();
    let rows = |after| store.delta(&messages(1), after, 65_536).unwrap().map(|delta| delta.items.len());
    assert_eq!(rows(0), Some(200), "who has nothing misses nothing");
    assert_eq!(rows(revs[0] - 1), None, "all 200 are newer");
    assert_eq!(rows(revs[0]), Some(199));
    let _ = store.delete_message(1, first).unwrap();
    store.commit().unwrap();
    let rows = |after| store.delta(&messages(1), after, 65_536).unwrap().map(|delta| delta.items.len());
    assert_eq!(rows(revs[0] - 1), Some(200), "there is nothing older");
}

#[test]
fn the_digest_is_over_the_rows_of_the_window_that_live() {
    // req: SYN-015, MSG-004
    let Phone { mut store, .. } = phone();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let all: Vec<_> = (0..CHAT_WINDOW + 2).map(|_| add(&mut store, &new(1, "x"))).collect();
    let _ = store.delete_message(1, all[100].0).unwrap();
    store.commit().unwrap();
    let mut expected = RowDigest::default();
    for stored in store.history(1, 0, CHAT_WINDOW).unwrap() {
        expected.add(&RowId::from_number(stored.message.message), stored.rev);
    }
    assert_eq!(store.digest(&messages(1)).unwrap(), expected);
    // The one that entered the window has a new revision, so that a companion hears of it.
    let entered = store.message(1, all[1].0).unwrap().unwrap();
    assert!(entered.rev > all.last().unwrap().1);
    let out = store.message(1, all[0].0).unwrap().unwrap();
    assert_eq!(out.rev, all[0].1);
    assert_eq!(store.digest(&Collection::new(&[9]).unwrap()).unwrap(), RowDigest::default());
}
