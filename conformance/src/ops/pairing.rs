//! A whole pairing from its keys: three messages, then certificate, acceptance and commit as records.

use anyhow::{Context, Result, ensure};
use handfast_codec::RelayName;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{
    AttachKey, AttachmentId, CompanionId, DhPublic, MailboxId, Salt, Signature, SigningPublic,
};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::payload::Xk3;
use handfast_codec::qr::{QrOffer, RelayRef};
use handfast_codec::record::RecordBuilder;
use handfast_codec::signed::{self, CertificateFields};
use handfast_handshake::hazmat;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern, Split};
use handfast_handshake::record::Sealer;
use handfast_handshake::secret::{DhSecret, Psk};
use serde_json::{Map, Value, json};

use super::noise::variables;
use super::outcome::{Ending, Outcome};
use super::sign::{mailbox, public, sign};
use crate::fields::{Fields, hex};
use crate::{build, derive};

type Object = Map<String, Value>;

/// The three messages, and what they lead to.
struct Messages {
    sent: [Vec<u8>; 3],
    steps: [Value; 3],
    h1: [u8; 32],
    split: Split,
}

/// What the pairing is about, from the code and the relay.
struct Setting {
    offer: QrOffer,
    opening: [u8; 32],
    relay: RelayName,
    mailbox: [u8; 16],
    psk: [u8; 32],
    prologue: Vec<u8>,
}

fn setting(input: &Object) -> Result<Setting> {
    let relay = RelayName::parse(input.text("relay")?)?;
    let wq = DhSecret::from_bytes(input.array("wq")?);
    let opening = input.array("opening")?;
    let secret = derive::code_secret(wq.public().as_bytes(), &opening);
    let offer =
        QrOffer::new(wq.public(), secret, RelayRef::Host(relay.clone())).context("the relay fits a code")?;
    let (mailbox, psk) = derive::pairing(wq.public().as_bytes(), offer.secret());
    let prologue = signed::pairing_prologue(
        &offer.payload_without_secret(),
        &relay,
        &MailboxId::from_bytes(mailbox),
        &AttachmentId::from_bytes(input.array("phone_id")?),
        &AttachmentId::from_bytes(input.array("web_id")?),
    );
    Ok(Setting { offer, opening, relay, mailbox, psk, prologue })
}

fn messages(input: &Object, setting: &Setting) -> Result<Messages> {
    let (phone, web) = (input.object("phone")?, input.object("web")?);
    let pattern = Pattern::from_protocol_name("Noise_XKpsk0_25519_ChaChaPoly_SHA256")?;
    let key = |from: &Object, name: &str| from.array(name).map(DhSecret::from_bytes);
    let phone_keys = Keys::new(key(phone, "e")?)
        .with_s(key(phone, "ps")?)
        .with_rs(setting.offer.web_key)
        .with_psk(Psk::from_bytes(setting.psk));
    let web_keys = Keys::new(key(web, "e")?).with_s(key(input, "wq")?).with_psk(Psk::from_bytes(setting.psk));
    let phone = HandshakeState::new(&pattern, HandshakeRole::Initiator, &setting.prologue, phone_keys)?;
    let page = HandshakeState::new(&pattern, HandshakeRole::Responder, &setting.prologue, web_keys)?;
    let claims = (
        key(web, "wd")?.public(),
        SigningPublic::from_bytes(public(&web.array("we")?)),
        AttachKey::from_bytes(public(&web.array("attach")?)),
    );
    let step = |state: &HandshakeState| variables(&hazmat::intermediates(state));
    let (phone, message1) = phone.write_message(&build::xk1(input.object("payload1")?)?.encode())?;
    let (page, _) = page.read_message(&message1)?;
    let (h1, step1) = (page.handshake_hash(), step(&page));
    let (page, message2) =
        page.write_message(&build::xk2(input.object("payload2")?, claims, setting.opening)?.encode())?;
    let (phone, _) = phone.read_message(&message2)?;
    let step2 = step(&phone);
    let (phone, message3) = phone.write_message(&Xk3.encode())?;
    let (page, _) = page.read_message(&message3)?;
    let step3 = step(&page);
    let split = phone.split()?;
    ensure!(split.rs.expose() == page.split()?.rs.expose(), "both sides have the same rs");
    Ok(Messages { sent: [message1, message2, message3], steps: [step1, step2, step3], h1, split })
}

/// The commit's three frames, and what is signed in them.
struct Commit {
    frames: [LinkFrame; 3],
    certificate_signed: Vec<u8>,
    hash: [u8; 32],
    accept_signed: Vec<u8>,
    link_mailbox: [u8; 16],
}

