//! The world: devices, sockets, the relay's real core, one clock, one queue of what happens next.

use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use handfast::codec::ids::{AttachmentId, BootId};
use handfast::codec::relay::{DataKind, RelayFrame};
use handfast::{DeviceRole, RelayName, Timestamp};
use rand_core::Rng;
use reference_relay::core::{Fresh, Limits, Output as RelayOutput, Relay, SocketId};

use crate::check::nonces::Nonces;
use crate::check::tries::{self, Tries};
use crate::faults::Active;
use crate::faults::device::Extra;
use crate::faults::relay::Captured;
use crate::ledger::Ledger;
use crate::net::{Conn, LATENCY, Way};
use crate::node::{Node, NodeId, Out, RELAY, Tag};
use crate::plan::Plan;
use crate::rng::SimRng;
use crate::trace::Trace;

/// Steps of one run, after which it is taken to spin.
const STEPS_MAX: u64 = 3_000_000;
/// A program that ended starts again after this long, in microseconds.
pub const RESTART_AFTER: u64 = 1_500_000;

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
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
struct Due(std::cmp::Reverse<(u64, u64)>, Happening);

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
    relay_wake: Option<u64>,
    /// Sockets.
    pub conns: BTreeMap<u64, Conn>,
    next_conn: u64,
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
    /// What an onlooker knows.
    pub ledger: Ledger,
    /// Watches records.
    pub nonces: Nonces,
    /// Watches tries.
    pub tries: Tries,
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

