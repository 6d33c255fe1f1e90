//! The companion whole: codes, the mirror, commands, the end of a link; over the relay's core and a phone.

use std::time::Duration;

use crate::world::account::{is_done, message, synced};
use crate::world::{MINUTE, World, keys, open};
use bytes::Bytes;
use handfast::ErrorCode;
use handfast::codec::ids::ContentId;
use handfast::session::{LinkState, PairingEvent};
use handfast_messages::{CollectionName, Command, Item};
use handfast_testkit::Clocked as _;
use reference_web::app::{AppEvent, VerbError};
use reference_web::store::{CommandState, Direction, LinkRowState};

#[test]
fn a_scanned_code_ends_in_a_link_that_mirrors_the_phone() {
    let world = synced(1);
    let row = world.app.store().link().unwrap().unwrap();
    assert_eq!((row.account_name.as_str(), row.state), ("Ada", LinkRowState::Active));
    let chats: Vec<u64> = world.app.store().chats().unwrap().iter().map(|c| c.chat).collect();
    assert_eq!(chats, [1, 2, 3]);
    let ids: Vec<u64> = world.app.store().history(2, 50).unwrap().iter().map(|m| m.id).collect();
    assert_eq!(ids, (1..=10).collect::<Vec<_>>());
    assert!(world.web_sockets.len() == 1, "the code's socket is closed");
}

#[test]
fn nothing_is_taken_for_a_link_that_the_phone_has_not_confirmed() {
    let mut world = World::new(21);
    world.pair_until_nn();
    let number = world.number();
    world.app.enter_number(world.now, &number).unwrap();
    world.lose_phone();
    assert!(world.app.is_pending(), "the phone may have it, or not");
    let sent = world.app.send_text(world.now, &mut keys(), 1, "hello", None, None);
    assert!(matches!(sent, Err(VerbError::Pending)), "{sent:?}");
    let older = world.app.ask_older(world.now, &mut keys(), 1);
    assert!(matches!(older, Err(VerbError::Pending)), "{older:?}");
    let got = world.app.get(ContentId::from_bytes([1; 32]), std::path::Path::new("out"));
    assert!(matches!(got, Err(VerbError::Pending)), "{got:?}");
    assert_eq!(world.app.status().unwrap().outbox, (0, 0));
}

#[test]
fn live_changes_arrive_without_asking_and_deletions_too() {
    let mut world = synced(2);
    world.events.clear();
    world.phone.add(world.now, CollectionName::Messages(1), &message(1, 11, "news"));
    world.phone.add(world.now, CollectionName::Messages(1), &message(1, 3, "edited"));
    let gone = Item::Deleted { chat: 1, message: Some(4) };
    world.phone.add(world.now, CollectionName::Messages(1), &gone);
    world.run_until("the last row", MINUTE, |w| w.app.store().counts().unwrap().messages == 30);
    world.settle();
    let rows = world.app.store().history(1, 50).unwrap();
    assert!(rows.iter().any(|m| m.text == "news") && rows.iter().any(|m| m.text == "edited"));
    assert!(!rows.iter().any(|m| m.id == 4));
    let told = |new: bool| {
        world
            .events
            .iter()
            .filter(|e| matches!(e, AppEvent::Message { is_new, .. } if *is_new == new))
            .count()
    };
    assert_eq!((told(true), told(false)), (1, 1));
}

#[test]
fn an_item_that_does_not_decode_is_skipped_and_told() {
    // req: SYN-006
    let mut world = synced(3);
    world.phone.add_raw(world.now, CollectionName::Messages(1), 900, Bytes::from_static(b"\x7d\x01\x00"));
    world.phone.add(world.now, CollectionName::Messages(1), &message(1, 11, "after"));
    let items = world.wait_for("skipped", |event| match event {
        AppEvent::Skipped { items } => Some(*items),
        _ => None,
    });
    assert_eq!(items, 1);
    world.run_until("the row behind it", MINUTE, |w| w.app.store().counts().unwrap().messages == 31);
    world.restart_web();
    world.run_until_live();
    let counts = world.app.store().counts().unwrap();
    assert_eq!((counts.messages, counts.aside), (31, 1));
    // It counts in the digest: what cannot be read is no reason to fetch the rest again.
    world.run_for(MINUTE);
    assert!(!world.events.iter().any(|event| matches!(event, AppEvent::Repair { .. })));
}

