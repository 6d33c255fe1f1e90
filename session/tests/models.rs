//! Exhaustive searches over the real rules of ratchet and recovery, with the scenarios and verdicts of
//! `spec/models/ratchet_ext.py` (rules "fixed"), and over the real resume rules with those of `resume_epoch.py`.
//!
//! The keys are small tokens; [`PhoneRatchet`] and [`WebRatchet`] are the code that the session runs. Every state that
//! crashes, a replaying relay, copies, backups, forged messages and lost writes can lead to is visited. In each, the
//! honest continuation must end LIVE, or in an ALARM that something was copied, restored or forged.

mod world;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use handfast_codec::ids::Epoch;
use handfast_codec::{DeviceRole, Timestamp};
use handfast_handshake::link::Start;
use handfast_handshake::ratchet::{Decision, PhoneRatchet, Recovery, Slot, WebRatchet};
use handfast_handshake::secret::Psk;
use handfast_session::{Event, hazmat};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use world::device::Device;
use world::{World, keys};

/// A pre-shared key: the first one, one made for a try of a web, one of a forger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    First,
    Made { web: u8, try_: u64, number: u8 },
    Forged(u8),
}

impl Slot for Key {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

/// What a web waits for, in memory only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Waits {
    Message2(u64),
    Recovery { number: u8, key: Key },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Web {
    ratchet: WebRatchet<Key>,
    waits: Option<Waits>,
    /// What the store held before its last write, where that may be lost.
    before: Option<(Key, u64)>,
    /// A connection that began after the copy was confirmed.
    confirmed: bool,
}

/// What the phone waits for, in memory only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Awaits {
    Confirm(Key),
    RecoveryConfirm { web: u8, number: u8, key: Key, answer: u8, in_step: bool },
}

/// A message that the relay holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Msg {
    One { web: u8, key: Key, try_: u64 },
    Two { web: u8, key: Key, try_: u64, next: Key },
    Three { web: u8, next: Key },
    Recover { web: u8, number: u8, key: Key },
    RecoverTwo { web: u8, number: u8, key: Key, answer: u8 },
    RecoverThree { web: u8, number: u8, key: Key, answer: u8 },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each says what has gone wrong so far")]
struct State {
    webs: Vec<Web>,
    phone: PhoneRatchet<Key>,
    awaits: Option<Awaits>,
    /// Candidates made so far.
    made: u8,
    net: BTreeSet<Msg>,
    snapshot: Option<PhoneRatchet<Key>>,
    /// The try at the moment of the copy.
    copied: Option<u64>,
    restored: bool,
    forged: bool,
    rolled: bool,
    alarm: bool,
}

/// What may go wrong.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each says what may go wrong")]
struct Scenario {
    name: &'static str,
    copy: bool,
    restore: bool,
    /// A forged message 1 with this try, over a live candidate or not.
    forge: Option<Forge>,
    rollback: bool,
    hint: bool,
    /// The relay keeps and replays messages; else each is delivered once or lost.
    replay: bool,
    try_max: u64,
    made_max: u8,
    verdict: &'static [&'static str],
    states: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Forge {
    HighestTry,
    NextTryOverCandidate,
}

const PLAIN: Scenario = Scenario {
    name: "",
    copy: false,
    restore: false,
    forge: None,
    rollback: false,
    hint: false,
    replay: true,
    try_max: 3,
    made_max: 4,
    verdict: &[],
    states: 0,
};

const SCENARIOS: [Scenario; 7] = [
    Scenario { name: "crashes and a replaying relay", try_max: 4, made_max: 5, states: 2_196, ..PLAIN },
    Scenario {
        name: "the web's store loses its last write",
        rollback: true,
        verdict: &["FALSE_ALARM"],
        states: 1_382,
        ..PLAIN
    },
    Scenario { name: "the phone is restored from an older state", restore: true, states: 9_739, ..PLAIN },
    Scenario {
        name: "a forged message 1 with the highest try",
        forge: Some(Forge::HighestTry),
        states: 813,
        ..PLAIN
    },
    Scenario {
        name: "a forged message 1 over a live candidate",
        forge: Some(Forge::NextTryOverCandidate),
        states: 781,
        ..PLAIN
    },
    Scenario {
        name: "a copied store, two webs in turns",
        copy: true,
        replay: false,
        try_max: 4,
        made_max: 5,
        states: 733_055,
        ..PLAIN
    },
    Scenario { name: "forged hints, recovery exchanged", hint: true, states: 224_797, ..PLAIN },
];

