//! Every message at every state, and every way to damage one.

use handfast_codec::error::ErrorCode;
use handfast_codec::payload::{KkHead, KkMode};
use handfast_codec::versions::Versions;
use handfast_handshake::HandshakeError;
use handfast_handshake::pairing::phone::{self, AwaitMessage2};
use handfast_handshake::pairing::web::{AwaitMessage3, Code, Message1Refused};
use handfast_handshake::reconnect;
use handfast_handshake::reconnect::phone::ReceiveError;

use crate::support::{
    Linked, claims, code, context, kk1, kk2, link, link_context, relay, rng, scan, scanned,
};

/// The two failures of a damaged handshake message: which one depends on its length alone.
#[track_caller]
fn is_refused(error: HandshakeError, message: &[u8], shortest: usize) {
    // req: HSK-005
    let expected = if message.len() < shortest { ErrorCode::TRUNCATED } else { ErrorCode::HANDSHAKE_FAILED };
    assert_eq!(error.code(), expected, "{} bytes: {error:?}", message.len());
}

/// Every cut of a message, every byte of it flipped, and one byte more.
fn damaged(message: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..message.len()).map(|len| message[..len].to_vec());
    let flipped =
        (0..message.len()).flat_map(|at| [1_u8, 0x80, 0xff].into_iter().map(move |mask| (at, mask)));
    let flipped = flipped.map(|(at, mask)| {
        let mut message = message.to_vec();
        message[at] ^= mask;
        message
    });
    let longer = std::iter::once([message, &[0]].concat());
    cut.chain(flipped).chain(longer)
}

/// The shortest message 1 and 2: an ephemeral key and a tag.
const SHORTEST: usize = 32 + 16;
/// The shortest message 3: a sealed static key and a tag.
const SHORTEST_3: usize = 32 + 16 + 16;

fn phone_at_message2() -> (AwaitMessage2, Vec<u8>) {
    phone::start(&scanned(&code()), &context(), &mut rng(2)).expect("starts")
}

fn web_at_message3(message1: &[u8]) -> AwaitMessage3 {
    code().read_message1(&context(), &claims(), message1, &mut rng(3)).expect("message 1 is read").0
}

#[test]
fn a_damaged_message_1_is_refused_and_burns_nothing() {
    // req: HSK-003, HSK-005, HSK-013
    let made = scan();
    for message in damaged(&made.message1) {
        let refused = code().read_message1(&context(), &claims(), &message, &mut rng(3)).err();
        let Some(Message1Refused::NotForThisCode(kept, error)) = refused else { panic!("the code is kept") };
        is_refused(error, &message, SHORTEST);
        let again = kept.read_message1(&context(), &claims(), &made.message1, &mut rng(3));
        assert_eq!(again.expect("the code still works").1, made.message2);
    }
}

#[test]
fn a_damaged_message_2_is_refused() {
    // req: HSK-003, HSK-005
    let made = scan();
    for message in damaged(&made.message2) {
        let (phone, _) = phone_at_message2();
        is_refused(phone.read(&message).expect_err("refused"), &message, SHORTEST);
    }
}

#[test]
fn a_damaged_message_3_is_refused() {
    // req: HSK-003, HSK-005
    let (made, approved) = (scan(), crate::support::approve());
    for message in damaged(&approved.message3) {
        let web = web_at_message3(&made.message1);
        is_refused(web.read(&message).expect_err("refused"), &message, SHORTEST_3);
    }
    assert!(web_at_message3(&made.message1).read(&approved.message3).is_ok());
}

#[test]
fn every_pairing_message_at_every_other_state_is_refused() {
    // req: HSK-003, HSK-005
    let made = scan();
    let message3 = crate::support::approve().message3;
    let other = code_of(50);
    let (_, foreign1) = phone::start(&scanned(&other), &context(), &mut rng(51)).expect("starts");
    let foreign2 =
        other.read_message1(&context(), &claims(), &foreign1, &mut rng(52)).expect("message 1 is read").1;
    let all = [
        ("1", &made.message1),
        ("2", &made.message2),
        ("3", &message3),
        ("1 of another code", &foreign1),
        ("2 of another code", &foreign2),
    ];
    for (name, message) in all {
        let at_web = code().read_message1(&context(), &claims(), message, &mut rng(3));
        let at_phone = phone_at_message2().0.read(message);
        let at_web_3 = web_at_message3(&made.message1).read(message);
        for (state, own, error) in [
            ("web, code shown", "1", at_web.err().map(|refused| *refused.error())),
            ("phone, awaits 2", "2", at_phone.err()),
            ("web, awaits 3", "3", at_web_3.err()),
        ] {
            match error {
                None => assert_eq!(name, own, "{name} at {state} is taken"),
                Some(error) => {
                    assert_ne!(name, own, "{name} at {state} is refused");
                    assert_eq!(error.code(), ErrorCode::HANDSHAKE_FAILED, "{name} at {state}");
                }
            }
        }
    }
}

