//! Every cell of the tables of pairing in `spec/state`, at a real device whose peer says what the table wants.

use std::fmt::Debug;
use std::time::Duration;

use crate::pairing_peers::by_hand::Fault;
use crate::pairing_peers::{Peer, Phone, Web};
use crate::tables::walk;
use handfast_codec::DeviceRole;
use handfast_codec::error::ErrorCode;
use handfast_codec::link::LinkFrame;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_handshake::identity::SigningKey;
use handfast_session::PairingEvent;
use handfast_testkit::pairing::{Party, account, granted_terms};
use handfast_testkit::{Clocked as _, Couple};

const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;
/// Longer than any wait of a pairing.
const LONG: Duration = Duration::from_mins(5);

/// What an application is told, in the words of the tables.
fn told(event: &PairingEvent) -> Option<String> {
    Some(match event {
        PairingEvent::CheckCode(_) => "told CHECK_CODE".to_owned(),
        PairingEvent::CheckCodeWanted => "told CHECK_CODE_WANTED".to_owned(),
        PairingEvent::WrongCheckCode(_) => "told WRONG_CODE".to_owned(),
        PairingEvent::ApprovalWanted { .. } => "told APPROVAL_WANTED".to_owned(),
        PairingEvent::ShowConfirmation(_) => "told SHOW_NN".to_owned(),
        PairingEvent::ConfirmationWanted { .. } => "told NUMBER_WANTED".to_owned(),
        PairingEvent::Linked(_) => "told LINKED".to_owned(),
        PairingEvent::Ended(code) => format!("told {}", code.name()),
        _ => return None,
    })
}

fn sent(frame: &LinkFrame) -> String {
    match frame {
        LinkFrame::Cert(_) => "LINK_CERT".to_owned(),
        LinkFrame::Accept { .. } => "LINK_ACCEPT".to_owned(),
        LinkFrame::Commit => "LINK_COMMIT".to_owned(),
        LinkFrame::Close { code } => format!("LINK_CLOSE({})", code.name()),
        frame => format!("{frame:?}"),
    }
}

/// The device under test, its scripted peer, and what was seen of it so far.
struct Case<P> {
    couple: Couple,
    role: DeviceRole,
    peer: P,
    events: usize,
    commits: usize,
    messages: usize,
    misused: bool,
    /// Which of several inputs an event has.
    variant: usize,
    /// How many wrong codes were typed.
    wrong: u16,
}

impl<P: Peer> Case<P> {
    fn new(role: DeviceRole, couple: Couple, peer: P) -> Self {
        Self { couple, role, peer, events: 0, commits: 0, messages: 0, misused: false, variant: 0, wrong: 0 }
    }

    fn party(&mut self) -> &mut Party {
        self.couple.device(self.role)
    }

    fn note<T: Debug, E: Debug>(&mut self, done: &Result<T, E>) {
        self.misused = done.is_err();
        self.couple.settle();
    }

    /// What was stored, sent and told since the last look.
    fn says(&mut self) -> Vec<String> {
        let mut says = Vec::new();
        if std::mem::take(&mut self.misused) {
            says.push("MISUSE".to_owned());
        }
        let (commits, events) = (self.party().commits, self.party().pairing_events.clone());
        if commits > self.commits {
            says.push("STORED".to_owned());
        }
        let told: Vec<_> = events.iter().skip(self.events).filter_map(told).collect();
        // The digits stand on the screen before message 2 leaves.
        let (before, after): (Vec<_>, Vec<_>) = told.into_iter().partition(|told| told == "told CHECK_CODE");
        says.extend(before);
        let messages = self.peer.got(&self.couple, DataKind::PAIRING);
        if messages > self.messages {
            says.push("MESSAGE".to_owned());
        }
        says.extend(self.peer.link_frames(&mut self.couple).iter().map(sent));
        says.extend(after);
        (self.commits, self.messages, self.events) = (commits, messages, events.len());
        says
    }

