//! The roles of a link's two devices, as types: a call that belongs to the other role does not compile.
//!
//! A companion sends commands, and a phone answers them:
//!
//! ```
//! use bytes::Bytes;
//! use handfast_codec::Timestamp;
//! use handfast_codec::ids::CommandKey;
//! use handfast_session::{Commit, CompanionEndpoint, PhoneEndpoint, Repeat, SendError};
//!
//! type Stored = Result<Commit, SendError>;
//!
//! fn send(companion: &mut CompanionEndpoint, now: Timestamp, key: CommandKey, body: &Bytes) -> Stored {
//!     companion.send(now, key, body)
//! }
//!
//! fn answer(phone: &mut PhoneEndpoint, now: Timestamp, key: CommandKey, body: &Bytes) -> Stored {
//!     phone.answer(now, key, body, Repeat::Answer)
//! }
//! ```
//!
//! A phone cannot send a command:
//!
//! ```compile_fail,E0599
//! # use bytes::Bytes;
//! # use handfast_codec::Timestamp;
//! # use handfast_codec::ids::CommandKey;
//! # use handfast_session::{Commit, PhoneEndpoint, SendError};
//! # type Stored = Result<Commit, SendError>;
//! fn send(phone: &mut PhoneEndpoint, now: Timestamp, key: CommandKey, body: &Bytes) -> Stored {
//!     phone.send(now, key, body)
//! }
//! ```
//!
//! A companion cannot answer one:
//!
//! ```compile_fail,E0599
//! # use bytes::Bytes;
//! # use handfast_codec::Timestamp;
//! # use handfast_codec::ids::CommandKey;
//! # use handfast_session::{Commit, CompanionEndpoint, Repeat, SendError};
//! # type Stored = Result<Commit, SendError>;
//! fn answer(companion: &mut CompanionEndpoint, now: Timestamp, key: CommandKey, body: &Bytes) -> Stored {
//!     companion.answer(now, key, body, Repeat::Answer)
//! }
//! ```

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachmentId, MailboxId, PskId, Signature};
use handfast_codec::role::DeviceRole;
use handfast_handshake::link::{PhoneLink, Terms, WebLink};
use handfast_handshake::ratchet::{PhoneRatchet, WebRatchet};
use rand_core::CryptoRng;

use super::Endpoint;
use super::load::Rows;
use super::pending::OwnDeferred;
use crate::attach::{AttachEvent, Seat};
use crate::commands::phone::CommandsRun;
use crate::commands::unanswered::Unanswered;
use crate::commands::web::OwnCommands;
use crate::counted::Counted;
use crate::error::LoadError;
use crate::outbox::{Moved, Outbox};
use crate::psk::IdPsk;
use crate::sync::SyncLane;
use crate::wake::{PhoneWake, WebWake};

/// The role of an [`Endpoint`]'s device: [`Phone`] or [`Companion`]. No other crate can add one.
#[expect(private_bounds, reason = "the hooks are what seals the trait")]
pub trait Role: Hooks {
    /// The role as a value.
    const ROLE: DeviceRole;
}

/// The parts of an endpoint's work that differ between the roles.
pub(crate) trait Hooks: Sized + fmt::Debug {
    /// This role's side of the sync lane.
    type Sync: SyncLane;
    /// The actions that wait for a commit in this role alone.
    type Deferred: OwnDeferred;

    /// Decodes the mailbox id in a stored row of the link's keys and terms.
    fn mailbox(link: &[u8]) -> Result<MailboxId, LoadError>;

