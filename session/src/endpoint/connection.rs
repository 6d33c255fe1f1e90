//! The states of a connection, from message 1 to its last record.

use alloc::boxed::Box;

use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::PskId;
use handfast_codec::payload::ResumeBlock;
use handfast_handshake::ratchet::Holder;
use handfast_handshake::reconnect;
use handfast_handshake::record::{Opener, Sealer};

use super::{Ack, Endpoint, Role};
use crate::resume::Verdict;

/// The keys of one connection, one for each direction.
pub(super) struct Keys {
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
}

/// The state of a connection. A record can be decrypted only in a state that has keys.
pub(super) enum Connection {
    None,
    /// Companion: message 1 is built. `until` is set when message 1 is sent.
    AwaitReply {
        state: Box<reconnect::web::AwaitMessage2>,
        block: Option<Box<ResumeBlock>>,
        until: Option<Timestamp>,
    },
    /// Companion: message 2 was read. The confirm waits for the commit of the next psk.
    Confirming {
        keys: Keys,
        verdict: Verdict,
        /// The code with which the confirm ends the connection, if it does.
        end: Option<ErrorCode>,
    },
    /// Companion: a confirm was sent that cannot lead to a session (quarantine or recovery). Only CLOSE or
    /// REVOKED can follow.
    AwaitVerdict {
        keys: Keys,
        until: Timestamp,
    },
    /// Companion: `LINK_ACCEPT` was sent on a PENDING link; `LINK_COMMIT` is awaited.
    AwaitCommit {
        keys: Keys,
        verdict: Verdict,
        until: Timestamp,
    },
    /// Phone: message 2 is built, and the next record is the confirm. `until` is set when message 2 is sent.
    AwaitConfirm {
        keys: Keys,
        kind: Confirm,
        until: Option<Timestamp>,
    },
    /// Both sides have the keys, and records flow.
    Live(Live),
}

pub(super) struct Live {
    pub(super) keys: Keys,
    pub(super) since: Timestamp,
    pub(super) verdict: Verdict,
    /// Whether the peer has shown that it has the same keys: to a phone by the confirm, to a companion by the
    /// first record that decrypts.
    pub(super) proven: bool,
    pub(super) sending: Sending,
}

/// Whether records with messages, rows, slots or streams may be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Records must wait until the commit with which the session starts is durable.
    Locked,
    Open,
    /// CLOSE{REKEY} was sent: records are still read, but none are sent.
    Closing,
}

/// What the phone does when the confirm comes.
pub(super) enum Confirm {
    Resume(Box<Resuming>),
    Quarantine {
        holder: Holder,
    },
    /// The companion's program is too old: its confirm is answered with `CLOSE{NO_COMMON_VERSION}`.
    Outdated,
    Recover {
        held: PskId,
        in_step: bool,
    },
}

/// The state that a phone needs to resume a session once the confirm has come.
pub(super) struct Resuming {
    pub(super) verdict: Verdict,
    /// The phone's and the companion's resume block, as sent.
    pub(super) own: ResumeBlock,
    pub(super) peer: ResumeBlock,
    /// Whether the companion's link is PENDING, so that the confirm carries `LINK_ACCEPT`.
    pub(super) pending: bool,
    pub(super) h: [u8; 32],
}

impl<R: Role> Endpoint<R> {
    /// Takes over the keys of a handshake that is complete.
    pub(super) fn take_keys(&mut self, sealer: Sealer, opener: Opener) -> Keys {
        self.key_log.note(&sealer, &opener);
        Keys { sealer, opener }
    }

    /// Enters the state in which records flow. `proven` tells whether the peer has shown that it has the
    /// keys.
    pub(super) fn go_live(&mut self, keys: Keys, verdict: Verdict, proven: bool, sending: Sending) {
        let since = self.now;
        self.conn = Connection::Live(Live { keys, since, verdict, proven, sending });
        self.alive.start(self.now);
        self.lanes.ack = Ack::None;
        self.schedule_ack(usize::from(self.lanes.inbox.owes_ack()));
        self.ping();
        if proven {
            self.attach.live();
        }
    }

    /// Allows records to be sealed: the commit with which the session starts is durable.
    pub(super) fn unlock(&mut self) {
        if let Connection::Live(live) = &mut self.conn
            && live.sending == Sending::Locked
        {
            live.sending = Sending::Open;
        }
    }
}
