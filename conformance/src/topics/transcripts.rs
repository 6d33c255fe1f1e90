//! Handshakes as each party sees them: what it sends, what it reads, and what it must refuse.

mod mutators;

use anyhow::Result;
use handfast_codec::ErrorCode;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::secret::{DhSecret, Psk};
use serde_json::{Value, json};

use crate::case::Case;
use crate::fields::hex;
use crate::seed;

/// A handshake between two parties with keys of their own.
#[derive(Clone)]
struct Session {
    id: String,
    protocol: &'static str,
    prologue: Vec<u8>,
    /// Messages and payloads, in order; the initiator's first.
    messages: Vec<Vec<u8>>,
    payloads: Vec<Vec<u8>>,
}

/// Pattern, its short name, the lengths of its payloads.
const PATTERNS: [(&str, &str, &[usize]); 2] = [
    ("xk", "Noise_XKpsk0_25519_ChaChaPoly_SHA256", &[128, 256, 128]),
    ("kk", "Noise_KKpsk0_25519_ChaChaPoly_SHA256", &[128, 128]),
];

impl Session {
    fn new(id: &str, protocol: &'static str, prologue: &[u8], payloads: Vec<Vec<u8>>) -> Result<Self> {
        let mut session =
            Self { id: id.to_owned(), protocol, prologue: prologue.to_vec(), messages: vec![], payloads };
        let mut parties =
            [HandshakeRole::Initiator, HandshakeRole::Responder].map(|role| session.state(role).map(Some));
        let [initiator, responder] = &mut parties;
        let (mut from, mut to) = (initiator, responder);
        for payload in session.payloads.clone() {
            let (Ok(sender), Ok(receiver)) = (&mut *from, &mut *to) else { break };
            let (next, message) = sender.take().expect("its turn").write_message(&payload)?;
            *sender = Some(next);
            *receiver = Some(receiver.take().expect("its turn").read_message(&message)?.0);
            session.messages.push(message);
            core::mem::swap(&mut from, &mut to);
        }
        Ok(session)
    }

    fn key(&self, role: HandshakeRole, name: &str) -> [u8; 32] {
        seed::key(&self.id, role_name(role), name)
    }

    fn psk(&self) -> [u8; 32] {
        seed::key(&self.id, "both", "psk")
    }

    /// What is known of the peer's static key before the first message.
    fn rs(&self, role: HandshakeRole) -> Option<[u8; 32]> {
        let is_known = role == HandshakeRole::Initiator || self.protocol.contains("KK");
        let peer = DhSecret::from_bytes(self.key(other(role), "s"));
        is_known.then(|| *peer.public().as_bytes())
    }

    fn state(&self, role: HandshakeRole) -> Result<HandshakeState> {
        let secret = |name| DhSecret::from_bytes(self.key(role, name));
        let mut keys = Keys::new(secret("e")).with_s(secret("s")).with_psk(Psk::from_bytes(self.psk()));
        if let Some(rs) = self.rs(role) {
            keys = keys.with_rs(handfast_codec::ids::DhPublic::from_bytes(rs));
        }
        Ok(HandshakeState::new(&Pattern::from_protocol_name(self.protocol)?, role, &self.prologue, keys)?)
    }

    /// The messages that a role sends.
    fn of(role: HandshakeRole, all: &[Vec<u8>]) -> Vec<String> {
        let first = usize::from(role == HandshakeRole::Responder);
        all.iter().skip(first).step_by(2).map(hex).collect()
    }

    /// The case of one party.
    fn input(&self, role: HandshakeRole) -> Value {
        let mut input = json!({
            "protocol": self.protocol, "role": role_name(role), "prologue": hex(&self.prologue),
            "e": hex(self.key(role, "e")), "s": hex(self.key(role, "s")), "psk": hex(self.psk()),
            "payloads": Self::of(role, &self.payloads), "messages": Self::of(other(role), &self.messages),
        });
        if let Some(rs) = self.rs(role) {
            input["rs"] = hex(rs).into();
        }
        input
    }
}

const fn other(role: HandshakeRole) -> HandshakeRole {
    match role {
        HandshakeRole::Initiator => HandshakeRole::Responder,
        HandshakeRole::Responder => HandshakeRole::Initiator,
    }
}

const fn role_name(role: HandshakeRole) -> &'static str {
    match role {
        HandshakeRole::Initiator => "initiator",
        HandshakeRole::Responder => "responder",
    }
}

const ROLES: [HandshakeRole; 2] = [HandshakeRole::Initiator, HandshakeRole::Responder];

/// A session whose payloads are of these lengths.
fn session(id: &str, protocol: &'static str, prologue: &[u8], lens: &[usize]) -> Result<Session> {
    let payloads = lens.iter().enumerate().map(|(at, len)| vec![u8::try_from(at).unwrap_or(0); *len]);
    Session::new(id, protocol, prologue, payloads.collect())
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let mut out = Vec::new();
    for (name, protocol, lens) in PATTERNS {
        let empty = vec![0; lens.len()];
        let most: Vec<usize> = lens.iter().map(|_| 2_048).collect();
        for (what, prologue, lens, comment) in [
            ("plain", &b"a prologue"[..], lens, "payloads of the sizes that are usual"),
            ("no-prologue", b"", lens, "an empty prologue is hashed too"),
            ("long-prologue", &[0x5a; 300], lens, "a prologue longer than a block"),
            ("empty-payloads", b"a prologue", &empty, "a payload of no bytes still has a tag"),
            ("longest-payloads", b"a prologue", &most, "payloads of 2,048 bytes"),
        ] {
            for role in ROLES {
                let id = format!("transcripts/{name}-{what}-{}", role_name(role));
                let session = session(&format!("transcripts/{name}-{what}"), protocol, prologue, lens)?;
                let input = session.input(role);
                let reqs = ["HSK-005"];
                out.push(Case::valid(&id, &reqs, comment, "handshake.party", input)?);
            }
        }
        // Its first messages alone: what is held between two messages.
        for (count, role) in [(1, ROLES[0]), (1, ROLES[1]), (2, ROLES[0]), (2, ROLES[1])] {
            if count == lens.len() {
                continue;
            }
            let id = format!("transcripts/{name}-first-{count}-{}", role_name(role));
            let session = session(&id, protocol, b"a prologue", &lens[..count])?;
            let comment = "a handshake that is not at its end";
            out.push(Case::valid(&id, &["HSK-005"], comment, "handshake.party", session.input(role))?);
        }
    }
    Ok(out)
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let mut out = Vec::new();
    for (name, protocol, lens) in PATTERNS {
        let id = format!("refuse-transcripts/{name}");
        let good = session(&id, protocol, b"a prologue", lens)?;
        let again = session(&format!("{id}-again"), protocol, b"a prologue", lens)?;
        for role in ROLES {
            for refusal in mutators::refusals(&good, &again, role)? {
                let mutators::Refusal { mutator, place, req, comment, mut input, code } = refusal;
                // What its user may be told; the wire says less.
                if code == ErrorCode::BAD_KEY {
                    input["local"] = true.into();
                }
                let id = format!("{id}-{}/{mutator}/{place}", role_name(role));
                let mut case = Case::invalid(&id, &[req], comment, "handshake.party", input, code)?;
                case.mutator = Some(mutator.to_owned());
                out.push(case);
            }
        }
    }
    Ok(out)
}
