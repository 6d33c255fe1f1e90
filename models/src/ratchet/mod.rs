//! Ratchet and recovery: the scenarios of `spec/models/ratchet_ext.py` over the real [`PhoneRatchet`] and [`WebRatchet`].
//!
//! The keys are small tokens. A step is what a web, the phone, the relay, a thief or a power cut does; its name is the
//! state that it leads to. In each state the honest continuation must end LIVE, or in an ALARM that has a reason.

mod scenarios;
mod steps;

use std::collections::BTreeSet;

use handfast_handshake::ratchet::{Decision, PhoneRatchet, Recovery, Slot, WebRatchet};
use stateright::{Model, Property};

pub use scenarios::{SCENARIOS, Scenario};

/// A pre-shared key: the first one, one made for a try of a web, one of a forger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
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
pub(super) enum Waits {
    Message2(u64),
    Recovery { number: u8, key: Key },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Web {
    ratchet: WebRatchet<Key>,
    waits: Option<Waits>,
    /// What the store held before its last write, where that may be lost.
    before: Option<(Key, u64)>,
    /// A connection that began after the copy was confirmed.
    confirmed: bool,
}

/// What the phone waits for, in memory only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Awaits {
    Confirm(Key),
    RecoveryConfirm { web: u8, number: u8, key: Key, answer: u8, in_step: bool },
}

/// A message that the relay holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Msg {
    One { web: u8, key: Key, try_: u64 },
    Two { web: u8, key: Key, try_: u64, next: Key },
    Three { web: u8, next: Key },
    Recover { web: u8, number: u8, key: Key },
    RecoverTwo { web: u8, number: u8, key: Key, answer: u8 },
    RecoverThree { web: u8, number: u8, key: Key, answer: u8 },
}

/// Phone, webs, and what the relay holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each says what has gone wrong so far")]
pub struct State {
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

/// What a web gets in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Live,
    Alarm,
    Silent,
}

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

    fn outcomes(&self) -> impl Iterator<Item = Outcome> {
        self.webs.iter().map(|web| self.outcome(web))
    }

    /// Whether an alarm has a reason.
    fn has_reason(&self) -> bool {
        self.copied.is_some() || self.restored || self.forged
    }

    /// What a web gets from here with an honest network and no crashes.
    fn outcome(&self, web: &Web) -> Outcome {
        let (mut ratchet, phone) = (web.ratchet.clone(), &self.phone);
        for _ in 0..TRIES_HONEST {
            let Ok(try_) = ratchet.next_try() else { return Outcome::Silent };
            let decision = phone.find(ratchet.key()).map(|holder| phone.decide(holder, try_));
            match decision {
                Some(Decision::Answer(_)) => return Outcome::Live,
                Some(Decision::Quarantine) => return Outcome::Alarm,
                Some(Decision::Silence) => {}
                None => match phone.recovery_verdict(false, ratchet.key()) {
                    Recovery::Diverged => return Outcome::Alarm,
                    Recovery::InSync => {}
                },
            }
        }
        Outcome::Silent
    }
}

impl Model for Scenario {
    type State = State;
    type Action = State;

    fn init_states(&self) -> Vec<State> {
        vec![State::start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<State>) {
        // The user has been told: there is no way on but to link again.
        if !state.alarm {
            state.next(self, actions);
        }
    }

    fn next_state(&self, _: &State, action: State) -> Option<State> {
        Some(action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("SILENT: nobody is locked out untold", |_, state: &State| {
                state.alarm || !state.outcomes().any(|outcome| outcome == Outcome::Silent)
            }),
            Property::always("FALSE_ALARM: an alarm has a reason", |_, state: &State| {
                let alarm = state.alarm || state.outcomes().any(|outcome| outcome == Outcome::Alarm);
                !alarm || state.has_reason()
            }),
            Property::always("UNDETECTED: no copy goes on beside its original", |_, state: &State| {
                state.alarm || state.copied.is_none() || !state.webs.iter().all(|web| web.confirmed)
            }),
        ]
    }
}
