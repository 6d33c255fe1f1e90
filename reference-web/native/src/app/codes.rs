//! Pairing codes. While no phone has scanned one, a new code is shown every 30 s, and the code before stays
//! valid for another 30 s (spec, qr and handshake).

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
pub(super) type Code = host::Attempt<()>;

impl App {
    /// Shows codes until a phone is linked. No code is shown while a link waits for the phone's confirmation.
    ///
    /// # Errors
    ///
    /// [`VerbError::Linked`] when this companion is linked, [`VerbError::Resting`] in the pause after a
    /// failure of the store.
    pub fn pair(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), VerbError> {
        if self.host.backoff().is_on() {
            return Err(VerbError::Resting);
        }
        if self.is_pending() {
            // The user knows that the link is not confirmed, and either asks for another code or waits.
            return Ok(());
        }
        if self.link().is_some() {
            return Err(VerbError::Linked);
        }
        if self.host.attempts().next().is_none() {
            // A phone may have answered an earlier code. That must not prevent the user from pairing again.
            self.shown_codes = ShownCodes::default();
        }
        self.next_code = Some(now);
        self.rotate(now, rng);
        Ok(())
    }

    /// Shows another code because the user asks for it, after an attempt that ended without a link. A link
    /// that the phone has not confirmed is deleted.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`] while a code is shown or an attempt is under way, or else those of
    /// [`App::pair`].
    pub fn new_code(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), VerbError> {
        if self.host.attempts().next().is_some() {
            return Err(VerbError::NotAsked);
        }
        // The phone may never confirm the link, so the user can drop the link.
        // req: HSK-166
        if self.is_pending() {
            let dropped = self.forget_link();
            self.whole(dropped)?;
        }
        // After a failed attempt, a code is shown only when the user asks.
        // req: HSK-100
        self.pair(now, rng)
    }

    /// Passes the number that the user read on the phone to the pairing attempt. There is no second try.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`].
    pub fn enter_number(&mut self, now: Timestamp, digits: &str) -> Result<(), VerbError> {
        // Typing the number proves that the user looked at the phone.
        // req: HSK-102
        let asked =
            self.host.attempts_mut().find_map(|code| code.pairing.enter_confirmation(now, digits).ok());
        asked.ok_or(VerbError::NotAsked)
    }

    /// Ends the pairing attempt: the user reports that the phone shows no digits or asks for none, or wants
    /// to stop.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`].
    pub fn stop_pairing(&mut self, now: Timestamp) -> Result<(), VerbError> {
        // The user can stop in every state of the attempt.
        // req: HSK-104
        let asked = self.host.attempts_mut().find_map(|code| code.pairing.stop(now).ok());
        asked.ok_or(VerbError::NotAsked)
    }

    /// Returns when another code is due; `None` while a phone has scanned a code.
    pub(super) fn rotation_due(&self) -> Option<Timestamp> {
        let next = self.next_code.filter(|_| !self.host.backoff().is_on());
        next.filter(|_| !self.host.attempts().any(|code| code.pairing.is_frozen()))
    }

    /// Shows another code when it is due. A code that a phone has scanned is not replaced.
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
        // Codes are shown only while this companion has no link. The keys of earlier links are deleted, so
        // none are in use.
        let in_use = KeysInUse::none();
        // The relay's name and the label were checked at the start of the program, so this cannot fail.
        let Ok(pairing) = Pairing::web(self.relay.clone(), claims, &self.shown_codes, in_use, now, rng)
        else {
            return;
        };
        let text = pairing.offer_text().map(|text| text.as_str().to_owned()).unwrap_or_default();
        let _ = self.host.add_attempt(now, pairing, ());
        self.event(AppEvent::Code { text });
    }

    /// Stores the row of the new link, together with the first commit, which contains the link's keys.
    pub(super) fn store_terms(&mut self, code: &Code) -> Result<(), StoreError> {
        if code.link().is_some() {
            return Ok(());
        }
        if let Some(terms) = code.pairing.terms() {
            self.store.forget_links_but(terms.mailbox)?;
            self.store.put_link(terms)?;
        }
        Ok(())
    }

    pub(super) fn take_pairing_event(&mut self, event: PairingEvent) -> Result<(), StoreError> {
        match event {
            PairingEvent::CheckCode(digits) => {
                // Only one phone can be linked, so the other codes are dropped.
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

    /// Handles the end of a pairing attempt, whose writes are durable. Loads the new link, or shows another
    /// code if no phone was answered.
    pub(super) fn end_code(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        code: &Code,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), StoreError> {
        // Once a phone was answered, the next code is shown only when the user asks for it.
        // req: HSK-100
        let asks = self.shown_codes.is_answered();
        if code.link().is_some() {
            // A PENDING link becomes active by itself if the phone has accepted it. A link that the phone
            // refused is not stored any more.
            self.load_link(now, rng)?;
        }
        let linked = self.link().is_some_and(is_confirmed);
        if let Err(reason) = ended
            && !linked
        {
            self.event(AppEvent::CodeBurnt { code: reason, asks: asks && self.link().is_none() });
        }
        if self.link().is_some() {
            // If the link is confirmed, `pump_link` tells the user so in the next pass of this round.
            self.next_code = None;
        } else {
            self.next_code = (!asks).then_some(now);
            self.rotate(now, rng);
        }
        Ok(())
    }

    /// Reports that this companion is linked.
    pub(super) fn tell_linked(&mut self) -> Result<(), StoreError> {
        if let Some(row) = self.store.link()? {
            self.event(AppEvent::Linked { companion: row.companion, account: row.account_name });
        }
        Ok(())
    }
}
