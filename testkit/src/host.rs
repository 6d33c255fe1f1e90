//! A device: a machine, its store in memory, its socket, and the application above it.

use std::collections::VecDeque;
use std::marker::PhantomData;

use bytes::{Bytes, BytesMut};
use handfast_codec::ids::LogId;
use handfast_codec::{DeviceRole, ErrorCode, Timestamp};
use handfast_session::{Commit, Event, LinkRows, LinkRowsTxn, LinkState, Message, Output, PairingEvent};
use rand_chacha::rand_core::CryptoRng;
use reference_relay::core::SocketId;

use crate::machine::{Machine, Polled};

/// The log of a phone.
pub const LOG: LogId = LogId::from_bytes([9; 16]);
/// How many frames leave before others have their turn.
const FRAMES_AT_ONCE: usize = 8;

/// What an application does with its machine's outputs.
pub trait App: Sized {
    type Machine: Machine;
    /// What survives a crash.
    type Disk: Disk;

    /// Puts a commit into a transaction. Returns whether the device still runs.
    fn persist(host: &mut Host<Self>, now: Timestamp, commit: Commit) -> bool {
        host.transact(now, commit)
    }

    /// Takes a message, in the same transaction as its commit.
    fn deliver(_: &mut Host<Self>, _: Timestamp, message: Message) {
        panic!("unexpected {message:?}");
    }

    /// Does what an event asks for. Returns whether the event is kept.
    fn event(_: &mut Host<Self>, _: Timestamp, _: &Event) -> bool {
        true
    }
}

/// What survives a crash: the rows of the machine, and what an application has beside them.
pub trait Disk: Clone + Default {
    fn pairs(&mut self) -> &mut LinkRows;
}

impl Disk for LinkRows {
    fn pairs(&mut self) -> &mut LinkRows {
        self
    }
}

/// No application: nothing is asked for, and what arrives is unexpected.
pub struct Bare<M>(PhantomData<M>);

impl<M: Machine> App for Bare<M> {
    type Machine = M;
    type Disk = LinkRows;
}

/// When a device dies: before or after its n-th commit is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    Before(usize),
    After(usize),
}

/// A device.
#[expect(clippy::struct_excessive_bools, reason = "switches of a test")]
pub struct Host<A: App> {
    pub role: DeviceRole,
    pub machine: A::Machine,
    pub disk: A::Disk,
    pub app: A,
    pub socket: Option<SocketId>,
    pub deadline: Option<Timestamp>,
    /// What was told but for pairing, as far as the application keeps it.
    pub events: Vec<Event>,
    pub pairing_events: Vec<PairingEvent>,
    pub state: Option<LinkState>,
    /// Frames that were given out.
    pub sent: usize,
    /// Commits that were taken, also those whose transaction is still open.
    pub commits: usize,
    pub crash: Option<Crash>,
    /// Transactions stay open until they are released.
    pub hold: bool,
    open: VecDeque<Commit>,
    /// It does nothing, and its socket stays.
    pub paused: bool,
    /// Dead, or never there.
    pub absent: bool,
    /// Sockets do not open.
    pub offline: bool,
    /// What its browser says that it shows.
    pub origin: Option<&'static str>,
    /// The disk is copied between two transactions once there were so many commits.
    pub copy_at: Option<usize>,
    pub copy: Option<Box<A::Disk>>,
    in_transaction: bool,
    wants_socket: bool,
    closing: Option<SocketId>,
    moved: bool,
}

impl<M: Machine> Host<Bare<M>> {
    /// A device without an application that has just started.
    pub fn bare(role: DeviceRole, machine: M, pairs: LinkRows, now: Timestamp) -> Self {
        Self::over(role, machine, pairs, Bare(PhantomData), now)
    }
}

impl<A: App> Host<A> {
    /// A device that has just started.
    pub fn over(role: DeviceRole, machine: A::Machine, disk: A::Disk, app: A, now: Timestamp) -> Self {
        Self {
            role,
            machine,
            disk,
            app,
            socket: None,
            deadline: Some(now),
            events: Vec::new(),
            pairing_events: Vec::new(),
            state: None,
            sent: 0,
            commits: 0,
            crash: None,
            hold: false,
            open: VecDeque::new(),
            paused: false,
            absent: false,
            offline: false,
            origin: None,
            copy_at: None,
            copy: None,
            in_transaction: false,
            wants_socket: false,
            closing: None,
            moved: false,
        }
    }

    /// Whether its process is gone.
    pub fn is_dead(&self) -> bool {
        let after = matches!(self.crash, Some(Crash::After(n)) if n <= self.commits);
        self.absent || (after && !self.in_transaction)
    }

    /// Whether it does nothing more by itself.
    pub fn is_stopped(&self) -> bool {
        self.paused || self.is_dead()
    }

    /// Lets it die after so many more commits.
    pub fn crash_after(&mut self, commits: usize) {
        self.crash = Some(Crash::After(self.commits + commits));
    }

    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    pub fn wants_socket(&mut self) -> bool {
        std::mem::take(&mut self.wants_socket)
    }

    /// Takes the socket that the machine has given up.
    pub fn take_closing(&mut self) -> Option<SocketId> {
        self.closing.take()
    }

