//! Pairing, whole: from a scanned code to a stored link, and what refuses it. What is lost on the way is in `pairing_lost.rs`.

mod couple;
mod stored;
mod world;

use std::time::Duration;

use couple::raw::{message, pairing_psk};
use couple::{Couple, NAME, ORIGIN, offering};
use handfast_codec::error::ErrorCode;
use handfast_codec::payload::Xk1;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::versions::Versions;
use handfast_codec::{DeviceRole, RelayName, signed};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::pairing::mailbox;
use handfast_handshake::secret::DhSecret;
use handfast_session::pairing::keys_in_use;
use handfast_session::{ApiMisuse, LinkStatus, Pairing, PairingEvent};
use stored::run_stored;

const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_pairing_ends_in_a_link_that_both_sides_open() {
    // req: HSK-010, HSK-015, HSK-016
    let mut couple = Couple::new(1);
    couple.settle();
    let early = couple.phone.pairing.approve(couple.now, &mut couple.rng, &couple.account, offering());
    assert_eq!(early, Err(ApiMisuse::WrongState), "the check code was not typed");
    couple.type_code();
    assert!(couple.web.pairing.is_frozen());
    let expected = PairingEvent::ApprovalWanted {
        label: "Firefox".into(),
        origin: ORIGIN.into(),
        origin_seen: Some(ORIGIN.into()),
        grants: 5,
        same_net: Some(true),
    };
    assert_eq!(couple.phone.events.last(), Some(&expected));
    couple.phone.pairing.approve(couple.now, &mut couple.rng, &couple.account, offering()).unwrap();
    couple.settle();
    let Some(PairingEvent::ShowNn(phone_nn)) = couple.phone.events.last().cloned() else {
        panic!("NN is shown")
    };
    let Some(PairingEvent::ConfirmNn { nn, account_name, account }) = couple.web.events.last().cloned()
    else {
        panic!("NN is asked for")
    };
    assert_eq!((nn.as_str(), nn.len()), (phone_nn.as_str(), 2));
    assert_eq!((account_name.as_str(), account), ("Ada", couple.account.public()));
    assert!(couple.phone.has_link(), "the phone is OFFERED");
    assert!(couple.web.disk.is_empty(), "the web has stored nothing");
    couple.web.pairing.confirm(couple.now, true).unwrap();
    couple.settle();
    assert!(couple.phone.is_linked() && couple.web.is_linked());
    assert_eq!(couple.phone.pairing.terms(), couple.web.pairing.terms());
    assert!(couple.phone.pairing.is_over() && couple.web.pairing.is_over());
    let world = run_stored(couple);
    assert_eq!(world.phone.endpoint.status(), LinkStatus::Active);
    assert_eq!(world.web.endpoint.status(), LinkStatus::Active);
}

#[test]
fn a_web_that_comes_after_the_phone_is_met_all_the_same() {
    let mut couple = Couple::new(2);
    couple.web.offline = true;
    couple.run_for(seconds(3));
    couple.web.offline = false;
    couple.run_for(seconds(6));
    assert!(matches!(couple.web.events[..], [PairingEvent::CheckCode(_)]), "{:?}", couple.web.events);
}

#[test]
fn three_wrong_codes_burn_the_code_and_a_new_one_works() {
    // req: HSK-011, HSK-012
    let mut couple = Couple::new(3);
    let right = couple.scan();
    let wrong = if right == "0000" { "0001" } else { "0000" };
    for left in [2, 1, 0] {
        couple.phone.pairing.enter_check_code(couple.now, wrong).unwrap();
        couple.settle();
        assert!(couple.phone.events.contains(&PairingEvent::WrongCheckCode(left)));
    }
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CHECK_CODE_WRONG));
    let late = couple.phone.pairing.enter_check_code(couple.now, &right);
    assert_eq!(late, Err(ApiMisuse::WrongState), "the right code comes too late");
    assert_eq!(couple.web.ended(), Some(ErrorCode::PEER_GONE));
    assert!(couple.web.pairing.offer_text().is_none(), "the code is burnt");
    assert!(couple.phone.disk.is_empty() && couple.web.disk.is_empty());
    let mut again = Couple::new(33);
    again.confirm();
    assert!(again.phone.is_linked() && again.web.is_linked());
}

