//! One attempt, made of the two real machines and the relay's real core.
//!
//! Each device has a clock and a generator of its own, so that it is a function of what it was told, in that order;
//! that, and what the relay holds for it, is what makes two states equal.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::{Bytes, BytesMut};
use handfast_codec::ids::{AttachmentId, BootId, CompanionId};
use handfast_codec::qr::Offer;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::{DeviceRole, RelayName, Timestamp};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::Claims;
use handfast_handshake::pairing::phone::Offering;
use handfast_session::pairing::{KeysInUse, ShownCodes};
use handfast_session::{Commit, Event, Output, Pairing, PairingEvent};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use reference_relay::core::{Fresh, Limits, Output as RelayOutput, Relay, SocketId};

use super::Action;
use super::disk::Disk;

const START: Timestamp = Timestamp::from_micros(1_000_000);
/// A record that no key of the attempt opens, of a size that is allowed.
const GARBAGE: [u8; 144] = [0x55; 144];

/// One device.
pub(super) struct Device {
    role: DeviceRole,
    /// None after a crash.
    pairing: Option<Pairing>,
    pub(super) disk: Disk,
    /// Given to the application, whose transaction has not ended.
    open: VecDeque<Commit>,
    pub(super) events: Vec<PairingEvent>,
    /// What the relay has sent and the device has not read.
    inbox: VecDeque<Bytes>,
    socket: Option<SocketId>,
    clock: Timestamp,
    deadline: Option<Timestamp>,
    rng: ChaCha20Rng,
    /// All that it was told.
    told: DefaultHasher,
}

/// The attempt.
pub(super) struct Attempt {
    pub(super) phone: Device,
    pub(super) web: Device,
    relay: Relay,
    account: SigningKey,
}

fn relay_name() -> RelayName {
    RelayName::parse("127.0.0.1:8787").expect("a valid name")
}

pub(super) fn new_relay() -> Relay {
    Relay::new(relay_name(), BootId::from_bytes([7; 16]), Limits::default())
}

impl Device {
    fn new(role: DeviceRole, pairing: Pairing, rng: ChaCha20Rng) -> Self {
        Self {
            role,
            pairing: Some(pairing),
            disk: Disk::default(),
            open: VecDeque::new(),
            events: Vec::new(),
            inbox: VecDeque::new(),
            socket: None,
            clock: START,
            deadline: None,
            rng,
            told: DefaultHasher::new(),
        }
    }

    /// Whether the attempt is over here, and everything that it gave out is stored or lost.
    pub(super) fn is_over(&self) -> bool {
        self.pairing.as_ref().is_none_or(Pairing::is_over) && self.open.is_empty()
    }

    pub(super) fn is_linked(&self) -> bool {
        self.events.iter().any(|event| matches!(event, PairingEvent::Linked(_)))
    }

    /// What the user is asked now.
    pub(super) fn asked(&self) -> Option<&PairingEvent> {
        let running = self.pairing.as_ref().is_some_and(|pairing| !pairing.is_over());
        self.events.last().filter(|_| running)
    }

    pub(super) fn inbox_len(&self) -> usize {
        self.inbox.len()
    }

    pub(super) fn has_open_commit(&self) -> bool {
        !self.open.is_empty()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    pub(super) fn runs(&self) -> bool {
        self.pairing.as_ref().is_some_and(|pairing| !pairing.is_over())
    }
}

impl Attempt {
    /// Both devices sit in the mailbox of the code, and message 1 is on its way.
    pub(super) fn begun() -> Self {
        let mut web_rng = ChaCha20Rng::seed_from_u64(1);
        let mut phone_rng = ChaCha20Rng::seed_from_u64(2);
        let claims = Claims { label: "Firefox".into(), origin: String::new(), grants: 1 };
        let web = Pairing::web(
            relay_name(),
            claims,
            &ShownCodes::default(),
            KeysInUse::none(),
            START,
            &mut web_rng,
        )
        .expect("a claim within its limits");
        let offer = Offer::decode(&web.offer_text().expect("a code is shown")).expect("its own code");
        let phone = Pairing::phone(offer, relay_name(), KeysInUse::none(), START, &mut phone_rng);
        let mut attempt = Self {
            phone: Device::new(DeviceRole::Phone, phone, phone_rng),
            web: Device::new(DeviceRole::Web, web, web_rng),
            relay: new_relay(),
            account: SigningKey::from_bytes([0x41; 32]),
        };
        attempt.connect(DeviceRole::Web, 1);
        attempt.connect(DeviceRole::Phone, 2);
        while let Some(role) = attempt.next_relay_frame() {
            attempt.deliver(role);
        }
        attempt
    }

