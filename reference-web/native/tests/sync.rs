//! Sync between the real phone and the real companion, over their SQLite databases: what is damaged is found and
//! mended, what a log no longer reaches comes in pages, and no chat is out of reach.

use std::time::Duration;

use crate::both::{Both, MINUTE, add_meanwhile, keys, outgrow_markers, received};
use handfast::codec::limits::SUBSCRIPTIONS_MAX;
use handfast_messages::CollectionName;
use handfast_testkit::Clocked as _;
use reference_web::app::AppEvent;

fn assert_same(both: &mut Both, chats: impl Iterator<Item = u64>) {
    let (here, there) = both.lists();
    assert_eq!(here, there, "the list of chats");
    let differences: Vec<String> = chats.filter_map(|chat| both.difference(chat)).collect();
    assert!(differences.is_empty(), "{differences:?}");
}

/// A pair that is in step.
fn synced(seed: u64, chats: u64, messages: u64) -> Both {
    let mut both = Both::linked(seed, chats, messages);
    both.run_until("synced", |b| b.events.iter().any(|e| matches!(e, AppEvent::Synced { .. })));
    both.run_for(MINUTE);
    assert_eq!(both.repairs(), 0);
    both
}

#[test]
fn rows_that_change_under_the_companions_feet_are_found_by_the_digest_and_mended() {
    // req: SYN-015, SYN-018, SYN-032
    for (n, sql) in [
        "DELETE FROM messages WHERE chat = 2 AND id % 3 = 0",
        "DELETE FROM chats WHERE chat = 2",
        "UPDATE messages SET rev = rev - 1 WHERE chat = 2 AND id % 7 = 0",
        "UPDATE messages SET rev = rev + 1000, text = 'wrong' WHERE chat = 2",
        "UPDATE chats SET rev = rev + 5, unread = 99",
        "INSERT INTO messages(chat, id, author, time_ms, text, state, rev) VALUES(2, 9999, 'x', 1, 'invented', 6, 5)",
        "INSERT INTO chats(chat, title, last_message, last_text, last_time_ms, unread) VALUES(77, 'x', 0, '', 0, 0)",
        "UPDATE messages SET id = id + 100000 WHERE chat = 3",
        "INSERT INTO aside(collection, id, rev) VALUES(x'01', x'aabb', 3)",
    ]
    .into_iter()
    .enumerate()
    {
        let mut both = synced(u64::try_from(n).unwrap(), 4, 30);
        assert!(both.damage(sql) > 0, "{sql}");
        both.run_for(MINUTE);
        assert!(both.repairs() > 0, "it was found: {sql}");
        assert!(!both.events.iter().any(|e| matches!(e, AppEvent::Repair { failed: true, .. })), "{sql}");
        assert_same(&mut both, 1..=4);
        assert_eq!(both.web().store().counts().unwrap().messages, 120, "{sql}");
        let repairs = both.repairs();
        both.stop_web();
        both.start_web();
        both.run_for(MINUTE);
        assert_eq!(both.repairs(), repairs, "once is enough: {sql}");
    }
}

#[test]
fn a_companion_that_was_away_longer_than_markers_are_kept_gets_pages() {
    // req: SYN-013, SYN-025
    let mut both = synced(20, 3, 250);
    both.stop_web();
    both.away(|store| {
        let ids: Vec<u64> = store.history(1, 0, 200).unwrap().iter().map(|m| m.message.message).collect();
        for id in ids.iter().step_by(5) {
            let _ = store.delete_message(1, *id).unwrap();
        }
        store.commit().unwrap();
        outgrow_markers(store, 3);
    });
    assert!(both.phone().store().floor() > 0);
    both.start_web();
    both.run_for(MINUTE);
    assert_same(&mut both, 1..=3);
    assert_eq!(both.repairs(), 0, "pages were due: nothing was damaged");
}

