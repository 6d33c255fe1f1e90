//! Signatures.

use anyhow::Result;
use handfast_codec::ids::{AttachKey, CompanionId, DhPublic, MailboxId, Salt, Signature, SigningPublic};
use handfast_codec::link::LinkCert;
use handfast_codec::relay::{Attach, MailboxKind, MailboxProof, RelayFrame};
use handfast_codec::signed::{self, CertificateFields};
use handfast_codec::{DeviceRole, ErrorCode, RelayName};
use serde_json::{Value, json};

use super::tlv::List;
use crate::case::Case;
use crate::derive::sha256;
use crate::fields::{hex, number};
use crate::ops::{mailbox, public, sign};
use crate::seed;

pub(super) const RELAY: &str = "relay.example:8443";

fn relay() -> RelayName {
    RelayName::parse(RELAY).expect("a name")
}

/// The keys of a link, by name.
fn secret(role: &str, name: &str) -> [u8; 32] {
    seed::key("certificates", role, name)
}

fn ed_public(role: &str, name: &str) -> [u8; 32] {
    public(&secret(role, name))
}

fn attach_key(role: &str) -> AttachKey {
    AttachKey::from_bytes(ed_public(role, "attach"))
}

fn salt() -> Salt {
    Salt::from_bytes(seed::bytes("certificates", "phone", "salt"))
}

fn nonce() -> [u8; 32] {
    secret("relay", "nonce")
}

/// An ATTACH, signed by its own key.
fn attach(role: DeviceRole, proof: MailboxProof, mailbox: [u8; 16]) -> Vec<u8> {
    let mailbox = MailboxId::from_bytes(mailbox);
    let tbs = signed::attach_tbs(&relay(), proof.kind(), role, &mailbox, &nonce());
    let name = if role == DeviceRole::Phone { "phone" } else { "web" };
    let signature = sign(&secret(name, "attach"), &tbs);
    RelayFrame::Attach(Attach { version: 1, role, mailbox, proof, signature }).encode().to_vec()
}

fn link_proof() -> MailboxProof {
    MailboxProof::Link { phone_key: attach_key("phone"), web_key: attach_key("web"), salt: salt() }
}

pub(super) fn link_attach(role: DeviceRole) -> Vec<u8> {
    attach(role, link_proof(), mailbox(&attach_key("phone"), &attach_key("web"), &salt()))
}

pub(super) fn pairing_attach(role: DeviceRole, name: &str) -> Vec<u8> {
    attach(role, MailboxProof::Pairing { key: attach_key(name) }, [0x77; 16])
}

pub(super) fn attach_input(frame: &[u8]) -> Value {
    json!({ "relay": RELAY, "nonce": hex(nonce()), "frame": hex(frame) })
}

/// What the web knows of the handshake.
fn web_side() -> Value {
    json!({
        "relay": RELAY, "h": hex(secret("both", "h")), "ps": hex(secret("phone", "ps-public")),
        "wd": hex(secret("web", "wd-public")), "we": hex(ed_public("web", "we")),
        "web_attach": hex(attach_key("web")),
    })
}

pub(super) fn certificate(serial: u64, idle_days: u16, account_name: &str) -> LinkCert {
    let mut cert = LinkCert {
        account: SigningPublic::from_bytes(ed_public("phone", "account")),
        phone_attach: attach_key("phone"),
        salt: salt(),
        companion: CompanionId::from_bytes(seed::bytes("certificates", "phone", "companion")),
        serial,
        grants: 7,
        idle_days,
        account_name: account_name.to_owned(),
        signature: Signature::from_bytes([0; 64]),
    };
    let tbs = signed::certificate_tbs(&CertificateFields {
        h: &secret("both", "h"),
        account: &cert.account,
        phone_key: &DhPublic::from_bytes(secret("phone", "ps-public")),
        web_key: &DhPublic::from_bytes(secret("web", "wd-public")),
        web_signing: &SigningPublic::from_bytes(ed_public("web", "we")),
        phone_attach: &cert.phone_attach,
        web_attach: &attach_key("web"),
        salt: &cert.salt,
        companion: &cert.companion,
        serial,
        grants: cert.grants,
        idle_days,
        relay: &relay(),
    });
    cert.signature = sign(&secret("phone", "account"), &tbs);
    cert
}

pub(super) fn certificate_input(body: &[u8], change: Option<(&str, Value)>) -> Value {
    let mut input = web_side();
    input["certificate"] = hex(body).into();
    if let Some((field, value)) = change {
        input[field] = value;
    }
    input
}

pub(super) fn accept_input() -> Value {
    let (hash, h) = (sha256(b"a certificate"), secret("both", "h"));
    let signature = sign(&secret("web", "we"), &signed::accept_tbs(&hash, &h));
    json!({ "we": hex(ed_public("web", "we")), "hash": hex(hash), "h": hex(h), "signature": hex(signature) })
}

