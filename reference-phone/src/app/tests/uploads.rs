//! Content that no message refers to: the link that it belongs to, how long it is kept, and its quota.

use handfast::codec::limits::{DISK_RESERVE, UPLOAD_KEPT_MS, UPLOADS_COUNT_MAX, UPLOADS_LEN_MAX};

use super::*;

/// Returns the meta of a put of unknown content of a given size.
fn put_of(number: u8, size: u64) -> Vec<u8> {
    PutMeta { content: ContentId::from_bytes([number; 32]), offset: 0, size }.encode()
}

/// Stores complete content as if it had just arrived over a link.
fn upload(app: &mut App, link: MailboxId, number: u8, now_ms: u64) -> ContentId {
    let (bytes, list) = content(number);
    let (id, _) = app.media.put(&bytes).unwrap();
    app.store.put_media(id, &list).unwrap();
    app.store.claim(link, id, now_ms).unwrap();
    app.store.commit().unwrap();
    id
}

fn open(app: &mut App, link: &mut Link, stream: u64, meta: &[u8]) -> Result<(), ErrorCode> {
    app.open_transfer(NOW, link, stream, OpenKind::Put, meta).unwrap()
}

fn send(app: &mut App, content: ContentId) -> ResultBody {
    let media = MediaDescriptor {
        content,
        size: 70_000,
        media_type: "image/png".to_owned(),
        name: "a.png".to_owned(),
    };
    let command = Command::SendMedia { chat: 1, media, caption: None };
    let companion = CompanionId::from_bytes([1; 16]);
    app.run_command(NOW, companion, grants::ALL, CommandKey::from_bytes([1; 16]), &command.encode())
        .unwrap()
        .0
}

#[test]
fn an_upload_that_no_message_names_is_forgotten_after_a_day() {
    // req: STR-030
    for (age_ms, is_kept) in [(UPLOAD_KEPT_MS - 1, true), (UPLOAD_KEPT_MS, false)] {
        let (_dir, mut app) = phone(None);
        let (id, _) = link(&app);
        let content = upload(&mut app, id, 1, 1_000);
        let now = at(1_000 + age_ms);
        assert_eq!(app.settle(now, &mut ChaCha20Rng::seed_from_u64(4)).unwrap().failure, None);
        assert_eq!(app.store.media(content).unwrap().is_some(), is_kept, "{age_ms} ms");
        assert_eq!(app.media.open_content(content).is_ok(), is_kept, "{age_ms} ms");
        let left = Duration::from_millis(UPLOAD_KEPT_MS - age_ms);
        assert_eq!(app.deadline(), is_kept.then(|| now.mono.plus(left)), "it is due by itself");
    }
}

/// Returns both clocks for a wall-clock time, when the wall clock was never set by hand.
fn at(wall_ms: u64) -> Now {
    Now { mono: NOW.mono.plus(Duration::from_millis(wall_ms - NOW.wall_ms)), wall_ms }
}

#[test]
fn an_upload_is_as_old_as_it_was_when_the_wall_clock_is_set() {
    // req: STR-030
    let year_ms = 365 * UPLOAD_KEPT_MS;
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (_dir, mut app) = phone(None);
    let (id, _) = link(&app);
    let content = upload(&mut app, id, 1, 1_000);
    // The wall clock is set forward by a year, then back; only the monotonic clock determines the upload's
    // age.
    for (age_ms, set_ms, is_kept) in
        [(10, year_ms, true), (20, 0, true), (UPLOAD_KEPT_MS - 1, year_ms, true), (UPLOAD_KEPT_MS, 0, false)]
    {
        let steady = at(1_000 + age_ms);
        let now = Now { wall_ms: steady.wall_ms + set_ms, ..steady };
        assert_eq!(app.settle(now, &mut rng).unwrap().failure, None);
        assert_eq!(app.store.media(content).unwrap().is_some(), is_kept, "{age_ms} ms");
    }
}

