//! The traits that a test harness implements for the store under test.

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use handfast_codec::ids::MailboxId;
use handfast_session::{Commit, Pairs};

/// The content of one transaction.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a harness needs all of it")]
pub struct Write<'a> {
    /// The machines' commits, in order.
    pub commits: &'a [Commit],
    /// The application's row that belongs to the commits: a number, higher than all before.
    pub effect: Option<u64>,
}

/// The reason why a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a harness says one of these")]
pub enum WriteError {
    /// The store was not at the version that a commit expects.
    Conflict,
    /// The store failed, with or without an injected fault.
    Store(String),
}

/// A fault to be injected into the store. It counts the calls that the store makes to what is below it:
/// reads, writes, instructions of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a harness takes each of these")]
pub enum Fault {
    /// The n-th call from now on fails, counting from 1; later ones work.
    Once(u64),
    /// The n-th call from now on fails, and all later ones, including the rollback.
    From(u64),
}

/// The harness of a store under test.
///
/// Its methods are asynchronous because some stores are; where nothing waits, [`block_on`] runs them.
#[expect(async_fn_in_trait, reason = "tests run on one thread")]
pub trait StoreHarness {
    /// The store as one process or tab has it open.
    type Holder;

    /// Returns the harness of an empty store, in a place of its own.
    async fn new() -> Self;

    /// Opens the store as another process would.
    async fn open(&mut self) -> Self::Holder;

    /// Executes one transaction, completely or not at all.
    async fn write(&mut self, holder: &mut Self::Holder, write: &Write<'_>) -> Result<(), WriteError>;

    /// Does what the application does after a failed transaction, before it reads or writes again.
    async fn recover(&mut self, holder: &mut Self::Holder);

    /// Kills the holder in a transaction that has made all these writes but not committed, without any
    /// clean-up.
    async fn die_within(&mut self, holder: Self::Holder, write: &Write<'_>);

    /// Returns the rows of a link.
    async fn pairs(&mut self, holder: &mut Self::Holder, link: MailboxId) -> Pairs;

    /// Returns the links that have rows, without wiped ones, of which only the version is left; in ascending
    /// order.
    async fn links(&mut self, holder: &mut Self::Holder) -> Vec<MailboxId>;

    /// Returns the stored numbers of the application, in ascending order.
    async fn effects(&mut self, holder: &mut Self::Holder) -> Vec<u64>;

    /// Injects a fault into the store, or with `None` removes it.
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
