//! Every cell of `spec/state/relay-pairing.toml` and `relay-limits.toml`, on the relay's real core.

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::ids::{MailboxId, Salt};
use handfast_codec::relay::{MailboxProof, RelayFrame, Wake};
use handfast_codec::role::DeviceRole;
use handfast_conformance::state::{Cell, table};
use reference_relay::core::SocketId;

use super::harness::{HOME, Harness, Link, key, public};

const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;
/// The mailbox of the code.
const CODE: u8 = 1;

/// The words for what a socket is sent; PINGs are left out, and what is said twice in a row stands once.
fn words(frames: &[RelayFrame]) -> Vec<String> {
    let word = |frame: &RelayFrame| match frame {
        RelayFrame::Error { code, .. } => Some(format!("ERROR({})", code.name())),
        RelayFrame::Attached(_) => Some("ATTACHED".to_owned()),
        RelayFrame::Peer(_) => Some("PEER".to_owned()),
        RelayFrame::Data { .. } => Some("DATA".to_owned()),
        RelayFrame::Pong(_) => Some("PONG".to_owned()),
        _ => None,
    };
    let mut words: Vec<String> = frames.iter().filter_map(word).collect();
    words.dedup();
    words
}

/// A phone's socket beside a page that waits.
struct Pairing {
    h: Harness,
    page: SocketId,
    socket: SocketId,
    sent: usize,
}

impl Pairing {
    fn new(state: &str) -> Self {
        let mut h = Harness::new();
        let page = h.seat_pairing(CODE, WEB, &key(1));
        let socket = h.open();
        let mut case = Self { h, page, socket, sent: 0 };
        if state != "OPENED" {
            case.act("ATTACH");
        }
        if state == "SPOKEN" {
            case.act("DATA");
        }
        let _ = case.h.take(case.socket);
        case
    }

    fn attach(&mut self, role: DeviceRole, by: u8) {
        self.h.attach_pairing(self.socket, CODE, role, &key(by));
    }

    /// Another phone in the seat.
    fn other(&mut self, by: u8) -> SocketId {
        self.h.seat_pairing(CODE, PHONE, &key(by))
    }

    fn data(&mut self, upto: usize) {
        while self.sent < upto {
            // The kind counts too.
            let len = (upto - self.sent).min(16_000);
            self.h.data(self.socket, len - 1);
            self.sent += len;
            if self.h.closed.contains_key(&self.socket) {
                return;
            }
        }
    }

    fn act(&mut self, event: &str) {
        match event {
            "ATTACH" => self.attach(PHONE, 2),
            "ATTACH_AS_PAGE" => self.attach(WEB, 3),
            "ATTACH_SALT" => {
                let mailbox = MailboxId::from_bytes([CODE; 16]);
                let (phone_key, web_key) = (public(&key(2)), public(&key(1)));
                let proof = MailboxProof::Link { phone_key, web_key, salt: Salt::from_bytes([1; 16]) };
                let claim = Harness::claim(self.socket, PHONE, mailbox, proof, &key(2));
                let mut frame = RelayFrame::Attach(claim).encode().to_vec();
                // A pairing's kind, behind the version.
                let kind = frame.windows(3).position(|part| part == [3, 1, 2]).expect("the kind");
                frame[kind + 2] = 1;
                let other = frame.windows(2).position(|part| part == [11, 32]).expect("the other key");
                let _ = frame.drain(other..other + 34);
                self.h.send_raw(self.socket, Bytes::from(frame));
            }
            "ATTACH_BUSY" => {
                let _ = self.other(4);
                self.attach(PHONE, 2);
            }
            "ATTACH_FOURTH" => {
                for by in 4..7 {
                    let phone = self.other(by);
                    self.h.close(phone);
                }
                self.attach(PHONE, 2);
            }
            "ATTACH_FULL" => {
                let phone = self.other(4);
                for _ in 0..5 {
                    if !self.h.closed.contains_key(&phone) {
                        self.h.data(phone, 16_000);
                    }
                }
                self.attach(PHONE, 2);
            }
            "DATA" => {
                let upto = self.sent + 10;
                self.data(upto);
            }
            "DATA_FULL" => self.data(65_536),
            "DATA_OVER" => self.data(65_537),
            "STICKY" => {
                let frame = RelayFrame::Sticky { role: PHONE, value: Bytes::from_static(b"v") };
                self.h.send(self.socket, &frame);
            }
            "WAKE" => self.h.send(self.socket, &RelayFrame::Wake(Wake::Ask(Bytes::from_static(b"h")))),
            "PAGE_LEAVES" => self.h.close(self.page),
            "TEN_SECONDS" => self.h.pass(Duration::from_secs(10)),
            "SIX_MINUTES" => {
                for _ in 0..18 {
                    self.h.pass(Duration::from_secs(20));
                    for socket in [self.page, self.socket] {
                        if !self.h.closed.contains_key(&socket) {
                            self.h.send(socket, &RelayFrame::Pong([0; 8]));
                        }
                    }
                }
            }
            other => panic!("no such event: {other}"),
        }
    }

