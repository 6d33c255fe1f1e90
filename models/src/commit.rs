//! The commit of pairing, on the two real [`handfast_session::Pairing`] machines and the relay's real core.
//!
//! A search begins when message 1 is on its way. It takes every order of deliveries, of transactions that end, of what
//! the two users may say, and up to [`Commit::faults_max`] faults anywhere. A state is rebuilt from the steps that led
//! to it. Where both attempts are over, both programs start again from what they have stored ([`Outcome`]).

mod attempt;
mod reunion;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use handfast_codec::DeviceRole;
use handfast_codec::DeviceRole::{Phone, Web};
use handfast_session::{LinkStatus, PairingEvent};
use stateright::{Model, Property};

use attempt::Attempt;
pub use reunion::Outcome;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Action {
    Deliver(DeviceRole),
    /// The oldest open transaction is durable.
    Commit(DeviceRole),
    TypeCode,
    Approve,
    Refuse,
    /// The page's user types the number that the phone shows, types another, or says that it shows none.
    Number,
    NumberWrong,
    No,
    /// Faults: the clock runs to the next deadline, the socket is lost, the process dies, the relay makes up a record.
    Timeout(DeviceRole),
    Cut(DeviceRole),
    Crash(DeviceRole),
    Garbage(DeviceRole),
}

impl Action {
    const fn is_fault(self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Cut(_) | Self::Crash(_) | Self::Garbage(_))
    }
}

/// What is seen of an attempt, and the steps that led to it.
#[derive(Clone, Debug)]
pub struct State {
    steps: Vec<Action>,
    fingerprint: u64,
    phone: Option<LinkStatus>,
    web: Option<LinkStatus>,
    linked: [bool; 2],
    actions: Vec<Action>,
    outcome: Option<Outcome>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl State {
    fn has_taken(&self, action: Action) -> bool {
        self.steps.contains(&action)
    }

    fn has_fault(&self) -> bool {
        self.steps.iter().any(|action| action.is_fault())
    }
}

/// A search.
#[derive(Debug, Default)]
pub struct Commit {
    /// Faults on one way.
    pub faults_max: usize,
    /// Outcomes by what is stored: there are few.
    outcomes: Mutex<HashMap<u64, Outcome>>,
}

impl Commit {
    /// A search with this many faults.
    #[must_use]
    pub fn new(faults_max: usize) -> Self {
        Self { faults_max, outcomes: Mutex::default() }
    }

    fn look(&self, steps: Vec<Action>) -> State {
        let mut attempt = Attempt::begun();
        for action in &steps {
            attempt.step(*action);
        }
        let runs = !(attempt.phone.is_over() && attempt.web.is_over());
        let faults = steps.iter().filter(|action| action.is_fault()).count();
        let mut actions = Vec::new();
        for role in [Phone, Web] {
            actions.extend(possible(&attempt, role, faults < self.faults_max, &steps));
        }
        // What went wrong is part of the state: it bounds what may still go wrong.
        let mut hasher = DefaultHasher::new();
        (attempt.fingerprint(), faults).hash(&mut hasher);
        State {
            fingerprint: hasher.finish(),
            phone: reunion::status(Phone, &attempt.phone.party.disk),
            web: reunion::status(Web, &attempt.web.party.disk),
            linked: [attempt.phone.party.is_linked(), attempt.web.party.is_linked()],
            actions,
            outcome: (!runs).then(|| self.outcome(&attempt)),
            steps,
        }
    }

