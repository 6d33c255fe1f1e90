//! Attacks by somebody who shows the phone a code of his own and answers the page himself. He uses this crate
//! to search for messages that make the digits of page and phone agree.
//!
//! The attacker has seen the genuine page's code, and the phone scans the attacker's. Only three of the four
//! digits are compared, so that chance alone succeeds once in a thousand attempts. Each search here must
//! succeed no more often than chance. Without the rule that prevents it, a search succeeds every time, as
//! `cargo xtask mutants` shows with the patches that name these tests. `HANDFAST_RUNS=N` runs each attack N
//! times. The search for a second message 1 is in `session/tests/pairing_attack.rs`, with the machine that
//! would answer it.

extern crate std;

use alloc::vec::Vec;

use handfast_codec::ids::AttachmentId;
use handfast_codec::payload::Xk2;
use handfast_codec::qr::{Opening, QrOffer, RelayRef};
use rand_core::CryptoRng;

use super::phone::{AwaitApproval, AwaitMessage2};
use super::web::{AwaitMessage3, Code};
use super::{CheckCode, Claims, PairingContext, numbers, pattern, phone, prologue, psk};
use crate::hazmat::ScriptedRng;
use crate::identity::SigningKey;
use crate::noise::{HandshakeRole, HandshakeState, Keys};
use crate::secret::DhSecret;

/// The most messages that a search tries. Each of them has a chance of one in a thousand to fit.
const TRIES: u32 = 30_000;

/// Runs an attack `runs` times. Returns how often three digits of page and phone agree.
fn successes(name: &str, runs: u64, attack: fn(u64) -> bool) -> u64 {
    let wins = (0..runs).filter(|seed| attack(*seed)).count() as u64;
    std::println!("the attack succeeds in {wins} of {runs}: {name}");
    wins
}

/// Runs an attack, `runs` times or as often as the environment says. Checks that it succeeds no more often
/// than chance.
#[track_caller]
fn is_chance(name: &str, runs: u64, attack: fn(u64) -> bool) {
    let asked = std::env::var("HANDFAST_RUNS").ok();
    let runs = asked.map_or(runs, |asked| asked.parse().expect("a number of attacks"));
    let wins = successes(name, runs, attack);
    let most = 1 + runs / 250;
    assert!(wins <= most, "{name}: {wins} of {runs}, where chance gives one in a thousand");
}

/// Returns whether the last three digits of both codes agree.
fn agree(one: CheckCode, other: CheckCode) -> bool {
    one.0 % 1_000 == other.0 % 1_000
}

fn rng(seed: u64) -> ScriptedRng {
    // A generator for tests: bytes derived from a seed and a counter.
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

fn answered(code: Code, message1: &[u8], rng: &mut dyn CryptoRng) -> (AwaitMessage3, Vec<u8>) {
    let claims = Claims { label: "page".into(), origin: alloc::string::String::new(), grants: 1 };
    code.read_message1(&context(), &claims, message1, rng).expect("message 1 is read")
}

fn scanned(offer: &QrOffer, rng: &mut dyn CryptoRng) -> (AwaitMessage2, Vec<u8>) {
    phone::start(offer, &context(), rng).expect("starts")
}

/// The attacker's own code. The attacker knows its key and its opening.
struct Own {
    wq: DhSecret,
    opening: [u8; 32],
    offer: QrOffer,
}

impl Own {
    fn draw(rng: &mut dyn CryptoRng) -> Self {
        let (mut wq, mut opening) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut wq);
        rng.fill_bytes(&mut opening);
        let mut script = ScriptedRng::new(&[&wq, &opening]);
        let offer = QrOffer::decode(&code(&mut script).offer().encode()).expect("the text decodes");
        Self { wq: DhSecret::from_bytes(wq), opening, offer }
    }

    /// Reads message 1 as the page would. The attacker does this with his own code.
    fn reads(&self, message1: &[u8], rng: &mut dyn CryptoRng) -> HandshakeState {
        let keys = Keys::new(DhSecret::generate(rng)).with_s(self.wq.duplicate()).with_psk(psk(&self.offer));
        let prologue = prologue(&self.offer, &context());
        let pattern = pattern().expect("a pattern");
        let state = HandshakeState::new(&pattern, HandshakeRole::Responder, &prologue, keys).expect("keys");
        state.read_message(message1).expect("reads").0
    }

    /// Returns a message 2 with this opening and this label.
    fn message2(state: HandshakeState, opening: [u8; 32], label: u32) -> Vec<u8> {
        Self::written(state, opening, label).1
    }

    /// Returns a message 2 with this opening and this label, and the state after it.
    fn written(state: HandshakeState, opening: [u8; 32], label: u32) -> (HandshakeState, Vec<u8>) {
        let reply = Xk2 {
            version: 2,
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
        state.write_message(&reply.encode()).expect("writes")
    }
}

/// An attack in which the page has already answered and shows its digits. The phone still waits for the
/// attacker's message 2.
struct PageFirst {
    rng: ScriptedRng,
    own: Own,
    page: AwaitMessage3,
    /// The opening that the page has revealed in its message 2.
    opening: Opening,
    secret: [u8; 32],
}

impl PageFirst {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let own = Own::draw(&mut rng);
        let code = code(&mut rng);
        let secret = *code.offer().secret();
        let (state, message1) = scanned(code.offer(), &mut rng);
        let (page, message2) = answered(code, &message1, &mut rng);
        let opening = state.read(&message2).expect("the page opens its code").opening();
        Self { rng, own, page, opening, secret }
    }
}

