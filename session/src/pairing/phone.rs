//! The phone's steps in a pairing.

use alloc::boxed::Box;
use alloc::string::ToString;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::MailboxId;
use handfast_codec::link::LinkFrame;
use handfast_codec::qr::QrOffer;
use handfast_codec::relay::DataKind;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::PhoneLink;
use handfast_handshake::pairing;
use handfast_handshake::pairing::phone::{AwaitApproval, AwaitMessage2, CodeConfirmed, GrantedTerms};
use rand_core::CryptoRng;

use super::{ACCEPT_MAX, APPROVAL_MAX, CODE_MAX, Deferred, MESSAGE_MAX, Pairing, PairingEvent, Side};
use crate::endpoint::{active_row, phone_rows};
use crate::error::ApiMisuse;

/// The state of the phone's attempt.
pub(super) enum PhoneState {
    /// The companion is not attached to the mailbox yet.
    AwaitPeer(QrOffer),
    /// Message 1 was sent.
    AwaitMessage2(Box<AwaitMessage2>),
    /// The user is asked for the check code.
    AwaitCode(Box<AwaitApproval>),
    /// The user is asked to approve the companion's claims.
    AwaitUser(Box<AwaitApproval>, CodeConfirmed),
    /// The link is stored as OFFERED.
    Offered(Box<PhoneLink>),
    /// The link is stored as ACTIVE. `LINK_COMMIT` is sent once that is durable.
    Active,
    /// The attempt has ended, linked or not.
    Over,
}

impl PhoneState {
    /// Returns the state as the error of a call that does not fit it says it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::AwaitPeer(_) => "no companion at the code's mailbox yet",
            Self::AwaitMessage2(_) => "no answer of the companion yet",
            Self::AwaitCode(_) => "a check code to be typed",
            Self::AwaitUser(..) => "an approval to be given",
            Self::Offered(_) => "a link that the companion has not accepted yet",
            Self::Active => "a link",
            Self::Over => "an attempt that has ended",
        }
    }

    pub(super) fn new(offer: QrOffer) -> (Self, MailboxId) {
        let mailbox = pairing::mailbox(&offer);
        (Self::AwaitPeer(offer), mailbox)
    }

    pub(super) fn is_begun(&self) -> bool {
        !matches!(self, Self::AwaitPeer(_) | Self::Active | Self::Over)
    }
}

impl Pairing {
    fn phone_state(&mut self) -> PhoneState {
        match &mut self.side {
            Side::Phone(state) => core::mem::replace(state, PhoneState::Over),
            Side::Web(_) => PhoneState::Over,
        }
    }

    fn set_phone(&mut self, state: PhoneState) {
        self.side = Side::Phone(state);
    }

    /// Sends message 1, because the companion is attached.
    pub(super) fn on_peer(&mut self, rng: &mut dyn CryptoRng) {
        let Side::Phone(PhoneState::AwaitPeer(offer)) = &self.side else {
            // Another companion has taken the seat during the attempt. The attempt can neither continue nor
            // restart without the user.
            // req: HSK-108
            if self.is_begun() {
                self.end(ErrorCode::PEER_GONE);
            }
            return;
        };
        let Some(context) = self.context() else { return };
        // A second message 1 would give an attacker in the companion's seat a second guess at the check code.
        // req: HSK-101
        match pairing::phone::start(offer, &context, rng) {
            Ok((state, message)) => {
                self.send_data(DataKind::PAIRING, Bytes::from(message));
                self.set_phone(PhoneState::AwaitMessage2(Box::new(state)));
                self.wait(MESSAGE_MAX, ErrorCode::TIMEOUT);
            }
            Err(error) => self.end(error.code()),
        }
    }

    /// Handles a handshake message of the companion.
    pub(super) fn phone_message(&mut self, message: &Bytes) {
        match self.phone_state() {
            PhoneState::AwaitMessage2(state) => match state.read(message) {
                Ok(state) => {
                    // A key that is used in two links would let the relay see that they belong together, or
                    // let one link act for the other.
                    // req: CRT-003
                    if let Err(error) = state.require_unused(self.in_use.as_slice()) {
                        return self.end(error.code());
                    }
                    self.set_phone(PhoneState::AwaitCode(Box::new(state)));
                    self.wait(CODE_MAX, ErrorCode::CODE_EXPIRED);
                    self.event(PairingEvent::CheckCodeWanted);
                }
                Err(error) => self.end(error.code()),
            },
            _ => self.end(ErrorCode::UNEXPECTED_MESSAGE),
        }
    }

