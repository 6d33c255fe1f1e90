//! What a peer may not do on the sync lane (spec, delivery, *Sync*).

use bytes::Bytes;
use handfast_codec::frame::{Frame, Items, PageCursor};
use handfast_codec::limits::{DELTA_UNACKED_LEN_MAX, SUBSCRIPTIONS_MAX, SYNC_ANSWERS_MAX};
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_testkit::evil::Evil;
use handfast_testkit::evil::{against_phone, subscribed};
use handfast_testkit::frames::{collection, delta};

fn after(frames: &[Frame]) -> Option<ErrorCode> {
    let mut evil = subscribed();
    evil.send(frames);
    evil.failure()
}

fn digest(cursor: u64) -> Frame {
    Frame::Digest { collection: collection(0), cursor, digest: [0; 32] }
}

fn required() -> Frame {
    Frame::SnapshotRequired { collection: collection(0), rev: 9 }
}

fn page(at: &'static [u8], next: &'static [u8], rev: u64) -> Frame {
    let cursor = |bytes| PageCursor::new(Bytes::from_static(bytes)).unwrap();
    Frame::Page {
        collection: collection(0),
        page: cursor(at),
        next: cursor(next),
        rev,
        items: Items::default(),
    }
}

fn leave(n: usize) -> Frame {
    Frame::Leave { collection: collection(n) }
}

#[test]
fn what_was_not_asked_for_is_refused() {
    // req: SYN-008
    let refused = Some(ErrorCode::FRAME_NOT_ALLOWED);
    for frame in [page(b"", b"", 1), required(), digest(1), leave(0), delta(0, 1, 0, 0)] {
        let mut evil = Evil::against(DeviceRole::Web);
        evil.send(std::slice::from_ref(&frame));
        assert_eq!(evil.failure(), refused, "without a subscription: {frame:?}");
    }
    for (frames, failure) in [
        (vec![digest(0)], None),
        (vec![digest(0), digest(0)], refused),
        (vec![page(b"", b"", 1)], refused),
        (vec![leave(0)], refused),
        (vec![required(), page(b"", b"", 9)], None),
        (vec![required(), page(b"a", b"", 9)], refused),
        (vec![required(), page(b"", b"a", 9), page(b"b", b"", 9)], refused),
        (vec![required(), delta(0, 1, 0, 0)], refused),
        (vec![required(), digest(0)], refused),
    ] {
        assert_eq!(after(&frames), failure, "{frames:?}");
    }
}

#[test]
fn a_page_that_was_given_is_not_given_again() {
    // req: SYN-008
    let mut evil = subscribed();
    evil.send(&[required()]);
    evil.send(&[page(b"", b"a", 9)]);
    assert_eq!(evil.failure(), None);
    evil.send(&[page(b"", b"a", 9)]);
    assert_eq!(evil.failure(), Some(ErrorCode::FRAME_NOT_ALLOWED));
}

#[test]
fn a_snapshot_has_one_revision() {
    // req: SYN-086
    let mut evil = subscribed();
    evil.send(&[required()]);
    evil.send(&[page(b"", b"a", 9)]);
    evil.send(&[page(b"a", b"", 10)]);
    assert_eq!(evil.failure(), Some(ErrorCode::SEQ_GAP));
}

#[test]
fn a_digest_is_not_of_an_older_cursor_and_the_next_delta_begins_at_it() {
    // req: SYN-017, SYN-031
    let gap = Some(ErrorCode::SEQ_GAP);
    assert_eq!(after(&[delta(0, 5, 0, 0), digest(4)]), gap);
    assert_eq!(after(&[delta(0, 5, 0, 0), digest(5)]), None);
    let mut evil = subscribed();
    // Nothing was received: the digest of nothing matches.
    evil.send(&[digest(7), delta(7, 8, 0, 0)]);
    assert_eq!(evil.failure(), None);
    assert_eq!(after(&[digest(7), delta(0, 8, 0, 0)]), gap);
}

#[test]
fn a_delta_below_what_a_ping_told_is_a_gap() {
    // req: SYN-024
    let ping = |rev| Frame::Ping { id: 9, rev };
    let gap = Some(ErrorCode::SEQ_GAP);
    assert_eq!(after(&[delta(0, 5, 0, 0), ping(8), delta(5, 8, 0, 0)]), gap);
    assert_eq!(after(&[delta(0, 5, 0, 0), ping(8), delta(5, 9, 0, 0)]), None);
    assert_eq!(after(&[ping(8), delta(0, 5, 0, 0)]), None, "the PING may have left before the SINCE came");
}

#[test]
fn what_is_left_may_still_arrive_until_the_answer() {
    // req: SYN-011, SYN-023
    let mut evil = subscribed();
    evil.device.machine.companion().unsubscribe(evil.now, collection(0)).unwrap();
    evil.listen();
    assert!(evil.heard.contains(&leave(0)));
    evil.send(&[delta(0, 5, 0, 0), delta(77, 78, 0, 0), digest(3), required(), page(b"x", b"", 1)]);
    assert_eq!(evil.failure(), None);
    assert!(evil.device.disk.rows.is_empty());
    evil.send(&[leave(0)]);
    assert_eq!(evil.failure(), None);
    evil.send(&[delta(0, 5, 0, 0)]);
    assert_eq!(evil.failure(), Some(ErrorCode::FRAME_NOT_ALLOWED));
}

