//! One pairing attempt, from the scanned text to the linked companion.

use handfast::codec::ids::{CompanionId, MailboxId};
use handfast::codec::limits::OFFERED_MAX;
use handfast::codec::qr::QrOffer;
use handfast::handshake::pairing::phone::GrantedTerms;
use handfast::host;
use handfast::session::{Pairing, PairingEvent};
use handfast::{ErrorCode, RelayName};
use handfast_messages::grants;
use rand_core::CryptoRng;

use super::{App, AppEvent, Now, VerbError};
use crate::store::{Companion, CompanionStatus, StoreError};

/// The number of idle days after which a new link is to be suspended. The number is part of the signed terms;
/// nothing enforces it yet.
const IDLE_DAYS: u16 = 14;

/// The running attempt, with the phone's data for it.
pub(super) type Attempt = host::Attempt<AttemptData>;

/// The phone's data for an attempt.
#[derive(Debug, Default)]
#[expect(unnameable_types, reason = "the host alone asks for it")]
pub struct AttemptData {
    /// The rights that the page asks for, as bits; `None` before it has asked.
    asked: Option<u64>,
}

/// Returns the offer of an attempt if the offer is stored: then the companion may have accepted it.
pub(super) fn stored_offer(attempt: &Attempt) -> Option<OpenOffer> {
    let terms = attempt.pairing.terms().filter(|_| attempt.commits_stored() > 0)?;
    Some(OpenOffer { companion: terms.companion, left_s: OFFERED_MAX })
}

/// A step of a pairing attempt, for the client that runs the attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScanStep {
    /// The code was readable, and the page that shows it is being contacted.
    Looking {
        /// The relay's name.
        relay: RelayName,
    },
    /// Ask the user for the four digits that the page shows.
    CheckCodeWanted,
    /// The digits that the user typed were wrong.
    WrongCode {
        /// The number of tries that are left.
        left: u8,
    },
    /// Ask the user whether to link this companion.
    ApprovalWanted {
        /// The label that the page claims.
        label: String,
        /// The origin that the page claims.
        origin: String,
        /// The origin that the relay saw in the browser's request, if any.
        origin_seen: Option<String>,
        /// Whether the relay reports that phone and page are in one network; `None` if it does not know.
        same_net: Option<bool>,
        /// The rights that the page asks for, as bits.
        grants: u64,
        /// The relay's name.
        relay: RelayName,
    },
    /// Show the user these two digits.
    ShowConfirmation(String),
    /// The companion is linked.
    Linked {
        /// The companion's id.
        companion: CompanionId,
    },
    /// The attempt is over.
    Ended {
        /// The reason.
        code: ErrorCode,
        /// Advice for the user.
        message: String,
        /// The offer to a companion that may still become linked, although the attempt is over.
        open: Option<OpenOffer>,
    },
}

/// An offer that the companion may have accepted, so that its link may still become active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOffer {
    /// The companion's id.
    pub companion: CompanionId,
    /// The time until the offer expires, in seconds.
    pub left_s: u64,
}

/// The rights that a companion can have, and their names.
const GRANTS: [(u64, &str); 3] = [(grants::READ, "read"), (grants::SEND, "send"), (grants::MEDIA, "media")];

/// Returns the names of the rights in a bit set.
#[must_use]
pub fn grant_names(bits: u64) -> Vec<&'static str> {
    GRANTS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect()
}

/// Returns the rights with these names, as bits; `None` if one of the names is unknown.
#[must_use]
pub fn grants_of(names: &[&str]) -> Option<u64> {
    let bit = |name: &str| GRANTS.iter().find(|(_, known)| *known == name).map(|(bit, _)| *bit);
    names.iter().try_fold(0, |bits, name| Some(bits | bit(name)?))
}

