//! The companion's steps in a pairing.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::MailboxId;
use handfast_codec::limits::{LABEL_LEN_MAX, ORIGIN_LEN_MAX};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::relay::DataKind;
use handfast_codec::{RelayName, Timestamp};
use handfast_handshake::pairing::web::{AwaitCertificate, AwaitMessage3, AwaitNumber, Code, Message1Refused};
use handfast_handshake::pairing::{self, Claims};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::codes::ShownCodes;
use super::{APPROVAL_MAX, CODE_MAX, Deferred, MESSAGE_MAX, NN_MAX, Pairing, PairingEvent, Side};
use crate::endpoint::{active_row, web_rows};
use crate::error::ApiMisuse;

/// The state of the companion's attempt.
pub(super) enum WebState {
    /// The code is shown, and no phone has answered it.
    Shown(Box<Code>, Claims, ShownCodes),
    /// A phone has scanned the code; its user types the check code and approves.
    AwaitMessage3(Box<AwaitMessage3>),
    /// Message 3 has come, and the certificate is awaited.
    AwaitCertificate(Box<AwaitCertificate>),
    /// The user is asked for the two digits (NN) that the phone shows.
    AwaitUser { state: Box<AwaitNumber>, cert: Box<LinkCert> },
    /// The link is stored as PENDING.
    Pending { link: MailboxId, cert: Box<LinkCert> },
    /// The link is stored as ACTIVE.
    Active,
    /// The attempt has ended, linked or not.
    Over,
}

impl WebState {
    /// Returns the state as the error of a call that does not fit it says it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Shown(..) => "a code that no phone has scanned yet",
            Self::AwaitMessage3(_) => "a phone whose user has not approved yet",
            Self::AwaitCertificate(_) => "a phone whose certificate is on its way",
            Self::AwaitUser { .. } => "a number to be typed",
            Self::Pending { .. } => "a link that the phone has not confirmed yet",
            Self::Active => "a link",
            Self::Over => "an attempt that has ended",
        }
    }

    pub(super) fn new(
        relay: RelayName,
        claims: Claims,
        codes: &ShownCodes,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, MailboxId), ApiMisuse> {
        // If codes were replaced without the user, an attacker who spoils attempts would get a fresh code
        // each time, unnoticed.
        // req: HSK-100
        if codes.is_answered() {
            return Err(ApiMisuse::WrongState {
                is: "a code that was answered",
                needs: "the user's wish for another code",
            });
        }
        let label = 1..=LABEL_LEN_MAX;
        if !label.contains(&claims.label.len()) || claims.origin.len() > ORIGIN_LEN_MAX {
            return Err(ApiMisuse::TooLarge);
        }
        let code = Code::generate(relay, rng).map_err(|_| ApiMisuse::TooLarge)?;
        let mailbox = pairing::mailbox(code.offer());
        Ok((Self::Shown(Box::new(code), claims, codes.clone()), mailbox))
    }

    pub(super) fn offer_text(&self) -> Option<Zeroizing<String>> {
        match self {
            Self::Shown(code, ..) => Some(code.offer().encode()),
            _ => None,
        }
    }

    pub(super) fn is_begun(&self) -> bool {
        self.is_frozen() && !matches!(self, Self::Active)
    }

    pub(super) fn is_frozen(&self) -> bool {
        !matches!(self, Self::Shown(..) | Self::Over)
    }
}

impl Pairing {
    fn web_state(&mut self) -> WebState {
        match &mut self.side {
            Side::Web(state) => core::mem::replace(state, WebState::Over),
            Side::Phone(_) => WebState::Over,
        }
    }

    fn set_web(&mut self, state: WebState) {
        self.side = Side::Web(state);
    }

    /// Handles a handshake message of the phone.
    pub(super) fn web_message(&mut self, rng: &mut dyn CryptoRng, message: &Bytes) {
        match self.web_state() {
            WebState::Shown(code, claims, codes) => self.message1(rng, *code, claims, codes, message),
            WebState::AwaitMessage3(state) => match state.read(message) {
                Ok((state, sealer, opener)) => {
                    self.take_keys(sealer, opener);
                    self.set_web(WebState::AwaitCertificate(Box::new(state)));
                    self.wait(MESSAGE_MAX, ErrorCode::TIMEOUT);
                }
                Err(error) => self.end(error.code()),
            },
            // Any other message breaks the handshake. The code becomes void, so nobody gets a second guess.
            // req: HSK-012
            _ => self.end(ErrorCode::UNEXPECTED_MESSAGE),
        }
    }

    fn message1(
        &mut self,
        rng: &mut dyn CryptoRng,
        code: Code,
        claims: Claims,
        codes: ShownCodes,
        message: &Bytes,
    ) {
        let context = self.context().filter(|_| self.messages1.take(self.now));
        let Some(context) = context else {
            return self.set_web(WebState::Shown(Box::new(code), claims, codes));
        };
        match code.read_message1(&context, &claims, message, rng) {
            Ok((state, reply)) => {
                // If two phones each got an answer, an attacker would have two guesses.
                // req: HSK-097, HSK-107
                if !codes.answer() {
                    return self.end(ErrorCode::CODE_EXPIRED);
                }
                // The user compares the check code with the phone, so it is shown before message 2 is sent.
                // req: HSK-098
                self.event(PairingEvent::CheckCode(state.check_code().to_string()));
                self.set_web(WebState::AwaitMessage3(Box::new(state)));
                self.wait(CODE_MAX.saturating_add(APPROVAL_MAX), ErrorCode::CODE_EXPIRED);
                self.send_data(DataKind::PAIRING, Bytes::from(reply));
            }
            // The message was made for this code but is invalid, so somebody has used the code's secret.
            // req: HSK-012
            Err(Message1Refused::Burnt(error)) => self.end(error.code()),
            // Anybody may send bytes to the mailbox, so a message that was not made for this code must not
            // make it void.
            // req: HSK-013
            Err(Message1Refused::NotForThisCode(code, _)) => {
                self.set_web(WebState::Shown(code, claims, codes));
            }
        }
    }

