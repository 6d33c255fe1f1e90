//! Reconnects that a side refuses, each with its error.

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachmentId, PskId};
use handfast_codec::payload::{Kk1, Kk2, KkHead, KkMode};
use handfast_codec::versions::Versions;
use handfast_codec::{RelayName, signed};
use handfast_handshake::HandshakeError;
use handfast_handshake::key_schedule::psk_id;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::pairing;
use handfast_handshake::reconnect::phone::ReceiveError;
use handfast_handshake::reconnect::{self, LinkContext};
use handfast_handshake::secret::{DhSecret, Psk};

use crate::support::{Linked, code, kk1, kk2, link, link_context, relay, rng};

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
    assert_eq!(receive(&here), Ok(2));
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
    assert_eq!(phone_receives(&link, &here(&link), &here(&link), &payload, KkMode::Resume), Ok(2));
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
    // req: HSK-007, HSK-008, HSK-155
    let link = link();
    let name = relay();
    let here = link_context(&link, &name);
    let receive = |versions: &[u8]| {
        let payload = kk1(1, KkMode::Resume, Versions::new(versions).expect("one to eight"));
        phone_receives(&link, &here, &here, &payload, KkMode::Resume)
    };
    assert_eq!(receive(&[58, 3, 1, 2]), Ok(2));
    assert_eq!(receive(&[1]), Ok(1));
    let none = Err(ReceiveError::Failed(HandshakeError::NoCommonVersion));
    assert_eq!((receive(&[3]), receive(&[58])), (none, none));
    assert_eq!(
        web_reads_reply(&Kk2 { version: 3, ..kk2(KkMode::Resume) }),
        Err(HandshakeError::NoCommonVersion)
    );
}

/// What a web says to this reply, from a phone over the same Noise core.
fn web_reads_reply(reply: &Kk2) -> Result<Kk2, HandshakeError> {
    let link = link();
    let name = relay();
    let here = link_context(&link, &name);
    let psk = &link.web_start.resume;
    let payload = kk1(1, KkMode::Resume, Versions::RECONNECT);
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
    // req: FRM-009, HSK-027, HSK-064
    let decode_code = |result: Result<Kk2, HandshakeError>| match result {
        Err(HandshakeError::Decode(error)) => error.code(),
        other => panic!("{other:?}"),
    };
    let resume = kk2(KkMode::Resume);
    assert_eq!(web_reads_reply(&resume).as_ref(), Ok(&resume));
    let outdated = Kk2 { version: 1, commands: None, ..resume.clone() };
    assert_eq!(web_reads_reply(&outdated).as_ref(), Ok(&outdated));
    let quarantine = Kk2 { resume: None, commands: None, quarantine: true, ..resume.clone() };
    assert_eq!(web_reads_reply(&quarantine).as_ref(), Ok(&quarantine));
    let unknown = Kk2 { commands: None, ..resume.clone() };
    assert_eq!(decode_code(web_reads_reply(&unknown)), ErrorCode::FIELD_MISSING);
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
        payload.resume = Some(crate::support::block(1));
        payload.psk_id_held = Some(PskId::from_bytes([1; 8]));
        let error = phone_receives(&link, &here, &here, &payload, mode).expect_err("refused");
        let ReceiveError::Failed(HandshakeError::Decode(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.code(), ErrorCode::FIELD_VALUE);
    }
}
