//! Messages, rows and streams through every loss of connection (spec, delivery and streams).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::frame::OpenKind;
use handfast_codec::limits::{MESSAGE_LEN_MAX, OUTBOX_LEN_MAX, OUTBOX_MESSAGES_MAX, VARINT_MAX};
use handfast_session::resume::Verdict;
use handfast_session::{ApiMisuse, Event, LinkState, Op, SendError, StreamEnd, VERSION_KEY};
use handfast_testkit::{Clocked as _, World, commands};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_mins(1);

fn texts(effects: &[(u64, Vec<u8>)]) -> Vec<String> {
    effects.iter().map(|(_, body)| String::from_utf8(body.clone()).unwrap()).collect()
}

fn all_settled(world: &World, n: usize) -> bool {
    world.web.disk.effects.len() == n && world.phone.disk.effects.len() == n
}

#[test]
fn a_linked_pair_becomes_live_and_says_so() {
    let world = World::live(1);
    assert!(world.saw(DeviceRole::Phone, &Event::Connected { verdict: Verdict::Resume }));
    assert!(world.saw(DeviceRole::Web, &Event::Connected { verdict: Verdict::Resume }));
}

#[test]
fn commands_run_once_in_order_and_are_answered() {
    // req: RES-012
    let mut world = World::live(2);
    for n in 0..100 {
        let _ = world.send(&format!("text {n}"));
        world.settle();
    }
    world.run_until("settled", MINUTE, |w| all_settled(w, 100));
    let expected: Vec<String> = (0..100).map(|n| format!("text {n}")).collect();
    assert_eq!(texts(&world.phone.disk.effects), expected);
    let answers: Vec<String> = expected.iter().map(|t| format!("did {t}")).collect();
    assert_eq!(texts(&world.web.disk.effects), answers);
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.web.machine.outbox_len(), (0, 0));
    assert_eq!(world.phone.machine.outbox_len(), (0, 0));
}

