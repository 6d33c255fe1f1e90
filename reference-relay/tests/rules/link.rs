//! Seats of link mailboxes that change hands, and sockets that fall silent.

use std::time::Duration;

use handfast_codec::error::ErrorCode;
use handfast_codec::relay::{Peer, RelayFrame};
use handfast_codec::role::DeviceRole;
use reference_relay::core::SocketId;

use crate::harness::{AWAY, HOME, Harness, Link};

/// A socket from `address` takes the web seat from `old`; returns it and the token of the PING that `old` got.
fn replace(h: &mut Harness, link: &Link, old: SocketId, address: &str) -> (SocketId, [u8; 8]) {
    let new = h.open_from(address, None);
    let _ = h.take(new);
    h.attach(new, link, DeviceRole::Web);
    let _ = h.attached(new);
    let told = h.take(old);
    let [RelayFrame::Error { code: ErrorCode::REPLACED, retry_ms: 0 }, RelayFrame::Ping(token)] = told[..]
    else {
        panic!("{told:?}");
    };
    (new, token)
}

#[test]
fn the_last_proven_attach_wins() {
    // req: RLY-012
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, old) = h.both(&link);
    let (new, _) = replace(&mut h, &link, old, AWAY);
    let up = h.take(phone);
    assert!(matches!(&up[..], [RelayFrame::Peer(Peer::Up(peer))] if peer.id == Harness::id(new)), "{up:?}");
    h.data(phone, 5);
    assert_eq!((h.take(new).len(), h.take(old).len()), (1, 0), "DATA goes to the new socket");
    h.data(old, 5);
    assert_eq!(h.take(phone), [], "the old one is not heard any more");
    h.pass(Duration::from_micros(9_999_999));
    assert!(!h.closed.contains_key(&old), "it has 10 s");
    h.pass(Duration::from_micros(1));
    assert_eq!(h.closed.get(&old), Some(&ErrorCode::REPLACED));
    assert_eq!((h.take(old), h.take(phone)), (vec![], vec![]), "silence is no contention");
}

#[test]
fn a_replaced_socket_that_lives_is_a_contention() {
    // req: RLY-013
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, mut holder) = h.both(&link);
    for count in 1..=3 {
        let (new, token) = replace(&mut h, &link, holder, AWAY);
        let _ = h.take(phone);
        h.send(holder, &RelayFrame::Pong([0xff; 8]));
        assert_eq!(h.take(phone), [], "another token proves nothing");
        h.pass(Duration::from_secs(9));
        let _ = h.take(phone);
        h.send(holder, &RelayFrame::Pong(token));
        assert_eq!(h.take(phone), [RelayFrame::Peer(Peer::Contended(count))]);
        assert_eq!(h.closed.get(&holder), Some(&ErrorCode::REPLACED), "closed at its PONG");
        holder = new;
        h.pass(Duration::from_secs(1));
    }
}

#[test]
fn a_reload_from_the_same_address_is_none() {
    // req: RLY-013
    for (address, after, contended) in [
        (HOME, Duration::from_secs(2), false),
        (HOME, Duration::from_micros(2_000_001), true),
        (AWAY, Duration::from_micros(1), true),
    ] {
        let (link, mut h) = (Link::new(1), Harness::new());
        let (phone, old) = h.both(&link);
        let (_, token) = replace(&mut h, &link, old, address);
        let _ = h.take(phone);
        h.pass(after);
        h.send(old, &RelayFrame::Pong(token));
        let expected = if contended { vec![RelayFrame::Peer(Peer::Contended(1))] } else { vec![] };
        assert_eq!(h.take(phone), expected, "{address} after {after:?}");
        assert_eq!(h.closed.get(&old), Some(&ErrorCode::REPLACED));
    }
}

#[test]
fn an_answer_after_ten_seconds_comes_too_late() {
    // req: RLY-013
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, old) = h.both(&link);
    let (_, token) = replace(&mut h, &link, old, AWAY);
    let _ = h.take(phone);
    h.pass(Duration::from_secs(10));
    h.send(old, &RelayFrame::Pong(token));
    assert_eq!(h.take(phone), []);
}

