//! A whole pairing, reconnects and a recovery, both roles in memory.

use handfast_codec::ids::PskId;
use handfast_codec::payload::KkMode;
use handfast_codec::versions::Versions;
use handfast_handshake::key_schedule::psk_id;
use handfast_handshake::link::{PhoneLink, WebLink, mailbox};
use handfast_handshake::pairing;
use handfast_handshake::ratchet::{Decision, Holder, PhoneRatchet, Recovery, Slot, WebRatchet};
use handfast_handshake::reconnect::{self, Connection, phone::ReceiveError};
use handfast_handshake::secret::Psk;

use crate::support::{
    Approved, Linked, Scanned, agree, approve, claims, code, context, kk1, kk2, link, link_context, relay,
    rng, scan, scanned,
};

#[test]
fn both_sides_reach_the_same_link() {
    let Scanned { offer, web, mut phone, .. } = scan();
    assert_eq!(pairing::mailbox(code().offer()), pairing::mailbox(&offer));
    assert_eq!(phone.claims(), &claims());
    let shown = web.check_code().to_string();
    assert_eq!(shown.len(), 4);
    let confirmed = phone.check(&format!(" {shown} ")).expect("the code is right");
    let (offered, message3) = phone
        .approve(confirmed, &crate::support::account(), crate::support::granted_terms(), &mut rng(4))
        .expect("message 3 is made");
    let (web, mut web_sealer, mut web_opener) = web.read(&message3).expect("message 3 is read");
    let (mut sealer, mut opener) = (offered.sealer, offered.opener);
    agree((&mut sealer, &mut opener), (&mut web_sealer, &mut web_opener));

    let asked = web.read(&offered.cert).expect("the certificate holds");
    assert_eq!(asked.account_name(), "Ada");
    let number = offered.confirmation.to_string();
    assert_eq!(number.len(), 2);
    let (web, start) = asked.confirm(&format!(" {number} ")).expect("the number is right");
    let phone = offered.link;
    let _accepted = phone.verify_accept(&web.accept).expect("the acceptance holds");

    assert_eq!(web.terms, phone.terms);
    assert_eq!(
        phone.terms.mailbox,
        mailbox(&phone.attach.attach_key(), &web.attach.attach_key(), &phone.terms.salt)
    );
    assert_eq!(phone.ps.public(), web.phone_key);
    assert_eq!(web.wd.public(), phone.web_key);
    assert_eq!(phone.recovery.expose(), web.recovery.expose());
    assert_eq!(phone.tombstone_seal.expose(), web.tombstone_seal.expose());
    assert_eq!(phone.goodbye_seal.expose(), web.goodbye_seal.expose());
    assert_eq!(start.resume.expose(), offered.start.resume.expose());
    assert_eq!(start.epoch_w2p, offered.start.epoch_w2p);
    assert_eq!(start.epoch_p2w, offered.start.epoch_p2w);
    assert_ne!(start.epoch_w2p, start.epoch_p2w);
    let secrets = [
        phone.recovery.expose(),
        phone.tombstone_seal.expose(),
        phone.goodbye_seal.expose(),
        start.resume.expose(),
    ];
    for (n, secret) in secrets.iter().enumerate() {
        assert!(!secrets[n + 1..].contains(secret), "each derived key is its own");
    }
}

#[test]
fn the_rows_of_a_link_are_read_back_and_cut_ones_refused() {
    let Linked { phone, web, .. } = link();
    let row = phone.encode();
    assert_eq!(*PhoneLink::decode(&row).expect("reads").encode(), *row);
    assert!((0..row.len()).all(|len| PhoneLink::decode(&row[..len]).is_err()));
    assert!(WebLink::decode(&row).is_err(), "a phone's row is no web's");
    let row = web.encode();
    assert_eq!(*WebLink::decode(&row).expect("reads").encode(), *row);
    assert!((0..row.len()).all(|len| WebLink::decode(&row[..len]).is_err()));
    assert!(PhoneLink::decode(&row).is_err(), "a web's row is no phone's");
}

