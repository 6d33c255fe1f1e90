//! A phone and a web that pair, what their users do, and scripted peers in their place.

use bytes::Bytes;
use handfast_codec::ids::{CompanionId, MailboxId};
use handfast_codec::qr::QrOffer;
use handfast_codec::{DeviceRole, RelayName, Timestamp};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::phone::GrantedTerms;
use handfast_handshake::pairing::{Claims, mailbox};
use handfast_session::pairing::{KeysInUse, ShownCodes};
use handfast_session::{LinkRows, Pairing, PairingEvent};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{CryptoRng, SeedableRng};

use crate::account::World;
use crate::clock::Clocked as _;
use crate::host::{Bare, Host};
use crate::net::{Net, START};
use crate::raw::Raw;
use crate::relay;

pub const ORIGIN: &str = "https://web.example";

/// One device in the middle of pairing.
pub type Party = Host<Bare<Pairing>>;

/// Both of them.
pub type Couple = Net<Bare<Pairing>>;

pub fn claims() -> Claims {
    Claims { label: "Firefox".into(), origin: ORIGIN.into(), grants: 5 }
}

/// The account's key.
pub fn account() -> SigningKey {
    SigningKey::from_bytes([0x41; 32])
}

/// What the phone's user approves.
pub fn granted_terms() -> GrantedTerms {
    GrantedTerms {
        account_name: "Ada".into(),
        companion: CompanionId::from_bytes([3; 16]),
        serial: 1,
        grants: 1,
        idle_days: 14,
    }
}

/// A web that shows one of these codes, with these claims.
pub fn web(
    claims: Claims,
    codes: &ShownCodes,
    in_use: KeysInUse,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
) -> Party {
    let pairing = Pairing::web(relay::name(), claims, codes, in_use, now, rng).unwrap();
    Host::bare(DeviceRole::Web, pairing, LinkRows::new(), now)
}

/// A phone that has read a code.
pub fn phone(offer: QrOffer, in_use: KeysInUse, now: Timestamp, rng: &mut dyn CryptoRng) -> Party {
    let pairing = Pairing::phone(offer, relay::name(), in_use, now, rng);
    Host::bare(DeviceRole::Phone, pairing, LinkRows::new(), now)
}

impl Party {
    /// The code that is shown, as a phone reads it.
    pub fn offer(&self) -> QrOffer {
        QrOffer::decode(&self.machine.offer_text().unwrap()).unwrap()
    }

    /// Whether rows of a link are stored.
    pub fn has_link(&self) -> bool {
        self.disk.len() > 1
    }

    /// The number that the phone shows.
    pub fn number(&self) -> Option<String> {
        self.pairing_events.iter().find_map(|event| match event {
            PairingEvent::ShowConfirmation(number) => Some(number.clone()),
            _ => None,
        })
    }

    /// The digits that the page shows now.
    pub fn digits(&self) -> Option<String> {
        self.pairing_events.iter().rev().find_map(|event| match event {
            PairingEvent::CheckCode(digits) => Some(digits.clone()),
            _ => None,
        })
    }
}

impl Couple {
    /// A web that shows a code, and a phone that has read it.
    pub fn new(seed: u64) -> Self {
        Self::at_relay_named(seed, relay::NAME)
    }

    /// The same, whose code the page shows beside others.
    pub fn with_codes(seed: u64, codes: &ShownCodes) -> Self {
        Self::begin(seed, relay::NAME, codes, [KeysInUse::none(), KeysInUse::none()])
    }

    /// The same, whose phone and web have these keys of their peers in other links.
    pub fn with_keys_in_use(seed: u64, phone: Vec<[u8; 32]>, web: Vec<[u8; 32]>) -> Self {
        let in_use = [phone, web].map(KeysInUse::from_iter);
        Self::begin(seed, relay::NAME, &ShownCodes::default(), in_use)
    }

    /// The same, at a relay that says this name.
    pub fn at_relay_named(seed: u64, says: &str) -> Self {
        Self::begin(seed, says, &ShownCodes::default(), [KeysInUse::none(), KeysInUse::none()])
    }

