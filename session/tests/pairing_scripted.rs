//! Pairings whose other side is scripted: it holds the keys, and says what the rules do not let it say.

use std::time::Duration;

use crate::pairing_peers::{Peer, Phone, Web};
use bytes::BytesMut;
use handfast_codec::DeviceRole;
use handfast_codec::error::ErrorCode;
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::relay::RelayFrame;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::phone;
use handfast_session::PairingEvent;
use handfast_testkit::raw::message;
use handfast_testkit::{Clocked as _, Couple};

const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;

/// A device and its scripted peer.
struct Scripted<P> {
    couple: Couple,
    peer: P,
}

impl<P: Peer> Scripted<P> {
    fn send(&mut self, frames: &[LinkFrame]) {
        self.peer.send_all(&mut self.couple, frames);
    }

    fn received(&mut self) -> Vec<LinkFrame> {
        self.peer.link_frames(&mut self.couple)
    }
}

impl Scripted<Phone> {
    /// A phone whose user has approved.
    fn phone(seed: u64) -> Self {
        let (mut couple, mut peer) = Phone::with_web(seed);
        peer.message1(&mut couple);
        peer.message3(&mut couple);
        Self { couple, peer }
    }

    fn cert(&self) -> LinkCert {
        self.peer.made_cert()
    }

    fn type_number(&mut self) {
        let now = self.couple.now;
        self.couple.web.machine.enter_confirmation(now, &self.peer.number()).unwrap();
        self.couple.settle();
    }
}

#[test]
fn repeated_link_records_have_the_same_effect_at_the_web() {
    // req: HSK-017
    let mut phone = Scripted::phone(40);
    let cert = LinkFrame::Cert(phone.cert());
    phone.send(std::slice::from_ref(&cert));
    phone.send(&[cert.clone(), cert.clone()]);
    let asked = phone
        .couple
        .web
        .pairing_events
        .iter()
        .filter(|e| matches!(e, PairingEvent::ConfirmationWanted { .. }))
        .count();
    assert_eq!(asked, 1);
    phone.type_number();
    assert!(matches!(phone.received()[..], [LinkFrame::Accept { .. }]));
    phone.send(&[cert]);
    phone.couple.web.hold = true;
    phone.send(&[LinkFrame::Commit, LinkFrame::Commit]);
    phone.send(&[LinkFrame::Commit]);
    phone.couple.release(WEB);
    assert!(phone.couple.web.is_linked());
    assert_eq!(phone.couple.web.ended(), None);
}

#[test]
fn a_certificate_that_does_not_hold_is_refused_without_saying_why() {
    // req: CRT-002, ERR-004, ERR-021
    let mut phone = Scripted::phone(42);
    let mut other = phone.cert();
    other.serial += 1;
    phone.send(&[LinkFrame::Cert(other)]);
    assert_eq!(phone.couple.web.ended(), Some(ErrorCode::HANDSHAKE_FAILED));
    assert_eq!(phone.received(), [LinkFrame::Close { code: ErrorCode::HANDSHAKE_FAILED }]);
}

impl Scripted<Web> {
    /// A web whose code the phone has scanned; that has sent its certificate, and the web's user typed the number.
    fn web(seed: u64) -> Self {
        let (mut couple, mut peer) = Web::with_phone(seed, false);
        peer.come(&mut couple);
        peer.message2(&mut couple);
        couple.phone.machine.enter_check_code(couple.now, &peer.check_code()).unwrap();
        couple.settle();
        couple.say_yes();
        assert!(matches!(peer.link_frames(&mut couple)[..], [LinkFrame::Cert(_)]));
        Self { couple, peer }
    }

    fn accept(&self) -> LinkFrame {
        self.peer.made_accept()
    }
}

#[test]
fn a_repeated_acceptance_has_the_same_effect_at_the_phone() {
    // req: HSK-017
    let mut web = Scripted::web(60);
    web.couple.phone.hold = true;
    let accept = web.accept();
    web.send(&[accept.clone(), accept.clone()]);
    web.send(&[accept]);
    web.couple.release(PHONE);
    assert!(web.couple.phone.is_linked());
    assert_eq!(web.received(), [LinkFrame::Commit]);
}

