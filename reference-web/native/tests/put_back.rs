//! A companion or a phone that is put back to an earlier state, as by a restored or a copied profile: the real ones, over
//! their stores.

use std::path::{Path, PathBuf};

use crate::both::{Both, MINUTE, copy_private, keys, phone_dir, web_dir};
use handfast::codec::ids::CompanionId;
use handfast::{DeviceRole, ErrorCode};
use handfast_testkit::Clocked as _;
use reference_phone::app::AppEvent as PhoneEvent;
use reference_web::app::AppEvent;

/// Keeps a copy of a device's directory.
fn kept(both: &Both, dir: fn(&Path) -> PathBuf) -> PathBuf {
    let copy = both.dir.path().join("kept");
    copy_private(&dir(both.dir.path()), &copy);
    copy
}

fn put_back(both: &mut Both, who: DeviceRole, copy: &Path) {
    let dir = match who {
        DeviceRole::Web => {
            both.stop_web();
            web_dir(both.dir.path())
        }
        DeviceRole::Phone => {
            both.stop_phone();
            phone_dir(both.dir.path())
        }
    };
    std::fs::remove_dir_all(&dir).unwrap();
    copy_private(copy, &dir);
    both.events.clear();
    both.phone_events.clear();
    match who {
        DeviceRole::Web => both.start_web(),
        DeviceRole::Phone => both.start_phone(),
    }
}

fn send(both: &mut Both, text: &str) {
    let now = both.now;
    let _ = both.web().send_text(now, &mut keys(), 1, text, None, None).unwrap();
}

fn answered(both: &mut Both) {
    both.run_until("answered", |b| b.web().store().commands_open().unwrap() == 0);
}

/// The texts of chat 1 at the phone, oldest first, without those of its contact.
fn texts(both: &Both) -> Vec<String> {
    let all = both.phone().store().history(1, 0, 99).unwrap();
    all.into_iter().rev().map(|row| row.message).filter(|m| m.author.is_empty()).map(|m| m.text).collect()
}

fn shown(both: &mut Both) -> Vec<String> {
    let all = both.web().store().history(1, 99).unwrap();
    all.into_iter().filter(|m| m.author.is_empty()).map(|m| m.text).collect()
}

/// Both are told once who was put back.
fn assert_told(both: &Both, put_back: DeviceRole) {
    let here: Vec<_> = both.events.iter().filter(|event| matches!(event, AppEvent::PutBack { .. })).collect();
    assert_eq!(here, [&AppEvent::PutBack { who: put_back }]);
    let companion: CompanionId = both.last_companion();
    let there: Vec<_> =
        both.phone_events.iter().filter(|event| matches!(event, PhoneEvent::PutBack { .. })).collect();
    assert_eq!(there, [&PhoneEvent::PutBack { companion, who: put_back }]);
}

#[test]
fn texts_of_a_companion_that_was_put_back_are_delivered_once() {
    // req: RES-026, RES-033, RES-034
    let mut both = Both::linked(1, 1, 3);
    both.run_for(MINUTE);
    send(&mut both, "before");
    answered(&mut both);
    both.run_for(MINUTE);
    let copy = kept(&both, web_dir);
    send(&mut both, "forgotten here");
    send(&mut both, "this too");
    answered(&mut both);
    put_back(&mut both, DeviceRole::Web, &copy);
    // They have the numbers of the two that the phone took.
    send(&mut both, "after");
    send(&mut both, "at last");
    answered(&mut both);
    both.run_for(MINUTE);
    assert_eq!(texts(&both), ["before", "forgotten here", "this too", "after", "at last"]);
    assert_eq!(shown(&mut both), texts(&both));
    assert_told(&both, DeviceRole::Web);
}

#[test]
fn a_text_that_waited_when_the_copy_was_made_is_delivered_once() {
    // req: RES-026
    let mut both = Both::linked(2, 1, 3);
    both.run_for(MINUTE);
    send(&mut both, "waits");
    both.step();
    let copy = kept(&both, web_dir);
    answered(&mut both);
    put_back(&mut both, DeviceRole::Web, &copy);
    assert_eq!(both.web().store().commands_open().unwrap(), 1, "the copy was made before the answer");
    answered(&mut both);
    both.run_for(MINUTE);
    assert_eq!((texts(&both), shown(&mut both)), (vec!["waits".to_owned()], vec!["waits".to_owned()]));
}

#[test]
fn a_phone_that_was_put_back_is_told_at_both() {
    // req: RES-040
    let mut both = Both::linked(3, 1, 3);
    both.run_for(MINUTE);
    let copy = kept(&both, phone_dir);
    send(&mut both, "lost with the phone's memory");
    answered(&mut both);
    both.run_for(MINUTE);
    put_back(&mut both, DeviceRole::Phone, &copy);
    send(&mut both, "after");
    answered(&mut both);
    both.run_for(MINUTE);
    assert_eq!((texts(&both), shown(&mut both)), (vec!["after".to_owned()], vec!["after".to_owned()]));
    assert_told(&both, DeviceRole::Phone);
}

#[test]
fn a_companion_that_is_put_back_while_it_sends_a_file_sends_it_once() {
    // req: RES-024, RES-026
    let mut both = Both::linked(4, 1, 3);
    both.run_for(MINUTE);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![7; 500_000]).unwrap();
    let imported = both.web().store().media().import(file.path()).unwrap();
    let sent = both.web().send_media(&mut keys(), 1, imported, Some("file")).unwrap();
    both.step();
    let copy = kept(&both, web_dir);
    let is_sent = |b: &mut Both| b.web().store().transfers_open().unwrap().is_empty();
    both.run_until("sent", |b| is_sent(b));
    answered(&mut both);
    put_back(&mut both, DeviceRole::Web, &copy);
    // Something else goes first, and takes the number that the file's command had.
    send(&mut both, "first");
    both.run_until("sent again", |b| is_sent(b));
    answered(&mut both);
    both.run_for(MINUTE);
    assert_eq!(
        both.web().media_of_client(Some("file")).unwrap(),
        Some(sent),
        "its key was stored at the act"
    );
    let files = both.phone().store().history(1, 0, 99).unwrap();
    assert_eq!(files.iter().filter(|row| row.message.media.is_some()).count(), 1);
    assert_eq!(texts(&both), ["", "first"]);
}

#[test]
fn what_a_companion_put_back_too_far_holds_is_shown_and_kept() {
    // req: RES-038
    let mut both = Both::linked(5, 1, 3);
    both.run_for(MINUTE);
    send(&mut both, "may have been sent");
    both.step();
    let copy = kept(&both, web_dir);
    answered(&mut both);
    // The phone keeps the keys of the last 4,096 that are settled.
    for n in 0..4_200 {
        let now = both.now;
        let _ = both.web().mark_read(now, &mut keys(), 1, 1).unwrap();
        if n % 16 == 0 {
            answered(&mut both);
        }
    }
    answered(&mut both);
    put_back(&mut both, DeviceRole::Web, &copy);
    both.run_for(MINUTE);
    let waiting = vec![(1, "may have been sent".to_owned())];
    let told: Vec<_> =
        both.events.iter().filter(|event| matches!(event, AppEvent::Forgotten { .. })).collect();
    assert_eq!(told, [&AppEvent::Forgotten { waiting }]);
    assert_eq!(both.web().store().commands_open().unwrap(), 1);
    let code = ErrorCode::COMMANDS_FORGOTTEN;
    assert!(
        both.phone_events
            .iter()
            .any(|event| matches!(event, PhoneEvent::LinkError { code: c, .. } if *c == code))
    );
}
