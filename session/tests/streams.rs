//! Streams between two honest endpoints over a bad wire: the rows MX of FAULTS.md that need both sides.

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::frame::OpenKind;
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_session::{Event, StreamEnd, StreamEvent};
use handfast_testkit::{Clocked as _, World};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const MINUTE: Duration = Duration::from_mins(1);
const ROLES: [DeviceRole; 2] = [DeviceRole::Phone, DeviceRole::Web];

fn content(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i * 7 % 253).unwrap() ^ salt).collect()
}

fn file<'a>(world: &'a World, role: DeviceRole, name: &str) -> &'a [u8] {
    let device = if role == DeviceRole::Phone { &world.phone } else { &world.web };
    device.disk.files.get(name.as_bytes()).map_or(&[], Vec::as_slice)
}

fn failures(world: &World) -> Vec<&Event> {
    [&world.phone, &world.web]
        .into_iter()
        .flat_map(|d| d.events.iter())
        .filter(|e| matches!(e, Event::Failed(_) | Event::Closed(_)))
        .collect()
}

fn streams(world: &World) -> usize {
    world.phone.machine.streams().len() + world.web.machine.streams().len()
}

#[test]
fn both_sides_send_more_than_the_window_before_they_read() {
    for n in [1, 3, 8] {
        let mut world = World::live(200 + n);
        for i in 0..n {
            for role in ROLES {
                let name = format!("{role:?} {i}");
                let _ = world.open(role, OpenKind::Put, &name, content(200_000, 1));
            }
        }
        world.run_until("all are over", MINUTE, |w| streams(w) == 0);
        for i in 0..n {
            for role in ROLES {
                assert_eq!(file(&world, !role, &format!("{role:?} {i}")), content(200_000, 1));
            }
        }
        assert!(failures(&world).is_empty(), "{:?}", failures(&world));
    }
}

#[test]
fn streams_one_after_another_leave_nothing() {
    let mut world = World::live(210);
    let rows = (world.phone.disk.pairs.len(), world.web.disk.pairs.len());
    for n in 0..300 {
        let _ = world.open(ROLES[n % 2], OpenKind::Put, ["one", "other"][n % 2], content(10, 2));
        world.run_until("it is over", MINUTE, |w| streams(w) == 0);
        world.run_for(Duration::from_millis(1));
        assert_eq!((world.phone.disk.pairs.len(), world.web.disk.pairs.len()), rows, "stream {n}");
    }
    assert!(failures(&world).is_empty());
}

#[test]
fn the_end_is_seen_when_it_comes_exactly_with_the_window() {
    // req: STR-008
    for window in [65_536, 262_144] {
        for len in [window - 1, window, window + 1] {
            for kind in [OpenKind::Put, OpenKind::Get] {
                let mut world = World::live(220);
                let _ = world.open(DeviceRole::Web, kind, "it", content(len, 3));
                world.run_until("it is over", MINUTE, |w| streams(w) == 0);
                let at = if kind == OpenKind::Put { DeviceRole::Phone } else { DeviceRole::Web };
                assert_eq!(file(&world, at, "it"), content(len, 3));
            }
        }
    }
}

#[test]
fn late_frames_of_a_stopped_stream_do_not_end_the_session() {
    // req: STR-009
    let mut rng = ChaCha20Rng::seed_from_u64(14);
    for round in 0..150 {
        let mut world = World::live(1_000 + round);
        let kinds = [OpenKind::Put, OpenKind::Get];
        let kind = kinds[usize::try_from(rng.next_u32() % 2).unwrap()];
        let opener = ROLES[usize::try_from(rng.next_u32() % 2).unwrap()];
        let id = world.open(opener, kind, "it", content(600_000, 4));
        // Some frames pass, then one side stops while others are under way.
        let stopper = ROLES[usize::try_from(rng.next_u32() % 2).unwrap()];
        for _ in 0..rng.next_u32() % 8 {
            let _ = world.pump();
        }
        let now = world.now;
        let _ = world.device(stopper).machine.reset_stream(now, id, ErrorCode::CANCELLED);
        world.run_for(Duration::from_secs(2));
        assert!(failures(&world).is_empty(), "round {round}: {:?}", failures(&world));
        assert_eq!(streams(&world), 0, "round {round}");
    }
}

#[test]
fn what_was_sent_just_before_the_end_arrives_once() {
    // req: RES-001
    for steps in 0..12 {
        let mut world = World::live(230 + steps);
        let _ = world.web.send(world.now, &Bytes::from_static(b"last words")).unwrap();
        for _ in 0..steps {
            let _ = world.pump();
        }
        world.crash(DeviceRole::Web);
        world.run_until("it is answered", MINUTE, |w| w.web.disk.effects.len() == 1);
        assert_eq!(world.phone.disk.effects, [(1, b"last words".to_vec())]);
    }
}