/// Returns a phone that waits until its user types the digits. The attacker knows which digits are right.
fn phone_first(own: &Own, rng: &mut dyn CryptoRng) -> AwaitApproval {
    let (victim, message1) = scanned(&own.offer, rng);
    let state = own.reads(&message1, rng);
    victim.read(&Own::message2(state, own.opening, 0)).expect("an honest opening")
}

/// The attacker does not search: both handshakes run, and their digits agree only by chance.
fn by_chance(seed: u64) -> bool {
    let mut first = PageFirst::new(seed);
    let victim = phone_first(&first.own, &mut first.rng);
    agree(first.page.check_code(), victim.code())
}

/// The attacker knows the page's digits. He searches for an opening of his own code that makes the phone's
/// digits agree. It is not the opening to which that code commits.
fn late_opening(seed: u64) -> bool {
    let PageFirst { mut rng, own, page, .. } = PageFirst::new(10_000 + seed);
    let (victim, message1) = scanned(&own.offer, &mut rng);
    let state = own.reads(&message1, &mut rng);
    let h1 = state.handshake_hash();
    let openings = (0..TRIES).map(|n| {
        let mut opening = own.opening;
        opening[..4].copy_from_slice(&n.to_be_bytes());
        opening
    });
    let mut fits =
        openings.filter(|opening| agree(numbers(&h1, &Opening::from_bytes(*opening)).0, page.check_code()));
    let opening = fits.next().expect("one of some thousand fits");
    victim.read(&Own::message2(state, opening, 0)).is_ok_and(|victim| agree(victim.code(), page.check_code()))
}

/// The attacker knows the phone's digits. Before the page reveals its opening, the attacker tries many
/// messages 1 to find one that makes the page show the same digits.
fn searched_message1(seed: u64) -> bool {
    let mut rng = rng(20_000 + seed);
    let own = Own::draw(&mut rng);
    let victim = phone_first(&own, &mut rng);
    let page = code(&mut rng);
    // The attacker can only guess the page's opening. If the digits depended on `h1` alone, the wrong guess
    // would not matter.
    let guess = Opening::from_bytes([7; 32]);
    let fits = (0..TRIES).find_map(|n| {
        let mut e = [0x31; 32];
        e[..4].copy_from_slice(&n.to_be_bytes());
        let (state, message1) = scanned(page.offer(), &mut ScriptedRng::new(&[&[0x44; 32], &e]));
        agree(numbers(&state.h1(), &guess).0, victim.code()).then_some(message1)
    });
    let message1 = fits.expect("one of some thousand fits the guess");
    let (page, _) = answered(page, &message1, &mut rng);
    agree(page.check_code(), victim.code())
}

/// The attacker knows the page's digits. He varies the claims in his message 2 to find one that makes the
/// phone's digits agree.
fn searched_message2(seed: u64) -> bool {
    let PageFirst { mut rng, own, page, .. } = PageFirst::new(30_000 + seed);
    let (victim, message1) = scanned(&own.offer, &mut rng);
    let opening = Opening::from_bytes(own.opening);
    let fits = (0..TRIES).find_map(|label| {
        let state = own.reads(&message1, &mut ScriptedRng::new(&[&[0x46; 32]]));
        let (state, message2) = Own::written(state, own.opening, label);
        agree(numbers(&state.handshake_hash(), &opening).0, page.check_code()).then_some(message2)
    });
    let victim = victim.read(&fits.expect("one of some thousand fits")).expect("an honest opening");
    agree(victim.code(), page.check_code())
}

#[test]
fn chance_alone_makes_three_digits_agree_once_in_a_thousand() {
    // req: HSK-094
    is_chance("by chance", 2_000, by_chance);
    let one_of_ten = |seed: u64| {
        let mut first = PageFirst::new(40_000 + seed);
        let victim = phone_first(&first.own, &mut first.rng);
        first.page.check_code().0 % 10 == victim.code().0 % 10
    };
    let one = (0..1_000).filter(|seed| one_of_ten(*seed)).count();
    assert!((60..=145).contains(&one), "one digit: {one} of 1,000, where 100 are expected");
}

#[test]
fn an_opening_that_is_chosen_late_gains_nothing() {
    // req: HSK-096
    is_chance("the opening is chosen late", 100, late_opening);
}

#[test]
fn a_message_1_that_is_searched_for_before_the_opening_is_known_gains_nothing() {
    // req: HSK-094
    is_chance("message 1 is searched for", 20, searched_message1);
}

#[test]
fn a_message_2_that_is_searched_for_gains_nothing() {
    // req: HSK-094
    is_chance("message 2 is searched for", 20, searched_message2);
}

#[test]
fn a_commitment_that_is_copied_beside_another_key_cannot_be_opened() {
    // req: QRP-011, HSK-096
    for seed in 0..20 {
        let PageFirst { mut rng, own, opening, secret, .. } = PageFirst::new(50_000 + seed);
        let offer = QrOffer::new(own.wq.public(), secret, RelayRef::Host(context().relay));
        let copied = Own { offer: offer.expect("the name fits"), ..own };
        let (victim, message1) = scanned(&copied.offer, &mut rng);
        let state = copied.reads(&message1, &mut rng);
        let read = victim.read(&Own::message2(state, *opening.expose(), 0));
        assert!(read.is_err(), "the phone takes the opening of another page's code");
    }
}
