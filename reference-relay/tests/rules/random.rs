//! Any order of events: nothing is sent to who is gone, and nothing is left when all are.

use std::time::Duration;

use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::role::DeviceRole;
use proptest::prelude::*;
use reference_relay::core::SocketId;

use crate::harness::{AWAY, HOME, Harness, Link, key};

#[derive(Clone, Debug)]
enum Step {
    Open { away: bool },
    AttachLink { socket: usize, link: u8, web: bool },
    AttachPairing { socket: usize, mailbox: u8, web: bool, key: u8 },
    Data { socket: usize, len: usize },
    Sticky { socket: usize, web: bool, len: usize },
    Pong { socket: usize, token: u8 },
    Bytes { socket: usize, bytes: Vec<u8> },
    Close { socket: usize },
    Pass { millis: u64 },
    Read { reads: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let socket = 0..12_usize;
    prop_oneof![
        4 => any::<bool>().prop_map(|away| Step::Open { away }),
        6 => (socket.clone(), 0..2_u8, any::<bool>())
            .prop_map(|(socket, link, web)| Step::AttachLink { socket, link, web }),
        6 => (socket.clone(), 0..2_u8, any::<bool>(), 1..5_u8)
            .prop_map(|(socket, mailbox, web, key)| Step::AttachPairing { socket, mailbox, web, key }),
        8 => (socket.clone(), 0..16_510_usize).prop_map(|(socket, len)| Step::Data { socket, len }),
        2 => (socket.clone(), any::<bool>(), 0..514_usize)
            .prop_map(|(socket, web, len)| Step::Sticky { socket, web, len }),
        3 => (socket.clone(), 0..4_u8).prop_map(|(socket, token)| Step::Pong { socket, token }),
        2 => (socket.clone(), proptest::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(socket, bytes)| Step::Bytes { socket, bytes }),
        2 => socket.prop_map(|socket| Step::Close { socket }),
        4 => (0..30_000_u64).prop_map(|millis| Step::Pass { millis }),
        1 => any::<bool>().prop_map(|reads| Step::Read { reads }),
    ]
}

const fn role(web: bool) -> DeviceRole {
    if web { DeviceRole::Web } else { DeviceRole::Phone }
}

fn play(h: &mut Harness, sockets: &mut Vec<SocketId>, step: Step) {
    let at = |n: usize| sockets.get(n).copied();
    match step {
        Step::Open { away } => {
            let socket = h.open_from(if away { AWAY } else { HOME }, None);
            sockets.push(socket);
        }
        Step::AttachLink { socket, link, web } => {
            if let Some(socket) = at(socket) {
                h.attach(socket, &Link::new(link), role(web));
            }
        }
        Step::AttachPairing { socket, mailbox, web, key: seed } => {
            let by = key(seed);
            if let Some(socket) = at(socket) {
                h.attach_pairing(socket, mailbox, role(web), &by);
            }
        }
        Step::Data { socket, len } => {
            if let Some(socket) = at(socket) {
                h.data(socket, len);
            }
        }
        Step::Sticky { socket, web, len } => {
            let frame = RelayFrame::Sticky { role: role(web), value: vec![1; len].into() };
            if let Some(socket) = at(socket) {
                h.send(socket, &frame);
            }
        }
        Step::Pong { socket, token } => {
            let frame = RelayFrame::Pong(u64::from(token).to_be_bytes());
            if let Some(socket) = at(socket) {
                h.send(socket, &frame);
            }
        }
        Step::Bytes { socket, bytes } => {
            if let Some(socket) = at(socket) {
                h.send_raw(socket, bytes.clone().into());
            }
        }
        Step::Close { socket } => {
            if let Some(socket) = at(socket) {
                h.close(socket);
            }
        }
        Step::Pass { millis } => h.pass(Duration::from_millis(millis)),
        Step::Read { reads } => h.reads = reads,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    // The harness asserts on the way: nothing is sent to a closed socket, none is closed twice, a timer fires once.
    #[test]
    fn any_order_of_events_leaves_nothing(steps in proptest::collection::vec(step(), 1..120)) {
        let mut h = Harness::with(|limits| limits.sockets_per_address_max = 64);
        let mut sockets = Vec::new();
        for step in steps {
            play(&mut h, &mut sockets, step);
            let seated = h.relay.stats().sockets;
            prop_assert!(seated + h.closed.len() <= sockets.len());
            for socket in &sockets {
                // Seats are mutual: whose peer I am, is mine.
                if let Some(peer) = h.relay.peer_of(*socket) {
                    prop_assert_eq!(h.relay.peer_of(peer), Some(*socket));
                }
            }
        }
        for socket in sockets {
            h.close(socket);
        }
        h.pass(Duration::from_mins(6));
        let stats = h.relay.stats();
        prop_assert_eq!((stats.sockets, stats.link_mailboxes, stats.pairing_mailboxes), (0, 0, 0));
        prop_assert_eq!(h.deadline, None);
    }

    // Whatever a peer in its seat sends as DATA comes out at the other as it went in.
    #[test]
    fn data_is_never_changed(kind in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let mut h = Harness::new();
        let (phone, web) = h.both(&Link::new(1));
        let sent = RelayFrame::Data { kind: DataKind::from_u8(kind), body: body.into() };
        h.send(phone, &sent);
        prop_assert_eq!(h.take(web), [sent]);
    }
}
