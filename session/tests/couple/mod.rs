//! A phone and a web that pair over the relay's real core, with stores in memory and a virtual clock; and a scripted
//! peer that says whatever a test wants.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses a part of it")]

pub(crate) mod raw;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachmentId, BootId, CompanionId, MailboxId};
use handfast_codec::qr::Offer;
use handfast_codec::{DeviceRole, RelayName, Timestamp};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::Claims;
use handfast_handshake::pairing::phone::Offering;
use handfast_session::pairing::{KeysInUse, ShownCodes};
use handfast_session::{Commit, CommitId, Event, Output, Pairing, PairingEvent, Pairs, PairsTxn};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use reference_relay::core::{Fresh, Limits, Output as RelayOutput, Relay, SocketId};

use raw::Raw;

pub(crate) const NAME: &str = "127.0.0.1:8787";
pub(crate) const ORIGIN: &str = "https://web.example";

/// When a device dies: before or after it has stored its n-th commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    Before(usize),
    After(usize),
}

/// One device in the middle of pairing.
#[expect(clippy::struct_excessive_bools, reason = "switches of a test")]
pub(crate) struct Party {
    pub(crate) pairing: Pairing,
    pub(crate) disk: Pairs,
    pub(crate) events: Vec<PairingEvent>,
    pub(crate) crash: Option<Crash>,
    /// Commits are stored and not reported, until they are released.
    pub(crate) hold: bool,
    held: Vec<CommitId>,
    pub(crate) commits: usize,
    /// Dead, or never there.
    pub(crate) absent: bool,
    /// Sockets do not open.
    pub(crate) offline: bool,
    pub(crate) sent: usize,
    socket: Option<SocketId>,
    deadline: Option<Timestamp>,
    wants_socket: bool,
    closing: bool,
}

impl Party {
    fn new(pairing: Pairing, now: Timestamp) -> Self {
        Self {
            pairing,
            disk: Pairs::new(),
            events: Vec::new(),
            crash: None,
            hold: false,
            held: Vec::new(),
            commits: 0,
            absent: false,
            offline: false,
            sent: 0,
            socket: None,
            deadline: Some(now),
            wants_socket: false,
            closing: false,
        }
    }

    /// Why the attempt ended.
    pub(crate) fn ended(&self) -> Option<ErrorCode> {
        self.events.iter().find_map(|event| match event {
            PairingEvent::Ended(code) => Some(*code),
            _ => None,
        })
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.events.iter().any(|event| matches!(event, PairingEvent::Linked(_)))
    }

    /// Whether rows of a link are stored.
    pub(crate) fn has_link(&self) -> bool {
        self.disk.len() > 1
    }

    fn persist(&mut self, now: Timestamp, commit: &Commit) {
        self.commits += 1;
        if self.crash == Some(Crash::Before(self.commits)) {
            self.absent = true;
            return;
        }
        commit.apply(&mut PairsTxn::new(&mut self.disk)).unwrap();
        if self.crash == Some(Crash::After(self.commits)) {
            self.absent = true;
        } else if self.hold {
            self.held.push(commit.id());
        } else {
            self.pairing.committed(now, commit.id()).unwrap();
        }
    }

