//! Links that wait to be accepted or confirmed, and are given up.

use core::time::Duration;

use handfast_codec::frame::Frame;
use handfast_codec::ids::{PskId, Signature};
use handfast_codec::limits::{OFFERED_MAX, PENDING_MAX};
use handfast_codec::{DeviceRole, ErrorCode, Timestamp};
use handfast_handshake::secret::Psk;
use handfast_session::{ApiMisuse, Event, LinkStatus, SendError};
use handfast_testkit::account::Device;
use handfast_testkit::evil::Evil;
use handfast_testkit::{Clocked as _, World};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const OFFERED: Duration = Duration::from_secs(OFFERED_MAX);
const PENDING: Duration = Duration::from_secs(PENDING_MAX);
const MOMENT: Duration = Duration::from_micros(1);

/// An OFFERED phone and a PENDING web that do not reach one another.
fn apart(seed: u64) -> World {
    World::half_linked(seed, false, false)
}

fn waits(device: &mut Device, rng: &mut ChaCha20Rng, until: Timestamp) {
    while let Some(at) = device.deadline.filter(|at| *at <= until) {
        device.timeout(at, rng);
        let _ = device.drain(at);
    }
    device.deadline = Some(until);
    device.timeout(until, rng);
    let _ = device.drain(until);
}

fn has_lapsed(device: &Device) -> bool {
    device.events.contains(&Event::Lapsed)
}

/// The keys of a link are gone; what is left says that it was there.
fn is_wiped(device: &Device) -> bool {
    device.disk.pairs.len() <= 1
}

// req: HSK-130, HSK-131
#[test]
fn an_offer_lives_ten_minutes_and_a_pending_link_a_day() {
    for (role, kept) in [(DeviceRole::Phone, OFFERED), (DeviceRole::Web, PENDING)] {
        for age in [Duration::ZERO, kept / 2, kept.saturating_sub(MOMENT)] {
            let mut world = apart(1);
            let (start, mut rng) = (world.now, ChaCha20Rng::seed_from_u64(2));
            let device = world.device(role);
            device.machine.waited(start, age);
            let _ = device.drain(start);
            let end = start.plus(kept.saturating_sub(age));
            if age < kept / 2 {
                waits(device, &mut rng, start.plus(kept / 2));
            }
            assert!(!has_lapsed(device) && !is_wiped(device), "{role:?} {age:?}");
            waits(device, &mut rng, end);
            assert!(has_lapsed(device) && is_wiped(device), "{role:?} {age:?}");
            assert_eq!(device.deadline.filter(|at| *at > end), None, "nothing more is due");
        }
    }
}

// req: HSK-130, HSK-131
#[test]
fn a_link_that_is_too_old_when_it_is_loaded_lapses_at_once() {
    for (role, kept) in [(DeviceRole::Phone, OFFERED), (DeviceRole::Web, PENDING)] {
        let mut world = apart(2);
        let (start, mut rng) = (world.now, ChaCha20Rng::seed_from_u64(2));
        let device = world.device(role);
        device.machine.waited(start, kept);
        let _ = device.drain(start);
        waits(device, &mut rng, start);
        assert!(has_lapsed(device) && is_wiped(device), "{role:?}");
    }
}

#[test]
fn a_link_that_came_to_life_does_not_lapse() {
    let mut world = apart(3);
    world.run_until_live();
    world.run_for(PENDING + OFFERED);
    for device in [&world.phone, &world.web] {
        assert!(!has_lapsed(device) && device.machine.status() == LinkStatus::Active);
    }
}

// req: HSK-130
#[test]
fn a_web_that_comes_after_the_offer_lapsed_is_on_no_side() {
    let mut world = apart(4);
    world.filter(|role, _| role == DeviceRole::Phone);
    world.run_for(OFFERED + OFFERED);
    assert!(has_lapsed(&world.phone) && is_wiped(&world.phone));
    world.unfilter();
    world.run_for(PENDING);
    assert!(has_lapsed(&world.web) && is_wiped(&world.web));
}

