//! What every application does around its machines, as a machine of its own.
//!
//! A [`Host`] keeps the links and pairing attempts of a program, their sockets, their deadlines and their commits. The
//! program gives it what its sockets and its timer say, and calls [`settle`] once after each batch of inputs. That makes
//! one *round*: it drains the machines, hands the program what arrived, stores everything in one transaction of the
//! program's, reports the commits, and repeats until nothing moves. What must be done now comes out as [`Output`]s, and
//! nothing among them depends on a transaction that is not durable.
//!
//! When a transaction fails, nothing in memory is worth saving: the sockets are closed, the machines dropped, and after a
//! pause ([`StoreBackoff`]) the program loads what is stored. What it must say for that is its [`Application`].
//!
//! No socket, clock, thread or hidden randomness: sockets are numbers, time and randomness are parameters.

mod application;
mod backoff;
mod machines;
mod round;

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::ids::MailboxId;
use handfast_codec::{RelayName, Timestamp};
use handfast_session::Pairing;
use rand_core::CryptoRng;

pub use application::{Application, AttemptOf, HostOf, Incomplete, LinkOf, Lost};
pub use backoff::StoreBackoff;
pub use machines::{Attempt, AttemptId, Link};
pub use round::{Settled, settle};

/// One socket, by a number that is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketTag(u64);

impl SocketTag {
    /// The number, for logs.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What the program's driver must do, in this order.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver must do each of them")]
pub enum Output<E> {
    /// Open a socket to this relay, and report it with [`Host::handle_opened`] or [`Host::handle_closed`].
    Connect {
        /// The socket.
        socket: SocketTag,
        /// The relay.
        relay: RelayName,
    },
    /// Send one binary message, and report it with [`Host::handle_written`] when the socket has taken it.
    Transmit {
        /// The socket.
        socket: SocketTag,
        /// The message.
        bytes: Bytes,
    },
    /// Close the socket, once what was transmitted before is written. [`Host::handle_closed`] is not needed.
    Disconnect {
        /// The socket.
        socket: SocketTag,
    },
    /// Something that the application told its user.
    Event(E),
}

/// Which machine a socket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Link(MailboxId),
    Attempt(AttemptId),
}

/// The machines of a program: `L` is what the application keeps for each link, `A` for each pairing attempt, `E` is an event
/// for its user.
#[derive(Debug)]
pub struct Host<L, A, E> {
    links: BTreeMap<MailboxId, Link<L>>,
    attempts: BTreeMap<AttemptId, Attempt<A>>,
    next_attempt: u64,
    sockets: BTreeMap<SocketTag, Owner>,
    next_socket: u64,
    out: VecDeque<Output<E>>,
    /// How many of `out` no open transaction can undo.
    out_durable: usize,
    /// Whether a transaction of this round is durable.
    stored: bool,
    /// A call could not do all its writes: the round must not be stored.
    is_incomplete: bool,
    /// While it is on, after the store failed, there are no machines.
    backoff: StoreBackoff,
}

impl<L, A, E> Default for Host<L, A, E> {
    fn default() -> Self {
        Self {
            links: BTreeMap::new(),
            attempts: BTreeMap::new(),
            next_attempt: 1,
            sockets: BTreeMap::new(),
            next_socket: 1,
            out: VecDeque::new(),
            out_durable: 0,
            stored: false,
            is_incomplete: false,
            backoff: StoreBackoff::default(),
        }
    }
}

impl<L, A, E> Host<L, A, E> {
    /// Tells the user something, once everything that this round has stored before is durable.
    pub fn event(&mut self, event: E) {
        self.out.push_back(Output::Event(event));
    }

    /// A call of the user's could not do all its writes: the next round stores nothing, and loads everything again.
    pub const fn set_incomplete(&mut self) {
        self.is_incomplete = true;
    }

    /// The pause after the store failed; while it is on there are no machines, and nothing should be begun.
    #[must_use]
    pub const fn backoff(&self) -> &StoreBackoff {
        &self.backoff
    }

    /// Adds a link, in place of one of the same id.
    pub fn add_link(&mut self, link: Link<L>) {
        drop(self.remove_link(link.id()));
        drop(self.links.insert(link.id(), link));
    }

    /// A link. Not while it is handed to the [`Application`].
    #[must_use]
    pub fn link(&self, id: MailboxId) -> Option<&Link<L>> {
        self.links.get(&id)
    }

    /// A link, to be changed. Not while it is handed to the [`Application`].
    #[must_use]
    pub fn link_mut(&mut self, id: MailboxId) -> Option<&mut Link<L>> {
        self.links.get_mut(&id)
    }

    /// All links but one that is handed to the [`Application`] just now.
    pub fn links(&self) -> impl Iterator<Item = &Link<L>> {
        self.links.values()
    }

    /// The same, to be changed.
    pub fn links_mut(&mut self) -> impl Iterator<Item = &mut Link<L>> {
        self.links.values_mut()
    }

    /// Takes a link out and closes its socket. Its rows are the application's to delete.
    pub fn remove_link(&mut self, id: MailboxId) -> Option<Link<L>> {
        let link = self.links.remove(&id)?;
        self.disconnect(link.port.socket);
        Some(link)
    }

