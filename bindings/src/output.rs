//! What a machine asks of a program, and tells it.

use crate::commit::Commit;
use crate::content::Stream;
use crate::rows::Row;

/// One thing to do or to show.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Output {
    /// Apply the commit.
    Persist {
        /// The commit.
        commit: Commit,
    },
    /// Apply the commit together with the effect of the message.
    Deliver {
        /// The message.
        message: Message,
        /// The commit.
        commit: Commit,
    },
    /// This side has opened a stream. Apply the commit, together with a note of what the stream is for.
    StreamOpened {
        /// The stream's id.
        stream: u64,
        /// The commit.
        commit: Commit,
    },
    /// Open a WebSocket to this URL.
    Connect {
        /// The URL.
        url: String,
    },
    /// Close the socket, after what was transmitted before.
    Disconnect,
    /// Send this as one binary message.
    Transmit {
        /// The message.
        bytes: Vec<u8>,
    },
    /// Pass in `Timer` at this time; never, if there is none. The last output of every step.
    SetTimer {
        /// The time.
        at_ms: Option<u64>,
    },

    /// Show the user these four digits, to be typed at the phone. The code is taken: show no other.
    ShowCheckCode {
        /// The digits.
        digits: String,
    },
    /// Ask the user for the four digits that the companion shows: `EnterCheckCode`.
    CheckCodeWanted,
    /// The digits were wrong.
    WrongCheckCode {
        /// How many tries are left. If none is, the pairing ends.
        tries_left: u8,
    },
    /// Ask the user to approve what the companion claims: `Approve` or `Refuse`.
    ApprovalWanted {
        /// The companion's label.
        label: String,
        /// The origin of its page, as it says; empty for a program.
        origin: String,
        /// The origin of its page, as the relay saw it.
        origin_seen: Option<String>,
        /// What it asks for: bits of the application.
        grants: u64,
        /// Whether both devices are in one network, as far as the relay knows. Warn if not; rely on nothing.
        is_same_network: Option<bool>,
    },
    /// Show the user these two digits, to be typed at the companion.
    ShowNumber {
        /// The digits.
        digits: String,
    },
    /// Ask the user for the two digits that the phone shows: `EnterNumber`, or `StopPairing` if it shows none.
    NumberWanted {
        /// The name of the account.
        account_name: String,
    },
    /// The link is stored. Drop this machine and its socket, and load the link.
    Linked {
        /// The link's id.
        link: Vec<u8>,
    },
    /// The pairing has ended. If rows of a link are stored, load them: it may still become active.
    PairingEnded {
        /// The name of the reason in the protocol.
        code: String,
    },

    /// The state of the connection, to be shown: `relay_down`, `peer_absent`, `waking`, `peer_silent` or `live`.
    State {
        /// The state.
        state: String,
    },
    /// A connection is proven in both directions. A companion subscribes now.
    Connected {
        /// Whether the session goes on. If not, its streams are gone.
        is_resumed: bool,
    },
    /// A side was restored from a backup, or copied: tell the user that what only it had is lost.
    PutBack {
        /// Whether it is the phone.
        is_phone: bool,
    },
    /// This side has ended the connection, since the peer broke a rule.
    Failed {
        /// The name of the reason.
        code: String,
    },
    /// The peer has ended the connection.
    Closed {
        /// The name of the reason.
        code: String,
    },
    /// The relay has refused or ended the connection.
    RelayRefused {
        /// The name of the reason.
        code: String,
    },
    /// Another program took this seat. A companion waits for its user (`TakeBackSeat`).
    Replaced,
    /// Two programs fight for the peer's seat: this many times so far.
    Contended {
        /// How many times.
        times: u64,
    },
    /// Two devices have the companion's keys. The link is suspended; only linking again or revoking helps.
    Diverged,
    /// The phone has suspended the link.
    Suspended,
    /// The account has revoked the link. A commit that follows deletes its keys.
    Revoked,
    /// The link was not confirmed for too long. A commit that follows deletes its rows.
    Lapsed,
    /// A revoked companion was told.
    RevokedTold,
    /// The phone could not be woken. The next try comes by itself.
    WakeFailed,
    /// The peer set a slot.
    Ephemeral {
        /// The slot.
        slot: u64,
        /// The value.
        body: Vec<u8>,
    },

    /// At a phone: answer with `ProvideDelta`.
    DeltaWanted {
        /// The collection's name.
        collection: Vec<u8>,
        /// Rows of later revisions are wanted.
        after: u64,
        /// The budget, to be passed back.
        budget: u64,
    },
    /// At a phone: answer with `ProvidePage`.
    PageWanted {
        /// The collection's name.
        collection: Vec<u8>,
        /// The revision, to be passed back; absent for the first page.
        revision: Option<u64>,
        /// Rows with greater ids are wanted; absent for the first page.
        after: Option<Vec<u8>>,
        /// The budget, to be passed back.
        budget: u64,
    },
    /// Answer with `ProvideDigest`. At a companion, no further rows come until then.
    DigestWanted {
        /// The collection's name.
        collection: Vec<u8>,
    },
    /// At a companion: its rows of the collection are those of the phone.
    InSync {
        /// The collection's name.
        collection: Vec<u8>,
    },
    /// At a companion: its rows differ from the phone's. All of them come again.
    OutOfSync {
        /// The collection's name.
        collection: Vec<u8>,
    },
    /// At a companion: its rows still differ after three tries. Changes keep coming.
    ResyncFailed {
        /// The collection's name.
        collection: Vec<u8>,
    },
    /// At a companion: a subscription has ended.
    Unsubscribed {
        /// The collection's name.
        collection: Vec<u8>,
    },

    /// Write this content, which is checked, at its place.
    WriteContent {
        /// The stream's id.
        stream: u64,
        /// The place of the first byte.
        at: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Make durable what was written, and the chunk list if there is one: then `ContentSynced`.
    SyncContent {
        /// The stream's id.
        stream: u64,
        /// How many bytes of the content were written.
        offset: u64,
        /// The size of the content.
        size: u64,
        /// The chunk list, unless it is stored.
        list: Option<Vec<u8>>,
        /// Whether this is all of it, with which the stream ends.
        is_whole: bool,
    },
    /// Read content for a stream that sends it: `SupplyContent`.
    ReadContent {
        /// The stream's id.
        stream: u64,
        /// The place of the first byte.
        at: u64,
        /// The most bytes to read.
        len: u64,
    },
    /// The peer has stored this many bytes of the content.
    ContentProgress {
        /// The stream's id.
        stream: u64,
        /// The number of bytes.
        offset: u64,
    },
    /// A stream has ended: `done` if all of it is stored at its receiver, `lost` if the peer no longer knows it, else the
    /// name of the reason. Of content that came completely, this does not follow.
    StreamEnded {
        /// The stream's id.
        stream: u64,
        /// How it ended.
        end: String,
    },
    /// Something of a later version. Pass over it.
    Other,
}