    /// Whose next frame is one of the relay itself.
    fn next_relay_frame(&self) -> Option<DeviceRole> {
        [&self.web, &self.phone].into_iter().find_map(|device| {
            let frame = RelayFrame::decode(device.inbox.front()?.clone()).expect("the relay's own frame");
            (!matches!(frame, RelayFrame::Data { .. })).then_some(device.role)
        })
    }

    pub(super) fn device(&self, role: DeviceRole) -> &Device {
        match role {
            DeviceRole::Phone => &self.phone,
            DeviceRole::Web => &self.web,
        }
    }

    fn device_mut(&mut self, role: DeviceRole) -> &mut Device {
        match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.web,
        }
    }

    fn connect(&mut self, role: DeviceRole, number: u64) {
        // The wish for a socket.
        self.tell(role, |pairing, now, _| pairing.handle_timeout(now));
        let socket = SocketId::new(number);
        let byte = u8::try_from(number).unwrap_or_default();
        let fresh = Fresh { nonce: [byte; 32], id: AttachmentId::from_bytes([byte; 8]) };
        self.relay.handle_open(START, socket, [127, 0, 0, 1].into(), None, fresh).expect("names are fresh");
        self.device_mut(role).socket = Some(socket);
        self.tell(role, |pairing, now, _| pairing.handle_opened(now));
    }

    /// Makes one step.
    pub(super) fn step(&mut self, action: Action) {
        let told = match action {
            Action::Deliver(role) => return self.deliver(role),
            Action::Crash(role) => return self.crash(role),
            Action::Cut(role) => return self.cut(role),
            Action::Commit(role) => return self.commit(role),
            Action::Garbage(role) => return self.garbage(role),
            Action::TypeCode | Action::Approve | Action::Refuse => DeviceRole::Phone,
            Action::Number | Action::NumberWrong | Action::No => DeviceRole::Web,
            Action::Timeout(role) => role,
        };
        action.hash(&mut self.device_mut(told).told);
        let digits = self.web.events.iter().find_map(|event| match event {
            PairingEvent::CheckCode(digits) => Some(digits.clone()),
            _ => None,
        });
        let number = self.phone.events.iter().find_map(|event| match event {
            PairingEvent::ShowConfirmation(number) => number.parse::<u8>().ok(),
            _ => None,
        });
        let account = SigningKey::from_bytes(*self.account.expose());
        let device = self.device_mut(told);
        if let (Action::Timeout(_), Some(at)) = (action, device.deadline) {
            device.clock = device.clock.max(at);
        }
        self.tell(told, |pairing, now, rng| match action {
            Action::Timeout(_) => pairing.handle_timeout(now),
            Action::TypeCode => {
                pairing.enter_check_code(now, &digits.expect("the page shows it")).expect("asked for");
            }
            Action::Approve => pairing.approve(now, rng, &account, offering()).expect("asked for"),
            Action::Refuse => pairing.refuse(now),
            Action::Number | Action::NumberWrong => {
                let above = u8::from(action == Action::NumberWrong);
                let typed = format!("{:02}", (number.expect("the phone shows it") + above) % 100);
                pairing.enter_confirmation(now, &typed).expect("asked for");
            }
            Action::No => pairing.stop(now).expect("asked for"),
            Action::Deliver(_)
            | Action::Crash(_)
            | Action::Cut(_)
            | Action::Commit(_)
            | Action::Garbage(_) => {}
        });
    }

