//! Every cell of the tables of a phone's and a web's ratchet in `spec/state`, at a real endpoint; its slots are read from its store.

use crate::tables::walk;
use std::time::Duration;

use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::frame::Frame;
use handfast_codec::payload::KkMode;
use handfast_codec::relay::{DataKind, RECORD_HEADER, RelayFrame};
use handfast_conformance::state::table;
use handfast_handshake::secret::Psk;
use handfast_session::LinkStatus;
use handfast_testkit::evil::Evil;

/// A phone, and what its slots should hold.
struct Walk {
    evil: Evil,
    /// The key of the store's row with the slots.
    row: Vec<u8>,
    current: Psk,
    candidate: Option<Psk>,
    last_try: u64,
}

impl Walk {
    /// A phone whose link was connected once, with try 1.
    fn begin() -> Self {
        let evil = Evil::against(DeviceRole::Phone);
        let current = copy(evil.psk());
        let holds = |value: &[u8]| value.get(8..) == Some(&current.expose()[..]);
        let row = evil.device.disk.pairs.iter().find(|(_, value)| holds(value)).expect("the slots").0.clone();
        Self { evil, row, current, candidate: None, last_try: 1 }
    }

    fn at(state: &str) -> Self {
        let mut walk = Self::begin();
        match state {
            "ONE" => {}
            "TWO" => drop(walk.act("CURRENT_HIGHER")),
            "SUSPENDED" => drop(walk.act("SECOND_HOLDER")),
            other => panic!("no such state: {other}"),
        }
        walk
    }

    /// Lets an event happen, and gives what the phone stored and said.
    fn act(&mut self, event: &str) -> Vec<String> {
        self.evil.heard.clear();
        match event.split_once('_').expect("two words") {
            ("CURRENT", which) => self.message1(&copy(&self.current), which, false),
            ("CANDIDATE", which) => {
                let candidate = copy(self.candidate.as_ref().expect("a candidate"));
                self.message1(&candidate, which, true)
            }
            ("SECOND", _) => {
                let mut says = self.message1(&copy(&self.current), "LOWER", false);
                says.extend(self.confirm());
                says
            }
            ("RECOVER", which) => {
                let held = match which {
                    "CURRENT" => copy(&self.current),
                    "CANDIDATE" => copy(self.candidate.as_ref().expect("a candidate")),
                    _ => Psk::from_bytes([77; 32]),
                };
                let held = self.evil.psk_id(&held);
                self.evil.wait(Duration::from_secs(2));
                let (reply, _) =
                    self.evil.ask(None, self.last_try + 1, Some(held), false).expect("message 2");
                assert!(reply.resume.is_none() && !reply.quarantine, "no resume block, no quarantine");
                let mut says = vec!["MESSAGE_2".to_owned()];
                says.extend(self.confirm());
                says
            }
            other => panic!("no such event: {other:?}"),
        }
    }

    fn message1(&mut self, psk: &Psk, which: &str, is_candidate: bool) -> Vec<String> {
        // Under a known psk one is answered a second.
        self.evil.wait(Duration::from_secs(2));
        let attempt = match which {
            "HIGHER" => self.last_try + 1,
            "SAME" => self.last_try,
            "LOWER" => self.last_try - 1,
            _ => u64::MAX,
        };
        let commits = self.evil.device.commits;
        let answer = self.evil.ask(Some(psk), attempt, None, false);
        let mut says = Vec::new();
        if self.evil.device.commits > commits {
            says.push("STORED".to_owned());
        }
        let Some((reply, next)) = answer else {
            let is_hint =
                |frame: &&RelayFrame| matches!(frame, RelayFrame::Data { kind: DataKind::UNKNOWN_KEY, .. });
            says.extend(self.evil.asked.iter().filter(is_hint).map(|_| "UNKNOWN_KEY".to_owned()));
            return says;
        };
        if reply.quarantine {
            assert!(reply.resume.is_none(), "quarantine has no resume block");
            says.push("MESSAGE_2(quarantine)".to_owned());
            return says;
        }
        if is_candidate {
            self.current = copy(psk);
        }
        (self.candidate, self.last_try) = (Some(next), attempt);
        says.push("MESSAGE_2".to_owned());
        says
    }

    /// Sends the confirm of the last message 2.
    fn confirm(&mut self) -> Vec<String> {
        let commits = self.evil.device.commits;
        self.evil.send(&[]);
        let stored = self.evil.device.commits > commits;
        let closed = self.evil.heard.iter().filter_map(|frame| match frame {
            Frame::Close { code, .. } => Some(format!("CLOSE({})", code.name())),
            _ => None,
        });
        stored.then(|| "STORED".to_owned()).into_iter().chain(closed).collect()
    }

    fn confirm_event(&mut self, is_good: bool) -> Vec<String> {
        if !is_good {
            let commits = self.evil.device.commits;
            self.evil.heard.clear();
            self.evil.give(&[&RECORD_HEADER[..], &[9; 144]].concat());
            self.evil.listen();
            assert_eq!((self.evil.device.commits, self.evil.heard.len()), (commits, 0));
            return Vec::new();
        }
        if let Some(candidate) = self.candidate.take() {
            self.current = candidate;
        }
        self.confirm()
    }

