//! One test for each rule by which a side refuses: what the neighbours broke, each with its error.

mod support;

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{
    AttachKey, AttachmentId, CompanionId, DhPublic, PskId, Salt, Signature, SigningPublic,
};
use handfast_codec::link::LinkCert;
use handfast_codec::payload::{Kk1, Kk2, KkHead, KkMode, Xk1, Xk2};
use handfast_codec::qr::{Offer, RelayRef};
use handfast_codec::versions::Versions;
use handfast_codec::{RelayName, signed};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::key_schedule::psk_id;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::pairing::phone::{self, AwaitApproval};
use handfast_handshake::pairing::web::Code;
use handfast_handshake::pairing::{self, PairingContext};
use handfast_handshake::reconnect::phone::ReceiveError;
use handfast_handshake::reconnect::{self, LinkContext};
use handfast_handshake::secret::{DhSecret, Psk};
use handfast_handshake::{BadKey, HandshakeError, certificate};
use hkdf::Hkdf;
use sha2::Sha256;

use support::{
    Approved, Linked, account, approve, claims, code, context, kk1, kk2, link, link_context, offering, relay,
    rng, scan, scanned,
};

/// A peer that says whatever a test wants, over the same Noise core.
struct Peer(HandshakeState);

/// `psk = Expand(Extract("pair", secret), "pair psk" || Wq, 32)`, from the text of the specification.
fn pairing_psk(offer: &Offer) -> Psk {
    let prk = Hkdf::<Sha256>::new(Some(b"handfast/1 pair"), offer.secret());
    let mut psk = [0; 32];
    prk.expand(&[b"handfast/1 pair psk".as_slice(), offer.web_key.as_bytes()].concat(), &mut psk)
        .expect("32 bytes");
    Psk::from_bytes(psk)
}

