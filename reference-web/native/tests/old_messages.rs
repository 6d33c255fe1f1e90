//! Messages that are older than their chat's window, between the real phone and the real companion: what happens to them
//! is seen here, gaps are known and filled, and no chat is dead, however many there are.

use crate::both::{Both, MINUTE, add_meanwhile, keys, outgrow_markers};
use handfast_testkit::Clocked as _;
use reference_phone::upstream::Change;
use reference_web::app::AppEvent;
use reference_web::store::Message;

/// A pair that is in step.
fn synced(seed: u64, chats: u64, messages: u64) -> Both {
    let mut both = Both::linked(seed, chats, messages);
    both.run_until("synced", |b| b.events.iter().any(|e| matches!(e, AppEvent::Synced { .. })));
    both.run_for(MINUTE);
    both
}

/// Asks for older messages of a chat until so many are shown.
fn scroll(both: &mut Both, chat: u64, count: usize) {
    for _ in 0..20 {
        if shown(both, chat).len() >= count {
            return;
        }
        let now = both.now;
        let _ = both.web().ask_older(now, &mut keys(), chat).unwrap();
        both.run_until("older ones", |b| b.web().store().commands_open().unwrap() == 0);
    }
    panic!("only {} of {count}", shown(both, chat).len());
}

/// What the companion shows of a chat.
fn shown(both: &mut Both, chat: u64) -> Vec<Message> {
    both.web().store().history(chat, 10_000).unwrap()
}

/// What the phone has of a chat, in the order of their ids: id, text and number of reactions.
fn at_phone(both: &mut Both, chat: u64) -> Vec<(u64, String, usize)> {
    let stored = both.phone().store().history(chat, 0, 10_000).unwrap();
    stored.into_iter().rev().map(|m| (m.message.message, m.message.text, m.message.reactions.len())).collect()
}

fn assert_same(both: &mut Both, chat: u64) {
    let here: Vec<_> = shown(both, chat).into_iter().map(|m| (m.id, m.text, m.reactions.len())).collect();
    assert_eq!(here, at_phone(both, chat));
}

/// Edits, deletes and reacts to three of the oldest messages of a chat.
fn change_three(both: &Both, chat: u64, ids: &[u64]) {
    both.network.changes(chat, ids[0], Change::Edited("edited".into()));
    both.network.changes(chat, ids[1], Change::Deleted);
    both.network.changes(chat, ids[2], Change::Reacted("+1".into()));
}

#[test]
fn what_happens_beyond_the_window_is_seen_live_and_after_an_absence() {
    // req: MSG-068, MSG-064
    let mut both = synced(60, 2, 350);
    scroll(&mut both, 1, 350);
    let ids: Vec<u64> = shown(&mut both, 1).iter().map(|m| m.id).collect();
    change_three(&both, 1, &ids[..3]);
    both.run_for(MINUTE);
    assert_same(&mut both, 1);
    let oldest: Vec<String> = shown(&mut both, 1).into_iter().take(2).map(|m| m.text).collect();
    assert_eq!(oldest[0], "edited");
    // The companion's program is not running.
    both.stop_web();
    change_three(&both, 1, &ids[3..6]);
    both.run_for(MINUTE);
    both.start_web();
    both.run_for(MINUTE);
    assert_same(&mut both, 1);
    // The phone's is not.
    both.away(|store| {
        store.edit_message(1, ids[6], "edited as well").unwrap();
        let _ = store.delete_message(1, ids[7]).unwrap();
    });
    both.run_for(MINUTE);
    assert_same(&mut both, 1);
    assert_eq!((shown(&mut both, 1).len(), both.repairs()), (347, 0));
}

#[test]
fn what_happens_in_a_chat_that_is_not_followed_is_seen() {
    // req: MSG-064
    let mut both = synced(61, 100, 3);
    // Every chat was open once, so that messages of all are here.
    for chat in 1..=100 {
        let now = both.now;
        both.web().open_chat(now, chat);
        both.settle();
    }
    both.run_for(MINUTE);
    let (followed, _) = both.web().status().unwrap().followed;
    assert!(followed < 100, "{followed}");
    for chat in 1..=100 {
        let ids: Vec<u64> = shown(&mut both, chat).iter().map(|m| m.id).collect();
        change_three(&both, chat, &ids);
    }
    both.run_for(MINUTE);
    for chat in 1..=100 {
        assert_same(&mut both, chat);
    }
    assert_eq!(both.repairs(), 0);
}

#[test]
fn a_gap_is_known_and_filled_when_somebody_asks() {
    // req: MSG-072
    let mut both = synced(62, 1, 150);
    let old: Vec<u64> = shown(&mut both, 1).iter().map(|m| m.id).collect();
    assert_eq!(old.len(), 150, "all are here");
    both.stop_web();
    both.away(|store| add_meanwhile(store, 1, 250));
    both.start_web();
    both.run_for(MINUTE);
    assert_eq!(shown(&mut both, 1).len(), 200, "what is behind the gap is not shown as if it came next");
    scroll(&mut both, 1, 250);
    // With the gap filled, what was here before goes on without being asked for.
    assert_eq!(shown(&mut both, 1).len(), 400);
    assert_same(&mut both, 1);
    assert_eq!(both.repairs(), 0);
}

