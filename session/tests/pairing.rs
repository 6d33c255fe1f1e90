//! Pairing, whole: from a scanned code to a stored link, and what refuses it. What is lost on the way is in `pairing_lost.rs`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use handfast_codec::error::ErrorCode;
use handfast_codec::relay::{Attach, DataKind, MailboxProof, RelayFrame};
use handfast_codec::{DeviceRole, RelayName};
use handfast_session::pairing::{KeysInUse, ShownCodes, peer_keys};
use handfast_session::{ApiMisuse, LinkStatus, Pairing, PairingEvent, PairingOutput};
use handfast_testkit::pairing::{ORIGIN, account, granted_terms};
use handfast_testkit::raw::message;
use handfast_testkit::relay::NAME;
use handfast_testkit::{Clocked as _, Couple};

const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Whether the call was refused since it does not fit the state of its machine.
const fn is_misfit<T>(result: &Result<T, ApiMisuse>) -> bool {
    matches!(result, Err(ApiMisuse::WrongState { .. }))
}

#[test]
fn a_pairing_ends_in_a_link_that_both_sides_open() {
    // req: HSK-015, HSK-106, HSK-109
    let mut couple = Couple::new(1);
    couple.settle();
    let early = couple.phone.machine.approve(couple.now, &mut couple.rng, &account(), granted_terms());
    assert!(is_misfit(&early), "the check code was not typed");
    couple.type_code();
    assert!(couple.web.machine.is_frozen());
    let expected = PairingEvent::ApprovalWanted {
        label: "Firefox".into(),
        origin: ORIGIN.into(),
        origin_seen: Some(ORIGIN.into()),
        grants: 5,
        same_net: Some(true),
    };
    assert_eq!(couple.phone.pairing_events.last(), Some(&expected));
    couple.say_yes();
    let number = couple.number();
    assert_eq!(number.len(), 2);
    let Some(PairingEvent::ConfirmationWanted { account_name, account: key }) =
        couple.web.pairing_events.last().cloned()
    else {
        panic!("NN is asked for")
    };
    assert_eq!((account_name.as_str(), key), ("Ada", account().public()));
    assert!(couple.phone.has_link(), "the phone is OFFERED");
    assert!(couple.web.disk.is_empty(), "the web has stored nothing");
    couple.web.machine.enter_confirmation(couple.now, &number).unwrap();
    couple.settle();
    assert!(couple.are_linked());
    assert_eq!(couple.phone.machine.terms(), couple.web.machine.terms());
    assert!(couple.phone.machine.is_over() && couple.web.machine.is_over());
    let world = couple.run_stored();
    assert_eq!(world.phone.machine.status(), LinkStatus::Active);
    assert_eq!(world.web.machine.status(), LinkStatus::Active);
}

#[test]
fn a_web_that_comes_after_the_phone_is_met_all_the_same() {
    let mut couple = Couple::new(2);
    couple.web.offline = true;
    couple.run_for(seconds(3));
    couple.web.offline = false;
    couple.run_for(seconds(6));
    assert!(
        matches!(couple.web.pairing_events[..], [PairingEvent::CheckCode(_)]),
        "{:?}",
        couple.web.pairing_events
    );
}

/// Three codes of which none is this one, nor two alike.
fn wrong_codes(right: &str) -> [String; 3] {
    let right: u16 = right.parse().unwrap();
    [1, 2, 3].map(|more| format!("{:04}", (right + more) % 10_000))
}