    /// On a phone: checks the digits that the user typed against the check code.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::WrongState`] when no check code was requested.
    pub fn enter_check_code(&mut self, now: Timestamp, typed: &str) -> Result<(), ApiMisuse> {
        self.tick(now);
        if !matches!(&self.side, Side::Phone(PhoneState::AwaitCode(_))) {
            return Err(self.unfit("the event CheckCodeWanted"));
        }
        let PhoneState::AwaitCode(mut state) = self.phone_state() else { return Ok(()) };
        match state.check(typed) {
            Ok(code) => {
                let claims = state.claims().clone();
                let peer = self.attach.peer();
                let wanted = PairingEvent::ApprovalWanted {
                    label: claims.label,
                    origin: claims.origin,
                    origin_seen: peer.and_then(|p| p.origin.clone()),
                    grants: claims.grants,
                    same_net: peer.and_then(|p| p.same_net),
                };
                self.set_phone(PhoneState::AwaitUser(state, code));
                self.wait(APPROVAL_MAX, ErrorCode::CODE_EXPIRED);
                self.event(wanted);
            }
            Err(wrong) => {
                self.event(PairingEvent::WrongCheckCode(wrong.left));
                // Each guess gives an attacker one chance in 10,000, so only a few are allowed.
                // req: HSK-011, HSK-099
                if wrong.left == 0 {
                    self.end(ErrorCode::CHECK_CODE_WRONG);
                } else {
                    self.set_phone(PhoneState::AwaitCode(state));
                }
            }
        }
        Ok(())
    }

    /// On a phone: approves the companion; the account signs the link's certificate.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::WrongState`] when no approval was requested.
    pub fn approve(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        account: &SigningKey,
        granted: GrantedTerms,
    ) -> Result<(), ApiMisuse> {
        self.tick(now);
        // Message 3 tells the companion which account this is, so it is sent only after the user's approval.
        // req: HSK-010
        if !matches!(&self.side, Side::Phone(PhoneState::AwaitUser(..))) {
            return Err(self.unfit("the event ApprovalWanted"));
        }
        let PhoneState::AwaitUser(state, code) = self.phone_state() else { return Ok(()) };
        match state.approve(code, account, granted, rng) {
            Ok((offered, message)) => {
                let terms = offered.link.terms.clone();
                self.take_keys(offered.sealer, offered.opener);
                // The companion may store this link as soon as it has message 3, so the phone must know the
                // link after a crash. Until the link is ACTIVE, the companion gets nothing but the account's
                // name and key.
                // req: HSK-080, HSK-015
                let rows = phone_rows(&offered.link, offered.start);
                let deferred = Deferred::Offer(Bytes::from(message), LinkFrame::Cert(offered.cert));
                self.persist(terms.mailbox, rows, deferred);
                self.terms = Some(terms);
                self.set_phone(PhoneState::Offered(Box::new(offered.link)));
                self.wait(ACCEPT_MAX, ErrorCode::CODE_EXPIRED);
                self.event(PairingEvent::ShowConfirmation(offered.confirmation.to_string()));
            }
            Err(error) => self.end(error.code()),
        }
        Ok(())
    }

    /// On a phone: refuses the companion, at the user's decision.
    pub fn refuse(&mut self, now: Timestamp) {
        self.tick(now);
        if !self.ended {
            self.refuse_with(ErrorCode::REFUSED);
        }
    }

    /// Handles a link frame from the companion.
    pub(super) fn phone_link_frame(&mut self, frame: &LinkFrame) {
        let LinkFrame::Accept { signature } = frame else {
            return self.refuse_with(ErrorCode::UNEXPECTED_MESSAGE);
        };
        match &self.side {
            Side::Phone(PhoneState::Offered(link)) => {
                // Only the companion's signature shows that it agreed to the terms of this link.
                // req: CRT-004
                if let Err(error) = link.verify_accept(signature) {
                    return self.refuse_with(error.code());
                }
                let mailbox = link.terms.mailbox;
                self.set_phone(PhoneState::Active);
                self.deadline = None;
                // The companion stores ACTIVE when it reads LINK_COMMIT, so the phone must not lose the link
                // after that.
                // req: HSK-080
                self.persist(mailbox, alloc::vec![active_row()], Deferred::SendLinked(LinkFrame::Commit));
            }
            // Once the link is ACTIVE, `refuse_with` changes nothing.
            Side::Phone(_) | Side::Web(_) => self.refuse_with(ErrorCode::UNEXPECTED_MESSAGE),
        }
    }
}