/// Returns advice for the user about the end of an attempt.
fn advice(code: ErrorCode, lost: Option<&str>, relay: &RelayName) -> String {
    let text = match code {
        ErrorCode::CODE_EXPIRED => match lost {
            Some(reason) => {
                return format!("no connection to {relay}: {reason}; when that is mended, scan again");
            }
            None => {
                "the code is no longer shown, or it took too long; scan the one that the page shows, or ask it for one"
            }
        },
        ErrorCode::CODE_TAKEN => {
            "this code was used already, or another phone links with it now; scan the code that the page shows now, and \
             if the other phone is not yours, see to who can look at your screen"
        }
        ErrorCode::CHECK_CODE_WRONG => {
            "the four digits were wrong; somebody may have swapped the code: ask the page for a new one and scan that"
        }
        ErrorCode::REFUSED => "refused; nothing was linked",
        ErrorCode::NOT_CONFIRMED => {
            "the page's user typed another number, or said that this phone shows none; somebody may be in between: ask the page for a new code, and stop if it happens twice"
        }
        ErrorCode::PEER_GONE => "the page went away; keep it open, ask it for a new code and scan that",
        ErrorCode::TIMEOUT => "the page does not answer; reload it and scan its new code",
        ErrorCode::RELAY_NAME_MISMATCH => {
            "the relay has another name than the code says; do not use this code"
        }
        ErrorCode::NO_COMMON_VERSION | ErrorCode::RELAY_VERSION => {
            "page and phone share no version; update the older one"
        }
        ErrorCode::HANDSHAKE_FAILED => {
            "the handshake failed; somebody may be in between: ask the page for a new code and scan that"
        }
        _ => return format!("the attempt ended ({code}); ask the page for a new code and scan that"),
    };
    text.to_owned()
}

impl App {
    /// Begins a pairing attempt with the text of a QR code.
    ///
    /// # Errors
    ///
    /// [`VerbError`]: nothing was begun.
    pub fn scan(&mut self, now: Now, rng: &mut dyn CryptoRng, text: &str) -> Result<(), VerbError> {
        if self.host.attempts().next().is_some() {
            return Err(VerbError::ScanUnderWay);
        }
        if self.host.backoff().is_on() {
            return Err(VerbError::Resting);
        }
        let offer = QrOffer::decode(&handfast_programs::pasted_code(text))
            .map_err(|error| VerbError::Code(error.code()))?;
        let relay = self.policy.check(&offer.relay).map_err(VerbError::Relay)?;
        let in_use = self.store.keys_in_use()?;
        self.host.event(AppEvent::Scan(ScanStep::Looking { relay: relay.clone() }));
        let pairing = Pairing::phone(offer, relay, in_use, now.mono, rng);
        let _ = self.host.add_attempt(now.mono, pairing, AttemptData::default());
        Ok(())
    }

    /// Returns the running attempt.
    fn attempt(&mut self) -> Result<&mut Attempt, VerbError> {
        self.host.attempts_mut().next().ok_or(VerbError::NotAsked)
    }

    /// Passes the check code that the user typed to the pairing attempt.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`].
    pub fn enter_check_code(&mut self, now: Now, typed: &str) -> Result<(), VerbError> {
        self.attempt()?.pairing.enter_check_code(now.mono, typed).map_err(|_| VerbError::NotAsked)
    }

    /// Passes on the user's decision about the page: approved with all rights that the page asks for, or
    /// refused.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`], [`VerbError::Store`].
    pub fn approve(&mut self, now: Now, rng: &mut dyn CryptoRng, approved: bool) -> Result<(), VerbError> {
        if approved {
            return self.approve_with(now, rng, grants::ALL);
        }
        self.attempt()?.pairing.refuse(now.mono);
        Ok(())
    }

    /// Passes on the user's approval of the page, with only those of the requested rights that are in
    /// `given`.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotAsked`], [`VerbError::NoGrants`] when none of them is asked for, [`VerbError::Store`].
    pub fn approve_with(&mut self, now: Now, rng: &mut dyn CryptoRng, given: u64) -> Result<(), VerbError> {
        let asked = self.attempt()?.data.asked.ok_or(VerbError::NotAsked)?;
        // The companion never gets a right that it did not ask for, or that this version does not know.
        // req: MSG-055, MSG-110
        let given = asked & given & grants::ALL;
        if given == 0 {
            return Err(VerbError::NoGrants);
        }
        let serial = self.store.next_serial().map_err(VerbError::from);
        let serial = self.whole(serial)?;
        let mut companion = [0; 16];
        rng.fill_bytes(&mut companion);
        let granted = GrantedTerms {
            account_name: self.account.name.clone(),
            companion: CompanionId::from_bytes(companion),
            serial,
            grants: given,
            idle_days: IDLE_DAYS,
        };
        let attempt = self.host.attempts_mut().next().ok_or(VerbError::NotAsked)?;
        let approved = attempt.pairing.approve(now.mono, rng, &self.account.key, granted);
        approved.map_err(|_| VerbError::NotAsked)
    }

