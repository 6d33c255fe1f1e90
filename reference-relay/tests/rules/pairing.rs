//! The seats, the silence, the bytes and the time of pairing mailboxes.

use std::time::Duration;

use handfast_codec::error::ErrorCode;
use handfast_codec::relay::{Peer, RelayFrame};
use handfast_codec::role::DeviceRole;

use crate::harness::{Harness, key};

const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;

#[test]
fn the_web_seat_belongs_to_its_first_key() {
    // req: RLY-014
    let mut h = Harness::new();
    let (web, _phone) = h.pairing(1);
    let _ = h.take(web);
    h.assert_pairing_refused(1, WEB, &key(3), ErrorCode::CODE_TAKEN);
    assert_eq!(h.take(web), []);

    let again = h.seat_pairing(1, WEB, &key(1));
    h.assert_refused(web, ErrorCode::REPLACED);
    h.close(again);
    h.assert_pairing_refused(1, WEB, &key(3), ErrorCode::CODE_TAKEN);
}

#[test]
fn an_empty_moment_does_not_give_the_web_seat_away_once_a_phone_came() {
    // req: RLY-014, RLY-029
    let mut h = Harness::new();
    let (web, phone) = h.pairing(1);
    h.close(web);
    h.close(phone);
    assert_eq!(h.relay.stats().pairing_mailboxes, 1);
    h.assert_pairing_refused(1, WEB, &key(3), ErrorCode::CODE_TAKEN);
    h.pass(Duration::from_mins(6));
    assert_eq!((h.relay.stats().pairing_mailboxes, h.deadline), (0, None), "freed when its time is over");
}

#[test]
fn what_no_page_came_to_is_forgotten_at_once() {
    // req: RLY-029
    let mut h = Harness::new();
    let phone = h.seat_pairing(1, PHONE, &key(1));
    h.close(phone);
    let speaks = h.seat_pairing(2, PHONE, &key(1));
    h.data(speaks, 10);
    h.close(speaks);
    let spent = h.seat_pairing(3, PHONE, &key(1));
    for _ in 0..5 {
        h.data(spent, 16_000);
    }
    assert!(h.closed.contains_key(&spent));
    let silent = h.seat_pairing(4, PHONE, &key(1));
    h.pass(Duration::from_secs(10));
    h.assert_refused(silent, ErrorCode::IDLE);
    assert_eq!((h.relay.stats().pairing_mailboxes, h.deadline), (0, None), "four ways, and nothing is kept");
}

/// A page and a phone come to a code, and go.
fn visited(h: &mut Harness, code: u8) {
    let (web, phone) = h.pairing(code);
    h.close(web);
    h.close(phone);
}

#[test]
fn the_oldest_empty_mailbox_makes_room_and_no_other() {
    // req: RLY-070
    let mut h = Harness::with(|limits| limits.pairing_mailboxes_max = 3);
    visited(&mut h, 1);
    h.pass(Duration::from_secs(1));
    visited(&mut h, 2);
    let page = h.seat_pairing(3, WEB, &key(1));
    assert_eq!(h.relay.stats().pairing_mailboxes, 3);
    let newcomer = h.seat_pairing(4, WEB, &key(9));
    assert_eq!((h.relay.stats().pairing_mailboxes, h.closed.len()), (3, 0));
    h.assert_pairing_refused(2, WEB, &key(8), ErrorCode::CODE_TAKEN);
    // The first is forgotten, and its return makes the second go.
    let again = h.seat_pairing(1, WEB, &key(8));
    h.assert_pairing_refused(5, WEB, &key(7), ErrorCode::LIMIT);
    for socket in [page, newcomer, again] {
        assert!(!h.closed.contains_key(&socket), "somebody sits in each");
        h.close(socket);
    }
    assert_eq!((h.relay.stats().pairing_mailboxes, h.deadline), (0, None));
}

#[test]
fn a_flood_of_mailboxes_that_nobody_sits_in_keeps_no_page_out() {
    // req: RLY-070
    let mut h = Harness::with(|limits| limits.pairing_mailboxes_max = 40);
    for code in 0..=200 {
        visited(&mut h, code);
    }
    assert_eq!(h.relay.stats().pairing_mailboxes, 40);
    let page = h.seat_pairing(255, WEB, &key(1));
    assert!(!h.closed.contains_key(&page));
    h.pass(Duration::from_mins(6));
    assert_eq!((h.relay.stats().pairing_mailboxes, h.deadline), (0, None), "and all of it goes by time");
}

#[test]
fn a_code_that_nobody_scanned_is_freed_at_once() {
    let mut h = Harness::new();
    let web = h.seat_pairing(1, WEB, &key(1));
    h.close(web);
    assert_eq!((h.relay.stats().pairing_mailboxes, h.deadline), (0, None));
}

