//! One test for each rule by which a side refuses a pairing: what the neighbours broke, each with its error.

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachKey, AttachmentId, DhPublic, SigningPublic};
use handfast_codec::payload::{Xk1, Xk2};
use handfast_codec::qr::{Opening, QrOffer, RelayRef};
use handfast_codec::versions::Versions;
use handfast_codec::{RelayName, signed};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::pairing::phone::{self, AwaitApproval};
use handfast_handshake::pairing::web::Code;
use handfast_handshake::pairing::{self, PairingContext};
use handfast_handshake::secret::{DhSecret, Psk};
use handfast_handshake::{BadKey, HandshakeError};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use crate::support::{
    Approved, Linked, account, approve, claims, code, context, granted_terms, link, relay, rng, scan, scanned,
};

/// A peer that says whatever a test wants, over the same Noise core.
struct Peer(HandshakeState);

/// `psk = Expand(Extract("pair", secret), "pair psk" || Wq, 32)`, from the text of the specification.
fn pairing_psk(offer: &QrOffer) -> Psk {
    let prk = Hkdf::<Sha256>::new(Some(b"handfast/1 pair"), offer.secret());
    let mut psk = [0; 32];
    prk.expand(&[b"handfast/1 pair psk".as_slice(), offer.web_key.as_bytes()].concat(), &mut psk)
        .expect("32 bytes");
    Psk::from_bytes(psk)
}

fn pairing_prologue(offer: &QrOffer, context: &PairingContext) -> Vec<u8> {
    let mailbox = pairing::mailbox(offer);
    signed::pairing_prologue(
        &offer.payload_without_secret(),
        &context.relay,
        &mailbox,
        &context.phone,
        &context.web,
    )
}

impl Peer {
    /// A phone that reads this offer.
    fn phone(offer: &QrOffer, ps: DhSecret, psk: Psk, prologue: &[u8]) -> Self {
        let keys =
            Keys::new(DhSecret::generate(&mut rng(60))).with_s(ps).with_rs(offer.web_key).with_psk(psk);
        let pattern = Pattern::parse("XKpsk0").expect("a pattern");
        Self(HandshakeState::new(&pattern, HandshakeRole::Initiator, prologue, keys).expect("the keys fit"))
    }

    /// A web behind this offer.
    fn web(offer: &QrOffer, wq: DhSecret) -> Self {
        let keys = Keys::new(DhSecret::generate(&mut rng(61))).with_s(wq).with_psk(pairing_psk(offer));
        let pattern = Pattern::parse("XKpsk0").expect("a pattern");
        let prologue = pairing_prologue(offer, &context());
        Self(HandshakeState::new(&pattern, HandshakeRole::Responder, &prologue, keys).expect("the keys fit"))
    }
}

fn honest_phone(code: &Code) -> Peer {
    let offer = scanned(code);
    let prologue = pairing_prologue(&offer, &context());
    Peer::phone(&offer, DhSecret::from_bytes([0x61; 32]), pairing_psk(&offer), &prologue)
}

fn xk1(versions: &[u8]) -> Vec<u8> {
    let versions = Versions::new(versions).expect("one to eight");
    Xk1 { versions, capabilities: vec![], limits: vec![] }.encode()
}

/// Message 2 of the page whose code this is, or why there is none.
fn read_message1(message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    let read = code().read_message1(&context(), &claims(), message, &mut rng(3));
    read.map(|(_, message2)| message2).map_err(|refused| *refused.error())
}

