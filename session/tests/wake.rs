//! A phone that sleeps: what the web asks of the relay, what it shows, and what the phone follows.

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::limits::WAKE_HANDLE_LEN_MAX;
use handfast_codec::relay::{Peer, RelayFrame, Wake, WakeFailure};
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_session::{ApiMisuse, Event, LinkState};
use handfast_testkit::evil::Evil;
use handfast_testkit::{Clocked as _, World};

fn asked(evil: &Evil) -> usize {
    evil.asked.iter().filter(|f| matches!(f, RelayFrame::Wake(Wake::Ask(h)) if h == &b"handle"[..])).count()
}

/// A web whose phone has just left.
fn alone() -> Evil {
    let mut evil = Evil::against(DeviceRole::Web);
    evil.device.machine.companion().set_wake_handle(evil.now, Some(Bytes::from_static(b"handle"))).unwrap();
    evil.give(&RelayFrame::Peer(Peer::Down).encode());
    evil.listen();
    evil
}

#[test]
fn a_web_asks_for_its_phone_and_shows_that_it_wakes() {
    // req: TIM-006, RLY-060
    let mut evil = alone();
    assert_eq!(evil.device.state, Some(LinkState::PeerAbsent));
    evil.wait(Duration::from_secs(2));
    assert!(asked(&evil) >= 1, "the first WAKE comes within two seconds");
    evil.give(&RelayFrame::Wake(Wake::Sent).encode());
    evil.listen();
    assert_eq!(evil.device.state, Some(LinkState::Waking));
    evil.give(&RelayFrame::Wake(Wake::Failed(WakeFailure::UNREACHABLE)).encode());
    evil.listen();
    assert_eq!(evil.device.state, Some(LinkState::PeerAbsent));
    assert!(evil.device.events.contains(&Event::WakeFailed(WakeFailure::UNREACHABLE)));
}

#[test]
fn a_web_that_is_hidden_or_whose_phone_is_there_asks_for_nothing() {
    // req: TIM-006
    let mut evil = Evil::against(DeviceRole::Web);
    evil.device.machine.companion().set_wake_handle(evil.now, Some(Bytes::from_static(b"handle"))).unwrap();
    evil.wait(Duration::from_secs(50));
    assert_eq!(asked(&evil), 0, "the phone is there");
    let mut evil = alone();
    let before = asked(&evil);
    evil.device.machine.companion().set_hidden(evil.now, true);
    evil.listen();
    for _ in 0..20 {
        evil.wait(Duration::from_secs(50));
        evil.give(&RelayFrame::Ping([0; 8]).encode());
    }
    assert_eq!(asked(&evil), before, "the page is hidden");
}

#[test]
fn a_web_asks_thirty_times_an_hour_at_most() {
    // req: TIM-006
    let mut evil = alone();
    for _ in 0..72 {
        evil.wait(Duration::from_secs(50));
        evil.give(&RelayFrame::Ping([0; 8]).encode());
    }
    assert!((25..=30).contains(&asked(&evil)), "{} times", asked(&evil));
}

#[test]
fn a_handle_has_a_maximum() {
    let mut evil = Evil::against(DeviceRole::Web);
    let handle = |len| Some(Bytes::from(vec![1; len]));
    assert_eq!(
        evil.device.machine.companion().set_wake_handle(evil.now, handle(WAKE_HANDLE_LEN_MAX)),
        Ok(())
    );
    let over = evil.device.machine.companion().set_wake_handle(evil.now, handle(WAKE_HANDLE_LEN_MAX + 1));
    assert_eq!(over, Err(ApiMisuse::TooLarge));
}

#[test]
fn the_relay_says_that_it_cannot_wake_and_the_web_waits_on() {
    // req: RLY-060
    let mut world = World::live(300);
    world.web.machine.companion().set_wake_handle(world.now, Some(Bytes::from_static(b"handle"))).unwrap();
    world.phone.paused = true;
    world.cut(DeviceRole::Phone);
    world.run_for(Duration::from_secs(3));
    assert!(world.saw(DeviceRole::Web, &Event::WakeFailed(WakeFailure::NO_SERVICE)));
    assert_eq!(world.web.state, Some(LinkState::PeerAbsent));
    world.crash(DeviceRole::Phone);
    world.run_until_live();
}

#[test]
fn a_phone_that_is_woken_comes_at_once_but_not_for_ever() {
    // req: TIM-007
    let mut evil = Evil::against(DeviceRole::Phone);
    let follows: Vec<bool> = (0..4).map(|_| evil.device.machine.phone().handle_wake(evil.now)).collect();
    assert_eq!(follows, [true, true, true, false]);
    evil.hang_up();
    let mut evil = Evil::against(DeviceRole::Phone);
    for _ in 0..4 {
        evil.hang_up();
    }
    evil.device.events.clear();
    assert!(evil.device.machine.phone().handle_wake(evil.now));
    evil.listen();
    evil.wait(Duration::ZERO);
    assert!(evil.device.events.contains(&Event::Connect), "without waiting for the back-off");
}

#[test]
fn a_client_refuses_an_ask_from_the_relay() {
    // req: RLY-064
    let mut evil = Evil::against(DeviceRole::Web);
    evil.give(&RelayFrame::Wake(Wake::Ask(Bytes::new())).encode());
    evil.listen();
    assert!(evil.device.events.contains(&Event::Relay(ErrorCode::UNEXPECTED_MESSAGE)));
}
