//! The queue of outputs, and what waits for a commit to become durable.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Collection;
use handfast_codec::ids::{LogId, Signature};

use super::{Endpoint, Role};
use crate::commit::{Commit, Op};
use crate::output::{Message, Output};

/// An entry of the output queue. A commit gets its number when it is taken from the queue. A call of the
/// application before that may return another commit, which the application applies first.
pub(super) enum Queued<D> {
    Output(Output),
    Commit(Pending<D>),
}

/// A commit that has no number yet.
pub(super) struct Pending<D> {
    pub(super) message: Option<Message>,
    pub(super) ops: Vec<Op>,
    /// The id of the phone's change log that this commit stores.
    pub(super) log_id: Option<LogId>,
    pub(super) deferred: Deferred<D>,
}

/// The action that waits until a commit is durable. `D` are the actions of one role.
pub(super) enum Deferred<D> {
    /// A relay frame is sent, and the wait for its answer starts.
    SendHandshake(Bytes),
    /// Records with messages, rows, slots or streams may be sealed.
    Unlock,
    /// A CLOSE is sealed, and the connection ends.
    Close(ErrorCode),
    /// The outbox message with this index may be sent.
    Release(u64),
    /// The received message with this sequence number counts as durable, and may be acknowledged.
    Received(u64),
    /// The received message (first number) may be acknowledged. Its answer, an outbox message that is sent
    /// again (second number), may be sent.
    ReceivedAndRelease(u64, u64),
    /// The OPEN of this stream may be sent.
    OpenStream(u64),
    /// Bytes of this stream up to this offset may be reported as DURABLE.
    StreamDurable(u64, u64),
    /// The machine stops for good, because all rows of the link are deleted.
    Wiped,
    /// An action of this role alone.
    OfRole(D),
    /// No action: the commit matters only for its rows.
    Nothing,
}

/// The actions of one role.
pub(crate) trait OwnDeferred {
    /// Returns whether the action is dropped when the connection ends.
    fn is_of_connection(&self) -> bool;
}

/// The actions of a phone.
pub(crate) enum PhoneDeferred {
    /// `LINK_COMMIT` tells the companion that the link is ACTIVE.
    LinkCommit,
    /// REVOKED and CLOSE are sealed, and the connection ends.
    Revoke(Signature),
}

impl OwnDeferred for PhoneDeferred {
    fn is_of_connection(&self) -> bool {
        match self {
            Self::LinkCommit | Self::Revoke(_) => true,
        }
    }
}

/// The actions of a companion.
pub(crate) enum CompanionDeferred {
    /// The confirm is sealed and sent.
    Confirm,
    /// A DELTA up to this cursor may be acknowledged.
    Cursor(Collection, u64),
    /// A page of a snapshot is stored, so the next one is requested.
    Page(Collection),
}

impl OwnDeferred for CompanionDeferred {
    fn is_of_connection(&self) -> bool {
        match self {
            Self::Confirm => true,
            Self::Cursor(..) | Self::Page(_) => false,
        }
    }
}

impl<D: OwnDeferred> Deferred<D> {
    /// Returns whether the action is dropped when the connection ends.
    pub(super) fn is_of_connection(&self) -> bool {
        match self {
            Self::SendHandshake(_) | Self::Unlock | Self::Close(_) => true,
            Self::OfRole(own) => own.is_of_connection(),
            _ => false,
        }
    }

    /// Cancels actions on sequence numbers and streams of a session that a RESET has ended.
    pub(super) fn end_session(&mut self) {
        match self {
            Self::Received(_) | Self::OpenStream(_) | Self::StreamDurable(..) => *self = Self::Nothing,
            Self::ReceivedAndRelease(_, index) => *self = Self::Release(*index),
            _ => {}
        }
    }
}

impl Deferred<CompanionDeferred> {
    /// Cancels acknowledgements of rows from the phone's old log, because the phone has a new log.
    pub(super) fn forget_log(&mut self) {
        if matches!(self, Self::OfRole(CompanionDeferred::Cursor(..) | CompanionDeferred::Page(_))) {
            *self = Self::Nothing;
        }
    }
}

impl<R: Role> Endpoint<R> {
    /// Returns whether one more commit may be queued.
    pub(super) fn has_room(&self) -> bool {
        let queued = self.out.iter().filter(|queued| matches!(queued, Queued::Commit(_))).count();
        self.gate.has_room(queued)
    }

    /// Queues a commit that the application must persist.
    pub(super) fn persist(&mut self, ops: Vec<Op>, deferred: Deferred<R::Deferred>) {
        self.out.push_back(Queued::Commit(Pending { message: None, ops, log_id: None, deferred }));
    }

    /// Queues a commit together with a message for the application.
    pub(super) fn deliver_with(&mut self, message: Message, ops: Vec<Op>, deferred: Deferred<R::Deferred>) {
        self.out.push_back(Queued::Commit(Pending { message: Some(message), ops, log_id: None, deferred }));
    }

    /// Assigns a queued commit its number, and returns the commit as an output.
    pub(super) fn number(&mut self, pending: Pending<R::Deferred>) -> Output {
        if let Some(log_id) = pending.log_id {
            self.counters.log_id = log_id;
        }
        let commit = self.return_commit(pending.ops, pending.deferred);
        match pending.message {
            Some(message) => Output::Deliver { message, commit },
            None => Output::Persist(commit),
        }
    }

    /// Opens a commit. Every one includes the counters as they are now.
    pub(super) fn return_commit(&mut self, mut ops: Vec<Op>, deferred: Deferred<R::Deferred>) -> Commit {
        if !matches!(deferred, Deferred::Wiped) {
            ops.push(self.counters.put());
        }
        let commit = self.gate.open(ops);
        self.deferred.push_back((commit.expects(), deferred));
        commit
    }

    /// Returns the actions that wait for commits that are not durable yet, whether such a commit has its number
    /// already or is still queued.
    pub(super) fn waiting(&mut self) -> impl Iterator<Item = &mut Deferred<R::Deferred>> {
        let queued = self.out.iter_mut().filter_map(|queued| match queued {
            Queued::Commit(pending) => Some(&mut pending.deferred),
            Queued::Output(_) => None,
        });
        self.deferred.iter_mut().map(|(_, deferred)| deferred).chain(queued)
    }
}
