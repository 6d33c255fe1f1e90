//! Commits: sets of writes that must be durable before the machine releases a record or event that depends on
//! them.
//!
//! A [`Commit`] is a list of operations over a flat, ordered keyspace of bytes that is private to the
//! handfast crates. The application applies it inside its own transaction, together with the effect of the
//! message that caused it, and then reports the commit with `committed`. Nothing here does I/O.

use alloc::vec::Vec;

use handfast_codec::ids::MailboxId;
use handfast_codec::limits::COMMITS_OPEN_MAX;
use zeroize::Zeroizing;

use crate::error::ApiMisuse;
use crate::keys;

/// The key of a link's version: the number of commits that its store has taken, in 8 bytes, big-endian. Every
/// commit compares and increments it. A store that queues commits must compare the version at the time when
/// it writes, so that a second writer is noticed.
pub const VERSION_KEY: &[u8] = keys::VERSION;

/// A value to be stored. It is wiped when dropped, since it may hold keys.
pub type Value = Zeroizing<Vec<u8>>;

/// One operation on the keyspace of a link.
#[expect(clippy::exhaustive_enums, reason = "a store that passes over an operation is wrong")]
pub enum Op {
    /// Stores `value` under `key`, in place of what was there.
    Put {
        /// The key, 1 to 64 bytes.
        key: Vec<u8>,
        /// The value to store under the key.
        value: Value,
    },
    /// Removes `key`, if it is there.
    Delete {
        /// The key.
        key: Vec<u8>,
    },
    /// Removes every key `k` with `from <= k < to`.
    DeleteRange {
        /// The first key of the range.
        from: Vec<u8>,
        /// The first key after the range.
        to: Vec<u8>,
    },
}

impl core::fmt::Debug for Op {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Put { key, value } => write!(f, "Put({:02x?}, {} bytes)", key, value.len()),
            Self::Delete { key } => write!(f, "Delete({key:02x?})"),
            Self::DeleteRange { from, to } => write!(f, "DeleteRange({from:02x?}..{to:02x?})"),
        }
    }
}

impl Op {
    pub(crate) fn put(key: Vec<u8>, value: Vec<u8>) -> Self {
        Self::Put { key, value: Zeroizing::new(value) }
    }

    pub(crate) fn write<S: StoreTxn>(&self, link: MailboxId, txn: &mut S) -> Result<(), S::Error> {
        match self {
            Self::Put { key, value } => txn.put(link, key, value),
            Self::Delete { key } => txn.delete(link, key),
            Self::DeleteRange { from, to } => txn.delete_range(link, from, to),
        }
    }
}

/// The operations that a transaction of the application's store must offer.
pub trait StoreTxn {
    /// The store's own error.
    type Error;

    /// Reads one value.
    ///
    /// # Errors
    ///
    /// The store's own error.
    fn read(&mut self, link: MailboxId, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Stores one value. A store should encrypt values for whose key [`is_secret`] returns true under a
    /// device-bound key.
    ///
    /// # Errors
    ///
    /// The store's own error.
    fn put(&mut self, link: MailboxId, key: &[u8], value: &[u8]) -> Result<(), Self::Error>;

    /// Removes one value.
    ///
    /// # Errors
    ///
    /// The store's own error.
    fn delete(&mut self, link: MailboxId, key: &[u8]) -> Result<(), Self::Error>;

    /// Removes every key `k` with `from <= k < to`.
    ///
    /// # Errors
    ///
    /// The store's own error.
    fn delete_range(&mut self, link: MailboxId, from: &[u8], to: &[u8]) -> Result<(), Self::Error>;
}

/// The reason why a commit could not be applied. The transaction must be rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError<E> {
    /// The store is not at the version that this machine wrote last: another process writes to it, or it was
    /// replaced by an older copy. Drop the machine and do not retry.
    #[error(
        "the store is at version {found}, and this machine wrote version {expected} last: another program uses it"
    )]
    Conflict {
        /// The version that the machine wrote last.
        expected: u64,
        /// The version that the store has.
        found: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(E),
}