#[test]
fn a_replaced_socket_that_leaves_does_not_empty_the_seat() {
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, old) = h.both(&link);
    let (new, _) = replace(&mut h, &link, old, AWAY);
    let _ = h.take(phone);
    h.close(old);
    assert_eq!(h.take(phone), []);
    h.data(phone, 1);
    assert_eq!(h.take(new).len(), 1);
}

#[test]
fn a_socket_that_does_not_attach_is_closed_after_ten_seconds() {
    // req: RLY-005
    let mut h = Harness::new();
    let socket = h.open();
    h.pass(Duration::from_secs(9));
    h.send(socket, &RelayFrame::Pong([0; 8]));
    h.pass(Duration::from_micros(999_999));
    assert!(h.closed.is_empty(), "it has 10 s, whatever it says");
    h.pass(Duration::from_micros(1));
    h.assert_refused(socket, ErrorCode::ATTACH_TIMEOUT);
    assert_eq!(h.deadline, None);
}

#[test]
fn a_ping_goes_out_every_25_seconds() {
    // req: RLY-019
    let (link, mut h) = (Link::new(1), Harness::new());
    let phone = h.seat(&link, DeviceRole::Phone);
    h.pass(Duration::from_micros(24_999_999));
    assert_eq!(h.take(phone), []);
    let mut tokens = Vec::new();
    for _ in 0..12 {
        h.pass(Duration::from_secs(25));
        let frames = h.take(phone);
        let [RelayFrame::Ping(token)] = frames[..] else { panic!("{frames:?}") };
        h.send(phone, &RelayFrame::Pong(token));
        tokens.push(token);
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 12, "each has its own token");
    assert!(h.closed.is_empty(), "a socket that answers stays");
}

#[test]
fn a_silent_socket_is_closed_after_75_seconds() {
    // req: RLY-019
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, web) = h.both(&link);
    h.pass(Duration::from_secs(30));
    h.send(web, &RelayFrame::Pong([0; 8]));
    h.pass(Duration::from_micros(44_999_999));
    assert!(h.closed.is_empty());
    let _ = (h.take(phone), h.take(web));
    h.pass(Duration::from_micros(1));
    h.assert_refused(phone, ErrorCode::IDLE);
    assert_eq!(h.take(web), [RelayFrame::Peer(Peer::Down), RelayFrame::Ping(3_u64.to_be_bytes())]);
    h.pass(Duration::from_secs(30));
    assert_eq!(h.closed.get(&web), Some(&ErrorCode::IDLE), "75 s after its last word");
    assert_eq!((h.relay.stats().sockets, h.relay.stats().link_mailboxes, h.deadline), (0, 0, None));
}

#[test]
fn a_clock_that_runs_backward_is_ignored() {
    let (link, mut h) = (Link::new(1), Harness::new());
    let phone = h.seat(&link, DeviceRole::Phone);
    let before = h.now;
    h.now = handfast_codec::Timestamp::ZERO;
    h.relay.handle_timeout(h.now);
    h.send(phone, &RelayFrame::Ping([1; 8]));
    assert_eq!(h.take(phone), [RelayFrame::Pong([1; 8])]);
    h.now = before;
    h.pass(Duration::from_secs(25));
    assert_eq!(h.take(phone).len(), 1, "the PING is due at its time");
}

#[test]
fn a_shutdown_tells_everybody_and_leaves_nothing() {
    let mut h = Harness::new();
    let (phone, web) = h.both(&Link::new(1));
    let pairing = h.seat_pairing(1, DeviceRole::Web, &crate::harness::key(5));
    let idle = h.open();
    h.relay.handle_shutdown(h.now);
    h.drain();
    for socket in [phone, web, pairing, idle] {
        let frames = h.take(socket);
        let last = frames.last();
        assert_eq!(
            last,
            Some(&RelayFrame::Error { code: ErrorCode::SHUTDOWN, retry_ms: 1_000 }),
            "{frames:?}"
        );
        assert_eq!(h.closed.get(&socket), Some(&ErrorCode::SHUTDOWN));
    }
    assert_eq!(h.relay.stats().sockets, 0);
}