#[test]
fn three_wrong_codes_burn_the_code_and_a_new_one_works() {
    // req: HSK-011, HSK-012
    let mut couple = Couple::new(3);
    let right = couple.scan();
    for (left, wrong) in [2, 1, 0].into_iter().zip(wrong_codes(&right)) {
        couple.phone.machine.enter_check_code(couple.now, &wrong).unwrap();
        couple.settle();
        assert!(couple.phone.pairing_events.contains(&PairingEvent::WrongCheckCode(left)));
    }
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CHECK_CODE_WRONG));
    let late = couple.phone.machine.enter_check_code(couple.now, &right);
    assert!(is_misfit(&late), "the right code comes too late");
    assert_eq!(couple.web.ended(), Some(ErrorCode::PEER_GONE));
    assert!(couple.web.machine.offer_text().is_none(), "the code is burnt");
    assert!(couple.phone.disk.is_empty() && couple.web.disk.is_empty());
    let mut again = Couple::new(33);
    again.confirm();
    assert!(again.are_linked());
}

#[test]
fn a_wrong_code_does_not_renew_the_wait_for_the_right_one() {
    // req: HSK-014
    let mut couple = Couple::new(36);
    let right = couple.scan();
    couple.run_for(seconds(50));
    couple.phone.machine.enter_check_code(couple.now, &wrong_codes(&right)[0]).unwrap();
    couple.run_for(Duration::from_millis(9_999));
    assert_eq!(couple.phone.ended(), None);
    couple.run_for(Duration::from_millis(1));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CODE_EXPIRED));
}

#[test]
fn a_refusal_ends_both_and_stores_nothing() {
    // req: HSK-010, HSK-012
    let mut couple = Couple::new(5);
    couple.type_code();
    couple.phone.machine.refuse(couple.now);
    couple.settle();
    assert_eq!(couple.phone.ended(), Some(ErrorCode::REFUSED));
    assert_eq!(couple.web.ended(), Some(ErrorCode::PEER_GONE));
    assert!(couple.phone.disk.is_empty() && couple.web.disk.is_empty());
}

#[test]
fn when_the_number_is_another_or_there_is_none_nothing_stays_stored() {
    // req: HSK-082, HSK-088, HSK-103
    for (seed, typed) in (600..).zip([Some(1), Some(50), Some(99), None]) {
        let mut couple = Couple::new(seed);
        couple.approve();
        assert!(couple.phone.has_link());
        let right = couple.number();
        match typed {
            Some(more) => {
                let other = format!("{:02}", (right.parse::<u8>().unwrap() + more) % 100);
                couple.web.machine.enter_confirmation(couple.now, &other).unwrap();
            }
            None => couple.web.machine.stop(couple.now).unwrap(),
        }
        let again = couple.web.machine.enter_confirmation(couple.now, &right);
        assert!(is_misfit(&again), "there is no second try");
        couple.settle();
        assert_eq!(couple.web.ended(), Some(ErrorCode::NOT_CONFIRMED));
        assert_eq!(couple.phone.ended(), Some(ErrorCode::NOT_CONFIRMED));
        assert!(couple.web.disk.is_empty(), "the web never stored anything");
        assert!(!couple.phone.has_link(), "the phone drops OFFERED");
    }
}

#[test]
fn the_digits_are_told_before_message_2_leaves() {
    // req: HSK-098
    let mut couple = Couple::new(38);
    let at = couple.scripted_phone();
    let offer = couple.offer();
    let context = couple.raw[at].context();
    let (_, message1) = handfast_handshake::pairing::phone::start(&offer, &context, &mut couple.rng).unwrap();
    let (now, mut rng) = (couple.now, couple.rng.clone());
    couple.web.machine.handle_bytes(now, &mut rng, message(&message1)[..].into()).unwrap();
    let first = couple.web.machine.poll_output();
    assert!(matches!(first, PairingOutput::Event(PairingEvent::CheckCode(_))), "{first:?}");
    assert!(matches!(couple.web.machine.poll_output(), PairingOutput::Transmit(_)));
}