#[test]
fn an_accepted_link_is_not_undone_by_a_close() {
    let mut web = Scripted::web(62);
    web.couple.phone.hold = true;
    let accept = web.accept();
    web.send(&[accept, LinkFrame::Close { code: ErrorCode::NOT_CONFIRMED }]);
    web.couple.release(PHONE);
    assert!(web.couple.phone.is_linked());
    assert!(web.couple.phone.has_link());
}

// req: HSK-163
#[test]
fn an_accepted_link_is_not_undone_by_its_relay() {
    let error = RelayFrame::Error { code: ErrorCode::PAIRING_TIME, retry_ms: 0 }.encode();
    // An ERROR, and a PING that ends early.
    for (seed, said) in (66..).zip([&error[..], &[17, 1]]) {
        let mut web = Scripted::web(seed);
        web.couple.phone.hold = true;
        let accept = web.accept();
        web.send(&[accept]);
        web.couple.relay_says(PHONE, said);
        web.couple.release(PHONE);
        assert!(web.couple.phone.is_linked() && web.couple.phone.has_link());
        assert_eq!(web.couple.phone.ended(), None);

        let mut phone = Scripted::phone(seed);
        let cert = LinkFrame::Cert(phone.cert());
        phone.send(&[cert]);
        phone.type_number();
        phone.couple.web.hold = true;
        phone.send(&[LinkFrame::Commit]);
        phone.couple.relay_says(WEB, said);
        phone.couple.release(WEB);
        assert!(phone.couple.web.is_linked() && phone.couple.web.has_link());
        assert_eq!(phone.couple.web.ended(), None);
    }
}

/// Hands the page so many forged first messages in one instant, and returns for how many of them it drew a key.
fn flood(couple: &mut Couple, frames: u32) -> usize {
    let costs = |number: &u32| {
        let before = couple.rng.get_word_pos();
        let forged = [&number.to_be_bytes()[..], &[9; 200]].concat();
        let frame = BytesMut::from(&*message(&forged));
        couple.web.machine.handle_bytes(couple.now, &mut couple.rng, frame).unwrap();
        couple.rng.get_word_pos() != before
    };
    (0..frames).filter(costs).count()
}

// req: HSK-160
#[test]
fn forged_first_messages_cost_a_page_eight_keys_and_then_one_a_second() {
    let mut couple = Couple::new(9);
    let at = couple.scripted_phone();
    assert_eq!(flood(&mut couple, 500), 8);
    for (passed_ms, read) in [(999, 0), (1, 1), (3_500, 3), (500, 1), (60_000, 8)] {
        couple.now = couple.now.plus(Duration::from_millis(passed_ms));
        assert_eq!(flood(&mut couple, 500), read, "after {passed_ms} ms more");
    }
    // The code is as good as ever, a second later.
    assert!(couple.web.machine.offer_text().is_some() && couple.web.ended().is_none());
    couple.now = couple.now.plus(Duration::from_secs(1));
    let (offer, context) = (couple.offer(), couple.raw[at].context());
    let (_, message1) = phone::start(&offer, &context, &mut couple.rng).unwrap();
    couple.raw_send(at, message(&message1));
    assert!(
        matches!(couple.web.pairing_events[..], [PairingEvent::CheckCode(_)]),
        "{:?}",
        couple.web.pairing_events
    );
}

/// A relay that hides that the page of a code has gone, which another phone took.
// req: HSK-006
#[test]
fn who_scans_a_code_that_was_taken_waits_ten_seconds_whatever_the_relay_hides() {
    let mut couple = Couple::new(10);
    couple.web.absent = true;
    couple.settle();
    // Somebody sits in the page's seat and answers nothing.
    let _ = couple.add_raw(WEB, SigningKey::from_bytes([1; 32]));
    couple.run_for(Duration::from_millis(9_900));
    assert_eq!(couple.phone.ended(), None);
    couple.run_for(Duration::from_millis(200));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::TIMEOUT));
}

/// The page has answered another phone and is gone: an honest relay says so at once.
// req: RLY-122
#[test]
fn who_scans_a_used_code_is_told_at_once() {
    let mut scripted = Scripted::phone(11);
    let couple = &mut scripted.couple;
    scripted.peer.leave(couple);
    assert!(couple.web.machine.is_over(), "the code is burnt");
    couple.phone.absent = false;
    couple.phone.machine.probe(couple.now);
    couple.run_for(Duration::from_millis(100));
    assert_eq!(couple.phone.ended(), Some(ErrorCode::CODE_TAKEN));
}
