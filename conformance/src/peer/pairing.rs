//! The peer's half of a pairing, step by step, so that each part of it can be made wrong.

use handfast_codec::RelayName;
use handfast_codec::Versions;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachKey, AttachmentId, DhPublic, MailboxId};
use handfast_codec::link::LinkFrame;
use handfast_codec::payload::{Xk1, Xk2, Xk3};
use handfast_codec::qr::{Opening, QrOffer, RelayRef};
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::signed;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::record::{Opener, Sealer};
use handfast_handshake::secret::{DhSecret, Psk};
use serde_json::json;

use super::code::Code;
use super::driver::{OtherCode, PHONE_ID, Peer, Side, Step, Stop, WEB_ID, ended_as, own, wrong};
use super::handshake::{cut_last, with_tail};
use crate::derive;
use crate::link_keys::RELAY;
use crate::runner::Shim;
use crate::seed;

/// How a handshake message of the peer differs from a right one.
pub(super) struct XkPlan {
    pub(super) versions: Vec<u8>,
    /// In place of the psk of the code.
    pub(super) psk: Option<[u8; 32]>,
    pub(super) relay: &'static str,
    pub(super) ids: ([u8; 8], [u8; 8]),
    /// As the web: one key in two places.
    pub(super) one_key: bool,
    /// As the web: what message 2 tells, from what the code commits to.
    pub(super) opening: fn(&[u8; 32]) -> [u8; 32],
    pub(super) without_opening: bool,
    /// Appended to the TLV list of the payload, before its padding.
    pub(super) tail: Vec<u8>,
    /// Changes the message's bytes.
    pub(super) alter: fn(&mut Vec<u8>),
}

impl Default for XkPlan {
    fn default() -> Self {
        let (relay, ids, alter): (_, _, fn(&mut Vec<u8>)) = (RELAY, (WEB_ID, PHONE_ID), |_| {});
        let (one_key, without_opening, tail) = (false, false, Vec::new());
        let (versions, psk, opening): (_, _, fn(&[u8; 32]) -> _) = (vec![2], None, |right| *right);
        Self { versions, psk, relay, ids, one_key, opening, without_opening, tail, alter }
    }
}

impl<'a> Peer<'a> {
    /// A code that the shim shows or has scanned; both sit in its mailbox.
    pub(super) fn with_code(shim: &'a mut Shim, case: &str, role: DeviceRole) -> Result<Self, Stop> {
        let mut peer = Self::blank(shim, case, role)?;
        peer.is_pairing = true;
        let wq: [u8; 32] = seed::bytes(case, "pairing", "wq");
        peer.begin_code(wq, DhSecret::from_bytes(wq).public())?;
        Ok(peer)
    }

    /// As the web: the phone scans a code with the runner's key and the commitment of a code with another key, whose
    /// opening the runner knows, too.
    pub(super) fn scans_copied_commitment(&mut self) -> Step {
        let other = DhSecret::from_bytes(seed::bytes(&self.case, "pairing", "copied")).public();
        let wq = self.code()?.wq;
        self.told.clear();
        self.asked.clear();
        self.begin_code(wq, other)
    }

    /// As the phone: another code of the same page, beside the one that is given back.
    pub(super) fn second_code(&mut self) -> Result<OtherCode, Stop> {
        let first = self.put_aside();
        self.begin_code([0; 32], DhPublic::from_bytes([0; 32]))?;
        Ok(first)
    }

    /// A code that the shim shows or scans; both take their seats. One that it scans has the key of `wq`, and commits
    /// to an opening beside the key `committed`.
    fn begin_code(&mut self, wq: [u8; 32], committed: DhPublic) -> Step {
        let opening: [u8; 32] = seed::bytes(&self.case, "pairing", "opening");
        let peer = self;
        let offer = match peer.role {
            DeviceRole::Phone => {
                let relay = own(RelayName::parse(RELAY))?;
                let key = DhSecret::from_bytes(wq).public();
                let secret = derive::code_secret(committed.as_bytes(), &opening);
                let offer = own(QrOffer::new(key, secret, RelayRef::Host(relay)).ok_or("an offer"))?;
                let text = offer.encode();
                peer.ask("session.pair", json!({ "role": "phone", "relay": RELAY, "code": text.as_str() }))?;
                offer
            }
            DeviceRole::Web => {
                peer.ask("session.pair", json!({ "role": "web", "relay": RELAY }))?;
                let Some(text) = peer.told.iter().find_map(|told| told.strip_prefix("code ")) else {
                    return wrong("a web shows a code: `code TEXT` is not told");
                };
                match QrOffer::decode(text) {
                    Ok(offer) => offer,
                    Err(error) => return wrong(format!("its code is refused with {}", error.code())),
                }
            }
        };
        let (digits, h, h1) = (String::new(), [0; 32], [0; 32]);
        let cert_hash = [0; 32];
        peer.code = Some(Code { offer, wq, opening, h1, state: None, h, digits, web: None, cert_hash });
        peer.wait(0)?;
        peer.is_told("connect")?;
        peer.attach()
    }