    fn garbage(&mut self, kind: DataKind, len: usize) {
        self.peer.garbage(&mut self.couple, kind, len);
    }

    /// The relay itself says something, if the device has a socket.
    fn relay_says(&mut self, frame: &[u8]) {
        self.couple.relay_says(self.role, frame);
    }

    /// An event that both devices know.
    fn common(&mut self, event: &str) {
        match event {
            "MESSAGE_BAD" => {
                // The neutral point, and a key that is not reduced, stand where a message has one.
                let key = [[9; 32], std::array::from_fn(|at| u8::from(at == 0)), [0xff; 32]][self.variant];
                self.peer.bytes(&mut self.couple, DataKind::PAIRING, [&key[..], &[9; 168]].concat());
            }
            "MESSAGE_SHORT" => self.garbage(DataKind::PAIRING, [1, 31, 47][self.variant]),
            "MESSAGE_LONG" => self.garbage(DataKind::PAIRING, [4_097, 16_000, 5_000][self.variant]),
            "RECORD_BAD" => self.garbage(DataKind::RECORD, 144),
            "RECORD_SIZE" => match [Some(16), Some(145), None][self.variant] {
                Some(len) => self.garbage(DataKind::RECORD, len),
                None if self.peer.keys().is_some() => self.peer.send_plain(&mut self.couple, &[], 256),
                None => self.garbage(DataKind::RECORD, 272),
            },
            "EMPTY" => self.peer.send_plain(&mut self.couple, &[], 128),
            "EVEN" => self.peer.send_plain(&mut self.couple, &[58, 3, 1, 2, 3], 128),
            "ODD" => self.peer.send_plain(&mut self.couple, &[63, 0], 128),
            "CUT" => self.peer.send_plain(&mut self.couple, &[58, 0x7f, 0xff], 128),
            "PADDING" => self.peer.send_plain(&mut self.couple, &[58, 0, 0, 1], 128),
            "DATA_OTHER" => {
                self.garbage(
                    [DataKind::KK1, DataKind::UNKNOWN_KEY, DataKind::from_u8(58)][self.variant],
                    100,
                );
            }
            "RELAY_ERROR" => {
                let error = RelayFrame::Error { code: ErrorCode::PAIRING_TIME, retry_ms: 0 };
                self.relay_says(&error.encode());
            }
            // A PING of two bytes.
            "RELAY_BAD" => self.relay_says(&[17, 1]),
            "PEER_UP" => self.peer.come(&mut self.couple),
            "PEER_DOWN" => self.peer.leave(&mut self.couple),
            "CLOSE" => self.peer.close(&mut self.couple),
            "LONG_WAIT" => self.couple.run_for(LONG),
            "SOCKET_LOST" => {
                self.couple.cut(self.role);
                self.couple.settle();
            }
            "DURABLE" => self.couple.release(self.role),
            other => panic!("no such event: {other}"),
        }
    }
}

impl Case<Web> {
    /// A phone in this state, before this event.
    fn phone(state: &str, event: &str) -> Self {
        let by_hand = state == "AWAIT_MESSAGE_2" && Fault::of(event).is_some();
        let (couple, peer) = Web::with_phone(70, by_hand);
        let mut case = Self::new(PHONE, couple, peer);
        let way: &[&str] = match state {
            "AWAIT_PEER" => &[],
            "AWAIT_MESSAGE_2" => &["PEER_UP"],
            "AWAIT_CODE" => &["PEER_UP", "MESSAGE_2"],
            "AWAIT_USER" => &["PEER_UP", "MESSAGE_2", "CODE"],
            "OFFERED" => &["PEER_UP", "MESSAGE_2", "CODE", "APPROVE"],
            "ACTIVE" => &["PEER_UP", "MESSAGE_2", "CODE", "APPROVE", "ACCEPT"],
            _ => &["REFUSE"],
        };
        for event in way {
            case.act(if *event == "ACCEPT" { "ACCEPT_HELD" } else { event });
            let _ = case.says();
        }
        case
    }

