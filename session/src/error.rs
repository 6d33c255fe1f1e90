//! Errors of the machines' API: misuse by the caller, and refusals. Faults of the peer are events instead.

use handfast_codec::error::DecodeError;

/// A call that breaks the contract of a machine. The machine is unchanged by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// The reported commit is not the oldest one that is open.
    #[error("commits must be reported once each and in order")]
    CommitOrder,
    /// The reported commit is one of another link's machine.
    #[error("the commit is one of another link: report it to the machine that made it")]
    OtherLink,
    /// Bytes were passed in while no socket is open.
    #[error("no socket is open: call handle_opened first")]
    NotOpen,
    /// The call does not fit the state of this machine.
    #[error("the call needs {needs}, and there is {is}")]
    WrongState {
        /// What there is instead.
        is: &'static str,
        /// What must be there for the call.
        needs: &'static str,
    },
    /// The stream's bytes go the other way.
    #[error("the bytes of this stream go the other way")]
    WrongDirection,
    /// No stream with this id is open, or it has finished.
    #[error("no such stream is open")]
    NoSuchStream,
    /// The bytes or the offset do not continue where the stream's last ones ended.
    #[error("the offset is not the one asked for")]
    WrongOffset,
    /// An argument is over a limit of the protocol.
    #[error("an argument is over its limit")]
    TooLarge,
    /// The answer does not reach beyond the revision that was asked from, so it would be asked for again at
    /// once, without end.
    #[error(
        "the answer must reach beyond the revision that was asked from: up to the newest of the log, or of the rows"
    )]
    NoProgress,
    /// An item is no row, or its revision is not above the one before it and up to that of the answer.
    #[error("an item is no row, or not one of the revisions that the answer covers, in ascending order")]
    RowOutside,
    /// The slot is one that the session itself uses.
    #[error("slot 1 is the session's own: use another")]
    ReservedSlot,
}

/// The reason why a call that sends was refused. Nothing was stored or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Too many commits are open: report some with `committed` first.
    #[error("too many commits are open; try again when some are durable")]
    Busy,
    /// The outbox holds 1,024 messages or 4 MiB: wait for the peer.
    #[error("the outbox is full; try again when the peer has taken some")]
    OutboxFull,
    /// A command that was sent 1,024 commands ago has no result yet: the phone answers no further one before
    /// it. On the wire this is `OUTBOX_FULL`.
    #[error(
        "command {oldest} has no result yet, and 1,024 were sent since; try again when the phone has answered it"
    )]
    TooManyUnsettled {
        /// The number of the oldest command without a result; 1 is the first that the link has sent.
        oldest: u64,
    },
    /// A command with this key was sent before, so it need not be sent again.
    #[error("a command of this key was sent before")]
    KnownKey,
    /// The argument exceeds its maximum length.
    #[error("the message is too large")]
    TooLarge,
    /// Too many streams or subscriptions are open.
    #[error("too many are open at once")]
    TooMany,
    /// The link was deleted or revoked.
    #[error("the link has ended")]
    Ended,
    /// The call breaks the contract of the machine.
    #[error(transparent)]
    Misuse(#[from] ApiMisuse),
}

/// The reason why a stored link could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There are no rows: no link of this id is stored.
    #[error("no link is stored under this id; pair first")]
    NoLink,
    /// A row that must be there is missing.
    #[error("the stored link lacks its row {0:#04x}; restore the store or link again")]
    Missing(u8),
    /// A row cannot be decoded.
    #[error("the stored link is damaged; restore the store or link again")]
    Damaged,
    /// The rows belong to a device of the other role.
    #[error("the stored link is one of the other role; open it with the program that made it")]
    OtherRole,
    /// The link was revoked.
    #[error("the link was revoked")]
    Revoked,
}

impl From<DecodeError> for LoadError {
    fn from(_: DecodeError) -> Self {
        Self::Damaged
    }
}
