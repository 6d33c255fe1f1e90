//! A side that is put back to an earlier state: nothing is run twice, nothing that is sent afterwards is lost, and both
//! users are told (spec, delivery, *Put back*).

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::frame::Frame;
use handfast_codec::ids::AttachmentId;
use handfast_codec::limits::{COMMANDS_OPEN_MAX, VARINT_MAX};
use handfast_codec::link::LinkFrame;
use handfast_codec::payload::CommandsKnown;
use handfast_codec::relay::{DataKind, Peer, PeerInfo, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::{ErrorCode, Versions};
use handfast_session::resume::{ResetReason, Verdict};
use handfast_session::{Event, Repeat};
use handfast_testkit::account::Disk;
use handfast_testkit::commands;
use handfast_testkit::evil::Evil;
use handfast_testkit::relay::SocketId;
use handfast_testkit::{Clocked as _, World};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const WEB: DeviceRole = DeviceRole::Web;
const PHONE: DeviceRole = DeviceRole::Phone;
/// Prefixes of the rows of a web's commands.
const UNSETTLED: u8 = 0x26;
const SETTLED: u8 = 0x27;
const MINUTE: Duration = Duration::from_mins(1);

fn texts(effects: &[(u64, Vec<u8>)]) -> Vec<&str> {
    effects.iter().map(|(_, body)| std::str::from_utf8(body).unwrap()).collect()
}

/// Nobody holds anything any more.
fn settle(world: &mut World) {
    world.run_until("settled", 5 * MINUTE, |w| {
        [&w.web, &w.phone].into_iter().all(|device| device.machine.outbox_len() == (0, 0))
    });
}

/// A disk becomes what it was.
fn put_back(world: &mut World, role: DeviceRole, disk: Disk) {
    world.device(role).disk = disk;
    world.device(role).events.clear();
    world.crash(role);
}

/// Which side a device was told is put back.
fn told(world: &mut World, role: DeviceRole) -> Vec<DeviceRole> {
    let side = |event: &Event| match event {
        Event::PutBack { who } => Some(*who),
        _ => None,
    };
    world.device(role).events.iter().filter_map(side).collect()
}

#[test]
fn what_a_web_sends_after_it_was_put_back_is_run_once_and_both_are_told() {
    // req: RES-026, RES-034, RES-037
    let mut world = World::live(71);
    let _ = world.send("first");
    settle(&mut world);
    let old = world.web.disk.clone();
    let _ = world.send("second");
    let _ = world.send("third");
    settle(&mut world);
    world.phone.events.clear();
    put_back(&mut world, WEB, old);
    // One more than the phone knows numbers for: only the keys of the two that they share tell.
    for text in ["fourth", "fifth", "sixth"] {
        let _ = world.send(text);
    }
    settle(&mut world);
    assert_eq!(texts(&world.phone.disk.effects), ["first", "second", "third", "fourth", "fifth", "sixth"]);
    assert_eq!(texts(&world.web.disk.effects), ["did first", "did fourth", "did fifth", "did sixth"]);
    assert_eq!((told(&mut world, WEB), told(&mut world, PHONE)), (vec![WEB], vec![WEB]));
    // The numbers are right again: the next connection is none of this.
    world.cut(WEB);
    let _ = world.send("seventh");
    settle(&mut world);
    assert_eq!((told(&mut world, WEB).len(), world.phone.disk.effects.len()), (1, 7));
}

#[test]
fn a_web_put_back_from_every_commit_doubles_and_loses_nothing() {
    // req: RES-026, RES-033, RES-034
    let mut noticed = 0;
    for copied in 1..14 {
        let mut world = World::live(72);
        world.web.copy_at = Some(world.web.commits + copied);
        for text in ["a", "b", "c"] {
            let _ = world.send(text);
            world.run_for(Duration::from_millis(20));
        }
        settle(&mut world);
        let Some(old) = world.web.copy.take() else { break };
        let sent = old.pairs.keys().filter(|key| [UNSETTLED, SETTLED].contains(&key[0])).count();
        world.phone.events.clear();
        put_back(&mut world, WEB, *old);
        let _ = world.send("d");
        settle(&mut world);
        let _ = world.send("e");
        settle(&mut world);
        let mut ran = texts(&world.phone.disk.effects);
        ran.sort_unstable();
        assert_eq!(ran, ["a", "b", "c", "d", "e"], "put back to commit {copied}");
        assert_eq!(told(&mut world, WEB), told(&mut world, PHONE));
        noticed += told(&mut world, WEB).len();
        assert!(sent == 3 || !told(&mut world, WEB).is_empty(), "commit {copied} was noticed");
    }
    assert!(noticed > 3, "{noticed} were noticed");
}

#[test]
fn a_phone_put_back_from_every_commit_doubles_nothing_and_runs_what_is_held() {
    // req: RES-040, RES-017
    let mut noticed = 0;
    for copied in 1..20 {
        let mut world = World::live(73);
        world.phone.copy_at = Some(world.phone.commits + copied);
        for text in ["a", "b", "c"] {
            let _ = world.send(text);
            world.run_for(Duration::from_millis(20));
        }
        settle(&mut world);
        let Some(old) = world.phone.copy.take() else { break };
        // Held by the web while the phone loses what it had.
        world.filter(|_, _| false);
        let _ = world.send("held");
        world.web.events.clear();
        put_back(&mut world, PHONE, *old);
        world.unfilter();
        world.cut(WEB);
        settle(&mut world);
        let _ = world.send("after");
        settle(&mut world);
        let ran = texts(&world.phone.disk.effects);
        for text in ["held", "after"] {
            assert_eq!(
                ran.iter().filter(|run| **run == text).count(),
                1,
                "{text} of {ran:?}, commit {copied}"
            );
        }
        let mut once = ran.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), ran.len(), "{ran:?}");
        assert_eq!(told(&mut world, WEB), told(&mut world, PHONE));
        noticed += told(&mut world, WEB).len();
    }
    assert!(noticed > 3, "{noticed} were noticed");
}