#[test]
fn a_message_1_under_another_psk_prologue_or_key_does_not_decrypt() {
    // req: HSK-005, HSK-013
    let code = code();
    let offer = scanned(&code);
    let (psk, prologue) = (|| pairing_psk(&offer), pairing_prologue(&offer, &context()));
    let ps = || DhSecret::from_bytes([0x61; 32]);
    let write = |peer: Peer| peer.0.write_message(&xk1(&[2])).expect("writes").1;
    assert!(read_message1(&write(Peer::phone(&offer, ps(), psk(), &prologue))).is_ok());

    let refused = Err(HandshakeError::Decrypt);
    let other_psk = write(Peer::phone(&offer, ps(), Psk::from_bytes([9; 32]), &prologue));
    assert_eq!(read_message1(&other_psk), refused);
    let other_offer =
        QrOffer::new(DhSecret::from_bytes([8; 32]).public(), *offer.secret(), offer.relay.clone());
    let other_offer = other_offer.expect("the name fits");
    assert_eq!(read_message1(&write(Peer::phone(&other_offer, ps(), psk(), &prologue))), refused);
    let swapped = PairingContext { phone: context().web, web: context().phone, ..context() };
    let contexts = [
        PairingContext { relay: RelayName::parse("relay.example").expect("a name"), ..context() },
        PairingContext { phone: AttachmentId::from_bytes([9; 8]), ..context() },
        PairingContext { web: AttachmentId::from_bytes([9; 8]), ..context() },
        swapped,
    ];
    for context in contexts {
        let message = write(Peer::phone(&offer, ps(), psk(), &pairing_prologue(&offer, &context)));
        assert_eq!(read_message1(&message), refused, "{context:?}");
    }
    for changed in [prologue.len() - 1, 11 + 8, 11 + 8 + 40] {
        let mut wrong = prologue.clone();
        wrong[changed] ^= 1;
        assert_eq!(read_message1(&write(Peer::phone(&offer, ps(), psk(), &wrong))), refused, "{changed}");
    }
}

#[test]
fn an_offer_with_another_secret_relay_or_key_meets_elsewhere_or_not_at_all() {
    // req: HSK-005
    let code = code();
    let offer = scanned(&code);
    let mut secret = *offer.secret();
    secret[0] ^= 1;
    let other_secret = QrOffer::new(offer.web_key, secret, offer.relay.clone()).expect("the name fits");
    assert_ne!(pairing::mailbox(&other_secret), pairing::mailbox(&offer));
    let elsewhere = RelayRef::Host(RelayName::parse("localhost").expect("a name"));
    let other_relay = QrOffer::new(offer.web_key, *offer.secret(), elsewhere).expect("the name fits");
    for offer in [other_secret, other_relay] {
        let (_, message) = phone::start(&offer, &context(), &mut rng(2)).expect("starts");
        assert_eq!(read_message1(&message), Err(HandshakeError::Decrypt));
    }
}

#[test]
fn a_reflected_message_is_refused() {
    // req: HSK-005
    let made = scan();
    let (phone, message1) = phone::start(&made.offer, &context(), &mut rng(2)).expect("starts");
    assert_eq!(phone.read(&message1).err(), Some(HandshakeError::Decrypt));
    assert_eq!(made.web.read(&made.message2).err(), Some(HandshakeError::Decrypt));
}

#[test]
fn low_order_and_non_canonical_keys_are_refused() {
    // req: HSK-001, HSK-009
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    let mut one = [0; 32];
    one[0] = 1;
    let cases = [([0; 32], BadKey::LowOrder), (one, BadKey::LowOrder), (prime, BadKey::NonCanonical)];
    for (bytes, error) in cases {
        // As the ephemeral key of message 1.
        let message = [&bytes[..], &[0; 200]].concat();
        assert_eq!(read_message1(&message), Err(error.into()));
        // As Wq.
        let offer = QrOffer::new(DhPublic::from_bytes(bytes), [5; 32], RelayRef::Host(relay()));
        let started = phone::start(&offer.expect("the name fits"), &context(), &mut rng(2));
        assert_eq!(started.err(), Some(error.into()));
        // As Wd.
        let refused = phone_reads(|reply| reply.web_key = DhPublic::from_bytes(bytes));
        assert_eq!(refused.err(), Some(error.into()));
        assert_eq!(HandshakeError::from(error).code(), ErrorCode::HANDSHAKE_FAILED);
    }
}

/// The secret key of a code that a test draws itself, and what opens it.
const WQ: [u8; 32] = [0x51; 32];
const OPENING: [u8; 32] = [5; 32];

/// A code of that key whose secret is `SHA-256("code" || Wq || opening)`, from the text of the specification.
fn opened_by(opening: &[u8; 32]) -> QrOffer {
    let wq = DhSecret::from_bytes(WQ).public();
    let secret = Sha256::digest([b"handfast/1 code".as_slice(), wq.as_bytes(), opening].concat());
    QrOffer::new(wq, secret.into(), RelayRef::Host(relay())).expect("the name fits")
}

