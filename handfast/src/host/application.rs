//! The functions that a program provides so that a [`Host`] can run it.

use alloc::vec::Vec;
use core::time::Duration;

use handfast_codec::ids::MailboxId;
use handfast_codec::{ErrorCode, Timestamp};
use handfast_session::{Commit, Event, Message, PairingEvent};
use rand_core::CryptoRng;

use super::{Attempt, Host, Link};

/// The [`Host`] of an application.
pub type HostOf<P> = Host<<P as Application>::Link, <P as Application>::Attempt, <P as Application>::Event>;
/// The [`Link`] of an application.
pub type LinkOf<P> = Link<<P as Application>::Link>;
/// The pairing [`Attempt`] of an application.
pub type AttemptOf<P> = Attempt<<P as Application>::Attempt>;

/// The error of a round in which a call failed halfway through its writes, so that nothing could be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a change could not be written whole")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say of it")]
pub struct Incomplete;

/// The content of memory when the store failed. It is dropped; only what is stored counts.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the three things that a host holds")]
pub struct Lost<L, A, E> {
    /// Events that are never shown, because what they report is not durable.
    pub events: Vec<E>,
    /// The links.
    pub links: Vec<Link<L>>,
    /// The pairing attempts.
    pub attempts: Vec<Attempt<A>>,
}

/// A program with a store of its own. All its functions except `failed` run inside a round, in the order of
/// [`super::settle`]. A link or attempt that is passed to one of them is not in the host meanwhile.
///
/// Their writes form one transaction, which the first write begins and [`Application::commit`] ends. An error
/// ends the round and undoes all writes since the last commit.
pub trait Application {
    /// The application's data for each link.
    type Link;
    /// The application's data for each pairing attempt.
    type Attempt;
    /// An event for the program's user.
    type Event;
    /// A failure of the store.
    type Error: From<Incomplete>;

    /// Returns the program's machines.
    fn host(&mut self) -> &mut HostOf<Self>;

    /// Rolls back any open transaction, and adds a machine for each stored link. Called when the pause after
    /// a failure is over.
    ///
    /// # Errors
    ///
    /// A failure of the store: another pause follows.
    fn load(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), Self::Error>;

    /// Processes a message from a link, in the transaction that also stores its receipt.
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

    /// Handles an event of a link. It is never `Connect` or `Disconnect`.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn on_event(&mut self, now: Timestamp, link: &mut LinkOf<Self>, event: Event) -> Result<(), Self::Error>;

    /// Handles an event of a pairing attempt. The event that ends the attempt comes here too, before the call
    /// of [`Application::attempt_over`] in the same round.
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

    /// Handles the end of a pairing attempt, once all its writes are durable: loads its link if there is one.
    /// `ended` is the machine's result: the link, or the reason why there is none, or none yet (spec,
    /// handshake). The attempt is removed afterwards.
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
    /// the row of a new link can be written together with its keys.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn apply(
        &mut self,
        now: Timestamp,
        attempt: Option<&mut AttemptOf<Self>>,
        commit: &Commit,
    ) -> Result<(), Self::Error>;

    /// Makes the open transaction durable. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn commit(&mut self, now: Timestamp) -> Result<bool, Self::Error>;

    /// Undoes everything since the last commit, in the store and in memory, because the store failed.
    /// [`Application::load`] is called after `pause`.
    fn failed(
        &mut self,
        now: Timestamp,
        lost: Lost<Self::Link, Self::Attempt, Self::Event>,
        error: &Self::Error,
        pause: Duration,
    );

    /// Returns whether waiting cannot repair this failure. [`super::settle`] then returns it, and the process
    /// should end.
    #[must_use]
    fn is_final(_error: &Self::Error) -> bool {
        false
    }

    /// Does the program's work that is not done by its machines, before they are drained. Returns whether
    /// anything happened.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn run(&mut self, _now: Timestamp, _rng: &mut dyn CryptoRng) -> Result<bool, Self::Error> {
        Ok(false)
    }

    /// Does the work that needs a commit of the link's machine, whose queue of outputs is now empty. Returns
    /// whether anything happened.
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

    /// Does the work that requires everything to be durable, such as answers from the current store. Returns
    /// whether anything happened.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn committed(&mut self, _now: Timestamp, _rng: &mut dyn CryptoRng) -> Result<bool, Self::Error> {
        Ok(false)
    }
}
