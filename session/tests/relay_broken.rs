//! A relay that breaks the rules of its frames: the socket is closed, and the application is told why.

use handfast_codec::DeviceRole;
use handfast_codec::relay::{Peer, RelayFrame};
use handfast_session::Event;
use handfast_testkit::evil::Evil;

/// What is no frame of a relay, or none that a client takes.
fn broken() -> [(&'static str, Vec<u8>); 6] {
    let whole = RelayFrame::Peer(Peer::Down).encode().to_vec();
    let longer = [&whole[..], &[0]].concat();
    let ask = RelayFrame::Ping([1; 8]).encode().to_vec();
    [
        ("no byte", Vec::new()),
        ("a type alone", vec![whole[0]]),
        ("a byte more", longer),
        ("a PING cut short", ask[..ask.len() - 1].to_vec()),
        ("a DATA without a kind", vec![9]),
        ("text", b"You are offline".to_vec()),
    ]
}

#[test]
fn what_is_no_frame_closes_the_socket_and_is_told_with_its_code() {
    for role in [DeviceRole::Phone, DeviceRole::Web] {
        for (what, bytes) in broken() {
            let Err(error) = RelayFrame::decode(bytes.clone().into()) else { panic!("{what} is a frame") };
            let mut evil = Evil::against(role);
            evil.device.events.clear();
            evil.give(&bytes);
            evil.listen();
            let told = [Event::Relay(error.code()), Event::Disconnect];
            assert!(
                told.iter().all(|event| evil.device.events.contains(event)),
                "{what}: {:?}",
                evil.device.events
            );
        }
    }
}
