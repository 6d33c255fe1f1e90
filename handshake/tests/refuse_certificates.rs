//! Terms, certificates, acceptances and revocations that a side refuses, each with its error.

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachKey, CompanionId, DhPublic, Salt, Signature};
use handfast_codec::link::LinkCert;
use handfast_codec::{RelayName, signed};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::PhoneLink;
use handfast_handshake::pairing;
use handfast_handshake::pairing::phone;
use handfast_handshake::secret::DhSecret;
use handfast_handshake::{BadKey, HandshakeError, certificate};

use crate::support::{Approved, Linked, account, approve, code, granted_terms, link, rng, scan};

#[test]
fn terms_out_of_range_are_refused() {
    let approve = |change: &dyn Fn(&mut phone::GrantedTerms)| {
        let mut made = scan();
        let confirmed = made.phone.check(&made.web.check_code().to_string()).expect("right");
        let mut granted = granted_terms();
        change(&mut granted);
        made.phone.approve(confirmed, &account(), granted, &mut rng(4)).map(|_| ())
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

/// What the account signs of a link.
fn fields<'a>(
    link: &'a PhoneLink,
    phone_key: &'a DhPublic,
    phone_attach: &'a AttachKey,
) -> signed::CertificateFields<'a> {
    signed::CertificateFields {
        h: &link.terms.h,
        account: &link.terms.account,
        phone_key,
        web_key: &link.web_key,
        web_signing: &link.web_signing,
        phone_attach,
        web_attach: &link.web_attach,
        salt: &link.terms.salt,
        companion: &link.terms.companion,
        serial: link.terms.serial,
        grants: link.terms.grants,
        idle_days: link.terms.idle_days,
        relay: &link.terms.relay,
    }
}

/// The certificate of an honest phone, signed anew over fields that a test changed.
fn web_reads_signed(change: impl Fn(&mut signed::CertificateFields<'_>)) -> Result<(), HandshakeError> {
    let Approved { offered, web, .. } = approve();
    let (link, mut cert) = (&offered.link, offered.cert.clone());
    let (phone_key, phone_attach) = (link.ps.public(), link.attach.attach_key());
    let mut fields = fields(link, &phone_key, &phone_attach);
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
    let fields = fields(link, &phone_key, &phone_attach);
    cert.signature = account().sign(&signed::certificate_tbs(&fields));
    assert_eq!(web.read(&cert).map(|_| ()), Err(HandshakeError::KeyReused));
}

// req: CRT-020
#[test]
fn a_certificate_whose_seat_nobody_can_take_is_refused() {
    let Approved { offered, web, .. } = approve();
    let link = &offered.link;
    let mut cert = offered.cert.clone();
    cert.phone_attach = AttachKey::from_bytes([0; 32]);
    let (phone_key, phone_attach) = (link.ps.public(), cert.phone_attach);
    let fields = fields(link, &phone_key, &phone_attach);
    cert.signature = account().sign(&signed::certificate_tbs(&fields));
    let refused = web.read(&cert).map(|_| ()).expect_err("of small order");
    assert_eq!((refused, refused.local_code()), (BadKey::LowOrder.into(), ErrorCode::BAD_KEY));
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
