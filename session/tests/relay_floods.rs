//! A relay that sends control frames without end: each costs what it costs, nothing grows, and the link goes on.

mod world;

use bytes::{Bytes, BytesMut};
use handfast_codec::DeviceRole;
use handfast_codec::relay::{Peer, RelayFrame};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use world::World;

/// Frames of one kind in a row.
const FRAMES: u64 = 20_000;

#[test]
fn rl12_a_relay_that_floods_control_frames_gets_one_answer_each_at_most() {
    for role in [DeviceRole::Phone, DeviceRole::Web] {
        let mut world = World::live(12);
        let (now, mut rng) = (world.now, ChaCha20Rng::seed_from_u64(12));
        let other = if role == DeviceRole::Phone { DeviceRole::Web } else { DeviceRole::Phone };
        let sticky = RelayFrame::Sticky { role: other, value: Bytes::from_static(&[7; 512]) };
        let floods = [
            ("PING", RelayFrame::Ping([1; 8])),
            ("PONG", RelayFrame::Pong([1; 8])),
            ("STICKY", sticky),
            ("PEER CONTENDED", RelayFrame::Peer(Peer::Contended(1))),
            ("PEER DOWN", RelayFrame::Peer(Peer::Down)),
        ];
        world.device(role).events.clear();
        for (what, frame) in floods {
            let frame = frame.encode();
            for number in 0..FRAMES {
                let device = world.device(role);
                device.receive(now, &mut rng, BytesMut::from(&*frame));
                let answers = device.drain(now);
                assert!(answers.len() <= 1, "{what} {number} to the {role:?}: {} answers", answers.len());
                // What is told to the application is one event a frame at most.
                assert!(device.events.len() <= 1, "{what}: {:?}", device.events);
                device.events.clear();
            }
        }
        // The relay told the truth too late; a new socket is a new start.
        world.cut(role);
        world.run_until_live();
    }
}
