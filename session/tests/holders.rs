//! Who holds a link: copies, forged hints, revocation, fresh keys, links half made (spec, handshake).

use std::time::Duration;

use handfast_codec::relay::{DataKind, RelayFrame, data_kind};
use handfast_codec::{DeviceRole, ErrorCode, Timestamp};
use handfast_handshake::certificate::sign_revoked;
use handfast_handshake::identity::SigningKey;
use handfast_session::resume::Verdict;
use handfast_session::{Event, LinkState, LinkStatus};
use handfast_testkit::account::Device;
use handfast_testkit::keys::{phone_rows, web_rows};
use handfast_testkit::{Clocked as _, World, keys};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const MINUTE: Duration = Duration::from_mins(1);

/// Puts another holder of the web's store in its place; what was there is given back.
fn swap_web(world: &mut World, disk: handfast_testkit::account::Disk) -> handfast_testkit::account::Disk {
    world.cut(DeviceRole::Web);
    let old = std::mem::replace(&mut world.web.disk, disk);
    world.crash(DeviceRole::Web);
    old
}

#[test]
fn a_copied_store_is_noticed_and_both_sides_are_told() {
    // req: HSK-027, HSK-040, HSK-043
    for connections_by_copy in 1..4 {
        let mut world = World::live(1);
        let copy = world.web.disk.clone();
        let owner = swap_web(&mut world, copy);
        for _ in 0..connections_by_copy {
            world.run_until_live();
            world.cut(DeviceRole::Web);
        }
        let _ = swap_web(&mut world, owner);
        world.run_until("the owner comes, and the phone sees two", 5 * MINUTE, |w| {
            w.phone.events.contains(&Event::Diverged) && w.web.events.contains(&Event::Diverged)
        });
        assert_eq!(world.phone.machine.status(), LinkStatus::Suspended);
        assert_eq!(world.web.machine.status(), LinkStatus::Active);
        world.run_for(5 * MINUTE);
        assert_ne!(world.web.state, Some(LinkState::Live), "a suspended link does not resume");
    }
}

#[test]
fn a_suspended_link_tells_its_rightful_holder_that_it_is_suspended() {
    // req: HSK-044
    let mut world = World::live(2);
    let copy = world.web.disk.clone();
    let owner = swap_web(&mut world, copy);
    world.run_until_live();
    world.cut(DeviceRole::Web);
    let thief = swap_web(&mut world, owner);
    world.run_until("diverged", 5 * MINUTE, |w| w.phone.events.contains(&Event::Diverged));
    let _ = swap_web(&mut world, thief);
    world.run_until("suspended", 5 * MINUTE, |w| w.web.events.contains(&Event::Suspended));
    world.crash(DeviceRole::Phone);
    world.run_until("suspended again", 5 * MINUTE, |w| {
        w.web.events.iter().filter(|e| **e == Event::Suspended).count() > 1
    });
}

#[test]
fn a_forged_hint_ends_in_step_and_raises_no_alarm() {
    // req: HSK-041, HSK-043
    let mut world = World::live(3);
    world.cut(DeviceRole::Web);
    world.filter(|role, bytes| role == DeviceRole::Web || data_kind(bytes) != Some(DataKind::KK2));
    world.run_until("message 1 left", MINUTE, |w| w.web.state == Some(LinkState::PeerSilent));
    world.run_for(Duration::from_secs(2));
    world.unfilter();
    let hint = RelayFrame::Data { kind: DataKind::UNKNOWN_KEY, body: bytes::Bytes::new() }.encode();
    let (now, mut rng) = (world.now, ChaCha20Rng::seed_from_u64(9));
    world.web.receive(now, &mut rng, bytes::BytesMut::from(&*hint));
    world.run_until_live();
    for device in [&world.phone, &world.web] {
        assert!(!device.events.contains(&Event::Diverged), "{:?}", device.events);
    }
    assert_eq!(world.phone.machine.status(), LinkStatus::Active);
}

#[test]
fn a_phone_store_of_an_older_state_is_noticed() {
    let mut world = World::live(4);
    let old = world.phone.disk.clone();
    for _ in 0..3 {
        world.cut(DeviceRole::Web);
        world.run_until_live();
    }
    world.cut(DeviceRole::Phone);
    world.phone.disk = old;
    world.crash(DeviceRole::Phone);
    world.run_until("both are told", 5 * MINUTE, |w| {
        w.phone.events.contains(&Event::Diverged) && w.web.events.contains(&Event::Diverged)
    });
}

#[test]
fn a_revoked_companion_is_told_wipes_and_never_comes_back() {
    // req: CRT-005, HSK-151, HSK-152
    for online in [true, false] {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let now = Timestamp::from_micros(1);
        let (phone, web, account) = keys::link(&mut rng);
        let signature = sign_revoked(&account, &phone.0.terms);
        let (phone, web) = (phone_rows(phone, true), web_rows(web, true));
        let mut world = World::of_rows(phone, web, now, rng);
        world.run_until_live();
        let before = world.web.disk.clone();
        if !online {
            world.cut(DeviceRole::Web);
        }
        let commit = world.phone.machine.phone().revoke(world.now, signature).unwrap();
        let _ = world.phone.commit(world.now, commit);
        world.run_until("told", MINUTE, |w| w.web.events.contains(&Event::Revoked));
        assert!(world.phone.events.contains(&Event::RevokedTold), "online {online}");
        assert_eq!(world.web.disk.pairs.len(), 1, "only the store's version is left");
        world.web.disk = before;
        world.crash(DeviceRole::Web);
        world.crash(DeviceRole::Phone);
        world.run_until("a copy is told too", MINUTE, |w| w.web.events.contains(&Event::Revoked));
    }
}