#[test]
fn two_codes_share_nothing() {
    // req: QRP-012
    let (one, two) = (code(), pairing::web::Code::generate(relay(), &mut rng(9)).expect("the name fits"));
    assert_ne!(one.offer().web_key, two.offer().web_key);
    assert_ne!(one.offer().secret(), two.offer().secret());
    assert_ne!(pairing::mailbox(one.offer()), pairing::mailbox(two.offer()));
}

#[test]
fn a_relay_name_that_does_not_fit_a_code_is_refused() {
    let name = |len: usize| handfast_codec::RelayName::parse(&"a".repeat(len)).expect("a name");
    assert!(pairing::web::Code::generate(name(40), &mut rng(1)).is_ok());
    assert!(pairing::web::Code::generate(name(41), &mut rng(1)).is_err());
}

/// A psk in a slot.
struct Key(Psk, PskId);

impl Key {
    fn new(psk: Psk, link: &Linked) -> Self {
        let id = psk_id(&psk, &link.phone.terms.mailbox);
        Self(psk, id)
    }

    fn again(&self) -> Self {
        Self(Psk::from_bytes(*self.0.expose()), self.1)
    }
}

impl Slot for Key {
    type Id = PskId;

    fn id(&self) -> PskId {
        self.1
    }
}

/// Both sides' ratchets over one link.
struct Pair {
    link: Linked,
    phone: PhoneRatchet<Key>,
    web: WebRatchet<Key>,
    draws: u8,
}

impl Pair {
    fn new() -> Self {
        let link = link();
        let first = |psk: &Psk| Key::new(Psk::from_bytes(*psk.expose()), &link);
        let (phone, web) = (first(&link.phone_start.resume), first(&link.web_start.resume));
        Self { link, phone: PhoneRatchet::new(phone, None, 0), web: WebRatchet::new(web, 0), draws: 10 }
    }

    /// One reconnect up to message 2, with real messages. The phone has moved its slots; the web has not.
    fn connect(&mut self) -> Result<(Connection, Connection), ReceiveError> {
        let name = relay();
        let context = link_context(&self.link, &name);
        let try_ = self.web.next_try().expect("not used up");
        self.draws += 2;
        let payload = kk1(try_, KkMode::Resume, Versions::CURRENT);
        let (state, body) = reconnect::web::start(
            &context,
            &self.link.web,
            KkMode::Resume,
            &self.web.key().0,
            &payload,
            &mut rng(self.draws),
        )
        .expect("starts");
        let received = reconnect::phone::receive(
            &context,
            &self.link.phone,
            &body,
            |head| self.phone.key(&head.psk_id).map(|key| &key.0),
            &mut rng(self.draws + 1),
        )?;
        assert_eq!(received.payload, payload);
        assert_eq!(received.version, 2);
        let holder = self.phone.find(&received.head.psk_id).expect("a known key");
        let Decision::Answer(answer) = self.phone.decide(holder, received.payload.try_) else {
            panic!("a higher try is answered")
        };
        let reply = kk2(KkMode::Resume);
        let (phone, message2) = received.answer(&reply).expect("message 2 is made");
        self.phone.answered(&answer, Key::new(Psk::from_bytes(*phone.next.expose()), &self.link));
        let (read, web) = state.read(&message2).expect("message 2 is read");
        assert_eq!(read, reply);
        assert_eq!(web.next.expose(), phone.next.expose());
        assert_eq!(web.h, phone.h);
        Ok((web, phone))
    }
}