#[test]
fn the_phone_seat_holds_one_key_at_a_time() {
    // req: RLY-015
    let mut h = Harness::new();
    let (web, phone) = h.pairing(1);
    let _ = h.take(web);
    h.assert_pairing_refused(1, PHONE, &key(3), ErrorCode::CODE_TAKEN);
    h.data(phone, 1);
    assert_eq!(h.take(web).len(), 1, "the first keeps its seat");
}

// req: RLY-122
#[test]
fn a_code_that_was_answered_takes_no_other_phone() {
    for page_stays in [true, false] {
        let mut h = Harness::new();
        let (web, phone) = h.pairing(1);
        h.data(phone, 10);
        h.close(phone);
        // Nothing was answered yet: another phone may try.
        let phone = h.seat_pairing(1, PHONE, &key(3));
        h.data(phone, 10);
        h.data(web, 10);
        h.close(phone);
        if !page_stays {
            h.close(web);
        }
        h.assert_pairing_refused(1, PHONE, &key(4), ErrorCode::CODE_TAKEN);
        let again = h.seat_pairing(1, PHONE, &key(3));
        assert!(!h.closed.contains_key(&again), "a key that sat there comes back");
    }
}

#[test]
fn the_phone_seat_holds_three_keys_in_all() {
    // req: RLY-015
    let mut h = Harness::new();
    let _web = h.seat_pairing(1, WEB, &key(1));
    for seed in 2..=4 {
        let phone = h.seat_pairing(1, PHONE, &key(seed));
        h.close(phone);
    }
    h.assert_pairing_refused(1, PHONE, &key(5), ErrorCode::CODE_TAKEN);
    let third = h.seat_pairing(1, PHONE, &key(4));
    assert!(!h.closed.contains_key(&third), "a key that was there may come again");
}

#[test]
fn a_silent_phone_seat_is_emptied() {
    // req: RLY-016
    let mut h = Harness::new();
    let (web, phone) = h.pairing(1);
    let _ = h.take(web);
    h.send(phone, &RelayFrame::Ping([1; 8]));
    let _ = h.take(phone);
    h.pass(Duration::from_micros(9_999_999));
    assert!(h.closed.is_empty());
    h.pass(Duration::from_micros(1));
    h.assert_refused(phone, ErrorCode::IDLE);
    assert_eq!(h.take(web), [RelayFrame::Peer(Peer::Down)]);
    let next = h.seat_pairing(1, PHONE, &key(3));
    h.data(next, 1);
    h.pass(Duration::from_secs(20));
    assert!(!h.closed.contains_key(&next), "one that spoke stays");
}

#[test]
fn the_web_may_wait_in_silence() {
    // req: RLY-016
    let mut h = Harness::new();
    let web = h.seat_pairing(1, WEB, &key(1));
    h.pass(Duration::from_secs(24));
    assert_eq!((h.take(web), h.closed.len()), (vec![], 0));
}

#[test]
fn a_pairing_mailbox_carries_65536_bytes_each_way() {
    // req: RLY-017, RLY-030
    let mut h = Harness::new();
    let (web, phone) = h.pairing(1);
    let _ = h.take(web);
    for (from, to) in [(phone, web), (web, phone)] {
        for _ in 0..8 {
            h.data(from, 8_191);
        }
        assert_eq!(h.take(to).len(), 8, "exactly 64 KiB pass, kinds counted");
    }
    h.data(web, 0);
    h.assert_refused(phone, ErrorCode::PAIRING_BYTES);
    h.assert_refused(web, ErrorCode::PAIRING_BYTES);
    h.assert_pairing_refused(1, WEB, &key(1), ErrorCode::PAIRING_BYTES);
}

#[test]
fn a_pairing_mailbox_lives_360_seconds() {
    // req: RLY-017
    let mut h = Harness::new();
    let (web, phone) = h.pairing(1);
    h.data(phone, 1);
    for _ in 0..11 {
        h.pass(Duration::from_secs(30));
        h.send(web, &RelayFrame::Pong([0; 8]));
        h.send(phone, &RelayFrame::Pong([0; 8]));
    }
    h.pass(Duration::from_micros(29_999_999));
    assert!(h.closed.is_empty(), "{:?}", h.closed);
    let _ = (h.take(web), h.take(phone));
    h.pass(Duration::from_micros(1));
    h.assert_refused(phone, ErrorCode::PAIRING_TIME);
    h.assert_refused(web, ErrorCode::PAIRING_TIME);
    assert_eq!((h.relay.stats().pairing_mailboxes, h.deadline), (0, None));
}
