//! The work around its machines that is the same in every application, as a machine of its own.
//!
//! A [`Host`] contains the links and pairing attempts of a program, with their sockets, deadlines and
//! commits. The program reports to it what its sockets and its timer do, and calls [`settle`] once after each
//! batch of inputs. One call is one *round*: it drains the machines, passes what arrived to the program,
//! stores everything in one transaction of the program, reports the commits to the machines, and repeats
//! until nothing changes. It returns the [`Output`]s that the program must act on; none of them depends on a
//! transaction that is not durable.
//!
//! When a transaction fails, the state in memory is dropped: sockets are closed, machines removed, and after
//! a pause ([`StoreBackoff`]) the program loads what is stored. The program takes part in all this through
//! the trait [`Application`].
//!
//! There is no socket, clock, thread or hidden randomness: sockets are numbers, and time and randomness are
//! parameters.
//!
//! ```
//! use handfast::codec::ids::MailboxId;
//! use handfast::host::{Application, AttemptOf, HostOf, Incomplete, Link, LinkOf, LostOf, settle};
//! use handfast::session::{
//!     Commit, CompanionEndpoint, Event, LoadError, MemoryStore, Message, PairingEvent, role,
//! };
//! use handfast::{ErrorCode, Timestamp};
//! use rand_core::CryptoRng;
//! use std::time::Duration;
//!
//! /// A companion that keeps its links in memory, and reports each message.
//! #[derive(Default)]
//! struct Listener {
//!     host: HostOf<Self>,
//!     store: MemoryStore,
//! }
//!
//! #[derive(Debug)]
//! enum Failure {
//!     Load(LoadError),
//!     Incomplete,
//!     Commit,
//! }
//!
//! impl From<Incomplete> for Failure {
//!     fn from(_: Incomplete) -> Self {
//!         Self::Incomplete
//!     }
//! }
//!
//! impl Application for Listener {
//!     type Role = role::Companion;
//!     type Link = ();
//!     type Attempt = ();
//!     type Event = Message;
//!     type Error = Failure;
//!
//!     fn host(&mut self) -> &mut HostOf<Self> {
//!         &mut self.host
//!     }
//!
//!     fn load(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
//!         for id in self.store.links() {
//!             let endpoint = CompanionEndpoint::load(&self.store.link_rows(id), now, rng).map_err(Failure::Load)?;
//!             self.host.add_link(Link::new(now, id, endpoint, ()));
//!         }
//!         Ok(())
//!     }
//!
//!     fn deliver(
//!         &mut self,
//!         _: Timestamp,
//!         _: &mut dyn CryptoRng,
//!         _: &mut LinkOf<Self>,
//!         message: Message,
//!     ) -> Result<(), Failure> {
//!         self.host.event(message);
//!         Ok(())
//!     }
//!
//!     fn on_event(&mut self, _: Timestamp, _: &mut LinkOf<Self>, _: Event) -> Result<(), Failure> {
//!         Ok(())
//!     }
//!
//!     fn on_pairing_event(
//!         &mut self,
//!         _: Timestamp,
//!         _: &mut AttemptOf<Self>,
//!         _: PairingEvent,
//!     ) -> Result<(), Failure> {
//!         Ok(()) // a real one shows digits and asks for some
//!     }
//!
//!     fn attempt_over(
//!         &mut self,
//!         now: Timestamp,
//!         rng: &mut dyn CryptoRng,
//!         _: &AttemptOf<Self>,
//!         _: Result<MailboxId, ErrorCode>,
//!     ) -> Result<(), Failure> {
//!         self.load(now, rng) // the new link, if there is one
//!     }
//!
//!     fn apply(&mut self, _: Timestamp, _: Option<&AttemptOf<Self>>, commit: &Commit) -> Result<(), Failure> {
//!         // A store on a disk keeps the transaction open until `commit`.
//!         let mut txn = self.store.begin();
//!         commit.apply(&mut txn).map_err(|_| Failure::Commit)?;
//!         txn.commit();
//!         Ok(())
//!     }
//!
//!     fn commit(&mut self, _: Timestamp) -> Result<bool, Failure> {
//!         Ok(false)
//!     }
//!
//!     fn failed(&mut self, _: Timestamp, _: LostOf<Self>, error: &Failure, pause: Duration) {
//!         println!("{error:?}, next try in {pause:?}");
//!     }
//! }
//!
//! /// After each batch of inputs: `settled.outputs` says what to do with the sockets.
//! fn round(listener: &mut Listener, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
//!     let settled = settle(listener, now, rng)?;
//!     println!("{} things to do", settled.outputs.len());
//!     Ok(())
//! }
//! ```