#[test]
fn reconnects_ratchet_on_and_agree() {
    // req: HSK-023, HSK-024, HSK-025
    let mut pair = Pair::new();
    let mut seen = vec![*pair.link.web_start.resume.expose()];
    for _ in 0..3 {
        let (mut web, mut phone) = pair.connect().expect("the key is known");
        assert!(!seen.contains(web.next.expose()), "no psk comes twice");
        seen.push(*web.next.expose());
        agree((&mut web.sealer, &mut web.opener), (&mut phone.sealer, &mut phone.opener));
        pair.web.advanced(Key::new(web.next, &pair.link));
        pair.phone.confirmed();
        assert_eq!(pair.phone.find(&pair.web.key().1), Some(Holder::Current));
    }
}

#[test]
fn a_lost_message_2_and_a_lost_confirm_are_both_survived() {
    // req: HSK-023, HSK-025
    let mut pair = Pair::new();
    // Message 2 is lost: the web still has the old key, which is the phone's current one.
    let _ = pair.connect().expect("the key is known");
    assert_eq!(pair.phone.find(&pair.web.key().1), Some(Holder::Current));
    // The confirm is lost: the web has the candidate.
    let (web, _) = pair.connect().expect("the key is known");
    pair.web.advanced(Key::new(web.next, &pair.link));
    assert_eq!(pair.phone.find(&pair.web.key().1), Some(Holder::Candidate));
    let (mut web, mut phone) = pair.connect().expect("the candidate is known");
    agree((&mut web.sealer, &mut web.opener), (&mut phone.sealer, &mut phone.opener));
}

#[test]
fn a_copied_profile_is_seen_by_recovery_and_a_forged_hint_is_not_taken_for_one() {
    // req: HSK-042, HSK-043
    let mut pair = Pair::new();
    let copy = pair.web.key().again();
    for _ in 0..2 {
        let (web, _) = pair.connect().expect("the key is known");
        pair.web.advanced(Key::new(web.next, &pair.link));
        pair.phone.confirmed();
    }
    // The copy's key is unknown to the phone.
    let original = std::mem::replace(&mut pair.web, WebRatchet::new(copy, 0));
    assert_eq!(pair.connect().err(), Some(ReceiveError::UnknownKey));
    for (held, verdict) in [(pair.web.key().1, Recovery::Diverged), (original.key().1, Recovery::InSync)] {
        let name = relay();
        let context = link_context(&pair.link, &name);
        let mut payload = kk1(5, KkMode::Recover, Versions::CURRENT);
        payload.psk_id_held = Some(held);
        let recovery = &pair.link.web.recovery;
        let (state, body) = reconnect::web::start(
            &context,
            &pair.link.web,
            KkMode::Recover,
            recovery,
            &payload,
            &mut rng(90),
        )
        .expect("starts");
        let lookup_id = psk_id(&pair.link.phone.recovery, &context.mailbox);
        let received = reconnect::phone::receive(
            &context,
            &pair.link.phone,
            &body,
            |head| {
                (head.mode == KkMode::Recover && head.psk_id == lookup_id)
                    .then_some(&pair.link.phone.recovery)
            },
            &mut rng(91),
        )
        .expect("the recovery psk is known");
        let held = received.payload.psk_id_held.expect("it is there");
        let in_step = pair.phone.find(&held).is_some();
        let (mut phone, message2) = received.answer(&kk2(KkMode::Recover)).expect("message 2 is made");
        let (reply, mut web) = state.read(&message2).expect("message 2 is read");
        assert_eq!(reply.resume, None);
        agree((&mut web.sealer, &mut web.opener), (&mut phone.sealer, &mut phone.opener));
        assert_eq!(pair.phone.recovery_verdict(in_step, &held), verdict);
    }
}

#[test]
fn an_attempt_is_bound_to_fresh_keys() {
    let Approved { offered, .. } = approve();
    let (_, again) = pairing::phone::start(&scanned(&code()), &context(), &mut rng(77)).expect("starts");
    let (_, other) = pairing::phone::start(&scanned(&code()), &context(), &mut rng(78)).expect("starts");
    assert_ne!(again, other);
    assert_ne!(offered.link.ps.expose(), offered.link.attach.expose());
}