    pub(super) fn code(&mut self) -> Result<&mut Code, Stop> {
        self.code.as_mut().map_or_else(|| wrong("there is no code here"), Ok)
    }

    fn xk_party(&mut self, plan: &XkPlan) -> Result<HandshakeState, Stop> {
        let e = DhSecret::generate(&mut self.rng);
        let ps = match &self.side {
            Side::Phone(link) => Some(*link.ps.expose()),
            Side::Web(_) => None,
        };
        let code = self.code()?;
        let (mailbox, psk) = derive::pairing(code.offer.web_key.as_bytes(), code.offer.secret());
        let prologue = signed::pairing_prologue(
            &code.offer.payload_without_secret(),
            &own(RelayName::parse(plan.relay))?,
            &MailboxId::from_bytes(mailbox),
            &AttachmentId::from_bytes(plan.ids.1),
            &AttachmentId::from_bytes(plan.ids.0),
        );
        let keys = Keys::new(e).with_psk(Psk::from_bytes(plan.psk.unwrap_or(psk)));
        let (role, keys) = match ps {
            Some(ps) => {
                let keys = keys.with_s(DhSecret::from_bytes(ps)).with_rs(code.offer.web_key);
                (HandshakeRole::Initiator, keys)
            }
            None => (HandshakeRole::Responder, keys.with_s(DhSecret::from_bytes(code.wq))),
        };
        let pattern = own(Pattern::from_protocol_name("Noise_XKpsk0_25519_ChaChaPoly_SHA256"))?;
        own(HandshakeState::new(&pattern, role, &prologue, keys))
    }

    /// Sends a handshake message with this payload.
    fn write(&mut self, state: HandshakeState, payload: Vec<u8>, plan: &XkPlan) -> Step {
        let (state, mut message) = own(state.write_message(&with_tail(payload, &plan.tail)))?;
        (plan.alter)(&mut message);
        self.code()?.state = Some(state);
        self.data(DataKind::PAIRING, &message)?;
        self.wait(0)
    }

    /// Reads the last handshake message of the shim.
    pub(super) fn read(
        &mut self,
        state: HandshakeState,
        which: u8,
    ) -> Result<(HandshakeState, Vec<u8>), Stop> {
        let Some(body) = self.last(DataKind::PAIRING) else {
            return wrong(format!("message {which} must come, and does not"));
        };
        match state.read_message(&body) {
            Ok(read) => Ok(read),
            Err(_) => wrong(format!("message {which} does not open: keys or prologue differ")),
        }
    }

    pub(super) fn state(&mut self) -> Result<HandshakeState, Stop> {
        own(self.code()?.state.take().ok_or("a state"))
    }

    /// As the phone: message 1.
    pub(super) fn xk1(&mut self, plan: &XkPlan) -> Step {
        let state = self.xk_party(plan)?;
        let versions = own(Versions::new(&plan.versions).ok_or("versions"))?;
        let payload = Xk1 { versions, capabilities: vec![], limits: vec![] };
        self.write(state, payload.encode(), plan)?;
        let code = self.code()?;
        if let Some(state) = &code.state {
            code.h1 = state.handshake_hash();
        }
        Ok(())
    }

    /// As the phone: reads message 2, and looks whether it opens the code and the page shows the right digits.
    pub(super) fn read_xk2(&mut self) -> Step {
        let state = self.state()?;
        let (state, payload) = self.read(state, 2)?;
        let reply = match Xk2::decode(&payload) {
            Ok(reply) => reply,
            Err(error) => return wrong(format!("the payload of message 2 is refused with {}", error.code())),
        };
        let code = self.code()?;
        code.state = Some(state);
        code.web = Some((reply.web_key, reply.signing_key, reply.attach_key));
        code.opening = *reply.opening.expose();
        if derive::code_secret(code.offer.web_key.as_bytes(), &code.opening) != *code.offer.secret() {
            return wrong("message 2 must open the code, and does not");
        }
        code.digits = derive::check_code(&code.h1, &code.opening);
        let digits = code.digits.clone();
        self.is_told(&format!("check-code {digits}"))
    }

    /// As the phone: message 3, after which records go.
    pub(super) fn xk3(&mut self, plan: &XkPlan) -> Step {
        let state = self.state()?;
        self.write(state, Xk3.encode(), plan)?;
        let state = self.state()?;
        let split = own(state.split())?;
        self.code()?.h = split.h;
        self.sealer = Some(Sealer::new(split.initiator_to_responder));
        self.opener = Some(Opener::new(split.responder_to_initiator));
        Ok(())
    }

