//! A pending link's connection: which records hold link frames is the same on both sides, whatever is committed by then.

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::ids::Signature;
use handfast_codec::link::LinkFrame;
use handfast_session::{Event, LinkStatus};
use handfast_testkit::evil::Evil;

/// What a phone may send at once after `LINK_COMMIT`. In the registry of link records PING is `LINK_CERT`, MSG is
/// `LINK_COMMIT`, and the others are unknown.
fn first_frames() -> [Frame; 5] {
    let result = handfast_testkit::commands::result(1, Some(b"r"));
    [
        Frame::Ping { id: 1, rev: 0 },
        Frame::Msg { seq: 1, part: 0, last: 0, body: result },
        Frame::Ack { durable: 0, cursors: Vec::new() },
        Frame::Now { slot: 3, body: Bytes::from_static(&[50, 1]) },
        Frame::ConnCredit { offset: 300_000 },
    ]
}

fn failures(evil: &Evil) -> Vec<&Event> {
    let failed = |event: &&Event| matches!(event, Event::Failed(_) | Event::Closed(_) | Event::Relay(_));
    evil.device.events.iter().filter(failed).collect()
}

// req: HSK-122
#[test]
fn what_follows_link_commit_holds_frames_though_active_is_not_stored_yet() {
    for frame in first_frames() {
        let mut evil = Evil::before_commit();
        assert_eq!(evil.confirmed, [evil_accept(&evil)]);
        // Both arrive before the endpoint's commit of ACTIVE is even handed out.
        evil.give_link(&[LinkFrame::Commit]);
        evil.give_frames(std::slice::from_ref(&frame));
        evil.give_frames(&[Frame::Ping { id: 77, rev: 0 }]);
        evil.listen();
        assert!(failures(&evil).is_empty(), "{frame:?}: {:?}", failures(&evil));
        assert_eq!(evil.device.machine.status(), LinkStatus::Active);
        assert!(evil.heard.contains(&Frame::Pong { id: 77 }), "{frame:?}: {:?}", evil.heard);
    }
}

// req: HSK-122
#[test]
fn a_pending_web_sends_nothing_before_active_is_stored() {
    let mut evil = Evil::before_commit();
    evil.device.paused = true;
    evil.give_link(&[LinkFrame::Commit]);
    evil.give_frames(&[Frame::Ping { id: 77, rev: 0 }]);
    evil.listen();
    assert!(evil.heard.is_empty(), "{:?}", evil.heard);
}

// req: HSK-122
#[test]
fn before_link_commit_a_record_of_frames_is_refused() {
    for frame in first_frames() {
        let mut evil = Evil::before_commit();
        evil.give_frames(std::slice::from_ref(&frame));
        evil.listen();
        assert!(matches!(failures(&evil).as_slice(), [Event::Failed(_)]), "{frame:?}");
        assert_eq!(evil.device.machine.status(), LinkStatus::Pending, "{frame:?}");
    }
}

// req: HSK-124
#[test]
fn a_web_that_is_refused_by_link_close_says_why_and_stays_pending() {
    for code in [ErrorCode::NOT_ACCEPTED, ErrorCode::HANDSHAKE_FAILED, ErrorCode::BAD_SIGNATURE] {
        let mut evil = Evil::before_commit();
        evil.give_link(&[LinkFrame::Close { code }]);
        evil.listen();
        assert_eq!(failures(&evil), [&Event::Closed(code)]);
        assert!(evil.heard.is_empty(), "a close is not answered");
        assert_eq!(evil.device.machine.status(), LinkStatus::Pending);
    }
}

// req: HSK-123
#[test]
fn a_phone_that_refuses_a_pending_web_speaks_in_link_records() {
    for active in [false, true] {
        for (accept, code) in [
            (
                Some(LinkFrame::Accept { signature: Signature::from_bytes([7; 64]) }),
                ErrorCode::HANDSHAKE_FAILED,
            ),
            (None, ErrorCode::NOT_ACCEPTED),
            (Some(LinkFrame::Commit), ErrorCode::NOT_ACCEPTED),
        ] {
            let mut evil = Evil::before_confirm(active, true);
            let answers = evil.send_link(accept.as_slice());
            assert_eq!(answers, [LinkFrame::Close { code }], "{accept:?}");
            assert_eq!(failures(&evil), [&Event::Failed(code)]);
        }
    }
}

fn evil_accept(evil: &Evil) -> LinkFrame {
    evil.confirmed.first().cloned().expect("a link frame")
}
