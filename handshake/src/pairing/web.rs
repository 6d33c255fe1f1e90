//! The companion's side of a pairing handshake.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use handfast_codec::RelayName;
use handfast_codec::Versions;
use handfast_codec::ids::DhPublic;
use handfast_codec::limits::CODE_OPENING_LEN;
use handfast_codec::link::LinkCert;
use handfast_codec::payload::{Xk1, Xk2, Xk3};
use handfast_codec::qr::{Opening, QrOffer, RelayRef};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    CheckCode, Claims, ConfirmationNumber, PairingContext, link_keys, numbers, pattern, prologue, psk,
};
use crate::certificate::{Bound, sign_accept};
use crate::error::HandshakeError;
use crate::identity::SigningKey;
use crate::key_schedule::{self, LinkKeys};
use crate::link::{Start, Terms, WebLink, mailbox, require_unused};
use crate::noise::{HandshakeRole, HandshakeState, Keys};
use crate::record::{Opener, Sealer};
use crate::secret::{DhSecret, Psk};

/// One QR code: its offer, its secret key, and the opening to which its secret commits. A code answers one
/// message 1, and is consumed by that.
pub struct Code {
    offer: QrOffer,
    wq: DhSecret,
    opening: Opening,
}

/// The reason why a message 1 gets no answer.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a code is kept or burnt")]
pub enum Message1Refused {
    /// The message did not decrypt, so anybody may have sent it. The code is returned, and stays valid.
    NotForThisCode(Box<Code>, HandshakeError),
    /// The message decrypted, but is invalid. The attempt ends, and the code is void.
    Burnt(HandshakeError),
}

impl Message1Refused {
    /// Returns what was wrong with message 1.
    #[must_use]
    pub const fn error(&self) -> &HandshakeError {
        match self {
            Self::NotForThisCode(_, error) | Self::Burnt(error) => error,
        }
    }
}

/// The conversion drops the code, even if the code would stay valid.
impl From<Message1Refused> for HandshakeError {
    fn from(refused: Message1Refused) -> Self {
        *refused.error()
    }
}

/// The companion's keys for the link.
struct OwnKeys {
    wd: DhSecret,
    we: SigningKey,
    attach: SigningKey,
}

/// The state after message 2 was built. The page shows the check code, and message 3 is awaited.
pub struct AwaitMessage3 {
    state: HandshakeState,
    psk: Psk,
    own: OwnKeys,
    context: PairingContext,
    claims: Claims,
    code: CheckCode,
    confirmation: ConfirmationNumber,
}

/// The state after message 3 was read. The certificate is awaited; it is encrypted under keys that were
/// returned together with this state.
pub struct AwaitCertificate {
    own: OwnKeys,
    context: PairingContext,
    claims: Claims,
    phone_key: DhPublic,
    h: [u8; 32],
    keys: LinkKeys,
    start: Start,
    confirmation: ConfirmationNumber,
}

/// The state after the certificate was verified: the user must type the number that the phone shows. No code
/// can read the number from this state:
///
/// ```compile_fail,E0616
/// fn shown(state: &handfast_handshake::pairing::web::AwaitNumber) -> String {
///     state.confirmation.to_string()
/// }
/// ```
#[derive(Debug)]
pub struct AwaitNumber {
    confirmation: ConfirmationNumber,
    link: WebLink,
    start: Start,
}

impl Code {
    /// Creates a code for this relay. `Wq` and the opening are fresh, and the secret commits to both.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::WrongTerms`] if the relay's name does not fit a code.
    pub fn generate(relay: RelayName, rng: &mut dyn CryptoRng) -> Result<Self, HandshakeError> {
        // req: QRP-012
        let wq = DhSecret::generate(rng);
        let mut drawn = Zeroizing::new([0; CODE_OPENING_LEN]);
        rng.fill_bytes(drawn.as_mut_slice());
        let opening = Opening::from_bytes(*drawn);
        let secret = key_schedule::code_secret(&wq.public(), &opening);
        let offer =
            QrOffer::new(wq.public(), *secret, RelayRef::Host(relay)).ok_or(HandshakeError::WrongTerms)?;
        Ok(Self { offer, wq, opening })
    }

    /// Returns the content of the QR code.
    #[must_use]
    pub const fn offer(&self) -> &QrOffer {
        &self.offer
    }