    /// Ends the pairing attempt as refused, because the client that runs it has gone.
    pub fn cancel_scan(&mut self, now: Now) {
        if let Ok(attempt) = self.attempt() {
            attempt.pairing.refuse(now.mono);
        }
    }

    /// Stores the row of the new companion, together with the first commit of its link.
    pub(super) fn store_offer(
        &mut self,
        now: Now,
        attempt: &Attempt,
        link: MailboxId,
    ) -> Result<(), StoreError> {
        if attempt.link().is_some() {
            return Ok(());
        }
        let Some(terms) = attempt.pairing.terms().cloned() else { return Ok(()) };
        self.store.put_companion(&Companion {
            companion: terms.companion,
            link,
            serial: terms.serial,
            label: terms.label,
            origin: terms.origin,
            relay: terms.relay.as_str().to_owned(),
            grants: terms.grants,
            linked_ms: now.wall_ms,
            seen_ms: 0,
            status: CompanionStatus::Offered,
        })
    }

    /// Handles an event of the pairing attempt.
    pub(super) fn take_pairing_event(
        &mut self,
        attempt: &mut Attempt,
        event: PairingEvent,
    ) -> Result<(), StoreError> {
        let step = match event {
            PairingEvent::CheckCodeWanted => ScanStep::CheckCodeWanted,
            PairingEvent::WrongCheckCode(left) => ScanStep::WrongCode { left },
            PairingEvent::ApprovalWanted { label, origin, origin_seen, grants, same_net } => {
                attempt.data.asked = Some(grants);
                let relay = attempt.pairing.relay().clone();
                ScanStep::ApprovalWanted { label, origin, origin_seen, same_net, grants, relay }
            }
            PairingEvent::ShowConfirmation(number) => ScanStep::ShowConfirmation(number),
            PairingEvent::Linked(link) => {
                return self.store.set_companion_status(link, CompanionStatus::Active);
            }
            _ => return Ok(()),
        };
        self.host.event(AppEvent::Scan(step));
        Ok(())
    }

    /// Handles the end of a pairing attempt, whose writes are durable: loads the new link, or deletes what is
    /// stored of it.
    pub(super) fn end_attempt(
        &mut self,
        now: Now,
        rng: &mut dyn CryptoRng,
        attempt: &Attempt,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), StoreError> {
        let link = attempt.link();
        if let Some(link) = link {
            self.open_or_forget(link, now, rng)?;
        }
        let step = match (ended, attempt.pairing.terms()) {
            (Ok(_), Some(terms)) => {
                self.host.event(AppEvent::Linked { companion: terms.companion });
                ScanStep::Linked { companion: terms.companion }
            }
            // An attempt that ended with a link always has terms, so this does not happen.
            (Ok(_), None) => return Ok(()),
            (Err(code), _) => {
                let message = advice(code, attempt.lost.as_deref(), attempt.pairing.relay());
                // The user must know that the companion may still become linked.
                // req: HSK-132
                let open = link.and_then(|link| self.open_offer(now, link));
                ScanStep::Ended { code, message, open }
            }
        };
        self.host.event(AppEvent::Scan(step));
        Ok(())
    }

    /// Returns the offer that an ended attempt has left stored, because the companion may have accepted it.
    fn open_offer(&self, now: Now, link: MailboxId) -> Option<OpenOffer> {
        let companion = self.host.link(link)?.data.companion;
        let stored = self.store.companion_of(link).ok().flatten()?;
        let age_s = now.wall_ms.saturating_sub(stored.linked_ms) / 1_000;
        (stored.status == CompanionStatus::Offered)
            .then_some(OpenOffer { companion, left_s: OFFERED_MAX.saturating_sub(age_s) })
    }

    /// Loads the link if one is stored: for some minutes, a page that has accepted the offer can still prove
    /// that. Otherwise deletes the companion's row.
    fn open_or_forget(
        &mut self,
        link: MailboxId,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        if self.store.database().links()?.contains(&link) {
            return self.load_link(link, now, rng);
        }
        self.store.forget_companion(link)?;
        self.store.commit()?;
        Ok(())
    }
}
