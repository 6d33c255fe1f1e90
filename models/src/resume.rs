//! Resume: the real [`verdict`] between a web that sends commands and a phone that runs and answers them.
//!
//! Outbox, numbering and acknowledgement are modelled after the spec; what decides whether a session goes on is the code
//! that the session runs. A connection can be lost at any step, also between the web's commit of a verdict and the
//! phone's, either side can crash, and the phone can get an older state of itself.

mod steps;

use std::collections::BTreeSet;

use handfast_codec::ids::{Epoch, LogId};
use handfast_codec::payload::ResumeBlock;
use handfast_session::resume::{Verdict, verdict};
use stateright::{Model, Property};

/// What may go wrong, and how far the search goes.
#[derive(Clone, Copy, Debug)]
pub struct Resume {
    /// The epochs at the start: the web's out and in, the phone's out and in.
    pub epochs: [u8; 4],
    /// Commands that the user gives.
    pub commands: u8,
    /// Connections that are lost.
    pub cuts: u8,
    /// Crashes, of either side.
    pub crashes: u8,
    /// Whether the phone may get an older state of itself, once.
    pub rollback: bool,
}

/// One side's part of a session, on its disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lanes {
    out_epoch: u8,
    in_epoch: u8,
    /// Rows of the outbox: the command that each is about, by index.
    outbox: Vec<(u8, u8)>,
    base: u8,
    next: u8,
    /// The highest seq received whose effect is durable.
    durable: u8,
}

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Frame {
    Msg { seq: u8, command: u8, floor: u8 },
    Ack(u8),
}

/// The web: what is on its disk, then the next index to send, and the highest that may have left in this epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Web {
    lanes: Lanes,
    made: u8,
    unsettled: BTreeSet<u8>,
    cursor: u8,
    sent: u8,
}

/// What the phone's disk holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Disk {
    lanes: Lanes,
    results: BTreeSet<u8>,
    floor: u8,
    effects: Vec<u8>,
}

/// The phone: its disk, then what it received and has not written, the next index to send, and the highest sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Phone {
    disk: Disk,
    received: u8,
    /// Seq, if it still counts in this session, command and floor.
    pending: Vec<(Option<u8>, u8, u8)>,
    cursor: u8,
    sent: u8,
}

/// Where the connection stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Connection {
    Down,
    /// The web has committed its part; its confirm is on its way. The web's durable as sent.
    Confirming {
        resumed: bool,
        h: u8,
        web_durable: u8,
    },
    Live {
        up: Vec<Frame>,
        down: Vec<Frame>,
    },
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    web: Web,
    phone: Phone,
    connection: Connection,
    /// Handshakes so far: each has another hash.
    h: u8,
    cuts: u8,
    crashes: u8,
    snapshot: Option<Disk>,
    rolled: bool,
    /// An honest side saw a rule broken.
    broken: bool,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Action {
    Command,
    Connect,
    Confirm,
    WebSends,
    PhoneSends,
    ToPhone,
    ToWeb,
    PhoneCommits,
    Cut,
    WebCrashes,
    PhoneCrashes,
    Snapshot,
    Restore,
}

impl Lanes {
    const fn new(out_epoch: u8, in_epoch: u8) -> Self {
        Self { out_epoch, in_epoch, outbox: Vec::new(), base: 0, next: 1, durable: 0 }
    }

    fn oldest(&self) -> u8 {
        self.outbox.first().map_or(self.next, |(index, _)| *index)
    }

    fn block(&self) -> ResumeBlock {
        ResumeBlock {
            out_epoch: Epoch::from_bytes([self.out_epoch; 16]),
            in_epoch: Epoch::from_bytes([self.in_epoch; 16]),
            next_seq: u64::from(self.next - self.base),
            durable: u64::from(self.durable),
            oldest: u64::from(self.oldest() - self.base),
            log_id: LogId::from_bytes([0; 16]),
            rev: 0,
            streams: Vec::new(),
        }
    }

    fn push(&mut self, command: u8) {
        self.outbox.push((self.next, command));
        self.next += 1;
    }