/// States after which a search gives up: a rule is gone that bounds it.
const STATES_MAX: usize = 1_500_000;
/// A try that no honest web reaches here.
const TRY_FORGED: u64 = 99;
/// Honest tries after which a web that gets no answer is locked out.
const TRIES_HONEST: usize = 50;

impl State {
    fn start() -> Self {
        let web =
            Web { ratchet: WebRatchet::new(Key::First, 0), waits: None, before: None, confirmed: false };
        Self {
            webs: vec![web],
            phone: PhoneRatchet::new(Key::First, None, 0),
            awaits: None,
            made: 0,
            net: BTreeSet::new(),
            snapshot: None,
            copied: None,
            restored: false,
            forged: false,
            rolled: false,
            alarm: false,
        }
    }

    /// Whether an alarm has a reason.
    fn has_reason(&self) -> bool {
        self.copied.is_some() || self.restored || self.forged
    }

    /// What a web gets from here with an honest network and no crashes.
    fn outcome(&self, web: &Web) -> &'static str {
        let (mut ratchet, phone) = (web.ratchet.clone(), &self.phone);
        for _ in 0..TRIES_HONEST {
            let Ok(try_) = ratchet.next_try() else { return "SILENT" };
            let decision = phone.find(ratchet.key()).map(|holder| phone.decide(holder, try_));
            match decision {
                Some(Decision::Answer(_)) => return "LIVE",
                Some(Decision::Quarantine) => return "ALARM",
                Some(Decision::Silence) => {}
                None => match phone.recovery_verdict(false, ratchet.key()) {
                    Recovery::Diverged => return "ALARM",
                    Recovery::InStep => {}
                },
            }
        }
        "SILENT"
    }

    fn faults(&self, found: &mut impl FnMut(&'static str)) {
        for web in &self.webs {
            match self.outcome(web) {
                "SILENT" => found("SILENT"),
                "ALARM" if !self.has_reason() => found("FALSE_ALARM"),
                _ => {}
            }
        }
        if self.copied.is_some() && self.webs.iter().all(|web| web.confirmed) {
            found("UNDETECTED");
        }
    }

    fn without(&self, scenario: &Scenario, msg: &Msg) -> BTreeSet<Msg> {
        let mut net = self.net.clone();
        if !scenario.replay {
            let _ = net.remove(msg);
        }
        net
    }

    /// Every state that follows in one step.
    fn next(&self, scenario: &Scenario, out: &mut Vec<Self>) {
        self.outside(scenario, out);
        if self.awaits.is_some() {
            out.push(Self { awaits: None, ..self.clone() });
        }
        for at in 0..self.webs.len() {
            self.web_steps(scenario, at, out);
        }
        for msg in &self.net {
            self.delivery(scenario, msg, out);
        }
    }

    /// What a thief, a backup or a forger does.
    fn outside(&self, scenario: &Scenario, out: &mut Vec<Self>) {
        if scenario.copy && self.copied.is_none() {
            let mut next = self.clone();
            let web = &self.webs[0];
            next.copied = Some(web.ratchet.last_try());
            next.webs.push(Web { ratchet: web.ratchet.clone(), waits: None, before: None, confirmed: false });
            out.push(next);
        }
        if scenario.restore {
            match &self.snapshot {
                None => out.push(Self { snapshot: Some(self.phone.clone()), ..self.clone() }),
                Some(snapshot) if !self.restored => {
                    let phone = snapshot.clone();
                    out.push(Self { phone, awaits: None, restored: true, ..self.clone() });
                }
                Some(_) => {}
            }
        }
        let Some(forge) = scenario.forge.filter(|_| !self.forged && self.made < scenario.made_max) else {
            return;
        };
        let try_ = match forge {
            Forge::HighestTry => TRY_FORGED,
            Forge::NextTryOverCandidate if self.phone.candidate().is_some() => self.phone.last_try() + 1,
            Forge::NextTryOverCandidate => return,
        };
        let made = self.made + 1;
        let phone = PhoneRatchet::new(*self.phone.current(), Some(Key::Forged(made)), try_);
        out.push(Self { phone, awaits: None, made, forged: true, ..self.clone() });
    }

    fn with_web(&self, at: usize, change: impl FnOnce(&mut Web)) -> Self {
        let mut next = self.clone();
        change(&mut next.webs[at]);
        next
    }

    fn web_steps(&self, scenario: &Scenario, at: usize, out: &mut Vec<Self>) {
        let web = &self.webs[at];
        let name = u8::try_from(at).unwrap();
        if web.waits.is_some() {
            out.push(self.with_web(at, |web| web.waits = None));
        }
        if let Some((key, try_)) = web.before.filter(|_| scenario.rollback && !self.rolled) {
            let mut next = self.with_web(at, |web| {
                web.ratchet = WebRatchet::new(key, try_);
                (web.waits, web.before) = (None, None);
            });
            next.rolled = true;
            out.push(next);
        }
        let recoveries = self.net.iter().filter(|msg| matches!(msg, Msg::Recover { .. })).count();
        if scenario.hint && recoveries < 2 {
            let (number, key) = (u8::try_from(recoveries).unwrap(), *web.ratchet.key());
            let mut next = self.with_web(at, |web| web.waits = Some(Waits::Recovery { number, key }));
            let _ = next.net.insert(Msg::Recover { web: name, number, key });
            out.push(next);
        }
        if web.ratchet.last_try() < scenario.try_max {
            let mut next = self.clone();
            let before = (*web.ratchet.key(), web.ratchet.last_try());
            let web = &mut next.webs[at];
            let try_ = web.ratchet.next_try().unwrap();
            web.before = scenario.rollback.then_some(before);
            web.waits = Some(Waits::Message2(try_));
            let key = *web.ratchet.key();
            let _ = next.net.insert(Msg::One { web: name, key, try_ });
            out.push(next);
        }
    }

    fn delivery(&self, scenario: &Scenario, msg: &Msg, out: &mut Vec<Self>) {
        match *msg {
            Msg::One { web, key, try_ } => self.message1(scenario, msg, (web, key, try_), out),
            Msg::Two { web, key, try_, next } => {
                let at = usize::from(web);
                let holder = &self.webs[at];
                if holder.waits != Some(Waits::Message2(try_)) || *holder.ratchet.key() != key {
                    return;
                }
                let before = scenario.rollback.then_some((key, holder.ratchet.last_try()));
                let mut stored = self.with_web(at, |web| {
                    web.ratchet.advanced(next);
                    (web.waits, web.before) = (None, before);
                });
                stored.net = self.without(scenario, msg);
                out.push(stored.clone());
                let _ = stored.net.insert(Msg::Three { web, next });
                out.push(stored);
            }
            Msg::Three { web, next } => {
                if self.awaits != Some(Awaits::Confirm(next)) || self.phone.candidate() != Some(&next) {
                    return;
                }
                let mut confirmed = self.clone();
                confirmed.phone.confirmed();
                confirmed.awaits = None;
                confirmed.net = self.without(scenario, msg);
                if let (Some(copied), Key::Made { try_, .. }) = (self.copied, next) {
                    confirmed.webs[usize::from(web)].confirmed |= try_ > copied;
                }
                out.push(confirmed);
            }
            Msg::Recover { web, number, key } => {
                let answers = self.net.iter().filter(|m| matches!(m, Msg::RecoverTwo { .. })).count();
                let answer = u8::try_from(answers).unwrap();
                if answer < 3 {
                    let in_step = self.phone.find(&key).is_some();
                    let mut next = self.clone();
                    next.awaits = Some(Awaits::RecoveryConfirm { web, number, key, answer, in_step });
                    let _ = next.net.insert(Msg::RecoverTwo { web, number, key, answer });
                    out.push(next);
                }
            }
            Msg::RecoverTwo { web, number, key, answer } => {
                let waits = Some(Waits::Recovery { number, key });
                if self.webs.get(usize::from(web)).is_some_and(|web| web.waits == waits) {
                    let mut next = self.clone();
                    let _ = next.net.insert(Msg::RecoverThree { web, number, key, answer });
                    out.push(next);
                }
            }
            Msg::RecoverThree { web, number, key, answer } => {
                let Some(Awaits::RecoveryConfirm { in_step, .. }) = self.awaits.filter(|awaits| {
                    matches!(awaits, Awaits::RecoveryConfirm { web: w, number: n, key: k, answer: a, .. }
                        if (*w, *n, *k, *a) == (web, number, key, answer))
                }) else {
                    return;
                };
                let alarm = self.phone.recovery_verdict(in_step, &key) == Recovery::Diverged;
                out.push(Self { awaits: None, alarm, ..self.clone() });
            }
        }
    }

    fn message1(
        &self,
        scenario: &Scenario,
        msg: &Msg,
        (web, key, try_): (u8, Key, u64),
        out: &mut Vec<Self>,
    ) {
        let decision = self.phone.find(&key).map(|holder| self.phone.decide(holder, try_));
        let answer = match decision {
            Some(Decision::Answer(answer)) => answer,
            Some(Decision::Silence) => {
                if !scenario.replay {
                    out.push(Self { net: self.without(scenario, msg), ..self.clone() });
                }
                return;
            }
            // A confirm comes only from a web that is there, and waits for just this.
            Some(Decision::Quarantine) | None => {
                let holder = &self.webs[usize::from(web)];
                let waits = holder.waits == Some(Waits::Message2(try_)) && *holder.ratchet.key() == key;
                let known = decision.is_some();
                let alarm = known || self.phone.recovery_verdict(false, &key) == Recovery::Diverged;
                if waits && alarm {
                    out.push(Self { alarm: true, ..self.clone() });
                }
                return;
            }
        };
        if self.made >= scenario.made_max {
            return;
        }
        let mut next = self.clone();
        next.made += 1;
        let candidate = Key::Made { web, try_, number: next.made };
        next.phone.answered(&answer, candidate);
        next.awaits = None;
        next.net = self.without(scenario, msg);
        out.push(next.clone());
        next.awaits = Some(Awaits::Confirm(candidate));
        let _ = next.net.insert(Msg::Two { web, key, try_, next: candidate });
        out.push(next);
    }
}