    /// The state, read from the store.
    fn state(&self) -> &'static str {
        let row = &self.evil.device.disk.pairs[&self.row];
        let slots = [Some(&self.current), self.candidate.as_ref()].into_iter().flatten();
        let keys: Vec<u8> = slots.flat_map(|psk| psk.expose().to_vec()).collect();
        assert_eq!(row[..8], self.last_try.to_be_bytes(), "the last try");
        assert!(row[8..] == keys[..], "the slots");
        match (self.evil.device.machine.status(), &self.candidate) {
            (LinkStatus::Suspended, _) => "SUSPENDED",
            (_, None) => "ONE",
            (_, Some(_)) => "TWO",
        }
    }
}

fn copy(psk: &Psk) -> Psk {
    Psk::from_bytes(*psk.expose())
}

#[test]
fn every_cell_of_a_phones_ratchet_is_as_its_table_says() {
    // req: HSK-023, HSK-025, HSK-044
    walk("ratchet-phone", 1, |state, event| {
        let mut walk = Walk::at(state);
        assert_eq!(walk.state(), state);
        let says = match event {
            "CONFIRM" => walk.confirm_event(true),
            "CONFIRM_BAD" => walk.confirm_event(false),
            "FORGOTTEN" => walk.message1(&Psk::from_bytes([77; 32]), "HIGHER", false),
            event => walk.act(event),
        };
        (says, walk.state())
    });
}

/// Message 1 of each mode that the web has sent, in the words of the table.
fn messages1(asked: &[RelayFrame]) -> Vec<String> {
    let said = |frame: &RelayFrame| match frame {
        // Behind the suite stands the mode.
        RelayFrame::Data { kind: DataKind::KK1, body } if body.get(1) == Some(&1) => {
            Some("MESSAGE_1(recover)".to_owned())
        }
        RelayFrame::Data { kind: DataKind::KK1, .. } => Some("MESSAGE_1".to_owned()),
        _ => None,
    };
    asked.iter().filter_map(said).collect()
}

/// A web in this state, the key of the store's row with its psk, and the psk that it should hold.
fn web(state: &str) -> (Evil, Vec<u8>, Psk) {
    let mut evil = Evil::opened(DeviceRole::Web, true);
    evil.attach();
    evil.listen();
    let psk = copy(evil.psk());
    let holds = |value: &[u8]| value.len() == 40 && value.get(8..) == Some(&psk.expose()[..]);
    let row = evil.device.disk.pairs.iter().find(|(_, value)| holds(value)).expect("the psk").0.clone();
    let held = match state {
        "RECOVERING" => {
            unknown_key(&mut evil);
            psk
        }
        "CONFIRMED" => evil.answer(false).1,
        "JUDGED" => {
            let _ = evil.answer(true);
            psk
        }
        _ => psk,
    };
    (evil, row, held)
}

fn unknown_key(evil: &mut Evil) {
    evil.give(&RelayFrame::Data { kind: DataKind::UNKNOWN_KEY, body: Bytes::new() }.encode());
    evil.listen();
}

/// Lets time pass until the next message 1, if one comes within a minute and a half; the relay is heard meanwhile.
fn until_message1(evil: &mut Evil) {
    for _ in 0..90 {
        if !messages1(&evil.asked).is_empty() {
            return;
        }
        evil.give(&RelayFrame::Pong([1; 8]).encode());
        evil.wait(Duration::from_secs(1));
    }
}

#[test]
fn every_cell_of_a_webs_ratchet_is_as_its_table_says() {
    // req: HSK-024, HSK-028, HSK-041
    let table = table("ratchet-web").expect("a total table");
    let mut wrong = Vec::new();
    for ((state, event), cell) in table.cells().expect("a total table") {
        if !cell.never.is_empty() {
            continue;
        }
        let (mut evil, row, mut held) = web(state);
        let (commits, records) = (evil.device.commits, evil.records);
        let last_try = evil.device.disk.pairs[&row][..8].to_vec();
        match event {
            "MESSAGE_2" => {
                let next = evil.answer(false);
                evil.asked.clear();
                if next.0 == KkMode::Resume {
                    held = next.1;
                }
            }
            "QUARANTINE" => {
                let _ = evil.answer(true);
                evil.asked.clear();
            }
            "UNKNOWN_KEY" => {
                evil.asked.clear();
                unknown_key(&mut evil);
            }
            "MESSAGE_BAD" => {
                evil.asked.clear();
                evil.give(&RelayFrame::Data { kind: DataKind::KK2, body: vec![7; 200].into() }.encode());
                until_message1(&mut evil);
            }
            _ => {
                evil.asked.clear();
                until_message1(&mut evil);
            }
        }
        let mut says = Vec::new();
        if evil.device.commits > commits {
            says.push("STORED".to_owned());
        }
        says.extend((evil.records > records).then(|| "CONFIRM".to_owned()));
        let asked = messages1(&evil.asked);
        let stored = &evil.device.disk.pairs[&row];
        assert!(stored[8..] == held.expose()[..], "{state} x {event}: the psk");
        let resumes = asked.iter().any(|message| message == "MESSAGE_1");
        assert_eq!(stored[..8] > last_try[..], resumes, "{state} x {event}: a new try for each resume");
        says.extend(asked);
        if says != cell.says {
            wrong.push(format!("{state} x {event}: {says:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
