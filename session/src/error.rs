//! What the caller can do wrong, and what a machine can refuse. Faults of the peer are events, not errors.

use handfast_codec::error::DecodeError;

/// A call that breaks the contract of a machine. The machine is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// A commit was reported that is not the oldest open one.
    #[error("commits must be reported once each and in order")]
    CommitOrder,
    /// Bytes were handed in while no socket is open.
    #[error("no socket is open: call handle_opened first")]
    NotOpen,
    /// The call does not fit the state of this machine.
    #[error("the call does not fit the machine's state")]
    WrongState,
    /// The call belongs to the other device role.
    #[error("the call belongs to the other role")]
    WrongRole,
    /// No stream has this id.
    #[error("no such stream is open")]
    NoSuchStream,
    /// Bytes were given for another offset than the one asked for.
    #[error("the offset is not the one asked for")]
    WrongOffset,
    /// An argument is over a limit of the protocol.
    #[error("an argument is over its limit")]
    TooLarge,
}

/// Why a verb that sends was refused. Nothing was stored or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendRefused {
    /// Too many commits are open: report some with `committed` first.
    #[error("too many commits are open; try again when some are durable")]
    Busy,
    /// The outbox is full: wait for the peer.
    #[error("the outbox is full; try again when the peer has taken some")]
    OutboxFull,
    /// A command of this key was sent before: it need not be sent again.
    #[error("a command of this key was sent before")]
    KnownKey,
    /// The message is over its maximum.
    #[error("the message is too large")]
    TooLarge,
    /// Too many streams or subscriptions are open.
    #[error("too many are open at once")]
    TooMany,
    /// The link is dead or revoked.
    #[error("the link has ended")]
    Ended,
    /// The call does not fit.
    #[error(transparent)]
    Misuse(#[from] ApiMisuse),
}

/// Why a stored link could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A row that must be there is missing.
    #[error("the stored link lacks its row {0:#04x}; restore the store or link again")]
    Missing(u8),
    /// A row cannot be read.
    #[error("the stored link is damaged; restore the store or link again")]
    Damaged,
    /// The link was revoked.
    #[error("the link was revoked")]
    Revoked,
}

impl From<DecodeError> for LoadError {
    fn from(_: DecodeError) -> Self {
        Self::Damaged
    }
}
