//! Content that goes up from the real companion to the real phone, and goes on after a session that was lost.

use std::path::PathBuf;

use crate::both::{Both, MINUTE, keys};
use crate::world::account::large;
use handfast::codec::ids::ContentId;
use handfast_testkit::Clocked as _;
use reference_web::app::AppEvent;
use reference_web::store::Direction;

/// Changes an epoch of the companion's stored session, so that the next connection is a RESET.
const SPOIL_EPOCH: &str = "UPDATE handfast
    SET value = unhex(substr(hex(value), 1, 2) || '00000000000000000000000000000000' || substr(hex(value), 35))
    WHERE key = x'11'";

fn puts(both: &Both) -> impl DoubleEndedIterator<Item = (u64, bool)> {
    both.events.iter().filter_map(|event| match event {
        AppEvent::Transfer { direction: Direction::Put, offset, done, error, .. } => {
            assert_eq!(*error, None);
            Some((*offset, *done))
        }
        _ => None,
    })
}

fn is_done(both: &Both) -> bool {
    puts(both).any(|(_, done)| done)
}

/// A companion in the middle of sending 9 MB to chat 1, and the content.
fn uploading(seed: u64) -> (Both, ContentId, Vec<u8>) {
    let mut both = Both::linked(seed, 2, 5);
    both.run_for(MINUTE);
    let bytes = large();
    let content = send(&mut both, 1, &bytes);
    both.step_until(|b| puts(b).next_back().is_some_and(|(offset, _)| offset > 3_000_000));
    assert!(!is_done(&both), "the cut comes in the middle");
    (both, content, bytes)
}

fn send(both: &mut Both, chat: u64, bytes: &[u8]) -> ContentId {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let imported = both.web().store().media().import(file.path()).unwrap();
    let content = imported.content;
    let _ = both.web().send_media(&mut keys(), chat, imported, None).unwrap();
    content
}

/// The phone's file of an upload under way.
fn part(both: &Both, content: ContentId) -> PathBuf {
    let name = format!("{content}.part");
    let mut files = std::fs::read_dir(both.phone_media()).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.to_string_lossy().ends_with(&name)).unwrap()
}

/// The upload ends well. Returns the first offset that the phone reports.
fn finish(both: &mut Both, content: ContentId, bytes: &[u8]) -> u64 {
    both.run_until("sent", |b| is_done(b));
    assert_eq!(std::fs::read(both.phone_media().join(content.to_string())).unwrap(), bytes);
    both.run_for(MINUTE);
    assert!(std::fs::read_dir(both.phone_media()).unwrap().count() == 1, "nothing is left of it");
    puts(both).next().unwrap().0
}

#[test]
fn an_upload_goes_on_behind_what_was_reported_after_a_reset() {
    // req: STR-023
    let (mut both, content, bytes) = uploading(41);
    both.events.clear();
    assert_eq!(both.damage(SPOIL_EPOCH), 1);
    let first = finish(&mut both, content, &bytes);
    assert!(first > 3_000_000, "it does not begin at 0: {first}");
}

#[test]
fn an_upload_whose_part_went_bad_begins_anew_after_a_reset() {
    // req: STR-023, STR-020
    let (mut both, content, bytes) = uploading(42);
    both.events.clear();
    let path = part(&both, content);
    let mut found = std::fs::read(&path).unwrap();
    found[300_000] ^= 1;
    std::fs::write(&path, found).unwrap();
    assert_eq!(both.damage(SPOIL_EPOCH), 1);
    let first = finish(&mut both, content, &bytes);
    assert!(first < 3_000_000, "nothing behind a bad chunk is kept: {first}");
}

#[test]
fn an_upload_goes_on_after_a_reset_and_a_restart_of_the_phone() {
    let (mut both, content, bytes) = uploading(43);
    both.events.clear();
    assert_eq!(both.damage(SPOIL_EPOCH), 1);
    both.step_until(|b| puts(b).next_back().is_some_and(|(offset, _)| offset > 6_000_000));
    both.away(|_| ());
    let first = finish(&mut both, content, &bytes);
    assert!(first > 3_000_000, "{first}");
}

#[test]
fn the_same_content_goes_up_once_for_two_chats() {
    // req: STR-022, STR-012
    let (mut both, content, bytes) = uploading(44);
    assert_eq!(send(&mut both, 2, &bytes), content);
    both.run_until("both sent", |b| puts(b).filter(|(_, done)| *done).count() == 2);
    assert_eq!(std::fs::read(both.phone_media().join(content.to_string())).unwrap(), bytes);
    for chat in [1, 2] {
        assert_eq!(
            both.phone().store().history(chat, 0, 1).unwrap()[0].message.media.as_ref().unwrap().content,
            content
        );
    }
    // What the phone has already does not go up at all.
    both.events.clear();
    assert_eq!(send(&mut both, 2, &bytes), content);
    both.run_until("sent again", |b| is_done(b));
    assert!(puts(&both).all(|(offset, done)| done || offset == 0), "{:?}", puts(&both).collect::<Vec<_>>());
}

#[test]
fn files_arrive_in_the_order_in_which_they_were_sent() {
    let mut both = Both::linked(45, 2, 5);
    both.run_for(MINUTE);
    let lens = [1_500_000, 10, 400_000, 1, 300, 70_000];
    let bytes = |at: usize, len: usize| vec![u8::try_from(at).unwrap(); len];
    let sent: Vec<_> =
        lens.iter().enumerate().map(|(at, len)| send(&mut both, 1, &bytes(at, *len))).collect();
    both.run_until("all sent", |b| puts(b).filter(|(_, done)| *done).count() == lens.len());
    both.run_for(MINUTE);
    let mut all = both.phone().store().history(1, 0, 50).unwrap();
    all.sort_by_key(|one| one.message.message);
    let came: Vec<_> = all.iter().filter_map(|one| Some(one.message.media.as_ref()?.content)).collect();
    assert_eq!(came, sent);
}