    fn act(&mut self, event: &str) {
        let now = self.couple.now;
        match event {
            "MESSAGE_2" => self.peer.message2(&mut self.couple),
            "CODE" => {
                let digits = self.peer.check_code();
                let done = self.couple.phone.machine.enter_check_code(now, &digits);
                self.note(&done);
            }
            "CODE_WRONG" => {
                let wrong = self.wrong_code();
                let done = self.couple.phone.machine.enter_check_code(now, &wrong);
                self.note(&done);
            }
            "CODE_WRONG_THIRD" => {
                for _ in 0..2 {
                    self.act("CODE_WRONG");
                }
                let was_misused = self.misused;
                let _ = self.says();
                self.act("CODE_WRONG");
                self.misused |= was_misused;
            }
            "APPROVE" => {
                let Couple { phone, rng, .. } = &mut self.couple;
                let done = phone.machine.approve(now, rng, &account(), granted_terms());
                self.note(&done);
            }
            "REFUSE" => {
                self.couple.phone.machine.refuse(now);
                self.couple.settle();
            }
            "ACCEPT" => self.peer.accept(&mut self.couple),
            "ACCEPT_HELD" => {
                self.couple.phone.hold = true;
                self.peer.accept(&mut self.couple);
            }
            "ACCEPT_FOREIGN" => self.peer.accept_foreign(&mut self.couple),
            "ACCEPT_SHORT" => self.peer.send_plain(&mut self.couple, &[&[3, 63][..], &[9; 63]].concat(), 128),
            "ACCEPT_LONG" => {
                self.peer.send_plain(&mut self.couple, &[&[3, 0x40, 65][..], &[9; 65]].concat(), 128);
            }
            "OTHER" => {
                let frames = [LinkFrame::Commit, LinkFrame::WebBack, LinkFrame::Commit];
                self.peer.send(&mut self.couple, &frames[self.variant]);
            }
            event => match Fault::of(event) {
                Some(fault) => self.peer.message2_wrong(&mut self.couple, fault),
                None => self.common(event),
            },
        }
    }

    /// A code that is wrong and was not typed yet.
    fn wrong_code(&mut self) -> String {
        let right: u16 = self.peer.check_code().parse().unwrap_or(0);
        self.wrong += 1;
        format!("{:04}", (right + self.wrong) % 10_000)
    }

    /// The state, as it shows in what the phone takes.
    fn state(&mut self) -> &'static str {
        if self.couple.phone.machine.is_over() {
            return "OVER";
        }
        match self.couple.phone.commits {
            0 => {}
            1 => return "OFFERED",
            _ => return "ACTIVE",
        }
        let now = self.couple.now;
        if self.couple.phone.machine.enter_check_code(now, "none").is_ok() {
            return "AWAIT_CODE";
        }
        let Couple { phone, rng, .. } = &mut self.couple;
        if phone.machine.approve(now, rng, &account(), granted_terms()).is_ok() {
            return "AWAIT_USER";
        }
        if self.peer.got(&self.couple, DataKind::PAIRING) > 0 { "AWAIT_MESSAGE_2" } else { "AWAIT_PEER" }
    }
}

impl Case<Phone> {
    /// A web in this state, before this event.
    fn web(state: &str, event: &str) -> Self {
        let (couple, peer) = Phone::with_web(71);
        let mut case = Self::new(WEB, couple, peer);
        let way: &[&str] = match state {
            "SHOWN" => &[],
            "AWAIT_MESSAGE_3" => &["MESSAGE_1"],
            "AWAIT_CERT" => &["MESSAGE_1", "MESSAGE_3"],
            "AWAIT_USER" => &["MESSAGE_1", "MESSAGE_3", "CERT"],
            "PENDING" => &["MESSAGE_1", "MESSAGE_3", "CERT", "NUMBER"],
            "ACTIVE" => &["MESSAGE_1", "MESSAGE_3", "CERT", "NUMBER", "COMMIT"],
            _ => &["MESSAGE_1", "MESSAGE_BAD"],
        };
        let by_hand = state == "AWAIT_MESSAGE_3" && event == "MESSAGE_3_ODD";
        for event in way {
            match *event {
                "MESSAGE_1" if by_hand => case.peer.message1_by_hand(&mut case.couple, None),
                "COMMIT" => case.act("COMMIT_HELD"),
                event => case.act(event),
            }
            let _ = case.says();
        }
        case
    }

