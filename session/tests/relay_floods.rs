//! A relay that sends without end: each frame costs what it costs, and a client takes so many in a second.

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::DeviceRole;
use handfast_codec::error::ErrorCode;
use handfast_codec::limits::{RELAY_DATA_MAX, RELAY_FRAMES_MAX};
use handfast_codec::relay::{DataKind, Peer, RelayFrame};
use handfast_session::Event;
use handfast_testkit::{Clocked as _, World};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const SECOND: Duration = Duration::from_secs(1);
const ALMOST: Duration = Duration::from_micros(999_999);

/// Frames of one kind in a row, as many in each second as a client takes.
const SECONDS: usize = 80;

fn floods(role: DeviceRole) -> [(&'static str, Bytes); 5] {
    let other = if role == DeviceRole::Phone { DeviceRole::Web } else { DeviceRole::Phone };
    let sticky = RelayFrame::Sticky { role: other, value: Bytes::from_static(&[7; 512]) };
    [
        ("PING", RelayFrame::Ping([1; 8])),
        ("PONG", RelayFrame::Pong([1; 8])),
        ("STICKY", sticky),
        ("PEER CONTENDED", RelayFrame::Peer(Peer::Contended(1))),
        ("PEER DOWN", RelayFrame::Peer(Peer::Down)),
    ]
    .map(|(what, frame)| (what, frame.encode()))
}

#[test]
fn a_relay_that_floods_control_frames_gets_one_answer_each_at_most() {
    for role in [DeviceRole::Phone, DeviceRole::Web] {
        let mut world = World::live(12);
        let mut rng = ChaCha20Rng::seed_from_u64(12);
        world.device(role).events.clear();
        for (what, frame) in floods(role) {
            for _ in 0..SECONDS {
                world.now = world.now.plus(SECOND);
                for number in 0..RELAY_FRAMES_MAX {
                    let now = world.now;
                    let device = world.device(role);
                    device.receive(now, &mut rng, BytesMut::from(&*frame));
                    let answers = device.drain(now);
                    assert!(answers.len() <= 1, "{what} {number} to the {role:?}: {} answers", answers.len());
                    // What is told to the application is one event a frame at most.
                    assert!(device.events.len() <= 1, "{what}: {:?}", device.events);
                    device.events.clear();
                }
            }
        }
        // The relay told the truth too late; a new socket is a new start.
        world.cut(role);
        world.run_until_live();
    }
}

// req: RLY-065
#[test]
fn a_socket_is_closed_at_the_frame_past_the_most_of_a_second() {
    for role in [DeviceRole::Phone, DeviceRole::Web] {
        for (what, frame) in floods(role) {
            let mut world = World::live(13);
            let mut rng = ChaCha20Rng::seed_from_u64(13);
            for spaced in [SECOND, ALMOST] {
                world.now = world.now.plus(SECOND);
                let (start, end) = (world.now, world.now.plus(spaced));
                world.now = end;
                let device = world.device(role);
                for number in 0..=RELAY_FRAMES_MAX {
                    // The last comes after the second, and then within it.
                    let now = if number < RELAY_FRAMES_MAX { start } else { end };
                    assert!(device.take_closing().is_none(), "{what} {number}");
                    device.receive(now, &mut rng, BytesMut::from(&*frame));
                    let _ = device.drain(now);
                }
                assert_eq!(device.take_closing().is_some(), spaced < SECOND, "{what} to the {role:?}");
            }
            let told = |event: &Event| matches!(event, Event::Relay(ErrorCode::LIMIT));
            assert!(world.device(role).events.iter().any(told), "{what} to the {role:?}");
        }
    }
}

/// DATA that is no record of a connection.
fn strays() -> [(&'static str, Bytes); 4] {
    let unknown = DataKind::from_u8(99);
    [
        ("a record", RelayFrame::Data { kind: DataKind::RECORD, body: vec![7; 144].into() }),
        ("message 2", RelayFrame::Data { kind: DataKind::KK2, body: vec![7; 96].into() }),
        ("UNKNOWN_KEY", RelayFrame::Data { kind: DataKind::UNKNOWN_KEY, body: Bytes::new() }),
        ("another kind", RelayFrame::Data { kind: unknown, body: Bytes::from_static(&[1]) }),
    ]
    .map(|(what, frame)| (what, frame.encode()))
}

// req: RLY-090
#[test]
fn a_socket_is_closed_at_the_stray_data_past_the_most_of_a_second() {
    for role in [DeviceRole::Phone, DeviceRole::Web] {
        for (what, frame) in strays() {
            let mut world = World::linked(14);
            // Nothing of the other side arrives, so that there is no connection.
            world.filter(|_, bytes| handfast_codec::relay::data_kind(bytes).is_none());
            world.run_for(SECOND * 3);
            let mut rng = ChaCha20Rng::seed_from_u64(14);
            for spaced in [SECOND, ALMOST] {
                world.now = world.now.plus(SECOND * 2);
                let (start, end) = (world.now, world.now.plus(spaced));
                world.now = end;
                let device = world.device(role);
                for number in 0..=RELAY_DATA_MAX {
                    let now = if number < RELAY_DATA_MAX { start } else { end };
                    assert!(device.take_closing().is_none(), "{what} {number} to the {role:?}");
                    device.receive(now, &mut rng, BytesMut::from(&*frame));
                    let _ = device.drain(now);
                }
                assert_eq!(device.take_closing().is_some(), spaced < SECOND, "{what} to the {role:?}");
            }
            let told = |event: &Event| matches!(event, Event::Relay(ErrorCode::LIMIT));
            assert!(world.device(role).events.iter().any(told), "{what} to the {role:?}");
        }
    }
}