pub(super) fn revoked_input(serial: u64) -> Value {
    let companion = CompanionId::from_bytes(seed::bytes("certificates", "phone", "companion"));
    let mailbox = MailboxId::from_bytes(mailbox(&attach_key("phone"), &attach_key("web"), &salt()));
    let signature = sign(&secret("phone", "account"), &signed::revoked_tbs(&companion, serial, &mailbox));
    json!({
        "account": hex(ed_public("phone", "account")), "companion": hex(companion), "serial": number(serial),
        "mailbox": hex(mailbox), "signature": hex(signature),
    })
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, frame) in [
        ("pairing-phone", pairing_attach(DeviceRole::Phone, "phone")),
        ("pairing-web", pairing_attach(DeviceRole::Web, "web")),
        ("link-phone", link_attach(DeviceRole::Phone)),
        ("link-web", link_attach(DeviceRole::Web)),
    ] {
        let id = format!("certificates/attach-{name}");
        let comment = "a proof over this socket's nonce";
        cases.push(Case::valid(&id, &["RLY-010"], comment, "attach.verify", attach_input(&frame))?);
    }
    for (name, cert) in [
        ("plain", certificate(1, 14, "Alice")),
        ("idle-1", certificate(2, 1, "A")),
        ("idle-365", certificate((1 << 62) - 1, 365, &"a".repeat(64))),
    ] {
        let id = format!("certificates/link-{name}");
        let input = certificate_input(&cert.encode(), None);
        let comment = "the web fills in what it knows itself";
        cases.push(Case::valid(&id, &["CRT-002", "CRT-006"], comment, "certificate.verify", input)?);
    }
    let comment = "by the web's signing key over the certificate's hash";
    cases.push(Case::valid(
        "certificates/accept",
        &["CRT-004", "CRT-009"],
        comment,
        "accept.verify",
        accept_input(),
    )?);
    for (name, serial) in [("plain", 1), ("serial-large", 1 << 60)] {
        let id = format!("certificates/revoked-{name}");
        let comment = "by the account key";
        cases.push(Case::valid(
            &id,
            &["CRT-005", "CRT-012"],
            comment,
            "revoked.verify",
            revoked_input(serial),
        )?);
    }
    Ok(cases)
}

/// One bit of a hex value, from its end.
fn flipped(value: &Value, from_end: usize) -> Value {
    let mut bytes = crate::fields::unhex(value.as_str().unwrap_or_default()).expect("hex");
    let at = bytes.len() - 1 - from_end;
    bytes[at] ^= 1;
    hex(bytes).into()
}