fn pairing_prologue(offer: &Offer, context: &PairingContext) -> Vec<u8> {
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
    fn phone(offer: &Offer, ps: DhSecret, psk: Psk, prologue: &[u8]) -> Self {
        let keys =
            Keys::new(DhSecret::generate(&mut rng(60))).with_s(ps).with_rs(offer.web_key).with_psk(psk);
        let pattern = Pattern::parse("XKpsk0").expect("a pattern");
        Self(HandshakeState::new(&pattern, HandshakeRole::Initiator, prologue, keys).expect("the keys fit"))
    }

    /// A web behind this offer.
    fn web(offer: &Offer, wq: DhSecret) -> Self {
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

fn read_message1(code: &Code, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    code.read_message1(&context(), &claims(), message, &mut rng(3)).map(|(_, message2)| message2)
}

#[test]
fn a_message_1_under_another_psk_prologue_or_key_does_not_decrypt() {
    // req: HSK-005, HSK-013
    let code = code();
    let offer = scanned(&code);
    let (psk, prologue) = (|| pairing_psk(&offer), pairing_prologue(&offer, &context()));
    let ps = || DhSecret::from_bytes([0x61; 32]);
    let write = |peer: Peer| peer.0.write_message(&xk1(&[1])).expect("writes").1;
    assert!(read_message1(&code, &write(Peer::phone(&offer, ps(), psk(), &prologue))).is_ok());

    let refused = Err(HandshakeError::Decrypt);
    let other_psk = write(Peer::phone(&offer, ps(), Psk::from_bytes([9; 32]), &prologue));
    assert_eq!(read_message1(&code, &other_psk), refused);
    let other_offer =
        Offer::new(DhSecret::from_bytes([8; 32]).public(), *offer.secret(), offer.relay.clone());
    let other_offer = other_offer.expect("the name fits");
    assert_eq!(read_message1(&code, &write(Peer::phone(&other_offer, ps(), psk(), &prologue))), refused);
    let swapped = PairingContext { phone: context().web, web: context().phone, ..context() };
    let contexts = [
        PairingContext { relay: RelayName::parse("relay.example").expect("a name"), ..context() },
        PairingContext { phone: AttachmentId::from_bytes([9; 8]), ..context() },
        PairingContext { web: AttachmentId::from_bytes([9; 8]), ..context() },
        swapped,
    ];
    for context in contexts {
        let message = write(Peer::phone(&offer, ps(), psk(), &pairing_prologue(&offer, &context)));
        assert_eq!(read_message1(&code, &message), refused, "{context:?}");
    }
    for changed in [prologue.len() - 1, 11 + 8, 11 + 8 + 40] {
        let mut wrong = prologue.clone();
        wrong[changed] ^= 1;
        assert_eq!(
            read_message1(&code, &write(Peer::phone(&offer, ps(), psk(), &wrong))),
            refused,
            "{changed}"
        );
    }
}

#[test]
fn an_offer_with_another_secret_relay_or_key_meets_elsewhere_or_not_at_all() {
    // req: HSK-005
    let code = code();
    let offer = scanned(&code);
    let mut secret = *offer.secret();
    secret[0] ^= 1;
    let other_secret = Offer::new(offer.web_key, secret, offer.relay.clone()).expect("the name fits");
    assert_ne!(pairing::mailbox(&other_secret), pairing::mailbox(&offer));
    let elsewhere = RelayRef::Host(RelayName::parse("localhost").expect("a name"));
    let other_relay = Offer::new(offer.web_key, *offer.secret(), elsewhere).expect("the name fits");
    for offer in [other_secret, other_relay] {
        let (_, message) = phone::start(&offer, &context(), &mut rng(2)).expect("starts");
        assert_eq!(read_message1(&code, &message), Err(HandshakeError::Decrypt));
    }
}

#[test]
fn a_reflected_message_is_refused() {
    // req: HSK-005
    let made = scan();
    let (phone, message1) = phone::start(&scanned(&made.code), &context(), &mut rng(2)).expect("starts");
    assert_eq!(phone.read(&message1).err(), Some(HandshakeError::Decrypt));
    assert_eq!(made.web.read(&made.message2).err(), Some(HandshakeError::Decrypt));
}

#[test]
fn a_replayed_message_1_gets_other_keys_and_no_message_3() {
    let made = scan();
    // The web may read it again: a relay cannot make the old phone's message 3 fit.
    let again = made.code.read_message1(&context(), &claims(), &made.message1, &mut rng(30));
    let (web, message2) = again.expect("it decrypts");
    assert_ne!(message2, made.message2);
    assert_eq!(web.check_code().to_string(), made.web.check_code().to_string(), "the code hangs on h1 alone");
    assert_eq!(web.read(&approve().message3).err(), Some(HandshakeError::Decrypt));
}

#[test]
fn low_order_and_non_canonical_keys_are_refused() {
    // req: HSK-001, HSK-009
    let code = code();
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    let mut one = [0; 32];
    one[0] = 1;
    let cases = [([0; 32], BadKey::LowOrder), (one, BadKey::LowOrder), (prime, BadKey::NonCanonical)];
    for (bytes, error) in cases {
        // As the ephemeral key of message 1.
        let message = [&bytes[..], &[0; 200]].concat();
        assert_eq!(read_message1(&code, &message), Err(error.into()));
        // As Wq.
        let offer = Offer::new(DhPublic::from_bytes(bytes), [5; 32], RelayRef::Host(relay()));
        let started = phone::start(&offer.expect("the name fits"), &context(), &mut rng(2));
        assert_eq!(started.err(), Some(error.into()));
        // As Wd.
        let refused = phone_reads(|reply| reply.web_key = DhPublic::from_bytes(bytes));
        assert_eq!(refused.err(), Some(error.into()));
        assert_eq!(HandshakeError::from(error).code(), ErrorCode::HANDSHAKE_FAILED);
    }
}

/// The phone's answer to a message 2 that decrypts and says something else than an honest one.
fn phone_reads(change: impl FnOnce(&mut Xk2)) -> Result<AwaitApproval, HandshakeError> {
    let wq = DhSecret::from_bytes([0x51; 32]);
    let offer = Offer::new(wq.public(), [5; 32], RelayRef::Host(relay())).expect("the name fits");
    let (phone, message1) = phone::start(&offer, &context(), &mut rng(2)).expect("starts");
    let (web, _) = Peer::web(&offer, wq).0.read_message(&message1).expect("reads");
    let mut reply = Xk2 {
        version: 1,
        capabilities: vec![],
        limits: vec![],
        web_key: DhSecret::from_bytes([0x52; 32]).public(),
        signing_key: SigningKey::from_bytes([0x53; 32]).public(),
        attach_key: SigningKey::from_bytes([0x54; 32]).attach_key(),
        label: "x".into(),
        origin: String::new(),
        grants: 0,
    };
    change(&mut reply);
    let (_, message2) = web.write_message(&reply.encode()).expect("writes");
    phone.read(&message2)
}

#[test]
fn a_side_refuses_its_own_static_key() {
    // req: HSK-002
    let wq = DhSecret::from_bytes([0x51; 32]);
    let offer = Offer::new(wq.public(), [5; 32], RelayRef::Host(relay())).expect("the name fits");
    let keys = Keys::new(DhSecret::from_bytes([1; 32]))
        .with_s(DhSecret::from_bytes([0x51; 32]))
        .with_rs(offer.web_key)
        .with_psk(pairing_psk(&offer));
    let pattern = Pattern::parse("XKpsk0").expect("a pattern");
    let state = HandshakeState::new(&pattern, HandshakeRole::Initiator, b"", keys);
    assert_eq!(state.err(), Some(BadKey::Own.into()));
}

#[test]
fn a_key_that_serves_twice_is_refused_by_the_phone() {
    // req: CRT-003
    let wq = DhSecret::from_bytes([0x51; 32]).public();
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
    let approved = with_account_as_we.approve(code, &account(), offering(), &mut rng(4));
    assert_eq!(approved.err(), reused);
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
    assert!(read_message1(&code, &message(&[1])).is_ok());
    assert!(read_message1(&code, &message(&[58, 1, 120])).is_ok(), "grease is skipped");
    assert!(read_message1(&code, &message(&[2, 1])).is_ok());
    for versions in [&[2][..], &[0], &[58], &[2, 3, 4, 5, 6, 7, 8, 9]] {
        assert_eq!(read_message1(&code, &message(versions)), Err(HandshakeError::NoCommonVersion));
    }
    assert_eq!(HandshakeError::NoCommonVersion.code(), ErrorCode::NO_COMMON_VERSION);
    for version in [0, 2, 58] {
        assert_eq!(phone_reads(|reply| reply.version = version).err(), Some(HandshakeError::NoCommonVersion));
    }
}

#[test]
fn a_payload_that_decrypts_and_is_malformed_has_its_own_code() {
    // req: HSK-012
    let code = code();
    let message = |payload: &[u8]| honest_phone(&code).0.write_message(payload).expect("writes").1;
    let code_of = |payload: &[u8]| match read_message1(&code, &message(payload)) {
        Err(HandshakeError::Decode(error)) => error.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code_of(&[]), ErrorCode::BAD_RECORD_SIZE);
    assert_eq!(code_of(&[0; 100]), ErrorCode::BAD_RECORD_SIZE);
    assert_eq!(code_of(&[0; 128]), ErrorCode::FIELD_MISSING);
    assert_eq!(code_of(&[7; 128]), ErrorCode::UNKNOWN_CRITICAL);
    // A message 3 that is not empty.
    let (phone, message1) = honest_phone(&code).0.write_message(&xk1(&[1])).expect("writes");
    let (web, message2) =
        code.read_message1(&context(), &claims(), &message1, &mut rng(3)).expect("message 1 is read");
    let (phone, _) = phone.read_message(&message2).expect("reads");
    let (_, message3) = phone.write_message(&xk1(&[1])).expect("writes");
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
    let wrong = if right == "0000" { "0001" } else { "0000" };
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
    let _ = (made.phone.check(wrong).err(), made.phone.check(wrong).err());
    assert!(made.phone.check(&right).is_ok());
}

#[test]
fn the_check_code_of_another_attempt_approves_nothing() {
    // req: HSK-010
    let mut one = scan();
    let confirmed = one.phone.check(&one.web.check_code().to_string()).expect("right");
    let other = phone_reads(|_| {}).expect("reads");
    let refused = other.approve(confirmed, &account(), offering(), &mut rng(4));
    assert_eq!(refused.err(), Some(HandshakeError::OutOfTurn));
}

#[test]
fn terms_out_of_range_are_refused() {
    let approve = |change: &dyn Fn(&mut phone::Offering)| {
        let mut made = scan();
        let confirmed = made.phone.check(&made.web.check_code().to_string()).expect("right");
        let mut offering = offering();
        change(&mut offering);
        made.phone.approve(confirmed, &account(), offering, &mut rng(4)).map(|_| ())
    };
    assert_eq!(approve(&|o| o.account_name = "n".repeat(64)), Ok(()));
    assert_eq!(approve(&|o| o.idle_days = 365), Ok(()));
    assert_eq!(approve(&|o| o.serial = (1 << 62) - 1), Ok(()));
    let wrong = Err(HandshakeError::WrongTerms);
    assert_eq!(approve(&|o| o.account_name = String::new()), wrong);
    assert_eq!(approve(&|o| o.account_name = "n".repeat(65)), wrong);
    assert_eq!(approve(&|o| o.idle_days = 0), wrong);
    assert_eq!(approve(&|o| o.idle_days = 366), wrong);
    assert_eq!(approve(&|o| o.serial = 1 << 62), wrong);
    assert_eq!(approve(&|o| o.grants = 1 << 62), wrong);
}

/// What a web says to a certificate.
fn web_reads(change: impl FnOnce(&mut LinkCert)) -> Result<(), HandshakeError> {
    let Approved { offered, web, .. } = approve();
    let mut cert = offered.cert;
    change(&mut cert);
    web.read(&cert).map(|_| ())
}

#[test]
fn a_certificate_with_any_field_substituted_is_refused() {
    // req: CRT-002
    assert_eq!(web_reads(|_| {}), Ok(()));
    let bad = Err(HandshakeError::BadSignature);
    assert_eq!(HandshakeError::BadSignature.code(), ErrorCode::HANDSHAKE_FAILED);
    let other = SigningKey::from_bytes([0x77; 32]);
    assert_eq!(web_reads(|cert| cert.account = other.public()), bad);
    assert_eq!(web_reads(|cert| cert.phone_attach = other.attach_key()), bad);
    assert_eq!(web_reads(|cert| cert.salt = Salt::from_bytes([1; 16])), bad);
    assert_eq!(web_reads(|cert| cert.companion = CompanionId::from_bytes([1; 16])), bad);
    assert_eq!(web_reads(|cert| cert.serial += 1), bad);
    assert_eq!(web_reads(|cert| cert.grants = 0), bad);
    assert_eq!(web_reads(|cert| cert.idle_days += 1), bad);
    for byte in 0..64 {
        let flipped = web_reads(|cert| {
            let mut signature = *cert.signature.as_bytes();
            signature[byte] ^= 1;
            cert.signature = Signature::from_bytes(signature);
        });
        assert_eq!(flipped, bad, "{byte}");
    }
}

/// The certificate of an honest phone, signed anew over fields that a test changed.
fn web_reads_signed(change: impl Fn(&mut signed::CertificateFields<'_>)) -> Result<(), HandshakeError> {
    let Approved { offered, web, .. } = approve();
    let (link, mut cert) = (&offered.link, offered.cert.clone());
    let (phone_key, phone_attach) = (link.ps.public(), link.attach.attach_key());
    let mut fields = signed::CertificateFields {
        h: &link.terms.h,
        account: &link.terms.account,
        phone_key: &phone_key,
        web_key: &link.web_key,
        web_signing: &link.web_signing,
        phone_attach: &phone_attach,
        web_attach: &link.web_attach,
        salt: &link.terms.salt,
        companion: &link.terms.companion,
        serial: link.terms.serial,
        grants: link.terms.grants,
        idle_days: link.terms.idle_days,
        relay: &link.terms.relay,
    };
    change(&mut fields);
    cert.signature = account().sign(&signed::certificate_tbs(&fields));
    web.read(&cert).map(|_| ())
}

#[test]
fn a_certificate_signed_over_something_else_is_refused() {
    // req: CRT-002
    static H: [u8; 32] = [1; 32];
    let dh = DhSecret::from_bytes([0x71; 32]).public();
    let (signing, attach) =
        (SigningKey::from_bytes([0x72; 32]).public(), SigningKey::from_bytes([0x73; 32]).attach_key());
    let elsewhere = RelayName::parse("relay.example").expect("a name");
    let (dh, signing, attach, elsewhere): (&'static _, &'static _, &'static _, &'static _) = (
        Box::leak(Box::new(dh)),
        Box::leak(Box::new(signing)),
        Box::leak(Box::new(attach)),
        Box::leak(Box::new(elsewhere)),
    );
    assert_eq!(web_reads_signed(|_| {}), Ok(()));
    let bad = Err(HandshakeError::BadSignature);
    assert_eq!(web_reads_signed(|fields| fields.h = &H), bad, "another handshake");
    assert_eq!(web_reads_signed(|fields| fields.phone_key = dh), bad, "another Ps");
    assert_eq!(web_reads_signed(|fields| fields.web_key = dh), bad, "another Wd");
    assert_eq!(web_reads_signed(|fields| fields.web_signing = signing), bad, "another We");
    assert_eq!(web_reads_signed(|fields| fields.web_attach = attach), bad, "another attach key");
    assert_eq!(web_reads_signed(|fields| fields.relay = elsewhere), bad, "another relay");
}

#[test]
fn a_certificate_in_which_a_key_serves_twice_is_refused() {
    // req: CRT-003
    let Approved { offered, web, .. } = approve();
    let link = &offered.link;
    let mut cert = offered.cert.clone();
    cert.phone_attach = AttachKey::from_bytes(*cert.account.as_bytes());
    let (phone_key, phone_attach) = (link.ps.public(), cert.phone_attach);
    let fields = signed::CertificateFields {
        h: &link.terms.h,
        account: &link.terms.account,
        phone_key: &phone_key,
        web_key: &link.web_key,
        web_signing: &link.web_signing,
        phone_attach: &phone_attach,
        web_attach: &link.web_attach,
        salt: &link.terms.salt,
        companion: &link.terms.companion,
        serial: link.terms.serial,
        grants: link.terms.grants,
        idle_days: link.terms.idle_days,
        relay: &link.terms.relay,
    };
    cert.signature = account().sign(&signed::certificate_tbs(&fields));
    assert_eq!(web.read(&cert).map(|_| ()), Err(HandshakeError::KeyReused));
}

#[test]
fn a_foreign_acceptance_is_refused() {
    // req: CRT-004
    let Linked { phone, web, .. } = link();
    assert!(phone.verify_accept(&web.accept).is_ok());
    let refused = |signature: &Signature| phone.verify_accept(signature).err();
    let bad = Some(HandshakeError::BadSignature);
    let (hash, h) = (phone.terms.cert_hash, phone.terms.h);
    let other = SigningKey::from_bytes([0x72; 32]);
    assert_eq!(refused(&other.sign(&signed::accept_tbs(&hash, &h))), bad, "another key");
    assert_eq!(refused(&web.attach.sign(&signed::accept_tbs(&hash, &h))), bad, "the attach key");
    assert_eq!(refused(&web.we.sign(&signed::accept_tbs(&[0; 32], &h))), bad, "another certificate");
    assert_eq!(refused(&web.we.sign(&signed::accept_tbs(&hash, &[0; 32]))), bad, "another handshake");
    let terms = &phone.terms;
    let revoked = signed::revoked_tbs(&terms.companion, terms.serial, &terms.mailbox);
    assert_eq!(refused(&web.we.sign(&revoked)), bad, "another context");
    assert_eq!(refused(&web.we.sign(&signed::accept_tbs(&hash, &h))), None);
}

#[test]
fn a_revocation_is_the_accounts_and_of_this_companion() {
    // req: CRT-005
    let Linked { phone, web, .. } = link();
    let good = certificate::sign_revoked(&account(), &phone.terms);
    assert_eq!(certificate::verify_revoked(&web, &good), Ok(()));
    let bad = Err(HandshakeError::BadSignature);
    let mut other = phone.terms.clone();
    other.serial += 1;
    assert_eq!(certificate::verify_revoked(&web, &certificate::sign_revoked(&account(), &other)), bad);
    let mut other = phone.terms.clone();
    other.companion = CompanionId::from_bytes([1; 16]);
    assert_eq!(certificate::verify_revoked(&web, &certificate::sign_revoked(&account(), &other)), bad);
    let mut other = phone.terms.clone();
    other.mailbox = pairing::mailbox(code().offer());
    assert_eq!(certificate::verify_revoked(&web, &certificate::sign_revoked(&account(), &other)), bad);
    assert_eq!(certificate::verify_revoked(&web, &certificate::sign_revoked(&web.we, &phone.terms)), bad);
}

/// What a phone says to a message 1 from this web, in this place.
fn phone_receives(
    link: &Linked,
    sent: &LinkContext<'_>,
    seen: &LinkContext<'_>,
    payload: &Kk1,
    mode: KkMode,
) -> Result<u8, ReceiveError> {
    let psk = &link.web_start.resume;
    let (_, body) = reconnect::web::start(sent, &link.web, mode, psk, payload, &mut rng(20)).expect("starts");
    let id = psk_id(&link.phone_start.resume, &sent.mailbox);
    let lookup = |head: &KkHead| (head.psk_id == id).then_some(&link.phone_start.resume);
    reconnect::phone::receive(seen, &link.phone, &body, lookup, &mut rng(21)).map(|received| received.version)
}

#[test]
fn a_reconnect_is_bound_to_its_place() {
    // req: HSK-005
    let link = link();
    let (name, elsewhere) = (relay(), RelayName::parse("relay.example").expect("a name"));
    let here = link_context(&link, &name);
    let payload = kk1(1, KkMode::Resume, Versions::CURRENT);
    let receive = |seen: &LinkContext<'_>| phone_receives(&link, &here, seen, &payload, KkMode::Resume);
    assert_eq!(receive(&here), Ok(1));
    let refused = Err(ReceiveError::Failed(HandshakeError::Decrypt));
    for seen in [
        LinkContext { web: AttachmentId::from_bytes([9; 8]), ..here },
        LinkContext { phone: AttachmentId::from_bytes([9; 8]), ..here },
        LinkContext { web: here.phone, phone: here.web, ..here },
        LinkContext { mailbox: pairing::mailbox(code().offer()), ..here },
        LinkContext { relay: &elsewhere, ..here },
    ] {
        assert_eq!(receive(&seen), refused, "{seen:?}");
    }
}

#[test]
fn a_reconnect_under_other_keys_is_refused() {
    // req: HSK-005, HSK-031
    let mut link = link();
    let name = relay();
    let mailbox = link.phone.terms.mailbox;
    let payload = kk1(1, KkMode::Resume, Versions::CURRENT);
    let here = |link: &Linked| LinkContext { mailbox, ..link_context(link, &name) };
    // Another web's static key.
    let wd = std::mem::replace(&mut link.web.wd, DhSecret::from_bytes([0x33; 32]));
    let refused = Err(ReceiveError::Failed(HandshakeError::Decrypt));
    assert_eq!(phone_receives(&link, &here(&link), &here(&link), &payload, KkMode::Resume), refused);
    link.web.wd = wd;
    // Another phone's.
    let ps = std::mem::replace(&mut link.phone.ps, DhSecret::from_bytes([0x34; 32]));
    assert_eq!(phone_receives(&link, &here(&link), &here(&link), &payload, KkMode::Resume), refused);
    link.phone.ps = ps;
    // A psk that the phone does not know costs a look-up.
    let psk = std::mem::replace(&mut link.web_start.resume, Psk::from_bytes([1; 32]));
    let unknown = Err(ReceiveError::UnknownKey);
    assert_eq!(phone_receives(&link, &here(&link), &here(&link), &payload, KkMode::Resume), unknown);
    link.web_start.resume = psk;
    assert_eq!(phone_receives(&link, &here(&link), &here(&link), &payload, KkMode::Resume), Ok(1));
}

#[test]
fn an_unknown_psk_id_is_found_before_any_key_is_used() {
    // req: HSK-031
    let link = link();
    let name = relay();
    let head = KkHead { mode: KkMode::Resume, psk_id: PskId::from_bytes([1; 8]) };
    let mut asked = 0;
    // Nothing behind the head is a valid message: a Diffie-Hellman over it would fail as a bad key.
    let body = [&head.encode()[..], &[0; 64]].concat();
    let lookup = |seen: &KkHead| {
        asked += 1;
        assert_eq!(*seen, head);
        None
    };
    let received =
        reconnect::phone::receive(&link_context(&link, &name), &link.phone, &body, lookup, &mut rng(1));
    assert_eq!(received.err(), Some(ReceiveError::UnknownKey));
    assert_eq!(asked, 1);
}

#[test]
fn a_reconnect_checks_versions_on_both_sides() {
    // req: HSK-007, HSK-008, EXT-002
    let link = link();
    let name = relay();
    let here = link_context(&link, &name);
    let receive = |versions: &[u8]| {
        let payload = kk1(1, KkMode::Resume, Versions::new(versions).expect("one to eight"));
        phone_receives(&link, &here, &here, &payload, KkMode::Resume)
    };
    assert_eq!(receive(&[58, 2, 1]), Ok(1));
    let none = Err(ReceiveError::Failed(HandshakeError::NoCommonVersion));
    assert_eq!((receive(&[2]), receive(&[58])), (none, none));
    assert_eq!(
        web_reads_reply(&Kk2 { version: 2, ..kk2(KkMode::Resume) }),
        Err(HandshakeError::NoCommonVersion)
    );
}

/// What a web says to this reply, from a phone over the same Noise core.
fn web_reads_reply(reply: &Kk2) -> Result<Kk2, HandshakeError> {
    let link = link();
    let name = relay();
    let here = link_context(&link, &name);
    let psk = &link.web_start.resume;
    let payload = kk1(1, KkMode::Resume, Versions::CURRENT);
    let (web, body) =
        reconnect::web::start(&here, &link.web, KkMode::Resume, psk, &payload, &mut rng(20)).expect("starts");
    let (head, message) = KkHead::split_from(&body).expect("a head");
    let keys = Keys::new(DhSecret::from_bytes([0x35; 32]))
        .with_s(DhSecret::from_bytes(*link.phone.ps.expose()))
        .with_rs(link.phone.web_key)
        .with_psk(Psk::from_bytes(*psk.expose()));
    let prologue = signed::link_prologue(&here.mailbox, &here.web, &here.phone, here.relay, &head);
    let pattern = Pattern::parse("KKpsk0").expect("a pattern");
    let phone =
        HandshakeState::new(&pattern, HandshakeRole::Responder, &prologue, keys).expect("the keys fit");
    let (phone, _) = phone.read_message(message).expect("reads");
    let (_, message2) = phone.write_message(&reply.encode()).expect("writes");
    web.read(&message2).map(|(reply, _)| reply)
}

#[test]
fn the_fields_of_a_reconnect_are_those_of_its_mode() {
    // req: FRM-009, HSK-027, HSK-042
    let decode_code = |result: Result<Kk2, HandshakeError>| match result {
        Err(HandshakeError::Decode(error)) => error.code(),
        other => panic!("{other:?}"),
    };
    let resume = kk2(KkMode::Resume);
    assert_eq!(web_reads_reply(&resume).as_ref(), Ok(&resume));
    let quarantine = Kk2 { resume: None, quarantine: true, ..resume.clone() };
    assert_eq!(web_reads_reply(&quarantine).as_ref(), Ok(&quarantine));
    let neither = Kk2 { resume: None, ..resume.clone() };
    assert_eq!(decode_code(web_reads_reply(&neither)), ErrorCode::FIELD_MISSING);
    let both = Kk2 { quarantine: true, ..resume };
    assert_eq!(decode_code(web_reads_reply(&both)), ErrorCode::FIELD_VALUE);

    let link = link();
    let name = relay();
    let here = link_context(&link, &name);
    for (mode, mut payload, code) in [
        (KkMode::Resume, kk1(1, KkMode::Recover, Versions::CURRENT), ErrorCode::FIELD_MISSING),
        (KkMode::Recover, kk1(1, KkMode::Resume, Versions::CURRENT), ErrorCode::FIELD_VALUE),
    ] {
        let error = phone_receives(&link, &here, &here, &payload, mode).expect_err("refused");
        let ReceiveError::Failed(HandshakeError::Decode(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.code(), code);
        payload.resume = Some(support::block(1));
        payload.psk_id_held = Some(PskId::from_bytes([1; 8]));
        let error = phone_receives(&link, &here, &here, &payload, mode).expect_err("refused");
        let ReceiveError::Failed(HandshakeError::Decode(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.code(), ErrorCode::FIELD_VALUE);
    }
}
