//! Everything that comes out of a machine: outputs, events, delivered messages, the states that are shown.

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Items, OpenKind, PageCursor};
use handfast_codec::ids::CommandKey;
use handfast_codec::relay::WakeFailure;
use handfast_codec::role::DeviceRole;

use crate::commit::Commit;
use crate::resume::Verdict;

/// What the driver must do next. Drain until [`Output::Wait`].
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Apply the commit in a transaction, then report it with `committed`.
    Persist(Commit),
    /// Apply the message's effect and the commit in *one* transaction, then report it with `committed`.
    Deliver {
        /// What arrived.
        message: Message,
        /// What must become durable with its effect.
        commit: Commit,
    },
    /// Send these bytes as one binary WebSocket message; report them with `transmitted` when the socket took them.
    Transmit(Bytes),
    /// Something happened.
    Event(Event),
    /// Nothing more now. Call `handle_timeout` at this time, if any.
    Wait(Option<Timestamp>),
}

/// What arrived for the application, once and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// At the phone: a command to be run. Run it, and answer it with `answer`, in the same transaction.
    Command {
        /// What it is known by.
        key: CommandKey,
        /// Its body.
        body: Bytes,
    },
    /// At the web: the result of a command.
    Result {
        /// What the command is known by.
        key: CommandKey,
        /// The result's body; none when the phone ran the command before and has forgotten the result.
        body: Option<Bytes>,
    },
    /// At the web: changed rows of a collection, covering the revisions above `from` up to `to`.
    Delta {
        /// The collection.
        collection: Collection,
        /// The cursor before.
        from: u64,
        /// The cursor after.
        to: u64,
        /// The rows, in parts.
        items: alloc::vec::Vec<Items>,
    },
    /// At the web: a page of a snapshot, which replaces what is stored of the collection. On the first page, keep in
    /// mind which rows are older; on the last, delete those of them that no page brought.
    Page {
        /// The collection.
        collection: Collection,
        /// Whether it is the first page.
        first: bool,
        /// Whether it is the last page.
        last: bool,
        /// The revision of the snapshot.
        rev: u64,
        /// The rows.
        items: Items,
    },
    /// The peer opened a stream: answer a get by supplying bytes when asked, a put by `stream_durable` with the
    /// offset already held (0), or either by `reset_stream`.
    Opened {
        /// The stream.
        id: u64,
        /// Whether the peer wants bytes or has some.
        kind: OpenKind,
        /// The application's words about it.
        meta: Bytes,
    },
}

/// What the user may be shown about the connection (spec, timers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkState {
    /// No attached socket.
    RelayDown,
    /// Attached; the peer is not.
    PeerAbsent,
    /// Attached, the peer is not, and the relay has passed on the wish to wake it.
    Waking,
    /// Attached, the peer too, and nothing decrypted yet or for a while.
    PeerSilent,
    /// Traffic decrypts.
    Live,
}

