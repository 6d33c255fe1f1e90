//! What a pairing tells its application.

use alloc::string::String;

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{MailboxId, SigningPublic};

/// What happens in a pairing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairingEvent {
    /// Web: a phone has scanned the code. Show these four digits now, drop the other codes, and draw no code before the
    /// user asks for one. Message 2 leaves after this.
    CheckCode(String),
    /// Phone: ask the user for the four digits that the page shows: [`crate::Pairing::enter_check_code`].
    CheckCodeWanted,
    /// Phone: they were wrong; this many tries are left. None are when the same wrong ones were typed twice.
    WrongCheckCode(u8),
    /// Phone: ask the user to approve what the page *claims*: [`crate::Pairing::approve`] or [`crate::Pairing::refuse`].
    ApprovalWanted {
        /// The companion's label, as claimed.
        label: String,
        /// The origin, as claimed by the page.
        origin: String,
        /// The origin, as seen by the relay.
        origin_seen: Option<String>,
        /// The grants asked for, as bits.
        grants: u64,
        /// Whether the relay says that both devices are in one network; `None` when it does not know.
        /// A reason to warn if not; never to trust.
        same_net: Option<bool>,
    },
    /// Phone: show these two digits; the user types them into the page.
    ShowConfirmation(String),
    /// Web: ask the user for the two digits that the phone shows: [`crate::Pairing::enter_confirmation`], or
    /// [`crate::Pairing::stop`] when it shows none. They are not told here, so that nobody can show them.
    ConfirmationWanted {
        /// The account's name.
        account_name: String,
        /// The account's key.
        account: SigningPublic,
    },
    /// The link is stored as ACTIVE. Load it, and drop this machine and its socket.
    Linked(MailboxId),
    /// The attempt is over, and at the web the code is burnt. If rows of the link are in the store, it may still come to
    /// life: load it as any other link, and drop it if it stays OFFERED for 10 minutes, or PENDING for 24 hours.
    Ended(ErrorCode),
}