#[test]
fn both_are_told_also_when_the_connection_that_showed_it_is_lost() {
    // req: RES-033, RES-042
    for role in [WEB, PHONE] {
        let mut noticed = 0;
        for frames in 1..24 {
            let mut world = World::live(74);
            let old = world.device(role).disk.clone();
            let _ = world.send("lost");
            settle(&mut world);
            for device in [WEB, PHONE] {
                world.device(device).events.clear();
            }
            put_back(&mut world, role, old);
            let mut left = frames;
            world.filter(move |_, _| {
                left -= i32::from(left > 0);
                left > 0
            });
            world.run_for(Duration::from_secs(1));
            world.unfilter();
            world.cut(WEB);
            world.run_until_live();
            let _ = world.send("after");
            settle(&mut world);
            for device in [WEB, PHONE] {
                let told = told(&mut world, device);
                assert!(told.contains(&role), "{device:?} was told {told:?} after {frames} frames");
                noticed += told.len();
            }
            assert_eq!(texts(&world.phone.disk.effects).last(), Some(&"after"));
        }
        assert!((46..60).contains(&noticed), "{noticed}: once each, seldom twice");
    }
}

/// A web that holds one command, against a phone that knows this of its commands.
fn holder(known: CommandsKnown) -> Evil {
    let mut evil = Evil::opened(WEB, true);
    let _ = evil.device.send(evil.now, &Bytes::from_static(b"mine")).unwrap().unwrap();
    evil.known = known;
    evil.attach();
    evil.connect(false);
    evil
}

fn known(highest: u64, from: u64) -> CommandsKnown {
    CommandsKnown { highest, key: commands::key(1_000 + highest), from }
}

