//! What comes out of a pairing: its outputs for the driver, and among them its events for the application.

use alloc::string::String;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{MailboxId, SigningPublic};

use crate::commit::Commit;

/// What the driver of a [`crate::Pairing`] must do next. Drain until [`PairingOutput::Wait`].
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum PairingOutput {
    /// Apply the commit in a transaction, then report it with `committed`.
    Persist(Commit),
    /// Send these bytes as one binary WebSocket message.
    Transmit(Bytes),
    /// Open a WebSocket to the relay, then call `handle_opened`, or `handle_closed` if that fails.
    Connect,
    /// Close the socket, after what was transmitted before; `handle_closed` is not needed.
    Disconnect,
    /// Something happened that the application or its user must know.
    Event(PairingEvent),
    /// Nothing more now. Call `handle_timeout` at this time, if there is one.
    Wait(Option<Timestamp>),
}

/// An event of a pairing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairingEvent {
    /// On a companion: a phone has scanned the code. Show these four digits now, drop the other codes, and
    /// create no code before the user asks for one. Message 2 is sent after this event.
    CheckCode(String),
    /// On a phone: ask the user for the four digits that the page shows, for
    /// [`crate::Pairing::enter_check_code`].
    CheckCodeWanted,
    /// On a phone: the digits were wrong, and this many tries are left. None is left when the same wrong
    /// digits were typed twice.
    WrongCheckCode(u8),
    /// On a phone: ask the user to approve what the page *claims*, for [`crate::Pairing::approve`] or
    /// [`crate::Pairing::refuse`].
    ApprovalWanted {
        /// The companion's label, as the page claims it.
        label: String,
        /// The page's origin, as the page claims it.
        origin: String,
        /// The page's origin, as the relay saw it in the browser's request.
        origin_seen: Option<String>,
        /// The requested grants, as a bit set.
        grants: u64,
        /// Whether the relay says that both devices are in one network; `None` when the relay does not know.
        /// Warn if they are not. Never rely on it if they are.
        same_net: Option<bool>,
    },
    /// On a phone: show these two digits, which the user types into the page.
    ShowConfirmation(String),
    /// On a companion: ask the user for the two digits that the phone shows, for
    /// [`crate::Pairing::enter_confirmation`], or call [`crate::Pairing::stop`] when the phone shows none.
    /// The digits are not included, so that no page can show them.
    ConfirmationWanted {
        /// The account's name.
        account_name: String,
        /// The account's public key.
        account: SigningPublic,
    },
    /// The link is stored as ACTIVE. Load it, and drop this machine and its socket.
    Linked(MailboxId),
    /// The attempt has ended, and a companion's code is void. If rows of the link are stored, load it like
    /// any other link, because it may still become ACTIVE. It lapses if it stays OFFERED for 10 minutes or
    /// PENDING for 24 hours.
    Ended(ErrorCode),
}
