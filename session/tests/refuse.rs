//! An evil peer with real keys: each rule it breaks ends the session with the code that the rule names, and nothing is
//! lost, wedged or grown.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::frame::{Frame, Items, OpenKind};
use handfast_codec::limits::{COMMANDS_OPEN_MAX, CONN_CREDIT_START, SUBSCRIPTIONS_MAX};
use handfast_codec::relay::RECORD_HEADER;
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_handshake::secret::Psk;
use handfast_session::{ApiMisuse, Event, Repeat, SendError};
use handfast_testkit::commands;
use handfast_testkit::evil::Evil;
use handfast_testkit::evil::{against_phone, against_web, subscribed};
use handfast_testkit::frames::{collection, command, data, delta, open};

#[test]
fn an_honest_record_is_taken_by_both_roles() {
    assert_eq!(against_phone(&[Frame::Ping { id: 1, rev: 0 }]).failure(), None);
    let evil = against_web(&[Frame::Ping { id: 1, rev: 0 }]);
    assert_eq!(evil.failure(), None);
    assert!(evil.heard.contains(&Frame::Pong { id: 1 }));
}

#[test]
fn a_message_over_its_maximum_ends_the_session() {
    // req: RES-005
    let part = |part, len| Frame::Msg { seq: 1, part, last: 4, body: Bytes::from(vec![1; len]) };
    for (len, failure) in [(1_536, None), (1_537, Some(ErrorCode::MESSAGE_TOO_LARGE))] {
        let mut evil = Evil::against(DeviceRole::Phone);
        for n in 0..4 {
            evil.send(&[part(n, 16_000)]);
        }
        evil.send(&[part(4, len)]);
        assert_eq!(evil.failure(), failure);
    }
}

#[test]
fn an_ack_of_the_future_ends_the_session_and_empties_nothing() {
    // req: RES-007
    let mut evil = Evil::against(DeviceRole::Web);
    let _ = evil.device.send(evil.now, &Bytes::from_static(b"keep me")).unwrap();
    evil.listen();
    evil.send(&[Frame::Ack { durable: 2, cursors: vec![] }]);
    assert_eq!(evil.failure(), Some(ErrorCode::ACK_FUTURE));
    assert_eq!(evil.device.machine.outbox_len().0, 1);
    let max = Frame::Ack { durable: (1 << 62) - 1, cursors: vec![] };
    assert_eq!(against_web(&[max]).failure(), Some(ErrorCode::ACK_FUTURE));
}

#[test]
fn a_command_below_its_own_floor_ends_the_session_and_does_not_wedge_the_link() {
    // req: RES-031
    let evil = against_phone(&[command(1, 3, 5)]);
    assert_eq!(evil.failure(), Some(ErrorCode::COMMAND_FLOOR));
    assert!(evil.device.disk.effects.is_empty());
}

#[test]
fn a_command_too_far_above_its_own_floor_is_refused() {
    // req: RES-031
    for (above, failure) in
        [(COMMANDS_OPEN_MAX - 1, None), (COMMANDS_OPEN_MAX, Some(ErrorCode::COMMAND_FLOOR))]
    {
        // The number is a varint of two bytes, the floor is 1.
        let number = u16::try_from(0x4000 + 1 + above).unwrap().to_be_bytes();
        let body = Bytes::from([&number[..], &[1], commands::key(1).as_bytes().as_slice(), b"x"].concat());
        let evil = against_phone(&[Frame::Msg { seq: 1, part: 0, last: 0, body }]);
        assert_eq!(evil.failure(), failure);
        assert_eq!(evil.device.disk.effects.len(), usize::from(failure.is_none()));
    }
}

#[test]
fn a_malformed_command_counts_as_received() {
    // req: RES-081
    let mut evil = against_phone(&[Frame::Msg { seq: 1, part: 0, last: 0, body: Bytes::new() }]);
    assert_eq!(evil.failure(), Some(ErrorCode::TRUNCATED));
    evil.wait(Duration::from_secs(2));
    assert!(evil.device.disk.effects.is_empty());
    let psk = Psk::from_bytes(*evil.psk().expose());
    let (reply, _) = evil.ask(Some(&psk), 2, None, false).expect("message 2");
    assert_eq!(reply.resume.expect("a block").durable, 1, "it does not come again");
}

#[test]
fn a_part_may_be_empty() {
    // req: RES-080
    let part = |part| Frame::Msg { seq: 1, part, last: 31, body: Bytes::new() };
    let parts: Vec<Frame> = (0..31).map(part).collect();
    assert_eq!(against_phone(&parts).failure(), None);
}

#[test]
fn subscriptions_are_limited() {
    // req: SYN-007
    let since = |n| Frame::Since { collection: collection(n), cursor: 0 };
    let most: Vec<Frame> = (0..SUBSCRIPTIONS_MAX).map(since).collect();
    let mut evil = against_phone(&most);
    assert_eq!(evil.failure(), None);
    evil.send(&[since(SUBSCRIPTIONS_MAX)]);
    assert_eq!(evil.failure(), Some(ErrorCode::LIMIT));
}