#[test]
fn what_was_sent_while_apart_arrives_once_together() {
    // req: RES-001, RES-026
    let mut world = World::live(3);
    world.cut(DeviceRole::Phone);
    for n in 0..10 {
        let _ = world.send(&format!("{n}"));
    }
    world.crash(DeviceRole::Web);
    world.run_until("settled", MINUTE, |w| all_settled(w, 10));
    assert_eq!(texts(&world.phone.disk.effects), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_message_of_every_size_up_to_the_maximum_passes_and_one_more_byte_is_refused() {
    // req: RES-005
    let mut world = World::live(4);
    let max = 65_536 - 32;
    for len in [0, 1, 15_998, 16_000, 32_001, max] {
        let _ = world.web.send(world.now, &Bytes::from(vec![b'x'; len])).unwrap();
    }
    let refused = world.web.send(world.now, &Bytes::from(vec![b'x'; max + 1]));
    assert_eq!(refused.err(), Some(SendError::TooLarge));
    world.run_until("run", MINUTE, |w| w.phone.disk.effects.len() == 6);
    let lens: Vec<usize> = world.phone.disk.effects.iter().map(|(_, b)| b.len()).collect();
    assert_eq!(lens, [0, 1, 15_998, 16_000, 32_001, max]);
}

#[test]
fn the_outbox_is_full_at_its_limit_and_loses_nothing() {
    // req: RES-016
    let mut world = World::linked(5);
    for n in 0..OUTBOX_MESSAGES_MAX {
        let _ = world.send(&n.to_string());
    }
    let refused = world.web.send(world.now, &Bytes::from_static(b"one more"));
    assert_eq!(refused.err(), Some(SendError::TooManyUnsettled { oldest: 1 }));
    world.run_until("settled", 10 * MINUTE, |w| all_settled(w, OUTBOX_MESSAGES_MAX));
}

#[test]
fn a_command_without_an_answer_is_told_again_after_a_restart() {
    // req: RES-043
    let mut world = World::live(9);
    world.phone.app.answers_nothing = true;
    let sent = ["first", "second"].map(|text| world.send(text));
    world.run_for(MINUTE);
    assert_eq!(world.phone.machine.phone().unanswered().len(), 2);
    let waiting = |world: &mut World| -> Vec<u64> {
        world.web.machine.companion().unsettled().iter().map(commands::number_of).collect()
    };
    assert_eq!(waiting(&mut world), sent);
    world.crash(DeviceRole::Web);
    assert_eq!(waiting(&mut world), sent, "in the order in which they were sent, after a restart too");
    world.run_until_live();
    assert!(world.phone.disk.effects.is_empty() && world.web.disk.effects.is_empty());
    // It was counted as received, so a resumed connection brings it no more.
    world.cut(DeviceRole::Web);
    world.run_until_live();
    world.crash(DeviceRole::Phone);
    world.phone.app.answers_nothing = false;
    world.run_until("settled", MINUTE, |w| all_settled(w, 2));
    assert_eq!(texts(&world.phone.disk.effects), ["first", "second"]);
    assert!(world.phone.machine.phone().unanswered().is_empty());
    assert!(waiting(&mut world).is_empty());
    world.crash(DeviceRole::Phone);
    world.run_for(MINUTE);
    assert_eq!(world.phone.disk.effects.len(), 2, "what is answered is not told again");
}

#[test]
fn the_outbox_is_full_at_its_length() {
    // req: RES-016
    let mut world = World::linked(5);
    let longest = Bytes::from(vec![b'x'; MESSAGE_LEN_MAX - 32]);
    let mut send = |body: &Bytes| {
        let _ = world.web.send(world.now, body)?;
        Ok(world.web.machine.outbox_len().1)
    };
    let mut filled = 0;
    while OUTBOX_LEN_MAX - filled >= MESSAGE_LEN_MAX {
        filled = send(&longest).unwrap();
    }
    // What stands in front of a body is a little longer for later commands.
    let room = OUTBOX_LEN_MAX - filled;
    let refused = (0..room).rev().find_map(|len| {
        let body = Bytes::from(vec![b'x'; len]);
        send(&body).map_or_else(|why| (why != SendError::OutboxFull).then_some(Err(why)), |len| Some(Ok(len)))
    });
    assert_eq!(refused, Some(Ok(OUTBOX_LEN_MAX)), "to the last byte");
    assert_eq!(send(&Bytes::new()), Err(SendError::OutboxFull));
}

#[test]
fn commits_past_the_limit_make_send_busy() {
    let mut world = World::live(6);
    let now = world.now;
    let body = Bytes::from_static(b"x");
    let mut send = |n| world.web.machine.companion().send(now, commands::key(n), &body);
    let mut held: VecDeque<_> = (0..32).map(|n| send(n).unwrap()).collect();
    assert_eq!(send(32).err(), Some(SendError::Busy));
    let second = held.remove(1).unwrap();
    assert_eq!(world.web.machine.committed(now, second), Err(ApiMisuse::CommitOrder));
    world.web.machine.committed(now, held.pop_front().unwrap()).unwrap();
    let mut send = |n| world.web.machine.companion().send(now, commands::key(n), &body);
    assert_eq!(send(0).err(), Some(SendError::KnownKey));
    assert!(send(32).is_ok());
}

#[test]
fn a_commit_is_reported_to_the_machine_that_made_it() {
    let (mut one, mut other) = (World::live(10), World::live(11));
    let body = Bytes::from_static(b"x");
    let send =
        |world: &mut World| world.web.machine.companion().send(world.now, commands::key(1), &body).unwrap();
    let (of_one, of_other) = (send(&mut one), send(&mut other));
    // The last write is the version behind the one that it expects, which the store has.
    let stored = &one.web.disk.pairs[VERSION_KEY];
    assert_eq!(of_one.expects().to_be_bytes(), stored[..]);
    let Some(Op::Put { key, value }) = of_one.writes().last() else { panic!("a version") };
    assert_eq!((&key[..], &value[..]), (VERSION_KEY, &(of_one.expects() + 1).to_be_bytes()[..]));
    assert_eq!(other.web.machine.committed(other.now, of_one), Err(ApiMisuse::OtherLink));
    assert_eq!(other.web.machine.committed(other.now, of_other), Ok(()));
}

#[test]
fn a_slot_of_the_session_and_one_beyond_62_bits_are_refused() {
    let mut world = World::live(12);
    let mut set = |slot| world.web.machine.set_ephemeral(world.now, slot, Bytes::from_static(b"x"));
    assert_eq!(set(1), Err(ApiMisuse::ReservedSlot.into()));
    assert_eq!(set(VARINT_MAX), Ok(()));
    assert_eq!(set(VARINT_MAX + 1), Err(ApiMisuse::TooLarge.into()));
}

#[test]
fn rows_arrive_once_and_live_ones_follow() {
    // req: SYN-001, SYN-003
    let mut world = World::linked(7);
    world.web.app.want_collections = vec![b"a".to_vec(), b"b".to_vec()];
    for n in 0..2_000_u64 {
        let name: &[u8] = if n % 2 == 0 { b"a" } else { b"b" };
        world.phone.add_row(world.now, name, format!("row {n} {}", "x".repeat(100)).as_bytes());
    }
    world.run_until("synced", MINUTE, |w| w.web.disk.rows.len() == 2_000);
    world.crash(DeviceRole::Web);
    world.phone.add_row(world.now, b"a", b"late");
    world.run_until("late row", MINUTE, |w| w.web.disk.rows.len() == 2_001);
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i * 7 % 253).unwrap()).collect()
}