#[test]
fn codes_rotate_and_the_previous_stays_valid_for_one_period() {
    let mut world = World::new(4);
    world.app.pair(world.now, &mut world.rng).unwrap();
    world.settle();
    let first = world.code();
    world.run_for(Duration::from_secs(31));
    let second = world.code();
    assert_ne!(first, second);
    assert_eq!(world.web_sockets.len(), 2, "a socket a code");
    world.run_for(Duration::from_secs(65));
    assert!(world.web_sockets.len() <= 2);
    let shown = world.code();
    world.run_for(Duration::from_secs(20));
    // The one before is scanned.
    world.phone.scan(world.now, &mut world.rng, &shown);
    let _ = world.check_code();
    assert_eq!(world.web_sockets.len(), 1, "the other code is given up");
    world.run_for(Duration::from_secs(40));
    assert_eq!(world.code(), shown, "rotation is frozen");
}

#[test]
fn a_code_that_is_too_old_is_not_answered() {
    let mut world = World::new(5);
    world.app.pair(world.now, &mut world.rng).unwrap();
    world.settle();
    let first = world.code();
    world.run_for(Duration::from_secs(61));
    world.phone.scan(world.now, &mut world.rng, &first);
    world.run_until("an answer", MINUTE, |w| {
        w.phone.pairing_events.contains(&PairingEvent::Ended(ErrorCode::CODE_EXPIRED))
    });
}

#[test]
fn a_burnt_code_is_told_and_another_works() {
    // req: HSK-012, HSK-100
    let mut world = World::new(6);
    world.app.pair(world.now, &mut world.rng).unwrap();
    world.settle();
    let burnt = world.code();
    world.phone.scan(world.now, &mut world.rng, &burnt);
    let digits = world.check_code();
    let right: u16 = digits.parse().unwrap();
    for above in 1..4 {
        let wrong = format!("{:04}", (right + above) % 10_000);
        world.phone.pairing().enter_check_code(world.now, &wrong).unwrap();
    }
    world.wait_for("burnt", |event| matches!(event, AppEvent::CodeBurnt { asks: true, .. }).then_some(()));
    world.run_for(Duration::from_mins(2));
    assert_eq!(world.code(), burnt, "no other code before the user asks");
    assert!(world.web_sockets.is_empty(), "and no mailbox is held for one");
    world.app.new_code(world.now, &mut world.rng).unwrap();
    world.settle();
    assert_ne!(world.code(), burnt);
    let again = world.app.new_code(world.now, &mut world.rng);
    assert!(matches!(again, Err(VerbError::NotAsked)), "a code is shown");
    assert_eq!(world.app.store().link().unwrap(), None, "nothing is stored");
    let text = world.code();
    world.events.retain(|event| !matches!(event, AppEvent::CheckCode(_)));
    world.phone.scan(world.now, &mut world.rng, &text);
    let digits = world.check_code();
    world.phone.pairing().enter_check_code(world.now, &digits).unwrap();
    world.settle();
    world.phone.approve(world.now, &mut world.rng);
    world.wait_for("the number", |event| matches!(event, AppEvent::NumberWanted { .. }).then_some(()));
    world.app.stop_pairing(world.now).unwrap();
    world.settle();
    assert_eq!(world.app.store().link().unwrap(), None, "nothing is stored");
}

#[test]
fn replies_and_what_was_read_reach_the_phone_as_commands() {
    let mut world = synced(8);
    let _ = world.app.send_text(world.now, &mut keys(), 1, "yes", Some(7), None).unwrap();
    let _ = world.app.mark_read(world.now, &mut keys(), 2, 10).unwrap();
    world.run_until("answered", MINUTE, |w| w.app.store().commands_open().unwrap() == 0);
    let commands: Vec<_> = world.phone.app.commands.iter().map(|(_, command)| command.clone()).collect();
    let reply = Command::SendText { chat: 1, text: "yes".into(), reply_to: Some(7) };
    assert_eq!(commands, [reply, Command::MarkRead { chat: 2, message: 10 }]);
}

#[test]
fn a_client_id_names_one_command_whatever_happens() {
    let mut world = synced(7);
    let first = world.app.send_text(world.now, &mut keys(), 1, "once", None, Some("a")).unwrap();
    let again = world.app.send_text(world.now, &mut keys(), 1, "once", None, Some("a")).unwrap();
    assert_eq!(first, again);
    let _ = world.wait_for("result", |e| match e {
        AppEvent::Result { client_id, outcome: Ok(Some(message)), .. }
            if client_id.as_deref() == Some("a") =>
        {
            Some(*message)
        }
        _ => None,
    });
    world.restart_web();
    let late = world.app.send_text(world.now, &mut keys(), 1, "once", None, Some("a")).unwrap();
    assert_eq!(first, late);
    world.run_until_live();
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.phone.app.commands.len(), 1);
    let stored = world.app.store().command_of_client("a").unwrap().unwrap();
    assert_eq!((stored.state, stored.result), (CommandState::Accepted, Some(1_001)));
}