/// The phone's answer to a message 2 that decrypts and says something else than an honest one.
fn phone_reads(change: impl FnOnce(&mut Xk2)) -> Result<AwaitApproval, HandshakeError> {
    let (offer, wq) = (opened_by(&OPENING), DhSecret::from_bytes(WQ));
    let (phone, message1) = phone::start(&offer, &context(), &mut rng(2)).expect("starts");
    let (web, _) = Peer::web(&offer, wq).0.read_message(&message1).expect("reads");
    let mut reply = reply_opened_by(OPENING);
    change(&mut reply);
    let (_, message2) = web.write_message(&reply.encode()).expect("writes");
    phone.read(&message2)
}

fn reply_opened_by(opening: [u8; 32]) -> Xk2 {
    Xk2 {
        version: 2,
        capabilities: vec![],
        limits: vec![],
        web_key: DhSecret::from_bytes([0x52; 32]).public(),
        signing_key: SigningKey::from_bytes([0x53; 32]).public(),
        attach_key: SigningKey::from_bytes([0x54; 32]).attach_key(),
        label: "x".into(),
        origin: String::new(),
        grants: 0,
        opening: Opening::from_bytes(opening),
    }
}

#[test]
fn a_message_2_that_does_not_open_the_code_is_refused_before_anything_of_it_is_told() {
    // req: HSK-096, HSK-005
    assert!(phone_reads(|_| {}).is_ok());
    let refused = Some(HandshakeError::WrongOpening);
    for at in [0, 15, 31] {
        let mut other = OPENING;
        other[at] ^= 0x80;
        assert_eq!(phone_reads(|reply| reply.opening = Opening::from_bytes(other)).err(), refused, "{at}");
    }
    // The secret of the code itself, and what opens another key's code.
    let secret = *opened_by(&OPENING).secret();
    assert_eq!(phone_reads(|reply| reply.opening = Opening::from_bytes(secret)).err(), refused);
    let foreign = scanned(&code());
    let copied = QrOffer::new(DhSecret::from_bytes(WQ).public(), *foreign.secret(), foreign.relay.clone());
    let copied = copied.expect("the name fits");
    let (phone, message1) = phone::start(&copied, &context(), &mut rng(2)).expect("starts");
    let (web, _) = Peer::web(&copied, DhSecret::from_bytes(WQ)).0.read_message(&message1).expect("reads");
    let (_, message2) = web.write_message(&reply_opened_by(OPENING).encode()).expect("writes");
    assert_eq!(phone.read(&message2).err(), refused);
    // Nothing of what else is wrong shows before.
    let both_wrong = phone_reads(|reply| {
        reply.opening = Opening::from_bytes([6; 32]);
        reply.web_key = DhSecret::from_bytes(WQ).public();
    });
    assert_eq!(both_wrong.err(), refused);
    assert_eq!(HandshakeError::WrongOpening.code(), ErrorCode::HANDSHAKE_FAILED);
}

#[test]
fn a_side_refuses_its_own_static_key() {
    // req: HSK-002
    let offer = opened_by(&OPENING);
    let keys = Keys::new(DhSecret::from_bytes([1; 32]))
        .with_s(DhSecret::from_bytes(WQ))
        .with_rs(offer.web_key)
        .with_psk(pairing_psk(&offer));
    let pattern = Pattern::parse("XKpsk0").expect("a pattern");
    let state = HandshakeState::new(&pattern, HandshakeRole::Initiator, b"", keys);
    assert_eq!(state.err(), Some(BadKey::Own.into()));
}

#[test]
fn a_key_that_serves_twice_is_refused_by_the_phone() {
    // req: CRT-003
    let wq = DhSecret::from_bytes(WQ).public();
    let (we, attach) =
        (SigningKey::from_bytes([0x53; 32]).public(), SigningKey::from_bytes([0x54; 32]).attach_key());
    let reused = Some(HandshakeError::KeyReused);
    assert_eq!(phone_reads(|reply| reply.web_key = wq).err(), reused);
    assert_eq!(phone_reads(|reply| reply.attach_key = AttachKey::from_bytes(*we.as_bytes())).err(), reused);
    assert_eq!(
        phone_reads(|reply| reply.signing_key = SigningPublic::from_bytes(*attach.as_bytes())).err(),
        reused
    );
    assert_eq!(HandshakeError::KeyReused.code(), ErrorCode::HANDSHAKE_FAILED);

    // The account's key is known at approval only.
    let mut with_account_as_we = phone_reads(|reply| reply.signing_key = account().public()).expect("reads");
    let code = brute_force(&mut with_account_as_we);
    let approved = with_account_as_we.approve(code, &account(), granted_terms(), &mut rng(4));
    assert_eq!(approved.err(), reused);
}

