//! The functions that a program provides so that a [`Host`] can run it.

use alloc::vec::Vec;
use core::time::Duration;

use handfast_codec::ids::MailboxId;
use handfast_codec::{ErrorCode, Timestamp};
use handfast_session::role::Role;
use handfast_session::{Commit, Event, Message, PairingEvent};
use rand_core::CryptoRng;

use super::{Attempt, Host, Link};

/// The [`Host`] of an application.
pub type HostOf<P> = Host<
    <P as Application>::Role,
    <P as Application>::Link,
    <P as Application>::Attempt,
    <P as Application>::Event,
>;
/// The [`Link`] of an application.
pub type LinkOf<P> = Link<<P as Application>::Role, <P as Application>::Link>;
/// The pairing [`Attempt`] of an application.
pub type AttemptOf<P> = Attempt<<P as Application>::Attempt>;
/// What an application has [`Lost`].
pub type LostOf<P> = Lost<
    <P as Application>::Role,
    <P as Application>::Link,
    <P as Application>::Attempt,
    <P as Application>::Event,
>;

/// The error of a round in which a call of the application failed halfway through its writes, so that nothing
/// could be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a change could not be written whole")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say of it")]
pub struct Incomplete;

/// What the host had in memory when the store failed. It is dropped; only what is stored counts.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the three things that a host holds")]
pub struct Lost<R: Role, L, A, E> {
    /// Events that are never shown, because what they report is not durable.
    pub events: Vec<E>,
    /// The links that were in memory.
    pub links: Vec<Link<R, L>>,
    /// The pairing attempts that were in memory.
    pub attempts: Vec<Attempt<A>>,
}

/// A program with a store of its own. All its functions except `failed` run inside a round, in the order of
/// [`super::settle`]. While a link or attempt is lent to one of them, it is not in the host.
///
/// The writes of these functions form one transaction, which the first write begins and
/// [`Application::commit`] ends. An error ends the round and undoes all writes since the last commit.
pub trait Application {
    /// The role of the program's device in its links.
    type Role: Role;
    /// The application's data for each link.
    type Link;
    /// The application's data for each pairing attempt.
    type Attempt;
    /// An event for the program's user.
    type Event;
    /// A failure of the store.
    type Error: From<Incomplete>;

    /// Returns the host, which contains the program's machines.
    fn host(&mut self) -> &mut HostOf<Self>;

    /// Rolls back any open transaction, and adds a machine for each stored link. It is called when the pause
    /// after a failure of the store is over.
    ///
    /// # Errors
    ///
    /// A failure of the store: another pause follows.
    fn load(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), Self::Error>;

    /// Processes a message from a link. The transaction in which this runs also stores that the message was
    /// received.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn deliver(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        link: &mut LinkOf<Self>,
        message: Message,
    ) -> Result<(), Self::Error>;

    /// Handles an event of a link. The event is never `Connect` or `Disconnect`.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn on_event(&mut self, now: Timestamp, link: &mut LinkOf<Self>, event: Event) -> Result<(), Self::Error>;

    /// Handles an event of a pairing attempt. The event that ends the attempt is passed here too. In the same
    /// round [`Application::attempt_over`] is called after it.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn on_pairing_event(
        &mut self,
        now: Timestamp,
        attempt: &mut AttemptOf<Self>,
        event: PairingEvent,
    ) -> Result<(), Self::Error>;

    /// Handles the end of a pairing attempt, once all the attempt's writes are durable: loads the new link if
    /// there is one. `ended` is the machine's result: the link, or the code why there is no link, or none yet
    /// (spec, handshake). The attempt is removed from the host after the call.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn attempt_over(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        attempt: &AttemptOf<Self>,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), Self::Error>;

    /// Writes a commit by [`Commit::apply`]. `attempt` is present if the commit belongs to a pairing, so that
    /// the row of a new link can be written together with its keys: before the first one,
    /// [`Attempt::link`] is `None`.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn apply(
        &mut self,
        now: Timestamp,
        attempt: Option<&AttemptOf<Self>>,
        commit: &Commit,
    ) -> Result<(), Self::Error>;

    /// Makes the open transaction durable. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn commit(&mut self, now: Timestamp) -> Result<bool, Self::Error>;

    /// Undoes everything since the last commit, in the store and in memory, because the store failed.
    /// [`Application::load`] is called after `pause` has passed.
    fn failed(&mut self, now: Timestamp, lost: LostOf<Self>, error: &Self::Error, pause: Duration);

    /// Returns whether waiting cannot repair this failure. If so, [`super::settle`] returns the failure, and
    /// the process should end.
    #[must_use]
    fn is_final(_error: &Self::Error) -> bool {
        false
    }

    /// Takes a line of the key log, to append it to a file. Lines are passed on whether or not the round is
    /// stored: the connection that they are for exists.
    ///
    /// # Security
    ///
    /// Whoever has the lines of a connection reads everything that it carries.
    #[cfg(feature = "key-log")]
    fn log_key(&mut self, _line: &str) {}

    /// Does the work of the program that its machines do not do. It is called before they are drained.
    /// Returns whether anything happened.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn run(&mut self, _now: Timestamp, _rng: &mut dyn CryptoRng) -> Result<bool, Self::Error> {
        Ok(false)
    }

    /// Does the work that needs a commit of the link's machine. It is called when that machine's queue of
    /// outputs is empty. Returns whether anything happened.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn drained(
        &mut self,
        _now: Timestamp,
        _rng: &mut dyn CryptoRng,
        _link: &mut LinkOf<Self>,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }

    /// Does the work that requires everything to be durable, such as answers read from the store. Returns
    /// whether anything happened.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn committed(&mut self, _now: Timestamp, _rng: &mut dyn CryptoRng) -> Result<bool, Self::Error> {
        Ok(false)
    }
}
