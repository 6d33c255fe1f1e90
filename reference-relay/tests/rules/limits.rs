//! Every limit at its maximum and one past it.

use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::relay::{Peer, RelayFrame};
use handfast_codec::role::DeviceRole;

use crate::harness::{AWAY, HOME, Harness, Link, key};

#[test]
fn a_socket_that_does_not_read_is_closed_past_256_kib() {
    // req: RLY-020
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, web) = h.both(&link);
    h.reads = false;
    for _ in 0..16 {
        h.data(phone, 16_382);
    }
    assert_eq!((h.take(web).len(), h.closed.len()), (16, 0), "exactly 256 KiB are held");
    h.data(phone, 0);
    h.assert_refused(web, ErrorCode::LIMIT);
    assert_eq!(h.take(phone), [RelayFrame::Peer(Peer::Down)]);
}

#[test]
fn tiny_frames_are_bounded_by_their_count() {
    // req: RLY-020
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, web) = h.both(&link);
    h.reads = false;
    for _ in 0..2_048 {
        h.data(phone, 0);
    }
    assert_eq!((h.take(web).len(), h.closed.len()), (2_048, 0));
    h.data(phone, 0);
    h.assert_refused(web, ErrorCode::LIMIT);
}

#[test]
fn frames_other_than_data_come_64_at_once_and_8_a_second() {
    // req: RLY-071
    let (link, mut h) = (Link::new(1), Harness::new());
    let phone = h.seat(&link, DeviceRole::Phone);
    let kinds = [
        RelayFrame::Ping([0; 8]),
        RelayFrame::Pong([0; 8]),
        RelayFrame::Ignored(58),
        RelayFrame::Sticky { role: DeviceRole::Phone, value: Bytes::from_static(b"v") },
    ];
    // The ATTACH was the first of them.
    for n in 0..63 {
        h.send(phone, &kinds[n % kinds.len()]);
    }
    for _ in 0..1_000 {
        h.data(phone, 1);
    }
    assert_eq!(h.closed.len(), 0, "64 at once, and any number of DATA");
    for _ in 0..16 {
        h.pass(Duration::from_millis(125));
        h.send(phone, &RelayFrame::Ping([0; 8]));
    }
    assert_eq!(h.closed.len(), 0, "one for each eighth of a second");
    let _ = h.take(phone);
    h.send(phone, &RelayFrame::Pong([0; 8]));
    h.assert_refused(phone, ErrorCode::LIMIT);
}

#[test]
fn before_attach_and_by_websocket_pings_it_is_the_same() {
    // req: RLY-071
    for pings in [false, true] {
        let mut h = Harness::new();
        let socket = h.open();
        let ping = |h: &mut Harness| {
            if pings {
                h.relay.handle_websocket_ping(h.now, socket);
                h.drain();
            } else {
                h.send(socket, &RelayFrame::Ignored(2));
            }
        };
        for _ in 0..64 {
            ping(&mut h);
        }
        assert_eq!(h.closed.len(), 0);
        ping(&mut h);
        h.assert_refused(socket, ErrorCode::LIMIT);
        ping(&mut h);
        assert_eq!(h.take(socket), [], "one that is gone is not heard");
    }
}

#[test]
fn a_replaced_socket_is_bounded_too() {
    // req: RLY-071
    let (link, mut h) = (Link::new(1), Harness::new());
    let first = h.seat(&link, DeviceRole::Phone);
    let _second = h.seat(&link, DeviceRole::Phone);
    let _ = h.take(first);
    for _ in 0..63 {
        h.send(first, &RelayFrame::Ignored(2));
    }
    assert_eq!(h.closed.len(), 0);
    h.send(first, &RelayFrame::Ignored(2));
    h.assert_refused(first, ErrorCode::LIMIT);
}