#[test]
fn a_clock_that_is_set_while_the_store_fails_is_followed_later() {
    // req: STR-030
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (dir, mut app) = phone(None);
    let (id, _) = link(&app);
    let content = upload(&mut app, id, 1, 1_000);
    let hand = rusqlite::Connection::open(dir.path().join(crate::store::DATABASE)).unwrap();
    let breaks = "CREATE TRIGGER broken BEFORE UPDATE ON claims BEGIN SELECT RAISE(FAIL, 'no room'); END";
    hand.execute_batch(breaks).unwrap();
    let late = |ms: u64| Now { wall_ms: at(ms).wall_ms + 365 * UPLOAD_KEPT_MS, ..at(ms) };
    assert!(app.settle(late(2_000), &mut rng).unwrap().failure.is_some());
    // During the pause after the failure nothing expires, and the store is not tried again.
    assert_eq!(app.settle(late(2_500), &mut rng).unwrap().failure, None);
    hand.execute_batch("DROP TRIGGER broken").unwrap();
    assert_eq!(app.settle(late(90_000), &mut rng).unwrap().failure, None);
    assert!(app.store.media(content).unwrap().is_some());
    assert_eq!(app.deadline(), Some(at(1_000 + UPLOAD_KEPT_MS).mono), "it has its day");
}

#[test]
fn an_upload_that_a_message_names_stays_and_goes_with_it() {
    // req: STR-030
    let (_dir, mut app) = phone(None);
    let (id, _) = link(&app);
    app.store.put_companion(&companion(CompanionStatus::Active)).unwrap();
    let content = upload(&mut app, id, 1, 1_000);
    let ResultBody::Accepted { message, .. } = send(&mut app, content) else { panic!("not sent") };
    app.outgoing.clear();
    let later = at(1_000 + 10 * UPLOAD_KEPT_MS);
    assert_eq!(app.settle(later, &mut ChaCha20Rng::seed_from_u64(4)).unwrap().failure, None);
    assert!(app.store.media(content).unwrap().is_some());
    // The content is offered again while the message exists. The offer makes no claim, so deleting the
    // message deletes it.
    app.store.claim(id, content, later.wall_ms).unwrap();
    assert_eq!(app.store.claimed(id).unwrap().count, 0);
    assert_eq!(app.store.delete_message(1, message).unwrap(), Some(content));
}

#[test]
fn an_upload_goes_with_its_link() {
    // req: STR-030
    let (_dir, mut app) = phone(None);
    let (id, _) = link(&app);
    let other = MailboxId::from_bytes([2; 16]);
    let (alone, shared) = (upload(&mut app, id, 1, 1_000), upload(&mut app, id, 2, 1_000));
    app.store.claim(other, shared, 1_000).unwrap();
    app.forget_parts(id).unwrap();
    assert_eq!(app.settle(NOW, &mut ChaCha20Rng::seed_from_u64(4)).unwrap().failure, None);
    assert!(app.store.media(alone).unwrap().is_none() && app.media.open_content(alone).is_err());
    assert!(app.store.media(shared).unwrap().is_some(), "the other link put it as well");
}

#[test]
fn a_link_has_a_quota_of_bytes_for_what_no_message_names() {
    // req: STR-031
    for (size, answer) in [(70_000, Ok(())), (70_001, Err(ErrorCode::FULL))] {
        let (_dir, mut app) = phone(None);
        let (id, mut link) = link(&app);
        app.media = app.media.with_free_space(|_| None);
        // The running uploads take what the complete upload and the new one, of 70,000 bytes each, leave of
        // the quota.
        let _ = upload(&mut app, id, 1, 1_000);
        let left = UPLOADS_LEN_MAX - 140_000;
        assert_eq!(open(&mut app, &mut link, 0, &put_of(2, left / 2)), Ok(()));
        assert_eq!(open(&mut app, &mut link, 2, &put_of(3, left / 2)), Ok(()));
        assert_eq!(open(&mut app, &mut link, 4, &put_of(4, size)), answer, "{size}");
    }
}