/// A set of writes that become durable together or not at all. The application applies it in its own
/// transaction, and passes it to `committed` of the machine that made it once the transaction is durable.
#[must_use = "a commit must be applied in a transaction and passed to `committed`"]
#[derive(Debug)]
pub struct Commit {
    link: MailboxId,
    expects: u64,
    writes: Vec<Op>,
}

impl Commit {
    /// Creates a commit without a machine, for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn new(link: MailboxId, expects: u64, writes: Vec<Op>) -> Self {
        CommitGate::new(link, expects).open(writes)
    }

    /// Returns the mailbox of the link whose keyspace this changes.
    #[must_use]
    pub const fn link(&self) -> MailboxId {
        self.link
    }

    /// Returns the version that the link's store must be at: the number of commits that it has taken before
    /// this one. At 0 the store has no [`VERSION_KEY`] for the link.
    #[must_use]
    pub const fn expects(&self) -> u64 {
        self.expects
    }

    /// Returns the writes in the order in which they apply. The last one stores the new version.
    ///
    /// They are for stores that cannot offer a [`StoreTxn`]: asynchronous ones, and those of other languages.
    /// Such a store compares the version with [`Commit::expects`] in the same transaction, before it writes.
    #[must_use]
    pub fn writes(&self) -> &[Op] {
        &self.writes
    }

    /// Applies the commit inside a transaction: compares the store's version, then writes.
    ///
    /// # Errors
    ///
    /// [`CommitError::Conflict`] when the store is at another version, [`CommitError::Store`] when it fails.
    pub fn apply<S: StoreTxn>(&self, txn: &mut S) -> Result<(), CommitError<S::Error>> {
        let found = txn.read(self.link, keys::VERSION).map_err(CommitError::Store)?;
        let found = match found {
            None => 0,
            Some(bytes) => <[u8; 8]>::try_from(bytes.as_slice()).map_or(u64::MAX, u64::from_be_bytes),
        };
        if found != self.expects {
            return Err(CommitError::Conflict { expected: self.expects, found });
        }
        self.writes.iter().try_for_each(|op| op.write(self.link, txn)).map_err(CommitError::Store)
    }
}

/// Returns whether values under `key` contain key material. A store should encrypt those.
#[must_use]
pub fn is_secret(key: &[u8]) -> bool {
    keys::is_secret(key)
}

/// Opens the commits of one machine, and tracks those that are not durable yet. A commit is known by the
/// version that it expects.
#[derive(Debug)]
pub(crate) struct CommitGate {
    link: MailboxId,
    /// The version that the oldest open commit expects, if one is open.
    durable: u64,
    /// The version that the next commit will expect.
    next: u64,
}

impl CommitGate {
    /// Creates the numbering of commits for a store at `version`, where 0 means an empty store.
    pub(crate) fn new(link: MailboxId, version: u64) -> Self {
        Self { link, durable: version, next: version }
    }

    /// Returns whether one more commit may be opened, when `queued` others are queued to be opened first.
    pub(crate) fn has_room(&self, queued: usize) -> bool {
        let open = usize::try_from(self.next.saturating_sub(self.durable)).unwrap_or(usize::MAX);
        open.saturating_add(queued) < COMMITS_OPEN_MAX
    }

    /// Opens a commit with these writes.
    pub(crate) fn open(&mut self, mut writes: Vec<Op>) -> Commit {
        let expects = self.next;
        self.next = expects.saturating_add(1);
        writes.push(Op::put(keys::VERSION.to_vec(), self.next.to_be_bytes().to_vec()));
        Commit { link: self.link, expects, writes }
    }

    /// Records that a commit is durable, which must be the oldest open one. Returns the version that it
    /// expected.
    pub(crate) fn committed(&mut self, commit: Commit) -> Result<u64, ApiMisuse> {
        let (link, expects) = (commit.link, commit.expects);
        // The keys in it are wiped.
        drop(commit);
        if link != self.link {
            return Err(ApiMisuse::OtherLink);
        }
        if expects != self.durable || self.durable == self.next {
            return Err(ApiMisuse::CommitOrder);
        }
        self.durable = self.durable.saturating_add(1);
        Ok(expects)
    }
}