#[test]
fn an_address_that_used_up_its_hour_is_read_slower() {
    // req: RLY-072
    let mut h = Harness::with(|limits| limits.bytes_per_hour = NonZeroU64::new(16_777_216));
    let (phone, web) = h.both(&Link::new(1));
    let stranger = h.open_from(AWAY, None);
    for _ in 0..1_024 {
        h.data(phone, 16_382);
    }
    assert_eq!(h.relay.pause(h.now, phone), Duration::ZERO, "exactly the hour's bytes");
    h.data(web, 16_382);
    let pause = h.relay.pause(h.now, phone);
    assert_eq!(pause, Duration::from_micros(3_515_625), "the time of one frame");
    assert_eq!(h.relay.pause(h.now, web), pause, "it is the address that waits");
    assert_eq!((h.relay.pause(h.now, stranger), h.closed.len()), (Duration::ZERO, 0));
    h.close(phone);
    let again = h.open();
    assert_eq!(h.relay.pause(h.now, again), pause, "a new connection does not help");
    assert_eq!(h.relay.pause(h.now.plus(pause), again), Duration::ZERO);
    let mut free = Harness::with(|limits| limits.bytes_per_hour = None);
    let (phone, _) = free.both(&Link::new(1));
    for _ in 0..5_000 {
        free.data(phone, 16_382);
    }
    assert_eq!(free.relay.pause(free.now, phone), Duration::ZERO);
}

#[test]
fn an_ipv6_customer_has_few_caps_for_many_networks() {
    // req: RLY-069
    let mut h = Harness::with(|limits| limits.pairing_mailboxes_per_address_max = 2);
    let mut refused = 0;
    for n in 0..=255_u8 {
        let socket = h.open_from(&format!("2001:db8:1:{n:x}::1"), None);
        let _ = h.take(socket);
        h.attach_pairing(socket, n, DeviceRole::Web, &key(1));
        refused += usize::from(h.closed.get(&socket) == Some(&ErrorCode::ADDRESS_CAP));
    }
    assert_eq!((h.relay.stats().pairing_mailboxes, refused), (4, 252), "a /56 has two caps");
    let other = h.open_from("2001:db8:2::1", None);
    let _ = h.take(other);
    h.attach_pairing(other, 1, DeviceRole::Phone, &key(1));
    assert!(!h.closed.contains_key(&other), "another customer is free");
}

#[test]
fn the_last_sockets_are_for_addresses_that_hold_few() {
    let mut h = Harness::with(|limits| {
        limits.sockets_max = 100;
        limits.sockets_reserved = 20;
        limits.sockets_per_address_scarce = 3;
    });
    let crowd: Vec<_> = (0..80).map(|_| h.open()).collect();
    let next = h.open_from(HOME, None);
    h.assert_refused(next, ErrorCode::LIMIT);
    for n in 0..3 {
        let device = h.open_from(AWAY, None);
        let _ = h.take(device);
        h.attach(device, &Link::new(n), DeviceRole::Phone);
        let _ = h.attached(device);
    }
    let fourth = h.open_from(AWAY, None);
    h.assert_refused(fourth, ErrorCode::LIMIT);
    for socket in &crowd[..5] {
        h.close(*socket);
    }
    let _ = h.open();
}

#[test]
fn what_was_transmitted_makes_room() {
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, web) = h.both(&link);
    h.reads = false;
    for _ in 0..64 {
        h.data(phone, 16_382);
        h.relay.transmitted(web, 1, 16_384);
    }
    assert_eq!((h.take(web).len(), h.closed.len()), (64, 0));
}

#[test]
fn a_sender_is_paused_while_half_the_queue_of_its_peer_is_full() {
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, web) = h.both(&link);
    h.reads = false;
    for _ in 0..7 {
        h.data(phone, 16_382);
    }
    assert!(h.relay.is_ready(phone));
    h.data(phone, 16_382);
    assert!(!h.relay.is_ready(phone), "128 KiB wait");
    assert!(h.relay.is_ready(web), "the other way is free");
    h.relay.transmitted(web, 1, 16_384);
    assert!(h.relay.is_ready(phone));
    h.close(web);
    assert_eq!((h.relay.peer_of(phone), h.relay.is_ready(phone)), (None, true));
}

#[test]
fn an_address_has_a_cap() {
    // req: RLY-021
    let mut h = Harness::with(|limits| limits.sockets_per_address_max = 64);
    let sockets: Vec<_> = (0..64).map(|_| h.open()).collect();
    let refused = h.open_from(HOME, None);
    assert_eq!(h.take(refused), [RelayFrame::Error { code: ErrorCode::ADDRESS_CAP, retry_ms: 5_000 }]);
    assert_eq!(h.closed.get(&refused), Some(&ErrorCode::ADDRESS_CAP));
    let other = h.open_from(AWAY, None);
    assert_eq!(h.take(other).len(), 2, "another address is free");
    h.close(sockets[0]);
    let next = h.open_from(HOME, None);
    assert_eq!(h.take(next).len(), 2, "room is given back");
}