#[test]
fn two_wrong_codes_leave_one_try() {
    // req: HSK-011
    let mut couple = Couple::new(4);
    let right = couple.scan();
    let wrong = if right == "0000" { "0001" } else { "0000" };
    for _ in 0..2 {
        couple.phone.pairing.enter_check_code(couple.now, wrong).unwrap();
    }
    couple.phone.pairing.enter_check_code(couple.now, &right).unwrap();
    couple.settle();
    assert!(matches!(couple.phone.events.last(), Some(PairingEvent::ApprovalWanted { .. })));
}

#[test]
fn a_refusal_ends_both_and_stores_nothing() {
    // req: HSK-010, HSK-012
    let mut couple = Couple::new(5);
    couple.type_code();
    couple.phone.pairing.refuse(couple.now);
    couple.settle();
    assert_eq!(couple.phone.ended(), Some(ErrorCode::REFUSED));
    assert_eq!(couple.web.ended(), Some(ErrorCode::PEER_GONE));
    assert!(couple.phone.disk.is_empty() && couple.web.disk.is_empty());
}

#[test]
fn when_nn_differs_nothing_stays_stored() {
    // req: HSK-016, HSK-082, HSK-088
    let mut couple = Couple::new(6);
    couple.approve();
    assert!(couple.phone.has_link());
    couple.web.pairing.confirm(couple.now, false).unwrap();
    couple.settle();
    assert_eq!(couple.web.ended(), Some(ErrorCode::NOT_CONFIRMED));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::NOT_CONFIRMED));
    assert!(couple.web.disk.is_empty(), "the web never stored anything");
    assert!(!couple.phone.has_link(), "the phone drops OFFERED");
}

#[test]
fn garbage_and_damaged_first_messages_burn_nothing() {
    // req: HSK-013
    let mut couple = Couple::new(7);
    let mut first = true;
    couple.alter = Box::new(move |role, frame| {
        let is_message =
            matches!(RelayFrame::decode(frame.clone()), Ok(RelayFrame::Data { kind: DataKind::PAIRING, .. }));
        if role == PHONE && is_message && std::mem::take(&mut first) {
            let mut damaged = frame.to_vec();
            *damaged.last_mut().unwrap() ^= 1;
            return vec![message(b"garbage"), message(&[]), damaged.into(), message(&[7; 4_097]), frame];
        }
        vec![frame]
    });
    couple.confirm();
    assert!(couple.phone.is_linked() && couple.web.is_linked());
}

#[test]
fn a_first_message_that_decrypts_and_offers_no_common_version_burns_the_code() {
    // req: HSK-007, HSK-012
    let mut couple = Couple::new(8);
    couple.phone.absent = true;
    couple.settle();
    let offer = couple.offer();
    let at = couple.add_raw(PHONE, SigningKey::from_bytes([1; 32]));
    let context = couple.raw[at].context();
    let name = RelayName::parse(NAME).unwrap();
    let prologue = signed::pairing_prologue(
        &offer.payload_without_secret(),
        &name,
        &mailbox(&offer),
        &context.phone,
        &context.web,
    );
    let keys = Keys::new(DhSecret::from_bytes([2; 32]))
        .with_s(DhSecret::from_bytes([3; 32]))
        .with_rs(offer.web_key)
        .with_psk(pairing_psk(&offer));
    let pattern = Pattern::parse("XKpsk0").unwrap();
    let state = HandshakeState::new(&pattern, HandshakeRole::Initiator, &prologue, keys).unwrap();
    let versions = Versions::new(&[2]).unwrap();
    let payload = Xk1 { versions, capabilities: vec![], limits: vec![] }.encode();
    let (_, message1) = state.write_message(&payload).unwrap();
    couple.raw_send(at, message(&message1));
    assert_eq!(couple.web.ended(), Some(ErrorCode::NO_COMMON_VERSION));
    assert!(couple.web.pairing.offer_text().is_none());
}