    /// Reads message 1 and builds message 2. Message 2 reveals the opening, so the code is consumed.
    ///
    /// # Errors
    ///
    /// [`Message1Refused`], which contains the code if it stays valid.
    pub fn read_message1(
        self,
        context: &PairingContext,
        claims: &Claims,
        message: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<(AwaitMessage3, Vec<u8>), Message1Refused> {
        let psk = psk(&self.offer);
        match self.decrypt_message1(context, &psk, message, rng) {
            // req: HSK-097
            Ok((state, payload)) => self
                .answer(state, &payload, psk, context.clone(), claims.clone(), rng)
                .map_err(Message1Refused::Burnt),
            // req: HSK-013
            Err(error) => Err(Message1Refused::NotForThisCode(Box::new(self), error)),
        }
    }

    fn decrypt_message1(
        &self,
        context: &PairingContext,
        psk: &Psk,
        message: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<(HandshakeState, Vec<u8>), HandshakeError> {
        let keys = Keys::new(DhSecret::generate(rng)).with_s(self.wq.duplicate()).with_psk(psk.duplicate());
        let prologue = prologue(&self.offer, context);
        let state = HandshakeState::new(&pattern()?, HandshakeRole::Responder, &prologue, keys)?;
        state.read_message(message)
    }

    fn answer(
        self,
        state: HandshakeState,
        payload: &[u8],
        psk: Psk,
        context: PairingContext,
        claims: Claims,
        rng: &mut dyn CryptoRng,
    ) -> Result<(AwaitMessage3, Vec<u8>), HandshakeError> {
        let offered = Xk1::decode(payload)?;
        // req: HSK-007
        let version =
            Versions::CURRENT.highest_common(&offered.versions).ok_or(HandshakeError::NoCommonVersion)?;
        let (code, confirmation) = numbers(&state.handshake_hash(), &self.opening);
        let own = OwnKeys {
            wd: DhSecret::generate(rng),
            we: SigningKey::generate(rng),
            attach: SigningKey::generate(rng),
        };
        let reply = Xk2 {
            version,
            capabilities: Vec::new(),
            limits: Vec::new(),
            web_key: own.wd.public(),
            signing_key: own.we.public(),
            attach_key: own.attach.attach_key(),
            label: claims.label.clone(),
            origin: claims.origin.clone(),
            grants: claims.grants,
            // req: HSK-105
            opening: self.opening,
        };
        let (state, message) = state.write_message(&reply.encode())?;
        Ok((AwaitMessage3 { state, psk, own, context, claims, code, confirmation }, message))
    }
}

impl AwaitMessage3 {
    /// Returns the check code that the page must show.
    #[must_use]
    pub const fn check_code(&self) -> CheckCode {
        self.code
    }

    /// Reads message 3. Returns the next state, and the keys for link records.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`], which ends the attempt.
    pub fn read(self, message: &[u8]) -> Result<(AwaitCertificate, Sealer, Opener), HandshakeError> {
        let (state, payload) = self.state.read_message(message)?;
        let _ = Xk3::decode(&payload)?;
        let phone_key = state.remote_static().ok_or(HandshakeError::MissingKey)?;
        let split = state.split()?;
        let (keys, start) = link_keys(&self.psk, &split.rs, &split.h);
        let next = AwaitCertificate {
            own: self.own,
            context: self.context,
            claims: self.claims,
            phone_key,
            h: split.h,
            keys,
            start,
            confirmation: self.confirmation,
        };
        Ok((next, Sealer::new(split.responder_to_initiator), Opener::new(split.initiator_to_responder)))
    }
}

impl AwaitCertificate {
    /// Verifies the certificate.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::BadSignature`] or [`HandshakeError::KeyReused`], either of which ends the attempt.
    pub fn read(self, cert: &LinkCert) -> Result<AwaitNumber, HandshakeError> {
        let (web_key, web_signing) = (self.own.wd.public(), self.own.we.public());
        let web_attach = self.own.attach.attach_key();
        let bound = Bound {
            h: &self.h,
            phone_key: &self.phone_key,
            web_key: &web_key,
            web_signing: &web_signing,
            web_attach: &web_attach,
            relay: &self.context.relay,
        };
        let cert_hash = bound.verify(cert)?;
        let accept = sign_accept(&self.own.we, &cert_hash, &self.h);
        let terms = Terms {
            mailbox: mailbox(&cert.phone_attach, &web_attach, &cert.salt),
            salt: cert.salt,
            relay: self.context.relay,
            companion: cert.companion,
            serial: cert.serial,
            grants: cert.grants,
            idle_days: cert.idle_days,
            account: cert.account,
            account_name: cert.account_name.clone(),
            label: self.claims.label,
            origin: self.claims.origin,
            h: self.h,
            cert_hash,
        };
        let link = WebLink {
            terms,
            wd: self.own.wd,
            we: self.own.we,
            attach: self.own.attach,
            phone_key: self.phone_key,
            phone_attach: cert.phone_attach,
            accept,
            recovery: self.keys.recovery,
            tombstone_seal: self.keys.tombstone_seal,
            goodbye_seal: self.keys.goodbye_seal,
        };
        Ok(AwaitNumber { confirmation: self.confirmation, link, start: self.start })
    }
}

impl AwaitNumber {
    /// Refuses a phone whose keys are used in another link of this device (see [`WebLink::peer_keys`]).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::KeyReused`], after which the state must be dropped.
    pub fn require_unused(&self, in_use: &[[u8; 32]]) -> Result<(), HandshakeError> {
        require_unused(&self.link.peer_keys(), in_use)
    }

    /// Returns the account's name. The owner of the phone can choose any name.
    #[must_use]
    pub const fn account_name(&self) -> &String {
        &self.link.terms.account_name
    }

    /// Returns the link if the user typed the phone's number. Store the link as PENDING; after that send its
    /// `accept`. There is no second try: a wrong number consumes the state.
    ///
    /// # Errors
    ///
    /// [`WrongNumber`] if the number is wrong, which ends the attempt.
    pub fn confirm(self, typed: &str) -> Result<(WebLink, Start), WrongNumber> {
        // req: HSK-103, HSK-106
        if self.confirmation.matches(typed) { Ok((self.link, self.start)) } else { Err(WrongNumber) }
    }
}

/// The error that the user typed a wrong confirmation number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the number is not the one that the phone shows")]
#[non_exhaustive]
pub struct WrongNumber;

macro_rules! opaque_debug {
    ($($name:ident),*) => {$(
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

opaque_debug!(Code, AwaitMessage3, AwaitCertificate);
