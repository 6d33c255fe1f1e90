//! The world: devices, sockets, the relay's real core, one clock, one queue of what happens next.

use std::collections::{BTreeMap, BinaryHeap};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use handfast::codec::ids::BootId;
use handfast::{DeviceRole, RelayName, Timestamp};
use rand_core::Rng;
use reference_relay::core::{Limits, Relay};

use crate::check::limits::{self, Peaks};
use crate::check::nonces::Nonces;
use crate::check::quota;
use crate::check::tries::Tries;
use crate::faults::Active;
use crate::faults::device::Extra;
use crate::faults::man::Man;
use crate::faults::offers::Offers;
use crate::faults::relay::Captured;
use crate::ledger::Ledger;
use crate::net::{Conn, LATENCY, Way};
use crate::node::{Node, NodeId, Out, RELAY};
use crate::plan::Plan;
use crate::rng::SimRng;
use crate::trace::Trace;

/// Steps of one run, after which it is taken to spin.
const STEPS_MAX: u64 = 3_000_000;
/// A program that ended starts again after this long, in microseconds.
pub const RESTART_AFTER: u64 = 1_500_000;

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimEvent {
    /// A frame arrives.
    Arrive(u64, Way, Bytes),
    /// A socket is open at both ends.
    Opened(u64),
    /// A socket is closed at the relay.
    ClosedUp(u64),
    /// A socket is closed at the device.
    ClosedDown(u64),
    /// Frames that wait at a socket are looked at again.
    Unstall(u64),
    /// The socket took bytes.
    Written(u64, usize),
    /// A program starts.
    Start(NodeId),
    /// A user does what the plan says.
    Act(usize),
    /// A fault begins.
    Fault(usize),
    /// A fault's second half.
    FaultLater(usize),
    /// The users look at their screens.
    Look,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due(std::cmp::Reverse<(u64, u64)>, SimEvent);

/// What became of the first round after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It is durable.
    Stored,
    /// It is not.
    NotStored,
}

/// The world.
#[derive(Debug)]
pub struct World {
    /// The time, in microseconds.
    pub now: u64,
    /// What is to happen.
    pub plan: Plan,
    /// Device 0 is the phone, then come the companions, then those that faults add.
    pub nodes: Vec<Node>,
    /// The relay.
    pub relay: Relay,
    pub(crate) relay_wake: Option<u64>,
    /// Sockets.
    pub conns: BTreeMap<u64, Conn>,
    pub(crate) next_conn: u64,
    queue: BinaryHeap<Due>,
    sequence: u64,
    /// What the network and the relay draw.
    pub rng: SimRng,
    /// Faults under way.
    pub active: Vec<Active>,
    /// DATA frames that the relay has seen.
    pub captured: Vec<Captured>,
    /// What faults added.
    pub extras: Vec<Extra>,
    /// What users do to offers.
    pub offers: Offers,
    /// Who stands between the phone and companions.
    pub men: Vec<Man>,
    /// What an onlooker knows.
    pub ledger: Ledger,
    /// Watches records.
    pub nonces: Nonces,
    /// Watches tries.
    pub tries: Tries,
    /// The most that queues held.
    pub peaks: Peaks,
    /// When stores and the relay are looked at next.
    next_sample: u64,
    /// What happened.
    pub trace: Trace,
    /// Where disks' content lies.
    pub base: PathBuf,
    /// Every frame takes this long one way, in microseconds, and every socket carries so many bytes a second; without
    /// it, times are drawn and sockets are as wide as needed.
    pub link: Option<(u64, u64)>,
    /// Faults are over.
    pub healed: bool,
    steps: u64,
}

pub(crate) fn new_relay(rng: &mut SimRng) -> Relay {
    let mut boot = [0; 16];
    rng.crypto().fill_bytes(&mut boot);
    let name = RelayName::parse(RELAY).expect("a valid name");
    Relay::new(name, BootId::from_bytes(boot), Limits::default())
}

impl World {
    /// A world of a plan, with devices that are switched off.
    #[must_use]
    pub fn new(plan: Plan, base: &Path, verbose: bool) -> Self {
        let mut rng = SimRng::new(plan.seed, 2);
        Self {
            now: 0,
            nodes: Vec::new(),
            relay: new_relay(&mut rng),
            relay_wake: None,
            conns: BTreeMap::new(),
            next_conn: 0,
            queue: BinaryHeap::new(),
            sequence: 0,
            rng,
            active: Vec::new(),
            captured: Vec::new(),
            extras: Vec::new(),
            offers: Offers::default(),
            men: Vec::new(),
            ledger: Ledger::new(plan.webs),
            nonces: Nonces::default(),
            tries: Tries::default(),
            peaks: Peaks::default(),
            next_sample: 0,
            trace: Trace::new(verbose),
            base: base.to_path_buf(),
            link: None,
            healed: false,
            steps: 0,
            plan,
        }
    }

    /// The companions of the plan, as devices.
    #[must_use]
    pub fn web_node(&self, web: usize) -> NodeId {
        NodeId(web + 1)
    }

    /// Puts something into the queue.
    pub fn at(&mut self, time: u64, what: SimEvent) {
        self.sequence += 1;
        self.queue.push(Due(std::cmp::Reverse((time.max(self.now), self.sequence)), what));
    }

    /// When something happens next.
    fn next(&self) -> Option<u64> {
        let queue = self.queue.peek().map(|Due(key, _)| key.0.0);
        let nodes = self.nodes.iter().filter_map(Node::timer);
        nodes.chain(queue).chain(self.relay_wake).min()
    }

