//! Bytes into each step of a handshake, in both roles.
//!
//! An attacker without the keys can get nothing accepted but what an honest device has made, bit for bit: that is what
//! each step asserts. Payloads and stored rows, which no attacker without keys can reach, are decoded on their own.

use std::sync::OnceLock;

use bytes::BytesMut;
use handfast_codec::ids::{AttachmentId, CommandKey, CompanionId, Epoch, LogId, PskId};
use handfast_codec::link::LinkCert;
use handfast_codec::payload::{
    CommandsKnown, KK_HEAD_LEN, Kk1, Kk2, KkHead, KkMode, ResumeBlock, Xk1, Xk2, Xk3,
};
use handfast_codec::record::RecordBuilder;
use handfast_codec::{DecodeError, ErrorCode, RelayName, Versions};
use handfast_handshake::HandshakeError;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::key_schedule::psk_id;
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_handshake::pairing::phone::{AwaitApproval, GrantedTerms, OfferedLink};
use handfast_handshake::pairing::web::{AwaitCertificate, AwaitMessage3, Code, Message1Refused};
use handfast_handshake::pairing::{Claims, PairingContext, phone as pairing_phone};
use handfast_handshake::reconnect::phone::{ReceiveError, Received};
use handfast_handshake::reconnect::{Connection, LinkContext, phone, web};
use handfast_handshake::record::{Opener, Sealer};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::walk;

/// Runs one step, which the first byte chooses, on what the rest makes of the honest message.
///
/// # Panics
/// When a step accepts anything but the honest message, an error tells which check failed, or a payload that is
/// accepted is not the only form of its value.
pub fn run(data: &[u8]) {
    let Some((step, edit)) = data.split_first() else { return };
    match step % 10 {
        0 => web_reads_message_1(edit),
        1 => phone_reads_message_2(edit),
        2 => web_reads_message_3(edit),
        3 => web_reads_the_certificate(edit),
        4 => phone_reads_a_reconnect(edit),
        5 => web_reads_the_answer(edit),
        6 => phone_opens_a_record(edit),
        7 => phone_checks_a_code(edit),
        8 => payloads(edit),
        _ => rows(edit),
    }
}

/// What the bytes make of an honest message: all of it if the first one is odd, else patches of it, `at u16 | xor u8`
/// each, and `0xffff | n` cuts off its last n bytes.
fn forged(honest: &[u8], edit: &[u8]) -> Vec<u8> {
    let Some((kind, rest)) = edit.split_first() else { return honest.to_vec() };
    if kind % 2 == 1 {
        return rest.to_vec();
    }
    let mut message = honest.to_vec();
    for patch in rest.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([patch[0], patch[1]]));
        if at == 0xffff {
            message.truncate(message.len().saturating_sub(usize::from(patch[2])));
        } else if !message.is_empty() {
            let at = at % message.len();
            message[at] ^= patch[2];
        }
    }
    message
}

