//! The states of a connection, from message 1 to its last record.

use alloc::boxed::Box;

use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::PskId;
use handfast_codec::payload::ResumeBlock;
use handfast_handshake::ratchet::Holder;
use handfast_handshake::reconnect;
use handfast_handshake::record::{Opener, Sealer};

use crate::resume::Verdict;

/// The keys of one connection.
pub(super) struct Keys {
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
}

/// Where a connection stands. A record is opened only in a state that has keys.
pub(super) enum Connection {
    None,
    /// Web: message 1 is decided; it is awaited from when it left.
    AwaitReply {
        state: Box<reconnect::web::AwaitMessage2>,
        block: Option<Box<ResumeBlock>>,
        until: Option<Timestamp>,
    },
    /// Web: message 2 was read; the confirm waits for its commit.
    Confirming {
        keys: Keys,
        verdict: Verdict,
        /// Why the confirm ends the connection, if it does.
        end: Option<ErrorCode>,
    },
    /// Web: the confirm of a quarantine or recovery has left; only the phone's verdict is awaited.
    AwaitVerdict {
        keys: Keys,
        until: Timestamp,
    },
    /// Web: a pending link's ACCEPT has left.
    AwaitCommit {
        keys: Keys,
        verdict: Verdict,
        until: Timestamp,
    },
    /// Phone: message 2 is decided; the next record is the confirm.
    AwaitConfirm {
        keys: Keys,
        kind: Confirm,
        until: Option<Timestamp>,
    },
    /// Records flow.
    Live(Live),
}

pub(super) struct Live {
    pub(super) keys: Keys,
    pub(super) since: Timestamp,
    pub(super) verdict: Verdict,
    /// Whether the peer is known to have this session: a phone knows it from the confirm, a web from the first record that opens.
    pub(super) proven: bool,
    pub(super) sending: Sending,
}

/// Whether records may be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Not before the session's commit is durable.
    Locked,
    /// Yes.
    Open,
    /// CLOSE{REKEY} has left: read on, send nothing.
    Closing,
}

/// What the phone's next record confirms.
pub(super) enum Confirm {
    Resume(Box<Resuming>),
    Quarantine {
        holder: Holder,
    },
    /// An older web: it is told that it needs an update.
    Outdated,
    Recover {
        held: PskId,
        in_step: bool,
    },
}

/// What the phone does once a resume is confirmed.
pub(super) struct Resuming {
    pub(super) verdict: Verdict,
    /// The two blocks as sent.
    pub(super) own: ResumeBlock,
    pub(super) peer: ResumeBlock,
    /// The web's link is PENDING: the confirm carries its ACCEPT.
    pub(super) pending: bool,
    pub(super) h: [u8; 32],
}
