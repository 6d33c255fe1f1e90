//! The phone's side of a pairing handshake.

use alloc::string::String;
use alloc::vec::Vec;

use handfast_codec::Versions;
use handfast_codec::ids::{CompanionId, Salt, Signature};
use handfast_codec::limits::{CHECK_CODE_TRIES_MAX, IDLE_DAYS_MAX, LABEL_LEN_MAX, VARINT_MAX};
use handfast_codec::link::LinkCert;
use handfast_codec::payload::{Xk1, Xk2, Xk3};
use handfast_codec::qr::QrOffer;
use handfast_codec::signed;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    CheckCode, Claims, ConfirmationNumber, PairingContext, link_keys, numbers, pattern, prologue, psk,
};
use crate::certificate::{Bound, hash};
use crate::error::HandshakeError;
use crate::identity::{SigningKey, require_verifying};
use crate::key_schedule;
use crate::link::{PhoneLink, Start, Terms, mailbox, require_distinct, require_unused};
use crate::noise::{HandshakeRole, HandshakeState, Keys};
use crate::record::{Opener, Sealer};
use crate::secret::{DhSecret, Psk, require_canonical};

/// The state after message 1 was built. Message 2 is awaited.
pub struct AwaitMessage2 {
    state: HandshakeState,
    psk: Psk,
    context: PairingContext,
    offered: Versions,
    h1: [u8; 32],
    /// The secret of the code. The opening in message 2 must match it.
    committed: Zeroizing<[u8; 32]>,
}

/// The state after message 2 was read. The user must type the check code, and approve what the page claims.
pub struct AwaitApproval {
    state: HandshakeState,
    psk: Psk,
    context: PairingContext,
    code: CheckCode,
    confirmation: ConfirmationNumber,
    tries_left: u8,
    /// The wrong codes that were typed so far.
    wrong: Vec<String>,
    reply: Xk2,
    claims: Claims,
}

/// Proof that the user typed the check code of one attempt. The attempt is identified by its handshake hash.
#[derive(Debug)]
pub struct CodeConfirmed([u8; 32]);

impl CodeConfirmed {
    /// Consumes the proof. Returns whether it belongs to the attempt of this state.
    fn spend_on(self, state: &HandshakeState) -> bool {
        let Self(attempt) = self;
        attempt == state.handshake_hash()
    }
}

/// The error that the user typed a wrong check code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the check code is wrong; {left} tries are left")]
#[non_exhaustive]
pub struct WrongCode {
    /// The number of tries left. At 0 the attempt is over: this was the third wrong code, or the same wrong
    /// code again.
    pub left: u8,
}

/// The terms that the phone grants to a link.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the terms that the application chooses")]
pub struct GrantedTerms {
    /// The account's name, 1 to 64 bytes.
    pub account_name: String,
    /// A fresh id for the companion of the link.
    pub companion: CompanionId,
    /// The companion's serial number on this phone.
    pub serial: u64,
    /// The granted rights, as a bit set.
    pub grants: u64,
    /// The number of idle days after which the link should be suspended, 1 to 365. No program in this
    /// repository does that yet.
    pub idle_days: u16,
}

impl GrantedTerms {
    /// Refuses a term that the certificate cannot represent.
    fn check(&self) -> Result<(), HandshakeError> {
        let holds = (1..=LABEL_LEN_MAX).contains(&self.account_name.len())
            && (1..=IDLE_DAYS_MAX).contains(&self.idle_days)
            && self.serial <= VARINT_MAX
            && self.grants <= VARINT_MAX;
        if holds { Ok(()) } else { Err(HandshakeError::WrongTerms) }
    }
}

/// The result of an approval. Store the link as OFFERED; after that send message 3 and `LINK_CERT`.
#[derive(Debug)]
#[non_exhaustive]
pub struct OfferedLink {
    /// The new link.
    pub link: PhoneLink,
    /// The initial state of the link's ratchet and session.
    pub start: Start,
    /// The certificate to send.
    pub cert: LinkCert,
    /// The confirmation number (NN) that the phone must show.
    pub confirmation: ConfirmationNumber,
    /// Encrypts the phone's link records.
    pub sealer: Sealer,
    /// Decrypts the companion's link records.
    pub opener: Opener,
}

