//! What a program must say so that a [`Host`] can run it.

use alloc::vec::Vec;
use core::time::Duration;

use handfast_codec::ids::MailboxId;
use handfast_codec::{ErrorCode, Timestamp};
use handfast_session::{Commit, Event, Message, PairingEvent};
use rand_core::CryptoRng;

use super::{Attempt, Host, Link};

/// The host of an application.
pub type HostOf<P> = Host<<P as Application>::Link, <P as Application>::Attempt, <P as Application>::Event>;
/// A link of an application.
pub type LinkOf<P> = Link<<P as Application>::Link>;
/// A pairing attempt of an application.
pub type AttemptOf<P> = Attempt<<P as Application>::Attempt>;

/// A call of the user's did a part of its writes and failed, so that the round could not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a change could not be written whole")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say of it")]
pub struct Incomplete;

/// What was in memory when the store failed. It is dropped: what is stored counts.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the three things that a host holds")]
pub struct Lost<L, A, E> {
    /// Events that no one hears: what they tell of is not durable.
    pub events: Vec<E>,
    /// The links.
    pub links: Vec<Link<L>>,
    /// The pairing attempts.
    pub attempts: Vec<Attempt<A>>,
}

/// A program over a store of its own. All its functions but `failed` run inside a round, in the order of [`super::settle`];
/// while a link or an attempt is handed to one of them, the host does not have it.
///
/// What they write goes into one transaction, which the first write begins and [`Application::commit`] ends. An error
/// ends the round: everything since the last commit is undone.
pub trait Application {
    /// What is kept for each link.
    type Link;
    /// What is kept for each pairing attempt.
    type Attempt;
    /// What the program tells its user.
    type Event;
    /// Why the store failed.
    type Error: From<Incomplete>;

    /// The program's machines.
    fn host(&mut self) -> &mut HostOf<Self>;

    /// The pause after a failure is over: rolls back what is still open, and adds the machines of what is stored.
    ///
    /// # Errors
    ///
    /// The store still fails: there is another pause.
    fn load(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), Self::Error>;

    /// Takes what arrived over a link, in the transaction that also stores that it came.
    ///
    /// # Errors
    ///
    /// The store's.
    fn deliver(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        link: &mut LinkOf<Self>,
        message: Message,
    ) -> Result<(), Self::Error>;

    /// Something happened on a link. `Connect`, `Disconnect` and `Pairing` never come here.
    ///
    /// # Errors
    ///
    /// The store's.
    fn on_event(&mut self, now: Timestamp, link: &mut LinkOf<Self>, event: Event) -> Result<(), Self::Error>;

    /// Something happened in a pairing attempt. Its end comes here, too, in the round before [`Application::attempt_over`].
    ///
    /// # Errors
    ///
    /// The store's.
    fn on_pairing_event(
        &mut self,
        now: Timestamp,
        attempt: &mut AttemptOf<Self>,
        event: PairingEvent,
    ) -> Result<(), Self::Error>;

    /// A pairing attempt is over, and everything of it that was to be stored is durable: its link is to be loaded, if it left
    /// one. `ended` is that of the machine: the link, or why there is none, or none yet (spec, handshake). The attempt is gone
    /// afterwards.
    ///
    /// # Errors
    ///
    /// The store's.
    fn attempt_over(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        attempt: &AttemptOf<Self>,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), Self::Error>;

    /// Writes a commit, by [`Commit::apply`]; with `attempt` if it is one of a pairing, so that the row of a new link can
    /// be written beside its keys.
    ///
    /// # Errors
    ///
    /// The store's.
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
    /// The store's.
    fn commit(&mut self, now: Timestamp) -> Result<bool, Self::Error>;

    /// The store failed: everything since the last commit is to be undone, in the store and in memory. After `pause`
    /// [`Application::load`] is called.
    fn failed(
        &mut self,
        now: Timestamp,
        lost: Lost<Self::Link, Self::Attempt, Self::Event>,
        error: &Self::Error,
        pause: Duration,
    );

    /// Whether waiting cannot mend this failure: then [`super::settle`] returns it, and the process should end.
    #[must_use]
    fn is_final(_error: &Self::Error) -> bool {
        false
    }

    /// What the program does besides its machines, before they are drained. Returns whether anything happened.
    ///
    /// # Errors
    ///
    /// The store's.
    fn run(&mut self, _now: Timestamp, _rng: &mut dyn CryptoRng) -> Result<bool, Self::Error> {
        Ok(false)
    }

    /// A link's machine has nothing more to say: what takes a commit of it is done now. Returns whether anything happened.
    ///
    /// # Errors
    ///
    /// The store's.
    fn drained(
        &mut self,
        _now: Timestamp,
        _rng: &mut dyn CryptoRng,
        _link: &mut LinkOf<Self>,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }

    /// What may be done only once everything is durable, such as answers from the store as it stands. Returns whether
    /// anything happened.
    ///
    /// # Errors
    ///
    /// The store's.
    fn committed(&mut self, _now: Timestamp, _rng: &mut dyn CryptoRng) -> Result<bool, Self::Error> {
        Ok(false)
    }
}
