//! Rules of the reconnect, of commands and of timers that a good peer never puts to the test.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::frame::{Collection, Frame};
use handfast_codec::ids::LogId;
use handfast_codec::limits::DELTA_UNACKED_LEN_MAX;
use handfast_codec::relay::{DataKind, RelayFrame, data_kind};
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_session::testing::AnyEndpoint;
use handfast_session::{Event, LinkState, SyncEvent};
use handfast_testkit::commands;
use handfast_testkit::evil::Evil;
use handfast_testkit::{Clocked as _, World};

const MINUTE: Duration = Duration::from_mins(1);
const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;

fn garbage() -> BytesMut {
    BytesMut::from(&*RelayFrame::Data { kind: DataKind::RECORD, body: Bytes::from(vec![7; 144]) }.encode())
}

#[test]
fn a_record_outside_a_connection_is_dropped_unread() {
    // req: CHN-006
    let mut world = World::linked(1);
    let _ = world.tape(DataKind::KK1, WEB, true);
    world.run_for(Duration::from_secs(5));
    world.phone.receive(world.now, &mut world.rng, garbage());
    world.web.receive(world.now, &mut world.rng, garbage());
    world.settle();
    for device in [&world.phone, &world.web] {
        assert!(!device.events.iter().any(|event| matches!(event, Event::Failed(_))), "{:?}", device.events);
        assert!(device.socket.is_some());
    }
}

#[test]
fn a_web_says_nothing_to_an_empty_seat() {
    // req: HSK-020
    let mut world = World::linked(2);
    world.phone.paused = true;
    let sent = world.tape(DataKind::KK1, WEB, false);
    world.run_for(10 * MINUTE);
    assert_eq!(sent.borrow().len(), 0);
    assert_eq!(world.web.state, Some(LinkState::PeerAbsent));
    world.phone.paused = false;
    world.crash(PHONE);
    world.run_until_live();
    assert_eq!(sent.borrow().len(), 1);
}

#[test]
fn a_web_that_sends_message_1_has_left_its_old_connection() {
    // req: HSK-022
    let mut world = World::live(3);
    let records = world.tape(DataKind::RECORD, PHONE, true);
    let before = records.borrow().len();
    world.run_until("a record is lost", MINUTE, |_| records.borrow().len() > before);
    let late = records.borrow().last().cloned().unwrap();
    let started = world.tape(DataKind::KK1, WEB, true);
    let silence = Rc::new(RefCell::new(true));
    let (kept, silent) = (started.clone(), silence.clone());
    world.filter(move |role, bytes| {
        if role == WEB && data_kind(bytes) == Some(DataKind::KK1) {
            kept.borrow_mut().push(bytes.to_vec());
        }
        !(role == PHONE && *silent.borrow() && data_kind(bytes).is_some())
    });
    world.run_until("message 1", 5 * MINUTE, |_| !started.borrow().is_empty());
    let (now, events) = (world.now, world.web.events.len());
    world.web.receive(now, &mut world.rng, BytesMut::from(&*late));
    world.settle();
    let since = &world.web.events[events..];
    assert!(
        !since.iter().any(|event| matches!(event, Event::Failed(_) | Event::Connected { .. })),
        "{since:?}"
    );
    *silence.borrow_mut() = false;
    world.run_until_live();
}

#[test]
fn the_record_after_message_2_is_the_confirm_or_ends_the_attempt() {
    // req: HSK-029
    let mut world = World::linked(4);
    let confirms = world.tape(DataKind::RECORD, WEB, true);
    world.run_until("a confirm is lost", MINUTE, |_| !confirms.borrow().is_empty());
    let now = world.now;
    world.phone.receive(now, &mut world.rng, garbage());
    world.settle();
    assert!(world.saw(PHONE, &Event::Failed(ErrorCode::DECRYPT_FAILED)), "{:?}", world.phone.events);
    let confirm = confirms.borrow()[0].clone();
    world.phone.receive(now, &mut world.rng, BytesMut::from(&*confirm));
    world.settle();
    assert!(!world.phone.events.iter().any(|event| matches!(event, Event::Connected { .. })), "it is dead");
    world.unfilter();
    world.run_until_live();
}

