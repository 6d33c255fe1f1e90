//! Every cell of the tables of streams in `spec/state`, at a real phone whose peer says what the table wants.

use std::time::Duration;

use crate::tables;
use handfast_codec::DeviceRole;
use handfast_codec::frame::{Frame, OpenKind};
use handfast_conformance::state::stream;
use handfast_session::Event;
use handfast_testkit::evil::Evil;

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
            let content = vec![7; usize::try_from(stream::LEN).unwrap()];
            let _ = evil.device.app.content.insert(stream::META.to_vec(), content);
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
            case.evil.send(&[Frame::Durable { id: stream::ID, offset: 1_000 }]);
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
        let arrived = self.evil.device.app.arrived.get(stream::META).copied().unwrap_or(0);
        self.opened |= event == "OPEN";
        let kind = if self.is_put { OpenKind::Put } else { OpenKind::Get };
        // The hash that this phone takes for that of so many bytes.
        let hash = [u8::try_from(arrived % 251).unwrap(); 32];
        let frames = stream::frames(kind, event, arrived, hash);
        self.evil.send(&frames.unwrap_or_else(|| panic!("no such event: {event}")));
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
        let is_open = self.evil.device.machine.streams().iter().any(|open| open.id == stream::ID);
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
    tables::walk(machine, 36, |state, event| {
        let mut case = Case::new(is_put, state);
        case.act(event);
        (case.says(), case.state())
    });
}

#[test]
fn every_cell_of_a_receiver_is_as_its_table_says() {
    walk("stream-receiver", true);
}

#[test]
fn every_cell_of_a_sender_is_as_its_table_says() {
    walk("stream-sender", false);
}