#[test]
fn a_wire_that_stalls_in_the_middle_of_a_message_holds_nobody_for_ever() {
    // req: TIM-003
    let mut world = World::live(240);
    let _ = world.web.send(world.now, &Bytes::from(vec![b'x'; 60_000])).unwrap();
    let mut left = 2;
    world.filter(move |role, _| {
        left -= i32::from(role == DeviceRole::Web);
        left > 0
    });
    world.run_for(2 * MINUTE);
    assert_eq!(world.phone.disk.effects.len(), 0, "only a part of it has come");
    world.unfilter();
    world.run_until("it is answered", 3 * MINUTE, |w| w.web.disk.effects.len() == 1);
    assert_eq!(world.phone.disk.effects.len(), 1);
}

#[test]
fn a_stream_that_is_opened_while_apart_begins_with_the_connection() {
    // req: STR-013
    let mut world = World::live(250);
    world.cut(DeviceRole::Web);
    let _ = world.open(DeviceRole::Web, OpenKind::Put, "it", content(100_000, 5));
    world.run_until("it is over", MINUTE, |w| streams(w) == 0);
    assert_eq!(file(&world, DeviceRole::Phone, "it"), content(100_000, 5));
    assert_eq!(world.web.app.ended, [(b"it".to_vec(), StreamEnd::Done)]);
}

#[test]
fn a_stream_that_is_stopped_before_it_was_told_of_is_never_told_of() {
    // req: STR-009
    let mut world = World::live(251);
    let now = world.now;
    let opened = world.web.machine.stream_open(now, OpenKind::Get, Bytes::from_static(b"it")).unwrap();
    world.web.machine.reset_stream(now, opened.id, ErrorCode::CANCELLED).unwrap();
    assert!(world.web.commit(now, opened.commit));
    world.run_for(Duration::from_secs(1));
    assert!(failures(&world).is_empty(), "{:?}", failures(&world));
    assert!(world.phone.app.streams.is_empty());
}

#[test]
fn fresh_keys_are_made_without_a_seam() {
    // req: CHN-007, TIM-008
    let mut world = World::live(260);
    for role in ROLES {
        world.device(role).events.clear();
    }
    let _ = world.open(DeviceRole::Web, OpenKind::Put, "it", content(3_000_000, 6));
    for _ in 0..5 {
        let _ = world.pump();
    }
    for n in 0..50 {
        let _ = world.web.send(world.now, &Bytes::from(format!("{n}").into_bytes())).unwrap();
        world.run_for(Duration::from_mins(30));
    }
    world.run_until("all is settled", MINUTE, |w| w.web.disk.effects.len() == 50 && streams(w) == 0);
    let mut keys = 0;
    for role in ROLES {
        for event in &world.device(role).events {
            match event {
                Event::State(state) => panic!("{role:?} showed {state:?}"),
                Event::Connected { verdict } => {
                    assert_eq!(*verdict, handfast_session::resume::Verdict::Resume);
                    keys += 1;
                }
                Event::Failed(_)
                | Event::Closed(_)
                | Event::Stream(StreamEvent::Ended { end: StreamEnd::Lost, .. }) => {
                    panic!("{role:?}: {event:?}")
                }
                _ => {}
            }
        }
    }
    assert_eq!(keys, 2, "once, at both sides, in 25 hours");
    let order: Vec<u64> = world.phone.disk.effects.iter().map(|(id, _)| *id).collect();
    assert_eq!(order, (1..=50).collect::<Vec<_>>());
}

#[test]
fn records_have_eight_sizes_and_no_other() {
    // req: CHN-001
    let mut world = World::live(270);
    let sizes = std::rc::Rc::new(std::cell::RefCell::new(std::collections::BTreeSet::new()));
    let seen = std::rc::Rc::clone(&sizes);
    world.filter(move |_, frame| {
        if frame.starts_with(&handfast_codec::relay::RECORD_HEADER) {
            let _ = seen.borrow_mut().insert(frame.len() - 2 - 16);
        }
        true
    });
    for len in (0..40_000).step_by(611) {
        let _ = world.web.send(world.now, &Bytes::from(vec![b'x'; len])).unwrap();
        world.run_for(Duration::from_secs(1));
    }
    let _ = world.open(DeviceRole::Web, OpenKind::Put, "it", content(100_000, 7));
    world.run_until("it is over", MINUTE, |w| streams(w) == 0);
    let classes: Vec<usize> = (0..8).map(|k| 128 << k).collect();
    assert!(sizes.borrow().iter().all(|size| classes.contains(size)), "{sizes:?}");
}
