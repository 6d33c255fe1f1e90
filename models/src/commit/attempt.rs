//! One attempt, made of the two real machines and the relay's real core.
//!
//! Each device has a clock and a generator of its own, so that it is a function of what it was told, in that order;
//! that, and what the relay holds for it, is what makes two states equal.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::{Bytes, BytesMut};
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::{DeviceRole, Timestamp};
use handfast_handshake::pairing::Claims;
use handfast_session::pairing::{KeysInUse, ShownCodes};
use handfast_session::{Pairing, PairingEvent};
use handfast_testkit::net::START;
use handfast_testkit::pairing::{Party, account, granted_terms, phone, web};
use handfast_testkit::relay::{self, Hub, Said, SocketId};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Action;

/// A record that no key of the attempt opens, of a size that is allowed.
const GARBAGE: [u8; 144] = [0x55; 144];

/// One device, whose transactions end when the search says so.
pub(super) struct Device {
    pub(super) party: Party,
    /// What the relay has sent and the device has not read.
    inbox: VecDeque<Bytes>,
    clock: Timestamp,
    rng: ChaCha20Rng,
    /// All that it was told.
    told: DefaultHasher,
}

/// The attempt.
pub(super) struct Attempt {
    pub(super) phone: Device,
    pub(super) web: Device,
    relay: Hub,
}

impl Device {
    fn new(mut party: Party, rng: ChaCha20Rng) -> Self {
        party.hold = true;
        Self { party, inbox: VecDeque::new(), clock: START, rng, told: DefaultHasher::new() }
    }

    /// Whether the attempt is over here, and everything that it gave out is stored or lost.
    pub(super) fn is_over(&self) -> bool {
        !self.runs() && !self.party.has_open_commit()
    }

    /// What the user is asked now.
    pub(super) fn asked(&self) -> Option<&PairingEvent> {
        self.party.pairing_events.last().filter(|_| self.runs())
    }

    pub(super) fn inbox_len(&self) -> usize {
        self.inbox.len()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.party.socket.is_some()
    }

    pub(super) fn runs(&self) -> bool {
        !self.party.absent && !self.party.machine.is_over()
    }
}

impl Attempt {
    /// Both devices sit in the mailbox of the code, and message 1 is on its way.
    pub(super) fn begun() -> Self {
        let mut web_rng = ChaCha20Rng::seed_from_u64(1);
        let mut phone_rng = ChaCha20Rng::seed_from_u64(2);
        let claims = Claims { label: "Firefox".into(), origin: String::new(), grants: 1 };
        let web = web(claims, &ShownCodes::default(), KeysInUse::none(), START, &mut web_rng);
        let phone = phone(web.offer(), KeysInUse::none(), START, &mut phone_rng);
        let mut attempt = Self {
            phone: Device::new(phone, phone_rng),
            web: Device::new(web, web_rng),
            relay: Hub::new(relay::name()),
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
            (!matches!(frame, RelayFrame::Data { .. })).then_some(device.party.role)
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

    fn connect(&mut self, role: DeviceRole, seed: u64) {
        // The wish for a socket.
        self.tell(role, |pairing, now, _| pairing.handle_timeout(now));
        // What the relay draws is no device's.
        let socket = self.relay.open(START, None, &mut ChaCha20Rng::seed_from_u64(seed));
        self.device_mut(role).party.socket = Some(socket);
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
        let digits = self.web.party.digits();
        let number = self.phone.party.number().and_then(|number| number.parse::<u8>().ok());
        let device = self.device_mut(told);
        if let (Action::Timeout(_), Some(at)) = (action, device.party.deadline) {
            device.clock = device.clock.max(at);
        }
        self.tell(told, |pairing, now, rng| match action {
            Action::Timeout(_) => pairing.handle_timeout(now),
            Action::TypeCode => {
                pairing.enter_check_code(now, &digits.expect("the page shows it")).expect("asked for");
            }
            Action::Approve => pairing.approve(now, rng, &account(), granted_terms()).expect("asked for"),
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
        if device.party.store_next(device.clock) {
            "commit".hash(&mut device.told);
            self.tell(role, |_, _, _| {});
        }
    }

    fn crash(&mut self, role: DeviceRole) {
        let device = self.device_mut(role);
        "crash".hash(&mut device.told);
        let socket = device.party.die();
        self.lose_socket(role, socket);
    }

    fn cut(&mut self, role: DeviceRole) {
        let device = self.device_mut(role);
        "cut".hash(&mut device.told);
        let socket = device.party.socket.take();
        self.lose_socket(role, socket);
        self.tell(role, |pairing, now, _| pairing.handle_closed(now));
    }

    fn lose_socket(&mut self, role: DeviceRole, socket: Option<SocketId>) {
        self.device_mut(role).inbox.clear();
        if let Some(socket) = socket {
            self.relay.handle_closed(START, socket);
        }
        self.pump_relay();
    }

    /// Calls one method of a device's machine, and carries what it gives out.
    fn tell(&mut self, role: DeviceRole, call: impl FnOnce(&mut Pairing, Timestamp, &mut ChaCha20Rng)) {
        let device = self.device_mut(role);
        if device.party.absent {
            return;
        }
        call(&mut device.party.machine, device.clock, &mut device.rng);
        let sent = device.party.drain_up_to(device.clock, usize::MAX);
        let closing = device.party.take_closing();
        // A socket that is lost stays lost: what is stored meets again later.
        if let Some(socket) = closing.or(device.party.socket) {
            for bytes in sent {
                self.relay.handle_frame(START, socket, bytes);
            }
        }
        if closing.is_some() {
            self.lose_socket(role, closing);
        }
        self.pump_relay();
    }

    fn pump_relay(&mut self) {
        while let Some(said) = self.relay.take() {
            let Said::Frame(to, frame) = said else { panic!("the relay closes a socket: {said:?}") };
            for device in [&mut self.phone, &mut self.web] {
                if device.party.socket == Some(to) {
                    device.inbox.push_back(frame.clone());
                }
            }
        }
    }

    /// What makes two attempts equal.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for device in [&self.phone, &self.web] {
            device.told.finish().hash(&mut hasher);
            device.inbox.hash(&mut hasher);
            device.is_connected().hash(&mut hasher);
        }
        hasher.finish()
    }
}
