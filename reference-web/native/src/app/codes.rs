//! Codes: a new one every 30 s while nobody scans, the one before stays valid for as long (spec, qr and handshake).

use std::time::Duration;

use handfast::codec::ids::MailboxId;
use handfast::handshake::pairing::Claims;
use handfast::session::pairing::{KeysInUse, ShownCodes};
use handfast::session::{CommitId, Event, Output, Pairing, PairingEvent};
use handfast::{ErrorCode, Timestamp};
use handfast_messages::grants;
use rand_core::CryptoRng;

use super::{App, AppEvent, AppOutput, Link, Owner, SocketTag, VerbError};
use crate::store::{LinkRowState, StoreError};

/// How long a code is shown.
pub const CODE_SHOWN: Duration = Duration::from_secs(30);
/// How many codes are valid at once.
const CODES_MAX: usize = 2;

/// One code and its pairing attempt.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) number: u64,
    pub(super) pairing: Pairing,
    pub(super) socket: Option<SocketTag>,
    pub(super) deadline: Option<Timestamp>,
    /// Commits of the open transaction, to be reported once it is durable.
    applied: Vec<CommitId>,
    /// How many commits were stored.
    stored: u32,
    /// The link, once something of it is stored.
    link: Option<MailboxId>,
    /// How the attempt ended.
    over: Option<Result<(), ErrorCode>>,
}

impl App {
    /// Shows codes until a phone is linked. None is shown while a link waits for the phone's word.
    ///
    /// # Errors
    ///
    /// [`VerbError::Linked`] when this companion is linked, [`VerbError::Resting`].
    pub fn pair(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), VerbError> {
        if self.rest.is_on() {
            return Err(VerbError::Resting);
        }
        if self.is_pending() {
            // Its user knows, and asks for another code, or waits for the phone's word.
            return Ok(());
        }
        if self.link.is_some() {
            return Err(VerbError::Linked);
        }
        if self.codes.is_empty() {
            // What answered for an earlier link or attempt keeps no code from being shown that the user asks for now.
            self.shown_codes = ShownCodes::default();
        }
        self.next_code = Some(now);
        self.rotate(now, rng);
        Ok(())
    }

    /// The user asks for another code after an attempt that ended without a link. One that the phone has not confirmed is dropped.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`] while a code is shown or an attempt goes on, and as [`App::pair`].
    pub fn new_code(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), VerbError> {
        if !self.codes.is_empty() {
            return Err(VerbError::NotAsked);
        }
        // req: HSK-166
        if self.is_pending() {
            let dropped = self.forget_link();
            self.whole(dropped)?;
        }
        // req: HSK-100
        self.pair(now, rng)
    }

    /// The user typed the number that the phone shows. There is no second try.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`].
    pub fn enter_number(&mut self, now: Timestamp, digits: &str) -> Result<(), VerbError> {
        // req: HSK-102
        let asked = self.codes.iter_mut().find_map(|code| code.pairing.enter_confirmation(now, digits).ok());
        asked.ok_or(VerbError::NotAsked)
    }

    /// The user says that the phone asks for no digits or shows none, or stops for another reason.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`].
    pub fn stop_pairing(&mut self, now: Timestamp) -> Result<(), VerbError> {
        // req: HSK-104
        let asked = self.codes.iter_mut().find_map(|code| code.pairing.stop(now).ok());
        asked.ok_or(VerbError::NotAsked)
    }

    /// When another code is due; not while a phone has scanned one.
    pub(super) fn rotation_due(&self) -> Option<Timestamp> {
        let next = self.next_code.filter(|_| !self.rest.is_on());
        next.filter(|_| !self.codes.iter().any(|code| code.pairing.is_frozen()))
    }

    /// Shows another code when it is time. A code that a phone has scanned stays.
    pub(super) fn rotate(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        if self.rotation_due().is_none_or(|at| now < at) {
            return;
        }
        self.next_code = Some(now.plus(CODE_SHOWN));
        while self.codes.len() >= CODES_MAX {
            let old = self.codes.remove(0);
            self.disconnect(old.socket);
        }
        let claims = Claims { label: self.label.clone(), origin: String::new(), grants: grants::ALL };
        // Codes are shown only while this companion has no link, and what it had is deleted.
        let in_use = KeysInUse::none();
        // The relay's name and the label were checked when the program started.
        let Ok(pairing) = Pairing::web(self.relay.clone(), claims, &self.shown_codes, in_use, now, rng)
        else {
            return;
        };
        let text = pairing.offer_text().map(|text| text.as_str().to_owned()).unwrap_or_default();
        self.code_count = self.code_count.saturating_add(1);
        self.codes.push(Code {
            number: self.code_count,
            pairing,
            socket: None,
            deadline: Some(now),
            applied: Vec::new(),
            stored: 0,
            link: None,
            over: None,
        });
        self.event(AppEvent::Code { text });
    }