/// Visits every state once, up to a fault that the verdict does not name. Gives how many there are, and the shortest way
/// to each kind of fault.
fn explore(scenario: &Scenario) -> (usize, HashMap<&'static str, Vec<State>>) {
    let mut seen: HashMap<State, Option<State>> = HashMap::from([(State::start(), None)]);
    let mut queue = VecDeque::from([State::start()]);
    let mut faults: HashMap<&'static str, Vec<State>> = HashMap::new();
    let mut next = Vec::new();
    let mut visited = 0;
    while let Some(state) = queue.pop_front() {
        visited += 1;
        if visited > STATES_MAX {
            let _ = faults.insert("LIMIT", Vec::from([state]));
            break;
        }
        let mut found = |kind: &'static str| {
            let _ = faults.entry(kind).or_insert_with(|| way_to(&seen, &state));
        };
        if state.alarm {
            if !state.has_reason() {
                found("FALSE_ALARM");
            }
            continue;
        }
        state.faults(&mut found);
        if faults.keys().any(|kind| !scenario.verdict.contains(kind)) {
            break;
        }
        state.next(scenario, &mut next);
        for follower in next.drain(..) {
            if !seen.contains_key(&follower) {
                let _ = seen.insert(follower.clone(), Some(state.clone()));
                queue.push_back(follower);
            }
        }
    }
    (visited, faults)
}

