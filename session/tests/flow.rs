//! A peer with real keys against streams and windows: the rows MX of FAULTS.md that one side alone can bring about.

use bytes::{Bytes, BytesMut};
use handfast_codec::frame::{Frame, OpenKind};
use handfast_codec::limits::{
    AHEAD_BULK_LEN_MAX, CONN_CREDIT_START, CONN_WINDOW_MAX, OWED_FRAMES_MAX, RECORD_PLAINTEXT_LEN_MAX,
    STREAM_CREDIT_START, STREAM_WINDOW_MAX, STREAMS_OPEN_MAX, VARINT_MAX,
};
use handfast_codec::relay::RECORD_HEADER;
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_session::SendError;
use handfast_testkit::World;
use handfast_testkit::account::set_counters;
use handfast_testkit::commands;
use handfast_testkit::evil::Evil;
use handfast_testkit::evil::against_phone;
use handfast_testkit::frames::{command, data, open};

fn stop(id: u64) -> Frame {
    Frame::Stop { id, code: ErrorCode::CANCELLED }
}

/// An evil web against a phone that has two megabytes to give.
fn against_giver(frames: &[Frame]) -> Evil {
    let mut evil = Evil::against(DeviceRole::Phone);
    let _ = evil.device.app.content.insert(b"file".to_vec(), vec![5; 2_000_000]);
    evil.send(frames);
    evil
}

fn closes(evil: &Evil) -> usize {
    evil.heard.iter().filter(|f| matches!(f, Frame::Close { .. })).count()
}

#[test]
fn opening_and_stopping_at_once_leaves_nothing_behind() {
    let mut evil = against_phone(&[]);
    let rows = evil.device.disk.pairs.len();
    for round in 0..1_000_u64 {
        let pairs = (0..20).map(|n| (round * 20 + n) * 2).flat_map(|id| [open(id, OpenKind::Put), stop(id)]);
        evil.send(&pairs.collect::<Vec<_>>());
        assert_eq!(evil.device.machine.streams().len(), 0);
        evil.heard.clear();
    }
    assert_eq!(evil.failure(), None);
    assert_eq!(evil.device.disk.pairs.len(), rows);
}

#[test]
fn one_bad_frame_is_answered_by_one_close_and_no_more() {
    for bad in [data(0, 0, 1), Frame::Fin { id: 2, hash: [0; 32] }, open(1, OpenKind::Get), stop(4)] {
        let mut evil = against_phone(std::slice::from_ref(&bad));
        for _ in 0..100 {
            evil.send(std::slice::from_ref(&bad));
        }
        assert!(evil.failure().is_some());
        assert_eq!(closes(&evil), 1, "{bad:?}");
    }
}

#[test]
fn a_message_that_never_ends_is_bounded() {
    // req: RES-004, RES-005
    let part = |part, last, len| Frame::Msg { seq: 1, part, last, body: Bytes::from(vec![1; len]) };
    let mut evil = against_phone(&[]);
    for n in 0..31 {
        evil.send(&[part(n, 31, 2_000)]);
    }
    assert_eq!(evil.failure(), None);
    evil.send(&[part(0, 31, 2_000)]);
    assert_eq!(evil.failure(), Some(ErrorCode::PART_ORDER));
    let mut evil = against_phone(&[]);
    for n in 0..5 {
        evil.send(&[part(n, 31, 16_000)]);
    }
    assert_eq!(evil.failure(), Some(ErrorCode::MESSAGE_TOO_LARGE));
}