    /// The peer has everything up to this seq.
    fn drop_to(&mut self, seq: u8) {
        let have = self.base + seq;
        self.outbox.retain(|(index, _)| *index > have);
    }

    /// Begins anew, with these epochs.
    fn reset(&mut self, out_epoch: u8, in_epoch: u8) {
        self.base = self.oldest() - 1;
        self.durable = 0;
        (self.out_epoch, self.in_epoch) = (out_epoch, in_epoch);
    }
}

/// The epochs that a handshake gives: web to phone, phone to web.
const fn derived(h: u8) -> (u8, u8) {
    (100 + 2 * h, 101 + 2 * h)
}

impl State {
    fn start(model: Resume) -> Self {
        let [web_out, web_in, phone_out, phone_in] = model.epochs;
        let lanes = Lanes::new(phone_out, phone_in);
        let disk = Disk { lanes, results: BTreeSet::new(), floor: 0, effects: Vec::new() };
        Self {
            web: Web {
                lanes: Lanes::new(web_out, web_in),
                made: 0,
                unsettled: BTreeSet::new(),
                cursor: 1,
                sent: 0,
            },
            phone: Phone { disk, received: 0, pending: Vec::new(), cursor: 1, sent: 0 },
            connection: Connection::Down,
            h: 0,
            cuts: 0,
            crashes: 0,
            snapshot: None,
            rolled: false,
            broken: false,
        }
    }

    fn verdict(&self) -> Verdict {
        verdict(&self.web.lanes.block(), &self.phone.disk.lanes.block())
    }

    /// Whether nothing is under way any more. A phone that got an older state of itself may have lost a command that the
    /// web no longer holds: that one is never settled.
    fn is_settled(&self) -> bool {
        (self.rolled || self.web.unsettled.is_empty())
            && self.web.lanes.outbox.is_empty()
            && self.phone.disk.lanes.outbox.is_empty()
    }

    /// Lets everything happen that is no fault. Returns whether all is settled and the next verdict is RESUME.
    fn goes_on(&self) -> bool {
        let mut state = self.clone();
        let calm = [
            Action::PhoneCommits,
            Action::ToPhone,
            Action::ToWeb,
            Action::WebSends,
            Action::PhoneSends,
            Action::Confirm,
            Action::Connect,
        ];
        while let Some(next) = calm.iter().find_map(|action| state.step(*action)) {
            state = next;
        }
        state.is_settled() && !state.broken && state.verdict() == Verdict::Resume
    }
}

impl Model for Resume {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::start(*self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        use Action::{
            Command, Confirm, Connect, Cut, PhoneCommits, PhoneCrashes, PhoneSends, Restore, Snapshot,
            ToPhone, ToWeb, WebCrashes, WebSends,
        };
        actions.extend([Connect, Confirm, WebSends, PhoneSends, ToPhone, ToWeb, PhoneCommits]);
        if state.web.made < self.commands {
            actions.push(Command);
        }
        if state.cuts < self.cuts {
            actions.push(Cut);
        }
        if state.crashes < self.crashes {
            actions.extend([WebCrashes, PhoneCrashes]);
        }
        if self.rollback && !state.rolled {
            actions.extend([Snapshot, Restore]);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        state.step(action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("TWICE: a command has one effect, and in its order", |_, state: &State| {
                state.phone.disk.effects.windows(2).all(|pair| pair[0] < pair[1])
            }),
            Property::always(
                "LOST: what leaves the web's outbox is on the phone's disk",
                |_, state: &State| {
                    let held = |command| state.web.lanes.outbox.iter().any(|(_, held)| *held == command);
                    let lost = |command| !held(command) && !state.phone.disk.effects.contains(&command);
                    state.rolled || !(1..=state.web.made).any(lost)
                },
            ),
            Property::always("RULE: two honest sides see no rule broken", |_, state: &State| !state.broken),
            Property::always("STUCK: without faults all is settled, and then resumed", |_, state: &State| {
                state.goes_on()
            }),
            Property::sometimes("a session begins anew", |_, state: &State| state.web.lanes.out_epoch >= 100),
            Property::sometimes("all is settled", |model: &Self, state: &State| {
                state.web.made == model.commands && state.is_settled()
            }),
        ]
    }
}