/// A step accepts the honest message, and nothing else; its error says no more than that.
fn check(forged: &[u8], honest: &[u8], outcome: Result<(), HandshakeError>) {
    assert_eq!(
        outcome.is_ok(),
        forged == honest,
        "a step accepts the honest message and nothing else: {outcome:?}"
    );
    if let Err(error) = outcome {
        let told = error.code();
        let allowed = [ErrorCode::HANDSHAKE_FAILED, ErrorCode::FIELD_LENGTH, ErrorCode::TRUNCATED];
        assert!(allowed.contains(&told), "a forged message does not get as far as {told}");
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn relay() -> RelayName {
    RelayName::parse("relay.example").expect("a valid name")
}

const PHONE: AttachmentId = AttachmentId::from_bytes([1; 8]);
const WEB: AttachmentId = AttachmentId::from_bytes([2; 8]);

/// A pairing up to its end, always the same.
struct Honest {
    message_1: Vec<u8>,
    message_2: Vec<u8>,
    message_3: Vec<u8>,
    cert: LinkCert,
    phone: PhoneLink,
    web: WebLink,
    start: Start,
    kk_1: Vec<u8>,
    kk_2: Vec<u8>,
    record: Vec<u8>,
}

fn context() -> PairingContext {
    PairingContext { relay: relay(), phone: PHONE, web: WEB }
}

fn code() -> Code {
    Code::generate(relay(), &mut rng(1)).expect("a short name")
}

fn claims() -> Claims {
    Claims { label: "fuzz".into(), origin: String::new(), grants: 7 }
}

fn start_pairing(code: &Code) -> (pairing_phone::AwaitMessage2, Vec<u8>) {
    pairing_phone::start(code.offer(), &context(), &mut rng(2)).expect("an honest code")
}

fn read_message_1(code: Code, message: &[u8]) -> Result<(AwaitMessage3, Vec<u8>), HandshakeError> {
    Ok(code.read_message1(&context(), &claims(), message, &mut rng(3))?)
}

fn approve(mut state: AwaitApproval, typed: &str) -> (OfferedLink, Vec<u8>) {
    let confirmed = state.check(typed).expect("the code that the page shows");
    let granted = GrantedTerms {
        account_name: "Ada".into(),
        companion: CompanionId::from_bytes([3; 16]),
        serial: 1,
        grants: 7,
        idle_days: 14,
    };
    state.approve(confirmed, &SigningKey::from_bytes([4; 32]), granted, &mut rng(4)).expect("honest terms")
}

fn honest() -> &'static Honest {
    static HONEST: OnceLock<Honest> = OnceLock::new();
    HONEST.get_or_init(|| {
        let code = code();
        let (phone, message_1) = start_pairing(&code);
        let (web, message_2) = read_message_1(code, &message_1).expect("the honest message");
        let typed = web.check_code().to_string();
        let (offered, message_3) = approve(phone.read(&message_2).expect("the honest message"), &typed);
        let (web, _, _) = web.read(&message_3).expect("the honest message");
        let shown = offered.confirmation.to_string();
        let asked = web.read(&offered.cert).expect("the honest certificate");
        let (web, start) = asked.confirm(&shown).expect("the number that the phone shows");
        let (phone, cert) = (offered.link, offered.cert);
        let (state, kk_1) = start_reconnect(&web, &start);
        let (_, kk_2) = answer(receive(&phone, &start, &kk_1).expect("the honest message"));
        let (_, mut connection) = state.read(&kk_2).expect("the honest message");
        let record = seal(&mut connection.sealer);
        Honest { message_1, message_2, message_3, cert, phone, web, start, kk_1, kk_2, record }
    })
}

fn link_context(relay: &RelayName) -> LinkContext<'_> {
    LinkContext { mailbox: honest_mailbox(), web: WEB, phone: PHONE, relay }
}

/// Any mailbox: it is bound, and both sides name the same.
fn honest_mailbox() -> handfast_codec::ids::MailboxId {
    handfast_codec::ids::MailboxId::from_bytes([5; 16])
}

fn block() -> ResumeBlock {
    ResumeBlock {
        out_epoch: Epoch::from_bytes([1; 16]),
        in_epoch: Epoch::from_bytes([2; 16]),
        next_seq: 1,
        durable: 0,
        oldest: 1,
        log_id: LogId::from_bytes([0; 16]),
        rev: 0,
        streams: Vec::new(),
    }
}

fn kk1() -> Kk1 {
    Kk1 {
        versions: Versions::CURRENT,
        capabilities: Vec::new(),
        limits: Vec::new(),
        try_: 1,
        resume: Some(block()),
        psk_id_held: None,
        pending: false,
    }
}

fn kk2() -> Kk2 {
    let commands = Some(CommandsKnown { highest: 0, key: CommandKey::from_bytes([0; 16]), from: 1 });
    let (capabilities, limits) = (Vec::new(), Vec::new());
    Kk2 { version: 2, capabilities, limits, resume: Some(block()), commands, quarantine: false }
}

fn start_reconnect(link: &WebLink, start: &Start) -> (web::AwaitMessage2, Vec<u8>) {
    web::start(&link_context(&relay()), link, KkMode::Resume, &start.resume, &kk1(), &mut rng(6))
        .expect("honest keys")
}

fn receive(link: &PhoneLink, start: &Start, body: &[u8]) -> Result<Received, ReceiveError> {
    let relay = relay();
    let context = link_context(&relay);
    let known = psk_id(&start.resume, &context.mailbox);
    phone::receive(&context, link, body, |head| (head.psk_id == known).then_some(&start.resume), &mut rng(7))
}

