//! What leaves a device at a fault, and what does not (spec, errors, *What leaves when*).

use bytes::Bytes;
use handfast_codec::frame::{Frame, OpenKind};
use handfast_codec::ids::AttachmentId;
use handfast_codec::relay::{DataKind, Peer, PeerInfo, RelayFrame};
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_testkit::evil::Evil;

/// A fault at a device of this role, with its code.
fn faults() -> [(DeviceRole, Frame, ErrorCode); 4] {
    let open = |id| Frame::Open { id, kind: OpenKind::Get, meta: Bytes::new() };
    let message = Frame::Msg { seq: 2, part: 0, last: 0, body: Bytes::from_static(&[1, 1]) };
    [
        (DeviceRole::Phone, message.clone(), ErrorCode::SEQ_GAP),
        (DeviceRole::Phone, open(1), ErrorCode::STREAM_ID),
        (DeviceRole::Web, message, ErrorCode::SEQ_GAP),
        (DeviceRole::Web, open(0), ErrorCode::STREAM_ID),
    ]
}

#[test]
fn close_is_the_last_frame_of_a_session_that_ends_for_a_fault() {
    // req: ERR-020
    for (role, fault, code) in faults() {
        let mut evil = Evil::against(role);
        evil.heard.clear();
        evil.send(&[Frame::Ping { id: 1, rev: 0 }, fault, Frame::Ping { id: 2, rev: 0 }]);
        assert_eq!(evil.heard.last(), Some(&Frame::Close { code, retry_ms: 0 }), "{role:?}");
        assert!(!evil.heard.contains(&Frame::Pong { id: 2 }), "{role:?}: read on behind the fault");
        let heard = evil.heard.len();
        evil.send(&[Frame::Ping { id: 3, rev: 0 }]);
        assert_eq!(evil.heard.len(), heard, "{role:?}: spoke after its CLOSE");
    }
}

/// The relay's DATA frames among these.
fn data(asked: &[RelayFrame]) -> usize {
    asked.iter().filter(|frame| matches!(frame, RelayFrame::Data { .. })).count()
}

#[test]
fn nothing_leaves_for_a_handshake_message_with_a_fault() {
    // req: ERR-022
    let mut phone = Evil::against(DeviceRole::Phone);
    phone.asked.clear();
    let other_suite = [&[2, 0][..], &[7; 200]].concat();
    let other_mode = [&[1, 2][..], &[7; 200]].concat();
    for body in [vec![], vec![1], vec![1; 9], other_suite, other_mode, vec![7; 4_097]] {
        phone.give(&RelayFrame::Data { kind: DataKind::KK1, body: body.into() }.encode());
        phone.listen();
        assert_eq!(data(&phone.asked), 0, "{:?}", phone.asked);
    }
    for len in [0, 31, 48, 200, 4_097] {
        let mut web = Evil::opened(DeviceRole::Web, true);
        web.attach();
        web.listen();
        assert_eq!(data(&web.asked), 1, "message 1");
        web.give(&RelayFrame::Data { kind: DataKind::KK2, body: vec![7; len].into() }.encode());
        web.listen();
        assert_eq!(data(&web.asked), 1, "{len}: {:?}", web.asked);
    }
}

#[test]
fn a_connection_ends_when_the_peer_leaves_or_another_comes() {
    // req: HSK-150
    let other = PeerInfo { id: AttachmentId::from_bytes([7; 8]), same_net: None, origin: None };
    for peer in [Peer::Down, Peer::Up(other)] {
        for role in [DeviceRole::Phone, DeviceRole::Web] {
            let mut evil = Evil::against(role);
            evil.give(&RelayFrame::Peer(peer.clone()).encode());
            evil.listen();
            let heard = evil.heard.len();
            evil.send(&[Frame::Ping { id: 1, rev: 0 }]);
            assert_eq!(evil.heard.len(), heard, "{role:?} {peer:?}: it answers under the old keys");
        }
    }
}