    /// Adds a pairing attempt.
    pub fn add_attempt(&mut self, now: Timestamp, pairing: Pairing, data: A) -> AttemptId {
        let id = AttemptId(self.next_attempt);
        self.next_attempt = self.next_attempt.saturating_add(1);
        drop(self.attempts.insert(id, Attempt::new(id, pairing, data, now)));
        id
    }

    /// The attempts, the oldest first, but one that is handed to the [`Application`] just now.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt<A>> {
        self.attempts.values()
    }

    /// The same, to be changed.
    pub fn attempts_mut(&mut self) -> impl Iterator<Item = &mut Attempt<A>> {
        self.attempts.values_mut()
    }

    /// Takes an attempt out and closes its socket.
    pub fn remove_attempt(&mut self, id: AttemptId) -> Option<Attempt<A>> {
        let attempt = self.attempts.remove(&id)?;
        self.disconnect(attempt.port.socket);
        Some(attempt)
    }

    fn connect(&mut self, owner: Owner, relay: RelayName) -> SocketTag {
        let socket = SocketTag(self.next_socket);
        self.next_socket = self.next_socket.saturating_add(1);
        let _ = self.sockets.insert(socket, owner);
        self.out.push_back(Output::Connect { socket, relay });
        socket
    }

    fn disconnect(&mut self, socket: Option<SocketTag>) {
        if let Some(socket) = socket
            && self.sockets.remove(&socket).is_some()
        {
            self.out.push_back(Output::Disconnect { socket });
        }
    }

    /// A socket is open.
    pub fn handle_opened(&mut self, now: Timestamp, rng: &mut dyn CryptoRng, socket: SocketTag) {
        match self.sockets.get(&socket) {
            Some(Owner::Link(id)) => {
                if let Some(link) = self.links.get_mut(id) {
                    link.endpoint.handle_opened(now, rng);
                }
            }
            Some(Owner::Attempt(id)) => {
                if let Some(attempt) = self.attempts.get_mut(id) {
                    attempt.pairing.handle_opened(now);
                }
            }
            None => {}
        }
    }

    /// One binary message arrived.
    pub fn handle_bytes(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        socket: SocketTag,
        bytes: BytesMut,
    ) {
        // A machine that takes no bytes now has given this socket up: they are of no use.
        let _ = match self.sockets.get(&socket) {
            Some(Owner::Link(id)) => {
                self.links.get_mut(id).map(|link| link.endpoint.handle_bytes(now, rng, bytes))
            }
            Some(Owner::Attempt(id)) => {
                self.attempts.get_mut(id).map(|attempt| attempt.pairing.handle_bytes(now, rng, bytes))
            }
            None => None,
        };
    }

    /// The socket took a message of this many bytes.
    pub fn handle_written(&mut self, now: Timestamp, socket: SocketTag, len: usize) {
        if let Some(Owner::Link(id)) = self.sockets.get(&socket)
            && let Some(link) = self.links.get_mut(id)
        {
            link.endpoint.transmitted(now, len);
        }
    }

    /// A socket is closed, or could not be opened. Returns the pairing attempt to which it belonged, if it did: its user
    /// may be waiting for it.
    pub fn handle_closed(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        socket: SocketTag,
    ) -> Option<&mut Attempt<A>> {
        match self.sockets.remove(&socket)? {
            Owner::Link(id) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.port.socket = None;
                    link.endpoint.handle_closed(now, rng);
                }
                None
            }
            Owner::Attempt(id) => {
                let attempt = self.attempts.get_mut(&id)?;
                attempt.port.socket = None;
                attempt.pairing.handle_closed(now);
                Some(attempt)
            }
        }
    }

    /// Time has passed; call it at [`Host::deadline`], or at any other time.
    pub fn handle_timeout(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        for link in self.links.values_mut().filter(|link| link.port.is_due(now)) {
            link.endpoint.handle_timeout(now, rng);
        }
        for attempt in self.attempts.values_mut().filter(|attempt| attempt.port.is_due(now)) {
            attempt.pairing.handle_timeout(now);
        }
    }

    /// The computer slept, or the network came back: whoever is connected, or waits to be, looks at once.
    pub fn probe(&mut self, now: Timestamp) {
        self.links.values_mut().for_each(|link| link.endpoint.probe(now));
        self.attempts.values_mut().for_each(|attempt| attempt.pairing.probe(now));
    }

    /// When [`Host::handle_timeout`] and [`settle`] are due, without what the application itself waits for.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let links = self.links.values().filter_map(|link| link.port.deadline);
        let attempts = self.attempts.values().filter_map(|attempt| attempt.port.deadline);
        links.chain(attempts).chain(self.backoff.until()).min()
    }

    /// Drops all machines and closes their sockets: a transaction failed.
    fn drop_machines(&mut self, now: Timestamp) -> (Lost<L, A, E>, Duration) {
        // What a commit of this round has made durable is told all the same.
        let untold = self.out.split_off(self.out_durable.min(self.out.len()));
        let events = untold.into_iter().filter_map(|output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        });
        for socket in core::mem::take(&mut self.sockets).into_keys() {
            self.out.push_back(Output::Disconnect { socket });
        }
        let lost = Lost {
            events: events.collect(),
            links: core::mem::take(&mut self.links).into_values().collect(),
            attempts: core::mem::take(&mut self.attempts).into_values().collect(),
        };
        (lost, self.backoff.begin(now))
    }
}

#[cfg(all(test, feature = "hazmat"))]
mod tests;
