//! Which frames a client may send, when, and what becomes of them.

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::BootId;
use handfast_codec::limits::RELAY_FRAME_LEN_MAX;
use handfast_codec::relay::{DataKind, Peer, RelayFrame, Wake, WakeFailure};
use handfast_codec::role::DeviceRole;

use crate::harness::{Harness, Link, NAME};

#[test]
fn a_socket_is_greeted_and_challenged() {
    // req: RLY-026
    let mut h = Harness::new();
    let socket = h.open_from("192.0.2.1", None);
    let greeting = h.take(socket);
    let [RelayFrame::Hello(hello), RelayFrame::Challenge(nonce)] = &greeting[..] else {
        panic!("{greeting:?}");
    };
    assert_eq!(hello.versions.as_slice(), [1]);
    assert_eq!(hello.name.as_str(), NAME);
    assert_eq!(hello.boot, BootId::from_bytes([7; 16]));
    assert_eq!(hello.frame_len_max, 16_512);
    assert_eq!(hello.ping_interval_ms, 25_000);
    assert_eq!(*nonce, Harness::nonce(socket));
}

#[test]
fn unknown_even_types_are_ignored_and_odd_ones_refused() {
    // req: RLY-001
    let link = Link::new(1);
    for attached in [false, true] {
        for (first, refused) in
            [(0, false), (58, false), (254, false), (23, true), (25, true), (61, true), (255, true)]
        {
            let mut h = Harness::new();
            let socket = if attached { h.seat(&link, DeviceRole::Phone) } else { h.open() };
            h.send_raw(socket, Bytes::copy_from_slice(&[first, 1, 2, 3]));
            if refused {
                h.assert_refused(socket, ErrorCode::UNKNOWN_CRITICAL);
            } else {
                assert_eq!((h.take(socket), h.closed.len()), (vec![], 0), "type {first}");
            }
        }
    }
}

#[test]
fn a_frame_of_the_maximum_passes_and_one_byte_more_is_refused() {
    // req: RLY-003
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, web) = h.both(&link);
    h.data(phone, RELAY_FRAME_LEN_MAX - 2);
    let forwarded = h.take(web);
    assert!(
        matches!(&forwarded[..], [RelayFrame::Data { body, .. }] if body.len() == RELAY_FRAME_LEN_MAX - 2)
    );
    h.data(phone, RELAY_FRAME_LEN_MAX - 1);
    h.assert_refused(phone, ErrorCode::FIELD_LENGTH);
    assert_eq!(h.take(web), [RelayFrame::Peer(Peer::Down)]);
}

#[test]
fn only_attach_ping_and_pong_may_come_before_attached() {
    // req: RLY-004
    let data = RelayFrame::Data { kind: DataKind::PAIRING, body: Bytes::from_static(b"x") }.encode();
    let sticky = RelayFrame::Sticky { role: DeviceRole::Phone, value: Bytes::new() }.encode();
    // The last two are malformed as well: state is checked before grammar.
    for bytes in
        [data, sticky, Bytes::from_static(&[1, 0]), Bytes::from_static(&[15]), Bytes::from_static(&[9])]
    {
        let mut h = Harness::new();
        let socket = h.open();
        h.send_raw(socket, bytes);
        h.assert_refused(socket, ErrorCode::NOT_ATTACHED);
    }
    let mut h = Harness::new();
    let socket = h.open();
    h.send(socket, &RelayFrame::Pong([1; 8]));
    h.send(socket, &RelayFrame::Ping([2; 8]));
    assert_eq!(h.take(socket), [RelayFrame::Pong([2; 8])]);
    assert!(h.closed.is_empty(), "it stays open");
}

#[test]
fn a_wake_is_answered_to_the_web_of_a_link_and_refused_from_others() {
    // req: RLY-060, RLY-063
    let link = Link::new(1);
    let ask = RelayFrame::Wake(Wake::Ask(Bytes::from_static(b"handle")));
    let mut h = Harness::new();
    let web = h.seat(&link, DeviceRole::Web);
    let _ = h.take(web);
    h.send(web, &ask);
    assert_eq!(h.take(web), [RelayFrame::Wake(Wake::Failed(WakeFailure::NO_SERVICE))]);
    let phone = h.seat(&link, DeviceRole::Phone);
    let _ = h.take(web);
    h.send(web, &ask);
    assert_eq!(h.take(web), [RelayFrame::Wake(Wake::PeerUp)]);
    h.send(web, &RelayFrame::Wake(Wake::Sent));
    h.assert_refused(web, ErrorCode::FRAME_NOT_ALLOWED);
    let _ = h.take(phone);
    h.send(phone, &ask);
    h.assert_refused(phone, ErrorCode::FRAME_NOT_ALLOWED);
    let mut h = Harness::new();
    let socket = h.open();
    h.send(socket, &ask);
    h.assert_refused(socket, ErrorCode::NOT_ATTACHED);
}

