//! What goes out next, and what waits for a commit.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Collection;
use handfast_codec::ids::{LogId, Signature};

use super::Endpoint;
use crate::commit::{Commit, Op};
use crate::output::{Message, Output};

/// What goes out next. A commit gets its number when it is taken, not when it is queued: a verb that is called in
/// between returns one that the application applies first.
pub(super) enum Queued {
    Output(Output),
    Commit(Pending),
}

/// A commit without its number.
pub(super) struct Pending {
    pub(super) message: Option<Message>,
    pub(super) ops: Vec<Op>,
    /// The phone's log that this commit makes known.
    pub(super) log_id: Option<LogId>,
    pub(super) deferred: Deferred,
}

/// What waits for a commit.
pub(super) enum Deferred {
    /// Send a relay frame, and count the wait for its answer from then.
    SendHandshake(Bytes),
    /// Web: seal and send the confirm.
    Confirm,
    /// Records may be sealed.
    Unlock,
    /// Phone: tell a pending web that its link is ACTIVE.
    LinkCommit,
    /// Seal a CLOSE and end the connection.
    Close(ErrorCode),
    /// Phone: seal REVOKED and CLOSE.
    Revoke(Signature),
    /// A message may leave.
    Release(u64),
    /// The effect of a message is durable.
    Received(u64),
    /// Both: a message that was answered without running it.
    ReceivedAndRelease(u64, u64),
    /// A DELTA is stored.
    Cursor(Collection, u64),
    /// A page of a snapshot is stored.
    Page(Collection),
    /// An OPEN may leave.
    OpenStream(u64),
    /// Bytes of a stream are durable.
    StreamDurable(u64, u64),
    /// Everything of the link is deleted.
    Wiped,
    /// Nothing but the durability itself.
    Nothing,
}

impl Deferred {
    /// Whether it means nothing once the connection is gone.
    pub(super) fn is_of_connection(&self) -> bool {
        matches!(
            self,
            Self::SendHandshake(_)
                | Self::Confirm
                | Self::Unlock
                | Self::LinkCommit
                | Self::Close(_)
                | Self::Revoke(_)
        )
    }

    /// The phone has another log: cursors of the old one are forgotten.
    pub(super) fn forget_log(&mut self) {
        if matches!(self, Self::Cursor(..) | Self::Page(_)) {
            *self = Self::Nothing;
        }
    }

    /// A session has begun anew: what counted in the old one is forgotten.
    pub(super) fn end_session(&mut self) {
        match self {
            Self::Received(_) | Self::OpenStream(_) | Self::StreamDurable(..) => *self = Self::Nothing,
            Self::ReceivedAndRelease(_, index) => *self = Self::Release(*index),
            _ => {}
        }
    }
}

impl Endpoint {
    /// Whether one more commit may be made.
    pub(super) fn has_room(&self) -> bool {
        let queued = self.out.iter().filter(|queued| matches!(queued, Queued::Commit(_))).count();
        self.gate.has_room(queued)
    }

    /// Queues a commit that the application must persist.
    pub(super) fn persist(&mut self, ops: Vec<Op>, deferred: Deferred) {
        self.out.push_back(Queued::Commit(Pending { message: None, ops, log_id: None, deferred }));
    }

    /// Queues a commit that comes with a message.
    pub(super) fn deliver_with(&mut self, message: Message, ops: Vec<Op>, deferred: Deferred) {
        self.out.push_back(Queued::Commit(Pending { message: Some(message), ops, log_id: None, deferred }));
    }

    /// Numbers a queued commit.
    pub(super) fn number(&mut self, pending: Pending) -> Output {
        if let Some(log_id) = pending.log_id {
            self.counters.log_id = log_id;
        }
        let commit = self.return_commit(pending.ops, pending.deferred);
        match pending.message {
            Some(message) => Output::Deliver { message, commit },
            None => Output::Persist(commit),
        }
    }

    /// Opens a commit. The counters go with every one, as they are now.
    pub(super) fn return_commit(&mut self, mut ops: Vec<Op>, deferred: Deferred) -> Commit {
        if !matches!(deferred, Deferred::Wiped) {
            ops.push(self.counters.put());
        }
        let commit = self.gate.open(ops);
        self.deferred.push_back((commit.id(), deferred));
        commit
    }

    /// Everything that waits for a commit, numbered or not.
    pub(super) fn waiting(&mut self) -> impl Iterator<Item = &mut Deferred> {
        let queued = self.out.iter_mut().filter_map(|queued| match queued {
            Queued::Commit(pending) => Some(&mut pending.deferred),
            Queued::Output(_) => None,
        });
        self.deferred.iter_mut().map(|(_, deferred)| deferred).chain(queued)
    }
}