/// Builds message 1.
///
/// # Errors
///
/// [`HandshakeError`] if the key in the offer is refused.
pub fn start(
    offer: &QrOffer,
    context: &PairingContext,
    rng: &mut dyn CryptoRng,
) -> Result<(AwaitMessage2, Vec<u8>), HandshakeError> {
    let psk = psk(offer);
    // Ps is fresh for each link, so that nobody can see that two links are of one phone.
    let (ps, e) = (DhSecret::generate(rng), DhSecret::generate(rng));
    let keys = Keys::new(e).with_s(ps).with_rs(offer.web_key).with_psk(psk.duplicate());
    let state = HandshakeState::new(&pattern()?, HandshakeRole::Initiator, &prologue(offer, context), keys)?;
    let offered = Versions::CURRENT;
    let payload = Xk1 { versions: offered, capabilities: Vec::new(), limits: Vec::new() };
    let (state, message) = state.write_message(&payload.encode())?;
    let h1 = state.handshake_hash();
    let committed = Zeroizing::new(*offer.secret());
    Ok((AwaitMessage2 { state, psk, context: context.clone(), offered, h1, committed }, message))
}

impl AwaitMessage2 {
    /// Reads message 2, which contains the page's claims about itself.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`], which ends the attempt.
    pub fn read(self, message: &[u8]) -> Result<AwaitApproval, HandshakeError> {
        let (state, payload) = self.state.read_message(message)?;
        let reply = Xk2::decode(&payload)?;
        // req: HSK-008
        if !self.offered.contains(&reply.version) {
            return Err(HandshakeError::NoCommonVersion);
        }
        let wq = state.remote_static().ok_or(HandshakeError::MissingKey)?;
        // req: HSK-096
        let opened = key_schedule::code_secret(&wq, &reply.opening);
        if !bool::from(opened.as_slice().ct_eq(self.committed.as_slice())) {
            return Err(HandshakeError::WrongOpening);
        }
        let (code, confirmation) = numbers(&self.h1, &reply.opening);
        // req: HSK-001, HSK-002
        require_canonical(&reply.web_key)?;
        let ps = state.local_static().ok_or(HandshakeError::MissingKey)?;
        let _ = ps.diffie_hellman(&reply.web_key)?;
        // req: CRT-003
        let ps = ps.public();
        let (wd, we, attach) = (&reply.web_key, &reply.signing_key, &reply.attach_key);
        let keys = [ps.as_bytes(), wq.as_bytes(), wd.as_bytes(), we.as_bytes(), attach.as_bytes()];
        require_distinct(&keys)?;
        require_verifying(reply.signing_key.as_bytes())?;
        require_verifying(reply.attach_key.as_bytes())?;
        let claims =
            Claims { label: reply.label.clone(), origin: reply.origin.clone(), grants: reply.grants };
        Ok(AwaitApproval {
            state,
            psk: self.psk,
            context: self.context,
            code,
            confirmation,
            tries_left: CHECK_CODE_TRIES_MAX,
            wrong: Vec::new(),
            reply,
            claims,
        })
    }
}

#[cfg(test)]
use handfast_codec::qr::Opening;

#[cfg(test)]
impl AwaitMessage2 {
    pub(super) const fn h1(&self) -> [u8; 32] {
        self.h1
    }
}

#[cfg(test)]
impl AwaitApproval {
    pub(super) const fn code(&self) -> CheckCode {
        self.code
    }

    pub(super) fn opening(self) -> Opening {
        self.reply.opening
    }
}

impl AwaitApproval {
    /// Returns what the page claims about itself. Show it as a claim.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Compares the digits that the user typed with the check code.
    ///
    /// # Errors
    ///
    /// [`WrongCode`] with the tries left; at 0 no further code is accepted, and the state must be dropped.
    pub fn check(&mut self, typed: &str) -> Result<CodeConfirmed, WrongCode> {
        // req: HSK-011
        let Some(left) = self.tries_left.checked_sub(1) else { return Err(WrongCode { left: 0 }) };
        if self.code.matches(typed) {
            return Ok(CodeConfirmed(self.state.handshake_hash()));
        }
        // Digits that are wrong twice were not mistyped: the user reads them from another page.
        // req: HSK-099
        let typed = String::from(typed.trim());
        self.tries_left = if self.wrong.contains(&typed) { 0 } else { left };
        self.wrong.push(typed);
        Err(WrongCode { left: self.tries_left })
    }