#[test]
fn frames_that_only_a_relay_sends_are_refused_from_a_client() {
    // req: RLY-061
    let link = Link::new(1);
    for frame in [
        RelayFrame::Challenge([1; 32]).encode(),
        RelayFrame::Peer(Peer::Down).encode(),
        RelayFrame::Attach(Harness::claim(
            reference_relay::core::SocketId::new(1),
            DeviceRole::Phone,
            link.mailbox,
            link.proof(),
            &link.phone,
        ))
        .encode(),
        Bytes::from_static(&[7]),
    ] {
        let mut h = Harness::new();
        let socket = h.seat(&link, DeviceRole::Phone);
        h.send_raw(socket, frame);
        h.assert_refused(socket, ErrorCode::FRAME_NOT_ALLOWED);
    }
}

#[test]
fn an_error_is_never_answered_with_an_error() {
    // req: ERR-002
    let (link, mut h) = (Link::new(1), Harness::new());
    let socket = h.seat(&link, DeviceRole::Phone);
    h.send(socket, &RelayFrame::Error { code: ErrorCode::INTERNAL, retry_ms: 0 });
    assert_eq!(h.take(socket), []);
    assert_eq!(h.closed.get(&socket), Some(&ErrorCode::FRAME_NOT_ALLOWED));
}

#[test]
fn malformed_frames_end_their_own_socket_only() {
    let (link, mut h) = (Link::new(1), Harness::new());
    let phone = h.seat(&link, DeviceRole::Phone);
    for (bytes, code) in [
        (&[][..], ErrorCode::TRUNCATED),
        (&[17, 1, 2], ErrorCode::TRUNCATED),
        (&[19, 1, 2, 3, 4, 5, 6, 7, 8, 9], ErrorCode::TRAILING_BYTES),
        (&[5, 1], ErrorCode::TRUNCATED),
        (&[5], ErrorCode::FIELD_MISSING),
    ] {
        let socket = h.open();
        h.send_raw(socket, Bytes::copy_from_slice(bytes));
        h.assert_refused(socket, code);
    }
    assert_eq!((h.take(phone), h.closed.contains_key(&phone)), (vec![], false));
}

#[test]
fn data_of_any_kind_is_forwarded_as_the_same_bytes() {
    // req: RLY-007, RLY-062
    let (link, mut h) = (Link::new(1), Harness::new());
    let (phone, web) = h.both(&link);
    for (from, to, kind) in [(phone, web, 7), (web, phone, 3), (phone, web, 200), (web, phone, 201)] {
        let _ = h.raw.remove(&to);
        let sent = RelayFrame::Data { kind: DataKind::from_u8(kind), body: vec![kind; 300].into() }.encode();
        h.send_raw(from, sent.clone());
        let got = h.raw.remove(&to).expect("forwarded");
        assert_eq!(got[..], [sent.clone()][..]);
        assert_eq!(got[0].as_ptr(), sent.as_ptr(), "the bytes are shared, not copied");
    }
}

#[test]
fn data_for_an_absent_peer_is_dropped() {
    // req: RLY-008
    let (link, mut h) = (Link::new(1), Harness::new());
    let phone = h.seat(&link, DeviceRole::Phone);
    h.data(phone, 10);
    assert_eq!(h.relay.stats().frames_dropped, 1);
    let web = h.seat(&link, DeviceRole::Web);
    assert_eq!(h.take(web), [], "nothing was kept for it");
    h.close(web);
    let _ = h.take(phone);
    h.data(phone, 10);
    assert_eq!((h.relay.stats().frames_dropped, h.take(phone)), (2, vec![]));
}

#[test]
fn a_ping_is_answered_with_its_token() {
    // req: RLY-027
    let (link, mut h) = (Link::new(1), Harness::new());
    let phone = h.seat(&link, DeviceRole::Phone);
    h.send(phone, &RelayFrame::Ping(*b"12345678"));
    assert_eq!(h.take(phone), [RelayFrame::Pong(*b"12345678")]);
}