fn answer(received: Received) -> (Connection, Vec<u8>) {
    received.answer(&kk2()).expect("an honest answer")
}

fn seal(sealer: &mut Sealer) -> Vec<u8> {
    let mut record = RecordBuilder::new().finish();
    sealer.seal(&mut record).expect("the first record");
    record[2..].to_vec()
}

fn web_reads_message_1(edit: &[u8]) {
    let honest = &honest().message_1;
    let message = forged(honest, edit);
    let read = code().read_message1(&context(), &claims(), &message, &mut rng(3));
    // The code is not used up by garbage.
    if let Err(Message1Refused::NotForThisCode(kept, _)) = &read {
        assert_eq!(kept.offer().secret(), code().offer().secret());
    }
    check(&message, honest, read.map(|_| ()).map_err(HandshakeError::from));
    check(honest, honest, read_message_1(code(), honest).map(|_| ()));
}

fn phone_reads_message_2(edit: &[u8]) {
    let honest = &honest().message_2;
    let message = forged(honest, edit);
    check(&message, honest, start_pairing(&code()).0.read(&message).map(|_| ()));
}

fn web_awaits_message_3() -> AwaitMessage3 {
    read_message_1(code(), &honest().message_1).expect("the honest message").0
}

fn web_reads_message_3(edit: &[u8]) {
    let honest = &honest().message_3;
    let message = forged(honest, edit);
    check(&message, honest, web_awaits_message_3().read(&message).map(|_| ()));
}

fn web_awaits_certificate() -> (AwaitCertificate, Sealer, Opener) {
    web_awaits_message_3().read(&honest().message_3).expect("the honest message")
}

fn web_reads_the_certificate(edit: &[u8]) {
    let honest = honest();
    let bytes = forged(&honest.cert.encode(), edit);
    let Ok(cert) = LinkCert::decode(&bytes) else { return };
    // The name is shown, and sealed with the record, but it is not signed.
    let named = LinkCert { account_name: honest.cert.account_name.clone(), ..cert.clone() };
    let outcome = web_awaits_certificate().0.read(&cert);
    assert_eq!(outcome.is_ok(), named == honest.cert, "nothing else is signed: {outcome:?}");
    if let Err(error) = outcome {
        assert_eq!(error.code(), ErrorCode::HANDSHAKE_FAILED, "the wire does not say which check failed");
    }
}

fn phone_reads_a_reconnect(edit: &[u8]) {
    let honest = honest();
    let body = forged(&honest.kk_1, edit);
    match receive(&honest.phone, &honest.start, &body) {
        Err(ReceiveError::UnknownKey) => {
            let head = KkHead::split_from(&body).map(|(head, _)| head.psk_id);
            let known = psk_id(&honest.start.resume, &honest_mailbox());
            assert!(head.is_ok_and(|id: PskId| id != known), "a known key is found");
        }
        Err(ReceiveError::Failed(HandshakeError::Decode(error))) if body != honest.kk_1 => {
            assert!(error.at < KK_HEAD_LEN, "a forged message is refused before its payload is read");
        }
        Err(ReceiveError::Failed(error)) => check(&body, &honest.kk_1, Err(error)),
        Err(other) => panic!("an unknown failure: {other}"),
        Ok(received) => {
            assert_eq!(received.payload, kk1(), "the payload is the honest one");
            check(&body, &honest.kk_1, Ok(()));
        }
    }
}

fn web_reads_the_answer(edit: &[u8]) {
    let honest = honest();
    let body = forged(&honest.kk_2, edit);
    let (state, again) = start_reconnect(&honest.web, &honest.start);
    assert_eq!(again, honest.kk_1, "the fixture is always the same");
    check(&body, &honest.kk_2, state.read(&body).map(|_| ()));
}

fn phone_opens_a_record(edit: &[u8]) {
    let honest = honest();
    let bytes = forged(&honest.record, edit);
    let received = receive(&honest.phone, &honest.start, &honest.kk_1).expect("the honest message");
    let (mut connection, _) = answer(received);
    let opened = connection.opener.open(BytesMut::from(bytes.as_slice()));
    assert_eq!(opened.is_ok(), bytes == honest.record, "a record opens if it was sealed");
    let again = connection.opener.open(BytesMut::from(honest.record.as_slice()));
    assert!(again.is_err(), "no record opens twice, and none after one that did not");
}

