//! The scripted cases of sessions in `vectors/v1`, step by step, at a real endpoint whose peer says what they hold.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::DeviceRole;
use handfast_codec::frame::{Collection, Frame};
use handfast_codec::relay::RECORD_HEADER;
use handfast_conformance::case::{Case, VectorFile};
use handfast_conformance::state::{Cells, table};
use handfast_session::{Event, SendError};
use handfast_testkit::evil::Evil;
use serde_json::Value;

fn cases(topic: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/v1").join(topic).with_extension("json");
    let text = std::fs::read_to_string(path).expect("the file is there");
    serde_json::from_str::<VectorFile>(&text).expect("a vector file").cases
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digits).collect()
}

/// The words for what an endpoint sends, as far as the tables speak of it.
fn word(frame: &Frame) -> Option<String> {
    Some(match frame {
        Frame::Close { code, .. } => format!("CLOSE({})", code.name()),
        Frame::Stop { code, .. } => format!("STOP({})", code.name()),
        Frame::Ping { .. } | Frame::Ack { .. } | Frame::ConnCredit { .. } | Frame::Now { .. } => return None,
        frame => frame.frame_type().name().to_owned(),
    })
}

struct Script {
    evil: Evil,
    refused: Option<String>,
}

impl Script {
    fn new(machine: &str) -> Self {
        let role = if machine.ends_with("web") { DeviceRole::Web } else { DeviceRole::Phone };
        let mut evil = Evil::against(role);
        let _ = evil.device.app.content.insert(b"content".to_vec(), vec![7; 200_000]);
        let mut script = Self { evil, refused: None };
        if machine == "limits-web" {
            script.app("subscribe", &Value::Null);
        }
        let _ = script.says();
        script
    }

    fn app(&mut self, verb: &str, given: &Value) {
        let now = self.evil.now;
        let collection = Collection::new(&[0]).expect("a name");
        match verb {
            "subscribe" => self.evil.device.machine.companion().subscribe(now, collection).expect("it may"),
            "leave" => self.evil.device.machine.companion().unsubscribe(now, collection).expect("it may"),
            "send" => {
                let body = Bytes::from(unhex(given["body"].as_str().expect("hex")));
                for _ in 0..given["times"].as_u64().expect("a number") {
                    match self.evil.device.send(now, &body) {
                        Ok(_) => {}
                        Err(SendError::OutboxFull | SendError::TooManyUnsettled { .. }) => {
                            self.refused = Some("MISUSE(OUTBOX_FULL)".to_owned());
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
            }
            other => panic!("no such verb: {other}"),
        }
        self.evil.listen();
    }

    fn step(&mut self, step: &Value) {
        if let Some(app) = step.get("app") {
            self.app(app["verb"].as_str().expect("a verb"), app);
        }
        self.evil.deaf = step.get("blocked").is_some();
        if step.get("undurable").is_some() {
            self.evil.device.paused = true;
        }
        let records: Vec<&str> = match step.get("recv") {
            Some(Value::String(record)) => vec![record],
            Some(Value::Array(records)) => records.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for record in records {
            let mut sealed = BytesMut::from(&RECORD_HEADER[..]);
            sealed.extend_from_slice(&unhex(record));
            self.evil.send_record(sealed);
        }
        self.evil.device.paused = false;
        self.evil.listen();
        self.evil.wait(Duration::from_millis(10));
    }

    fn says(&mut self) -> Vec<String> {
        let mut says: Vec<String> = self.refused.take().into_iter().collect();
        says.extend(std::mem::take(&mut self.evil.heard).iter().filter_map(word));
        says.dedup();
        says
    }

    fn is_over(&self) -> bool {
        self.evil.device.events.iter().any(|event| matches!(event, Event::Failed(_) | Event::Closed(_)))
    }
}

/// What a case does wrong, if anything.
fn faults(case: &Case, cells: &Cells<'_>) -> Vec<String> {
    let machine = case.input["machine"].as_str().expect("a machine");
    let mut script = Script::new(machine);
    let mut state = table(machine).expect("a table").states[0].0.clone();
    let mut faults = Vec::new();
    for step in case.input["steps"].as_array().expect("steps") {
        let event = step["event"].as_str().expect("an event");
        let cell = cells[&(state.as_str(), event)];
        script.step(step);
        let says = script.says();
        if says != cell.says {
            faults.push(format!("{}: {state} x {event} says {says:?}, not {:?}", case.id, cell.says));
        }
        if !cell.next.is_empty() {
            state.clone_from(&cell.next);
        }
        if script.is_over() != (state == "OVER") {
            faults.push(format!("{}: {state} x {event} ends otherwise", case.id));
        }
    }
    faults
}

#[test]
fn every_scripted_case_of_a_session_goes_as_its_table_says() {
    // req: SYN-008, RES-004
    let (mut run, mut wrong) = (0, Vec::new());
    for machine in ["session-phone", "session-web", "limits-phone", "limits-web"] {
        let table = table(machine).expect("a table");
        let cells = table.cells().expect("a total table");
        for case in [cases("state"), cases("refuse-state")].concat() {
            if case.input["machine"] == machine {
                run += 1;
                wrong.extend(faults(&case, &cells));
            }
        }
    }
    println!("{run} scripts");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run >= 180, "{run}");
}
