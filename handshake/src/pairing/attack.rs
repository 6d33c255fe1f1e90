//! Somebody between two codes who searches for messages that make both numbers agree, with the API of this crate.
//!
//! The attacker has seen the genuine page's code, and the phone scans the attacker's. Three of the four digits are
//! compared, so that chance alone succeeds in one of a thousand attempts.

use alloc::vec::Vec;

use handfast_codec::ids::AttachmentId;
use handfast_codec::payload::Xk2;
use handfast_codec::qr::{Offer, Opening};
use rand_core::CryptoRng;

use super::phone::{AwaitApproval, AwaitMessage2};
use super::web::{AwaitMessage3, Code};
use super::{CheckCode, Claims, PairingContext, numbers, pattern, phone, prologue, psk};
use crate::hazmat::ScriptedRng;
use crate::identity::SigningKey;
use crate::noise::{HandshakeRole, HandshakeState, Keys};
use crate::secret::DhSecret;

/// The attempts of the attacker that needs no search, whose successes are counted.
const CHANCES: u32 = 2_000;
/// The attempts of each search.
const SEARCHES: u64 = 2;
/// How many messages a search tries: with three digits more than enough.
const TRIES: u32 = 8_000;

fn digits(code: CheckCode, count: u32) -> u16 {
    code.0 % 10_u16.pow(count)
}

fn rng(seed: u64) -> impl CryptoRng {
    // A generator of the tests: SHA-256 of a seed and a counter.
    let bytes: Vec<u8> = (0_u64..600)
        .flat_map(|at| {
            let mut ikm = [0; 32];
            ikm[..8].copy_from_slice(&seed.to_be_bytes());
            *crate::key_schedule::psk_id(
                &crate::secret::Psk::from_bytes(ikm),
                &handfast_codec::ids::MailboxId::from_bytes(u128::from(at).to_be_bytes()),
            )
            .as_bytes()
        })
        .collect();
    ScriptedRng::new(&[&bytes])
}

fn context() -> PairingContext {
    PairingContext {
        relay: "relay.example".parse().expect("a name"),
        phone: AttachmentId::from_bytes([1; 8]),
        web: AttachmentId::from_bytes([2; 8]),
    }
}

fn code(rng: &mut dyn CryptoRng) -> Code {
    Code::generate(context().relay, rng).expect("the name fits")
}

fn answered(code: Code, message1: &[u8], rng: &mut dyn CryptoRng) -> AwaitMessage3 {
    let claims = Claims { label: "page".into(), origin: alloc::string::String::new(), grants: 1 };
    code.read_message1(&context(), &claims, message1, rng).expect("message 1 is read").0
}

fn scanned(offer: &Offer, rng: &mut dyn CryptoRng) -> (AwaitMessage2, Vec<u8>) {
    phone::start(offer, &context(), rng).expect("starts")
}

/// The attacker's own code, whose key and opening the attacker knows.
struct Own {
    wq: DhSecret,
    opening: [u8; 32],
    offer: Offer,
}

impl Own {
    fn draw(rng: &mut dyn CryptoRng) -> Self {
        let (mut wq, mut opening) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut wq);
        rng.fill_bytes(&mut opening);
        let mut script = ScriptedRng::new(&[&wq, &opening]);
        let offer = Offer::decode(&code(&mut script).offer().encode()).expect("the text decodes");
        Self { wq: DhSecret::from_bytes(wq), opening, offer }
    }

    /// The attacker as the phone's page, which has read message 1.
    fn reads(&self, message1: &[u8], rng: &mut dyn CryptoRng) -> HandshakeState {
        let keys = Keys::new(DhSecret::generate(rng)).with_s(self.wq.duplicate()).with_psk(psk(&self.offer));
        let prologue = prologue(&self.offer, &context());
        let pattern = pattern().expect("a pattern");
        let state = HandshakeState::new(&pattern, HandshakeRole::Responder, &prologue, keys).expect("keys");
        state.read_message(message1).expect("reads").0
    }

    /// Message 2 with this opening and this label.
    fn message2(state: HandshakeState, opening: [u8; 32], label: u32) -> Vec<u8> {
        let reply = Xk2 {
            version: 1,
            capabilities: Vec::new(),
            limits: Vec::new(),
            web_key: DhSecret::from_bytes([0x52; 32]).public(),
            signing_key: SigningKey::from_bytes([0x53; 32]).public(),
            attach_key: SigningKey::from_bytes([0x54; 32]).attach_key(),
            label: alloc::format!("{label}"),
            origin: alloc::string::String::new(),
            grants: 1,
            opening: Opening::from_bytes(opening),
        };
        state.write_message(&reply.encode()).expect("writes").1
    }
}