    /// Ends this attempt, and wipes its code's secret, when another code of the page has answered a phone.
    pub(super) fn give_way(&mut self) {
        // Only one code of a page may answer a phone.
        // req: HSK-107
        if matches!(&self.side, Side::Web(WebState::Shown(_, _, codes)) if codes.is_answered()) {
            self.end(ErrorCode::CODE_EXPIRED);
        }
    }

    /// Handles a link frame from the phone.
    pub(super) fn web_link_frame(&mut self, frame: &LinkFrame) {
        match (self.web_state(), frame) {
            (WebState::AwaitCertificate(state), LinkFrame::Cert(cert)) => match state.read(cert) {
                Ok(state) => {
                    // A key that is used in two links would let the relay see that they belong together, or
                    // let one link act for the other.
                    // req: CRT-003
                    if let Err(error) = state.require_unused(self.in_use.as_slice()) {
                        return self.refuse_with(error.code());
                    }
                    // The user must type NN, and the page never shows it. So nobody can confirm without a
                    // look at the phone.
                    // req: HSK-109
                    let asked = PairingEvent::ConfirmationWanted {
                        account_name: state.account_name().clone(),
                        account: cert.account,
                    };
                    let cert = Box::new(cert.clone());
                    self.set_web(WebState::AwaitUser { state: Box::new(state), cert });
                    self.wait(NN_MAX, ErrorCode::CODE_EXPIRED);
                    self.event(asked);
                }
                Err(error) => self.refuse_with(error.code()),
            },
            (WebState::Pending { link, .. }, LinkFrame::Commit) => {
                self.set_web(WebState::Active);
                self.deadline = None;
                self.persist(link, alloc::vec![active_row()], Deferred::Linked);
            }
            // If the phone sends the certificate twice, that must not end the attempt.
            // req: HSK-017
            (WebState::AwaitUser { state, cert }, LinkFrame::Cert(again)) if *cert == *again => {
                self.set_web(WebState::AwaitUser { state, cert });
            }
            (WebState::Pending { link, cert }, LinkFrame::Cert(again)) if *cert == *again => {
                self.set_web(WebState::Pending { link, cert });
            }
            (WebState::Active, _) => self.set_web(WebState::Active),
            (state, _) => {
                self.set_web(state);
                self.refuse_with(ErrorCode::UNEXPECTED_MESSAGE);
            }
        }
    }

    /// On a companion: checks the number that the user read on the phone. There is no second try.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::WrongState`] when no number was requested.
    pub fn enter_confirmation(&mut self, now: Timestamp, typed: &str) -> Result<(), ApiMisuse> {
        self.tick(now);
        if !matches!(&self.side, Side::Web(WebState::AwaitUser { .. })) {
            return Err(self.unfit("the event ConfirmationWanted"));
        }
        let WebState::AwaitUser { state, cert } = self.web_state() else { return Ok(()) };
        let Ok((link, start)) = state.confirm(typed) else {
            // A second try would double the chance of an attacker who sits between page and phone.
            // req: HSK-103
            self.refuse_with(ErrorCode::NOT_CONFIRMED);
            return Ok(());
        };
        // Before this check the page could have been linked to a stranger's phone, so LINK_ACCEPT is sent
        // only now.
        // req: HSK-106
        let accept = LinkFrame::Accept { signature: link.accept };
        let terms = link.terms.clone();
        self.set_web(WebState::Pending { link: terms.mailbox, cert });
        // The phone stores ACTIVE when it reads LINK_ACCEPT, so this side must not lose the link after that.
        // req: HSK-081
        self.persist(terms.mailbox, web_rows(&link, start), Deferred::Send(accept));
        self.terms = Some(terms);
        self.wait(MESSAGE_MAX, ErrorCode::TIMEOUT);
        Ok(())
    }

    /// On a companion: ends the attempt at the user's wish, for example because the phone asks for no check
    /// code or shows no number.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::WrongState`] before a phone has scanned the code, and after the number was typed.
    pub fn stop(&mut self, now: Timestamp) -> Result<(), ApiMisuse> {
        self.tick(now);
        // If the user's phone shows nothing, another phone may have answered the code.
        // req: HSK-104, HSK-082
        match &self.side {
            Side::Web(
                WebState::AwaitMessage3(_) | WebState::AwaitCertificate(_) | WebState::AwaitUser { .. },
            ) => {
                self.refuse_with(ErrorCode::NOT_CONFIRMED);
                Ok(())
            }
            Side::Web(_) | Side::Phone(_) => {
                Err(self.unfit("a phone that has scanned the code, and no number typed yet"))
            }
        }
    }
}