    /// Refuses a page whose keys are used in another link of this device (see [`PhoneLink::peer_keys`]).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::KeyReused`], after which the state must be dropped.
    pub fn require_unused(&self, in_use: &[[u8; 32]]) -> Result<(), HandshakeError> {
        let reply = &self.reply;
        let keys = [*reply.web_key.as_bytes(), *reply.signing_key.as_bytes(), *reply.attach_key.as_bytes()];
        require_unused(&keys, in_use)
    }

    /// Builds message 3, the link and its certificate, because the user has approved.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OutOfTurn`] if the check code belongs to another attempt,
    /// [`HandshakeError::WrongTerms`] if a term is outside its range, [`HandshakeError::KeyReused`] if a key
    /// of the page has two purposes. Each ends the attempt.
    pub fn approve(
        self,
        code: CodeConfirmed,
        account: &SigningKey,
        granted: GrantedTerms,
        rng: &mut dyn CryptoRng,
    ) -> Result<(OfferedLink, Vec<u8>), HandshakeError> {
        // req: HSK-010
        if !code.spend_on(&self.state) {
            return Err(HandshakeError::OutOfTurn);
        }
        granted.check()?;
        let ps = self.state.local_static().ok_or(HandshakeError::MissingKey)?.duplicate();
        let (state, message) = self.state.write_message(&Xk3.encode())?;
        let split = state.split()?;
        let (keys, start) = link_keys(&self.psk, &split.rs, &split.h);
        let attach = SigningKey::generate(rng);
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let mut cert = LinkCert {
            account: account.public(),
            phone_attach: attach.attach_key(),
            salt: Salt::from_bytes(salt),
            companion: granted.companion,
            serial: granted.serial,
            grants: granted.grants,
            idle_days: granted.idle_days,
            account_name: granted.account_name,
            signature: Signature::from_bytes([0; 64]),
        };
        let phone_key = ps.public();
        let bound = Bound {
            h: &split.h,
            phone_key: &phone_key,
            web_key: &self.reply.web_key,
            web_signing: &self.reply.signing_key,
            web_attach: &self.reply.attach_key,
            relay: &self.context.relay,
        };
        bound.require_distinct(&cert)?;
        cert.signature = account.sign(&signed::certificate_tbs(&bound.fields(&cert)));
        let terms = Terms {
            mailbox: mailbox(&cert.phone_attach, &self.reply.attach_key, &cert.salt),
            salt: cert.salt,
            relay: self.context.relay.clone(),
            companion: cert.companion,
            serial: cert.serial,
            grants: cert.grants,
            idle_days: cert.idle_days,
            account: cert.account,
            account_name: cert.account_name.clone(),
            label: self.claims.label,
            origin: self.claims.origin,
            h: split.h,
            cert_hash: hash(&bound.fields(&cert), &cert.signature),
        };
        let link = PhoneLink {
            terms,
            ps,
            attach,
            web_key: self.reply.web_key,
            web_signing: self.reply.signing_key,
            web_attach: self.reply.attach_key,
            recovery: keys.recovery,
            tombstone_seal: keys.tombstone_seal,
            goodbye_seal: keys.goodbye_seal,
        };
        let offered = OfferedLink {
            confirmation: self.confirmation,
            link,
            start,
            cert,
            sealer: Sealer::new(split.initiator_to_responder),
            opener: Opener::new(split.responder_to_initiator),
        };
        Ok((offered, message))
    }
}

impl core::fmt::Debug for AwaitMessage2 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AwaitMessage2").finish_non_exhaustive()
    }
}

impl core::fmt::Debug for AwaitApproval {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AwaitApproval").field("claims", &self.claims).finish_non_exhaustive()
    }
}