/// Nothing is searched for: both legs run, and agree by chance.
fn by_chance(seed: u64) -> (AwaitMessage3, AwaitApproval) {
    let mut rng = rng(seed);
    let own = Own::draw(&mut rng);
    let page = code(&mut rng);
    let (_, message1) = scanned(page.offer(), &mut rng);
    let page = answered(page, &message1, &mut rng);
    let (victim, message1) = scanned(&own.offer, &mut rng);
    let state = own.reads(&message1, &mut rng);
    let victim = victim.read(&Own::message2(state, own.opening, 0)).expect("an honest opening");
    (page, victim)
}

#[test]
fn chance_alone_makes_three_digits_agree_once_in_a_thousand() {
    // req: HSK-094
    let (mut three, mut one) = (0, 0);
    for seed in 0..u64::from(CHANCES) {
        let (page, victim) = by_chance(seed);
        let (shown, wanted) = (page.check_code(), victim.code());
        three += u32::from(digits(shown, 3) == digits(wanted, 3));
        one += u32::from(digits(shown, 1) == digits(wanted, 1));
    }
    assert!(three <= 10, "{three} of {CHANCES}, where 2 are expected");
    assert!((130..=270).contains(&one), "one digit: {one} of {CHANCES}, where 200 are expected");
}

#[test]
fn an_opening_that_is_chosen_late_is_refused() {
    // req: HSK-096
    for seed in 0..SEARCHES {
        let mut rng = rng(10_000 + seed);
        let own = Own::draw(&mut rng);
        let page = code(&mut rng);
        let (_, message1) = scanned(page.offer(), &mut rng);
        let shown = answered(page, &message1, &mut rng).check_code();
        let (victim, message1) = scanned(&own.offer, &mut rng);
        let state = own.reads(&message1, &mut rng);
        let h1 = state.handshake_hash();
        let fits = (0..TRIES).map(|n| {
            let mut opening = own.opening;
            opening[..4].copy_from_slice(&n.to_be_bytes());
            opening
        });
        let mut fits = fits
            .filter(|opening| digits(numbers(&h1, &Opening::from_bytes(*opening)).0, 3) == digits(shown, 3));
        let opening = fits.next().expect("one of some thousand fits");
        assert!(victim.read(&Own::message2(state, opening, 0)).is_err(), "the phone takes a late opening");
    }
}

#[test]
fn a_message_1_that_is_searched_for_before_the_opening_is_known_gains_nothing() {
    // req: HSK-094
    let mut wins = 0;
    for seed in 0..SEARCHES {
        let mut rng = rng(20_000 + seed);
        let own = Own::draw(&mut rng);
        let (victim, message1) = scanned(&own.offer, &mut rng);
        let state = own.reads(&message1, &mut rng);
        let victim = victim.read(&Own::message2(state, own.opening, 0)).expect("an honest opening");
        let page = code(&mut rng);
        // The best guess of the page's opening: it is not in the number if the number is of h1 alone.
        let guess = Opening::from_bytes([7; 32]);
        let fits = (0..TRIES).find_map(|n| {
            let mut e = [0x31; 64];
            e[..4].copy_from_slice(&n.to_be_bytes());
            let (state, message1) = scanned(page.offer(), &mut ScriptedRng::new(&[&[0x44; 32], &e[..32]]));
            (digits(numbers(&state.h1(), &guess).0, 3) == digits(victim.code(), 3)).then_some(message1)
        });
        let message1 = fits.expect("one of some thousand fits the guess");
        let shown = answered(page, &message1, &mut rng).check_code();
        wins += u32::from(digits(shown, 3) == digits(victim.code(), 3));
    }
    assert_eq!(wins, 0, "a search before the opening is known succeeds");
}

#[test]
fn a_message_2_that_is_searched_for_changes_no_number() {
    // req: HSK-094
    let mut wins = 0;
    for seed in 0..SEARCHES {
        let mut rng = rng(30_000 + seed);
        let own = Own::draw(&mut rng);
        let page = code(&mut rng);
        let (_, message1) = scanned(page.offer(), &mut rng);
        let shown = answered(page, &message1, &mut rng).check_code();
        let mut seen = None;
        for label in 0..64 {
            let (victim, message1) = scanned(&own.offer, &mut ScriptedRng::new(&[&[0x44; 32], &[0x45; 32]]));
            let state = own.reads(&message1, &mut ScriptedRng::new(&[&[0x46; 32]]));
            let victim = victim.read(&Own::message2(state, own.opening, label)).expect("an honest opening");
            let wanted = victim.code().0;
            wins += u32::from(digits(victim.code(), 3) == digits(shown, 3));
            assert_eq!(*seen.get_or_insert(wanted), wanted, "message 2 changes the number");
        }
    }
    assert_eq!(wins, 0, "a search among messages 2 succeeds");
}
