//! Order and delivery over lost connections: the rows RE of FAULTS.md.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use handfast_codec::frame::Frame;
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_session::resume::Verdict;
use handfast_session::{Event, LinkState};
use handfast_testkit::account::set_counters;
use handfast_testkit::commands;
use handfast_testkit::evil::Evil;
use handfast_testkit::{Clocked as _, World};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const MINUTE: Duration = Duration::from_mins(1);
const ROLES: [DeviceRole; 2] = [DeviceRole::Phone, DeviceRole::Web];
/// How the data frames of a relay begin, and those that hold a message 1.
const DATA: u8 = 9;
const MESSAGE_1: [u8; 2] = [DATA, 3];

/// All of 0..n had its effect once, in order, and was answered so; nobody holds anything any more.
fn settled(world: &mut World, n: usize) {
    world.run_until("settled", 30 * MINUTE, |w| {
        w.web.disk.effects.len() >= n
            && [&w.web, &w.phone].into_iter().all(|d| d.machine.outbox_len() == (0, 0))
    });
    let bodies = |effects: &[(u64, Vec<u8>)]| -> Vec<String> {
        effects.iter().map(|(_, body)| String::from_utf8(body.clone()).unwrap()).collect()
    };
    let asked: Vec<String> = (0..n).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&world.phone.disk.effects), asked);
    assert_eq!(bodies(&world.web.disk.effects), asked.iter().map(|t| format!("did {t}")).collect::<Vec<_>>());
}

fn frames_until(budget: usize) -> impl FnMut(DeviceRole, &[u8]) -> bool {
    let mut left = budget;
    move |_, _| {
        left = left.saturating_sub(1);
        left > 0
    }
}

#[test]
fn messages_are_neither_doubled_nor_lost_over_five_hundred_cuts() {
    // req: RES-001, RES-003, RES-026
    let mut world = World::live(101);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for n in 0..500 {
        let _ = world.send(&n.to_string());
        // The wire dies after a few frames of either side, in the middle of whatever is under way.
        world.filter(frames_until(usize::try_from(rng.next_u32() % 24).unwrap()));
        world.run_for(Duration::from_millis(u64::from(rng.next_u32() % 3_000)));
        world.unfilter();
        world.cut(ROLES[usize::try_from(rng.next_u32() % 2).unwrap()]);
    }
    settled(&mut world, 500);
}

#[test]
fn a_cut_before_or_after_every_frame_leaves_the_acknowledgements_right() {
    // req: RES-002
    for cut in 1..40 {
        let mut world = World::live(102);
        world.filter(frames_until(cut));
        for n in 0..4 {
            let _ = world.send(&n.to_string());
        }
        world.run_for(Duration::from_secs(1));
        world.unfilter();
        world.cut(DeviceRole::Web);
        settled(&mut world, 4);
    }
}

#[test]
fn counters_pass_the_width_of_32_bits() {
    let mut world = World::linked(103);
    let near = u64::from(u32::MAX) - 1;
    for device in [&mut world.phone, &mut world.web] {
        // out_base, next_index, in_durable, next_cmd
        set_counters(&mut device.disk.pairs, |n| (n[1], n[2], n[3]) = (near, near - 1, near));
    }
    for role in ROLES {
        world.crash(role);
    }
    world.run_until_live();
    for n in 0..6 {
        let _ = world.send(&n.to_string());
        if n % 2 == 1 {
            world.run_for(Duration::from_secs(1));
            world.cut(DeviceRole::Phone);
        }
    }
    settled(&mut world, 6);
    assert!(world.saw(DeviceRole::Web, &Event::Connected { verdict: Verdict::Resume }));
    assert!(!world.web.events.iter().any(|e| matches!(e, Event::Connected { verdict: Verdict::Reset(_) })));
}

#[test]
fn an_ack_that_goes_back_is_ignored_and_one_of_the_future_is_not() {
    // req: RES-007
    let mut evil = Evil::against(DeviceRole::Web);
    for _ in 0..3 {
        let _ = evil.device.send(evil.now, &Bytes::from_static(b"x")).unwrap();
    }
    evil.listen();
    // Their results came, so that only an ACK is missing.
    let result = |seq: u64| {
        let body = commands::result(u8::try_from(seq).unwrap(), Some(b""));
        Frame::Msg { seq, part: 0, last: 0, body }
    };
    evil.send(&[result(1), result(2), result(3)]);
    let ack = |durable| Frame::Ack { durable, cursors: vec![] };
    for (durable, held) in [(2, 1), (1, 1), (0, 1), (2, 1), (3, 0)] {
        evil.send(&[ack(durable)]);
        assert_eq!((evil.failure(), evil.device.machine.outbox_len().0), (None, held), "ACK {durable}");
    }
    evil.send(&[ack(4)]);
    assert_eq!(evil.failure(), Some(ErrorCode::ACK_FUTURE));
}

#[test]
fn a_message_that_comes_again_is_acknowledged_again() {
    // req: RES-003
    let mut evil = Evil::against(DeviceRole::Phone);
    let command = Frame::Msg { seq: 1, part: 0, last: 0, body: commands::command(1, 1, b"x") };
    let acks = |evil: &Evil| {
        evil.heard.iter().filter(|frame| matches!(frame, Frame::Ack { durable: 1, .. })).count()
    };
    for round in 1..=2 {
        evil.send(std::slice::from_ref(&command));
        evil.wait(Duration::from_millis(300));
        evil.listen();
        assert_eq!((evil.failure(), acks(&evil)), (None, round));
    }
    assert_eq!(evil.device.disk.effects.len(), 1);
}

