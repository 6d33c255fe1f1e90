//! A machine of a host, with its socket, deadline, commits and the application's data.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use handfast_codec::ids::MailboxId;
use handfast_codec::limits::COMMITS_OPEN_MAX;
use handfast_codec::{ErrorCode, Timestamp};
use handfast_session::role::Role;
use handfast_session::{Commit, Endpoint, Pairing};

use super::SocketTag;

/// The number of queued commits of one link that is enough for one transaction: half of what a machine allows.
const COMMITS_FULL: usize = COMMITS_OPEN_MAX / 2;

/// The part that links and pairing attempts have in common.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) socket: Option<SocketTag>,
    pub(super) deadline: Option<Timestamp>,
    /// The commits of the open transaction. They are reported to the machine once the transaction is durable.
    pub(super) applied: VecDeque<Commit>,
}

impl Port {
    fn new(now: Timestamp) -> Self {
        Self { socket: None, deadline: Some(now), applied: VecDeque::new() }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.deadline.is_some_and(|at| at <= now)
    }
}

/// A link at run time. The application may call the link's machine at any time; [`super::settle`] drains the
/// machine in the next round.
#[derive(Debug)]
pub struct Link<R: Role, L> {
    /// The machine of the link.
    pub endpoint: Endpoint<R>,
    /// The application's data for the link.
    pub data: L,
    id: MailboxId,
    /// The commits that are not yet written to the open transaction.
    pub(super) commits: Vec<Commit>,
    /// When the application wants a round for this link even if nothing happens.
    pub(super) wake: Option<Timestamp>,
    pub(super) port: Port,
}

impl<R: Role, L> Link<R, L> {
    /// Creates a link from a machine that was loaded from the store, for [`super::Host::add_link`].
    #[must_use]
    pub fn new(now: Timestamp, id: MailboxId, endpoint: Endpoint<R>, data: L) -> Self {
        Self { endpoint, data, id, commits: Vec::new(), wake: None, port: Port::new(now) }
    }

    /// Returns the link's id in the store.
    #[must_use]
    pub const fn id(&self) -> MailboxId {
        self.id
    }

    /// Returns whether a socket is open or being opened.
    #[must_use]
    pub const fn has_socket(&self) -> bool {
        self.port.socket.is_some()
    }

    /// Asks for a round at this time, or earlier if an earlier one was asked for. One asks again in that round.
    pub fn wake_by(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Queues a commit that a call of the machine returned. It is stored in the transaction of this round.
    pub fn store(&mut self, commit: Commit) {
        self.commits.push(commit);
    }

    /// Returns the number of commits queued for the transaction of this round.
    #[must_use]
    pub fn commits_waiting(&self) -> usize {
        self.commits.len()
    }

    /// Returns whether so many commits are queued that work which can wait, such as the report of synced
    /// files, should wait for the next transaction.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.commits.len() >= COMMITS_FULL
    }
}

/// The number of a pairing attempt; no later attempt of this host gets the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub(super) u64);

/// A pairing attempt at run time.
#[derive(Debug)]
pub struct Attempt<A> {
    /// The machine of the attempt.
    pub pairing: Pairing,
    /// Why the attempt's last socket ended, if one did.
    pub lost: Option<String>,
    /// The application's data for the attempt.
    pub data: A,
    id: AttemptId,
    /// The number of the attempt's commits that are durable.
    pub(super) stored: u32,
    /// The result of the attempt, once it has ended.
    pub(super) ended: Option<Result<MailboxId, ErrorCode>>,
    /// The link, once a commit of the attempt was applied.
    pub(super) link: Option<MailboxId>,
    pub(super) port: Port,
}

impl<A> Attempt<A> {
    pub(super) fn new(id: AttemptId, pairing: Pairing, data: A, now: Timestamp) -> Self {
        Self { pairing, lost: None, data, id, stored: 0, ended: None, link: None, port: Port::new(now) }
    }

    /// Returns the attempt's number.
    #[must_use]
    pub const fn id(&self) -> AttemptId {
        self.id
    }

    /// Returns the link that the attempt has stored something of. It is `None` while
    /// [`super::Application::apply`] writes the attempt's first commit, and before.
    #[must_use]
    pub const fn link(&self) -> Option<MailboxId> {
        self.link
    }

    /// Returns the number of the attempt's commits that are durable and reported. After the first the link is
    /// PENDING or OFFERED, after the second ACTIVE.
    #[must_use]
    pub const fn commits_stored(&self) -> u32 {
        self.stored
    }

    /// Returns the number of the attempt's commits that are in the open transaction, or durable but not yet
    /// reported.
    #[must_use]
    pub fn commits_applied(&self) -> usize {
        self.port.applied.len()
    }
}