fn new_relay(rng: &mut SimRng) -> Relay {
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
            ledger: Ledger::new(plan.webs),
            nonces: Nonces::default(),
            tries: Tries::default(),
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
    pub fn at(&mut self, time: u64, what: Happening) {
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
                let _ = self.run(NodeId(id));
            }
        }
        if self.queue.peek().is_some_and(|Due(key, _)| key.0.0 <= self.now)
            && let Some(Due(_, what)) = self.queue.pop()
        {
            self.happen(what);
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Arrive(conn, Way::Up, bytes) => self.arrive_up(conn, bytes),
            Happening::Arrive(conn, Way::Down, bytes) => self.arrive_down(conn, bytes),
            Happening::Opened(conn) => self.opened(conn),
            Happening::ClosedUp(conn) => self.closed_up(conn),
            Happening::ClosedDown(conn) => self.closed_down(conn),
            Happening::Unstall(conn) => self.unstall(conn),
            Happening::Written(conn, len) => self.written(conn, len),
            Happening::Start(id) => self.start(id),
            Happening::Act(number) => self.act(number),
            Happening::Fault(number) => crate::faults::begin(self, number),
            Happening::FaultLater(number) => crate::faults::later(self, number),
            Happening::Look => self.look(),
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
            return self.at(at, Happening::Start(id));
        }
        self.trace.line(now, || format!("{} starts", node.name));
        if let Err(error) = node.start(now) {
            let name = node.name.clone();
            if self.healed {
                self.ledger.violation("starts-after-crash", format!("{name}: {error:#}"));
            } else {
                self.at(now + RESTART_AFTER, Happening::Start(id));
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
                self.queue.push(Due(due, Happening::ClosedUp(*number)));
            }
        }
        self.stopped(id);
        self.ledger.recovers();
        if restart {
            self.at(now + RESTART_AFTER, Happening::Start(id));
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

    fn connect(&mut self, id: NodeId, tag: Tag) {
        self.next_conn += 1;
        let number = self.next_conn;
        let mut conn = Conn::new(id, tag);
        conn.rate = [self.link.map_or(0, |(_, rate)| rate); 2];
        let _ = self.conns.insert(number, conn);
        let _ = self.nodes[id.0].sockets.insert(tag, number);
        let time = self.now + 2 * self.latency();
        self.at(time, Happening::Opened(number));
    }

    fn opened(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.at_node) else {
            let _ = self.conns.remove(&number);
            return;
        };
        conn.at_relay = true;
        let (id, tag) = (conn.node, conn.tag);
        let (mut nonce, mut attachment) = ([0; 32], [0; 8]);
        self.rng.crypto().fill_bytes(&mut nonce);
        self.rng.crypto().fill_bytes(&mut attachment);
        let fresh = Fresh { nonce, id: AttachmentId::from_bytes(attachment) };
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, u8::try_from(id.0 + 1).unwrap_or(255)));
        let now = Timestamp::from_micros(self.now);
        // Numbers are fresh, and ids of eight random bytes do not meet.
        let _ = self.relay.handle_open(now, SocketId::new(number), address, None, fresh);
        self.nodes[id.0].opened(self.now, tag);
        let _ = self.run(id);
        self.drain_relay();
    }

    /// One way's time for one frame.
    pub fn latency(&mut self) -> u64 {
        self.link.map_or_else(|| self.rng.range(LATENCY.0, LATENCY.1), |(latency, _)| latency)
    }

    fn transmit(&mut self, id: NodeId, tag: Tag, bytes: Bytes) -> bool {
        let Some(number) = self.nodes[id.0].sockets.get(&tag).copied() else { return false };
        let len = bytes.len();
        self.watch(id, number, &bytes);
        let latency = self.latency();
        for (extra, bytes) in crate::faults::network::on_frame(self, number, Way::Up, bytes) {
            let now = self.now;
            let Some(conn) = self.conns.get_mut(&number) else { break };
            let time = conn.arrival(Way::Up, now, latency, bytes.len()) + extra;
            self.at(time, Happening::Arrive(number, Way::Up, bytes));
        }
        let rate = self.conns.get(&number).map_or(0, |conn| conn.rate[0]);
        if rate > 0 {
            let at = self.conns.get(&number).map_or(0, |conn| conn.last[0]).saturating_sub(latency);
            self.at(at, Happening::Written(number, len));
            return false;
        }
        self.nodes[id.0].written(self.now, tag, len);
        true
    }

    /// What a device sent is noted.
    fn watch(&mut self, id: NodeId, number: u64, bytes: &Bytes) {
        self.trace.number(self.now);
        self.trace.number(number);
        self.trace.bytes(bytes);
        let now = self.now;
        self.trace.line(now, || {
            format!("{} -> {number}: {}", self.nodes[id.0].name, crate::describe::frame(bytes))
        });
        tries::sent(self, id, bytes);
        if self.healed
            && handfast::codec::relay::data_kind(bytes) == Some(DataKind::KK1)
            && let Some(web) = self.web_of(id)
        {
            *self.ledger.attempts.entry(web).or_default() += 1;
        }
        if let Some(detail) = self.nonces.sent(bytes) {
            self.ledger.violation("nonce-used-once", format!("{}: {detail}", self.nodes[id.0].name));
        }
    }

    fn written(&mut self, number: u64, len: usize) {
        let Some(conn) = self.conns.get(&number).filter(|conn| conn.at_node) else { return };
        let (id, tag) = (conn.node, conn.tag);
        self.nodes[id.0].written(self.now, tag, len);
        let _ = self.run(id);
    }

    fn disconnect(&mut self, id: NodeId, tag: Tag) {
        let Some(number) = self.nodes[id.0].sockets.remove(&tag) else { return };
        if let Some(conn) = self.conns.get_mut(&number) {
            conn.at_node = false;
            if !conn.dead {
                let time = conn.last[0].max(self.now) + 1;
                self.at(time, Happening::ClosedUp(number));
            }
        }
    }

    fn closed_up(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let was = std::mem::take(&mut conn.at_relay);
        if !conn.at_node {
            let _ = self.conns.remove(&number);
        }
        if was {
            self.relay.handle_closed(Timestamp::from_micros(self.now), SocketId::new(number));
            self.drain_relay();
        }
    }

    fn closed_down(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let (id, tag, was) = (conn.node, conn.tag, std::mem::take(&mut conn.at_node));
        if self.nodes[id.0].asleep_until > self.now {
            conn.at_node = was;
            let at = self.nodes[id.0].asleep_until;
            return self.at(at, Happening::ClosedDown(number));
        }
        if !conn.at_relay {
            let _ = self.conns.remove(&number);
        }
        if was {
            self.nodes[id.0].closed(self.now, tag);
            let _ = self.run(id);
        }
    }

    /// Both ends of a socket are told that it is closed.
    pub fn cut(&mut self, number: u64) {
        let now = self.now;
        self.at(now, Happening::ClosedUp(number));
        self.at(now, Happening::ClosedDown(number));
    }

    fn arrive_up(&mut self, number: u64, bytes: Bytes) {
        if self.conns.get(&number).is_none_or(|conn| !conn.at_relay) {
            return;
        }
        crate::faults::relay::heard(self, number, &bytes);
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let socket = SocketId::new(number);
        if !conn.parked.is_empty() || !self.relay.is_ready(socket) {
            conn.parked.push(bytes);
            return;
        }
        self.relay.handle_frame(Timestamp::from_micros(self.now), socket, bytes);
        self.drain_relay();
    }

    /// The relay reads on where it had stopped, if there is room now.
    fn unpark(&mut self) {
        let waiting: Vec<u64> =
            self.conns.iter().filter(|(_, conn)| !conn.parked.is_empty()).map(|(n, _)| *n).collect();
        for number in waiting {
            while self.relay.is_ready(SocketId::new(number))
                && let Some(conn) = self.conns.get_mut(&number)
                && !conn.parked.is_empty()
            {
                let bytes = conn.parked.remove(0);
                self.relay.handle_frame(Timestamp::from_micros(self.now), SocketId::new(number), bytes);
                self.drain_relay();
            }
        }
    }

    /// Carries out what the relay wants.
    pub fn drain_relay(&mut self) {
        loop {
            match self.relay.poll_output() {
                RelayOutput::Send(socket, frame) => self.send_down(socket.as_u64(), frame),
                RelayOutput::Close(socket, code) => {
                    let number = socket.as_u64();
                    self.trace.line(self.now, || format!("relay closes {number}: {code:?}"));
                    if let Some(conn) = self.conns.get_mut(&number) {
                        conn.at_relay = false;
                        let time = conn.last[1].max(self.now) + 1;
                        if conn.dead && conn.at_node {
                            // Nothing tells the device.
                        } else {
                            self.at(time, Happening::ClosedDown(number));
                        }
                    }
                }
                RelayOutput::Wait(at) => {
                    self.relay_wake = at.map(Timestamp::as_micros);
                    return;
                }
            }
        }
    }

    fn send_down(&mut self, number: u64, frame: Bytes) {
        let latency = self.latency();
        let mut left = frame.len();
        if !frame.starts_with(&handfast::codec::relay::RECORD_HEADER[..1])
            && let Some(conn) = self.conns.get_mut(&number)
            && let Ok(RelayFrame::Attached(attached)) = RelayFrame::decode(frame.clone())
        {
            conn.own = Some(attached.own);
        }
        for frame in crate::faults::relay::on_frame(self, number, frame) {
            for (extra, bytes) in crate::faults::network::on_frame(self, number, Way::Down, frame) {
                let now = self.now;
                let Some(conn) = self.conns.get_mut(&number) else { return };
                let time = conn.arrival(Way::Down, now, latency, bytes.len()) + extra;
                let slow = conn.rate[1] > 0 || conn.stalled_until > now;
                self.at(time, Happening::Arrive(number, Way::Down, bytes));
                if slow {
                    left = 0;
                }
            }
        }
        if left > 0 {
            self.relay.transmitted(SocketId::new(number), left);
        }
    }

    fn arrive_down(&mut self, number: u64, bytes: Bytes) {
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.at_node) else { return };
        let (id, tag) = (conn.node, conn.tag);
        let until = conn.stalled_until.max(self.nodes[id.0].asleep_until);
        if until > self.now || !conn.unread.is_empty() {
            if conn.unread.is_empty() {
                self.at(until, Happening::Unstall(number));
            }
            if let Some(conn) = self.conns.get_mut(&number) {
                conn.unread.push(bytes);
            }
            return;
        }
        let slow = conn.rate[1] > 0;
        self.trace.number(self.now);
        self.trace.bytes(&bytes);
        let now = self.now;
        self.trace.line(now, || {
            format!("{} <- {number}: {}", self.nodes[id.0].name, crate::describe::frame(&bytes))
        });
        self.nodes[id.0].bytes(self.now, tag, &bytes);
        let _ = self.run(id);
        if slow {
            self.relay.transmitted(SocketId::new(number), bytes.len());
            self.drain_relay();
        }
        self.unpark();
    }

    fn unstall(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let until = conn.stalled_until.max(self.nodes[conn.node.0].asleep_until);
        if until > self.now {
            return self.at(until, Happening::Unstall(number));
        }
        let frames = std::mem::take(&mut conn.unread);
        for bytes in frames {
            let len = bytes.len();
            self.arrive_down(number, bytes);
            self.relay.transmitted(SocketId::new(number), len);
        }
        self.drain_relay();
        self.unpark();
    }

    /// The relay's process ends, and another takes its place.
    pub fn restart_relay(&mut self) {
        self.relay = new_relay(&mut self.rng);
        self.relay_wake = None;
        self.captured.clear();
        let numbers: Vec<u64> = self.conns.keys().copied().collect();
        for number in numbers {
            if let Some(conn) = self.conns.get_mut(&number) {
                conn.at_relay = false;
            }
            self.at(self.now, Happening::ClosedDown(number));
        }
    }
}
