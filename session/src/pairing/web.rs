//! The web's steps.

use alloc::boxed::Box;
use alloc::string::String;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::MailboxId;
use handfast_codec::limits::{LABEL_LEN_MAX, ORIGIN_LEN_MAX};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::relay::DataKind;
use handfast_codec::{RelayName, Timestamp};
use handfast_handshake::HandshakeError;
use handfast_handshake::pairing::web::{AwaitCertificate, AwaitDecision, AwaitMessage3, Code};
use handfast_handshake::pairing::{self, Claims};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    APPROVAL_MAX, CODE_MAX, Deferred, Keys, MESSAGE_MAX, NN_MAX, Pairing, PairingEvent, Side, code_text,
    nn_text,
};
use crate::endpoint::{active_row, web_rows};
use crate::error::ApiMisuse;

/// Where the web stands.
pub(super) enum WebState {
    /// The code is shown.
    Shown(Box<Code>, Claims),
    /// A phone has scanned it; its user types the check code and approves.
    AwaitMessage3(Box<AwaitMessage3>),
    /// The certificate is awaited.
    AwaitCertificate(Box<AwaitCertificate>),
    /// The user is asked about NN.
    AwaitUser { state: Box<AwaitDecision>, cert: Box<LinkCert> },
    /// The link is stored as PENDING.
    Pending { link: MailboxId, cert: Box<LinkCert> },
    /// The link is stored as ACTIVE.
    Active,
    /// Linked, or ended.
    Over,
}

impl WebState {
    pub(super) fn new(
        relay: RelayName,
        claims: Claims,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, MailboxId), ApiMisuse> {
        let label = 1..=LABEL_LEN_MAX;
        if !label.contains(&claims.label.len()) || claims.origin.len() > ORIGIN_LEN_MAX {
            return Err(ApiMisuse::TooLarge);
        }
        let code = Code::generate(relay, rng).map_err(|_| ApiMisuse::TooLarge)?;
        let mailbox = pairing::mailbox(code.offer());
        Ok((Self::Shown(Box::new(code), claims), mailbox))
    }

    pub(super) fn offer_text(&self) -> Option<Zeroizing<String>> {
        match self {
            Self::Shown(code, _) => Some(code.offer().encode()),
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

    /// A handshake message came.
    pub(super) fn web_message(&mut self, rng: &mut dyn CryptoRng, message: &Bytes) {
        match self.web_state() {
            WebState::Shown(code, claims) => self.message1(rng, code, claims, message),
            WebState::AwaitMessage3(state) => match state.read(message) {
                Ok((state, sealer, opener)) => {
                    self.keys = Some(Keys { sealer, opener });
                    self.set_web(WebState::AwaitCertificate(Box::new(state)));
                    self.wait(MESSAGE_MAX, ErrorCode::TIMEOUT);
                }
                Err(error) => self.end(error.code()),
            },
            // req: HSK-012
            _ => self.end(ErrorCode::UNEXPECTED_MESSAGE),
        }
    }

    fn message1(&mut self, rng: &mut dyn CryptoRng, code: Box<Code>, claims: Claims, message: &Bytes) {
        let read = self.context().map(|context| code.read_message1(&context, &claims, message, rng));
        match read {
            Some(Ok((state, reply))) => {
                let digits = code_text(state.check_code());
                self.send_data(DataKind::PAIRING, Bytes::from(reply));
                self.set_web(WebState::AwaitMessage3(Box::new(state)));
                self.wait(CODE_MAX.saturating_add(APPROVAL_MAX), ErrorCode::CODE_EXPIRED);
                self.event(PairingEvent::CheckCode(digits));
            }
            // req: HSK-012
            Some(Err(error @ (HandshakeError::Decode(_) | HandshakeError::NoCommonVersion))) => {
                self.end(error.code());
            }
            // req: HSK-013
            Some(Err(_)) | None => self.set_web(WebState::Shown(code, claims)),
        }
    }

    /// A link record came.
    pub(super) fn web_link_frame(&mut self, frame: &LinkFrame) {
        match (self.web_state(), frame) {
            (WebState::AwaitCertificate(state), LinkFrame::Cert(cert)) => match state.read(cert) {
                Ok(state) => {
                    // req: CRT-003
                    if let Err(error) = state.require_unused(&self.in_use) {
                        return self.refuse_with(error.code());
                    }
                    let asked = PairingEvent::ConfirmNn {
                        nn: nn_text(state.nn()),
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

    /// Web: the user said whether the phone shows NN.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::WrongState`] when it is not asked for.
    pub fn confirm(&mut self, now: Timestamp, yes: bool) -> Result<(), ApiMisuse> {
        self.tick(now);
        if !matches!(&self.side, Side::Web(WebState::AwaitUser { .. })) {
            return Err(ApiMisuse::WrongState);
        }
        let WebState::AwaitUser { state, cert } = self.web_state() else { return Ok(()) };
        // req: HSK-082
        if !yes {
            self.refuse_with(ErrorCode::NOT_CONFIRMED);
            return Ok(());
        }
        // req: HSK-016
        let (link, start) = state.confirm();
        let accept = LinkFrame::Accept { signature: link.accept };
        let terms = link.terms.clone();
        self.set_web(WebState::Pending { link: terms.mailbox, cert });
        // req: HSK-081
        self.persist(terms.mailbox, web_rows(&link, start), Deferred::Send(accept));
        self.terms = Some(terms);
        self.wait(MESSAGE_MAX, ErrorCode::TIMEOUT);
        Ok(())
    }
}