    /// Creates the state of this role from the stored rows. `rows` are those of the lanes.
    fn load(
        link: &[u8],
        ratchet: &[u8],
        rows: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<(Self, Self::Sync), LoadError>;

    /// Returns the terms of the link.
    fn terms(&self) -> &Terms;

    /// Returns the keys that prove to the relay that this device may take its seat.
    fn seat(&self) -> Seat<'_>;

    /// Returns the indexes of the outbox rows that stay after their acknowledgement.
    fn kept(&self) -> BTreeSet<u64> {
        BTreeSet::new()
    }

    /// Renumbers the outbox for a new epoch. Returns the indexes of the rows that are gone, and the rows that
    /// moved.
    fn restart_outbox(&mut self, outbox: &mut Outbox) -> (Vec<u64>, Vec<Moved>) {
        (Vec::new(), outbox.reset())
    }

    /// Sets when the next handshake may start, in the role that starts them.
    fn plan_attempt(&mut self, _at: Timestamp) {}

    /// Returns whether the relay is waking the peer.
    fn is_waking(&self) -> bool {
        false
    }

    /// Starts what the state now requires of this role: a wake, a handshake, the answer to one.
    fn settle(endpoint: &mut Endpoint<Self>, rng: &mut dyn CryptoRng)
    where
        Self: Role;

    /// Returns when [`Hooks::settle`] has something to do without input.
    fn deadline(endpoint: &Endpoint<Self>) -> Option<Timestamp>
    where
        Self: Role;

    /// Does what an event of the seat means for this role alone, handshake messages above all.
    fn on_attach_event(endpoint: &mut Endpoint<Self>, rng: &mut dyn CryptoRng, event: AttachEvent)
    where
        Self: Role;

    /// Handles the case that a handshake message which this role sent first got no answer.
    fn on_unanswered(_endpoint: &mut Endpoint<Self>)
    where
        Self: Role,
    {
    }

    /// Handles the plaintext of a record that opened, which may be the last message of a handshake.
    fn on_opened(endpoint: &mut Endpoint<Self>, plaintext: Bytes)
    where
        Self: Role;

    /// Handles REVOKED.
    fn on_revoked(endpoint: &mut Endpoint<Self>, signature: &Signature) -> Result<(), ErrorCode>
    where
        Self: Role;

    /// Passes to the application what has arrived next, if a commit may be opened.
    fn deliver(endpoint: &mut Endpoint<Self>)
    where
        Self: Role;

    /// Performs an action of this role that waited for a commit, which is durable now.
    fn run(endpoint: &mut Endpoint<Self>, deferred: Self::Deferred)
    where
        Self: Role;
}

/// The phone, as the type argument of its [`Endpoint`]: the state that only a phone has.
pub struct Phone {
    pub(super) link: PhoneLink,
    pub(super) ratchet: PhoneRatchet<IdPsk>,
    pub(super) recovery_id: PskId,
    /// The last message 1 that came too early (`held`): within a second of the time when a message 1 was last
    /// read (`read`).
    pub(super) held: Option<Bytes>,
    pub(super) read: Option<Timestamp>,
    /// The companion's attachment that was sent `UNKNOWN_KEY`, so that each attachment gets it once only.
    pub(super) hinted: Option<AttachmentId>,
    pub(super) commands: CommandsRun,
    pub(super) unanswered: Unanswered,
    pub(super) revoked: Option<Signature>,
    pub(super) wake: PhoneWake,
}

/// The companion, as the type argument of its [`Endpoint`]: the state that only a companion has.
pub struct Companion {
    pub(super) link: WebLink,
    pub(super) ratchet: WebRatchet<IdPsk>,
    /// When the next handshake may start (`next_attempt`), and how many have started in the current second
    /// (`starts`).
    pub(super) next_attempt: Timestamp,
    pub(super) starts: Counted,
    /// How many handshakes in a row the phone has not answered on this attachment.
    pub(super) unanswered: u8,
    /// Whether the next handshake runs in mode recover.
    pub(super) recover: bool,
    /// Whether another socket took this companion's seat, and the user has not asked to take it back.
    pub(super) replaced: bool,
    /// Whether the phone's program is too old, so that another handshake is useful only after its update.
    pub(super) outdated: bool,
    pub(super) commands: OwnCommands,
    pub(super) wake: WebWake,
}

impl Role for Phone {
    const ROLE: DeviceRole = DeviceRole::Phone;
}

impl Role for Companion {
    const ROLE: DeviceRole = DeviceRole::Web;
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phone").finish_non_exhaustive()
    }
}

impl fmt::Debug for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Companion").finish_non_exhaustive()
    }
}