// req: HSK-133
#[test]
fn an_offer_is_cancelled_whenever_its_user_says_so() {
    let mut world = apart(5);
    let now = world.now;
    let commit = world.phone.machine.phone().cancel_offer(now).unwrap();
    assert!(world.phone.commit(now, commit) && is_wiped(&world.phone));
    assert!(matches!(world.phone.machine.phone().cancel_offer(now), Err(SendError::Ended)));
    world.run_for(Duration::from_mins(5));
    assert_eq!(world.web.machine.status(), LinkStatus::Pending);

    let mut world = World::live(6);
    let now = world.now;
    let refused = world.phone.machine.phone().cancel_offer(now);
    assert!(matches!(refused, Err(SendError::Misuse(ApiMisuse::WrongState { .. }))), "{refused:?}");
}

/// The web of an offer reconnects: what message 2 says of a quarantine, and the code of the CLOSE that answers its confirm.
fn reconnects(evil: &mut Evil, attempt: u64, held: Option<PskId>, pending: bool) -> (bool, ErrorCode) {
    evil.wait(Duration::from_secs(2));
    evil.heard.clear();
    let psk = held.is_none().then(|| Psk::from_bytes(*evil.psk().expose()));
    let (reply, _) = evil.ask(psk.as_ref(), attempt, held, pending).expect("message 2");
    evil.send(&[]);
    let code = evil.heard.iter().find_map(|frame| match frame {
        Frame::Close { code, .. } => Some(*code),
        _ => None,
    });
    (reply.quarantine, code.expect("a CLOSE"))
}

/// An OFFERED phone of which a second holder was seen: by a lower try, or by a recovery with an id that is not known.
fn offered_to_two(by_recovery: bool) -> Evil {
    let mut evil = Evil::opened(DeviceRole::Phone, false);
    evil.attach();
    let psk = Psk::from_bytes(*evil.psk().expose());
    let (reply, _) = evil.ask(Some(&psk), 5, None, true).expect("message 2");
    assert!(!reply.quarantine);
    let found = if by_recovery {
        reconnects(&mut evil, 0, Some(PskId::from_bytes([7; 8])), false)
    } else {
        reconnects(&mut evil, 4, None, true)
    };
    assert_eq!(found, (!by_recovery, ErrorCode::DIVERGED));
    assert!(evil.device.events.contains(&Event::Diverged), "the user is told");
    evil
}

// req: HSK-161, HSK-162
#[test]
fn an_offer_of_which_two_holders_are_seen_is_suspended_until_its_user_removes_it() {
    for by_recovery in [false, true] {
        let mut evil = offered_to_two(by_recovery);
        assert_eq!(evil.device.machine.status(), LinkStatus::Suspended);
        // Whoever accepts it now may be either of the two.
        assert_eq!(reconnects(&mut evil, 6, None, true), (true, ErrorCode::SUSPENDED));
        assert_eq!(evil.device.machine.status(), LinkStatus::Suspended);
        let refused = evil.device.machine.phone().cancel_offer(evil.now);
        assert!(matches!(refused, Err(SendError::Misuse(ApiMisuse::WrongState { .. }))), "{refused:?}");
        evil.wait(OFFERED + OFFERED);
        assert!(!has_lapsed(&evil.device) && !is_wiped(&evil.device), "it waits for its user");
        let commit = evil.device.machine.phone().revoke(evil.now, Signature::from_bytes([9; 64])).unwrap();
        assert!(evil.device.commit(evil.now, commit));
        assert_eq!(evil.device.machine.status(), LinkStatus::Revoked);
    }
}

// req: HSK-162
#[test]
fn a_suspended_offer_is_one_at_the_next_start_too() {
    let evil = offered_to_two(false);
    let (now, mut rng) = (evil.now, ChaCha20Rng::seed_from_u64(2));
    let mut phone = Device::new(DeviceRole::Phone, evil.device.disk.pairs, now, &mut rng);
    assert_eq!(phone.machine.status(), LinkStatus::Suspended);
    phone.machine.waited(now, OFFERED + OFFERED);
    let _ = phone.drain(now);
    waits(&mut phone, &mut rng, now.plus(OFFERED));
    assert!(!has_lapsed(&phone) && !is_wiped(&phone));
}