#[test]
fn a_delta_must_be_asked_for_and_begin_at_the_cursor() {
    // req: SYN-002, SYN-008
    assert_eq!(against_web(&[delta(0, 1, 0, 0)]).failure(), Some(ErrorCode::FRAME_NOT_ALLOWED));
    for (frames, failure) in [
        (vec![delta(0, 1, 0, 0), delta(1, 2, 0, 0)], None),
        (vec![delta(1, 2, 0, 0)], Some(ErrorCode::SEQ_GAP)),
        (vec![delta(0, 1, 0, 0), delta(0, 2, 0, 0)], Some(ErrorCode::SEQ_GAP)),
        (vec![delta(0, 0, 0, 0)], Some(ErrorCode::SEQ_GAP)),
        (vec![delta(0, 1, 1, 1)], Some(ErrorCode::PART_ORDER)),
        (vec![delta(0, 1, 0, 2), delta(0, 1, 2, 2)], Some(ErrorCode::PART_ORDER)),
    ] {
        let mut evil = subscribed();
        evil.send(&frames);
        assert_eq!(evil.failure(), failure, "{frames:?}");
    }
}

#[test]
fn a_delta_over_its_maximum_ends_the_session() {
    // req: SYN-005
    let mut evil = subscribed();
    for part in 0..5 {
        let items = Items::build([vec![1; 15_000]]).unwrap();
        evil.send(&[Frame::Delta { collection: collection(0), from: 0, to: 1, part, last: 9, items }]);
    }
    assert_eq!(evil.failure(), Some(ErrorCode::MESSAGE_TOO_LARGE));
}

#[test]
fn a_stream_id_must_be_the_peers_and_ascend() {
    // req: STR-081
    // req: STR-001
    for frames in [
        vec![open(1, OpenKind::Put)],
        vec![open(2, OpenKind::Put), open(0, OpenKind::Put)],
        vec![open(2, OpenKind::Put), open(2, OpenKind::Put)],
    ] {
        assert_eq!(against_phone(&frames).failure(), Some(ErrorCode::STREAM_ID), "{frames:?}");
    }
}

#[test]
fn a_connection_carries_no_more_data_than_its_credit() {
    // req: STR-004
    let mut evil =
        against_phone(&[open(0, OpenKind::Put), Frame::Stop { id: 0, code: ErrorCode::CANCELLED }]);
    let granted = |evil: &Evil| {
        let credits = evil.heard.iter().filter_map(|f| match f {
            Frame::ConnCredit { offset } => Some(*offset),
            _ => None,
        });
        credits.max().unwrap_or(CONN_CREDIT_START)
    };
    let mut sent = 0;
    while granted(&evil) == CONN_CREDIT_START && sent + 16_000 <= CONN_CREDIT_START {
        evil.send(&[data(0, sent, 16_000)]);
        sent += 16_000;
        assert_eq!(evil.failure(), None);
    }
    let room = granted(&evil);
    while sent + 16_000 <= room {
        let mut record = handfast_codec::record::RecordBuilder::new();
        assert!(record.push(&data(0, sent, 16_000)));
        evil.send_record(record.finish());
        sent += 16_000;
        if granted(&evil) > room {
            return;
        }
    }
    evil.send(&[data(0, sent, 16_000)]);
    assert_eq!(evil.failure(), Some(ErrorCode::CREDIT_EXCEEDED));
}

#[test]
fn a_record_that_does_not_open_ends_the_connection_and_the_store_stays() {
    // req: CHN-003, CHN-012
    for against in [DeviceRole::Web, DeviceRole::Phone] {
        let mut evil = Evil::against(against);
        let mut forged = BytesMut::from(&RECORD_HEADER[..]);
        forged.resize(128 + 16 + RECORD_HEADER.len(), 9);
        let before = evil.device.disk.pairs.len();
        evil.give(&forged);
        evil.listen();
        assert!(evil.device.events.contains(&Event::Failed(ErrorCode::DECRYPT_FAILED)));
        assert_eq!(evil.device.disk.pairs.len(), before);
        let close = Frame::Close { code: ErrorCode::DECRYPT_FAILED, retry_ms: 0 };
        assert_eq!(evil.heard.iter().filter(|frame| **frame == close).count(), 1, "{:?}", evil.heard);
    }
}

#[test]
fn nothing_a_close_says_wipes_keys() {
    // req: HSK-045, ERR-003
    for code in ErrorCode::ALL.iter().copied().chain([ErrorCode::from_u16(0xffff)]) {
        let mut evil = against_web(&[Frame::Close { code, retry_ms: 0 }]);
        evil.wait(Duration::from_secs(1));
        assert!(!evil.device.events.contains(&Event::Revoked), "{code}");
        assert!(evil.device.disk.pairs.len() > 4, "{code}: the link is still stored");
    }
}

#[test]
fn nothing_a_relay_says_wipes_keys_or_ends_the_link() {
    // req: HSK-045
    for code in ErrorCode::ALL {
        let mut evil = Evil::against(DeviceRole::Web);
        let frame = handfast_codec::relay::RelayFrame::Error { code: *code, retry_ms: 0 };
        evil.give(&frame.encode());
        evil.hang_up();
        evil.wait(Duration::from_secs(90));
        assert!(evil.device.disk.pairs.len() > 4, "{code}: the link is still stored");
        let again = evil.device.events.iter().filter(|e| **e == Event::Connect).count();
        assert_eq!(again > 0, *code != ErrorCode::REPLACED, "{code}: tried {again} times");
    }
}

#[test]
fn a_call_about_what_is_not_there_is_refused_without_effect() {
    let mut evil = Evil::against(DeviceRole::Phone);
    let now = evil.now;
    let answered = evil.device.machine.phone().answer(now, commands::key(1), &Bytes::new(), Repeat::Answer);
    assert!(matches!(answered, Err(SendError::Misuse(ApiMisuse::WrongState { .. }))), "{answered:?}");
    assert!(evil.device.machine.stream_supply(now, 0, 0, Bytes::new(), None).is_err());
    assert!(evil.device.machine.stream_durable(now, 0, 0).is_err());
}