#[test]
fn of_two_codes_that_get_a_message_1_in_the_same_turn_one_alone_answers() {
    // req: HSK-097, HSK-107, HSK-100
    let codes = ShownCodes::default();
    let shown = |seed| Couple::with_codes(seed, &codes);
    let (mut first, mut second, mut third) = (shown(39), shown(40), shown(41));
    for couple in [&mut third, &mut first, &mut second] {
        couple.phone.absent = true;
        couple.settle();
    }
    let mut both = [first, second].map(|mut couple| {
        let at = couple.scripted_phone();
        let offer = couple.offer();
        let context = couple.raw[at].context();
        let start = handfast_handshake::pairing::phone::start(&offer, &context, &mut couple.rng);
        (couple, message(&start.unwrap().1))
    });
    // Both machines get theirs before the application looks at what either says.
    for (couple, message1) in &mut both {
        let (now, mut rng) = (couple.now, couple.rng.clone());
        couple.web.machine.handle_bytes(now, &mut rng, message1[..].into()).unwrap();
    }
    let said = both.map(|(mut couple, _)| {
        let sent = couple.web.sent;
        couple.settle();
        (couple.web.sent - sent, couple.web.pairing_events.clone(), couple.web.ended())
    });
    assert!(matches!(said[0], (1, ref events, None) if matches!(events[..], [PairingEvent::CheckCode(_)])));
    assert_eq!(
        said[1],
        (0, vec![PairingEvent::Ended(ErrorCode::CODE_EXPIRED)], Some(ErrorCode::CODE_EXPIRED))
    );
    // A third code, which no phone has reached, gives way as well, and no other is drawn for them.
    third.run_for(seconds(30));
    assert_eq!(third.web.ended(), Some(ErrorCode::CODE_EXPIRED));
    assert!(third.web.machine.offer_text().is_none());
    let name = RelayName::parse(NAME).unwrap();
    let next = Pairing::web(
        name,
        handfast_testkit::pairing::claims(),
        &codes,
        KeysInUse::none(),
        third.now,
        &mut third.rng,
    );
    assert!(is_misfit(&next));
}

#[test]
fn garbage_and_damaged_first_messages_burn_nothing() {
    // req: HSK-013
    let mut couple = Couple::new(7);
    let mut first = true;
    couple.alter(move |role, frame| {
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
    assert!(couple.are_linked());
}

#[test]
fn a_second_phone_is_refused_while_the_first_pairs() {
    let mut couple = Couple::new(9);
    let offer = couple.offer();
    let _ = couple.scan();
    let name = RelayName::parse(NAME).unwrap();
    let second = Pairing::phone(offer, name, KeysInUse::none(), couple.now, &mut couple.rng);
    let first = std::mem::replace(&mut couple.phone.machine, second);
    let socket_of_first = couple.phone.socket.take();
    couple.run_for(seconds(1));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CODE_TAKEN));
    // The first is not disturbed.
    couple.phone.machine = first;
    couple.phone.pairing_events = vec![PairingEvent::CheckCodeWanted];
    couple.phone.socket = socket_of_first;
    couple.confirm();
    assert!(couple.are_linked());
}

#[test]
fn a_relay_with_another_name_is_left() {
    // req: RLY-006
    let mut couple = Couple::at_relay_named(10, "localhost:1");
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
    couple.alter(|role, frame| if role == WEB && frame[0] == 9 { vec![] } else { vec![frame] });
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
    couple.alter(|role, frame| if role == WEB && frame[0] == 9 { vec![] } else { vec![frame] });
    couple.run_for(seconds(101));
    assert!(couple.phone.ended().is_some());
    // No message 3.
    let mut couple = Couple::new(20);
    let _ = couple.scan();
    couple.alter(|role, frame| if role == PHONE && frame[0] == 9 { vec![] } else { vec![frame] });
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
    let web_keys = peer_keys(PHONE, &first.phone.disk).unwrap();
    let phone_keys = peer_keys(WEB, &first.web.disk).unwrap();
    assert_eq!((web_keys.len(), phone_keys.len()), (3, 2));
    assert!(peer_keys(PHONE, &first.web.disk).is_err(), "another role's rows");
    // The same draws make the same keys.
    let mut again = Couple::with_keys_in_use(21, web_keys, Vec::new());
    again.settle();
    assert_eq!(again.phone.ended(), Some(ErrorCode::HANDSHAKE_FAILED));
    let mut again = Couple::with_keys_in_use(21, Vec::new(), phone_keys);
    again.approve();
    assert_eq!(again.web.ended(), Some(ErrorCode::HANDSHAKE_FAILED));
    assert_eq!(again.phone.ended(), Some(ErrorCode::HANDSHAKE_FAILED));
    assert!(!again.phone.has_link());
}