#[test]
fn every_chat_is_within_reach_whatever_their_number() {
    // req: SYN-007, SYN-011
    let chats = 150;
    let mut both = synced(21, chats, 3);
    let here = both.web().store().counts().unwrap();
    assert_eq!(here.chats, chats);
    assert!(here.messages < chats * 3, "not all are followed");
    // News of any chat arrives without asking,
    let followed = both.web().status().unwrap().followed;
    assert_eq!(followed, (SUBSCRIPTIONS_MAX - 3, 0));
    for chat in 1..=chats {
        both.network.says(chat, chat, "news");
    }
    both.run_for(MINUTE);
    assert_same(&mut both, 1..=chats);
    // and so does a chat that is opened.
    let mut both = synced(22, chats, 3);
    let far: Vec<u64> =
        (1..=chats).filter(|chat| both.web().store().history(*chat, 1).unwrap().is_empty()).collect();
    assert!(far.len() > 20, "{}", far.len());
    for chat in far {
        let now = both.now;
        both.web().open_chat(now, chat);
        both.settle();
        assert_eq!(both.difference(chat), None);
    }
    assert_eq!(both.repairs(), 0);
}

/// The numbers of a chat's messages at the companion, and of as many of the newest ones at the phone.
fn numbers(both: &mut Both, chat: u64) -> (Vec<u64>, Vec<u64>) {
    let here: Vec<u64> = both.web().store().history(chat, 2_000).unwrap().iter().map(|m| m.id).collect();
    let there = both.phone().store().history(chat, 0, u64::try_from(here.len()).unwrap()).unwrap();
    (here, there.iter().rev().map(|m| m.message.message).collect())
}

#[test]
fn a_chat_has_no_gap_when_more_came_than_its_window_holds() {
    let mut both = synced(24, 2, 250);
    both.away(|store| {
        for (chat, count) in [(1, 300), (2, 50)] {
            add_meanwhile(store, chat, count);
        }
    });
    both.run_for(MINUTE);
    let (here, there) = numbers(&mut both, 1);
    assert_eq!((here.len(), &here), (200, &there), "what is behind the gap is not shown as if it came next");
    let now = both.now;
    let _ = both.web().ask_older(now, &mut keys(), 1).unwrap();
    both.run_for(MINUTE);
    let (here, there) = numbers(&mut both, 1);
    assert_eq!((here.len(), &here), (250, &there), "and is asked for as history");
    let (here, there) = numbers(&mut both, 2);
    assert_eq!((here.len(), &here), (250, &there), "without a gap everything stays");
    assert_eq!(both.repairs(), 0);
}

#[test]
fn a_chat_has_no_gap_when_more_comes_than_a_live_companion_takes() {
    // req: MSG-045
    let mut both = synced(25, 2, 250);
    for n in 0..1_000 {
        both.network.says(1, n, &"at once ".repeat(50));
    }
    both.run_for(MINUTE);
    let (here, there) = numbers(&mut both, 1);
    assert!(here.len() >= 200, "{}", here.len());
    assert_eq!(here, there, "what left the window unsent is not left out");
    assert_eq!(both.difference(1), None);
    assert_eq!(both.repairs(), 0);
}

#[test]
fn deletions_of_a_long_chat_leave_both_with_the_same_window() {
    // req: SYN-030
    let mut both = synced(23, 1, 260);
    for round in 0..4_u64 {
        both.away(|store| {
            let ids: Vec<u64> = store.history(1, 0, 220).unwrap().iter().map(|m| m.message.message).collect();
            for id in ids.iter().skip(usize::try_from(round).unwrap()).step_by(9) {
                let _ = store.delete_message(1, *id).unwrap();
            }
            let _ = store.add_message(&received(1, "after")).unwrap();
        });
        both.run_for(MINUTE);
        assert_eq!(both.repairs(), 0, "round {round}");
        let chat = CollectionName::Messages(1).encode().unwrap();
        let here = both.web().store().digest(&chat).unwrap();
        assert_eq!(here, both.phone().store().digest(&chat).unwrap(), "round {round}");
    }
}