#[test]
fn a_link_has_a_quota_of_contents() {
    // req: STR-031
    for (count, answer) in [(UPLOADS_COUNT_MAX - 1, Ok(())), (UPLOADS_COUNT_MAX, Err(ErrorCode::FULL))] {
        let (_dir, mut app) = phone(None);
        let (id, mut link) = link(&app);
        for number in 0..count {
            let mut hasher = ContentHasher::new();
            hasher.update(&number.to_be_bytes());
            let list = hasher.finish();
            app.store.put_media(list.content_id(), &list).unwrap();
            app.store.claim(id, list.content_id(), 1_000).unwrap();
        }
        assert_eq!(open(&mut app, &mut link, 0, &put_of(9, 1)), answer, "{count}");
        let mut other = link_of(&app, MailboxId::from_bytes([2; 16]));
        assert_eq!(open(&mut app, &mut other, 2, &put_of(8, 1)), Ok(()), "each link has its own");
    }
}

#[test]
fn parts_that_wait_for_a_stream_make_room() {
    // req: STR-031
    let (_dir, mut app) = phone(None);
    let (id, mut link) = link(&app);
    app.media = app.media.with_free_space(|_| None);
    let (old, new) = (content(1).1, content(2).1);
    app.store.put_part(id, &old).unwrap();
    app.store.put_part(id, &new).unwrap();
    let left = UPLOADS_LEN_MAX - 70_000;
    assert_eq!(open(&mut app, &mut link, 0, &put_of(3, left / 2)), Ok(()));
    assert_eq!(open(&mut app, &mut link, 2, &put_of(4, left / 2)), Ok(()));
    assert_eq!(app.store.parts(id).unwrap(), [new.content_id()], "the oldest went, and no more");
}

#[test]
fn a_put_leaves_room_on_the_disk() {
    // req: STR-032
    let enough: handfast_programs::FreeSpace = |_| Some(DISK_RESERVE + 140_000);
    let short: handfast_programs::FreeSpace = |_| Some(DISK_RESERVE + 139_999);
    for (free, answer) in [(enough, Ok(())), (short, Err(ErrorCode::FULL))] {
        let (_dir, mut app) = phone(None);
        let (_, mut link) = link(&app);
        app.media = app.media.with_free_space(free);
        assert_eq!(open(&mut app, &mut link, 0, &put_of(1, 70_000)), Ok(()));
        assert_eq!(open(&mut app, &mut link, 2, &put_of(2, 70_000)), answer, "both would come");
    }
}

#[test]
fn the_room_of_this_disk_is_known() {
    // req: STR-032
    let (_dir, app) = phone(None);
    assert!(cfg!(not(unix)) || app.media.free_space().is_some_and(|free| free > 0));
}

#[test]
fn what_no_message_names_is_there_for_its_own_link_alone() {
    // req: STR-033
    let (_dir, mut app) = phone(None);
    let (id, mut link) = link(&app);
    let other = MailboxId::from_bytes([2; 16]);
    let theirs = Companion {
        companion: CompanionId::from_bytes([2; 16]),
        link: other,
        ..companion(CompanionStatus::Active)
    };
    app.store.put_companion(&companion(CompanionStatus::Active)).unwrap();
    app.store.put_companion(&theirs).unwrap();
    let content = upload(&mut app, other, 1, 1_000);
    let meta = GetMeta { content, offset: 0 }.encode();
    let get = |app: &mut App, link: &mut Link| app.open_transfer(NOW, link, 0, OpenKind::Get, &meta).unwrap();
    assert_eq!(get(&mut app, &mut link), Err(ErrorCode::GONE));
    assert_eq!(send(&mut app, content), ResultBody::Failed { code: ErrorCode::GONE });
    app.store.claim(id, content, 1_000).unwrap();
    assert_eq!(get(&mut app, &mut link), Ok(()));
    assert!(matches!(send(&mut app, content), ResultBody::Accepted { .. }));
    assert_eq!(app.store.claimed(other).unwrap().count, 0, "it is the account's");
}
