//! What a pairing tells its application.

use alloc::string::String;

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{MailboxId, SigningPublic};
use handfast_handshake::pairing::CheckCode;

/// What happens in a pairing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairingEvent {
    /// Web: a phone has scanned the code. Freeze rotation, give up the other code, and show these four digits.
    CheckCode(String),
    /// Phone: ask the user for the four digits that the page shows: [`crate::Pairing::enter_check_code`].
    CheckCodeWanted,
    /// Phone: they were wrong; this many tries are left.
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
    /// Phone: show these two digits; the page's user is asked about them.
    ShowNn(String),
    /// Web: ask the user whether the phone shows these two digits: [`crate::Pairing::confirm`].
    ConfirmNn {
        /// The two digits.
        nn: String,
        /// The account's name.
        account_name: String,
        /// The account's key.
        account: SigningPublic,
    },
    /// The link is stored as ACTIVE. Load it, and drop this machine and its socket.
    Linked(MailboxId),
    /// The attempt is over, and at the web the code is burnt. If rows of the link are in the store, as OFFERED or
    /// PENDING, it may still come to life: load it as any other link, and drop it if it stays so for 24 hours.
    Ended(ErrorCode),
}

/// A check code as text.
pub(super) fn code_text(code: CheckCode) -> String {
    alloc::format!("{code}")
}

/// NN as text.
pub(super) fn nn_text(nn: u8) -> String {
    alloc::format!("{nn:02}")
}
