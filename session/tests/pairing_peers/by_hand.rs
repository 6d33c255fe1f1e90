//! Handshake messages of a pairing made step by step, so that a payload can be what no device would write.

use bytes::Bytes;
use handfast_codec::Versions;
use handfast_codec::ids::AttachKey;
use handfast_codec::payload::{Xk1, Xk2, Xk3};
use handfast_codec::qr::{Opening, QrOffer, RelayRef};
use handfast_codec::signed;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::pairing::{PairingContext, mailbox};
use handfast_handshake::secret::DhSecret;
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};

use handfast_testkit::raw::pairing_psk;
use handfast_testkit::relay;

/// What is wrong with a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It has a field 63.
    Odd,
    /// Its first field is missing, or in message 2 its last.
    Lacks,
    /// It names version 9.
    Version,
    /// It has an attach key of small order.
    Key,
}

impl Fault {
    /// That of an event of the tables, if the event is such a message.
    pub(crate) fn of(event: &str) -> Option<Self> {
        let (_, fault) = event.strip_prefix("MESSAGE_")?.split_once('_')?;
        Some(match fault {
            "ODD" => Self::Odd,
            "LACKS" => Self::Lacks,
            "VERSION" => Self::Version,
            _ => Self::Key,
        })
    }

    fn version(self) -> u8 {
        if matches!(self, Self::Version) { 9 } else { 2 }
    }
}

/// How long the list in front of a payload's padding is. Types have one byte, lengths one or two.
fn list_len(payload: &[u8]) -> usize {
    let mut at = 0;
    while let Some([kind, first, second]) = payload.get(at..at + 3)
        && *kind != 0
    {
        let long = usize::from(*first & 0x3f) * 256 + usize::from(*second);
        at += if *first < 0x40 { usize::from(*first) + 2 } else { long + 3 };
    }
    at
}

/// A payload whose list is changed, padded again.
fn changed(payload: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut list = payload[..list_len(payload)].to_vec();
    change(&mut list);
    let len = list.len().max(128).next_power_of_two();
    list.resize(len, 0);
    list
}

/// The state of one side, before message 1.
pub(crate) fn state(
    offer: &QrOffer,
    context: &PairingContext,
    role: HandshakeRole,
    keys: Keys,
) -> HandshakeState {
    let prologue = signed::pairing_prologue(
        &offer.payload_without_secret(),
        &context.relay,
        &mailbox(offer),
        &context.phone,
        &context.web,
    );
    let pattern = Pattern::from_protocol_name("Noise_XKpsk0_25519_ChaChaPoly_SHA256").unwrap();
    HandshakeState::new(&pattern, role, &prologue, keys.with_psk(pairing_psk(offer))).unwrap()
}

/// A phone's state, and message 1 with this fault.
pub(crate) fn message1(
    offer: &QrOffer,
    context: &PairingContext,
    fault: Option<Fault>,
    rng: &mut ChaCha20Rng,
) -> (HandshakeState, Vec<u8>) {
    let keys = Keys::new(DhSecret::generate(rng)).with_s(DhSecret::generate(rng)).with_rs(offer.web_key);
    let version = fault.map_or(2, Fault::version);
    let versions = Versions::new(&[version]).unwrap();
    let right = Xk1 { versions, capabilities: vec![], limits: vec![] }.encode();
    let payload = match fault {
        Some(Fault::Odd) => changed(&right, |list| list.extend([63, 0])),
        // `1 versions` has three bytes.
        Some(Fault::Lacks) => changed(&right, |list| drop(list.drain(..3))),
        _ => right,
    };
    state(offer, context, HandshakeRole::Initiator, keys).write_message(&payload).unwrap()
}

/// Message 3 with an unknown odd field, in answer to a right message 2.
pub(crate) fn message3_odd(state: HandshakeState, message2: &[u8]) -> Vec<u8> {
    let (state, _) = state.read_message(message2).unwrap();
    state.write_message(&changed(&Xk3.encode(), |list| list.extend([63, 0]))).unwrap().1
}

/// The code of a page, whose message 2 is made here.
pub(crate) struct Code {
    wq: DhSecret,
    opening: [u8; 32],
}

impl Code {
    pub(crate) fn new(rng: &mut ChaCha20Rng) -> Self {
        Self { wq: DhSecret::generate(rng), opening: [5; 32] }
    }

    pub(crate) fn offer(&self) -> QrOffer {
        let key = self.wq.public();
        let secret = Sha256::new()
            .chain_update(b"handfast/1 code")
            .chain_update(key.as_bytes())
            .chain_update(self.opening)
            .finalize();
        QrOffer::new(key, secret.into(), RelayRef::Host(relay::name())).unwrap()
    }

    /// Message 2 with this fault, in answer to a right message 1.
    pub(crate) fn message2(
        self,
        context: &PairingContext,
        message1: &Bytes,
        fault: Fault,
        rng: &mut ChaCha20Rng,
    ) -> Vec<u8> {
        let offer = self.offer();
        let keys = Keys::new(DhSecret::generate(rng)).with_s(self.wq);
        let (state, _) =
            state(&offer, context, HandshakeRole::Responder, keys).read_message(message1).unwrap();
        let attach = SigningKey::from_bytes([7; 32]).attach_key();
        // The neutral point.
        let small = AttachKey::from_bytes(std::array::from_fn(|at| u8::from(at == 0)));
        let right = Xk2 {
            version: fault.version(),
            capabilities: vec![],
            limits: vec![],
            web_key: DhSecret::generate(rng).public(),
            signing_key: SigningKey::from_bytes([8; 32]).public(),
            attach_key: if matches!(fault, Fault::Key) { small } else { attach },
            label: "Runner".to_owned(),
            origin: String::new(),
            grants: 7,
            opening: Opening::from_bytes(self.opening),
        }
        .encode();
        let payload = match fault {
            Fault::Odd => changed(&right, |list| list.extend([63, 0])),
            // The opening has 34 bytes with its type and length.
            Fault::Lacks => changed(&right, |list| list.truncate(list.len() - 34)),
            Fault::Version | Fault::Key => right.to_vec(),
        };
        state.write_message(&payload).unwrap().1
    }
}