    /// Runs until a time.
    pub fn run_to(&mut self, end: u64) {
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.steps += 1;
            if self.steps > STEPS_MAX {
                self.ledger.violation("no-spin", format!("{STEPS_MAX} steps at {} us", self.now));
                break;
            }
            self.step();
            if self.now >= self.next_sample {
                limits::sample(self);
                quota::sample(self);
                self.next_sample = self.now + limits::SAMPLE_EVERY;
            }
        }
        self.now = self.now.max(end);
    }

    fn step(&mut self) {
        if self.relay_wake.is_some_and(|at| at <= self.now) {
            self.relay.handle_timeout(Timestamp::from_micros(self.now));
            self.drain_relay();
        }
        for id in 0..self.nodes.len() {
            let node = &mut self.nodes[id];
            if node.timer().is_some_and(|at| at <= self.now) {
                node.last_timer = self.now;
                self.go_on(NodeId(id));
            }
        }
        if self.queue.peek().is_some_and(|Due(key, _)| key.0.0 <= self.now)
            && let Some(Due(_, what)) = self.queue.pop()
        {
            self.happen(what);
        }
    }

    fn happen(&mut self, what: SimEvent) {
        match what {
            SimEvent::Arrive(conn, Way::Up, bytes) => self.arrive_up(conn, bytes),
            SimEvent::Arrive(conn, Way::Down, bytes) => self.arrive_down(conn, bytes),
            SimEvent::Opened(conn) => self.opened(conn),
            SimEvent::ClosedUp(conn) => self.closed_up(conn),
            SimEvent::ClosedDown(conn) => self.closed_down(conn),
            SimEvent::Unstall(conn) => self.unstall(conn),
            SimEvent::Written(conn, len) => self.written(conn, len),
            SimEvent::Start(id) => self.start(id),
            SimEvent::Act(number) => self.act(number),
            SimEvent::Fault(number) => crate::faults::begin(self, number),
            SimEvent::FaultLater(number) => crate::faults::later(self, number),
            SimEvent::Look => self.look(),
        }
    }

    /// Starts a device's program.
    pub fn start(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.0];
        if node.machine.is_some() {
            return;
        }
        if now < node.asleep_until {
            let at = node.asleep_until;
            return self.at(at, SimEvent::Start(id));
        }
        self.trace.line(now, || format!("{} starts", node.name));
        if let Err(error) = node.start(now) {
            let name = node.name.clone();
            if self.healed {
                self.ledger.violation("starts-after-crash", format!("{name}: {error:#}"));
            } else {
                self.at(now + RESTART_AFTER, SimEvent::Start(id));
            }
            return;
        }
        if self.nodes[id.0].role == DeviceRole::Web {
            self.see_link(id);
            self.show_codes_if_unlinked(id);
        }
        let _ = self.run(id);
    }

    /// A device's power fails. It starts again later.
    pub fn crash(&mut self, id: NodeId, restart: bool) {
        let now = self.now;
        self.trace.line(now, || format!("{} stops", self.nodes[id.0].name));
        self.nodes[id.0].kill();
        for (number, conn) in &mut self.conns {
            if conn.node == id && conn.at_node {
                conn.at_node = false;
                self.sequence += 1;
                let due = std::cmp::Reverse((now + LATENCY.0, self.sequence));
                self.queue.push(Due(due, SimEvent::ClosedUp(*number)));
            }
        }
        self.stopped(id);
        self.ledger.recovers();
        if restart {
            self.at(now + RESTART_AFTER, SimEvent::Start(id));
        }
    }

    /// A device's program has an input: it goes on at once, or once its disk is done, with what else arrives until then.
    pub fn go_on(&mut self, id: NodeId) {
        if !crate::faults::disk::holds_back(self, id) {
            let _ = self.run(id);
        }
    }

    /// Lets a device's program do what its inputs led to.
    pub fn run(&mut self, id: NodeId) -> Ran {
        let mut ran = None;
        loop {
            let now = self.now;
            let round = match self.nodes[id.0].settle(now) {
                Ok(round) => round,
                Err(reason) => {
                    self.trace.line(now, || format!("{} ends: {reason}", self.nodes[id.0].name));
                    self.ended(id, &reason);
                    return ran.unwrap_or(Ran::NotStored);
                }
            };
            let is_stored = round.failure.is_none();
            let _ = ran.get_or_insert(if is_stored { Ran::Stored } else { Ran::NotStored });
            if let Some(reason) = round.failure {
                self.trace.line(now, || format!("{} could not store: {reason}", self.nodes[id.0].name));
                self.ledger.recovers();
            }
            // What a program gives out although it could not store is on its way before the power fails.
            let (lost, kept) = if is_stored { (Vec::new(), round.outs) } else { (round.outs, Vec::new()) };
            let mut again = false;
            for out in lost {
                again |= self.output(id, out);
            }
            if crate::faults::disk::crashes(self, id, is_stored) {
                return ran.unwrap_or(Ran::NotStored);
            }
            for out in kept {
                again |= self.output(id, out);
            }
            if !again {
                return ran.unwrap_or(Ran::Stored);
            }
        }
    }

    fn output(&mut self, id: NodeId, out: Out) -> bool {
        match out {
            Out::Connect(tag) => self.connect(id, tag),
            Out::Transmit(tag, bytes) => return self.transmit(id, tag, bytes),
            Out::Disconnect(tag) => self.disconnect(id, tag),
            Out::Phone(event) => self.phone_event(id, &event),
            Out::Scan(step) => self.scan_step(id, step),
            Out::Web(event) => return self.web_event(id, event),
        }
        false
    }
}