#[test]
fn data_without_bytes_is_refused_and_empty_messages_are_counted() {
    // req: FRM-024, RES-006
    let mut evil = against_phone(&[open(0, OpenKind::Put)]);
    let mut record = BytesMut::from(&RECORD_HEADER[..]);
    record.extend_from_slice(&[27, 2, 0, 0]);
    record.resize(128 + RECORD_HEADER.len(), 0);
    evil.send_record(record);
    assert_eq!(evil.failure(), Some(ErrorCode::FIELD_LENGTH));
    // A web whose store is slow takes 1,024 messages, and not one more.
    for (count, failure) in [(1_024, None), (1_025, Some(ErrorCode::UNACKED))] {
        let mut evil = Evil::against(DeviceRole::Web);
        evil.device.paused = true;
        let body = commands::result(9, None);
        let tiny = |seq| Frame::Msg { seq, part: 0, last: 0, body: body.clone() };
        for seq in 1..=count {
            evil.send(&[tiny(seq)]);
        }
        evil.device.paused = false;
        evil.listen();
        assert_eq!(evil.failure(), failure);
    }
}

#[test]
fn gaps_in_reassembly_are_refused() {
    // req: STR-003
    for (len, next) in [(1, 2), (100, 99)] {
        let mut evil = against_phone(&[open(0, OpenKind::Put)]);
        evil.send(&[data(0, 0, len), data(0, next, 1)]);
        assert_eq!(evil.failure(), Some(ErrorCode::OFFSET), "{next} after {len} bytes");
    }
}

#[test]
fn a_first_frame_beyond_the_window_is_refused() {
    // req: STR-004
    for len in [1, 16_000] {
        let evil = against_phone(&[open(0, OpenKind::Put), data(0, 0, len)]);
        assert_eq!(evil.failure(), Some(ErrorCode::CREDIT_EXCEEDED));
    }
    let mut evil = against_phone(&[open(0, OpenKind::Put)]);
    let first = evil.heard.iter().find_map(|f| match f {
        Frame::Credit { id: 0, offset } => Some(*offset),
        _ => None,
    });
    assert_eq!(first, Some(STREAM_CREDIT_START));
    for offset in [0, 16_000, 32_000, 48_000] {
        evil.send(&[data(0, offset, 16_000)]);
    }
    assert_eq!(evil.failure(), None);
}

#[test]
fn while_data_comes_one_ping_at_a_time_measures_the_path() {
    // req: STR-027
    let mut evil = against_phone(&[open(0, OpenKind::Put)]);
    let pings = |evil: &Evil| -> Vec<u64> {
        let id = |frame: &Frame| if let Frame::Ping { id, .. } = frame { Some(*id) } else { None };
        evil.heard.iter().filter_map(id).collect()
    };
    // The one with which a connection begins is answered.
    let first = pings(&evil);
    evil.send(&first.iter().map(|id| Frame::Pong { id: *id }).collect::<Vec<_>>());
    evil.heard.clear();
    evil.send(&[data(0, 0, 1_000), data(0, 1_000, 1_000)]);
    evil.wait(core::time::Duration::from_millis(19));
    evil.send(&[data(0, 2_000, 1_000)]);
    assert!(pings(&evil).is_empty(), "too early");
    evil.wait(core::time::Duration::from_millis(1));
    evil.send(&[data(0, 3_000, 1_000), data(0, 4_000, 1_000)]);
    let asked = pings(&evil);
    assert_eq!(asked.len(), 1);
    evil.wait(core::time::Duration::from_millis(500));
    evil.send(&[data(0, 5_000, 1_000)]);
    assert_eq!(pings(&evil), asked, "it is not answered yet");
    evil.send(&[Frame::Pong { id: asked[0] }, data(0, 6_000, 1_000)]);
    evil.wait(core::time::Duration::from_millis(20));
    evil.send(&[data(0, 7_000, 1_000)]);
    assert_eq!(pings(&evil).len(), 2);
    assert_eq!(evil.failure(), None);
}