fn code_of(seed: u8) -> Code {
    Code::generate(relay(), &mut rng(seed)).expect("the name fits")
}

#[test]
fn a_message_is_4096_bytes_at_most() {
    // req: HSK-004
    let made = scan();
    let at = |len: usize| {
        let web = code().read_message1(&context(), &claims(), &vec![7; len], &mut rng(3)).err();
        let web = web.map(|refused| *refused.error());
        let phone = phone_at_message2().0.read(&vec![7; len]).err();
        let web_3 = web_at_message3(&made.message1).read(&vec![7; len]).err();
        [web, phone, web_3].map(|error| error.expect("refused").code())
    };
    assert_eq!(at(4_096), [ErrorCode::HANDSHAKE_FAILED; 3]);
    assert_eq!(at(4_097), [ErrorCode::FIELD_LENGTH; 3]);
    assert!(code().read_message1(&context(), &claims(), &[], &mut rng(3)).is_err());
}

/// One reconnect's messages.
struct Reconnect {
    link: Linked,
    body1: Vec<u8>,
    message2: Vec<u8>,
}

fn reconnect() -> Reconnect {
    let link = link();
    let (state, body1) = web_start(&link);
    drop(state);
    let received = phone_receive(&link, &body1).expect("message 1 is read");
    let (_, message2) = received.answer(&kk2(KkMode::Resume)).expect("message 2 is made");
    Reconnect { link, body1, message2 }
}

fn web_start(link: &Linked) -> (reconnect::web::AwaitMessage2, Vec<u8>) {
    let name = relay();
    let payload = kk1(1, KkMode::Resume, Versions::CURRENT);
    let psk = &link.web_start.resume;
    reconnect::web::start(&link_context(link, &name), &link.web, KkMode::Resume, psk, &payload, &mut rng(20))
        .expect("starts")
}

fn phone_receive(link: &Linked, body: &[u8]) -> Result<reconnect::phone::Received, ReceiveError> {
    let name = relay();
    let context = link_context(link, &name);
    let known = handfast_handshake::key_schedule::psk_id(&link.phone_start.resume, &context.mailbox);
    let lookup = |head: &KkHead| {
        (head.mode == KkMode::Resume && head.psk_id == known).then_some(&link.phone_start.resume)
    };
    reconnect::phone::receive(&context, &link.phone, body, lookup, &mut rng(21))
}

#[test]
fn a_damaged_reconnect_message_1_is_refused() {
    // req: HSK-003, HSK-005, HSK-031
    let made = reconnect();
    for (n, body) in damaged(&made.body1).enumerate() {
        let error = phone_receive(&made.link, &body).expect_err("refused");
        let head_is_whole = body.get(..10) == made.body1.get(..10);
        match error {
            ReceiveError::UnknownKey | ReceiveError::Failed(HandshakeError::Decode(_)) => {
                assert!(!head_is_whole, "case {n}");
            }
            ReceiveError::Failed(error) => {
                assert!(head_is_whole, "case {n}");
                is_refused(error, &body[10..], SHORTEST);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(phone_receive(&made.link, &made.body1).is_ok());
}

#[test]
fn a_damaged_reconnect_message_2_is_refused() {
    // req: HSK-003, HSK-005
    let made = reconnect();
    for message in damaged(&made.message2) {
        let (state, _) = web_start(&made.link);
        is_refused(state.read(&message).expect_err("refused"), &message, SHORTEST);
    }
    assert!(web_start(&made.link).0.read(&made.message2).is_ok());
}

#[test]
fn reconnect_messages_at_the_wrong_state_are_refused() {
    // req: HSK-005
    let made = reconnect();
    let pairing = scan();
    for message in [&made.body1, &made.body1[10..].to_vec(), &pairing.message1, &pairing.message2] {
        let error = web_start(&made.link).0.read(message).expect_err("refused");
        assert_eq!(error.code(), ErrorCode::HANDSHAKE_FAILED);
    }
    let head = &made.body1[..10];
    for message in [&made.message2, &pairing.message1, &pairing.message2] {
        let body = [head, message].concat();
        let ReceiveError::Failed(error) = phone_receive(&made.link, &body).expect_err("refused") else {
            panic!("the head is known")
        };
        assert_eq!(error.code(), ErrorCode::HANDSHAKE_FAILED);
    }
}

#[test]
fn a_reconnect_message_is_4096_bytes_at_most() {
    // req: HSK-004
    let made = reconnect();
    let body = |len: usize| [&made.body1[..10], &vec![7; len]].concat();
    let code = |len| match phone_receive(&made.link, &body(len)) {
        Err(ReceiveError::Failed(error)) => error.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!((code(4_096), code(4_097)), (ErrorCode::HANDSHAKE_FAILED, ErrorCode::FIELD_LENGTH));
}