fn phone_checks_a_code(edit: &[u8]) {
    let shown = web_awaits_message_3().check_code().to_string();
    let mut state = start_pairing(&code()).0.read(&honest().message_2).expect("the honest message");
    let mut wrong_ones: Vec<String> = Vec::new();
    for tries in 0..5 {
        let typed = edit.get(tries * 4..tries * 4 + 4).unwrap_or(edit);
        let typed = String::from_utf8_lossy(typed);
        match state.check(&typed) {
            Ok(_) => assert!(
                tries < 3 && typed.trim() == shown,
                "only the code that is shown, at most three times"
            ),
            Err(wrong) => {
                assert!(tries >= 3 || typed.trim() != shown, "the code that is shown is right");
                let again = wrong_ones.iter().any(|before| before == typed.trim());
                let left = if again { 0 } else { 2_usize.saturating_sub(tries) };
                assert_eq!(usize::from(wrong.left), left, "three tries, and none after the same one twice");
                if again {
                    return;
                }
                wrong_ones.push(typed.trim().to_owned());
                continue;
            }
        }
        return;
    }
}

/// Every decoder of what stands inside of a handshake.
fn payloads(input: &[u8]) {
    let lists = [
        canonical(input, Xk1::decode, Xk1::encode),
        canonical(input, Xk2::decode, |payload| Xk2::encode(payload).to_vec()),
        canonical(input, Xk3::decode, |payload| Xk3::encode(*payload)),
        canonical(input, Kk1::decode, Kk1::encode),
        canonical(input, Kk2::decode, Kk2::encode),
        canonical(input, LinkCert::decode, LinkCert::encode),
    ];
    let accepted = lists.into_iter().flatten().all(|same| same || walk::list_ignores(input));
    assert!(accepted, "accepted bytes are the only ones of their value");
    assert_ne!(
        canonical(input, ResumeBlock::decode, ResumeBlock::encode),
        Some(false),
        "a block has one form"
    );
    if let Ok((head, rest)) = KkHead::split_from(input) {
        assert_eq!([&head.encode()[..], rest].concat(), input, "a head has one form");
    }
    // The same, padded as it must be.
    let len = input.len().next_power_of_two().max(128);
    if len <= 2_048 && len != input.len() && input.first() != Some(&0) {
        let mut padded = input.to_vec();
        padded.resize(len, 0);
        payloads(&padded);
    }
}

/// Rows of a store are this device's own, and hold scalars of which some bits do not count; but a damaged one must not
/// do harm either, and what was read from it must be written and read again as it is.
fn rows(edit: &[u8]) {
    let honest = honest();
    let phone = |row: &[u8]| PhoneLink::decode(row).map(|link| link.encode().to_vec());
    check_row(&honest.phone.encode(), edit, phone);
    let web = |row: &[u8]| WebLink::decode(row).map(|link| link.encode().to_vec());
    check_row(&honest.web.encode(), edit, web);
}

fn check_row(honest: &[u8], edit: &[u8], again: impl Fn(&[u8]) -> Result<Vec<u8>, DecodeError>) {
    assert_eq!(again(honest).as_deref(), Ok(honest), "what was written is read");
    match again(&forged(honest, edit)) {
        Ok(row) => assert_eq!(again(&row).as_ref(), Ok(&row), "what was read can be written and read"),
        Err(error) => assert!(error.code.is_known(), "a fault has a code"),
    }
}

/// Whether the input is accepted, and if so, whether it is what its value encodes to.
fn canonical<T>(
    input: &[u8],
    decode: fn(&[u8]) -> Result<T, DecodeError>,
    encode: fn(&T) -> Vec<u8>,
) -> Option<bool> {
    match decode(input) {
        Ok(value) => Some(encode(&value) == input),
        Err(error) => {
            assert!(error.at <= input.len() && error.code.is_known(), "a fault lies in the bytes: {error}");
            None
        }
    }
}