// req: CHN-012
#[test]
fn who_sent_a_record_that_did_not_open_hears_of_it_at_once() {
    for role in [PHONE, WEB] {
        let mut world = World::linked(4);
        world.run_until_live();
        let (now, before) = (world.now, world.device(!role).events.len());
        let World { phone, web, rng, .. } = &mut world;
        let device = if role == PHONE { phone } else { web };
        device.receive(now, rng, garbage());
        world.settle();
        let heard = &world.device(!role).events[before..];
        assert!(heard.contains(&Event::Closed(ErrorCode::DECRYPT_FAILED)), "{role:?}: {heard:?}");
        assert_eq!(world.now, now, "no time had to pass");
        world.run_until_live();
    }
}

#[test]
fn a_phone_answers_one_message_1_a_second() {
    // req: HSK-125
    let mut world = World::linked(5);
    let answers = world.tape(DataKind::KK2, PHONE, false);
    let mut last = None;
    for n in 1..20 {
        world.run_until("an answer", MINUTE, |_| answers.borrow().len() >= n);
        let now = world.now;
        if let Some(last) = last {
            assert!(now.since(last) >= Duration::from_secs(1), "{now:?} {last:?}");
        }
        last = Some(now);
        world.cut(WEB);
    }
    world.run_until_live();
}

#[test]
fn an_attempt_without_answer_is_repeated_with_a_new_try() {
    // req: HSK-032
    let mut world = World::linked(6);
    let answers = world.tape(DataKind::KK2, PHONE, true);
    world.run_until("the first is lost", MINUTE, |_| answers.borrow().len() == 1);
    world.run_for(Duration::from_millis(9_900));
    assert_eq!(answers.borrow().len(), 1, "not before ten seconds are over");
    // A try that the phone has seen gets silence; only a new one is answered.
    world.run_until("an answer to a new try", 2 * MINUTE, |_| answers.borrow().len() == 2);
    world.unfilter();
    world.run_until_live();
}

/// The commands that the web sent: number, floor.
fn commands(evil: &Evil) -> Vec<(u8, u8)> {
    let head = |frame: &Frame| match frame {
        Frame::Msg { body, .. } => Some((body[0], body[1])),
        _ => None,
    };
    evil.heard.iter().filter_map(head).collect()
}

fn command(evil: &mut Evil) {
    let _ = evil.device.send(evil.now, &Bytes::from_static(b"x")).unwrap();
    evil.listen();
}

fn result(seq: u64, number: u8) -> Frame {
    Frame::Msg { seq, part: 0, last: 0, body: commands::result(number, Some(b"r")) }
}

#[test]
fn commands_count_from_1_and_name_the_lowest_that_is_not_settled() {
    // req: RES-025, RES-011
    let mut evil = Evil::against(WEB);
    for _ in 0..3 {
        command(&mut evil);
    }
    assert_eq!(commands(&evil), [(1, 1), (2, 1), (3, 1)]);
    evil.send(&[result(1, 2)]);
    command(&mut evil);
    assert_eq!(commands(&evil).last(), Some(&(4, 1)), "the first is not settled");
    evil.send(&[result(2, 1)]);
    command(&mut evil);
    assert_eq!(commands(&evil).last(), Some(&(5, 3)), "the third is the lowest now");
}

#[test]
fn deltas_in_flight_are_bounded_until_they_are_acknowledged() {
    // req: SYN-004
    let mut evil = Evil::against(PHONE);
    let (now, name) = (evil.now, Collection::new(&[1]).unwrap());
    for _ in 0..100 {
        evil.device.add_row(now, &[1], &[0; 2_000]);
    }
    evil.send(&[Frame::Since { collection: name, cursor: 0 }]);
    let in_flight = |evil: &Evil| {
        let deltas = evil.heard.iter().filter_map(|frame| match frame {
            Frame::Delta { items, to, .. } => Some((items.len(), *to)),
            _ => None,
        });
        deltas.fold((0, 0), |(len, _), (items, to)| (len + items, to))
    };
    evil.wait(Duration::from_secs(5));
    let (len, cursor) = in_flight(&evil);
    assert!(len > DELTA_UNACKED_LEN_MAX / 2 && len <= DELTA_UNACKED_LEN_MAX, "{len}");
    evil.heard.clear();
    evil.send(&[Frame::Ack { durable: 0, cursors: vec![(name, cursor)] }]);
    let (more, _) = in_flight(&evil);
    assert!(more > 0 && more <= DELTA_UNACKED_LEN_MAX, "{more}");
}