    /// Drains the attempts. Returns whether anything happened.
    pub(super) fn pump_codes(&mut self) -> Result<bool, StoreError> {
        let mut moved = false;
        let numbers: Vec<u64> = self.codes.iter().map(|code| code.number).collect();
        for number in numbers {
            while self.pump_code(number)? {
                moved = true;
            }
        }
        Ok(moved)
    }

    fn pump_code(&mut self, number: u64) -> Result<bool, StoreError> {
        let Some(code) = self.code_mut(number) else { return Ok(false) };
        match code.pairing.poll_output() {
            Output::Persist(commit) => {
                code.applied.push(commit.id());
                if code.link.is_none() {
                    code.link = Some(commit.link());
                    if let Some(terms) = code.pairing.terms().cloned() {
                        self.store.forget_links_but(terms.mailbox)?;
                        self.store.put_link(&terms)?;
                    }
                }
                self.store.apply(&commit)?;
            }
            Output::Transmit(bytes) => {
                let socket = code.socket;
                self.out.extend(socket.map(|socket| AppOutput::Transmit { socket, bytes }));
            }
            Output::Event(Event::Connect) => {
                let relay = code.pairing.relay().clone();
                let socket = self.connect(Owner::Code(number), relay);
                if let Some(code) = self.code_mut(number) {
                    code.socket = Some(socket);
                }
            }
            Output::Event(Event::Disconnect) => {
                let socket = code.socket.take();
                self.disconnect(socket);
            }
            Output::Event(Event::Pairing(event)) => self.on_pairing_event(number, event)?,
            Output::Wait(at) => {
                code.deadline = at;
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    fn on_pairing_event(&mut self, number: u64, event: PairingEvent) -> Result<(), StoreError> {
        match event {
            PairingEvent::CheckCode(digits) => {
                // The other code is given up: one phone at a time.
                let others: Vec<_> =
                    self.codes.iter().filter(|c| c.number != number).map(|c| c.socket).collect();
                self.codes.retain(|code| code.number == number);
                for socket in others {
                    self.disconnect(socket);
                }
                self.event(AppEvent::CheckCode(digits));
            }
            PairingEvent::ConfirmationWanted { account_name, .. } => {
                self.event(AppEvent::NumberWanted { account: account_name });
            }
            PairingEvent::Linked(link) => {
                self.store.set_link_state(link, LinkRowState::Active)?;
                self.code_mut(number).into_iter().for_each(|code| code.over = Some(Ok(())));
            }
            PairingEvent::Ended(reason) => {
                self.code_mut(number).into_iter().for_each(|code| code.over = Some(Err(reason)));
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells the attempts that the transaction is durable.
    pub(super) fn report_codes(&mut self, now: Timestamp) {
        for code in &mut self.codes {
            for commit in code.applied.drain(..) {
                code.stored = code.stored.saturating_add(1);
                if code.stored == 1 {
                    handfast_programs::kill_point!("web.pairing_pending");
                }
                if code.stored > 1 {
                    handfast_programs::kill_point!("web.pairing_linked");
                }
                // Reported once each and in order: it cannot be refused.
                let _ = code.pairing.committed(now, commit);
            }
        }
    }

    /// Once an attempt is over and durable: its link is opened, or another code shown if no phone was answered.
    pub(super) fn end_codes(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let Some(at) = self.codes.iter().position(|code| code.over.is_some()) else { return Ok(()) };
        let code = self.codes.remove(at);
        self.disconnect(code.socket);
        // req: HSK-100
        let asks = self.shown_codes.is_answered();
        if code.link.is_some() {
            // A link that is stored as PENDING comes to life by itself if the phone has accepted it; one that the phone
            // closed is gone.
            self.load_link(now, rng)?;
        }
        let linked = self.link.as_ref().is_some_and(Link::is_confirmed);
        if let Some(Err(reason)) = code.over
            && !linked
        {
            self.event(AppEvent::CodeBurnt { code: reason, asks: asks && self.link.is_none() });
        }
        if self.link.is_some() {
            // Whoever confirmed it, the user is told in the next pass of this round.
            self.next_code = None;
        } else {
            self.next_code = (!asks).then_some(now);
            self.rotate(now, rng);
        }
        Ok(())
    }

    /// Says that this companion is linked.
    pub(super) fn tell_linked(&mut self) -> Result<(), StoreError> {
        if let Some(row) = self.store.link()? {
            self.event(AppEvent::Linked { companion: row.companion, account: row.account_name });
        }
        Ok(())
    }
}