impl LinkState {
    /// Its name, for programs: `relay_down`, `peer_absent`, `waking`, `peer_silent`, `live`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RelayDown => "relay_down",
            Self::PeerAbsent => "peer_absent",
            Self::Waking => "waking",
            Self::PeerSilent => "peer_silent",
            Self::Live => "live",
        }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// All bytes are durable at the receiver.
    Done,
    /// A side stopped it, with this code.
    Stopped(ErrorCode),
    /// The peer no longer knows it, after a reconnect; open a new one.
    Lost,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Open a WebSocket to the link's relay, then call `handle_opened`, or `handle_closed` if it fails.
    Connect,
    /// Close the socket, at once; `handle_closed` is not needed.
    Disconnect,
    /// The state to show changed.
    State(LinkState),
    /// A connection is proven in both directions. Subscribe again now. After a RESET all streams are gone, and what the
    /// outbox holds is sent again.
    Connected {
        /// Whether streams and sequence numbers went on, or why not.
        verdict: Verdict,
    },
    /// A side was put back to an earlier state: from a backup, or because its store was copied and both copies ran. What
    /// that side had only in the lost time is lost. Tell the user.
    PutBack {
        /// Which side.
        who: DeviceRole,
    },
    /// This side ended the connection because the peer broke a rule, or a check failed.
    Failed(ErrorCode),
    /// The peer closed the connection.
    Closed(ErrorCode),
    /// The relay refused or ended the attachment.
    Relay(ErrorCode),
    /// Another socket took this seat. A web waits for its user (`reclaim_seat`); a phone returns by itself.
    Replaced,
    /// At the web: the phone could not be woken. It is asked for again, later each time.
    WakeFailed(WakeFailure),
    /// At the phone or web: the peer's seat was taken over while its former holder was alive, n times.
    Contended(u64),
    /// Two holders of this link were seen: a copied, restored or crashed store. The link is suspended; the ways out
    /// are linking again or revoking.
    Diverged,
    /// The phone suspended the link.
    Suspended,
    /// At the web: the link was revoked with a valid signature; its keys are deleted by the commit that comes with it.
    Revoked,
    /// A link that was OFFERED or PENDING was not accepted or confirmed in time: its rows are deleted by the commit that
    /// comes with it.
    Lapsed,
    /// At the phone: the companion was told that it is revoked.
    RevokedTold,
    /// At the phone: rows of the collection above `after` are wanted, about `budget` bytes of them: call `delta`.
    DeltaWanted {
        /// The collection.
        collection: Collection,
        /// The revision after which rows are wanted.
        after: u64,
        /// How many bytes fit now.
        budget: usize,
    },
    /// At the phone: a page of a snapshot of the collection is wanted, with at most `budget` bytes of rows: call `page`,
    /// or `reject_page_cursor`.
    PageWanted {
        /// The collection.
        collection: Collection,
        /// Which page; empty: the first.
        page: PageCursor,
        /// How many bytes fit.
        budget: usize,
    },
    /// The digest of the collection's rows as they are stored now is wanted: call `digest`. At the web, no further
    /// rows come until then.
    DigestWanted {
        /// The collection.
        collection: Collection,
    },
    /// At the web: the rows of the collection are those of the phone.
    InStep {
        /// The collection.
        collection: Collection,
    },
    /// At the web: the rows of the collection are not those of the phone; a snapshot is fetched.
    OutOfStep {
        /// The collection.
        collection: Collection,
    },
    /// At the web: three snapshots in a row have not brought the rows of the collection in step. Changes still come.
    RepairFailed {
        /// The collection.
        collection: Collection,
    },
    /// At the web: a subscription that was left is over; another one may take its place.
    Left {
        /// The collection.
        collection: Collection,
    },
    /// The peer set a slot to a value.
    Now {
        /// The slot.
        slot: u64,
        /// The value.
        body: Bytes,
    },
    /// Bytes of an outgoing stream are wanted: call `stream_supply` with up to `max` bytes from `offset`.
    DataWanted {
        /// The stream.
        id: u64,
        /// The offset of the first byte wanted.
        offset: u64,
        /// The most bytes to give.
        max: usize,
    },
    /// Bytes of an incoming stream: write them, and report with `stream_durable` once they are on disk.
    Data {
        /// The stream.
        id: u64,
        /// The offset of the first byte.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// The peer has sent all of an incoming stream: check it, then `stream_durable` its size or `reset_stream`.
    Fin {
        /// The stream.
        id: u64,
        /// The hash the peer claims.
        hash: [u8; 32],
    },
    /// An open stream goes on after a reconnect: an incoming one at this durable offset (cut off what lies beyond).
    StreamResumed {
        /// The stream.
        id: u64,
        /// The offset where it goes on.
        offset: u64,
    },
    /// Progress of an outgoing stream: the peer has this many bytes on its disk.
    StreamDurable {
        /// The stream.
        id: u64,
        /// The offset.
        offset: u64,
    },
    /// A stream ended.
    StreamEnded {
        /// The stream.
        id: u64,
        /// How.
        end: StreamEnd,
    },
    /// Something of a pairing attempt.
    Pairing(crate::pairing::event::PairingEvent),
}