#[test]
fn what_is_sent_while_the_program_is_stopped_leaves_once_it_runs() {
    let mut world = synced(8);
    world.stop_web();
    let mut app = open(&world.dir, world.now, &mut world.rng);
    for n in 0..20 {
        let _ = app
            .send_text(world.now, &mut keys(), 1, &format!("text {n}"), None, Some(&format!("id {n}")))
            .unwrap();
        assert_eq!(app.settle(world.now, &mut world.rng).unwrap().failure, None);
    }
    drop(app);
    world.restart_web();
    world.run_until_live();
    world.run_until("all commands", MINUTE, |w| w.app.store().commands_open().unwrap() == 0);
    let texts: Vec<_> = world
        .phone
        .app
        .commands
        .iter()
        .map(|(_, command)| match command {
            Command::SendText { text, .. } => text.clone(),
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert_eq!(texts, (0..20).map(|n| format!("text {n}")).collect::<Vec<_>>());
}

#[test]
fn a_refused_command_is_told_with_its_reason() {
    let mut world = synced(9);
    world.phone.app.answer_with = Some(ErrorCode::REFUSED);
    let _ = world.app.send_text(world.now, &mut keys(), 99, "to nobody", None, Some("b")).unwrap();
    let code = world.wait_for("result", |e| match e {
        AppEvent::Result { outcome: Err(code), .. } => Some(*code),
        _ => None,
    });
    assert_eq!(code, ErrorCode::REFUSED);
    let stored = world.app.store().command_of_client("b").unwrap().unwrap();
    assert_eq!((stored.state, stored.error), (CommandState::Failed, Some(ErrorCode::REFUSED)));
    assert!(matches!(
        world.app.send_text(world.now, &mut keys(), 1, "", None, None),
        Err(VerbError::TextLength)
    ));
    let long = "x".repeat(8_193);
    assert!(matches!(
        world.app.send_text(world.now, &mut keys(), 1, &long, None, None),
        Err(VerbError::TextLength)
    ));
}

#[test]
fn a_revoked_companion_forgets_keys_messages_and_media() {
    let mut world = synced(17);
    let content = world.phone.has(vec![1; 1_000]);
    world.app.get(content, &world.dir.parent().unwrap().join("out")).unwrap();
    world.run_until("fetched", MINUTE, |w| is_done(w, Direction::Get));
    world.phone.revoke(world.now);
    world.wait_for("revoked", |event| matches!(event, AppEvent::Revoked).then_some(()));
    assert!(!world.app.is_linked());
    assert!(world.web_sockets.is_empty());
    let counts = world.app.store().counts().unwrap();
    assert_eq!((counts.chats, counts.messages), (0, 0));
    assert_eq!(std::fs::read_dir(world.dir.join("media")).unwrap().count(), 0);
    world.restart_web();
    assert!(!world.app.is_linked());
    assert_eq!(world.app.store().link().unwrap(), None);
}

#[test]
fn a_copied_directory_is_noticed_and_told() {
    let mut world = synced(18);
    let copy = world.dir.parent().unwrap().join("copy");
    world.stop_web();
    copy_dir(&world.dir, &copy);
    world.restart_web();
    world.run_until_live();
    world.stop_web();
    // The original has moved on; now the copy comes.
    world.dir = copy;
    world.restart_web();
    world.wait_for("diverged", |event| matches!(event, AppEvent::Diverged).then_some(()));
    assert_eq!(world.app.store().link().unwrap().unwrap().state, LinkRowState::Diverged);
    assert!(world.app.is_linked(), "keys are not wiped for it");
}

fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to.join(entry.file_name()));
        } else {
            let _ = std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn states_are_told_and_a_linked_companion_shows_no_code() {
    let mut world = World::live(19);
    assert!(world.states().contains(&LinkState::Live));
    assert!(matches!(world.app.pair(world.now, &mut world.rng), Err(VerbError::Linked)));
    assert!(matches!(world.app.enter_number(world.now, "00"), Err(VerbError::NotAsked)));
    assert!(matches!(world.app.stop_pairing(world.now), Err(VerbError::NotAsked)));
    assert!(matches!(world.app.new_code(world.now, &mut world.rng), Err(VerbError::Linked)));
    let mut unlinked = World::new(20);
    assert!(matches!(
        unlinked.app.send_text(unlinked.now, &mut keys(), 1, "x", None, None),
        Err(VerbError::NotLinked)
    ));
    let out = unlinked.dir.join("out");
    assert!(matches!(unlinked.app.get(ContentId::from_bytes([0; 32]), &out), Err(VerbError::NotLinked)));
}
