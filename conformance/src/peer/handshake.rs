//! The peer's half of the reconnect, message by message, so that each part of it can be made wrong.

use handfast_codec::RelayName;
use handfast_codec::Versions;
use handfast_codec::frame::Frame;
use handfast_codec::ids::{AttachmentId, CommandKey, Epoch, LogId, MailboxId, PskId};
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, KkHead, KkMode, ResumeBlock};
use handfast_codec::relay::DataKind;
use handfast_codec::signed;
use handfast_handshake::key_schedule::psk_id;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern, Split};
use handfast_handshake::record::{Opener, Sealer};
use handfast_handshake::secret::{DhSecret, Psk};

use super::driver::{PHONE_ID, Peer, Side, Step, Stop, WEB_ID, own, wrong};
use crate::derive;
use crate::link_keys::RELAY;

/// An X25519 key of low order, and one that is not reduced.
pub(super) const ZERO: [u8; 32] = [0; 32];
pub(super) const NOT_CANONICAL: [u8; 32] = [0xff; 32];

pub(super) fn put_key(message: &mut [u8], key: [u8; 32]) {
    if let Some(start) = message.get_mut(..32) {
        start.copy_from_slice(&key);
    }
}

pub(super) fn flip(message: &mut [u8], at: usize) {
    if let Some(byte) = message.get_mut(at) {
        *byte ^= 1;
    }
}

/// How a handshake of the peer differs from a right one.
pub(super) struct Plan {
    pub(super) mode: KkMode,
    /// What the head says of the suite, while the prologue has the right one.
    pub(super) suite: u8,
    pub(super) try_: u64,
    /// In place of the psk of the mode.
    pub(super) psk: Option<[u8; 32]>,
    /// The psk id in the head, if it is not that of the psk.
    pub(super) psk_id: Option<PskId>,
    /// In place of the own static key.
    pub(super) own_static: Option<[u8; 32]>,
    pub(super) relay: &'static str,
    pub(super) ids: ([u8; 8], [u8; 8]),
    pub(super) mailbox: Option<MailboxId>,
    pub(super) versions: Vec<u8>,
    pub(super) resume: bool,
    pub(super) held: Option<PskId>,
    pub(super) quarantine: bool,
    /// The web has not heard the end of its pairing.
    pub(super) pending: bool,
    /// The commands that the phone says it knows, beside its resume block.
    pub(super) commands: Option<CommandsKnown>,
    /// Appended to the TLV list of the payload, before its padding.
    pub(super) tail: Vec<u8>,
    /// Changes the message's bytes: of message 1 behind its head.
    pub(super) alter: fn(&mut Vec<u8>),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            mode: KkMode::Resume,
            suite: 1,
            try_: 1,
            psk: None,
            psk_id: None,
            own_static: None,
            relay: RELAY,
            ids: (WEB_ID, PHONE_ID),
            mailbox: None,
            versions: vec![2, 1],
            resume: true,
            held: None,
            quarantine: false,
            pending: false,
            commands: Some(CommandsKnown { highest: 0, key: CommandKey::from_bytes([0; 16]), from: 1 }),
            tail: Vec::new(),
            alter: |_| {},
        }
    }
}

/// Puts more behind the TLV list of a padded payload.
pub(super) fn with_tail(payload: Vec<u8>, tail: &[u8]) -> Vec<u8> {
    if tail.is_empty() {
        return payload;
    }
    let mut list: Vec<u8> = payload.get(..list_len(&payload)).unwrap_or_default().to_vec();
    list.extend_from_slice(tail);
    let len = list.len().max(128).next_power_of_two();
    list.resize(len, 0);
    list
}

/// A payload without its last bytes, padded again.
pub(super) fn cut_last(payload: &[u8], count: usize) -> Vec<u8> {
    let list = payload.get(..list_len(payload).saturating_sub(count)).unwrap_or_default();
    with_tail(list.to_vec(), &[0])
}

/// Where the padding of a payload begins: behind its fields, whose types have one byte and whose lengths one or two.
fn list_len(payload: &[u8]) -> usize {
    let mut at = 0;
    while let Some([kind, first, second]) = payload.get(at..at + 3)
        && *kind != 0
    {
        let is_short = *first < 0x40;
        let len = if is_short {
            usize::from(*first)
        } else {
            usize::from(*first & 0x3f) * 256 + usize::from(*second)
        };
        at += len + if is_short { 2 } else { 3 };
    }
    at.min(payload.len())
}