    fn act(&mut self, event: &str) {
        let now = self.couple.now;
        match event {
            "MESSAGE_1" => self.peer.message1(&mut self.couple),
            "MESSAGE_3" => self.peer.message3(&mut self.couple),
            "CERT" => self.peer.cert(&mut self.couple),
            "MESSAGE_3_ODD" => self.peer.message3_odd(&mut self.couple),
            "CERT_OTHER" => self.peer.cert_other(&mut self.couple),
            "CERT_LACKS" => self.peer.cert_lacks(&mut self.couple),
            "OTHER" => {
                let signature = SigningKey::from_bytes([9; 32]).sign(b"handfast/1 accept");
                let frames = [LinkFrame::Accept { signature }, LinkFrame::WebBack, LinkFrame::WebBack];
                self.peer.send(&mut self.couple, &frames[self.variant]);
            }
            "COMMIT" => self.peer.send(&mut self.couple, &LinkFrame::Commit),
            "COMMIT_HELD" => {
                self.couple.web.hold = true;
                self.peer.send(&mut self.couple, &LinkFrame::Commit);
            }
            "NUMBER" | "NUMBER_WRONG" => {
                let right: u8 = self.peer.number().parse().unwrap_or(0);
                let typed = format!("{:02}", (right + u8::from(event == "NUMBER_WRONG")) % 100);
                let done = self.couple.web.machine.enter_confirmation(now, &typed);
                self.note(&done);
            }
            "NO" => {
                let done = self.couple.web.machine.stop(now);
                self.note(&done);
            }
            event => match Fault::of(event) {
                Some(fault) => self.peer.message1_by_hand(&mut self.couple, Some(fault)),
                None => self.common(event),
            },
        }
    }

    fn state(&mut self) -> &'static str {
        if self.couple.web.machine.is_over() {
            return "OVER";
        }
        if !self.couple.web.machine.is_frozen() {
            return "SHOWN";
        }
        match self.couple.web.commits {
            0 => {}
            1 => return "PENDING",
            _ => return "ACTIVE",
        }
        let now = self.couple.now;
        if self.couple.web.machine.enter_confirmation(now, "none").is_ok() {
            return "AWAIT_USER";
        }
        // Only who has record keys minds a record that does not open.
        self.act("RECORD_BAD");
        if self.couple.web.machine.is_over() { "AWAIT_CERT" } else { "AWAIT_MESSAGE_3" }
    }
}

/// How many inputs an event has.
const VARIANTS: usize = 3;

#[test]
fn every_cell_of_a_phone_that_pairs_is_as_its_table_says() {
    // req: HSK-046, HSK-086, HSK-163
    for variant in 0..VARIANTS {
        walk("pairing-phone", 150, |state, event| {
            let mut case = Case::phone(state, event);
            assert_eq!(Case::phone(state, event).state(), state, "the state is reached");
            case.variant = variant;
            case.act(event);
            (case.says(), case.state())
        });
    }
}

#[test]
fn every_cell_of_a_web_that_pairs_is_as_its_table_says() {
    // req: HSK-086, HSK-104, HSK-163
    for variant in 0..VARIANTS {
        walk("pairing-web", 150, |state, event| {
            let mut case = Case::web(state, event);
            assert_eq!(Case::web(state, event).state(), state, "the state is reached");
            case.variant = variant;
            case.act(event);
            (case.says(), case.state())
        });
    }
}