#[test]
fn calls_that_do_not_fit_are_misuse_and_change_nothing() {
    let mut couple = Couple::new(22);
    let (now, mut rng) = (couple.now, couple.rng.clone());
    assert!(is_misfit(&couple.phone.machine.enter_check_code(now, "0000")));
    assert!(is_misfit(&couple.phone.machine.approve(now, &mut rng, &account(), granted_terms())));
    assert!(is_misfit(&couple.phone.machine.enter_confirmation(now, "00")));
    assert!(is_misfit(&couple.phone.machine.stop(now)));
    assert!(is_misfit(&couple.web.machine.enter_confirmation(now, "00")));
    assert!(is_misfit(&couple.web.machine.stop(now)));
    assert!(is_misfit(&couple.web.machine.enter_check_code(now, "0000")));
    let bytes = bytes::BytesMut::from(&[1_u8][..]);
    assert_eq!(couple.phone.machine.handle_bytes(now, &mut rng, bytes), Err(ApiMisuse::NotOpen));
    let code = couple.phone.machine.enter_check_code(now, "0000").unwrap_err();
    let why = "the call needs the event CheckCodeWanted, and there is no companion at the code's mailbox yet";
    assert_eq!(code.to_string(), why);
    let _ = couple.scan();
    assert!(is_misfit(&couple.phone.machine.approve(now, &mut rng, &account(), granted_terms())));
    assert!(is_misfit(&couple.web.machine.enter_confirmation(now, "00")));
    couple.web.pairing_events.truncate(1);
    couple.confirm();
    assert!(couple.are_linked());
    assert!(is_misfit(&couple.web.machine.stop(now)));
    couple.phone.machine.refuse(now);
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
        Pairing::web(name.clone(), claims, &ShownCodes::default(), KeysInUse::none(), now, &mut rng)
            .map(|_| ())
    };
    assert_eq!((web(1, 0), web(64, 128)), (Ok(()), Ok(())));
    assert_eq!(web(0, 0), Err(ApiMisuse::TooLarge));
    assert_eq!(web(65, 0), Err(ApiMisuse::TooLarge));
    assert_eq!(web(1, 129), Err(ApiMisuse::TooLarge));
}

#[test]
fn the_key_of_a_codes_seat_is_drawn_for_it_and_is_no_key_of_the_link() {
    // req: HSK-154
    let mut seats = Vec::new();
    for seed in [90, 91] {
        let mut couple = Couple::new(seed);
        let heard = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&heard);
        couple.alter(move |_, frame| {
            if let Ok(RelayFrame::Attach(Attach { proof: MailboxProof::Pairing { key }, .. })) =
                RelayFrame::decode(frame.clone())
            {
                seen.borrow_mut().push(*key.as_bytes());
            }
            vec![frame]
        });
        couple.confirm();
        assert!(couple.are_linked());
        let keys = [(PHONE, &couple.phone.disk), (WEB, &couple.web.disk)]
            .map(|(role, disk)| peer_keys(role, disk).unwrap())
            .concat();
        assert_eq!((heard.borrow().len(), keys.len()), (2, 5), "two seats, and the keys of both peers");
        assert!(heard.borrow().iter().all(|seat| !keys.contains(seat)));
        seats.extend(heard.borrow().iter().copied());
    }
    seats.sort_unstable();
    seats.dedup();
    assert_eq!(seats.len(), 4, "none is used twice");
}