impl Peer<'_> {
    pub(super) fn mailbox(&self) -> MailboxId {
        match &self.side {
            Side::Phone(link) => link.terms.mailbox,
            Side::Web(link) => link.terms.mailbox,
        }
    }

    /// The id of the psk that both hold at first.
    pub(super) fn current_id(&self) -> PskId {
        psk_id(&self.start.resume, &self.mailbox())
    }

    fn block(&self) -> ResumeBlock {
        let h = match &self.side {
            Side::Phone(link) => link.terms.h,
            Side::Web(link) => link.terms.h,
        };
        let epoch = |way: &str| Epoch::from_bytes(derive::epoch(&h, way));
        let (out, in_) = match self.side {
            Side::Phone(_) => ("p2w", "w2p"),
            Side::Web(_) => ("w2p", "p2w"),
        };
        ResumeBlock {
            out_epoch: epoch(out),
            in_epoch: epoch(in_),
            next_seq: 1,
            durable: 0,
            oldest: 1,
            log_id: LogId::from_bytes([9; 16]),
            rev: 0,
            streams: Vec::new(),
        }
    }

    fn party(&mut self, plan: &Plan, head: &KkHead, role: HandshakeRole) -> Result<HandshakeState, Stop> {
        let mailbox = plan.mailbox.unwrap_or_else(|| self.mailbox());
        let (web, phone) = (AttachmentId::from_bytes(plan.ids.0), AttachmentId::from_bytes(plan.ids.1));
        let relay = own(RelayName::parse(plan.relay))?;
        let prologue = signed::link_prologue(&mailbox, &web, &phone, &relay, head);
        let (secret, remote, recovery) = match &self.side {
            Side::Phone(link) => (*link.ps.expose(), link.web_key, *link.recovery.expose()),
            Side::Web(link) => (*link.wd.expose(), link.phone_key, *link.recovery.expose()),
        };
        let of_mode = if head.mode == KkMode::Recover { recovery } else { *self.start.resume.expose() };
        let keys = Keys::new(DhSecret::generate(&mut self.rng))
            .with_s(DhSecret::from_bytes(plan.own_static.unwrap_or(secret)))
            .with_rs(remote)
            .with_psk(Psk::from_bytes(plan.psk.unwrap_or(of_mode)));
        let pattern = own(Pattern::from_protocol_name("Noise_KKpsk0_25519_ChaChaPoly_SHA256"))?;
        own(HandshakeState::new(&pattern, role, &prologue, keys))
    }

    /// As the web: sends message 1.
    pub(super) fn message1(&mut self, plan: &Plan) -> Result<HandshakeState, Stop> {
        let Side::Web(link) = &self.side else { return wrong("the runner plays the web here") };
        let recovery = Psk::from_bytes(*link.recovery.expose());
        let named = if plan.mode == KkMode::Recover { &recovery } else { &self.start.resume };
        let id = plan.psk_id.unwrap_or_else(|| psk_id(named, &self.mailbox()));
        let head = KkHead { mode: plan.mode, psk_id: id };
        let payload = Kk1 {
            versions: own(Versions::new(&plan.versions).ok_or("versions"))?,
            capabilities: vec![],
            limits: vec![],
            try_: plan.try_,
            resume: plan.resume.then(|| self.block()),
            psk_id_held: plan.held,
            pending: plan.pending,
        };
        let state = self.party(plan, &head, HandshakeRole::Initiator)?;
        let (state, mut message) = own(state.write_message(&with_tail(payload.encode(), &plan.tail)))?;
        (plan.alter)(&mut message);
        let mut head = head.encode();
        head[0] = plan.suite;
        self.data(DataKind::KK1, &[head.as_slice(), &message].concat())?;
        Ok(state)
    }

    /// As the web: reads the message 2 that came for this state, and takes its keys.
    pub(super) fn finish(&mut self, state: HandshakeState) -> Result<Kk2, Stop> {
        let Some(body) = self.last(DataKind::KK2) else {
            return wrong("message 1 must be answered, and is not");
        };
        let Ok((state, payload)) = state.read_message(&body) else {
            return wrong("message 2 does not open: keys or prologue differ");
        };
        let reply = match Kk2::decode(&payload) {
            Ok(reply) => reply,
            Err(error) => return wrong(format!("the payload of message 2 is refused with {}", error.code())),
        };
        let Split { initiator_to_responder, responder_to_initiator, rs, .. } = own(state.split())?;
        let used = *self.start.resume.expose();
        let next: [u8; 32] = derive::expand(&derive::extract(&used, rs.expose()), "resume", &[]);
        let id = psk_id(&Psk::from_bytes(next), &self.mailbox());
        let _ = self.next.get_or_insert((next, id));
        self.sealer = Some(Sealer::new(initiator_to_responder));
        self.opener = Some(Opener::new(responder_to_initiator));
        Ok(reply)
    }

    /// As the phone: answers the last message 1 of the shim.
    pub(super) fn message2(&mut self, plan: &Plan) -> Step {
        let Some(body) = self.last(DataKind::KK1) else {
            return wrong("a web must send message 1, and does not");
        };
        let (head, message) = match KkHead::split_from(&body) {
            Ok(split) => split,
            Err(error) => return wrong(format!("the head of message 1 is refused with {}", error.code())),
        };
        let honest = Plan { mode: head.mode, ..Plan::default() };
        // What is wrong is wrong in message 2 alone, so message 1 is read as it should be; a static key or psk of
        // another is used for both, and message 1 then taken unread.
        let state = self.party(&honest, &head, HandshakeRole::Responder)?;
        let Ok((state, payload)) = state.read_message(message) else {
            return wrong("message 1 does not open: keys or prologue differ");
        };
        match Kk1::decode(&payload) {
            Ok(payload) if payload.versions.contains(&2) && payload.versions.contains(&1) => {}
            Ok(_) => return wrong("a reconnect must offer versions 2 and 1"),
            Err(error) => {
                return wrong(format!("the payload of message 1 is refused with {}", error.code()));
            }
        }
        let resumes = plan.resume && head.mode == KkMode::Resume;
        let reply = Kk2 {
            version: plan.versions.first().copied().unwrap_or(2),
            capabilities: vec![],
            limits: vec![],
            resume: resumes.then(|| self.block()),
            commands: plan.commands.filter(|_| resumes),
            quarantine: plan.quarantine,
        };
        let (state, mut message) = own(state.write_message(&with_tail(reply.encode(), &plan.tail)))?;
        (plan.alter)(&mut message);
        let Split { initiator_to_responder, responder_to_initiator, .. } = own(state.split())?;
        self.sealer = Some(Sealer::new(responder_to_initiator));
        self.opener = Some(Opener::new(initiator_to_responder));
        self.data(DataKind::KK2, &message)
    }

    /// A right connection, of the try after those that were.
    pub(super) fn connect(&mut self, try_: u64) -> Step {
        if matches!(self.side, Side::Web(_)) {
            let state = self.message1(&Plan { try_, ..Plan::default() })?;
            let _ = self.finish(state)?;
        } else {
            self.message2(&Plan::default())?;
        }
        self.send(&[])?;
        self.wait(0)?;
        self.is_told("connected")
    }

    /// A message 1 under the psk that follows the connection that was made.
    pub(super) fn next_psk_plan(&self, try_: u64) -> Plan {
        Plan {
            try_,
            psk: self.next.map(|(psk, _)| psk),
            psk_id: self.next.map(|(_, id)| id),
            ..Plan::default()
        }
    }

    /// No message 2 was sent.
    pub(super) fn is_silent(&mut self) -> Step {
        self.wait(0)?;
        if self.last(DataKind::KK2).is_some() {
            return wrong("this message 1 must not be answered, and is");
        }
        Ok(())
    }

    /// The shim did not take message 2: nothing is connected, and no record was sent.
    pub(super) fn is_refused(&mut self) -> Step {
        self.send(&[Frame::Ping { id: 78, rev: 0 }])?;
        self.wait(0)?;
        if self.count(DataKind::RECORD) > 0 || !self.heard.is_empty() {
            return wrong("this message 2 must be refused, and a record follows it");
        }
        self.is_not_told("connected")
    }
}