    pub fn opened(&mut self, now: Timestamp, socket: SocketId, rng: &mut dyn CryptoRng) {
        self.socket = Some(socket);
        self.machine.opened(now, rng);
    }

    pub fn closed(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        if self.socket.take().is_some() {
            self.machine.closed(now, rng);
        }
    }

    pub fn receive(&mut self, now: Timestamp, rng: &mut dyn CryptoRng, bytes: BytesMut) {
        self.machine.received(now, rng, bytes).unwrap();
    }

    pub fn timeout(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        if !self.is_stopped() && self.deadline.is_some_and(|at| at <= now) {
            self.machine.timed_out(now, rng);
        }
    }

    pub fn transmitted(&mut self, now: Timestamp, len: usize) {
        self.machine.written(now, len);
    }

    /// Stores a commit that a verb has returned. Returns whether the device still runs.
    pub fn commit(&mut self, now: Timestamp, commit: Commit) -> bool {
        A::persist(self, now, commit)
    }

    /// Makes a commit a transaction of its own. Returns false where the device stops before it.
    pub fn transact(&mut self, now: Timestamp, commit: Commit) -> bool {
        if self.is_stopped() {
            return false;
        }
        self.commits += 1;
        if self.crash == Some(Crash::Before(self.commits)) {
            self.absent = true;
            return false;
        }
        if self.hold {
            self.open.push_back(commit);
        } else {
            self.store(now, commit);
        }
        true
    }

    fn store(&mut self, now: Timestamp, commit: Commit) {
        commit.apply(&mut LinkRowsTxn::new(self.disk.pairs())).expect("the store of its only writer");
        self.machine.stored(now, commit).expect("the oldest open commit");
    }

    /// Ends the oldest open transaction, and reports it. Returns whether there was one.
    pub fn store_next(&mut self, now: Timestamp) -> bool {
        let Some(commit) = self.open.pop_front() else { return false };
        self.store(now, commit);
        true
    }

    /// Ends the transactions that were held back.
    pub fn release(&mut self, now: Timestamp) {
        self.hold = false;
        while self.store_next(now) {}
    }

    pub fn has_open_commit(&self) -> bool {
        !self.open.is_empty()
    }

    /// The process dies: what was not stored is lost. Returns its socket.
    pub fn die(&mut self) -> Option<SocketId> {
        self.absent = true;
        self.open.clear();
        self.socket.take()
    }

    /// Goes on with another machine; the one before is dropped, and its socket given up.
    pub fn begin(&mut self, machine: A::Machine, now: Timestamp) {
        self.machine = machine;
        self.closing = self.socket.take().or(self.closing);
        self.deadline = Some(now);
    }

    /// Does what the machine asks for. Returns what it sends, a few frames at most.
    pub fn drain(&mut self, now: Timestamp) -> Vec<Bytes> {
        self.drain_up_to(now, FRAMES_AT_ONCE)
    }

    /// The same, up to so many frames: the one loop over a machine's outputs.
    pub fn drain_up_to(&mut self, now: Timestamp, frames: usize) -> Vec<Bytes> {
        let mut sent = Vec::new();
        loop {
            // Between transactions: an effect and its answer are one.
            if self.copy_at.is_some_and(|at| at <= self.commits) {
                self.copy_at = None;
                self.copy = Some(Box::new(self.disk.clone()));
            }
            if self.is_stopped() {
                self.deadline = None;
                return sent;
            }
            let output = match self.machine.poll() {
                Polled::Output(output) => output,
                Polled::Pairing(event) => {
                    self.pairing_events.push(event);
                    self.moved = true;
                    continue;
                }
            };
            match output {
                Output::Persist(commit) => {
                    let _ = A::persist(self, now, commit);
                }
                Output::Deliver { message, commit } => {
                    self.in_transaction = true;
                    if A::persist(self, now, commit) {
                        A::deliver(self, now, message);
                    }
                    self.in_transaction = false;
                }
                Output::Transmit(bytes) => {
                    sent.push(bytes);
                    self.sent += 1;
                    if sent.len() >= frames {
                        self.moved = true;
                        return sent;
                    }
                }
                Output::Event(event) => self.on_event(now, event),
                Output::Wait(at) => {
                    self.deadline = at;
                    return sent;
                }
                other => panic!("unexpected {other:?}"),
            }
            self.moved = true;
        }
    }

    fn on_event(&mut self, now: Timestamp, event: Event) {
        match &event {
            Event::Connect => self.wants_socket = true,
            Event::Disconnect => self.closing = self.socket.take().or(self.closing),
            Event::State(state) => self.state = Some(*state),
            _ => {}
        }
        if A::event(self, now, &event) {
            self.events.push(event);
        }
    }

    /// Why the attempt to pair ended.
    pub fn ended(&self) -> Option<ErrorCode> {
        self.pairing_events.iter().find_map(|event| match event {
            PairingEvent::Ended(code) => Some(*code),
            _ => None,
        })
    }

    /// Whether the attempt to pair ended in a link.
    pub fn is_linked(&self) -> bool {
        self.pairing_events.iter().any(|event| matches!(event, PairingEvent::Linked(_)))
    }
}
