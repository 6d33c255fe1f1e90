//! The phone's side of the sync lane, by itself.

use handfast_codec::frame::RowId;
use handfast_codec::limits::ITEM_LEN_MAX;

use super::*;

fn collection() -> Collection {
    Collection::new(b"a").unwrap()
}

/// Returns a row of this revision, below 64, that takes `len` bytes.
fn row(rev: u64, len: usize) -> Bytes {
    let (id, head) = (RowId::from_number(1), 10);
    Row { id, rev, body: Bytes::from(alloc::vec![7; len - head]) }.encode()
}

fn rows() -> [Bytes; 1] {
    [row(5, 13)]
}

/// Returns a phone whose newest revision is 5, with a companion that has subscribed from 0.
fn subscribed() -> PhoneSync {
    let mut sync = PhoneSync::default();
    sync.changed(5);
    sync.since(collection(), 0).unwrap();
    sync
}

/// Returns the revision after which rows are requested next.
fn after(sync: &mut PhoneSync) -> Option<u64> {
    match sync.next_wanted() {
        Some(Wanted::Delta { after, .. }) => Some(after),
        _ => None,
    }
}

#[test]
fn a_ping_tells_what_has_left_and_not_what_waits() {
    // req: SYN-021
    let mut sync = subscribed();
    assert_eq!(after(&mut sync), Some(0));
    sync.delta(&collection(), 5, &rows()).unwrap();
    assert_eq!(sync.ping_rev(), 0, "it waits");
    sync.fill(&mut RecordBuilder::new());
    assert_eq!(sync.ping_rev(), 5);
    let other = Collection::new(b"b").unwrap();
    sync.since(other, 2).unwrap();
    assert_eq!(sync.ping_rev(), 2, "the least of all subscriptions");
    assert_eq!(PhoneSync::default().ping_rev(), 0);
}

#[test]
fn a_block_says_the_revision_of_the_start_until_the_web_asks_for_rows() {
    // req: RES-082
    let ask: [fn(&mut PhoneSync); 2] = [
        |sync| sync.since(collection(), 0).unwrap(),
        |sync| sync.page_get(collection(), PageCursor::default()).unwrap(),
    ];
    for ask in ask {
        let mut sync = PhoneSync::default();
        sync.changed(5);
        sync.changed(9);
        assert_eq!(sync.rev(), 5, "no web of this run can know a later one");
        ask(&mut sync);
        assert_eq!(sync.rev(), 9);
        sync.restart();
        assert_eq!(sync.rev(), 9, "on later connections, too");
    }
}

#[test]
fn a_subscription_whose_rows_went_unsent_is_over() {
    // req: SYN-025
    let mut sync = subscribed();
    assert!(sync.behind(&collection()).is_err(), "nothing was asked");
    assert_eq!(after(&mut sync), Some(0));
    sync.behind(&collection()).unwrap();
    let said = Frame::SnapshotRequired { collection: collection(), rev: 5 };
    assert_eq!(sync.queue.pop_front(), Some(said));
    assert_eq!(after(&mut sync), None);
}

#[test]
fn a_delta_is_as_long_as_the_maximum_and_no_longer() {
    // req: SYN-005
    let longest: Vec<_> = (1..5).map(|rev| row(rev, ITEM_LEN_MAX)).collect();
    let parts = pack(&longest).unwrap();
    let rest = DELTA_LEN_MAX - parts.iter().map(Items::len).sum::<usize>();
    for (more, fits) in [(0, true), (1, false)] {
        // The length before an item takes two bytes.
        let mut items = longest.clone();
        items.push(row(5, rest - 2 + more));
        let mut sync = subscribed();
        assert_eq!(after(&mut sync), Some(0));
        assert_eq!(sync.delta(&collection(), 5, &items).is_ok(), fits);
        assert_eq!(sync.wants_to_send(), fits);
    }
}

#[test]
fn an_answer_that_moves_nothing_is_refused() {
    let mut sync = subscribed();
    assert_eq!(after(&mut sync), Some(0));
    for items in [&[][..], &rows()] {
        assert_eq!(sync.delta(&collection(), 0, items), Err(ApiMisuse::NoProgress.into()));
    }
    sync.delta(&collection(), 5, &[]).unwrap();
    assert_eq!(after(&mut sync), None, "it is asked once");
}

#[test]
fn rows_of_other_revisions_are_refused() {
    let mut sync = PhoneSync::default();
    sync.changed(9);
    sync.since(collection(), 3).unwrap();
    assert_eq!(after(&mut sync), Some(3));
    let of = |revs: &[u64]| revs.iter().map(|rev| row(*rev, 13)).collect::<Vec<_>>();
    for revs in [&[3][..], &[4, 4], &[5, 4], &[4, 10], &[1]] {
        assert_eq!(sync.delta(&collection(), 9, &of(revs)), Err(ApiMisuse::RowOutside.into()), "{revs:?}");
    }
    let none = [Bytes::from_static(b"row")];
    assert_eq!(sync.delta(&collection(), 9, &none), Err(ApiMisuse::RowOutside.into()));
    sync.delta(&collection(), 9, &of(&[4, 6, 9])).unwrap();
}

#[test]
fn a_digest_of_another_moment_is_not_sent() {
    // req: SYN-017
    let mut sync = subscribed();
    sync.digest_get(&collection(), 0).unwrap();
    let _ = sync.next_wanted();
    sync.delta(&collection(), 5, &[]).unwrap();
    assert_eq!(sync.next_wanted(), Some(Wanted::Digest { collection: collection() }));
    sync.digest(&collection(), 6, [1; 32]).unwrap();
    assert!(!sync.wants_to_send(), "a change came in between, and was not sent");
    sync.changed(6);
    assert_eq!(after(&mut sync), Some(5));
    sync.delta(&collection(), 6, &[]).unwrap();
    assert_eq!(sync.next_wanted(), Some(Wanted::Digest { collection: collection() }));
    sync.digest(&collection(), 6, [2; 32]).unwrap();
    let sent = Frame::Digest { collection: collection(), cursor: 6, digest: [2; 32] };
    assert_eq!(sync.queue.pop_front(), Some(sent));
    assert_eq!(sync.next_wanted(), None);
}

#[test]
fn an_answer_to_a_subscription_that_is_over_is_dropped() {
    // req: SYN-011
    let mut sync = subscribed();
    assert_eq!(after(&mut sync), Some(0));
    sync.leave(collection()).unwrap();
    sync.since(collection(), 3).unwrap();
    assert_eq!(sync.next_wanted(), None, "one question at a time");
    sync.delta(&collection(), 5, &rows()).unwrap();
    assert_eq!(sync.queue.len(), 1, "the answer to LEAVE alone");
    assert_eq!(after(&mut sync), Some(3));
    sync.restart();
    sync.since(collection(), 1).unwrap();
    sync.delta(&collection(), 5, &rows()).unwrap();
    assert_eq!(after(&mut sync), Some(1));
    assert!(sync.page(&collection(), None).is_err() && sync.digest(&collection(), 5, [0; 32]).is_err());
}
