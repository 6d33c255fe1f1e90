//! The machines of the handshake crate, run with the keys of the whole-handshake vectors: they say the same bytes.

use bytes::BytesMut;
use handfast_codec::RelayName;
use handfast_codec::frame::Frame;
use handfast_codec::ids::{
    AttachKey, AttachmentId, CompanionId, DhPublic, MailboxId, PskId, Salt, Signature, SigningPublic,
};
use handfast_codec::link::LinkFrame;
use handfast_codec::payload::KkMode;
use handfast_codec::record::{RecordBuilder, decode_link_record, decode_record};
use handfast_codec::relay::DATA_HEADER_LEN;
use handfast_handshake::hazmat::ScriptedRng;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::{PhoneLink, Start, Terms, WebLink};
use handfast_handshake::pairing::{Claims, PairingContext, phone, web};
use handfast_handshake::reconnect::{self, LinkContext};
use handfast_handshake::record::{Opener, Sealer};
use handfast_handshake::secret::{DhSecret, Psk, SealKey};
use serde_json::{Map, Value};

use crate::case::Case;
use crate::fields::{Fields, hex};
use crate::{build, derive};

type Object = Map<String, Value>;

fn cases(topic: &str) -> Vec<Case> {
    let files = crate::files().expect("every case ends as written down");
    files.into_iter().find(|file| file.topic == topic).expect("the topic").cases
}