#[test]
fn a_web_that_was_put_back_says_so_first_and_numbers_anew() {
    // req: RES-033, RES-037, FRM-053
    for (highest, back) in [(0, false), (1, true), (2, true), (9, true)] {
        let mut evil = holder(known(highest, 1));
        assert_eq!(evil.heard.first() == Some(&Frame::WebBack), back, "{highest}: {:?}", evil.heard);
        evil.send(&[]);
        let sent = evil.heard.iter().find_map(|frame| match frame {
            Frame::Msg { body, .. } => Some((body[0], body[1])),
            _ => None,
        });
        let number = u8::try_from(highest + 1).unwrap();
        assert_eq!(sent, Some(if back { (number, number) } else { (1, 1) }));
    }
}

#[test]
fn a_web_whose_command_may_be_forgotten_ends_the_connection_and_keeps_it() {
    // req: RES-038
    for (from, code) in [(1, None), (2, Some(ErrorCode::COMMANDS_FORGOTTEN))] {
        let evil = holder(known(7, from));
        assert_eq!(evil.failure(), code);
        assert_eq!(evil.device.machine.outbox_len().0, 1, "it is held, and can be shown");
        assert_eq!(evil.heard.contains(&Frame::WebBack), code.is_none());
    }
}

#[test]
fn a_highest_number_without_room_above_it_is_refused() {
    // req: RES-041
    let most = VARINT_MAX - COMMANDS_OPEN_MAX;
    for (highest, code) in [(most, None), (most + 1, Some(ErrorCode::FIELD_VALUE))] {
        let evil = holder(known(highest, 1));
        let failed = evil.device.events.iter().find_map(|event| match event {
            Event::Failed(code) => Some(*code),
            _ => None,
        });
        assert_eq!(failed, code);
    }
}

#[test]
fn a_phone_takes_the_word_of_a_web_in_its_confirm_alone() {
    // req: RES-034, FRM-054
    let mut evil = Evil::before_confirm(true, false);
    evil.send(&[Frame::WebBack, Frame::Ping { id: 7, rev: 0 }]);
    let back = Event::Connected { verdict: Verdict::Reset(ResetReason::WebBack) };
    assert!(evil.device.events.contains(&back) && evil.failure().is_none());
    evil.send(&[Frame::WebBack]);
    assert_eq!(evil.failure(), Some(ErrorCode::FRAME_NOT_ALLOWED));
    let mut evil = Evil::before_confirm(true, false);
    evil.send(&[Frame::Ping { id: 7, rev: 0 }, Frame::WebBack]);
    assert_eq!(evil.failure(), Some(ErrorCode::FRAME_NOT_ALLOWED));
}

#[test]
fn a_phone_takes_the_word_of_a_pending_web_with_its_acceptance() {
    // req: RES-034, CRT-014
    let mut evil = Evil::before_confirm(false, true);
    let accept = evil.accept();
    let answers = evil.send_link(&[accept, LinkFrame::WebBack]);
    assert!(answers.contains(&LinkFrame::Commit), "{answers:?}");
    let back = Event::Connected { verdict: Verdict::Reset(ResetReason::WebBack) };
    assert!(evil.device.events.contains(&back));
}

#[test]
fn another_key_under_a_known_number_is_another_command_up_to_1024_of_them() {
    // req: RES-026, RES-036
    let mut evil = Evil::against(PHONE);
    let max = COMMANDS_OPEN_MAX;
    for n in 1..=max + 1 {
        let body = Bytes::from([&[1, 1][..], commands::key(n).as_bytes(), b"x"].concat());
        evil.send(&[Frame::Msg { seq: n, part: 0, last: 0, body }]);
        evil.send(&[Frame::Ack { durable: n.min(max), cursors: vec![] }]);
    }
    assert_eq!(evil.failure(), Some(ErrorCode::LIMIT));
    assert_eq!(u64::try_from(evil.device.disk.effects.len()).unwrap(), max);
}

