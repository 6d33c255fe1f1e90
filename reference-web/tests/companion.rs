//! The companion whole: codes, the mirror, commands, transfers, the end of a link; over the relay's core and a phone.

mod world;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use handfast::ErrorCode;
use handfast::codec::ids::ContentId;
use handfast::codec::limits::{MEDIA_CHUNK_LEN, STREAM_CREDIT_START};
use handfast::codec::message::{CollectionName, Command, Item, Message, MessageState};
use handfast::session::media::ChunkList;
use handfast::session::{LinkState, PairingEvent};
use reference_web::app::{AppEvent, VerbError};
use reference_web::store::{CommandState, Direction, LinkRowState};
use sha2::{Digest, Sha256};
use world::phone::Content;
use world::{MINUTE, World, open};

fn chat(chat: u64, last_message: u64) -> Item {
    Item::Chat {
        chat,
        title: format!("chat {chat}"),
        last_message,
        last_text: "hi".into(),
        last_time: 1,
        unread: 0,
    }
}

fn message(chat: u64, message: u64, text: &str) -> Item {
    Item::Message(Message {
        chat,
        message,
        author: "Bob".into(),
        time: 1,
        text: text.into(),
        state: MessageState::Received,
        reply_to: None,
        media: None,
        command: None,
    })
}

/// A phone with some chats, and a companion that has them.
fn synced(seed: u64) -> World {
    let mut world = World::new(seed);
    for n in 1..=3 {
        world.phone.add(world.now, CollectionName::Chats, &chat(n, 10));
        for id in 1..=10 {
            world.phone.add(world.now, CollectionName::Messages(n), &message(n, id, "hello"));
        }
    }
    world.pair();
    world.run_until_live();
    world.run_until("all rows", MINUTE, |w| w.app.store().counts().unwrap().messages == 30);
    world
}

fn file(world: &World, name: &str, len: usize) -> (PathBuf, Vec<u8>) {
    let bytes: Vec<u8> = (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
    let path = world.dir.parent().unwrap().join(name);
    std::fs::write(&path, &bytes).unwrap();
    (path, bytes)
}

fn offset(world: &World, direction: Direction) -> u64 {
    let of = |event: &AppEvent| match event {
        AppEvent::Transfer { direction: d, offset, .. } if *d == direction => Some(*offset),
        _ => None,
    };
    world.events.iter().rev().find_map(of).unwrap_or(0)
}

fn is_done(world: &World, direction: Direction) -> bool {
    world
        .events
        .iter()
        .any(|e| matches!(e, AppEvent::Transfer { direction: d, done: true, .. } if *d == direction))
}

fn attach(world: &mut World, path: &std::path::Path, client_id: &str) -> ContentId {
    let imported = world.app.store().media().import(path).unwrap();
    let content = imported.content;
    let _ = world.app.send_media(1, imported, Some(client_id)).unwrap();
    world.settle();
    content
}

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
fn syn_006_an_item_that_does_not_decode_is_skipped_and_told() {
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
    // req: HSK-012
    let mut world = World::new(6);
    world.app.pair(world.now, &mut world.rng).unwrap();
    world.settle();
    let burnt = world.code();
    world.phone.scan(world.now, &mut world.rng, &burnt);
    let digits = world.check_code();
    let wrong = if digits == "0000" { "0001" } else { "0000" };
    for _ in 0..3 {
        world.phone.pairing().enter_check_code(world.now, wrong).unwrap();
    }
    world.wait_for("burnt", |event| matches!(event, AppEvent::CodeBurnt { .. }).then_some(()));
    assert_ne!(world.code(), burnt);
    assert_eq!(world.app.store().link().unwrap(), None, "nothing is stored");
    let text = world.code();
    world.events.retain(|event| !matches!(event, AppEvent::CheckCode(_)));
    world.phone.scan(world.now, &mut world.rng, &text);
    let digits = world.check_code();
    world.phone.pairing().enter_check_code(world.now, &digits).unwrap();
    world.settle();
    world.phone.approve(world.now, &mut world.rng);
    world.wait_for("NN", |event| matches!(event, AppEvent::ConfirmNn { .. }).then_some(()));
    world.app.confirm(world.now, false).unwrap();
    world.settle();
    assert_eq!(world.app.store().link().unwrap(), None, "no means that nothing is stored");
}

#[test]
fn a_client_id_names_one_command_whatever_happens() {
    let mut world = synced(7);
    let first = world.app.send_text(world.now, 1, "once", Some("a")).unwrap();
    let again = world.app.send_text(world.now, 1, "once", Some("a")).unwrap();
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
    let late = world.app.send_text(world.now, 1, "once", Some("a")).unwrap();
    assert_eq!(first, late);
    world.run_until_live();
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.phone.commands.len(), 1);
    let stored = world.app.store().command_of_client("a").unwrap().unwrap();
    assert_eq!((stored.state, stored.result), (CommandState::Accepted, Some(1_000 + stored.cmd_id)));
}