#[test]
fn what_changed_behind_a_gap_is_right_when_the_gap_is_filled() {
    // req: MSG-064, MSG-072
    let mut both = synced(63, 1, 150);
    let old: Vec<u64> = shown(&mut both, 1).iter().map(|m| m.id).collect();
    both.stop_web();
    both.away(|store| add_meanwhile(store, 1, 450));
    change_three(&both, 1, &old[..3]);
    both.start_web();
    both.run_for(MINUTE);
    let first = at_phone(&mut both, 1)[160].0;
    change_three(&both, 1, &[first, first + 1, first + 2]);
    both.run_for(MINUTE);
    scroll(&mut both, 1, 500);
    assert_same(&mut both, 1);
}

#[test]
fn what_the_changes_do_not_reach_is_forgotten_and_comes_again() {
    // req: MSG-065
    let mut both = synced(64, 2, 350);
    scroll(&mut both, 1, 350);
    let ids: Vec<u64> = shown(&mut both, 1).iter().map(|m| m.id).collect();
    both.stop_web();
    both.away(|store| {
        let _ = store.delete_message(1, ids[0]).unwrap();
        store.edit_message(1, ids[1], "edited").unwrap();
        store.commit().unwrap();
        outgrow_markers(store, 2);
    });
    both.start_web();
    both.run_for(MINUTE);
    assert_eq!(shown(&mut both, 1).len(), 200, "the deletion is not told any more: what is older goes");
    scroll(&mut both, 1, 349);
    assert_same(&mut both, 1);
}

#[test]
fn of_120_chats_the_one_that_is_open_is_live() {
    // req: MSG-067, MSG-071
    let mut both = synced(65, 120, 3);
    // The seventh of the list, and then one that nobody looked at for long.
    let listed: Vec<u64> = both.web().store().chats().unwrap().iter().map(|chat| chat.chat).collect();
    for chat in [listed[6], listed[119], listed[80]] {
        let now = both.now;
        both.web().open_chat(now, chat);
        both.settle();
        let _ = both.web().send_text(now, &mut keys(), chat, "hello", None, None).unwrap();
        both.run_until("answered", |b| b.web().store().commands_open().unwrap() == 0);
        both.network.says(chat, chat, "an answer");
        both.settle();
        let last: Vec<String> = shown(&mut both, chat).into_iter().rev().take(2).map(|m| m.text).collect();
        assert_eq!(last, ["an answer", "hello"], "chat {chat}");
        // News of every other chat does not take its place.
        for other in (1..=120).filter(|other| *other != chat) {
            both.network.says(other, chat * 1_000 + other, "news");
        }
        both.run_for(MINUTE);
        both.network.says(chat, 900_000 + chat, "still there");
        both.settle();
        assert_eq!(shown(&mut both, chat).last().unwrap().text, "still there", "chat {chat}");
    }
}

#[test]
fn a_window_that_overflows_is_bounded_here_too() {
    // req: SYN-033
    let mut both = synced(66, 1, 200);
    for n in 0..30 {
        both.network.says(1, n, "one more");
    }
    both.run_for(MINUTE);
    both.stop_web();
    both.start_web();
    both.run_for(MINUTE);
    assert_eq!(
        (shown(&mut both, 1).len(), both.repairs()),
        (230, 0),
        "what left the window stays, and is none of it"
    );
    // What left it is as current as what is in it.
    let oldest = shown(&mut both, 1)[0].id;
    both.network.changes(1, oldest, Change::Deleted);
    both.run_for(MINUTE);
    assert_same(&mut both, 1);
    assert_eq!(both.repairs(), 0);
}

#[test]
fn the_file_of_a_message_that_is_deleted_beyond_the_window_goes() {
    // req: MSG-070
    let mut both = synced(67, 1, 3);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("photo.png");
    std::fs::write(&path, b"a photo").unwrap();
    let imported = both.web().store().media().import(&path).unwrap();
    let content = imported.content;
    let _ = both.web().send_media(&mut keys(), 1, imported, None).unwrap();
    both.run_until("sent", |b| b.web().store().transfers_open().unwrap().is_empty());
    both.run_until("answered", |b| b.web().store().commands_open().unwrap() == 0);
    both.run_for(MINUTE);
    let photo = shown(&mut both, 1).last().unwrap().id;
    for n in 0..210 {
        both.network.says(1, n, "later");
    }
    both.run_for(MINUTE);
    assert!(both.web().store().media().has(content));
    both.stop_web();
    both.away(|store| {
        let _ = store.delete_message(1, photo).unwrap();
    });
    both.start_web();
    both.run_for(MINUTE);
    assert!(!both.web().store().media().has(content));
    scroll(&mut both, 1, 213);
    assert_same(&mut both, 1);
}
