//! Codes: a new one every 30 s while nobody scans, the one before stays valid for as long (spec, qr and handshake).

use std::time::Duration;

use handfast::codec::ids::MailboxId;
use handfast::handshake::pairing::Claims;
use handfast::host;
use handfast::session::pairing::{KeysInUse, ShownCodes};
use handfast::session::{Pairing, PairingEvent};
use handfast::{ErrorCode, Timestamp};
use handfast_messages::grants;
use rand_core::CryptoRng;

use super::link::is_confirmed;
use super::{App, AppEvent, VerbError};
use crate::store::{LinkRowState, StoreError};

/// How long a code is shown.
pub const CODE_SHOWN: Duration = Duration::from_secs(30);
/// How many codes are valid at once.
const CODES_MAX: usize = 2;

/// One code and its pairing attempt.
pub(super) type Code = host::Attempt<CodeData>;

/// What the companion keeps for a code.
#[derive(Debug, Default)]
#[expect(unnameable_types, reason = "the host alone asks for it")]
pub struct CodeData {
    /// The link, once something of it is stored.
    link: Option<MailboxId>,
}

impl App {
    /// Shows codes until a phone is linked. None is shown while a link waits for the phone's word.
    ///
    /// # Errors
    ///
    /// [`VerbError::Linked`] when this companion is linked, [`VerbError::Resting`].
    pub fn pair(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), VerbError> {
        if self.host.backoff().is_on() {
            return Err(VerbError::Resting);
        }
        if self.is_pending() {
            // Its user knows, and asks for another code, or waits for the phone's word.
            return Ok(());
        }
        if self.link().is_some() {
            return Err(VerbError::Linked);
        }
        if self.host.attempts().next().is_none() {
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
        if self.host.attempts().next().is_some() {
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
        let asked =
            self.host.attempts_mut().find_map(|code| code.pairing.enter_confirmation(now, digits).ok());
        asked.ok_or(VerbError::NotAsked)
    }

    /// The user says that the phone asks for no digits or shows none, or stops for another reason.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`].
    pub fn stop_pairing(&mut self, now: Timestamp) -> Result<(), VerbError> {
        // req: HSK-104
        let asked = self.host.attempts_mut().find_map(|code| code.pairing.stop(now).ok());
        asked.ok_or(VerbError::NotAsked)
    }

    /// When another code is due; not while a phone has scanned one.
    pub(super) fn rotation_due(&self) -> Option<Timestamp> {
        let next = self.next_code.filter(|_| !self.host.backoff().is_on());
        next.filter(|_| !self.host.attempts().any(|code| code.pairing.is_frozen()))
    }

    /// Shows another code when it is time. A code that a phone has scanned stays.
    pub(super) fn rotate(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        if self.rotation_due().is_none_or(|at| now < at) {
            return;
        }
        self.next_code = Some(now.plus(CODE_SHOWN));
        let shown: Vec<_> = self.host.attempts().map(Code::id).collect();
        for old in shown.iter().rev().skip(CODES_MAX - 1) {
            drop(self.host.remove_attempt(*old));
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
        let _ = self.host.add_attempt(now, pairing, CodeData::default());
        self.event(AppEvent::Code { text });
    }

    /// The pairing stores something of the link: its row belongs to it.
    pub(super) fn store_terms(&mut self, code: &mut Code, link: MailboxId) -> Result<(), StoreError> {
        if code.data.link.is_some() {
            return Ok(());
        }
        code.data.link = Some(link);
        if let Some(terms) = code.pairing.terms() {
            self.store.forget_links_but(terms.mailbox)?;
            self.store.put_link(terms)?;
        }
        Ok(())
    }

    pub(super) fn take_pairing_event(&mut self, event: PairingEvent) -> Result<(), StoreError> {
        match event {
            PairingEvent::CheckCode(digits) => {
                // The other code is given up: one phone at a time.
                for other in self.host.attempts().map(Code::id).collect::<Vec<_>>() {
                    drop(self.host.remove_attempt(other));
                }
                self.event(AppEvent::CheckCode(digits));
            }
            PairingEvent::ConfirmationWanted { account_name, .. } => {
                self.event(AppEvent::NumberWanted { account: account_name });
            }
            PairingEvent::Linked(link) => self.store.set_link_state(link, LinkRowState::Active)?,
            _ => {}
        }
        Ok(())
    }

    /// An attempt is over and durable: its link is opened, or another code shown if no phone was answered.
    pub(super) fn end_code(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        code: &Code,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), StoreError> {
        // req: HSK-100
        let asks = self.shown_codes.is_answered();
        if code.data.link.is_some() {
            // A link that is stored as PENDING comes to life by itself if the phone has accepted it; one that the phone
            // closed is gone.
            self.load_link(now, rng)?;
        }
        let linked = self.link().is_some_and(is_confirmed);
        if let Err(reason) = ended
            && !linked
        {
            self.event(AppEvent::CodeBurnt { code: reason, asks: asks && self.link().is_none() });
        }
        if self.link().is_some() {
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