/// A message, which is delivered once and in order.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Message {
    /// At a phone: run it, and answer it in the same transaction.
    Command {
        /// The command's key.
        key: Vec<u8>,
        /// The command.
        body: Vec<u8>,
    },
    /// At a companion: the answer to a command.
    Result {
        /// The command's key.
        key: Vec<u8>,
        /// The answer; absent if the phone ran the command and no longer has its answer.
        body: Option<Vec<u8>>,
    },
    /// At a companion: rows that were written or removed.
    Delta {
        /// The collection's name.
        collection: Vec<u8>,
        /// The rows.
        rows: Vec<Row>,
    },
    /// At a companion: a part of all rows of a collection. At the first one mark all stored rows, at the last one
    /// remove those marked rows that did not come.
    Page {
        /// The collection's name.
        collection: Vec<u8>,
        /// Whether it is the first part.
        is_first: bool,
        /// Whether it is the last part.
        is_last: bool,
        /// The rows.
        rows: Vec<Row>,
    },
    /// The peer has opened a stream. A put wants `AcceptContent`, `HaveContent` or `StopStream`, a get `ServeContent` or
    /// `StopStream`.
    Opened {
        /// The stream.
        stream: Stream,
    },
    /// Something of a later version. Apply its commit.
    Other,
}