    /// As the web: reads message 1.
    pub(super) fn read_xk1(&mut self) -> Step {
        let state = self.xk_party(&XkPlan::default())?;
        let (state, payload) = self.read(state, 1)?;
        if let Err(error) = Xk1::decode(&payload) {
            return wrong(format!("the payload of message 1 is refused with {}", error.code()));
        }
        let code = self.code()?;
        code.h1 = state.handshake_hash();
        code.digits = derive::check_code(&code.h1, &code.opening);
        code.state = Some(state);
        Ok(())
    }

    /// As the web: message 2.
    pub(super) fn xk2(&mut self, plan: &XkPlan) -> Step {
        let Side::Web(link) = &self.side else { return wrong("the runner plays the web here") };
        let (wd, we, attach) = (link.wd.public(), link.we.public(), link.attach.attach_key());
        let attach = if plan.one_key { AttachKey::from_bytes(*we.as_bytes()) } else { attach };
        let reply = Xk2 {
            version: plan.versions.first().copied().unwrap_or(2),
            capabilities: vec![],
            limits: vec![],
            web_key: wd,
            signing_key: we,
            attach_key: attach,
            label: "Runner".to_owned(),
            origin: String::new(),
            grants: 7,
            opening: Opening::from_bytes((plan.opening)(&self.code()?.opening)),
        };
        self.code()?.web = Some((wd, we, attach));
        let state = self.state()?;
        let payload = reply.encode();
        // The opening is the last field: 34 bytes with its type and length.
        let payload = if plan.without_opening { cut_last(&payload, 34) } else { payload.to_vec() };
        self.write(state, payload, plan)
    }

    /// As the web: both messages, after which the phone's user is asked for the digits.
    pub(super) fn answer(&mut self) -> Step {
        self.read_xk1()?;
        self.xk2(&XkPlan::default())?;
        self.is_told("check-code-wanted")
    }

    /// As the phone: the code is not answered.
    pub(super) fn has_no_message2(&self) -> Step {
        if self.count(DataKind::PAIRING) > 0 {
            return wrong("message 2 must not be sent for this code, and is");
        }
        Ok(())
    }

    /// As the web: message 3 has not come, since the phone's user has not approved.
    pub(super) fn has_no_message3(&self) -> Step {
        if self.count(DataKind::PAIRING) > 1 {
            return wrong("message 3 must not be sent before the user has approved, and is");
        }
        Ok(())
    }

    /// The phone's user types digits that are so much above the right ones.
    pub(super) fn type_code(&mut self, above: u16) -> Step {
        let right: u16 = own(self.code()?.digits.parse())?;
        self.app(json!({ "verb": "type", "digits": format!("{:04}", (right + above) % 10_000) }))?;
        self.wait(0)
    }

    /// NN of this attempt, or a number so much above it.
    fn number(&mut self, above: u8) -> Result<String, Stop> {
        let code = self.code()?;
        let right: u8 = own(derive::nn(&code.h1, &code.opening).parse())?;
        Ok(format!("{:02}", (right + above) % 100))
    }

    /// The phone's user is shown NN of this attempt.
    pub(super) fn shows_nn(&mut self) -> Step {
        let nn = self.number(0)?;
        self.is_told(&format!("nn {nn}"))
    }

    /// The page's user is asked for NN, which is shown nowhere there.
    pub(super) fn asks_number(&mut self) -> Step {
        self.is_told("number-wanted")?;
        self.is_not_told("nn ")
    }

    /// The page's user types the number that the phone shows, or one so much above it.
    pub(super) fn type_number(&mut self, above: u8) -> Step {
        let digits = self.number(above)?;
        self.app(json!({ "verb": "number", "digits": digits }))?;
        self.wait(0)
    }

    /// The page's user says that the phone shows no number, or stops.
    pub(super) fn says_none(&mut self) -> Step {
        self.app(json!({ "verb": "number", "digits": null }))?;
        self.wait(0)
    }

    /// Lets time pass in which the relay says that it is there, as long as the attempt lives.
    pub(super) fn idle(&mut self, seconds: u64) -> Step {
        for _ in 0..seconds {
            if self.told.iter().any(|told| told.starts_with("ended ")) {
                break;
            }
            self.relay(&RelayFrame::Ping([7; 8]))?;
            self.wait(1_000)?;
        }
        Ok(())
    }

    /// The attempt has ended with this code, and nothing is linked.
    pub(super) fn is_ended(&mut self, right: ErrorCode) -> Step {
        self.wait(0)?;
        self.is_not_told("linked")?;
        let Some(name) = self.told.iter().find_map(|told| told.strip_prefix("ended ")) else {
            return wrong(format!("`ended {}` must be told, and told are {:?}", right.name(), self.told));
        };
        ended_as(name, right)
    }

    /// A frame of the link was sent.
    pub(super) fn hears_of_link(&self, wanted: &LinkFrame) -> Step {
        if self.heard_of_link.contains(wanted) {
            return Ok(());
        }
        wrong(format!("{wanted:?} must be sent, and {:?} is", self.heard_of_link))
    }
}