#[test]
fn a_put_and_a_get_carry_their_bytes_and_end() {
    // req: STR-008
    let mut world = World::live(8);
    let up = content(700_001);
    let down = content(500_000);
    let _ = world.web.app.content.insert(b"up".to_vec(), up.clone());
    let _ = world.phone.app.content.insert(b"down".to_vec(), down.clone());
    for (kind, meta) in [(OpenKind::Put, &b"up"[..]), (OpenKind::Get, b"down")] {
        let opened = world.web.machine.stream_open(world.now, kind, Bytes::from_static(meta)).unwrap();
        let _ = world.web.app.streams.insert(opened.id, meta.to_vec());
        if kind == OpenKind::Get {
            let _ = world.web.disk.files.insert(meta.to_vec(), Vec::new());
        }
        let _ = world.web.commit(world.now, opened.commit);
    }
    world.run_until("done", MINUTE, |w| w.web.app.ended.len() == 2 && w.phone.app.ended.len() == 2);
    assert_eq!(world.phone.disk.files[&b"up".to_vec()], up);
    assert_eq!(world.web.disk.files[&b"down".to_vec()], down);
    assert!(world.web.app.ended.iter().all(|(_, end)| *end == StreamEnd::Done), "{:?}", world.web.app.ended);
    assert!(world.web.machine.streams().is_empty() && world.phone.machine.streams().is_empty());
}

#[test]
fn a_beginning_that_is_held_in_memory_may_be_longer_than_the_first_credit() {
    // req: STR-016
    let mut world = World::live(30);
    let down = content(2_500_000);
    world.web.app.hold_to = 1_048_584;
    let _ = world.phone.app.content.insert(b"down".to_vec(), down.clone());
    let opened =
        world.web.machine.stream_open(world.now, OpenKind::Get, Bytes::from_static(b"down")).unwrap();
    let _ = world.web.app.streams.insert(opened.id, b"down".to_vec());
    let _ = world.web.commit(world.now, opened.commit);
    world.run_until("done", MINUTE, |w| !w.web.app.ended.is_empty() && !w.phone.app.ended.is_empty());
    assert_eq!(world.web.disk.files[&b"down".to_vec()], down);
}

#[test]
fn a_transfer_goes_on_at_its_durable_offset_after_every_kind_of_cut() {
    // req: STR-007
    for cut in 0..4 {
        let mut world = World::live(20 + cut);
        let up = content(1_000_000);
        let _ = world.web.app.content.insert(b"up".to_vec(), up.clone());
        let opened =
            world.web.machine.stream_open(world.now, OpenKind::Put, Bytes::from_static(b"up")).unwrap();
        let _ = world.web.app.streams.insert(opened.id, b"up".to_vec());
        let _ = world.web.commit(world.now, opened.commit);
        let mut budget = 60;
        world.filter(move |_, _| {
            budget -= 1;
            budget > 0
        });
        world.settle();
        let got = world.phone.disk.files[&b"up".to_vec()].len();
        assert!(got > 0 && got < up.len(), "cut {cut} in the middle, at {got}");
        world.unfilter();
        match cut {
            0 => world.cut(DeviceRole::Web),
            1 => world.crash(DeviceRole::Web),
            2 => world.crash(DeviceRole::Phone),
            _ => world.restart_relay(),
        }
        let before = world.phone.app.arrived.get(b"up".as_slice()).copied().unwrap_or(0);
        world.run_until("done", 2 * MINUTE, |w| !w.phone.app.ended.is_empty());
        assert_eq!(world.phone.disk.files[&b"up".to_vec()], up);
        let after = world.phone.app.arrived[&b"up".to_vec()] - before;
        assert!(after <= u64::try_from(up.len() - got).unwrap(), "cut {cut}: only the rest was sent again");
    }
}