#[test]
fn a_second_phone_is_refused_while_the_first_pairs() {
    let mut couple = Couple::new(9);
    let offer = couple.offer();
    let _ = couple.scan();
    let name = RelayName::parse(NAME).unwrap();
    let second = Pairing::phone(offer, name, couple.now, &mut couple.rng);
    let first = std::mem::replace(&mut couple.phone.pairing, second);
    let socket_of_first = couple.swap_phone_socket(None);
    couple.run_for(seconds(1));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CODE_TAKEN));
    // The first is not disturbed.
    couple.phone.pairing = first;
    couple.phone.events = vec![PairingEvent::CheckCodeWanted];
    let _ = couple.swap_phone_socket(socket_of_first);
    couple.confirm();
    assert!(couple.phone.is_linked() && couple.web.is_linked());
}

#[test]
fn a_relay_with_another_name_is_left() {
    // req: RLY-006
    let mut couple = Couple::at_relay(10, "localhost:1");
    couple.settle();
    assert_eq!(couple.phone.ended(), Some(ErrorCode::RELAY_NAME_MISMATCH));
    assert_eq!(couple.web.ended(), Some(ErrorCode::RELAY_NAME_MISMATCH));
    assert_eq!((couple.phone.sent, couple.web.sent), (0, 0), "nothing is told to it");
}

#[test]
fn every_wait_has_its_end() {
    // req: HSK-006, HSK-014
    // No page in the mailbox.
    let mut couple = Couple::new(13);
    couple.web.absent = true;
    couple.run_for(Duration::from_millis(9_999));
    assert_eq!(couple.phone.ended(), None);
    couple.run_for(seconds(1));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CODE_EXPIRED));
    // No relay.
    let mut couple = Couple::new(14);
    couple.phone.offline = true;
    couple.run_for(Duration::from_millis(9_999));
    assert_eq!(couple.phone.ended(), None);
    couple.run_for(seconds(1));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::TIMEOUT));
    // No message 2.
    let mut couple = Couple::new(15);
    couple.alter = Box::new(|role, frame| if role == WEB && frame[0] == 9 { vec![] } else { vec![frame] });
    couple.run_for(Duration::from_millis(9_999));
    assert_eq!(couple.phone.ended(), None);
    couple.run_for(seconds(1));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::TIMEOUT));
    // No check code.
    let mut couple = Couple::new(16);
    let _ = couple.scan();
    couple.run_for(Duration::from_millis(59_999));
    assert_eq!(couple.phone.ended(), None);
    couple.run_for(Duration::from_millis(1));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CODE_EXPIRED));
    // No approval.
    let mut couple = Couple::new(17);
    couple.type_code();
    couple.run_for(Duration::from_millis(119_999));
    assert_eq!(couple.phone.ended(), None);
    couple.run_for(Duration::from_millis(1));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CODE_EXPIRED));
    assert_eq!(couple.web.ended(), Some(ErrorCode::PEER_GONE));
    // No answer to NN.
    let mut couple = Couple::new(18);
    couple.approve();
    couple.run_for(Duration::from_millis(89_999));
    assert_eq!(couple.web.ended(), None);
    couple.run_for(Duration::from_millis(1));
    assert_eq!(couple.web.ended(), Some(ErrorCode::CODE_EXPIRED));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CODE_EXPIRED));
    assert!(!couple.phone.has_link() && !couple.web.has_link());
    // A web that is gone without a word.
    let mut couple = Couple::new(19);
    couple.approve();
    couple.alter = Box::new(|role, frame| if role == WEB && frame[0] == 9 { vec![] } else { vec![frame] });
    couple.run_for(seconds(101));
    assert!(couple.phone.ended().is_some());
    // No message 3.
    let mut couple = Couple::new(20);
    let _ = couple.scan();
    couple.alter = Box::new(|role, frame| if role == PHONE && frame[0] == 9 { vec![] } else { vec![frame] });
    couple.run_for(seconds(59));
    couple.phone.absent = false;
    assert_eq!(couple.web.ended(), None);
    couple.run_for(seconds(122));
    assert!(couple.web.ended().is_some());
}