#[test]
fn a_revocation_that_the_account_did_not_sign_wipes_nothing() {
    // req: CRT-005
    let mut world = World::live(6);
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let ((phone, _), _, _) = keys::link(&mut rng);
    let forged = sign_revoked(&SigningKey::from_bytes([1; 32]), &phone.terms);
    let commit = world.phone.machine.phone().revoke(world.now, forged).unwrap();
    let _ = world.phone.commit(world.now, commit);
    world.run_until("refused", MINUTE, |w| {
        w.web.events.iter().any(|e| matches!(e, Event::Failed(code) if *code == ErrorCode::HANDSHAKE_FAILED))
    });
    assert!(!world.web.events.contains(&Event::Revoked));
    assert!(world.web.disk.pairs.len() > 1);
}

#[test]
fn fresh_keys_come_after_a_day_and_the_session_goes_on() {
    // req: CHN-007
    let mut world = World::live(7);
    let connected = |w: &World| w.web.events.iter().filter(|e| matches!(e, Event::Connected { .. })).count();
    let before = connected(&world);
    world.run_for(Duration::from_hours(25));
    assert!(connected(&world) > before);
    assert!(world.web.events.contains(&Event::Connected { verdict: Verdict::Resume }));
    assert!(!world.web.events.iter().any(|e| matches!(e, Event::Connected { verdict: Verdict::Reset(_) })));
    assert_eq!(world.web.state, Some(LinkState::Live));
}

#[test]
fn a_pending_web_comes_to_life_with_an_offered_or_active_phone() {
    // req: HSK-018
    for offered in [true, false] {
        let mut world = World::half_linked(8, !offered, false);
        assert_eq!(world.web.machine.status(), LinkStatus::Pending);
        world.run_until_live();
        assert_eq!(world.phone.machine.status(), LinkStatus::Active);
        assert_eq!(world.web.machine.status(), LinkStatus::Active);
        world.crash(DeviceRole::Web);
        world.crash(DeviceRole::Phone);
        world.run_until_live();
    }
}

#[test]
fn an_offered_link_without_accept_is_closed() {
    // req: HSK-089
    let mut world = World::half_linked(10, false, true);
    world.run_until("refused", MINUTE, |w| w.web.events.contains(&Event::Closed(ErrorCode::NOT_ACCEPTED)));
    assert_eq!(world.phone.machine.status(), LinkStatus::Offered);
}

#[test]
fn a_replayed_message_1_changes_nothing() {
    // req: HSK-026
    let mut world = World::linked(11);
    let recorded = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let tape = recorded.clone();
    world.filter(move |_, bytes| {
        if data_kind(bytes) == Some(DataKind::KK1) {
            tape.borrow_mut().push(bytes.to_vec());
        }
        true
    });
    world.run_until_live();
    world.unfilter();
    let (commits, mut rng) = (world.phone.commits, ChaCha20Rng::seed_from_u64(1));
    for _ in 0..1_000 {
        let (now, frame) = (world.now, recorded.borrow()[0].clone());
        world.phone.receive(now, &mut rng, bytes::BytesMut::from(&*frame));
        world.run_for(Duration::from_millis(1_100));
    }
    assert_eq!(world.phone.commits, commits);
    assert_eq!(world.web.state, Some(LinkState::Live));
}

#[test]
fn a_second_socket_takes_the_seat_and_the_first_says_so() {
    // req: RLY-012
    let mut world = World::live(12);
    let twin = world.web.disk.clone();
    let now = world.now;
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let second = Device::new(DeviceRole::Web, twin.pairs, now, &mut rng);
    let first = std::mem::replace(&mut world.web, second);
    let socket = first.socket.unwrap();
    world.others.push(first);
    world.run_until("replaced", MINUTE, |w| w.others[0].events.contains(&Event::Replaced));
    assert!(world.others[0].socket != Some(socket) || world.others[0].state != Some(LinkState::Live));
    world.run_for(MINUTE);
    let reconnects = world.others[0].events.iter().filter(|e| **e == Event::Connect).count();
    // req: TIM-012
    assert!(reconnects <= 1, "a replaced web waits for its user");
    let (now, first) = (world.now, &mut world.others[0]);
    first.events.clear();
    first.timeout(now, &mut rng);
    assert_eq!(first.drain(now).len() + first.events.len(), 0, "it asks for nothing by itself");
    first.machine.companion().reclaim_seat(now);
    let _ = first.drain(now);
    first.timeout(now, &mut rng);
    let _ = first.drain(now);
    assert!(first.events.contains(&Event::Connect), "who wants the seat back: {:?}", first.events);
}

#[test]
fn a_web_that_gets_no_answer_twice_attaches_anew() {
    // req: HSK-085
    let mut world = World::linked(31);
    let mut lost = 0;
    // The relay has never told the phone that the web came: message 1 reaches a phone that knows of no peer.
    world.filter(move |role, bytes| {
        let is_message1 = role == DeviceRole::Web && data_kind(bytes) == Some(DataKind::KK1);
        lost += u32::from(is_message1);
        !is_message1 || lost > 2
    });
    let attachments = |w: &World| w.web.events.iter().filter(|event| **event == Event::Connect).count();
    world.run_until("the second attachment", 5 * MINUTE, |w| attachments(w) == 2);
    let timeouts = world.web.events.iter().filter(|e| **e == Event::Failed(ErrorCode::TIMEOUT)).count();
    assert_eq!(timeouts, 2, "not after the first");
    world.run_until_live();
    assert_eq!(attachments(&world), 2);
}