mod application;
mod backoff;
#[cfg(feature = "testing")]
pub(crate) mod faults;
mod machines;
mod round;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::ids::MailboxId;
use handfast_codec::{RelayName, Timestamp};
use handfast_session::Pairing;
use handfast_session::role::Role;
use rand_core::CryptoRng;

pub use application::{Application, AttemptOf, HostOf, Incomplete, LinkOf, Lost, LostOf};
pub use backoff::StoreBackoff;
pub use machines::{Attempt, AttemptId, Link};
pub use round::{Settled, settle};

/// The number of a socket; no later socket of this host gets the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketTag(u64);

impl SocketTag {
    /// Returns the number, for logs.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// An action for the program's driver, which carries out all of them in order.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver must do each of them")]
pub enum Output<E> {
    /// Open a socket to this relay. Report the result by [`Host::handle_opened`] or [`Host::handle_closed`].
    Connect {
        /// The number of the socket to open.
        socket: SocketTag,
        /// The relay's name.
        relay: RelayName,
    },
    /// Send one binary message on this socket. Report it by [`Host::handle_written`] when the socket has
    /// accepted it.
    Transmit {
        /// The number of the socket to write to.
        socket: SocketTag,
        /// The binary message.
        bytes: Bytes,
    },
    /// Close this socket once all earlier messages are written. No call of [`Host::handle_closed`] is needed.
    Disconnect {
        /// The number of the socket to close.
        socket: SocketTag,
    },
    /// Show the user this event of the application.
    Event(E),
}

/// The machine to which a socket belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Link(MailboxId),
    Attempt(AttemptId),
}

/// The machines of a program. `R` is the role of its device, `L` the application's data for each link, `A`
/// its data for each pairing attempt, and `E` an event for the program's user.
#[derive(Debug)]
pub struct Host<R: Role, L, A, E> {
    links: BTreeMap<MailboxId, Link<R, L>>,
    attempts: BTreeMap<AttemptId, Attempt<A>>,
    next_attempt: u64,
    sockets: BTreeMap<SocketTag, Owner>,
    next_socket: u64,
    out: VecDeque<Output<E>>,
    /// How many entries of `out`, from its start, stay even if the open transaction fails.
    out_durable: usize,
    /// Whether a transaction of this round is durable.
    stored: bool,
    /// Whether a call of the application failed halfway through its writes, so that this round must not be
    /// stored.
    is_incomplete: bool,
    /// The pause after a failure of the store. During the pause the host has no machines.
    backoff: StoreBackoff,
    #[cfg(feature = "testing")]
    pub(crate) faults: faults::Faults,
}

impl<R: Role, L, A, E> Default for Host<R, L, A, E> {
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
            #[cfg(feature = "testing")]
            faults: faults::Faults::default(),
        }
    }
}

impl<R: Role, L, A, E> Host<R, L, A, E> {
    /// Queues an event for the user. The event is returned once all writes made before it are durable.
    pub fn event(&mut self, event: E) {
        self.out.push_back(Output::Event(event));
    }

    /// Notes that a call of the application failed halfway through its writes. The next round stores nothing,
    /// and everything is loaded again from the store.
    pub const fn set_incomplete(&mut self) {
        self.is_incomplete = true;
    }

    /// Returns the pause after a failure of the store. During the pause the host has no machines, and the
    /// program should begin nothing.
    #[must_use]
    pub const fn backoff(&self) -> &StoreBackoff {
        &self.backoff
    }

    /// Adds a link. A link that has the same id is replaced.
    pub fn add_link(&mut self, link: Link<R, L>) {
        drop(self.remove_link(link.id()));
        drop(self.links.insert(link.id(), link));
    }

    /// Returns a link; `None` also while the link is lent to a function of the [`Application`].
    #[must_use]
    pub fn link(&self, id: MailboxId) -> Option<&Link<R, L>> {
        self.links.get(&id)
    }

    /// Returns a link for changes; `None` also while the link is lent to a function of the [`Application`].
    #[must_use]
    pub fn link_mut(&mut self, id: MailboxId) -> Option<&mut Link<R, L>> {
        self.links.get_mut(&id)
    }

