//! Two honest parties, from a scanned code to a link and its reconnects.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses a part of it")]

use handfast_codec::RelayName;
use handfast_codec::ids::{AttachmentId, CommandKey, CompanionId, Epoch, LogId};
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, KkMode, ResumeBlock};
use handfast_codec::qr::QrOffer;
use handfast_codec::relay::DATA_HEADER_LEN;
use handfast_codec::versions::Versions;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_handshake::pairing::phone::{self, AwaitApproval, GrantedTerms};
use handfast_handshake::pairing::web::{AwaitCertificate, AwaitMessage3, Code};
use handfast_handshake::pairing::{Claims, PairingContext};
use handfast_handshake::reconnect::LinkContext;
use handfast_handshake::record::{Opener, Sealer};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub(crate) fn relay() -> RelayName {
    RelayName::parse("127.0.0.1:8787").expect("a name")
}

pub(crate) fn context() -> PairingContext {
    PairingContext {
        relay: relay(),
        phone: AttachmentId::from_bytes([1; 8]),
        web: AttachmentId::from_bytes([2; 8]),
    }
}

pub(crate) fn claims() -> Claims {
    Claims { label: "Firefox on Linux".into(), origin: "https://web.example".into(), grants: 3 }
}

pub(crate) fn account() -> SigningKey {
    SigningKey::from_bytes([0x41; 32])
}

pub(crate) fn granted_terms() -> GrantedTerms {
    GrantedTerms {
        account_name: "Ada".into(),
        companion: CompanionId::from_bytes([7; 16]),
        serial: 1,
        grants: 1,
        idle_days: 14,
    }
}

/// The code as the phone reads it.
pub(crate) fn scanned(code: &Code) -> QrOffer {
    QrOffer::decode(&code.offer().encode()).expect("the text decodes")
}

/// The code of these tests: the same each time, since one is used up by its answer.
pub(crate) fn code() -> Code {
    Code::generate(relay(), &mut rng(1)).expect("the name fits")
}

/// A code with both messages that were sent before the user is asked, and the states after them.
pub(crate) struct Scanned {
    pub(crate) offer: QrOffer,
    pub(crate) message1: Vec<u8>,
    pub(crate) message2: Vec<u8>,
    pub(crate) web: AwaitMessage3,
    pub(crate) phone: AwaitApproval,
}

pub(crate) fn scan() -> Scanned {
    let offer = scanned(&code());
    let (phone, message1) = phone::start(&offer, &context(), &mut rng(2)).expect("starts");
    let (web, message2) =
        code().read_message1(&context(), &claims(), &message1, &mut rng(3)).expect("message 1 is read");
    let phone = phone.read(&message2).expect("message 2 is read");
    Scanned { offer, message1, message2, web, phone }
}

/// The states after message 3.
pub(crate) struct Approved {
    pub(crate) offered: phone::OfferedLink,
    pub(crate) web: AwaitCertificate,
    pub(crate) web_sealer: Sealer,
    pub(crate) web_opener: Opener,
    pub(crate) message3: Vec<u8>,
}

pub(crate) fn approve() -> Approved {
    let Scanned { web, mut phone, .. } = scan();
    let typed = web.check_code().to_string();
    let confirmed = phone.check(&typed).expect("the code is right");
    let (offered, message3) =
        phone.approve(confirmed, &account(), granted_terms(), &mut rng(4)).expect("message 3 is made");
    let (web, web_sealer, web_opener) = web.read(&message3).expect("message 3 is read");
    Approved { offered, web, web_sealer, web_opener, message3 }
}

/// A link, as both sides hold it.
pub(crate) struct Linked {
    pub(crate) phone: PhoneLink,
    pub(crate) phone_start: Start,
    pub(crate) web: WebLink,
    pub(crate) web_start: Start,
}

pub(crate) fn link() -> Linked {
    let Approved { offered, web, .. } = approve();
    let typed = offered.confirmation.to_string();
    let asked = web.read(&offered.cert).expect("the certificate holds");
    let (web, web_start) = asked.confirm(&typed).expect("the number is right");
    Linked { phone: offered.link, phone_start: offered.start, web, web_start }
}

pub(crate) fn link_context<'a>(link: &Linked, relay: &'a RelayName) -> LinkContext<'a> {
    LinkContext {
        mailbox: link.phone.terms.mailbox,
        web: AttachmentId::from_bytes([3; 8]),
        phone: AttachmentId::from_bytes([4; 8]),
        relay,
    }
}

pub(crate) fn block(byte: u8) -> ResumeBlock {
    ResumeBlock {
        out_epoch: Epoch::from_bytes([byte; 16]),
        in_epoch: Epoch::from_bytes([byte + 1; 16]),
        next_seq: 1,
        durable: 0,
        oldest: 1,
        log_id: LogId::from_bytes([0; 16]),
        rev: 0,
        streams: vec![],
    }
}

pub(crate) fn kk1(try_: u64, mode: KkMode, versions: Versions) -> Kk1 {
    Kk1 {
        versions,
        capabilities: vec![],
        limits: vec![],
        try_,
        resume: (mode == KkMode::Resume).then(|| block(10)),
        psk_id_held: (mode == KkMode::Recover).then(|| handfast_codec::ids::PskId::from_bytes([9; 8])),
        pending: false,
    }
}

pub(crate) fn kk2(mode: KkMode) -> Kk2 {
    Kk2 {
        version: 2,
        capabilities: vec![],
        limits: vec![],
        resume: (mode == KkMode::Resume).then(|| block(20)),
        commands: (mode == KkMode::Resume).then_some(CommandsKnown {
            highest: 0,
            key: CommandKey::from_bytes([0; 16]),
            from: 1,
        }),
        quarantine: false,
    }
}

/// A record of `text` as it goes over the wire, header left out.
pub(crate) fn sealed(sealer: &mut Sealer, text: &[u8]) -> bytes::BytesMut {
    let mut record = bytes::BytesMut::from(&handfast_codec::relay::RECORD_HEADER[..]);
    record.extend_from_slice(text);
    record.resize(DATA_HEADER_LEN + 128, 0);
    sealer.seal(&mut record).expect("seals");
    record.split_off(DATA_HEADER_LEN)
}

/// Asserts that what one side seals the other opens, in both directions.
#[track_caller]
pub(crate) fn agree(
    (sealer, opener): (&mut Sealer, &mut Opener),
    (peer_sealer, peer_opener): (&mut Sealer, &mut Opener),
) {
    let one = sealed(sealer, b"one");
    assert_eq!(&peer_opener.open(one).expect("opens")[..3], b"one");
    let two = sealed(peer_sealer, b"two");
    assert_eq!(&opener.open(two).expect("opens")[..3], b"two");
}