// req: CRT-020
#[test]
fn a_page_whose_signatures_nobody_can_verify_is_refused_by_the_phone() {
    let weak = [0; 32];
    let refused = Some(BadKey::LowOrder.into());
    assert_eq!(phone_reads(|reply| reply.attach_key = AttachKey::from_bytes(weak)).err(), refused);
    assert_eq!(phone_reads(|reply| reply.signing_key = SigningPublic::from_bytes(weak)).err(), refused);
}

/// Finds the check code of an attempt whose web shows none: three tries an attempt, all of them alike.
fn brute_force(attempt: &mut AwaitApproval) -> phone::CodeConfirmed {
    // The attempt is the same each time, so its code is looked for over fresh copies of it.
    let copy = || phone_reads(|reply| reply.signing_key = account().public()).expect("reads");
    let mut found = None;
    let mut at = 0;
    while found.is_none() {
        let mut copy = copy();
        for typed in at..at + 3 {
            if copy.check(&format!("{typed:04}")).is_ok() {
                found = Some(typed);
            }
        }
        at += 3;
        assert!(at < 10_002, "one of 10,000 codes is right");
    }
    attempt.check(&format!("{:04}", found.expect("found"))).expect("right")
}

#[test]
fn keys_that_are_in_use_in_another_link_are_refused() {
    // req: CRT-003
    let Linked { phone, web, .. } = link();
    let refused = Err(HandshakeError::KeyReused);
    let made = scan();
    // The same draws of the web make the same keys.
    for key in phone.peer_keys() {
        assert_eq!(made.phone.require_unused(&[[1; 32], key]), refused);
    }
    assert_eq!(made.phone.require_unused(&[[1; 32]]), Ok(()));
    let Approved { offered, web: certificate, .. } = approve();
    let decision = certificate.read(&offered.cert).expect("the certificate holds");
    for key in web.peer_keys() {
        assert_eq!(decision.require_unused(&[key]), refused);
    }
    assert_eq!(
        decision.require_unused(&[*account().public().as_bytes()]),
        Ok(()),
        "an account may be linked twice"
    );
}

#[test]
fn versions_are_chosen_and_checked() {
    // req: HSK-007, HSK-008, EXT-002
    let code = code();
    let message = |versions: &[u8]| honest_phone(&code).0.write_message(&xk1(versions)).expect("writes").1;
    assert!(read_message1(&message(&[2])).is_ok());
    assert!(read_message1(&message(&[58, 2, 120])).is_ok(), "grease is skipped");
    assert!(read_message1(&message(&[2, 1])).is_ok());
    for versions in [&[1][..], &[0], &[58], &[1, 3, 4, 5, 6, 7, 8, 9]] {
        assert_eq!(read_message1(&message(versions)), Err(HandshakeError::NoCommonVersion));
    }
    assert_eq!(HandshakeError::NoCommonVersion.code(), ErrorCode::NO_COMMON_VERSION);
    for version in [0, 1, 58] {
        assert_eq!(phone_reads(|reply| reply.version = version).err(), Some(HandshakeError::NoCommonVersion));
    }
}

#[test]
fn a_payload_that_decrypts_and_is_malformed_has_its_own_code() {
    // req: HSK-012
    let code = code();
    let message = |payload: &[u8]| honest_phone(&code).0.write_message(payload).expect("writes").1;
    let code_of = |payload: &[u8]| match read_message1(&message(payload)) {
        Err(HandshakeError::Decode(error)) => error.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code_of(&[]), ErrorCode::BAD_RECORD_SIZE);
    assert_eq!(code_of(&[0; 100]), ErrorCode::BAD_RECORD_SIZE);
    assert_eq!(code_of(&[0; 128]), ErrorCode::FIELD_MISSING);
    assert_eq!(code_of(&[7; 128]), ErrorCode::UNKNOWN_CRITICAL);
    // A message 3 that is not empty.
    let (phone, message1) = honest_phone(&code).0.write_message(&xk1(&[2])).expect("writes");
    let (web, message2) =
        code.read_message1(&context(), &claims(), &message1, &mut rng(3)).expect("message 1 is read");
    let (phone, _) = phone.read_message(&message2).expect("reads");
    let (_, message3) = phone.write_message(&xk1(&[2])).expect("writes");
    match web.read(&message3).err() {
        Some(HandshakeError::Decode(error)) => assert_eq!(error.code(), ErrorCode::UNKNOWN_CRITICAL),
        other => panic!("{other:?}"),
    }
}