fn commit(input: &Object, relay: &RelayName, h: &[u8; 32]) -> Result<Commit> {
    let (phone, web, terms) = (input.object("phone")?, input.object("web")?, input.object("terms")?);
    let account = phone.array("account")?;
    let web_attach = AttachKey::from_bytes(public(&web.array("attach")?));
    let mut cert = LinkCert {
        account: SigningPublic::from_bytes(public(&account)),
        phone_attach: AttachKey::from_bytes(public(&phone.array("attach")?)),
        salt: Salt::from_bytes(terms.array("salt")?),
        companion: CompanionId::from_bytes(terms.array("companion")?),
        serial: terms.u64("serial")?,
        grants: terms.u64("grants")?,
        idle_days: u16::try_from(terms.u64("idle_days")?)?,
        account_name: terms.text("account_name")?.to_owned(),
        signature: Signature::from_bytes([0; 64]),
    };
    let public_of = |from: &Object, name: &str| -> Result<DhPublic> {
        Ok(DhSecret::from_bytes(from.array(name)?).public())
    };
    let certificate_signed = signed::certificate_tbs(&CertificateFields {
        h,
        account: &cert.account,
        phone_key: &public_of(phone, "ps")?,
        web_key: &public_of(web, "wd")?,
        web_signing: &SigningPublic::from_bytes(public(&web.array("we")?)),
        phone_attach: &cert.phone_attach,
        web_attach: &web_attach,
        salt: &cert.salt,
        companion: &cert.companion,
        serial: cert.serial,
        grants: cert.grants,
        idle_days: cert.idle_days,
        relay,
    });
    cert.signature = sign(&account, &certificate_signed);
    let hash = derive::sha256(&signed::certificate_preimage(&certificate_signed, &cert.signature));
    let accept_signed = signed::accept_tbs(&hash, h);
    let accept = LinkFrame::Accept { signature: sign(&web.array("we")?, &accept_signed) };
    let link_mailbox = mailbox(&cert.phone_attach, &web_attach, &cert.salt);
    let frames = [LinkFrame::Cert(cert), accept, LinkFrame::Commit];
    Ok(Commit { frames, certificate_signed, hash, accept_signed, link_mailbox })
}

/// Seals a frame as the body of a DATA frame, and gives it with its header.
fn sealed(sealer: &mut Sealer, frame: &LinkFrame) -> Result<String> {
    let mut builder = RecordBuilder::new();
    ensure!(builder.push_link(frame), "a link frame fits a record");
    let mut record = builder.finish();
    sealer.seal(&mut record)?;
    Ok(hex(record))
}

/// Whether an opening is that of a code.
pub(super) fn opening(input: &Object) -> Result<Ending> {
    let (wq, opening): ([u8; 32], _) = (input.array("wq")?, input.array("opening")?);
    if derive::code_secret(&wq, &opening) != input.array("secret")? {
        return Ok(Err(ErrorCode::HANDSHAKE_FAILED));
    }
    Ok(Ok(Outcome::of(json!({ "opens": true }))))
}

pub(super) fn run(input: &Object) -> Result<Ending> {
    let setting = setting(input)?;
    let Messages { sent: [message1, message2, message3], steps, h1, split } = messages(input, &setting)?;
    let (h, rs) = (split.h, *split.rs.expose());
    let commit = commit(input, &setting.relay, &h)?;
    let (k_p2w, k_w2p) = (
        hazmat::cipher_key(&split.initiator_to_responder),
        hazmat::cipher_key(&split.responder_to_initiator),
    );
    let mut phone = Sealer::new(split.initiator_to_responder);
    let mut web = Sealer::new(split.responder_to_initiator);
    let [cert, accept, done] = &commit.frames;
    let records_sent = [sealed(&mut phone, cert)?, sealed(&mut web, accept)?, sealed(&mut phone, done)?];
    let x = derive::extract(&setting.psk, &rs);
    let resume: [u8; 32] = derive::expand(&x, "resume", &[]);
    let keys = ["recovery psk", "tombstone seal", "goodbye seal"]
        .map(|name| hex(derive::expand::<32>(&x, name, &[])));
    let [recovery, tombstone, goodbye] = keys;
    let [cert_record, accept_record, commit_record] = records_sent;
    let [step1, step2, step3] = steps;
    let out = json!({
        "qr": setting.offer.encode().as_str(), "mailbox": hex(setting.mailbox),
        "secret": hex(setting.offer.secret()),
        "message1": hex(message1), "check_code": derive::check_code(&h1, &setting.opening), "message2": hex(message2),
        "message3": hex(message3), "h": hex(h), "cert_record": cert_record, "nn": derive::nn(&h1, &setting.opening),
        "accept_record": accept_record, "commit_record": commit_record, "link_mailbox": hex(commit.link_mailbox),
        "resume_psk": hex(resume), "resume_psk_id": hex(derive::psk_id(&resume, &commit.link_mailbox)),
        "recovery_psk": recovery, "tombstone_seal": tombstone, "goodbye_seal": goodbye,
        "epoch_w2p": hex(derive::epoch(&h, "w2p")), "epoch_p2w": hex(derive::epoch(&h, "p2w")),
    });
    let debug = json!({
        "psk": hex(setting.psk), "prologue": hex(&setting.prologue), "h1": hex(h1), "after1": step1,
        "after2": step2, "after3": step3, "k_p2w": hex(k_p2w), "k_w2p": hex(k_w2p), "rs": hex(rs), "x": hex(x),
        "certificate_signed": hex(commit.certificate_signed), "certificate_hash": hex(commit.hash),
        "accept_signed": hex(commit.accept_signed),
    });
    Ok(Ok(Outcome::of(out).with_debug(debug)))
}