#[test]
fn sockets_in_all_have_a_cap() {
    let mut h = Harness::with(|limits| limits.sockets_max = 2);
    let (first, _) = (h.open(), h.open());
    let refused = h.open_from(HOME, None);
    assert_eq!(h.take(refused), [RelayFrame::Error { code: ErrorCode::LIMIT, retry_ms: 5_000 }]);
    h.close(first);
    let _ = h.open();
}

#[test]
fn new_pairings_leave_room_for_linked_devices() {
    let mut h = Harness::with(|limits| {
        limits.sockets_max = 3;
        limits.sockets_reserved = 1;
    });
    let _ = h.seat_pairing(1, DeviceRole::Web, &key(1));
    let _ = h.seat_pairing(2, DeviceRole::Web, &key(2));
    h.assert_pairing_refused(3, DeviceRole::Web, &key(3), ErrorCode::LIMIT);
    let _ = h.seat(&Link::new(1), DeviceRole::Phone);
}

#[test]
fn pairing_mailboxes_have_a_cap_in_all_and_for_an_address() {
    let mut h = Harness::with(|limits| limits.pairing_mailboxes_max = 2);
    let first = h.seat_pairing(1, DeviceRole::Web, &key(1));
    let _ = h.seat_pairing(2, DeviceRole::Web, &key(2));
    h.assert_pairing_refused(3, DeviceRole::Web, &key(3), ErrorCode::LIMIT);
    h.close(first);
    let _ = h.seat_pairing(3, DeviceRole::Web, &key(3));

    let mut h = Harness::with(|limits| limits.pairing_mailboxes_per_address_max = 1);
    let _ = h.seat_pairing(1, DeviceRole::Web, &key(1));
    let _ = h.seat_pairing(1, DeviceRole::Phone, &key(2));
    h.assert_pairing_refused(2, DeviceRole::Web, &key(3), ErrorCode::ADDRESS_CAP);
}

#[test]
fn mailboxes_that_hold_sticky_values_have_a_cap() {
    let mut h = Harness::with(|limits| limits.sticky_mailboxes_max = 2);
    let links = [Link::new(1), Link::new(2), Link::new(3)];
    for link in &links {
        let phone = h.seat(link, DeviceRole::Phone);
        h.send(phone, &RelayFrame::Sticky { role: DeviceRole::Phone, value: Bytes::from_static(b"x") });
    }
    assert_eq!(h.relay.stats().sticky_mailboxes, 2);
    let mut held = links.iter().map(|link| {
        let web = h.open();
        h.attach(web, link, DeviceRole::Web);
        h.attached(web).phone_sticky.is_some()
    });
    assert_eq!([held.next(), held.next(), held.next()], [Some(false), Some(true), Some(true)]);
}

#[test]
fn an_origin_has_128_bytes_at_most() {
    let mut h = Harness::new();
    let longest = format!("https://{}", "a".repeat(120));
    let socket = h.open_from(HOME, Some(&longest));
    assert_eq!(h.take(socket).len(), 2);
    let refused = h.open_from(HOME, Some(&format!("{longest}a")));
    assert_eq!(h.closed.get(&refused), Some(&ErrorCode::FIELD_LENGTH));
}

#[test]
fn many_clients_that_come_and_go_leave_nothing() {
    let mut h = Harness::new();
    for round in 0..100_u8 {
        let (phone, web) = h.both(&Link::new(round & 0x7f));
        let pairing = h.seat_pairing(round, DeviceRole::Web, &key(round));
        h.data(phone, 100);
        for socket in [phone, web, pairing] {
            h.close(socket);
        }
    }
    let stats = h.relay.stats();
    assert_eq!((stats.sockets, stats.link_mailboxes, stats.pairing_mailboxes), (0, 0, 0));
    assert_eq!((h.deadline, stats.attached, stats.frames_forwarded), (None, 300, 100));
}