#[test]
fn a_peer_that_never_gives_credit_holds_little_and_delays_nobody() {
    // req: STR-004
    let gets: Vec<Frame> = (0..16).map(|n| open(n * 2, OpenKind::Get)).collect();
    let mut evil = against_giver(&gets);
    evil.listen();
    assert_eq!(
        evil.data_heard(),
        usize::try_from(CONN_CREDIT_START).unwrap(),
        "what the first credit allows"
    );
    evil.heard.clear();
    evil.send(&[command(1, 1, 1)]);
    assert!(evil.heard.iter().any(|f| matches!(f, Frame::Msg { .. })), "a result, meanwhile");
    assert_eq!((evil.failure(), evil.data_heard()), (None, 0));
}

#[test]
fn stream_ids_end_at_the_largest_number() {
    // req: STR-001
    let mut evil = against_phone(&[open(VARINT_MAX - 1, OpenKind::Put)]);
    assert_eq!(evil.failure(), None);
    evil.send(&[open(VARINT_MAX - 1, OpenKind::Put)]);
    assert_eq!(evil.failure(), Some(ErrorCode::STREAM_ID));
    let mut world = World::linked(3);
    set_counters(&mut world.web.disk.pairs, |n| n[5] = VARINT_MAX - 3);
    world.crash(DeviceRole::Web);
    for id in [VARINT_MAX - 3, VARINT_MAX - 1] {
        let opened = world.web.machine.stream_open(world.now, OpenKind::Get, Bytes::new()).unwrap();
        assert_eq!(opened.id, id);
    }
    let refused = world.web.machine.stream_open(world.now, OpenKind::Get, Bytes::new());
    assert_eq!(refused.err(), Some(SendError::TooMany));
}

#[test]
fn streams_without_end_are_stopped_beyond_sixteen() {
    // req: STR-002
    let mut evil = against_phone(&[]);
    for round in 0..100 {
        evil.send(&(0..20).map(|n| open((round * 20 + n) * 2, OpenKind::Put)).collect::<Vec<_>>());
    }
    let stops = evil.heard.iter().filter(|f| matches!(f, Frame::Stop { .. })).count();
    assert_eq!((evil.failure(), stops), (None, 2_000 - STREAMS_OPEN_MAX));
    assert_eq!(evil.device.machine.streams().len(), STREAMS_OPEN_MAX);
}

#[test]
fn an_acknowledgement_or_a_credit_of_the_future_ends_the_session() {
    // req: RES-007, STR-017
    let sent = STREAM_CREDIT_START;
    for (frame, failure) in [
        (Frame::Durable { id: 0, offset: sent }, None),
        (Frame::Durable { id: 0, offset: sent + 1 }, Some(ErrorCode::ACK_FUTURE)),
        (Frame::Durable { id: 0, offset: VARINT_MAX }, Some(ErrorCode::ACK_FUTURE)),
        (Frame::Credit { id: 0, offset: sent + STREAM_WINDOW_MAX }, None),
        (Frame::Credit { id: 0, offset: sent + STREAM_WINDOW_MAX + 1 }, Some(ErrorCode::LIMIT)),
        (Frame::Credit { id: 0, offset: VARINT_MAX }, Some(ErrorCode::LIMIT)),
        (Frame::ConnCredit { offset: sent + CONN_WINDOW_MAX }, None),
        (Frame::ConnCredit { offset: sent + CONN_WINDOW_MAX + 1 }, Some(ErrorCode::LIMIT)),
    ] {
        let mut evil = against_giver(&[open(0, OpenKind::Get)]);
        assert_eq!(evil.data_heard(), 65_536);
        evil.send(std::slice::from_ref(&frame));
        assert_eq!(evil.failure(), failure, "{frame:?}");
    }
    let mut evil = against_giver(&[open(0, OpenKind::Get)]);
    evil.send(&[Frame::Durable { id: 0, offset: 100 }, Frame::Durable { id: 0, offset: 99 }]);
    assert_eq!(evil.failure(), Some(ErrorCode::OFFSET), "durable bytes do not go back");
}