fn way_to<T: Clone + Eq + Hash + Debug>(seen: &HashMap<T, Option<T>>, end: &T) -> Vec<T> {
    let mut way = vec![end.clone()];
    while let Some(Some(before)) = seen.get(way.last().unwrap()) {
        way.push(before.clone());
    }
    way.reverse();
    way
}

fn check(scenario: &Scenario) {
    let (states, faults) = explore(scenario);
    let mut verdict: Vec<&str> = faults.keys().copied().collect();
    verdict.sort_unstable();
    let said = if verdict.is_empty() { "OK".to_owned() } else { verdict.join(",") };
    println!("{:45} states {states:8} {said}", scenario.name);
    for (kind, way) in faults.iter().filter(|(kind, _)| !scenario.verdict.contains(kind)) {
        println!("  {kind}, in {} steps:", way.len().saturating_sub(1));
        for state in way {
            println!("    {state:?}");
        }
    }
    assert_eq!(verdict, scenario.verdict, "{}: VIOLATION {said}", scenario.name);
    assert_eq!(states, scenario.states, "{}: another number of states than the Python model", scenario.name);
}

#[test]
fn the_ratchet_locks_nobody_out_and_raises_no_false_alarm() {
    // req: HSK-023, HSK-024, HSK-025, HSK-026
    SCENARIOS[..5].iter().for_each(check);
}