    fn outcome(&self, attempt: &Attempt) -> Outcome {
        let mut hasher = DefaultHasher::new();
        for disk in [&attempt.phone.party.disk, &attempt.web.party.disk] {
            for (key, value) in disk {
                (key, value.as_slice()).hash(&mut hasher);
            }
            "end".hash(&mut hasher);
        }
        let key = hasher.finish();
        let known = self.outcomes.lock().expect("no thread has panicked").get(&key).copied();
        known.unwrap_or_else(|| {
            let outcome = reunion::outcome(&attempt.phone.party.disk, &attempt.web.party.disk);
            let _ = self.outcomes.lock().expect("no thread has panicked").insert(key, outcome);
            outcome
        })
    }
}

/// What may happen at one device.
fn possible(attempt: &Attempt, role: DeviceRole, faulty: bool, steps: &[Action]) -> Vec<Action> {
    let device = attempt.device(role);
    let mut actions = Vec::new();
    if device.runs() && device.inbox_len() > 0 {
        actions.push(Action::Deliver(role));
    }
    if device.party.has_open_commit() {
        actions.push(Action::Commit(role));
    }
    match device.asked() {
        Some(PairingEvent::CheckCodeWanted) => actions.push(Action::TypeCode),
        Some(PairingEvent::ApprovalWanted { .. }) => actions.extend([Action::Approve, Action::Refuse]),
        // It may come too late to be heard: one is enough.
        Some(PairingEvent::ShowConfirmation(_)) if !steps.contains(&Action::Refuse) => {
            actions.push(Action::Refuse);
        }
        Some(PairingEvent::ConfirmationWanted { .. }) if !steps.contains(&Action::Number) => {
            actions.extend([Action::Number, Action::NumberWrong, Action::No]);
        }
        _ => {}
    }
    if faulty {
        if device.runs() {
            actions.push(Action::Timeout(role));
        }
        if device.runs() && device.is_connected() {
            actions.extend([Action::Cut(role), Action::Garbage(role)]);
        }
        if !device.is_over() {
            actions.push(Action::Crash(role));
        }
    }
    actions
}

impl Model for Commit {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.look(Vec::new())]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(&state.actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut steps = state.steps.clone();
        steps.push(action);
        Some(self.look(steps))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "UNAPPROVED: a phone stores nothing before its user approves",
                |_, s: &State| s.phone.is_none() || s.has_taken(Action::Approve),
            ),
            Property::always(
                "UNCONFIRMED: a page stores nothing before its user typed the number",
                |_, s: &State| s.web.is_none() || s.has_taken(Action::Number),
            ),
            Property::always("EARLY: a phone is ACTIVE only for a page that has stored", |_, s: &State| {
                s.phone != Some(LinkStatus::Active) || s.has_taken(Action::Commit(Web))
            }),
            Property::always("UNTRUE: who says Linked is ACTIVE, and its phone too", |_, s: &State| {
                let active = [s.phone, s.web].map(|status| status == Some(LinkStatus::Active));
                (!s.linked[0] || active[0]) && (!s.linked[1] || (active[0] && active[1]))
            }),
            Property::always("ONE_SIDED: linked on both or on neither", |_, s: &State| {
                s.outcome != Some(Outcome::OneSided)
            }),
            Property::always("IGNORED: no link comes to be against a no", |_, s: &State| {
                let refused = s.has_taken(Action::Refuse) && !s.linked[0] && !s.has_fault();
                let unconfirmed = s.has_taken(Action::No) || s.has_taken(Action::NumberWrong);
                s.outcome != Some(Outcome::Both) || !(refused || unconfirmed)
            }),
            Property::sometimes("a pairing without faults links both", |_, s: &State| {
                s.linked == [true; 2] && s.outcome == Some(Outcome::Both) && !s.has_fault()
            }),
            Property::sometimes("OFFERED and PENDING come to life later", |_, s: &State| {
                s.outcome == Some(Outcome::Both) && s.phone == Some(LinkStatus::Offered)
            }),
            Property::sometimes("ACTIVE and PENDING come to life later", |_, s: &State| {
                s.outcome == Some(Outcome::Both)
                    && (s.phone, s.web) == (Some(LinkStatus::Active), Some(LinkStatus::Pending))
            }),
            Property::sometimes("an OFFERED without its page is dropped", |_, s: &State| {
                s.outcome == Some(Outcome::Neither) && s.phone.is_some() && s.web.is_none()
            }),
        ]
    }
}