#[test]
fn keys_of_another_link_are_refused() {
    // req: CRT-003
    let mut first = Couple::new(21);
    first.confirm();
    let web_keys = keys_in_use(PHONE, &first.phone.disk).unwrap();
    let phone_keys = keys_in_use(WEB, &first.web.disk).unwrap();
    assert_eq!((web_keys.len(), phone_keys.len()), (3, 2));
    assert!(keys_in_use(PHONE, &first.web.disk).is_err(), "another role's rows");
    // The same draws make the same keys.
    let mut again = Couple::new(21);
    again.with_keys_in_use(PHONE, web_keys);
    again.settle();
    assert_eq!(again.phone.ended(), Some(ErrorCode::HANDSHAKE_FAILED));
    let mut again = Couple::new(21);
    again.with_keys_in_use(WEB, phone_keys);
    again.approve();
    assert_eq!(again.web.ended(), Some(ErrorCode::HANDSHAKE_FAILED));
    assert_eq!(again.phone.ended(), Some(ErrorCode::HANDSHAKE_FAILED));
    assert!(!again.phone.has_link());
}

#[test]
fn calls_that_do_not_fit_are_misuse_and_change_nothing() {
    let mut couple = Couple::new(22);
    let (now, mut rng) = (couple.now, couple.rng.clone());
    let wrong = Err(ApiMisuse::WrongState);
    assert_eq!(couple.phone.pairing.enter_check_code(now, "0000"), wrong);
    assert_eq!(couple.phone.pairing.approve(now, &mut rng, &couple.account, offering()), wrong);
    assert_eq!(couple.phone.pairing.confirm(now, true), wrong);
    assert_eq!(couple.web.pairing.confirm(now, true), wrong);
    assert_eq!(couple.web.pairing.enter_check_code(now, "0000"), wrong);
    let bytes = bytes::BytesMut::from(&[1_u8][..]);
    assert_eq!(couple.phone.pairing.handle_bytes(now, &mut rng, bytes), Err(ApiMisuse::NotOpen));
    let _ = couple.scan();
    assert_eq!(couple.phone.pairing.approve(now, &mut rng, &couple.account, offering()), wrong);
    assert_eq!(couple.web.pairing.confirm(now, true), wrong);
    couple.web.events.truncate(1);
    couple.confirm();
    assert!(couple.phone.is_linked() && couple.web.is_linked());
    assert_eq!(couple.web.pairing.confirm(now, false), wrong);
    couple.phone.pairing.refuse(now);
    assert!(couple.phone.has_link(), "a link that is ACTIVE is not refused");
}

#[test]
fn a_claim_over_its_limit_is_misuse() {
    let mut rng = Couple::new(1).rng;
    let now = handfast_codec::Timestamp::ZERO;
    let name = RelayName::parse(NAME).unwrap();
    let mut web = |label: usize, origin: usize| {
        let claims = handfast_handshake::pairing::Claims {
            label: "l".repeat(label),
            origin: "o".repeat(origin),
            grants: 0,
        };
        Pairing::web(name.clone(), claims, now, &mut rng).map(|_| ())
    };
    assert_eq!((web(1, 0), web(64, 128)), (Ok(()), Ok(())));
    assert_eq!(web(0, 0), Err(ApiMisuse::TooLarge));
    assert_eq!(web(65, 0), Err(ApiMisuse::TooLarge));
    assert_eq!(web(1, 129), Err(ApiMisuse::TooLarge));
}