#[test]
fn no_copy_of_a_store_stays_unseen() {
    // req: HSK-027
    check(&SCENARIOS[5]);
}

#[test]
fn a_forged_hint_raises_no_alarm() {
    // req: HSK-041, HSK-042, HSK-043
    check(&SCENARIOS[6]);
}

/// How `resume_epoch.py` begins: the web's out and in epoch, the phone's out and in epoch.
const STARTS: [[u8; 4]; 5] = [[1, 2, 2, 1], [9, 2, 2, 1], [1, 9, 2, 1], [8, 9, 2, 1], [1, 2, 7, 6]];
/// Connections beyond the cut ones after which a session must go on.
const CONNECTIONS_MAX: usize = 2;

#[test]
fn a_session_with_any_epochs_resumes_after_two_connections() {
    // req: RES-021, RES-022
    let mut cases = 0;
    for start in STARTS {
        for cuts in 0..8_u8 {
            resume_case(start, cuts);
            cases += 1;
        }
    }
    println!(
        "resume: {cases} cases, each goes on after at most {CONNECTIONS_MAX} connections beyond the cut ones"
    );
}

/// Connections are cut before the confirm where `cuts` has a bit.
fn resume_case(start: [u8; 4], cuts: u8) {
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(cuts));
    let now = Timestamp::from_micros(1);
    let ((phone, phone_start), (web, web_start), _) = keys::link(&mut rng);
    let epochs = |start: &Start, w2p: u8, p2w: u8| Start {
        resume: Psk::from_bytes(*start.resume.expose()),
        epoch_w2p: Epoch::from_bytes([w2p; 16]),
        epoch_p2w: Epoch::from_bytes([p2w; 16]),
    };
    let phone_start = epochs(&phone_start, start[3], start[2]);
    let web_start = epochs(&web_start, start[0], start[1]);
    let phone = Device::new(DeviceRole::Phone, hazmat::phone_pairs(&phone, phone_start), now, &mut rng);
    let web = Device::new(DeviceRole::Web, hazmat::web_pairs(&web, web_start, true), now, &mut rng);
    let mut world = World::with(phone, web, now, rng);
    let mut honest = 0;
    for connection in 0..8 {
        let is_cut = cuts & 1_u8.checked_shl(connection).unwrap_or(0) != 0;
        world.web.events.clear();
        world.phone.events.clear();
        if is_cut {
            // The web has committed its verdict; its confirm is lost.
            world.filter =
                Box::new(|role, bytes| role == DeviceRole::Phone || bytes.get(..2) != Some(&[9, 7]));
            world.run_for(Duration::from_secs(9));
            world.filter = Box::new(|_, _| true);
        } else {
            world.run_until_live();
            honest += 1;
            let resumed = world.web.events.contains(&Event::Connected { resumed: true });
            assert_eq!(
                resumed,
                world.phone.events.contains(&Event::Connected { resumed: true }),
                "one verdict"
            );
            if resumed {
                assert!(honest <= CONNECTIONS_MAX, "{start:?} {cuts:03b}: after {honest} connections");
                return;
            }
        }
        world.cut(DeviceRole::Web);
    }
    panic!("VIOLATION {start:?} {cuts:03b}: the session never goes on");
}
