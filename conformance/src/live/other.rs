//! The runner's other end: the reference's machines as the peer of the program under test, with the rows of the link in
//! memory and the application of `account`.

use std::time::Instant;

use anyhow::{Result, anyhow};
use bytes::{Bytes, BytesMut};
use handfast_codec::Timestamp;
use handfast_codec::ids::{CommandKey, CompanionId, LogId, Signature};
use handfast_codec::link::LinkFrame;
use handfast_codec::qr::QrOffer;
use handfast_codec::role::DeviceRole;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::Claims;
use handfast_handshake::pairing::phone::GrantedTerms;
use handfast_session::pairing::{KeysInUse, ShownCodes};
use handfast_session::resume::Verdict;
use handfast_session::testing::AnyEndpoint;
use handfast_session::{
    Commit, Event, LinkRows, LinkRowsTxn, Message, Output, Pairing, PairingEvent, PairingOutput, SyncEvent,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

use super::account::Account;
use super::client::fresh;
use super::hub::Hub;
use super::upload::Upload;
use crate::fields::hex;
use crate::seed;
use crate::shim::told_of_pairing;

/// What the runner's end is at: the machine of a code, or of the link that came of it.
enum Machine {
    Code(Box<Pairing>),
    Link(Box<AnyEndpoint>),
}

/// The peer of the program.
pub(super) struct Other {
    role: DeviceRole,
    machine: Option<Machine>,
    pairs: LinkRows,
    rng: ChaCha20Rng,
    start: Instant,
    /// Its socket at the hub.
    socket: Option<u64>,
    due: Option<Timestamp>,
    key: SigningKey,
    log: LogId,
    account: Account,
    /// As the web: the put that runs.
    upload: Option<Upload>,
    /// What its application was told, and its user shown.
    pub(super) told: Vec<String>,
}

impl Other {
    /// A peer without a link.
    pub(super) fn new(case: &str, role: DeviceRole) -> Self {
        let run = fresh(case);
        let drawn = |name: &str| seed::bytes::<32>(case, name, &hex(run));
        let log = fresh(case);
        Self {
            role,
            machine: None,
            pairs: LinkRows::new(),
            rng: ChaCha20Rng::from_seed(drawn("other")),
            start: Instant::now(),
            socket: None,
            due: None,
            key: SigningKey::from_bytes(drawn("account")),
            log: LogId::from_bytes(log),
            account: Account::new(role),
            upload: None,
            told: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        let micros = self.start.elapsed().as_micros();
        Timestamp::from_micros(1_000_000 + u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// As the web: shows a new code, and returns its text.
    pub(super) fn show(&mut self, hub: &mut Hub) -> Result<String> {
        self.pairs = LinkRows::new();
        let claims = Claims { label: "Runner".to_owned(), origin: String::new(), grants: 7 };
        let now = self.now();
        let pairing = Pairing::web(
            hub.name.clone(),
            claims,
            &ShownCodes::default(),
            KeysInUse::none(),
            now,
            &mut self.rng,
        )?;
        let text = pairing.offer_text().ok_or_else(|| anyhow!("a new code has a text"))?.to_string();
        self.begin(hub, Machine::Code(Box::new(pairing)));
        Ok(text)
    }

    /// As the phone: scans a code.
    pub(super) fn scan(&mut self, hub: &mut Hub, text: &str) -> Result<()> {
        self.pairs = LinkRows::new();
        let offer = QrOffer::decode(text)?;
        let pairing = Pairing::phone(offer, hub.name.clone(), KeysInUse::none(), self.now(), &mut self.rng);
        self.begin(hub, Machine::Code(Box::new(pairing)));
        Ok(())
    }

    /// Goes on with another machine, and drops the one before with its socket.
    fn begin(&mut self, hub: &mut Hub, machine: Machine) {
        if let Some(socket) = self.socket.take() {
            hub.close(socket);
        }
        self.machine = Some(machine);
        self.due = Some(self.now());
    }

    /// As the phone: its user types the check code.
    pub(super) fn type_code(&mut self, digits: &str) -> Result<()> {
        let now = self.now();
        Ok(self.code()?.enter_check_code(now, digits)?)
    }

    /// As the phone: its user approves.
    pub(super) fn approve(&mut self) -> Result<()> {
        let now = self.now();
        let granted = GrantedTerms {
            account_name: "Runner".to_owned(),
            companion: CompanionId::from_bytes(fresh("companion")),
            serial: 1,
            grants: 7,
            idle_days: 14,
        };
        let Some(Machine::Code(pairing)) = &mut self.machine else { return Err(anyhow!("there is no code")) };
        Ok(pairing.approve(now, &mut self.rng, &self.key, granted)?)
    }

    /// As the web: its user types the number that the phone shows, or says that it shows none.
    pub(super) fn number(&mut self, digits: Option<&str>) -> Result<()> {
        let now = self.now();
        let code = self.code()?;
        Ok(match digits {
            Some(digits) => code.enter_confirmation(now, digits),
            None => code.stop(now),
        }?)
    }

    /// As the web: accepts with a signature of nobody.
    pub(super) fn forge_accept(&mut self) -> Result<()> {
        self.code()?.inject(&LinkFrame::Accept { signature: Signature::from_bytes([1; 64]) });
        Ok(())
    }

    fn code(&mut self) -> Result<&mut Pairing> {
        match &mut self.machine {
            Some(Machine::Code(pairing)) => Ok(pairing),
            _ => Err(anyhow!("there is no code")),
        }
    }

    /// Says a text in a chat: as the web by a command, as the phone by a new row.
    pub(super) fn say(&mut self, chat: u64, text: &str) -> Result<()> {
        let now = self.now();
        let Some(Machine::Link(endpoint)) = &mut self.machine else {
            return Err(anyhow!("there is no link"));
        };
        match endpoint.as_mut() {
            AnyEndpoint::Phone(endpoint) => {
                let rev = self.account.receive(chat, text);
                endpoint.set_log_head(now, rev);
            }
            AnyEndpoint::Companion(endpoint) => {
                let mut key = [0; 16];
                self.rng.fill_bytes(&mut key);
                let sent = endpoint.send(now, CommandKey::from_bytes(key), &Account::command(chat, text))?;
                self.commit(now, sent)?;
            }
        }
        Ok(())
    }

    /// As the web: puts content at the phone.
    pub(super) fn put(&mut self, content: Bytes) -> Result<()> {
        let now = self.now();
        let Some(Machine::Link(endpoint)) = &mut self.machine else {
            return Err(anyhow!("there is no link"));
        };
        let (upload, commit) = Upload::open(now, endpoint.companion(), content)?;
        self.upload = Some(upload);
        self.commit(now, commit)
    }

    /// Seals this plaintext under the keys of the connection, and sends it. Returns whether there is one.
    pub(super) fn inject(&mut self, record: BytesMut) -> Result<bool> {
        match &mut self.machine {
            Some(Machine::Link(endpoint)) => Ok(endpoint.inject(record)),
            _ => Err(anyhow!("there is no link")),
        }
    }

    /// A chat that both have.
    pub(super) fn chat(&self) -> Option<u64> {
        self.account.chats().first().copied()
    }

    fn commit(&mut self, now: Timestamp, commit: Commit) -> Result<()> {
        commit
            .apply(&mut LinkRowsTxn::new(&mut self.pairs))
            .map_err(|error| anyhow!("a commit: {error:?}"))?;
        match &mut self.machine {
            Some(Machine::Code(pairing)) => pairing.committed(now, commit)?,
            Some(Machine::Link(endpoint)) => endpoint.committed(now, commit)?,
            None => {}
        }
        Ok(())
    }

    /// Moves what can move. Returns whether anything did.
    pub(super) fn pump(&mut self, hub: &mut Hub) -> Result<bool> {
        let mut any = false;
        if self.socket.is_some_and(|socket| !hub.is_open(socket)) {
            self.socket = None;
            self.closed();
            any = true;
        }
        while let Some(frame) = self.socket.and_then(|socket| hub.next_for(socket)) {
            any = true;
            let (now, frame) = (self.now(), BytesMut::from(frame.as_ref()));
            // A machine that has closed its socket says so: the rest of it is nobody's.
            let _ = match &mut self.machine {
                Some(Machine::Code(pairing)) => pairing.handle_bytes(now, &mut self.rng, frame),
                Some(Machine::Link(endpoint)) => endpoint.handle_bytes(now, &mut self.rng, frame),
                None => Ok(()),
            };
            self.drain(hub)?;
        }
        if self.due.is_some_and(|due| due <= self.now()) {
            any = true;
            let now = self.now();
            match &mut self.machine {
                Some(Machine::Code(pairing)) => pairing.handle_timeout(now),
                Some(Machine::Link(endpoint)) => endpoint.handle_timeout(now, &mut self.rng),
                None => {}
            }
        }
        self.drain(hub)?;
        Ok(any)
    }

    fn closed(&mut self) {
        let now = self.now();
        match &mut self.machine {
            Some(Machine::Code(pairing)) => pairing.handle_closed(now),
            Some(Machine::Link(endpoint)) => endpoint.handle_closed(now, &mut self.rng),
            None => {}
        }
    }

    fn drain(&mut self, hub: &mut Hub) -> Result<()> {
        loop {
            let now = self.now();
            let endpoint = match &mut self.machine {
                Some(Machine::Code(pairing)) => {
                    let output = pairing.poll_output();
                    if self.take_pairing_output(now, hub, output)? {
                        return Ok(());
                    }
                    continue;
                }
                Some(Machine::Link(endpoint)) => endpoint,
                None => return Ok(()),
            };
            match endpoint.poll_output() {
                Output::Persist(commit) => self.commit(now, commit)?,
                Output::Deliver { message, commit } => {
                    self.commit(now, commit)?;
                    self.deliver(now, message)?;
                }
                Output::Transmit(bytes) => self.transmit(now, hub, bytes),
                Output::Event(event) => self.event(now, hub, &event)?,
                Output::Wait(due) => {
                    self.due = due;
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// Does what a pairing asks for. Returns whether it has nothing more to say.
    fn take_pairing_output(&mut self, now: Timestamp, hub: &mut Hub, output: PairingOutput) -> Result<bool> {
        match output {
            PairingOutput::Persist(commit) => self.commit(now, commit)?,
            PairingOutput::Transmit(bytes) => self.transmit(now, hub, bytes),
            PairingOutput::Connect => self.event(now, hub, &Event::Connect)?,
            PairingOutput::Disconnect => self.event(now, hub, &Event::Disconnect)?,
            PairingOutput::Event(event) => {
                // A link that was stored before the attempt was lost is tried.
                let has_link = match event {
                    PairingEvent::Linked(_) => true,
                    PairingEvent::Ended(_) => self.pairs.len() > 1,
                    _ => false,
                };
                self.told.extend(told_of_pairing(event));
                if has_link {
                    self.begin_link(now, hub)?;
                }
            }
            PairingOutput::Wait(due) => {
                self.due = due;
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }

    /// The pairing has ended in a link: goes on with that.
    fn begin_link(&mut self, now: Timestamp, hub: &mut Hub) -> Result<()> {
        let mut endpoint = AnyEndpoint::load(self.role, &self.pairs, self.log, now, &mut self.rng)?;
        if let AnyEndpoint::Phone(endpoint) = &mut endpoint {
            endpoint.set_log_head(now, self.account.rev());
        }
        self.begin(hub, Machine::Link(Box::new(endpoint)));
        Ok(())
    }

    fn transmit(&mut self, now: Timestamp, hub: &mut Hub, bytes: Bytes) {
        if let Some(Machine::Link(endpoint)) = &mut self.machine {
            endpoint.transmitted(now, bytes.len());
        }
        if let Some(socket) = self.socket {
            hub.take(socket, bytes);
        }
    }

    fn deliver(&mut self, now: Timestamp, message: Message) -> Result<()> {
        let Some(Machine::Link(endpoint)) = &mut self.machine else { return Ok(()) };
        match message {
            Message::Command { key, body } => {
                let (result, said, rev) = self.account.run(&body);
                self.told.extend(said);
                let commit = endpoint.phone().answer(now, key, &result, Account::repeat(&body))?;
                endpoint.phone().set_log_head(now, rev);
                self.commit(now, commit)?;
            }
            Message::Result { key, .. } => self.told.push(format!("result {}", hex(key))),
            Message::Delta { collection, items, .. } => {
                for items in items {
                    self.told.extend(self.account.rows(&collection, items.iter()));
                }
                self.account.follow(|collection| endpoint.companion().subscribe(now, collection).is_ok());
            }
            Message::Page { collection, first, items, .. } => {
                if first {
                    self.account.forget(&collection);
                }
                self.told.extend(self.account.rows(&collection, items.iter()));
                self.account.follow(|collection| endpoint.companion().subscribe(now, collection).is_ok());
            }
            _ => {}
        }
        Ok(())
    }

    fn event(&mut self, now: Timestamp, hub: &mut Hub, event: &Event) -> Result<()> {
        match event {
            Event::Connect => {
                self.socket = Some(hub.open());
                match &mut self.machine {
                    Some(Machine::Code(pairing)) => pairing.handle_opened(now),
                    Some(Machine::Link(endpoint)) => endpoint.handle_opened(now, &mut self.rng),
                    None => {}
                }
            }
            Event::Disconnect => {
                if let Some(socket) = self.socket.take() {
                    hub.close(socket);
                }
            }
            Event::Connected { verdict } => {
                let verdict = if *verdict == Verdict::Resume { "RESUME" } else { "RESET" };
                self.told.push(format!("connected {verdict}"));
                if let Some(Machine::Link(endpoint)) = &mut self.machine
                    && let AnyEndpoint::Companion(endpoint) = endpoint.as_mut()
                {
                    self.account.begin();
                    self.account.follow(|collection| endpoint.subscribe(now, collection).is_ok());
                }
            }
            Event::Sync(SyncEvent::DeltaWanted { collection, after, .. }) => {
                let (rev, items) = self.account.above(collection, *after);
                if let Some(Machine::Link(endpoint)) = &mut self.machine {
                    endpoint.phone().provide_delta(now, collection, rev, &items)?;
                }
            }
            Event::Sync(SyncEvent::PageWanted { collection, .. }) => {
                let (rev, items) = self.account.above(collection, 0);
                if let Some(Machine::Link(endpoint)) = &mut self.machine {
                    endpoint.phone().provide_page(
                        now,
                        collection,
                        rev,
                        handfast_codec::frame::PageCursor::default(),
                        &items,
                    )?;
                }
            }
            Event::Sync(SyncEvent::DigestWanted { collection }) => {
                let digest = self.account.digest(collection);
                if let Some(Machine::Link(endpoint)) = &mut self.machine {
                    endpoint.provide_digest(now, collection, self.account.rev(), digest)?;
                }
            }
            Event::Stream(event) => {
                if let (Some(upload), Some(Machine::Link(endpoint))) = (&mut self.upload, &mut self.machine) {
                    self.told.extend(upload.handle(now, endpoint.companion(), event)?);
                }
            }
            Event::Failed(code) => self.told.push(format!("failed {}", code.name())),
            Event::Closed(code) => self.told.push(format!("closed {}", code.name())),
            Event::Diverged => self.told.push("diverged".to_owned()),
            Event::Sync(SyncEvent::ResyncFailed { .. }) => self.told.push("rows differ".to_owned()),
            _ => {}
        }
        Ok(())
    }
}