    fn drain(&mut self, now: Timestamp) -> Vec<Bytes> {
        let mut sent = Vec::new();
        while !self.absent {
            match self.pairing.poll_output() {
                Output::Persist(commit) => self.persist(now, &commit),
                Output::Transmit(bytes) => sent.push(bytes),
                Output::Event(Event::Connect) => self.wants_socket = true,
                Output::Event(Event::Disconnect) => self.closing = true,
                Output::Event(Event::Pairing(event)) => self.events.push(event),
                Output::Wait(at) => {
                    self.deadline = at;
                    return sent;
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        self.deadline = None;
        Vec::new()
    }
}

/// Both devices, the relay, and scripted peers.
pub(crate) struct Couple {
    pub(crate) now: Timestamp,
    pub(crate) relay: Relay,
    pub(crate) phone: Party,
    pub(crate) web: Party,
    pub(crate) raw: Vec<Raw>,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) account: SigningKey,
    /// What the relay gets of each frame that a device sends.
    pub(crate) alter: Box<dyn FnMut(DeviceRole, Bytes) -> Vec<Bytes>>,
    sockets: u64,
}

pub(crate) fn claims() -> Claims {
    Claims { label: "Firefox".into(), origin: ORIGIN.into(), grants: 5 }
}

pub(crate) fn offering() -> Offering {
    Offering {
        account_name: "Ada".into(),
        companion: CompanionId::from_bytes([3; 16]),
        serial: 1,
        grants: 1,
        idle_days: 14,
    }
}

impl Couple {
    /// A web that shows a code, and a phone that has read it.
    pub(crate) fn new(seed: u64) -> Self {
        Self::at_relay(seed, NAME)
    }

    /// The same, whose code the page shows beside others.
    pub(crate) fn with_codes(seed: u64, codes: &ShownCodes) -> Self {
        Self::begin(seed, NAME, codes, [KeysInUse::none(), KeysInUse::none()])
    }

    /// The same, whose phone and web have these keys of their peers in other links.
    pub(crate) fn with_keys_in_use(seed: u64, phone: Vec<[u8; 32]>, web: Vec<[u8; 32]>) -> Self {
        let in_use = [phone, web].map(KeysInUse::from_iter);
        Self::begin(seed, NAME, &ShownCodes::default(), in_use)
    }

    /// The same, at a relay that says this name.
    pub(crate) fn at_relay(seed: u64, says: &str) -> Self {
        Self::begin(seed, says, &ShownCodes::default(), [KeysInUse::none(), KeysInUse::none()])
    }

    fn begin(seed: u64, says: &str, codes: &ShownCodes, [at_phone, at_web]: [KeysInUse; 2]) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let now = Timestamp::from_micros(1_000_000);
        let name = RelayName::parse(NAME).unwrap();
        let web = Pairing::web(name.clone(), claims(), codes, at_web, now, &mut rng).unwrap();
        let offer = Offer::decode(&web.offer_text().unwrap()).unwrap();
        let phone = Pairing::phone(offer, name, at_phone, now, &mut rng);
        let says = RelayName::parse(says).unwrap();
        let relay = Relay::new(says, BootId::from_bytes([7; 16]), Limits::default());
        Self {
            now,
            relay,
            phone: Party::new(phone, now),
            web: Party::new(web, now),
            raw: Vec::new(),
            rng,
            account: SigningKey::from_bytes([0x41; 32]),
            alter: Box::new(|_, frame| vec![frame]),
            sockets: 0,
        }
    }

    /// What a second phone reads off the screen.
    pub(crate) fn offer(&self) -> Offer {
        Offer::decode(&self.web.pairing.offer_text().unwrap()).unwrap()
    }

    pub(crate) fn party(&mut self, role: DeviceRole) -> &mut Party {
        match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.web,
        }
    }