#[test]
fn a_result_does_not_wait_behind_bulk_that_is_queued() {
    // req: STR-015
    let mut evil = Evil::against(DeviceRole::Phone);
    let _ = evil.device.app.content.insert(b"file".to_vec(), vec![5; 2_000_000]);
    evil.deaf = true;
    evil.send(&[open(0, OpenKind::Get)]);
    evil.send(&[
        Frame::Credit { id: 0, offset: 65_536 + STREAM_WINDOW_MAX },
        Frame::ConnCredit { offset: 65_536 + CONN_WINDOW_MAX },
    ]);
    let bulk = evil.data_heard();
    let most = AHEAD_BULK_LEN_MAX + RECORD_PLAINTEXT_LEN_MAX;
    assert!((100_000..=most).contains(&bulk), "{bulk} bytes ahead");
    evil.heard.clear();
    evil.send(&[command(1, 1, 1)]);
    assert!(evil.heard.iter().any(|f| matches!(f, Frame::Msg { .. })), "the result has left");
    assert_eq!(evil.data_heard(), 0, "and nothing before it");
}

#[test]
fn an_urgent_stream_goes_before_bulk_that_was_asked_for_earlier() {
    // req: STR-015
    let mut evil = Evil::against(DeviceRole::Phone);
    let _ = evil.device.app.content.insert(b"file".to_vec(), vec![5; 2_000_000]);
    evil.deaf = true;
    evil.send(&[open(0, OpenKind::Get), open(2, OpenKind::Get)]);
    evil.send(&[
        Frame::Credit { id: 0, offset: STREAM_WINDOW_MAX },
        Frame::Credit { id: 2, offset: STREAM_WINDOW_MAX },
        Frame::ConnCredit { offset: CONN_WINDOW_MAX },
    ]);
    let now = evil.now;
    evil.device.machine.set_stream_priority(now, 2).unwrap();
    assert!(evil.device.machine.set_stream_priority(now, 4).is_err());
    evil.heard.clear();
    evil.device.transmitted(now, 100_000);
    evil.listen();
    let sent = |wanted: u64| -> usize {
        let len = |f: &Frame| match f {
            Frame::Data { id, body, .. } if *id == wanted => body.len(),
            _ => 0,
        };
        evil.heard.iter().map(len).sum()
    };
    // Bulk fills what room the records have left.
    assert!(sent(2) > 80_000 && sent(0) < sent(2) / 10, "{} and {} bytes", sent(2), sent(0));
}

#[test]
fn answers_that_cannot_leave_are_capped() {
    // req: FRM-025
    let pings = |n: usize| vec![Frame::Ping { id: 1, rev: 0 }; n];
    let mut evil = against_phone(&pings(OWED_FRAMES_MAX));
    assert_eq!(evil.failure(), None);
    evil.send(&pings(OWED_FRAMES_MAX + 1));
    assert_eq!(evil.failure(), Some(ErrorCode::LIMIT));
    // A socket that takes nothing: what is sealed ahead is bounded, what is owed too.
    let mut evil = against_phone(&[]);
    evil.deaf = true;
    let mut rounds = 0;
    while closes(&evil) == 0 {
        evil.send(&pings(OWED_FRAMES_MAX));
        rounds += 1;
        assert!(rounds < 2_000, "the endpoint owes for ever");
    }
    assert_eq!(evil.failure(), Some(ErrorCode::LIMIT));
    // The same with streams that are refused.
    let mut evil = against_phone(&[]);
    evil.deaf = true;
    let mut id = 0;
    while closes(&evil) == 0 {
        let opens: Vec<Frame> =
            (0..OWED_FRAMES_MAX as u64).map(|n| open(id + n * 2, OpenKind::Put)).collect();
        id += 2 * OWED_FRAMES_MAX as u64;
        evil.send(&opens);
        assert!(id < 400_000, "the endpoint owes for ever");
    }
    assert_eq!(evil.failure(), Some(ErrorCode::LIMIT));
}
