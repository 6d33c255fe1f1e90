//! Every cell of the tables of streams in `spec/state`, at a real phone whose peer says what the table wants.

mod world;

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::frame::{Frame, OpenKind};
use handfast_codec::{DeviceRole, ErrorCode};
use handfast_session::Event;
use handfast_vectors::state::{Cell, table};
use world::evil::Evil;

const ID: u64 = 0;
const META: &[u8] = b"content";
const LEN: u64 = 100_000;

fn open(id: u64, kind: OpenKind) -> Frame {
    Frame::Open { id, kind, meta: Bytes::from_static(META) }
}

fn data(offset: u64) -> Frame {
    Frame::Data { id: ID, offset, body: Bytes::from_static(&[7; 100]) }
}

/// The frames of an event, for a stream of which so many bytes have arrived.
fn frames(event: &str, is_put: bool, arrived: u64) -> Vec<Frame> {
    let kind = if is_put { OpenKind::Put } else { OpenKind::Get };
    let durable = |offset| Frame::Durable { id: ID, offset };
    let frame = match event {
        "OPEN" => open(ID, kind),
        "OPEN_PARITY" => open(1, kind),
        "OPEN_AND_DATA" => return vec![open(ID, kind), data(0)],
        "DATA" => data(arrived),
        "DATA_GAP" => data(arrived + 1),
        "FIN" => Frame::Fin { id: ID, hash: [u8::try_from(arrived % 251).unwrap(); 32] },
        "STOP" => Frame::Stop { id: ID, code: ErrorCode::CANCELLED },
        "CREDIT" => Frame::Credit { id: ID, offset: LEN },
        "CREDIT_LESS" => Frame::Credit { id: ID, offset: 1 },
        "DURABLE" => durable(2_000),
        "DURABLE_ALL" => durable(LEN),
        "DURABLE_BACK" => durable(10),
        "DURABLE_FUTURE" => durable(LEN + 1),
        other => panic!("no such event: {other}"),
    };
    vec![frame]
}

struct Case {
    evil: Evil,
    is_put: bool,
    opened: bool,
    fin_heard: bool,
}

impl Case {
    fn new(is_put: bool, state: &str) -> Self {
        let mut evil = Evil::against(DeviceRole::Phone);
        if !is_put {
            let content = vec![7; usize::try_from(LEN).unwrap()];
            let _ = evil.device.content.insert(META.to_vec(), content);
        }
        let mut case = Self { evil, is_put, opened: false, fin_heard: false };
        let way: &[&str] = match (state, is_put) {
            ("OPEN" | "SENT" | "DONE", _) => &["OPEN"],
            ("OVER", _) => &["OPEN", "OPEN"],
            _ => &[],
        };
        for event in way {
            case.act(event);
        }
        if !is_put && state != "NONE" && state != "OVER" {
            case.evil.send(&[Frame::Durable { id: ID, offset: 1_000 }]);
        }
        match state {
            "SENT" => case.act("CREDIT"),
            "DONE" => case.act("STOP"),
            _ => {}
        }
        let _ = case.says();
        assert_eq!(case.state(), state, "the state is reached");
        case
    }

    fn act(&mut self, event: &str) {
        let arrived = self.evil.device.arrived.get(META).copied().unwrap_or(0);
        self.opened |= event == "OPEN";
        self.evil.send(&frames(event, self.is_put, arrived));
        self.evil.wait(Duration::from_millis(10));
    }

    /// What the phone said of the stream since the last look, each once.
    fn says(&mut self) -> Vec<String> {
        let heard = std::mem::take(&mut self.evil.heard);
        let name = |frame: &Frame| match frame {
            Frame::Close { code, .. } => Some(format!("CLOSE({})", code.name())),
            Frame::Data { .. } | Frame::Fin { .. } | Frame::Credit { .. } | Frame::Durable { .. } => {
                Some(frame.frame_type().name().to_owned())
            }
            _ => None,
        };
        self.fin_heard |= heard.iter().any(|frame| matches!(frame, Frame::Fin { .. }));
        let mut says: Vec<String> = heard.iter().filter_map(name).collect();
        says.dedup();
        says
    }

    fn state(&self) -> &'static str {
        let is_open = self.evil.device.endpoint.streams().iter().any(|stream| stream.id == ID);
        if self.evil.device.events.iter().any(|event| matches!(event, Event::Failed(_))) {
            "OVER"
        } else if is_open {
            if self.fin_heard { "SENT" } else { "OPEN" }
        } else if self.opened {
            "DONE"
        } else {
            "NONE"
        }
    }
}

fn walk(machine: &str, is_put: bool) {
    let table = table(machine).expect("a total table");
    let mut walked = 0;
    for ((state, event), cell) in table.cells().expect("a total table") {
        let mut case = Case::new(is_put, state);
        case.act(event);
        let says = case.says();
        let next = if case.state() == state { String::new() } else { case.state().to_owned() };
        assert_eq!(&Cell { next, says, ..cell.clone() }, cell, "{machine}: {state} x {event}");
        walked += 1;
    }
    println!("{machine}: {walked} cells");
    assert!(walked >= 36, "{walked}");
}

#[test]
fn every_cell_of_a_receiver_is_as_its_table_says() {
    walk("stream-receiver", true);
}

#[test]
fn every_cell_of_a_sender_is_as_its_table_says() {
    walk("stream-sender", false);
}