#[test]
fn what_is_sent_while_the_program_is_stopped_leaves_once_it_runs() {
    let mut world = synced(8);
    world.stop_web();
    let mut app = open(&world.dir, world.now, &mut world.rng);
    for n in 0..20 {
        let _ = app.send_text(world.now, 1, &format!("text {n}"), Some(&format!("id {n}"))).unwrap();
        assert_eq!(app.settle(world.now, &mut world.rng).unwrap().failure, None);
    }
    drop(app);
    world.restart_web();
    world.run_until_live();
    world.run_until("all commands", MINUTE, |w| w.app.store().commands_open().unwrap() == 0);
    let texts: Vec<_> = world
        .phone
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
    world.phone.answer_with = Some(ErrorCode::REFUSED);
    let _ = world.app.send_text(world.now, 99, "to nobody", Some("b")).unwrap();
    let code = world.wait_for("result", |e| match e {
        AppEvent::Result { outcome: Err(code), .. } => Some(*code),
        _ => None,
    });
    assert_eq!(code, ErrorCode::REFUSED);
    let stored = world.app.store().command_of_client("b").unwrap().unwrap();
    assert_eq!((stored.state, stored.error), (CommandState::Failed, Some(ErrorCode::REFUSED)));
    assert!(matches!(world.app.send_text(world.now, 1, "", None), Err(VerbError::TextLength)));
    let long = "x".repeat(8_193);
    assert!(matches!(world.app.send_text(world.now, 1, &long, None), Err(VerbError::TextLength)));
}

#[test]
fn a_file_is_uploaded_and_then_sent_in_one_step() {
    let mut world = synced(10);
    let (path, bytes) = file(&world, "photo.png", 300_000);
    let content = attach(&mut world, &path, "up");
    world.run_until("sent", MINUTE, |w| !w.phone.commands.is_empty());
    let received = &world.phone.received[&content];
    assert!(received.ends_with(&bytes), "the phone has it");
    let Command::SendMedia { chat, media, .. } = &world.phone.commands[0].1 else { panic!("no media") };
    assert_eq!((*chat, media.content, media.size), (1, content, 300_000));
    assert_eq!((media.media_type.as_str(), media.name.as_str()), ("application/octet-stream", "photo.png"));
    world.run_until("result", MINUTE, |w| w.app.store().commands_open().unwrap() == 0);
    assert!(is_done(&world, Direction::Put));
    assert!(world.app.media_of_client(Some("up")).unwrap().unwrap().cmd_id.is_some());
    assert_eq!(world.app.store().transfers_open().unwrap(), []);
}

#[test]
fn an_upload_goes_on_at_its_offset_after_a_crash() {
    let mut world = synced(11);
    let (path, bytes) = file(&world, "film.mp4", 2_000_000);
    let content = attach_without_running(&mut world, &path);
    step_until(&mut world, |w| w.phone.arrived > 500_000);
    assert!(world.phone.arrived < 2_000_000, "the crash comes in the middle");
    world.restart_web();
    world.run_until("sent", 5 * MINUTE, |w| !w.phone.commands.is_empty());
    assert!(world.phone.received[&content].ends_with(&bytes));
    let twice = world.phone.arrived - u64::try_from(world.phone.received[&content].len()).unwrap();
    assert!(twice <= 1_048_576, "{twice} bytes came twice");
}

fn attach_without_running(world: &mut World, path: &std::path::Path) -> ContentId {
    let imported = world.app.store().media().import(path).unwrap();
    let content = imported.content;
    let _ = world.app.send_media(1, imported, None).unwrap();
    content
}

/// Moves bit by bit, so that a test may stop in the middle of a transfer.
fn step_until(world: &mut World, done: impl Fn(&World) -> bool) {
    for _ in 0..200_000 {
        if done(world) {
            return;
        }
        world.step();
    }
    panic!("it does not come to pass: {:?}", world.events.last());
}

