//! The certificate of a pairing at the runner's peer: as the phone one that may be wrong, as the web one that is verified
//! and accepted.

use bytes::BytesMut;
use handfast_codec::RelayName;
use handfast_codec::ids::{AttachKey, CompanionId, DhPublic, Salt, Signature, SigningPublic};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::payload::Xk3;
use handfast_codec::record::{RecordBuilder, decode_link_record};
use handfast_codec::relay::DataKind;
use handfast_codec::signed::{self, CertificateFields};
use handfast_handshake::identity::{self, SigningKey};
use handfast_handshake::record::{Opener, Sealer};
use serde_json::json;

use super::driver::{Peer, Side, Step, Stop, own, wrong};
use super::pairing::XkPlan;
use crate::derive;
use crate::link_keys::{self, RELAY};

/// What a certificate says and who signs it.
pub(super) struct CertPlan {
    pub(super) h: [u8; 32],
    pub(super) relay: &'static str,
    pub(super) phone_key: DhPublic,
    pub(super) web_key: DhPublic,
    web_signing: SigningPublic,
    pub(super) phone_attach: AttachKey,
    pub(super) web_attach: AttachKey,
    pub(super) idle_days: u16,
    pub(super) signer: SigningKey,
}

/// What is signed: the keys and the attempt of the plan, the terms of the certificate.
fn certificate_tbs(plan: &CertPlan, cert: &LinkCert) -> Result<Vec<u8>, Stop> {
    Ok(signed::certificate_tbs(&CertificateFields {
        h: &plan.h,
        account: &cert.account,
        phone_key: &plan.phone_key,
        web_key: &plan.web_key,
        web_signing: &plan.web_signing,
        phone_attach: &plan.phone_attach,
        web_attach: &plan.web_attach,
        salt: &cert.salt,
        companion: &cert.companion,
        serial: cert.serial,
        grants: cert.grants,
        idle_days: cert.idle_days,
        relay: &own(RelayName::parse(plan.relay))?,
    }))
}

impl Peer<'_> {
    /// As the phone: up to message 3, and a certificate that is changed before it is signed.
    pub(super) fn offer(&mut self, change: impl FnOnce(&mut CertPlan)) -> Result<LinkFrame, Stop> {
        self.xk1(&XkPlan::default())?;
        self.read_xk2()?;
        self.xk3(&XkPlan::default())?;
        self.certificate(change)
    }

    /// As the phone: a certificate of this attempt.
    pub(super) fn certificate(&mut self, change: impl FnOnce(&mut CertPlan)) -> Result<LinkFrame, Stop> {
        let Side::Phone(link) = &self.side else { return wrong("the runner plays the phone here") };
        let mut plan = self.plan(link.ps.public(), link.attach.attach_key())?;
        change(&mut plan);
        let mut cert = LinkCert {
            account: link_keys::account(&self.case).public(),
            phone_attach: plan.phone_attach,
            salt: Salt::from_bytes([6; 16]),
            companion: CompanionId::from_bytes([7; 16]),
            serial: 1,
            grants: 7,
            idle_days: plan.idle_days,
            account_name: "Runner".to_owned(),
            signature: Signature::from_bytes([0; 64]),
        };
        let tbs = certificate_tbs(&plan, &cert)?;
        cert.signature = plan.signer.sign(&tbs);
        Ok(LinkFrame::Cert(cert))
    }

    /// Sends these frames in one record.
    pub(super) fn send_link(&mut self, frames: &[LinkFrame]) -> Step {
        let mut record = RecordBuilder::new();
        if !frames.iter().all(|frame| record.push_link(frame)) {
            return wrong("the runner's frames do not fit a record");
        }
        let record = self.sealed(record.finish())?;
        self.give(&record)?;
        self.wait(0)
    }

    /// As the web: the phone's user types the digits and approves; then message 3 and the certificate are read.
    pub(super) fn approved(&mut self) -> Step {
        self.answer()?;
        self.type_code(0)?;
        self.is_told("approval-wanted Runner")?;
        self.has_no_message3()?;
        self.app(json!({ "verb": "approve", "yes": true }))?;
        self.wait(0)?;
        let state = self.state()?;
        let (state, payload) = self.read(state, 3)?;
        if let Err(error) = Xk3::decode(&payload) {
            return wrong(format!("the payload of message 3 is refused with {}", error.code()));
        }
        let phone_key = own(state.remote_static().ok_or("a static key"))?;
        let split = own(state.split())?;
        let mut opener = Opener::new(split.initiator_to_responder);
        let Some(record) = self.last(DataKind::RECORD) else {
            return wrong("LINK_CERT must follow message 3, and does not");
        };
        let frames = own(opener.open(BytesMut::from(record.as_ref())))
            .and_then(|plain| own(decode_link_record(plain.freeze())))?;
        let [LinkFrame::Cert(cert)] = frames.as_slice() else {
            return wrong(format!("LINK_CERT must follow message 3, and {frames:?} does"));
        };
        (self.opener, self.sealer) = (Some(opener), Some(Sealer::new(split.responder_to_initiator)));
        self.code()?.h = split.h;
        self.shows_nn()?;
        let tbs = certificate_tbs(&self.plan(phone_key, cert.phone_attach)?, cert)?;
        if identity::verify(cert.account.as_bytes(), &tbs, &cert.signature).is_err() {
            return wrong("the certificate must verify over the attempt, and does not");
        }
        self.code()?.cert_hash = derive::sha256(&signed::certificate_preimage(&tbs, &cert.signature));
        Ok(())
    }

    /// What a right certificate of this attempt says, of a phone with these keys.
    fn plan(&self, phone_key: DhPublic, phone_attach: AttachKey) -> Result<CertPlan, Stop> {
        let code = own(self.code.as_ref().ok_or("a code"))?;
        let (web_key, web_signing, web_attach) = own(code.web.ok_or("the web's keys"))?;
        let signer = link_keys::account(&self.case);
        let (h, relay, idle_days) = (code.h, RELAY, 14);
        Ok(CertPlan {
            h,
            relay,
            phone_key,
            web_key,
            web_signing,
            phone_attach,
            web_attach,
            idle_days,
            signer,
        })
    }

    /// As the web: an acceptance of this certificate, signed for `h`, or for another one.
    pub(super) fn acceptance(&mut self, h: Option<[u8; 32]>) -> Result<LinkFrame, Stop> {
        let Side::Web(link) = &self.side else { return wrong("the runner plays the web here") };
        let key = SigningKey::from_bytes(*link.we.expose());
        let code = own(self.code.as_ref().ok_or("a code"))?;
        Ok(LinkFrame::Accept {
            signature: key.sign(&signed::accept_tbs(&code.cert_hash, &h.unwrap_or(code.h))),
        })
    }
}
