//! Content that goes up and comes down; over the relay's core and a phone.

use std::path::PathBuf;

use crate::world::account::{is_done, large, offset, synced};
use crate::world::phone::Content;
use crate::world::{MINUTE, World, keys};
use handfast::ErrorCode;
use handfast::codec::ids::ContentId;
use handfast::codec::limits::{MEDIA_CHUNK_LEN, STREAM_CREDIT_START};
use handfast::media::ChunkList;
use handfast::session::LinkState;
use handfast_messages::Command;
use handfast_testkit::Clocked as _;
use reference_web::app::AppEvent;
use reference_web::store::Direction;
use sha2::{Digest, Sha256};

fn file(world: &World, name: &str, len: usize) -> (PathBuf, Vec<u8>) {
    let bytes: Vec<u8> = (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
    let path = world.dir.parent().unwrap().join(name);
    std::fs::write(&path, &bytes).unwrap();
    (path, bytes)
}

fn attach(world: &mut World, path: &std::path::Path, client_id: Option<&str>) -> ContentId {
    let imported = world.app.store().media().import(path).unwrap();
    let content = imported.content;
    let _ = world.app.send_media(&mut keys(), 1, imported, client_id).unwrap();
    content
}

#[test]
fn a_file_is_uploaded_and_then_sent_in_one_step() {
    let mut world = synced(10);
    let (path, bytes) = file(&world, "photo.png", 300_000);
    let content = attach(&mut world, &path, Some("up"));
    world.run_until("sent", MINUTE, |w| !w.phone.app.commands.is_empty());
    let received = &world.phone.app.received[&content];
    assert!(received.ends_with(&bytes), "the phone has it");
    let Command::SendMedia { chat, media, .. } = &world.phone.app.commands[0].1 else { panic!("no media") };
    assert_eq!((*chat, media.content, media.size), (1, content, 300_000));
    assert_eq!((media.media_type.as_str(), media.name.as_str()), ("application/octet-stream", "photo.png"));
    world.run_until("result", MINUTE, |w| w.app.store().commands_open().unwrap() == 0);
    assert!(is_done(&world, Direction::Put));
    assert_eq!(
        world.app.media_of_client(Some("up")).unwrap().unwrap().command,
        world.phone.app.commands[0].0
    );
    assert_eq!(world.app.store().transfers_open().unwrap(), []);
}

#[test]
fn an_upload_goes_on_at_its_offset_after_a_crash() {
    let mut world = synced(11);
    let (path, bytes) = file(&world, "film.mp4", 2_000_000);
    let content = attach(&mut world, &path, None);
    world.step_until(|w| w.phone.app.arrived > 500_000);
    assert!(world.phone.app.arrived < 2_000_000, "the crash comes in the middle");
    world.restart_web();
    world.run_until("sent", 5 * MINUTE, |w| !w.phone.app.commands.is_empty());
    assert!(world.phone.app.received[&content].ends_with(&bytes));
    let twice = world.phone.app.arrived - u64::try_from(world.phone.app.received[&content].len()).unwrap();
    assert!(twice <= 1_048_576, "{twice} bytes came twice");
}

#[test]
fn content_is_fetched_checked_and_copied_to_where_it_is_wanted() {
    let mut world = synced(12);
    let bytes: Vec<u8> = (0..400_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    let content = world.phone.has(bytes.clone());
    let out = world.get(content);
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
fn the_last_byte_of_a_fetch_is_reported_with_fin() {
    // req: STR-018
    let mut world = synced(21);
    let bytes = vec![7; 5_000_000];
    let content = world.phone.has(bytes.clone());
    world.phone.app.holds_fin = true;
    let out = world.get(content);
    world.run_for(MINUTE);
    let reported = offset(&world, Direction::Get);
    assert!((65_536..5_000_000).contains(&reported), "chunks before the last: {reported}");
    assert!(world.phone.app.stream_ends.is_empty() && !is_done(&world, Direction::Get));
    world.phone.release_fin(world.now);
    world.run_until("fetched", MINUTE, |w| is_done(w, Direction::Get));
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
}

/// A companion that has fetched more than 3 MB of 9 MB.
fn fetching(seed: u64) -> (World, ContentId, Vec<u8>, PathBuf) {
    let mut world = synced(seed);
    let bytes = large();
    let content = world.phone.has(bytes.clone());
    let out = world.get(content);
    world.step_until(|w| offset(w, Direction::Get) > 3_000_000);
    assert!(!is_done(&world, Direction::Get), "the cut comes in the middle");
    (world, content, bytes, out)
}

#[test]
fn a_fetch_goes_on_at_its_offset_after_a_crash() {
    let (mut world, _, bytes, out) = fetching(13);
    let before = offset(&world, Direction::Get);
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

/// A companion that has fetched more than 3 MB of 9 MB, ended, with a session that cannot be resumed.
fn cut_by_reset(seed: u64) -> (World, ContentId, Vec<u8>, PathBuf) {
    let mut cut = fetching(seed);
    cut.0.stop_web_and_reset();
    cut
}

#[test]
fn a_fetch_goes_on_behind_its_good_chunks_after_a_reset() {
    // req: STR-023
    let (mut world, _, bytes, out) = cut_by_reset(17);
    world.events.clear();
    world.restart_web();
    world.run_until("fetched", 5 * MINUTE, |w| is_done(w, Direction::Get));
    assert_eq!(world.phone.app.asked_from.len(), 2, "a new stream");
    assert!(world.phone.app.asked_from[1] >= 45 * MEDIA_CHUNK_LEN, "{:?}", world.phone.app.asked_from);
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
}

#[test]
fn a_fetch_goes_on_at_the_first_bad_chunk_after_a_reset() {
    // req: STR-023
    let (mut world, content, bytes, out) = cut_by_reset(18);
    let part = world.dir.join("media").join(format!("{content}.part"));
    let mut found = std::fs::read(&part).unwrap();
    found[300_000] ^= 1;
    std::fs::write(&part, found).unwrap();
    world.restart_web();
    world.run_until("fetched", 5 * MINUTE, |w| is_done(w, Direction::Get));
    assert_eq!(world.phone.app.asked_from, [0, 4 * MEDIA_CHUNK_LEN]);
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
}

#[test]
fn a_fetch_that_is_cut_twice_by_a_reset_goes_on_twice() {
    let (mut world, _, bytes, out) = cut_by_reset(19);
    world.events.clear();
    world.restart_web();
    world.step_until(|w| offset(w, Direction::Get) > 6_000_000);
    world.restart_web();
    world.step_until(|w| offset(w, Direction::Get) > 6_900_000);
    world.stop_web_and_reset();
    world.restart_web();
    world.run_until("fetched", 5 * MINUTE, |w| is_done(w, Direction::Get));
    assert_eq!(world.phone.app.asked_from.len(), 3, "a crash alone needs no new stream");
    assert!(world.phone.app.asked_from[2] >= 102 * MEDIA_CHUNK_LEN, "{:?}", world.phone.app.asked_from);
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
}

#[test]
fn changed_content_is_refused_and_not_kept() {
    // req: STR-010
    let mut world = synced(14);
    let mut bytes = vec![7_u8; 200_000];
    let content = world.phone.has(bytes.clone());
    bytes[150_000] ^= 1;
    let give = move |from: u64, max: usize| {
        let from = usize::try_from(from).unwrap();
        bytes[from..bytes.len().min(from + max)].to_vec()
    };
    world.phone.app.content.get_mut(&content).unwrap().bytes = Box::new(give);
    let out = world.get(content);
    assert_eq!(failure(&mut world), ErrorCode::HASH);
    assert!(!out.exists() && !world.app.store().media().has(content));
}

#[test]
fn content_that_is_gone_is_told() {
    // req: STR-011
    let mut world = synced(15);
    let _ = world.get(ContentId::from_bytes([1; 32]));
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
    let _ = world.phone.app.content.insert(content, Content { list, bytes: Box::new(give) });
    (content, len)
}

#[test]
fn a_list_that_is_longer_than_the_credit_arrives_too() {
    // req: STR-006
    let mut world = synced(16);
    let (content, list_len) = long_list(&mut world);
    let _ = world.get(content);
    let stored = |w: &World| w.app.store().transfers_open().unwrap()[0].offset;
    world.step_until(|w| stored(w) > 0);
    let before = stored(&world);
    assert!(before < list_len, "the crash comes in the middle of the list, not at {before}");
    world.restart_web();
    world.events.clear();
    world.step_until(|w| w.states().last() == Some(&LinkState::Live));
    world.step_until(|w| offset(w, Direction::Get) > list_len + 4 * MEDIA_CHUNK_LEN);
}