#[test]
fn unanswered_pages_are_limited() {
    // req: SYN-020
    let get = |n| Frame::PageGet { collection: collection(n), page: PageCursor::default() };
    let most: Vec<Frame> = (0..SUBSCRIPTIONS_MAX).map(get).collect();
    assert_eq!(against_phone(&[&most[..], &most].concat()).failure(), None, "one a collection counts");
    let evil = against_phone(&(0..=SUBSCRIPTIONS_MAX).map(get).collect::<Vec<_>>());
    assert_eq!(evil.failure(), Some(ErrorCode::LIMIT));
}

#[test]
fn answers_that_wait_are_limited() {
    // req: SYN-020
    let most = vec![leave(1); SYNC_ANSWERS_MAX];
    let evil = against_phone(&most);
    assert_eq!(evil.failure(), None);
    assert_eq!(evil.heard.iter().filter(|frame| **frame == leave(1)).count(), SYNC_ANSWERS_MAX);
    assert_eq!(against_phone(&[&most[..], &[leave(1)]].concat()).failure(), Some(ErrorCode::LIMIT));
    let since = Frame::Since { collection: collection(0), cursor: 5 };
    assert_eq!(against_phone(&vec![since.clone(); SYNC_ANSWERS_MAX]).failure(), None);
    assert_eq!(against_phone(&vec![since; SYNC_ANSWERS_MAX + 1]).failure(), Some(ErrorCode::LIMIT));
}

#[test]
fn a_collection_is_subscribed_once() {
    // req: SYN-081
    let since = |n, cursor| Frame::Since { collection: collection(n), cursor };
    let leave = |n| Frame::Leave { collection: collection(n) };
    let refused = Some(ErrorCode::FRAME_NOT_ALLOWED);
    assert_eq!(against_phone(&[since(0, 0), since(0, 0)]).failure(), refused);
    assert_eq!(
        against_phone(&[since(0, 0), since(1, 0), since(0, 1)]).failure(),
        refused,
        "whatever its cursor"
    );
    assert_eq!(against_phone(&[since(0, 0), since(1, 0)]).failure(), None);
    assert_eq!(against_phone(&[since(0, 0), leave(0), since(0, 0)]).failure(), None, "after LEAVE");
    assert_eq!(against_phone(&[since(0, 9), since(0, 0)]).failure(), None, "after SNAPSHOT_REQUIRED");
}

#[test]
fn a_digest_of_the_future_is_refused() {
    // req: SYN-080
    let since = Frame::Since { collection: collection(0), cursor: 0 };
    let get = |n, cursor| Frame::DigestGet { collection: collection(n), cursor };
    assert_eq!(against_phone(&[since.clone(), get(0, 1)]).failure(), Some(ErrorCode::ACK_FUTURE));
    assert_eq!(against_phone(&[since, get(0, 0), get(1, 9)]).failure(), None, "one that is over is ignored");
}

#[test]
fn a_web_that_takes_nothing_holds_64_kib_of_rows_at_most() {
    // req: SYN-004
    let mut evil = Evil::against(DeviceRole::Phone);
    for _ in 0..2_000 {
        evil.device.add_row(evil.now, &[0], &[7; 100]);
    }
    evil.send(&[Frame::Since { collection: collection(0), cursor: 0 }]);
    let rows = |evil: &Evil| {
        let mut last = 0;
        let len = |frame: &Frame| match frame {
            Frame::Delta { items, to, .. } => {
                last = *to;
                items.len()
            }
            _ => 0,
        };
        let len: usize = evil.heard.iter().map(len).sum();
        (len, last)
    };
    let (len, cursor) = rows(&evil);
    assert!(len <= DELTA_UNACKED_LEN_MAX && len > DELTA_UNACKED_LEN_MAX / 2, "{len} bytes");
    for _ in 0..2_000 {
        evil.device.add_row(evil.now, &[0], &[7; 100]);
    }
    evil.listen();
    assert_eq!(rows(&evil).0, len, "nothing more without an ACK");
    evil.send(&[Frame::Ack { durable: 0, cursors: vec![(collection(0), cursor)] }]);
    let (more, further) = rows(&evil);
    assert!(more > len && more <= len + DELTA_UNACKED_LEN_MAX && further > cursor, "{more} bytes");
}

#[test]
fn the_cursor_of_a_digest_is_the_subscriptions() {
    // req: SYN-034
    assert_eq!(after(&[digest(5), delta(5, 6, 0, 0)]), None);
    assert_eq!(after(&[digest(5), delta(0, 6, 0, 0)]), Some(ErrorCode::SEQ_GAP));
    let differs = Frame::Digest { collection: collection(0), cursor: 5, digest: [1; 32] };
    assert_eq!(after(&[differs.clone(), delta(5, 6, 0, 0)]), None);
    assert_eq!(after(&[delta(0, 5, 0, 0), differs, delta(5, 6, 0, 0)]), None);
}