    /// Returns all links, except one that is lent to a function of the [`Application`].
    pub fn links(&self) -> impl Iterator<Item = &Link<R, L>> {
        self.links.values()
    }

    /// Returns all links for changes, except one that is lent to a function of the [`Application`].
    pub fn links_mut(&mut self) -> impl Iterator<Item = &mut Link<R, L>> {
        self.links.values_mut()
    }

    /// Removes a link and closes its socket. The application must delete the rows of the link itself.
    pub fn remove_link(&mut self, id: MailboxId) -> Option<Link<R, L>> {
        let link = self.links.remove(&id)?;
        self.disconnect(link.port.socket);
        Some(link)
    }

    /// Adds a pairing attempt, and returns its number.
    pub fn add_attempt(&mut self, now: Timestamp, pairing: Pairing, data: A) -> AttemptId {
        let id = AttemptId(self.next_attempt);
        self.next_attempt = self.next_attempt.saturating_add(1);
        drop(self.attempts.insert(id, Attempt::new(id, pairing, data, now)));
        id
    }

    /// Returns the attempts, oldest first, except one that is lent to a function of the [`Application`].
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt<A>> {
        self.attempts.values()
    }

    /// Returns the attempts for changes, oldest first, except one that is lent to a function of the
    /// [`Application`].
    pub fn attempts_mut(&mut self) -> impl Iterator<Item = &mut Attempt<A>> {
        self.attempts.values_mut()
    }

    /// Removes an attempt and closes its socket.
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

    /// Reports that a socket is open.
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

    /// Passes a binary message that arrived on a socket to the socket's machine.
    pub fn handle_bytes(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        socket: SocketTag,
        bytes: BytesMut,
    ) {
        // A machine refuses bytes only from a socket that it has given up, so its refusal needs no action.
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

    /// Reports that the socket has accepted a message of `len` bytes.
    pub fn handle_written(&mut self, now: Timestamp, socket: SocketTag, len: usize) {
        if let Some(Owner::Link(id)) = self.sockets.get(&socket)
            && let Some(link) = self.links.get_mut(id)
        {
            link.endpoint.transmitted(now, len);
        }
    }

    /// Reports that a socket is closed, or could not be opened. `reason` says why, for the user of a pairing
    /// attempt, who may be waiting for the relay ([`Attempt::lost`]).
    pub fn handle_closed(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        socket: SocketTag,
        reason: &str,
    ) {
        match self.sockets.remove(&socket) {
            Some(Owner::Link(id)) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.port.socket = None;
                    link.endpoint.handle_closed(now, rng);
                }
            }
            Some(Owner::Attempt(id)) => {
                if let Some(attempt) = self.attempts.get_mut(&id) {
                    attempt.port.socket = None;
                    attempt.lost = Some(String::from(reason));
                    attempt.pairing.handle_closed(now);
                }
            }
            None => {}
        }
    }

    /// Lets every machine act whose deadline has passed. Call it at [`Host::deadline`]; an earlier or later
    /// call is allowed.
    pub fn handle_timeout(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        for link in self.links.values_mut() {
            let _ = link.wake.take_if(|wake| *wake <= now);
            if link.port.is_due(now) {
                link.endpoint.handle_timeout(now, rng);
            }
        }
        for attempt in self.attempts.values_mut().filter(|attempt| attempt.port.is_due(now)) {
            attempt.pairing.handle_timeout(now);
        }
    }

    /// Makes every machine check its connection, or try to connect, at once. Call it when the computer slept
    /// or the network came back.
    pub fn probe(&mut self, now: Timestamp) {
        self.links.values_mut().for_each(|link| link.endpoint.probe(now));
        self.attempts.values_mut().for_each(|attempt| attempt.pairing.probe(now));
    }

    /// Returns the time at which [`Host::handle_timeout`] and [`settle`] must be called next. Of the application's own
    /// deadlines, those of [`Link::wake_by`] are included.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let links = self.links.values().flat_map(|link| [link.port.deadline, link.wake]).flatten();
        let attempts = self.attempts.values().filter_map(|attempt| attempt.port.deadline);
        links.chain(attempts).chain(self.backoff.until()).min()
    }

    /// Removes all machines and closes their sockets, because a transaction failed. Returns what was removed,
    /// and the length of the pause.
    fn drop_machines(&mut self, now: Timestamp) -> (Lost<R, L, A, E>, Duration) {
        // Outputs that depend only on earlier, durable commits of this round are still returned.
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

#[cfg(all(test, feature = "testing"))]
mod tests;