#[test]
fn a_command_that_only_reads_is_run_again() {
    // req: RES-028
    let mut evil = Evil::against(PHONE);
    evil.device.app.repeat = Some(Repeat::Run);
    let message = |seq| Frame::Msg { seq, part: 0, last: 0, body: commands::command(1, 1, b"read") };
    evil.send(&[message(1)]);
    evil.send(&[message(2)]);
    assert_eq!((evil.failure(), evil.device.disk.effects.len()), (None, 2));
    let kept: usize = evil.device.disk.pairs.values().filter(|row| row.ends_with(b"did read")).count();
    assert_eq!(kept, 2, "the two messages of the outbox, and no result");
}

#[test]
fn an_older_web_is_told_that_it_needs_an_update() {
    // req: HSK-156
    let mut evil = Evil::opened(PHONE, true);
    evil.versions = Versions::new(&[1]).unwrap();
    let before = evil.device.disk.pairs.clone();
    evil.attach();
    evil.connect(false);
    evil.send(&[]);
    assert_eq!(evil.failure(), Some(ErrorCode::NO_COMMON_VERSION));
    assert_eq!(evil.device.disk.pairs, before, "no slot moves");
}

fn is_message1(frame: &RelayFrame) -> bool {
    matches!(frame, RelayFrame::Data { kind: DataKind::KK1, .. })
}

#[test]
fn an_older_phone_is_told_that_it_needs_an_update_and_nothing_is_lost() {
    // req: HSK-155, HSK-157, HSK-164
    let mut evil = Evil::opened(WEB, true);
    let _ = evil.device.send(evil.now, &Bytes::from_static(b"mine")).unwrap().unwrap();
    evil.version = 1;
    evil.attach();
    evil.connect(false);
    assert_eq!(evil.failure(), Some(ErrorCode::NO_COMMON_VERSION));
    assert_eq!(evil.heard.len(), 1, "the confirm says that alone: {:?}", evil.heard);
    assert_eq!(evil.device.machine.outbox_len().0, 1);
    evil.asked.clear();
    evil.wait(Duration::from_secs(59));
    // The relay is there.
    evil.give(&RelayFrame::Ping([1; 8]).encode());
    evil.listen();
    assert!(!evil.asked.iter().any(is_message1), "only its user can go on: it does not ask at once");
    evil.wait(Duration::from_secs(1));
    assert!(evil.asked.iter().any(is_message1), "it does not rest for ever");
}

/// Whether the web asks for a connection in the first two seconds after the phone, or itself, has attached anew.
fn asks_after_a_new_attachment(mut evil: Evil, own: bool) -> bool {
    evil.asked.clear();
    if own {
        evil.hang_up();
        evil.wait(Duration::from_secs(1));
        let (now, socket) = (evil.now, SocketId::new(2));
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        evil.device.opened(now, socket, &mut rng);
        evil.attach();
    } else {
        let id = AttachmentId::from_bytes([9; 8]);
        evil.give(&RelayFrame::Peer(Peer::Up(PeerInfo { id, same_net: None, origin: None })).encode());
    }
    evil.listen();
    evil.wait(Duration::from_secs(2));
    evil.asked.iter().any(is_message1)
}

#[test]
fn a_phone_that_attaches_anew_after_its_update_is_asked_soon() {
    // req: HSK-164
    for own in [false, true] {
        let mut evil = Evil::opened(WEB, true);
        evil.version = 1;
        evil.attach();
        evil.connect(false);
        assert_eq!(evil.failure(), Some(ErrorCode::NO_COMMON_VERSION));
        assert!(asks_after_a_new_attachment(evil, own), "by itself: {own}");
        // What an update does not mend is not tried sooner.
        let evil = holder(known(7, 2));
        assert_eq!(evil.failure(), Some(ErrorCode::COMMANDS_FORGOTTEN));
        assert!(!asks_after_a_new_attachment(evil, own), "by itself: {own}");
    }
}