/// Signatures that hold without the strict rule: A and R are the neutral point, S is 0.
fn neutral() -> ([u8; 32], [u8; 64]) {
    let mut key = [0; 32];
    key[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    (key, signature)
}

/// S + L instead of S: the same signature by the loose rule.
fn with_order_added(signature: &[u8; 64]) -> [u8; 64] {
    // L = 2^252 + 27742317777372353535851937790883648493, little-endian.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut out = *signature;
    let mut carry = 0;
    for (byte, add) in out[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    out
}

fn attaches() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let good = link_attach(DeviceRole::Phone);
    let mut push = |name: &str, comment: &str, input: Value| -> Result<()> {
        let id = format!("refuse-certificates/attach-{name}");
        cases.push(Case::invalid(&id, &["RLY-010"], comment, "attach.verify", input, ErrorCode::BAD_ATTACH)?);
        Ok(())
    };
    let mut other = attach_input(&good);
    other["nonce"] = flipped(&other["nonce"], 0);
    push("nonce", "the nonce of another socket", other)?;
    let mut other = attach_input(&good);
    other["relay"] = "relay.example".into();
    push("relay", "the name of another relay", other)?;
    let list = List::of(&good, 1);
    push("role", "the phone's proof in the web's name", attach_input(&list.clone().with(5, &[2]).bytes()))?;
    push("mailbox", "another mailbox", attach_input(&list.clone().with(7, &[0; 16]).bytes()))?;
    push(
        "salt",
        "a salt that gives another mailbox",
        attach_input(&list.clone().with(13, &[0; 16]).bytes()),
    )?;
    let key = ed_public("stranger", "attach");
    push(
        "key",
        "the peer's key is another, so the mailbox is too",
        attach_input(&list.clone().with(11, &key).bytes()),
    )?;
    let mut signature = list.value(15).to_vec();
    signature[63] ^= 0x20;
    push("signature", "one bit of the signature", attach_input(&list.with(15, &signature).bytes()))?;
    let foreign = pairing_attach(DeviceRole::Phone, "web");
    push("foreign", "signed by another key than the one shown", attach_input(&foreign))?;
    let kind = signed::attach_tbs(
        &relay(),
        MailboxKind::Link,
        DeviceRole::Phone,
        &MailboxId::from_bytes([0x77; 16]),
        &nonce(),
    );
    let signature = sign(&secret("phone", "attach"), &kind);
    let pairing = List::of(&pairing_attach(DeviceRole::Phone, "phone"), 1);
    let comment = "a proof for a link in a pairing";
    push("kind", comment, attach_input(&pairing.clone().with(15, signature.as_bytes()).bytes()))?;
    let (key, signature) = neutral();
    let comment = "the neutral point as key and signature, which the strict rule refuses";
    push("neutral", comment, attach_input(&pairing.with(9, &key).with(15, &signature).bytes()))?;
    Ok(cases)
}

fn links() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let good = certificate(1, 14, "Alice").encode();
    let list = List::of(&good, 0);
    let mut push = |name: &str, req: &str, comment: &str, input: Value, code| -> Result<()> {
        let id = format!("refuse-certificates/link-{name}");
        cases.push(Case::invalid(&id, &[req], comment, "certificate.verify", input, code)?);
        Ok(())
    };
    let bad = ErrorCode::BAD_SIGNATURE;
    for field in ["h", "ps", "wd", "we", "web_attach"] {
        let value = flipped(&web_side()[field], 3);
        let input = certificate_input(&good, Some((field, value)));
        push(&format!("other-{field}"), "CRT-002", "the web knows another value", input, bad)?;
    }
    let input = certificate_input(&good, Some(("relay", "relay.example".into())));
    push("other-relay", "CRT-002", "the web is at another relay", input, bad)?;
    for (field, value) in
        [(7, &ed_public("stranger", "account")[..]), (15, &[2; 32]), (19, &[2; 16]), (21, &[2; 16])]
    {
        let input = certificate_input(&list.clone().with(field, value).bytes(), None);
        push(&format!("field-{field}"), "CRT-002", "a field differs from what was signed", input, bad)?;
    }
    for (field, value) in [(23, 2), (25, 15), (27, 15)] {
        let input = certificate_input(&list.clone().with(field, &[value]).bytes(), None);
        push(&format!("field-{field}"), "CRT-002", "a field differs from what was signed", input, bad)?;
    }
    let signature: [u8; 64] = list.value(33).try_into()?;
    let input = certificate_input(&list.clone().with(33, &with_order_added(&signature)).bytes(), None);
    push("order", "CRT-001", "S is not below the group's order", input, bad)?;
    let (key, signature) = neutral();
    let neutral = list.clone().with(7, &key).with(33, &signature).bytes();
    push("neutral", "CRT-001", "an account key of small order", certificate_input(&neutral, None), bad)?;
    for (name, field, value, code) in [
        ("version-2", 3, &[2][..], ErrorCode::FIELD_VALUE),
        ("idle-0", 27, &[0], ErrorCode::FIELD_VALUE),
        ("idle-366", 27, &[0x41, 0x6e], ErrorCode::FIELD_VALUE),
        ("name-0", 31, &[], ErrorCode::FIELD_LENGTH),
        ("name-65", 31, &[0x61; 65], ErrorCode::FIELD_LENGTH),
        ("name-utf8", 31, &[0xff], ErrorCode::BAD_UTF8),
        ("signature-63", 33, &[0; 63], ErrorCode::FIELD_LENGTH),
    ] {
        let req = if code == ErrorCode::FIELD_VALUE { "CRT-008" } else { "FRM-010" };
        let req = if code == ErrorCode::BAD_UTF8 { "FRM-004" } else { req };
        let input = certificate_input(&list.clone().with(field, value).bytes(), None);
        push(name, req, "grammar comes before the signature", input, code)?;
    }
    for field in [3, 7, 15, 19, 21, 23, 25, 27, 31, 33] {
        let input = certificate_input(&list.clone().without(field).bytes(), None);
        let name = format!("without-{field}");
        push(&name, "FRM-009", "a required field is missing", input, ErrorCode::FIELD_MISSING)?;
    }
    Ok(cases)
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let mut cases = [attaches()?, links()?].concat();
    for (field, from_end) in [("we", 3), ("hash", 0), ("h", 0), ("signature", 40)] {
        let mut input = accept_input();
        input[field] = flipped(&input[field], from_end);
        let id = format!("refuse-certificates/accept-{field}");
        let comment = "a part differs from what was signed";
        cases.push(Case::invalid(
            &id,
            &["CRT-004"],
            comment,
            "accept.verify",
            input,
            ErrorCode::BAD_SIGNATURE,
        )?);
    }
    for field in ["account", "companion", "serial", "mailbox", "signature"] {
        let mut input = revoked_input(1);
        input[field] = if field == "serial" { 2.into() } else { flipped(&input[field], 3) };
        let id = format!("refuse-certificates/revoked-{field}");
        let comment = "a part differs from what was signed";
        cases.push(Case::invalid(
            &id,
            &["CRT-005"],
            comment,
            "revoked.verify",
            input,
            ErrorCode::BAD_SIGNATURE,
        )?);
    }
    let mut input = accept_input();
    input["signature"] = revoked_input(1)["signature"].clone();
    input["we"] = revoked_input(1)["account"].clone();
    let comment = "a signature of another context by the same key";
    let id = "refuse-certificates/accept-context";
    cases.push(Case::invalid(id, &["CRT-004"], comment, "accept.verify", input, ErrorCode::BAD_SIGNATURE)?);
    Ok(cases)
}
