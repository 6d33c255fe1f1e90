//! What a store under test must be able to do.

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use handfast_codec::ids::MailboxId;
use handfast_session::{Commit, Pairs};

/// What one transaction writes.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a harness needs all of it")]
pub struct Write<'a> {
    /// The commits of machines, in order.
    pub commits: &'a [Commit],
    /// The row of the application that belongs to them: a number, each higher than those before.
    pub effect: Option<u64>,
}

/// Why a transaction was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a harness says one of these")]
pub enum WriteError {
    /// A commit did not find the version that it expects.
    Conflict,
    /// The store failed, or was made to.
    Store(String),
}

/// A fault that a harness is to put into the store. Calls are what the store itself asks of what lies below it: a read,
/// a write, an instruction of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a harness takes each of these")]
pub enum Fault {
    /// The n-th call from now on fails, from 1; those behind it work.
    Once(u64),
    /// The n-th call from now on fails and each one behind it, rolling back included.
    From(u64),
}

/// A store under test.
///
/// The methods are asynchronous for stores that are; where nothing waits, [`block_on`] runs them.
#[expect(async_fn_in_trait, reason = "tests run on one thread")]
pub trait StoreHarness {
    /// The store as one process, or one tab, holds it.
    type Holder;

    /// A store that holds nothing, in a place of its own.
    async fn new() -> Self;

    /// Opens the store, as a process of its own would.
    async fn open(&mut self) -> Self::Holder;

    /// Makes one transaction: all of it or nothing.
    async fn write(&mut self, holder: &mut Self::Holder, write: &Write<'_>) -> Result<(), WriteError>;

    /// Does what the application does between a transaction that failed and whatever it reads or writes next.
    async fn recover(&mut self, holder: &mut Self::Holder);

    /// Ends the holder in the middle of a transaction that has written all of this, without any clean-up of its own.
    async fn die_within(&mut self, holder: Self::Holder, write: &Write<'_>);

    /// The rows of a link.
    async fn pairs(&mut self, holder: &mut Self::Holder, link: MailboxId) -> Pairs;

    /// The links that have rows, besides the version that a wiped one leaves; in ascending order.
    async fn links(&mut self, holder: &mut Self::Holder) -> Vec<MailboxId>;

    /// The numbers of the application that are stored, ascending.
    async fn effects(&mut self, holder: &mut Self::Holder) -> Vec<u64>;

    /// Puts a fault into the store, or takes it out.
    fn set_fault(&mut self, holder: &mut Self::Holder, fault: Option<Fault>);
}

/// Runs a future that never waits.
///
/// # Panics
///
/// When it waits.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a store that waits needs a runtime of its own"),
    }
}
