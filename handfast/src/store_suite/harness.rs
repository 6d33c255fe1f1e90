//! The traits that a test harness implements for the store under test.

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use handfast_codec::ids::MailboxId;
use handfast_session::{Commit, LinkRows};

/// The content of one transaction.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a harness needs all of it")]
pub struct Write<'a> {
    /// The machines' commits, in order.
    pub commits: &'a [Commit],
    /// The application's row that belongs to the commits: a number that is higher than all before.
    pub effect: Option<u64>,
}

/// The reason why a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a harness says one of these")]
pub enum WriteError {
    /// The store was not at the version that a commit expects.
    Conflict,
    /// The store failed, whether because of an injected fault or not.
    Store(String),
}

/// A fault to be injected into the store. It counts the calls that the store makes to the layer below it:
/// reads, writes, instructions of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a harness takes each of these")]
pub enum Fault {
    /// The n-th call from now on fails, counting from 1. Later calls work.
    Once(u64),
    /// The n-th call from now on fails, and so do all later calls, including the rollback.
    From(u64),
}

/// The harness of a store under test.
///
/// The methods are asynchronous because some stores are; if a store never waits, [`block_on`] runs them.
#[expect(async_fn_in_trait, reason = "tests run on one thread")]
pub trait StoreHarness {
    /// One process or tab that has the store open.
    type Holder;

    /// Returns a harness for an empty store of its own.
    async fn new() -> Self;

    /// Opens the store as another process would do.
    async fn open(&mut self) -> Self::Holder;

    /// Executes one transaction, completely or not at all.
    async fn write(&mut self, holder: &mut Self::Holder, write: &Write<'_>) -> Result<(), WriteError>;

    /// Does what the application does after a failed transaction, before it reads or writes again.
    async fn recover(&mut self, holder: &mut Self::Holder);

    /// Kills a process inside a transaction, without any clean-up. The transaction has made all these writes
    /// but has not committed.
    async fn die_within(&mut self, holder: Self::Holder, write: &Write<'_>);

    /// Returns the rows of a link.
    async fn pairs(&mut self, holder: &mut Self::Holder, link: MailboxId) -> LinkRows;

    /// Returns the links that have rows, in ascending order. A wiped link has only its version left, and is
    /// not included.
    async fn links(&mut self, holder: &mut Self::Holder) -> Vec<MailboxId>;

    /// Returns the stored numbers of the application, in ascending order.
    async fn effects(&mut self, holder: &mut Self::Holder) -> Vec<u64>;

    /// Returns the least number of calls to the store that three commits take before they are durable, so that
    /// the suite notices faults that reach nothing. A store that appends a transaction as one record has few.
    fn calls_min(&self) -> u64 {
        10
    }

    /// Injects a fault into the store. `None` removes the fault.
    fn set_fault(&mut self, holder: &mut Self::Holder, fault: Option<Fault>);
}

/// Runs a future that never waits.
///
/// # Panics
///
/// If the future waits.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a store that waits needs a runtime of its own"),
    }
}