    fn deliver(&mut self, role: DeviceRole) {
        let Some(frame) = self.device_mut(role).inbox.pop_front() else { return };
        self.read(role, &frame);
    }

    /// The relay makes up a record.
    fn garbage(&mut self, role: DeviceRole) {
        let frame = RelayFrame::Data { kind: DataKind::RECORD, body: Bytes::from_static(&GARBAGE) };
        self.read(role, &frame.encode());
    }

    fn read(&mut self, role: DeviceRole, frame: &Bytes) {
        frame.hash(&mut self.device_mut(role).told);
        self.tell(role, |pairing, now, rng| {
            pairing.handle_bytes(now, rng, BytesMut::from(&**frame)).expect("a socket is open");
        });
    }

    fn commit(&mut self, role: DeviceRole) {
        let device = self.device_mut(role);
        let Some(commit) = device.open.pop_front() else { return };
        "commit".hash(&mut device.told);
        device.disk.apply(&commit);
        self.tell(role, |pairing, now, _| {
            pairing.committed(now, commit.id()).expect("the oldest open commit");
        });
    }

    fn crash(&mut self, role: DeviceRole) {
        let device = self.device_mut(role);
        "crash".hash(&mut device.told);
        device.pairing = None;
        device.open.clear();
        self.lose_socket(role);
    }

    fn cut(&mut self, role: DeviceRole) {
        "cut".hash(&mut self.device_mut(role).told);
        self.lose_socket(role);
        self.tell(role, |pairing, now, _| pairing.handle_closed(now));
    }

    fn lose_socket(&mut self, role: DeviceRole) {
        let device = self.device_mut(role);
        device.inbox.clear();
        if let Some(socket) = device.socket.take() {
            self.relay.handle_closed(START, socket);
        }
        self.pump_relay();
    }

    /// Calls one method of a device's machine, and carries what it gives out.
    fn tell(&mut self, role: DeviceRole, call: impl FnOnce(&mut Pairing, Timestamp, &mut ChaCha20Rng)) {
        let device = self.device_mut(role);
        let Some(pairing) = &mut device.pairing else { return };
        call(pairing, device.clock, &mut device.rng);
        let (mut sent, mut closing) = (Vec::new(), false);
        device.deadline = loop {
            match pairing.poll_output() {
                Output::Persist(commit) => device.open.push_back(commit),
                Output::Transmit(bytes) => sent.push(bytes),
                Output::Event(Event::Pairing(event)) => device.events.push(event),
                Output::Event(Event::Disconnect) => closing = true,
                // A socket that is lost stays lost: what is stored meets again later.
                Output::Event(_) => {}
                Output::Wait(at) => break at,
                other => panic!("unexpected {other:?}"),
            }
        };
        if let Some(socket) = device.socket {
            for bytes in sent {
                self.relay.handle_frame(START, socket, bytes);
            }
        }
        if closing {
            self.lose_socket(role);
        }
        self.pump_relay();
    }

    fn pump_relay(&mut self) {
        loop {
            match self.relay.poll_output() {
                RelayOutput::Send(to, frame) => {
                    self.relay.transmitted(to, frame.len());
                    for device in [&mut self.phone, &mut self.web] {
                        if device.socket == Some(to) {
                            device.inbox.push_back(frame.clone());
                        }
                    }
                }
                RelayOutput::Close(socket, code) => panic!("the relay closes {socket:?}: {code}"),
                RelayOutput::Wait(_) => return,
            }
        }
    }

    /// What makes two attempts equal.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for device in [&self.phone, &self.web] {
            device.told.finish().hash(&mut hasher);
            device.inbox.hash(&mut hasher);
            device.socket.is_some().hash(&mut hasher);
        }
        hasher.finish()
    }
}

fn offering() -> Offering {
    Offering {
        account_name: "Ada".into(),
        companion: CompanionId::from_bytes([3; 16]),
        serial: 1,
        grants: 1,
        idle_days: 14,
    }
}