    fn state(&self, before: &str) -> &'static str {
        if self.h.closed.contains_key(&self.socket) {
            return "CLOSED";
        }
        match (self.sent, self.h.relay.peer_of(self.socket).is_some()) {
            (0, true) => "SEATED",
            (0, false) if before != "OPENED" => "SEATED",
            (0, false) => "OPENED",
            _ => "SPOKEN",
        }
    }
}

struct Walked {
    wrong: Vec<String>,
    count: usize,
}

fn walk(machine: &str, run: impl Fn(&str, &str) -> (Vec<String>, &'static str)) -> Walked {
    let table = table(machine).expect("a total table");
    let mut walked = Walked { wrong: Vec::new(), count: 0 };
    for ((state, event), cell) in table.cells().expect("a total table") {
        if !cell.never.is_empty() {
            continue;
        }
        let (says, after) = run(state, event);
        let next = if after == state { String::new() } else { after.to_owned() };
        let found = Cell { next, says, ..cell.clone() };
        if &found != cell {
            walked.wrong.push(format!("{state} x {event}: {:?} {:?}", found.next, found.says));
        }
        walked.count += 1;
    }
    walked
}

#[test]
fn every_cell_of_a_phone_at_a_code_is_as_its_table_says() {
    // req: RLY-014, RLY-015, RLY-063
    let walked = walk("relay-pairing", |state, event| {
        let mut case = Pairing::new(state);
        case.act(event);
        let said = case.h.take(case.socket);
        (words(&said), case.state(state))
    });
    assert!(walked.wrong.is_empty(), "{}", walked.wrong.join("\n"));
    assert!(walked.count >= 30, "{}", walked.count);
}

#[test]
fn every_cell_of_the_relays_limits_is_as_its_table_says() {
    // req: RLY-020, RLY-021, RLY-071
    let walked = walk("relay-limits", |_, event| {
        let (link, mut h) = (Link::new(1), Harness::with(|limits| limits.sockets_per_address_max = 64));
        let (phone, web) = h.both(&link);
        let mut looked_at = web;
        h.reads = false;
        match event {
            "WAITING" | "WAITING_OVER" => {
                for _ in 0..16 {
                    h.data(phone, 16_382);
                }
                if event == "WAITING_OVER" {
                    h.data(phone, 0);
                }
            }
            "PINGS" | "PINGS_OVER" => {
                h.pass(Duration::from_secs(8));
                for _ in 0..if event == "PINGS" { 64 } else { 65 } {
                    h.send(web, &RelayFrame::Ping([0; 8]));
                }
            }
            "TINY" | "TINY_OVER" => {
                for _ in 0..if event == "TINY" { 2_048 } else { 2_049 } {
                    h.data(phone, 0);
                }
            }
            other => {
                h.reads = true;
                // The phone and the web are two of them.
                for _ in 2..64 {
                    let _ = h.open();
                }
                if other == "NEIGHBOURS_OVER" {
                    looked_at = h.open_from(HOME, None);
                }
            }
        }
        let said = h.take(looked_at);
        (words(&said), if h.closed.contains_key(&web) { "CLOSED" } else { "SEATED" })
    });
    assert!(walked.wrong.is_empty(), "{}", walked.wrong.join("\n"));
    assert_eq!(walked.count, 8);
}