/// A generator that gives out these fields of an object.
fn script(fields: &[(&Object, &str)]) -> ScriptedRng {
    let draws: Vec<_> = fields.iter().map(|(object, name)| object.bytes(name).expect(name)).collect();
    ScriptedRng::new(&draws.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn context(input: &Object) -> PairingContext {
    PairingContext {
        relay: RelayName::parse(input.text("relay").expect("relay")).expect("a name"),
        phone: AttachmentId::from_bytes(input.array("phone_id").expect("phone id")),
        web: AttachmentId::from_bytes(input.array("web_id").expect("web id")),
    }
}

#[track_caller]
fn same(out: &Object, name: &str, found: impl AsRef<[u8]>) {
    assert_eq!(out.text(name).expect(name), hex(found), "{name}");
}

/// Seals a link frame at one side, compares it, and opens it at the other.
fn passed(
    out: &Object,
    name: &str,
    frame: &LinkFrame,
    sealer: &mut Sealer,
    opener: &mut Opener,
) -> LinkFrame {
    let mut builder = RecordBuilder::new();
    assert!(builder.push_link(frame), "a link frame fits");
    let mut record = builder.finish();
    sealer.seal(&mut record).expect("seals");
    same(out, name, &record);
    let plaintext = opener.open(record.split_off(DATA_HEADER_LEN)).expect("opens");
    let mut frames = decode_link_record(plaintext.freeze()).expect("a link record");
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

#[test]
fn the_pairing_machines_say_the_bytes_of_the_vector() {
    // The machines choose their own terms, which are those of this case.
    let case = cases("pairing").into_iter().find(|case| case.id == "pairing/plain").expect("the case");
    let (input, out) = (&case.input, &case.out);
    let (phone_keys, web_keys) = (input.object("phone").expect("phone"), input.object("web").expect("web"));
    let terms = input.object("terms").expect("terms");
    let context = context(input);

    let mut rng = script(&[(input, "wq"), (input, "opening")]);
    let code = web::Code::generate(context.relay.clone(), &mut rng).expect("a code");
    assert_eq!(code.offer().encode().as_str(), out.text("qr").expect("qr"));

    let mut rng = script(&[(phone_keys, "ps"), (phone_keys, "e"), (phone_keys, "attach"), (terms, "salt")]);
    let (at_phone, message1) = phone::start(code.offer(), &context, &mut rng).expect("message 1");
    same(out, "message1", &message1);

    let claimed = input.object("payload2").expect("payload 2");
    let claims = Claims {
        label: claimed.text("label").expect("label").to_owned(),
        origin: claimed.text("origin").expect("origin").to_owned(),
        grants: claimed.u64("grants").expect("grants"),
    };
    let mut web_rng = script(&[(web_keys, "e"), (web_keys, "wd"), (web_keys, "we"), (web_keys, "attach")]);
    let (at_web, message2) =
        code.read_message1(&context, &claims, &message1, &mut web_rng).expect("message 2");
    assert!(web_rng.is_exact(), "the web draws its four keys");
    same(out, "message2", &message2);
    assert_eq!(at_web.check_code().to_string(), out.text("check_code").expect("check code"));

    let mut at_phone = at_phone.read(&message2).expect("reads message 2");
    let typed = at_phone.check(out.text("check_code").expect("check code")).expect("the code");
    let granted = phone::GrantedTerms {
        account_name: terms.text("account_name").expect("name").to_owned(),
        companion: CompanionId::from_bytes(terms.array("companion").expect("companion")),
        serial: terms.u64("serial").expect("serial"),
        grants: terms.u64("grants").expect("grants"),
        idle_days: u16::try_from(terms.u64("idle_days").expect("idle days")).expect("days"),
    };
    let account = SigningKey::from_bytes(phone_keys.array("account").expect("account"));
    let (mut offered, message3) = at_phone.approve(typed, &account, granted, &mut rng).expect("message 3");
    assert!(rng.is_exact(), "the phone draws its keys and the salt");
    same(out, "message3", &message3);

    let (at_web, mut sealer, mut opener) = at_web.read(&message3).expect("reads message 3");
    let cert = LinkFrame::Cert(offered.cert.clone());
    let LinkFrame::Cert(cert) = passed(out, "cert_record", &cert, &mut offered.sealer, &mut opener) else {
        panic!("a certificate");
    };
    let asked = at_web.read(&cert).expect("the certificate holds");
    let nn = out.text("nn").expect("nn");
    assert_eq!(offered.confirmation.to_string(), nn);
    let (link, start) = asked.confirm(nn).expect("the number");
    let accept = LinkFrame::Accept { signature: link.accept };
    let LinkFrame::Accept { signature } =
        passed(out, "accept_record", &accept, &mut sealer, &mut offered.opener)
    else {
        panic!("an acceptance");
    };
    let _ = offered.link.verify_accept(&signature).expect("the acceptance holds");
    let done = passed(out, "commit_record", &LinkFrame::Commit, &mut offered.sealer, &mut opener);
    assert_eq!(done, LinkFrame::Commit);

    let (web, phone) = (&link, &offered.link);
    for (terms, start, secrets) in [
        (&web.terms, &start, (&web.recovery, &web.tombstone_seal, &web.goodbye_seal)),
        (&phone.terms, &offered.start, (&phone.recovery, &phone.tombstone_seal, &phone.goodbye_seal)),
    ] {
        same(&case.debug, "certificate_hash", terms.cert_hash);
        keys_of_the_link(out, terms, start, secrets);
    }
}

fn keys_of_the_link(out: &Object, terms: &Terms, start: &Start, secrets: (&Psk, &SealKey, &SealKey)) {
    let (recovery, tombstone, goodbye) = secrets;
    same(out, "h", terms.h);
    same(out, "link_mailbox", terms.mailbox);
    same(out, "resume_psk", start.resume.expose());
    same(out, "resume_psk_id", handfast_handshake::key_schedule::psk_id(&start.resume, &terms.mailbox));
    same(out, "recovery_psk", recovery.expose());
    same(out, "tombstone_seal", tombstone.expose());
    same(out, "goodbye_seal", goodbye.expose());
    same(out, "epoch_w2p", start.epoch_w2p);
    same(out, "epoch_p2w", start.epoch_p2w);
}

/// Terms in which only the mailbox and the relay matter to a reconnect.
fn terms(input: &Object) -> Terms {
    Terms {
        mailbox: MailboxId::from_bytes(input.array("mailbox").expect("mailbox")),
        salt: Salt::from_bytes([0; 16]),
        relay: RelayName::parse(input.text("relay").expect("relay")).expect("a name"),
        companion: CompanionId::from_bytes([0; 16]),
        serial: 1,
        grants: 7,
        idle_days: 14,
        account: SigningPublic::from_bytes([0; 32]),
        account_name: "Alice".to_owned(),
        label: "label".to_owned(),
        origin: String::new(),
        h: [0; 32],
        cert_hash: [0; 32],
    }
}

fn links(input: &Object) -> (WebLink, PhoneLink) {
    let dh = |name: &str| DhSecret::from_bytes(input.array(name).expect(name));
    let ed = |byte| SigningKey::from_bytes([byte; 32]);
    let seal = || SealKey::from_bytes([0; 32]);
    let web = WebLink {
        terms: terms(input),
        wd: dh("wd"),
        we: ed(1),
        attach: ed(2),
        phone_key: dh("ps").public(),
        phone_attach: AttachKey::from_bytes([0; 32]),
        accept: Signature::from_bytes([0; 64]),
        recovery: Psk::from_bytes([0; 32]),
        tombstone_seal: seal(),
        goodbye_seal: seal(),
    };
    let phone = PhoneLink {
        terms: terms(input),
        ps: dh("ps"),
        attach: ed(3),
        web_key: DhPublic::from_bytes(*dh("wd").public().as_bytes()),
        web_signing: ed(1).public(),
        web_attach: ed(2).attach_key(),
        recovery: Psk::from_bytes([0; 32]),
        tombstone_seal: seal(),
        goodbye_seal: seal(),
    };
    (web, phone)
}

#[test]
fn the_reconnect_machines_say_the_bytes_of_the_vectors() {
    let all = [cases("reconnect"), cases("recovery")].concat();
    assert_eq!(all.len(), 9);
    for case in &all {
        let (input, out) = (&case.input, &case.out);
        let (web_link, phone_link) = links(input);
        let context = LinkContext {
            mailbox: web_link.terms.mailbox,
            web: AttachmentId::from_bytes(input.array("web_id").expect("web id")),
            phone: AttachmentId::from_bytes(input.array("phone_id").expect("phone id")),
            relay: &web_link.terms.relay,
        };
        let recovers = input.text("mode").expect("mode") == "recover";
        let mode = if recovers { KkMode::Recover } else { KkMode::Resume };
        let psk = Psk::from_bytes(input.array("psk").expect("psk"));
        let payload1 = build::kk1(input.object("payload1").expect("payload 1")).expect("a payload");
        let payload2 = build::kk2(input.object("payload2").expect("payload 2")).expect("a payload");

        let mut rng = script(&[(input, "web_e")]);
        let (at_web, message1) =
            reconnect::web::start(&context, &web_link, mode, &psk, &payload1, &mut rng).expect("message 1");
        assert!(rng.is_exact(), "the web draws its ephemeral key");
        same(out, "message1", &message1);
        let mut rng = script(&[(input, "phone_e")]);
        let known = PskId::from_bytes(out.array("psk_id").expect("psk id"));
        let lookup = |head: &handfast_codec::payload::KkHead| (head.psk_id == known).then_some(&psk);
        let received =
            reconnect::phone::receive(&context, &phone_link, &message1, lookup, &mut rng).expect("valid");
        assert!(rng.is_exact(), "the phone draws its ephemeral key");
        assert_eq!(received.payload, payload1, "{}", case.id);
        let (mut at_phone, message2) = received.answer(&payload2).expect("message 2");
        same(out, "message2", &message2);
        let (reply, mut at_web) = at_web.read(&message2).expect("reads message 2");
        assert_eq!(reply, payload2, "{}", case.id);
        same(out, "h", at_web.h);
        same(out, "h", at_phone.h);
        if !recovers {
            same(out, "next_psk", at_web.next.expose());
            same(out, "next_psk", at_phone.next.expose());
            let next_id = derive::psk_id(at_web.next.expose(), context.mailbox.as_bytes());
            same(out, "next_psk_id", next_id);
        }
        let mut confirm = RecordBuilder::new().finish();
        at_web.sealer.seal(&mut confirm).expect("seals");
        same(out, "confirm_record", &confirm);
        let _ = at_phone.opener.open(confirm.split_off(DATA_HEADER_LEN)).expect("opens");
        let answer = out.bytes("answer_record").expect("answer");
        let answer = BytesMut::from(answer.get(DATA_HEADER_LEN..).expect("a header"));
        let answer = at_web.opener.open(answer).expect("opens");
        let frames = decode_record(answer.freeze()).expect("a record");
        let close = frames.iter().find_map(|frame| match frame {
            Frame::Close { code, .. } => Some(code.name()),
            _ => None,
        });
        assert_eq!(close, out.get("close").and_then(Value::as_str), "{}", case.id);
    }
}
