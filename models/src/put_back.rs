//! Put back: either side gets an earlier state of itself, at any step, between a web whose user acts and a phone that knows
//! commands by their keys. The real [`verdict`] says how each connection begins; the rules of spec, delivery, *Commands*
//! and *Put back*, are modelled after `session/src/commands` and `session/src/endpoint`, each with a switch.
//!
//! A step is a commit, and a message is taken with all that follows from it on the disk of the side that takes it: so a
//! crash is a lost connection. What is on its way is not modelled apart: it is what the sender's outbox holds and the
//! receiver has not taken. An ACK comes at once or is lost.

mod bounds;
mod lanes;
mod phone;
mod rules;
mod sent;
mod steps;
mod web;

use handfast_session::resume::{Verdict, verdict};
use stateright::{Model, Property};

use self::bounds::Fault;
pub use self::bounds::PutBack;
use self::phone::Phone;
pub use self::rules::Rules;
use self::web::Web;

/// How a link ends for good; both users are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    /// Two holders of the link's key were seen.
    Diverged,
    /// `COMMANDS_FORGOTTEN`.
    Forgotten,
}

/// What the confirm says, and the web's `durable` in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Said {
    verdict: Verdict,
    web_back: bool,
    h: u8,
    web_durable: u8,
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Connection {
    Down,
    /// The web has committed its part; its confirm is on its way.
    Confirming(Said),
    /// The phone has committed its part; the web has no record of it yet.
    Confirmed(Said),
    Live,
}

/// Whose user is still to be told that a side was put back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Owed {
    at_web: bool,
    at_phone: bool,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    web: Web,
    phone: Phone,
    connection: Connection,
    /// Handshakes so far: each has another hash.
    h: u8,
    acts: u8,
    cuts: u8,
    web_copy: Option<Box<Web>>,
    web_copies: u8,
    web_backs: u8,
    phone_copies: Vec<Phone>,
    phone_backs: u8,
    /// The web was put back, and a phone knew something that it did not.
    web_owed: Owed,
    /// The phone was put back, and the web knew something that it did not.
    phone_owed: Owed,
    end: Option<End>,
    fault: Option<Fault>,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Action {
    Act,
    Connect,
    Confirm,
    FirstRecord,
    ToPhone { acked: bool },
    ToWeb { acked: bool },
    Acks,
    Cut,
    CopyWeb,
    PutWebBack,
    CopyPhone,
    PutPhoneBack(usize),
}

/// The epochs that follow from a handshake: web to phone, phone to web.
const fn derived(h: u8) -> (u8, u8) {
    (100 + 2 * h, 101 + 2 * h)
}

impl State {
    fn start() -> Self {
        Self {
            web: Web::new(),
            phone: Phone::new(),
            connection: Connection::Down,
            h: 0,
            acts: 0,
            cuts: 0,
            web_copy: None,
            web_copies: 0,
            web_backs: 0,
            phone_copies: Vec::new(),
            phone_backs: 0,
            web_owed: Owed::default(),
            phone_owed: Owed::default(),
            end: None,
            fault: None,
        }
    }

    fn verdict(&self) -> Verdict {
        verdict(&self.web.lanes.block(), &self.phone.lanes.block())
    }

    const fn is_over(&self) -> bool {
        self.end.is_some() || self.fault.is_some()
    }

    /// Lets everything happen that is no fault. Returns what it comes to.
    fn calm(&self, model: &PutBack) -> Self {
        const CALM: [Action; 6] = [
            Action::ToPhone { acked: true },
            Action::ToWeb { acked: true },
            Action::Acks,
            Action::FirstRecord,
            Action::Confirm,
            Action::Connect,
        ];
        let mut state = self.clone();
        while !state.is_over()
            && let Some(next) = CALM.iter().find_map(|action| state.step(model, *action))
        {
            state = next;
        }
        state
    }

    /// Whether all is settled without faults, and then resumed; a link that is over for good is as well.
    fn goes_on(&self, model: &PutBack) -> bool {
        let calm = self.calm(model);
        let at_rest = calm.web.unsettled.is_empty() && calm.web.lanes.outbox.is_empty();
        calm.end.is_some()
            || (calm.fault.is_none()
                && at_rest
                && calm.phone.lanes.outbox.is_empty()
                && calm.verdict() == Verdict::Resume)
    }
}

impl Model for PutBack {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        use Action::{
            Acks, Act, Confirm, Connect, CopyPhone, CopyWeb, Cut, FirstRecord, PutPhoneBack, PutWebBack,
            ToPhone, ToWeb,
        };
        if state.is_over() {
            return;
        }
        actions.extend([Connect, Confirm, FirstRecord, ToPhone { acked: true }, ToWeb { acked: true }]);
        if self.lost_acks {
            actions.extend([ToPhone { acked: false }, ToWeb { acked: false }, Acks]);
        }
        if state.acts < self.acts {
            actions.push(Act);
        }
        if state.cuts < self.cuts {
            actions.push(Cut);
        }
        if state.web_copies < self.web_copies && state.web_backs < self.web_backs {
            actions.push(CopyWeb);
        }
        if state.web_backs < self.web_backs {
            actions.push(PutWebBack);
        }
        if state.phone_copies.len() < usize::from(self.phone_copies) && state.phone_backs < self.phone_backs {
            actions.push(CopyPhone);
        }
        if state.phone_backs < self.phone_backs {
            actions.extend((0..state.phone_copies.len()).map(PutPhoneBack));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        state.step(self, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "TWICE: what the phone's disk holds of an act, it holds once",
                |_, state: &State| !state.phone.twice,
            ),
            Property::always("SETTLED: a result settles the act that has run", |_, state: &State| {
                state.fault != Some(Fault::Settled)
            }),
            Property::always("FLOOR: no honest web is ended by COMMAND_FLOOR", |_, state: &State| {
                state.fault != Some(Fault::CommandFloor)
            }),
            Property::always("FULL: no honest web is ended by LIMIT", |_, state: &State| {
                state.fault != Some(Fault::Limit)
            }),
            Property::always("ALARM: none is said to have been put back who was not", |_, state: &State| {
                state.fault != Some(Fault::FalseAlarm)
            }),
            Property::always(
                "STUCK: without faults all is settled, and then resumed",
                |model: &Self, state: &State| state.is_over() || state.goes_on(model),
            ),
            Property::always(
                "TOLD: a web that was put back is told on both sides",
                |model: &Self, state: &State| {
                    state.web_owed == Owed::default() || state.is_over() || {
                        let calm = state.calm(model);
                        calm.is_over() || calm.web_owed == Owed::default()
                    }
                },
            ),
            Property::always(
                "PHONE: a phone that was put back is told on both sides",
                |model: &Self, state: &State| {
                    state.phone_owed == Owed::default() || state.is_over() || {
                        let calm = state.calm(model);
                        calm.is_over() || calm.phone_owed == Owed::default()
                    }
                },
            ),
            Property::sometimes("all is settled", |model: &Self, state: &State| {
                state.acts == model.acts
                    && state.connection == Connection::Live
                    && state.web.unsettled.is_empty()
            }),
        ]
    }
}