    /// Moves everything that can move now.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let moved = self.pump(DeviceRole::Phone) | self.pump(DeviceRole::Web) | self.pump_relay();
            if !moved {
                return;
            }
        }
        panic!("the couple does not come to rest");
    }

    fn pump(&mut self, role: DeviceRole) -> bool {
        let now = self.now;
        let party = self.party(role);
        if !party.absent && party.deadline.take().is_some_and(|at| at <= now) {
            party.pairing.handle_timeout(now);
        }
        let sent = self.party(role).drain(now);
        let mut moved = !sent.is_empty();
        for frame in sent {
            self.party(role).sent += 1;
            let Some(socket) = self.party(role).socket else { continue };
            for frame in (self.alter)(role, frame) {
                self.relay.handle_frame(now, socket, frame);
            }
        }
        let party = self.party(role);
        if std::mem::take(&mut party.closing) || party.absent {
            if let Some(socket) = party.socket.take() {
                self.relay.handle_closed(now, socket);
                moved = true;
            }
        } else if std::mem::take(&mut party.wants_socket) {
            moved = true;
            if party.offline {
                party.pairing.handle_closed(now);
            } else {
                let socket = self.open(role);
                let party = self.party(role);
                party.socket = Some(socket);
                party.pairing.handle_opened(now);
            }
        }
        moved
    }

    fn open(&mut self, role: DeviceRole) -> SocketId {
        self.sockets += 1;
        let socket = SocketId::new(self.sockets);
        let (mut nonce, mut id) = ([0; 32], [0; 8]);
        self.rng.fill_bytes(&mut nonce);
        self.rng.fill_bytes(&mut id);
        let fresh = Fresh { nonce, id: AttachmentId::from_bytes(id) };
        let origin = (role == DeviceRole::Web).then(|| ORIGIN.to_owned());
        self.relay.handle_open(self.now, socket, [127, 0, 0, 1].into(), origin, fresh).unwrap();
        socket
    }

    fn pump_relay(&mut self) -> bool {
        let mut moved = false;
        loop {
            match self.relay.poll_output() {
                RelayOutput::Send(to, frame) => {
                    moved = true;
                    self.relay.transmitted(to, frame.len());
                    let (now, rng) = (self.now, &mut self.rng);
                    for party in [&mut self.phone, &mut self.web] {
                        if party.socket == Some(to) {
                            party.pairing.handle_bytes(now, rng, BytesMut::from(&*frame)).unwrap();
                        }
                    }
                    let replies = self.raw.iter_mut().filter(|raw| raw.socket == to);
                    let replies: Vec<_> = replies.filter_map(|raw| raw.receive(frame.clone())).collect();
                    for reply in replies {
                        self.relay.handle_frame(now, to, reply);
                    }
                }
                RelayOutput::Close(socket, _) => {
                    moved = true;
                    let now = self.now;
                    for party in [&mut self.phone, &mut self.web] {
                        if party.socket == Some(socket) {
                            party.socket = None;
                            party.pairing.handle_closed(now);
                        }
                    }
                }
                RelayOutput::Wait(_) => return moved,
            }
        }
    }

    /// Lets time pass, doing what is due in between.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now.plus(time);
        self.settle();
        while let Some(at) = self.next_deadline().filter(|at| *at <= end) {
            self.step_to(at);
        }
        self.step_to(end);
    }

    fn next_deadline(&mut self) -> Option<Timestamp> {
        let relay = match self.relay.poll_output() {
            RelayOutput::Wait(at) => at,
            RelayOutput::Send(..) | RelayOutput::Close(..) => panic!("the couple had come to rest"),
        };
        [self.phone.deadline, self.web.deadline, relay].into_iter().flatten().min()
    }

    fn step_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        let now = self.now;
        self.relay.handle_timeout(now);
        for party in [&mut self.phone, &mut self.web] {
            if !party.absent && party.deadline.is_some_and(|at| at <= now) {
                party.pairing.handle_timeout(now);
            }
        }
        self.settle();
    }

    /// Reports the commits that were held back.
    pub(crate) fn release(&mut self, role: DeviceRole) {
        let now = self.now;
        let party = self.party(role);
        party.hold = false;
        for id in std::mem::take(&mut party.held) {
            party.pairing.committed(now, id).unwrap();
        }
        self.settle();
    }

    /// Cuts a device's socket.
    pub(crate) fn cut(&mut self, role: DeviceRole) {
        let now = self.now;
        let party = self.party(role);
        if let Some(socket) = party.socket.take() {
            party.pairing.handle_closed(now);
            self.relay.handle_closed(now, socket);
        }
        self.settle();
    }

    /// Both see each other and the page shows its code. Returns the four digits.
    pub(crate) fn scan(&mut self) -> String {
        self.settle();
        assert_eq!(self.phone.events, [PairingEvent::CheckCodeWanted]);
        match self.web.events.as_slice() {
            [PairingEvent::CheckCode(digits)] => digits.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The user types the code; the phone asks for approval.
    pub(crate) fn type_code(&mut self) {
        let digits = self.scan();
        self.phone.pairing.enter_check_code(self.now, &digits).unwrap();
        self.settle();
        assert!(matches!(self.phone.events.last(), Some(PairingEvent::ApprovalWanted { .. })));
    }

    /// The user approves; the phone shows NN, and the page asks for it.
    pub(crate) fn approve(&mut self) {
        self.type_code();
        self.phone.pairing.approve(self.now, &mut self.rng, &self.account, offering()).unwrap();
        self.settle();
    }

    /// The number that the phone shows.
    pub(crate) fn number(&self) -> String {
        let shown = self.phone.events.iter().find_map(|event| match event {
            PairingEvent::ShowConfirmation(number) => Some(number.clone()),
            _ => None,
        });
        shown.expect("the phone shows a number")
    }

    /// The page's user types what the phone shows.
    pub(crate) fn type_number(&mut self) {
        let number = self.number();
        self.web.pairing.enter_confirmation(self.now, &number).unwrap();
    }

    /// The whole attempt, unless one of both is gone by then.
    pub(crate) fn confirm(&mut self) {
        self.approve();
        if self.web.ended().is_none() && !self.web.absent {
            self.type_number();
        }
        self.settle();
    }

    /// Exchanges the phone's socket, so that another machine may stand in its place for a while.
    pub(crate) fn swap_phone_socket(&mut self, socket: Option<SocketId>) -> Option<SocketId> {
        std::mem::replace(&mut self.phone.socket, socket)
    }

    /// Starts a scripted peer in the mailbox of the code.
    pub(crate) fn add_raw(&mut self, role: DeviceRole, key: SigningKey) -> usize {
        let mailbox = handfast_handshake::pairing::mailbox(&self.offer());
        self.add_raw_in(role, key, mailbox)
    }

    pub(crate) fn add_raw_in(&mut self, role: DeviceRole, key: SigningKey, mailbox: MailboxId) -> usize {
        let socket = self.open(role);
        self.raw.push(Raw::new(role, key, mailbox, socket));
        self.settle();
        self.raw.len() - 1
    }

    /// The relay itself sends a device something, if that has a socket.
    pub(crate) fn relay_says(&mut self, role: DeviceRole, frame: &[u8]) {
        let (now, rng) = (self.now, &mut self.rng);
        let (phone, web) = (&mut self.phone, &mut self.web);
        let party = if role == DeviceRole::Phone { phone } else { web };
        if party.socket.is_some() {
            party.pairing.handle_bytes(now, rng, BytesMut::from(frame)).unwrap();
        }
        self.settle();
    }

    /// A scripted peer sends a frame.
    pub(crate) fn raw_send(&mut self, at: usize, frame: Bytes) {
        let socket = self.raw[at].socket;
        self.relay.handle_frame(self.now, socket, frame);
        self.settle();
    }

    pub(crate) fn raw_close(&mut self, at: usize) {
        let socket = self.raw[at].socket;
        self.relay.handle_closed(self.now, socket);
        self.settle();
    }
}