#[test]
fn three_wrong_codes_end_the_attempt() {
    // req: HSK-010, HSK-011
    let mut made = scan();
    let right = made.web.check_code().to_string();
    let (wrong, other) = wrong_codes(&right);
    for (left, typed) in [(2, wrong), (1, ""), (0, "12345")] {
        assert_eq!(made.phone.check(typed).err().map(|wrong| wrong.left), Some(left));
    }
    assert_eq!(
        made.phone.check(&right).err().map(|wrong| wrong.left),
        Some(0),
        "the right code comes too late"
    );
    // Two wrong codes leave one try.
    let mut made = scan();
    let _ = (made.phone.check(wrong).err(), made.phone.check(other).err());
    assert!(made.phone.check(&right).is_ok());
}

/// Two codes of which neither is this one.
fn wrong_codes(right: &str) -> (&'static str, &'static str) {
    match right {
        "0000" => ("0001", "0002"),
        "0001" => ("0000", "0002"),
        _ => ("0000", "0001"),
    }
}

#[test]
fn the_same_wrong_code_twice_ends_the_attempt() {
    // req: HSK-099
    let right = scan().web.check_code().to_string();
    let (wrong, other) = wrong_codes(&right);
    let spaced = format!(" {wrong}  ");
    for typed in [&[wrong, wrong][..], &[wrong, &spaced], &[wrong, other, wrong], &[wrong, other, other]] {
        let mut phone = scan().phone;
        let lefts: Vec<_> = typed.iter().map(|code| phone.check(code).expect_err("wrong").left).collect();
        assert_eq!(lefts.last(), Some(&0), "{typed:?}");
        assert_eq!(phone.check(&right).expect_err("over").left, 0, "{typed:?}");
    }
}

#[test]
fn a_wrong_number_uses_the_attempt_up() {
    // req: HSK-095, HSK-103
    let right = approve().offered.confirmation.to_string();
    for typed in (0..100)
        .map(|number| format!("{number:02}"))
        .chain(["", "7", "007", "ab", "\u{ff17}5", "-1"].map(str::to_owned))
    {
        let Approved { offered, web, .. } = approve();
        let asked = web.read(&offered.cert).expect("the certificate holds");
        assert_eq!(asked.confirm(&typed).is_ok(), typed == right, "{typed:?}");
    }
}

#[test]
fn both_numbers_hang_on_message_1_and_the_opening_and_on_nothing_later() {
    // req: HSK-094, HSK-095
    // From the text of the specification.
    let number = |h1: &[u8; 32], label: &[u8]| {
        let (_, hkdf) = Hkdf::<Sha256>::extract(Some(&[]), &[h1.as_slice(), &OPENING].concat());
        let mut out = [0; 8];
        hkdf.expand(label, &mut out).expect("8 bytes");
        u64::from_be_bytes(out)
    };
    let mut seen = std::collections::BTreeSet::new();
    for label in ["x", "another label", &"z".repeat(64)] {
        let offer = opened_by(&OPENING);
        let (_, message1) = phone::start(&offer, &context(), &mut rng(2)).expect("starts");
        let (web, _) = Peer::web(&offer, DhSecret::from_bytes(WQ)).0.read_message(&message1).expect("reads");
        let h1 = web.handshake_hash();
        let mut phone = phone_reads(|reply| reply.label = label.to_owned()).expect("reads");
        let digits = format!("{:04}", number(&h1, b"handfast/1 check code") % 10_000);
        let typed = phone.check(&digits).expect("the digits of the text");
        let approved = phone.approve(typed, &account(), granted_terms(), &mut rng(4)).expect("approved");
        let shown = approved.0.confirmation.to_string();
        assert_eq!(shown, format!("{:02}", number(&h1, b"handfast/1 check number") % 100));
        seen.insert((digits, shown));
    }
    assert_eq!(seen.len(), 1, "what message 2 says beside the opening changes no number");
}

#[test]
fn the_check_code_of_another_attempt_approves_nothing() {
    // req: HSK-010
    let mut one = scan();
    let confirmed = one.phone.check(&one.web.check_code().to_string()).expect("right");
    let other = phone_reads(|_| {}).expect("reads");
    let refused = other.approve(confirmed, &account(), granted_terms(), &mut rng(4));
    assert_eq!(refused.err(), Some(HandshakeError::OutOfTurn));
}