#[test]
fn edits_reactions_deletes_and_the_list_of_companions_are_the_same_at_both() {
    let mut both = synced(40, 2, 3);
    let answered = |b: &mut Both| b.web().store().commands_open().unwrap() == 0;
    let now = both.now;
    for text in ["first", "second"] {
        let _ = both.web().send_text(now, &mut keys(), 1, text, None, None).unwrap();
    }
    both.run_until("sent", answered);
    let ids: Vec<u64> = both.web().store().history(1, 2).unwrap().iter().map(|m| m.id).collect();
    let now = both.now;
    let _ = both.web().edit_text(now, &mut keys(), 1, ids[0], "first, edited").unwrap();
    let _ = both.web().react(now, &mut keys(), 1, ids[0], "👍").unwrap();
    let _ = both.web().delete_message(now, &mut keys(), 1, ids[1]).unwrap();
    both.run_until("changed", answered);
    both.run_for(MINUTE);
    let newest = both.web().store().history(1, 1).unwrap().remove(0);
    assert_eq!((newest.id, newest.text.as_str(), newest.edited), (ids[0], "first, edited", true));
    assert_eq!(newest.reactions, [(String::new(), "👍".to_owned())]);
    assert_eq!(both.web().store().chats().unwrap()[0].last_text, "first, edited");
    assert_same(&mut both, 1..=2);

    let there = both.phone().store().companions().unwrap();
    let here = both.web().store().companions().unwrap();
    assert_eq!(here.len(), 1);
    assert_eq!((here[0].serial, here[0].companion), (there[0].serial, there[0].companion));
    assert_eq!(
        (&here[0].label, here[0].linked_ms, here[0].seen_ms),
        (&there[0].label, there[0].linked_ms, there[0].seen_ms)
    );
    assert_eq!((here[0].status, here[0].seen_ms > 0), (2, true));
    assert_eq!(both.repairs(), 0);
}

#[test]
fn the_file_of_a_deleted_message_goes_unless_another_message_has_it() {
    let mut both = synced(43, 1, 1);
    let answered = |b: &mut Both| {
        let store = b.web().store();
        store.commands_open().unwrap() == 0 && store.transfers_open().unwrap().is_empty()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("photo.png");
    std::fs::write(&path, b"a photo").unwrap();
    let mut content = None;
    for _ in 0..2 {
        let imported = both.web().store().media().import(&path).unwrap();
        content = Some(imported.content);
        let _ = both.web().send_media(&mut keys(), 1, imported, None).unwrap();
        both.run_until("sent", answered);
    }
    both.run_for(MINUTE);
    let content = content.unwrap();
    let ids: Vec<u64> = both.web().store().history(1, 2).unwrap().iter().map(|m| m.id).collect();
    for (id, is_kept) in ids.into_iter().zip([true, false]) {
        assert!(both.web().store().media().has(content));
        let now = both.now;
        let _ = both.web().delete_message(now, &mut keys(), 1, id).unwrap();
        both.run_until("deleted", answered);
        both.run_for(MINUTE);
        assert_eq!(both.web().store().media().has(content), is_kept);
    }
}

#[test]
fn who_is_there_is_told_at_once_and_to_who_connects_later() {
    // req: MSG-046
    let mut both = synced(41, 2, 3);
    let last = |both: &Both| {
        let told = both.events.iter().rev().find_map(|event| match event {
            AppEvent::Presence { present } => Some(present.clone()),
            _ => None,
        });
        told.expect("presence was told")
    };
    assert_eq!(last(&both), [0_u64; 0]);
    for (chat, is_there, present) in [(2, true, vec![2]), (1, true, vec![1, 2]), (2, false, vec![1])] {
        both.network.comes(chat, is_there);
        both.run_for(Duration::from_secs(1));
        assert_eq!(last(&both), present);
    }
    both.stop_web();
    both.events.clear();
    both.start_web();
    both.run_for(MINUTE);
    assert_eq!(last(&both), [1]);
}