#[test]
fn frames_of_the_old_connection_change_nothing_in_the_new_one() {
    let mut world = World::live(105);
    let old = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&old);
    world.filter(move |role, bytes| {
        if role == DeviceRole::Web && bytes.first() == Some(&DATA) {
            kept.borrow_mut().push(Bytes::copy_from_slice(bytes));
        }
        true
    });
    for n in 0..3 {
        let _ = world.send(&n.to_string());
    }
    world.run_for(Duration::from_secs(1));
    world.unfilter();
    world.cut(DeviceRole::Web);
    world.run_until_live();
    let _ = world.send("3");
    for frame in old.take() {
        // The relay takes it for one of the new socket, as it would one that was late.
        if let Some(socket) = world.web.socket {
            world.relay.handle_frame(world.now, socket, frame);
        }
        world.settle();
    }
    settled(&mut world, 4);
}

#[test]
fn connections_without_end_leave_nothing_behind() {
    let mut world = World::live(107);
    let _ = world.send("0");
    settled(&mut world, 1);
    let sizes = |world: &World| {
        [&world.phone, &world.web]
            .map(|d| (d.disk.pairs.len(), d.disk.pairs.values().map(|value| value.len()).sum::<usize>()))
    };
    world.cut(DeviceRole::Web);
    world.run_until_live();
    let first = sizes(&world);
    for n in 0..300 {
        world.cut(ROLES[n % 2]);
        world.run_until_live();
        world.web.events.clear();
        world.phone.events.clear();
    }
    assert_eq!(sizes(&world), first);
}

#[test]
fn what_happens_while_apart_arrives_however_long_it_was() {
    for (seed, apart) in (0..).zip([100, 1_000, 60_000, 600_000, 86_400_000]) {
        let mut world = World::linked(1_080 + seed);
        world.web.app.want_collections = vec![b"a".to_vec()];
        world.run_until_live();
        world.filter(|_, _| false);
        world.cut(DeviceRole::Web);
        let _ = world.send("0");
        world.phone.add_row(world.now, b"a", b"while apart");
        world.run_for(Duration::from_millis(apart));
        world.unfilter();
        settled(&mut world, 1);
        world.run_until("the row", MINUTE, |w| w.web.disk.rows.len() == 1);
    }
}

#[test]
fn attempts_that_nobody_answers_become_no_storm() {
    let mut world = World::linked(109);
    let count = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&count);
    world.filter(move |role, bytes| {
        if bytes.starts_with(&MESSAGE_1) {
            *counted.borrow_mut() += 1;
        }
        // The phone is there and never answers.
        role == DeviceRole::Web || bytes.first() != Some(&DATA)
    });
    world.run_for(10 * MINUTE);
    let attempts = *count.borrow();
    // One attempt lasts 10 s, and what lies between two of them grows up to 60 s.
    assert!((8..=60).contains(&attempts), "{attempts} attempts in ten minutes");
}

#[test]
fn a_connection_whose_first_answers_are_lost_is_left_in_time() {
    // req: TIM-003
    for (role, frames) in ROLES.into_iter().flat_map(|role| (1..4).map(move |n| (role, n))) {
        let mut world = World::linked(110);
        // A socket that carries nothing more after the first frames of one side, and does not close.
        let mut left = frames;
        world.filter(move |from, bytes| {
            if from == role && bytes.first() == Some(&DATA) {
                left -= i32::from(left > 0);
            }
            left > 0 || from != role || bytes.first() != Some(&DATA)
        });
        world.run_for(Duration::from_secs(30));
        world.unfilter();
        let states = |w: &World| [w.phone.state, w.web.state] == [Some(LinkState::Live); 2];
        // 60 s without a word, 10 s for the probe, at most 60 s before the next attempt and 10 s for it.
        world.run_until("live", Duration::from_secs(140), |w| states(w));
        let _ = world.send("0");
        settled(&mut world, 1);
    }
}

#[test]
fn a_relay_that_drops_doubles_and_reorders_delays_and_nothing_else() {
    let mut world = World::live(111);
    let rng = RefCell::new(ChaCha20Rng::seed_from_u64(11));
    let held: Rc<RefCell<VecDeque<(DeviceRole, Bytes)>>> = Rc::default();
    let holds = Rc::clone(&held);
    let hurt = Rc::new(RefCell::new(0));
    let hurts = Rc::clone(&hurt);
    world.filter(move |role, bytes| {
        if bytes.first() != Some(&DATA) {
            return true;
        }
        let chance = rng.borrow_mut().next_u32() % 16;
        *hurts.borrow_mut() += i32::from(chance < 3);
        match chance {
            0 => false,
            1 => {
                holds.borrow_mut().push_back((role, Bytes::copy_from_slice(bytes)));
                false
            }
            2 => {
                holds.borrow_mut().push_back((role, Bytes::copy_from_slice(bytes)));
                true
            }
            _ => true,
        }
    });
    for n in 0..200 {
        let _ = world.send(&n.to_string());
        world.run_for(Duration::from_millis(400));
        let late = held.borrow_mut().pop_front();
        if let Some((role, frame)) = late
            && let Some(socket) = world.device(role).socket
        {
            world.relay.handle_frame(world.now, socket, frame);
        }
    }
    world.unfilter();
    settled(&mut world, 200);
    assert!(*hurt.borrow() > 30, "only {} frames were hurt", hurt.borrow());
}
