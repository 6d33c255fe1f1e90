//! A machine in its place: with its socket, its deadline, its commits, and what the application keeps for it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use handfast_codec::ids::MailboxId;
use handfast_codec::{ErrorCode, Timestamp};
use handfast_session::{Commit, CommitId, Endpoint, Pairing};

use super::SocketTag;

/// What every machine has around it.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) socket: Option<SocketTag>,
    pub(super) deadline: Option<Timestamp>,
    /// Commits of the open transaction, to be reported once it is durable.
    pub(super) applied: VecDeque<CommitId>,
}

impl Port {
    fn new(now: Timestamp) -> Self {
        Self { socket: None, deadline: Some(now), applied: VecDeque::new() }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.deadline.is_some_and(|at| at <= now)
    }
}

/// A link at run time. Whoever has it may call its machine; the [`super::Host`] drains it in the next round.
#[derive(Debug)]
pub struct Link<L> {
    /// The machine.
    pub endpoint: Endpoint,
    /// What the application keeps for the link.
    pub data: L,
    id: MailboxId,
    /// Commits that are not yet in the open transaction.
    pub(super) commits: Vec<Commit>,
    pub(super) port: Port,
}

impl<L> Link<L> {
    /// A link whose rows were loaded, for [`super::Host::add_link`].
    #[must_use]
    pub fn new(now: Timestamp, id: MailboxId, endpoint: Endpoint, data: L) -> Self {
        Self { endpoint, data, id, commits: Vec::new(), port: Port::new(now) }
    }

    /// What the link is called in the store.
    #[must_use]
    pub const fn id(&self) -> MailboxId {
        self.id
    }

    /// Whether a socket is open or being opened.
    #[must_use]
    pub const fn has_socket(&self) -> bool {
        self.port.socket.is_some()
    }

    /// Has a commit that a call of the machine returned stored in the transaction of this round.
    pub fn store(&mut self, commit: Commit) {
        self.commits.push(commit);
    }

    /// How many commits wait for the transaction of this round.
    #[must_use]
    pub fn commits_waiting(&self) -> usize {
        self.commits.len()
    }
}

/// A pairing attempt by its number, which is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub(super) u64);

/// A pairing attempt at run time.
#[derive(Debug)]
pub struct Attempt<A> {
    /// The machine.
    pub pairing: Pairing,
    /// What the application keeps for the attempt.
    pub data: A,
    id: AttemptId,
    /// How many of its commits are durable.
    pub(super) stored: u32,
    /// How it ended.
    pub(super) ended: Option<Result<MailboxId, ErrorCode>>,
    pub(super) port: Port,
}

impl<A> Attempt<A> {
    pub(super) fn new(id: AttemptId, pairing: Pairing, data: A, now: Timestamp) -> Self {
        Self { pairing, data, id, stored: 0, ended: None, port: Port::new(now) }
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> AttemptId {
        self.id
    }

    /// How many of its commits are durable and reported: after the first the link is PENDING or OFFERED, after the second
    /// it is ACTIVE.
    #[must_use]
    pub const fn commits_stored(&self) -> u32 {
        self.stored
    }

    /// How many of its commits are in the transaction that is open, or durable and not reported yet.
    #[must_use]
    pub fn commits_applied(&self) -> usize {
        self.port.applied.len()
    }
}
