//! Every cell of `spec/state/relay-socket.toml`, on the relay's real core.

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::relay::RelayFrame;
use handfast_codec::role::DeviceRole;
use handfast_conformance::state::{Cell, table};
use reference_relay::core::SocketId;

use super::harness::{Harness, Link, key};

const WEB: DeviceRole = DeviceRole::Web;

/// A socket that goes for the web seat of a link, whose phone is there.
struct Case {
    h: Harness,
    link: Link,
    socket: SocketId,
    /// The token with which it was asked whether it lives.
    asked: [u8; 8],
}

impl Case {
    fn new(state: &str) -> Self {
        let (link, mut h) = (Link::new(1), Harness::new());
        let _phone = h.seat(&link, DeviceRole::Phone);
        let socket = h.open();
        let mut case = Self { h, link, socket, asked: [0; 8] };
        if state != "OPENED" {
            case.act("ATTACH");
        }
        match state {
            "REPLACED" => case.act("SEAT_TAKEN"),
            "CLOSED" => case.act("ERROR"),
            _ => {}
        }
        for frame in case.h.take(case.socket) {
            if let RelayFrame::Ping(token) = frame {
                case.asked = token;
            }
        }
        assert_eq!(case.state(), state, "the state is reached");
        case
    }

    fn act(&mut self, event: &str) {
        let (socket, raw) = (self.socket, |bytes: &[u8]| Bytes::copy_from_slice(bytes));
        let sticky = |role| RelayFrame::Sticky { role, value: raw(b"v") }.encode();
        let bytes = match event {
            "ATTACH" => return self.h.attach(socket, &self.link, WEB),
            "ATTACH_UNPROVEN" | "ATTACH_VERSION" => {
                let (link, is_version) = (&self.link, event == "ATTACH_VERSION");
                let by = key(if is_version { 0 } else { 99 });
                let by = if is_version { link.key(WEB) } else { &by };
                let mut claim = Harness::claim(socket, WEB, link.mailbox, link.proof(), by);
                claim.version = if is_version { 2 } else { 1 };
                RelayFrame::Attach(claim).encode()
            }
            "HELLO" => raw(&[1]),
            "DATA" => raw(&[9, 7, 1]),
            "STICKY_OWN" => sticky(WEB),
            "STICKY_OTHER" => sticky(DeviceRole::Phone),
            "PING" => RelayFrame::Ping([9; 8]).encode(),
            "PONG" => RelayFrame::Pong([9; 8]).encode(),
            "PONG_ASKED" => RelayFrame::Pong(self.asked).encode(),
            "ERROR" => RelayFrame::Error { code: ErrorCode::INTERNAL, retry_ms: 0 }.encode(),
            "EVEN" => raw(&[2, 1]),
            "ODD" => raw(&[99, 1]),
            "CUT" => raw(&[17, 1]),
            "LONG" => Bytes::from(vec![9; 16_513]),
            "SEAT_TAKEN" => {
                let other = self.h.open();
                return self.h.attach(other, &self.link, WEB);
            }
            "TEN_SECONDS" => return self.h.pass(Duration::from_secs(10)),
            "SILENCE" => return self.h.pass(Duration::from_secs(75)),
            "SHUTDOWN" => {
                self.h.relay.handle_shutdown(self.h.now);
                return self.h.drain();
            }
            other => panic!("no such event: {other}"),
        };
        self.h.send_raw(socket, bytes);
    }

    /// What was sent to the socket, of itself, since the last look.
    fn says(&mut self) -> Vec<String> {
        let frames = self.h.take(self.socket);
        let name = |frame: &RelayFrame| match frame {
            RelayFrame::Error { code, .. } => Some(format!("ERROR({})", code.name())),
            RelayFrame::Attached(_) => Some("ATTACHED".to_owned()),
            RelayFrame::Sticky { .. } => Some("STICKY".to_owned()),
            RelayFrame::Ping(_) => Some("PING".to_owned()),
            RelayFrame::Pong(_) => Some("PONG".to_owned()),
            // Of the other seat, which falls silent too.
            RelayFrame::Peer(_) => None,
            frame => Some(format!("{frame:?}")),
        };
        frames.iter().filter_map(name).collect()
    }

    /// The state as it shows from outside: who has a peer sits in a seat, and a replaced socket gets no answer.
    fn state(&mut self) -> &'static str {
        if self.h.closed.contains_key(&self.socket) {
            return "CLOSED";
        }
        if self.h.relay.peer_of(self.socket).is_some() {
            return "ATTACHED";
        }
        let _ = self.h.take(self.socket);
        self.act("PING");
        if self.says() == ["PONG"] { "OPENED" } else { "REPLACED" }
    }
}

#[test]
fn every_cell_of_a_socket_is_as_its_table_says() {
    let table = table("relay-socket").expect("a total table");
    let mut walked = 0;
    for ((state, event), cell) in table.cells().expect("a total table") {
        if !cell.never.is_empty() {
            continue;
        }
        let mut case = Case::new(state);
        case.act(event);
        let says = case.says();
        let next = if case.state() == state { String::new() } else { case.state().to_owned() };
        let found = Cell { next, says, ..cell.clone() };
        assert_eq!(&found, cell, "{state} x {event}");
        walked += 1;
    }
    println!("{walked} cells");
    assert!(walked >= 70, "{walked}");
}