    fn begin(seed: u64, says: &str, codes: &ShownCodes, [at_phone, at_web]: [KeysInUse; 2]) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut web = web(claims(), codes, at_web, START, &mut rng);
        web.origin = Some(ORIGIN);
        let phone = phone(web.offer(), at_phone, START, &mut rng);
        Self::at_relay(RelayName::parse(says).unwrap(), phone, web, START, rng)
    }

    /// What a second phone reads off the screen.
    pub fn offer(&self) -> QrOffer {
        self.web.offer()
    }

    /// Ends the transactions that were held back.
    pub fn release(&mut self, role: DeviceRole) {
        let now = self.now;
        self.device(role).release(now);
        self.settle();
    }

    /// Both see each other and the page shows its code. Returns the four digits.
    pub fn scan(&mut self) -> String {
        self.settle();
        assert_eq!(self.phone.pairing_events, [PairingEvent::CheckCodeWanted]);
        match self.web.pairing_events.as_slice() {
            [PairingEvent::CheckCode(digits)] => digits.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The user types the code; the phone asks for approval.
    pub fn type_code(&mut self) {
        let digits = self.scan();
        self.phone.machine.enter_check_code(self.now, &digits).unwrap();
        self.settle();
        assert!(matches!(self.phone.pairing_events.last(), Some(PairingEvent::ApprovalWanted { .. })));
    }

    /// The user approves; the phone shows NN, and the page asks for it.
    pub fn approve(&mut self) {
        self.type_code();
        self.say_yes();
    }

    /// The user, who is asked, approves.
    pub fn say_yes(&mut self) {
        self.phone.machine.approve(self.now, &mut self.rng, &account(), granted_terms()).unwrap();
        self.settle();
    }

    /// The number that the phone shows.
    pub fn number(&self) -> String {
        self.phone.number().expect("the phone shows a number")
    }

    /// The page's user types what the phone shows.
    pub fn type_number(&mut self) {
        let number = self.number();
        self.web.machine.enter_confirmation(self.now, &number).unwrap();
    }

    /// The whole attempt, unless one of both is gone by then.
    pub fn confirm(&mut self) {
        self.approve();
        if self.web.ended().is_none() && !self.web.is_dead() {
            self.type_number();
        }
        self.settle();
    }

    /// Whether both have a link.
    pub fn are_linked(&self) -> bool {
        self.phone.is_linked() && self.web.is_linked()
    }

    /// Opens both stored links as after a start, and runs them until they are live.
    pub fn run_stored(self) -> World {
        let mut world = World::of_rows(self.phone.disk, self.web.disk, self.now, self.rng);
        world.run_until_live();
        world
    }

    /// The phone is gone, and a scripted one sits in its place. Returns which of the scripted peers it is.
    pub fn scripted_phone(&mut self) -> usize {
        self.phone.absent = true;
        self.settle();
        self.add_raw(DeviceRole::Phone, SigningKey::from_bytes([1; 32]))
    }

    /// Starts a scripted peer in the mailbox of the code.
    pub fn add_raw(&mut self, role: DeviceRole, key: SigningKey) -> usize {
        let mailbox = mailbox(&self.offer());
        self.add_raw_in(role, key, mailbox)
    }

    pub fn add_raw_in(&mut self, role: DeviceRole, key: SigningKey, mailbox: MailboxId) -> usize {
        let origin = (role == DeviceRole::Web).then_some(ORIGIN);
        let socket = self.relay.open(self.now, origin, &mut self.rng);
        self.raw.push(Raw::new(role, key, mailbox, socket));
        self.settle();
        self.raw.len() - 1
    }

    /// A scripted peer sends a frame.
    pub fn raw_send(&mut self, at: usize, frame: Bytes) {
        let socket = self.raw[at].socket;
        self.relay.handle_frame(self.now, socket, frame);
        self.settle();
    }

    pub fn raw_close(&mut self, at: usize) {
        let socket = self.raw[at].socket;
        self.relay.handle_closed(self.now, socket);
        self.settle();
    }
}