#[test]
fn a_relay_that_says_nothing_for_a_minute_is_left() {
    // req: TIM-001
    for role in [PHONE, WEB] {
        let mut evil = Evil::against(role);
        let left = |evil: &Evil| evil.device.events.contains(&Event::Disconnect);
        for _ in 0..10 {
            evil.wait(Duration::from_secs(25));
            evil.send(&[Frame::Ping { id: 1, rev: 0 }]);
            evil.wait(Duration::from_secs(25));
            evil.give(&RelayFrame::Ping([1; 8]).encode());
            evil.listen();
        }
        assert!(!left(&evil), "it spoke every 25 s");
        evil.wait(Duration::from_secs(59));
        assert!(!left(&evil), "59 s");
        evil.wait(Duration::from_secs(2));
        assert!(left(&evil), "61 s");
    }
}

#[test]
fn a_web_starts_anew_at_a_phone_with_another_log() {
    // req: RES-023
    for is_other_log in [false, true] {
        let mut world = World::linked(7);
        world.web.app.want_collections = vec![b"a".to_vec()];
        world.phone.add_row(world.now, b"a", b"row");
        world.run_until("synced", MINUTE, |w| w.web.disk.rows.len() == 1);
        world.run_for(Duration::from_secs(5));
        world.web.disk.rows.clear();
        world.crash(PHONE);
        if is_other_log {
            let (now, log) = (world.now, LogId::from_bytes([1; 16]));
            let pairs = &world.phone.disk.pairs;
            world.phone.machine = AnyEndpoint::load(PHONE, pairs, log, now, &mut world.rng).unwrap();
            world.phone.machine.phone().set_log_head(now, 1);
        }
        world.run_until_live();
        world.run_for(Duration::from_secs(5));
        let from_0 = |event: &Event| matches!(event, Event::Sync(SyncEvent::DeltaWanted { after: 0, .. }));
        assert_eq!(world.phone.events.iter().any(from_0), is_other_log, "rows are asked for from the first");
    }
}

fn pings(evil: &Evil) -> usize {
    evil.heard.iter().filter(|frame| matches!(frame, Frame::Ping { .. })).count()
}

#[test]
fn a_phone_pings_every_25_seconds_and_a_hidden_page_every_55() {
    // req: TIM-002
    let mut evil = Evil::against(PHONE);
    let before = pings(&evil);
    evil.wait(Duration::from_secs(24));
    assert_eq!(pings(&evil), before);
    evil.wait(Duration::from_secs(2));
    assert_eq!(pings(&evil), before + 1);
    let hidden = Frame::Now { slot: 1, body: Bytes::from_static(&[1]) };
    evil.send(&[hidden, Frame::Pong { id: 1 }]);
    evil.wait(Duration::from_secs(26));
    let before = pings(&evil);
    evil.give(&RelayFrame::Ping([1; 8]).encode());
    // The last one left at 50 s, two seconds ago.
    evil.wait(Duration::from_secs(52));
    assert_eq!(pings(&evil), before);
    evil.wait(Duration::from_secs(2));
    assert_eq!(pings(&evil), before + 1);
}

#[test]
fn a_probe_goes_out_at_once_and_waits_five_seconds() {
    // req: TIM-004
    let mut evil = Evil::against(WEB);
    evil.send(&[Frame::Ping { id: 1, rev: 0 }]);
    let before = pings(&evil);
    evil.device.machine.probe(evil.now);
    evil.listen();
    assert_eq!(pings(&evil), before + 1);
    evil.wait(Duration::from_millis(4_900));
    assert_ne!(evil.device.state, Some(LinkState::PeerSilent));
    evil.wait(Duration::from_millis(200));
    assert_eq!(evil.device.state, Some(LinkState::PeerSilent));
}

#[test]
fn about_one_record_in_sixteen_holds_a_frame_that_nobody_knows() {
    // req: EXT-001
    let mut evil = Evil::against(WEB);
    for _ in 0..640 {
        let _ = evil.device.send(evil.now, &Bytes::from_static(b"x")).unwrap();
        evil.listen();
    }
    assert!(evil.records >= 640);
    let share = evil.records / evil.greased;
    assert!((8..32).contains(&share), "{} of {}", evil.greased, evil.records);
}