#[test]
fn a_silent_phone_is_shown_probed_and_left() {
    // req: TIM-003
    let mut world = World::live(9);
    world.filter(|role, bytes| role == DeviceRole::Web || bytes.first() != Some(&9));
    world.run_until("silence is shown", 2 * MINUTE, |w| w.web.state == Some(LinkState::PeerSilent));
    world.unfilter();
    world.run_until_live();
}

#[test]
fn a_relay_that_restarts_is_found_again() {
    // req: TIM-005
    let mut world = World::live(10);
    world.restart_relay();
    world.run_until_live();
}

/// What happens to the pair between two rests.
#[derive(Clone, Debug)]
enum Act {
    Send(u8),
    Row(bool),
    Cut(bool),
    Crash(bool),
    StopAfter(bool, usize),
    Relay,
    Wait(u16),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => any::<u8>().prop_map(Act::Send),
        3 => any::<bool>().prop_map(Act::Row),
        1 => any::<bool>().prop_map(Act::Cut),
        1 => any::<bool>().prop_map(Act::Crash),
        2 => (any::<bool>(), 0_usize..6).prop_map(|(p, n)| Act::StopAfter(p, n)),
        1 => Just(Act::Relay),
        2 => (0_u16..3_000).prop_map(Act::Wait),
    ]
}

fn role(phone: bool) -> DeviceRole {
    if phone { DeviceRole::Phone } else { DeviceRole::Web }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every stream of commits cut anywhere and reloaded gives a machine that reaches LIVE, and nothing is lost,
    /// doubled or misordered.
    #[test]
    fn commits_cut_anywhere_reach_live_and_lose_nothing(seed: u64, acts in proptest::collection::vec(act(), 1..40)) {
        let mut world = World::linked(seed);
        world.web.app.want_collections = vec![b"a".to_vec(), b"b".to_vec()];
        let (mut asked, mut rows) = (Vec::new(), 0);
        for act in acts {
            match act {
                Act::Send(n) => {
                    let text = format!("{}-{n}", asked.len());
                    if !world.web.is_stopped()
                        && let Ok(Some(_)) = world.web.send(world.now, &Bytes::from(text.clone().into_bytes()))
                    {
                        asked.push(text);
                    }
                }
                Act::Row(a) => {
                    world.phone.add_row(world.now, if a { b"a" } else { b"b" }, b"row");
                    rows += 1;
                }
                Act::Cut(p) => world.cut(role(p)),
                Act::Crash(p) => world.crash(role(p)),
                Act::StopAfter(p, n) => {
                    world.device(role(p)).crash_after(n);
                    world.run_for(Duration::from_secs(2));
                    world.crash(role(p));
                }
                Act::Relay => world.restart_relay(),
                Act::Wait(ms) => world.run_for(Duration::from_millis(u64::from(ms))),
            }
        }
        for p in [true, false] {
            world.device(role(p)).crash = None;
            world.crash(role(p));
        }
        world.run_until_live();
        let n = asked.len();
        world.run_until("settled", 10 * MINUTE, |w| {
            w.web.disk.effects.len() >= n && w.phone.disk.effects.len() >= n && w.web.disk.rows.len() >= rows
        });
        prop_assert_eq!(texts(&world.phone.disk.effects), asked.clone());
        let answers: Vec<String> = asked.iter().map(|t| format!("did {t}")).collect();
        prop_assert_eq!(texts(&world.web.disk.effects), answers);
        prop_assert_eq!(&world.web.disk.rows, &world.phone.disk.rows);
    }
}