#[test]
fn content_is_fetched_checked_and_copied_to_where_it_is_wanted() {
    let mut world = synced(12);
    let bytes: Vec<u8> = (0..400_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    let content = world.phone.has(bytes.clone());
    let out = world.dir.parent().unwrap().join("out");
    world.app.get(content, &out).unwrap();
    world.run_until("fetched", MINUTE, |w| is_done(w, Direction::Get));
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
    assert_eq!(std::fs::read(world.dir.join("media").join(content.to_string())).unwrap(), bytes);
    // It is here now: the phone is not asked again.
    world.stop_web();
    world.restart_web();
    let again = world.dir.parent().unwrap().join("again");
    world.app.get(content, &again).unwrap();
    world.settle();
    assert_eq!(std::fs::read(&again).unwrap(), bytes);
}

#[test]
fn str_018_the_last_byte_of_a_fetch_is_reported_with_fin() {
    // req: STR-018
    let mut world = synced(21);
    let bytes = vec![7; 400_000];
    let content = world.phone.has(bytes.clone());
    world.phone.holds_fin = true;
    let out = world.dir.parent().unwrap().join("out");
    world.app.get(content, &out).unwrap();
    world.run_for(MINUTE);
    let reported = offset(&world, Direction::Get);
    assert!((65_536..400_000).contains(&reported), "chunks before the last: {reported}");
    assert!(world.phone.stream_ends.is_empty() && !is_done(&world, Direction::Get));
    world.phone.release_fin(world.now);
    world.run_until("fetched", MINUTE, |w| is_done(w, Direction::Get));
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
}

#[test]
fn a_fetch_goes_on_at_its_offset_after_a_crash() {
    let mut world = synced(13);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_be_bytes()[2] ^ n.to_be_bytes()[3]).collect();
    let content = world.phone.has(bytes.clone());
    let out = world.dir.parent().unwrap().join("out");
    world.app.get(content, &out).unwrap();
    step_until(&mut world, |w| offset(w, Direction::Get) > 1_000_000);
    let before = offset(&world, Direction::Get);
    assert!(!is_done(&world, Direction::Get), "the crash comes in the middle");
    world.events.clear();
    world.restart_web();
    world.run_until("fetched", 5 * MINUTE, |w| is_done(w, Direction::Get));
    let first = world.events.iter().find_map(|event| match event {
        AppEvent::Transfer { offset, .. } => Some(*offset),
        _ => None,
    });
    assert!(first.unwrap() > before, "it goes on behind {before}, and does not begin at 0: {first:?}");
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
}

#[test]
fn str_010_changed_content_is_refused_and_not_kept() {
    // req: STR-010
    let mut world = synced(14);
    let mut bytes = vec![7_u8; 200_000];
    let content = world.phone.has(bytes.clone());
    bytes[150_000] ^= 1;
    let give = move |from: u64, max: usize| {
        let from = usize::try_from(from).unwrap();
        bytes[from..bytes.len().min(from + max)].to_vec()
    };
    world.phone.content.get_mut(&content).unwrap().bytes = Box::new(give);
    let out = world.dir.parent().unwrap().join("out");
    world.app.get(content, &out).unwrap();
    assert_eq!(failure(&mut world), ErrorCode::HASH);
    assert!(!out.exists() && !world.app.store().media().has(content));
}

#[test]
fn content_that_is_gone_is_told() {
    // req: STR-011
    let mut world = synced(15);
    let out = world.dir.parent().unwrap().join("out");
    world.app.get(ContentId::from_bytes([1; 32]), &out).unwrap();
    assert_eq!(failure(&mut world), ErrorCode::GONE);
    assert_eq!(world.app.store().transfers_open().unwrap(), []);
}

fn failure(world: &mut World) -> ErrorCode {
    world.wait_for("failed", |event| match event {
        AppEvent::Transfer { error, .. } => *error,
        _ => None,
    })
}

/// Content of zeros, whose list alone is longer than the credit that a get begins with.
fn long_list(world: &mut World) -> (ContentId, u64) {
    let chunks = 2_100_u64;
    let hash = Sha256::digest(vec![0; usize::try_from(MEDIA_CHUNK_LEN).unwrap()]);
    let mut list = (chunks * MEDIA_CHUNK_LEN).to_be_bytes().to_vec();
    for _ in 0..chunks {
        list.extend_from_slice(&hash);
    }
    let list = ChunkList::decode(&list).unwrap();
    let (content, len) = (list.content_id(), list.encoded_len());
    assert!(len > STREAM_CREDIT_START);
    let size = list.size();
    let give = move |from: u64, max: usize| vec![0; usize::try_from(size - from).unwrap().min(max)];
    let _ = world.phone.content.insert(content, Content { list, bytes: Box::new(give) });
    (content, len)
}

#[test]
fn a_list_that_is_longer_than_the_credit_arrives_too() {
    // req: STR-006
    let mut world = synced(16);
    let (content, list_len) = long_list(&mut world);
    let out = world.dir.parent().unwrap().join("out");
    world.app.get(content, &out).unwrap();
    step_until(&mut world, |w| offset(w, Direction::Get) > 0);
    let before = offset(&world, Direction::Get);
    assert!(before < list_len, "the crash comes in the middle of the list");
    world.restart_web();
    world.events.clear();
    world.run_web_until_live();
    step_until(&mut world, |w| offset(w, Direction::Get) > list_len + 4 * MEDIA_CHUNK_LEN);
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
    assert!(matches!(world.app.confirm(world.now, true), Err(VerbError::NotAsked)));
    let mut unlinked = World::new(20);
    assert!(matches!(unlinked.app.send_text(unlinked.now, 1, "x", None), Err(VerbError::NotLinked)));
    let out = unlinked.dir.join("out");
    assert!(matches!(unlinked.app.get(ContentId::from_bytes([0; 32]), &out), Err(VerbError::NotLinked)));
}
