//! The types that a machine returns: outputs, events, delivered messages, states for display.

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Items, OpenKind, PageCursor};
use handfast_codec::ids::CommandKey;
use handfast_codec::relay::WakeFailure;
use handfast_codec::role::DeviceRole;

use crate::commit::Commit;
use crate::resume::Verdict;

/// An instruction for the driver. Poll until [`Output::Wait`].
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Apply the commit in a transaction, then report it with `committed`.
    Persist(Commit),
    /// Apply the message's effect and the commit in *one* transaction, then report the commit with
    /// `committed`.
    Deliver {
        /// The message that arrived for the application.
        message: Message,
        /// The commit to apply in the transaction of the message's effect.
        commit: Commit,
    },
    /// Send these bytes as one binary WebSocket message; report them with `transmitted` when the socket took them.
    Transmit(Bytes),
    /// Hand this event to the application, or to the driver if it is about the socket.
    Event(Event),
    /// Nothing to do until there is input, or until this time; then call `handle_timeout`.
    Wait(Option<Timestamp>),
}

/// A message for the application, delivered once and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// On a phone: a command. Run it, and answer it with `answer` in the same transaction.
    Command {
        /// The command's key.
        key: CommandKey,
        /// The command's body, at most 65,504 bytes.
        body: Bytes,
    },
    /// On a companion: the result of a command.
    Result {
        /// The command's key.
        key: CommandKey,
        /// The result's body; `None` when the phone ran the command before and no longer has its result
        /// (`ALREADY_DONE`).
        body: Option<Bytes>,
    },
    /// On a companion: changed rows of a collection, covering the revisions above `from` up to `to`.
    Delta {
        /// The collection.
        collection: Collection,
        /// The revision before the changes.
        from: u64,
        /// The revision after the changes.
        to: u64,
        /// The rows, as the parts in which they came.
        items: alloc::vec::Vec<Items>,
    },
    /// On a companion: a page of a snapshot, which replaces the stored rows of the collection. At the first
    /// page, mark all stored rows. At the last page, delete those marked rows that no page contained.
    Page {
        /// The collection.
        collection: Collection,
        /// Whether this is the first page of the snapshot.
        first: bool,
        /// Whether this is the last page of the snapshot.
        last: bool,
        /// The phone's newest revision at the snapshot's first page.
        rev: u64,
        /// The rows of this page.
        items: Items,
    },
    /// The peer opened a stream. Answer a get with `stream_supply` when bytes are requested. Answer a put
    /// with `stream_durable` at the offset up to which its content is already here (0 if none is). Answer
    /// either with `reset_stream` to refuse it.
    Opened {
        /// The stream's id.
        id: u64,
        /// Whether the peer wants bytes (get) or offers some (put).
        kind: OpenKind,
        /// The peer's description of the content, at most 1,024 bytes.
        meta: Bytes,
    },
}

/// The state of the connection, for display to the user (spec, timers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkState {
    /// There is no attached socket yet: the first attempt since the start is under way.
    Connecting,
    /// There is no attached socket: an attempt failed, or the socket was lost.
    RelayDown,
    /// This side is attached, and the peer is not.
    PeerAbsent,
    /// This side is attached, the peer is not, and the relay has sent the peer a WAKE.
    Waking,
    /// Both sides are attached, but no record has decrypted yet, or none for a while.
    PeerSilent,
    /// Both sides are attached, and records decrypt.
    Live,
}

impl LinkState {
    /// Returns the state's name for programs: `connecting`, `relay_down`, `peer_absent`, `waking`, `peer_silent` or
    /// `live`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::RelayDown => "relay_down",
            Self::PeerAbsent => "peer_absent",
            Self::Waking => "waking",
            Self::PeerSilent => "peer_silent",
            Self::Live => "live",
        }
    }
}

/// The way in which a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// All bytes are durable at the receiver.
    Done,
    /// One of the sides stopped the stream with this code.
    Stopped(ErrorCode),
    /// The peer no longer knows the stream after a reconnect. Open a new one if its content is still wanted.
    Lost,
}

impl core::fmt::Display for StreamEnd {
    /// Writes the name for programs: `done`, `lost`, or the code with which the stream was stopped.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Stopped(code) => code.fmt(f),
            Self::Lost => f.write_str("lost"),
        }
    }
}

/// An event for the application, or for the driver of the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Open a WebSocket to the link's relay. Then call `handle_opened`, or `handle_closed` if it cannot be
    /// opened.
    Connect,
    /// Close the socket, after what was transmitted before; `handle_closed` is not needed.
    Disconnect,
    /// The state for display has changed.
    State(LinkState),
    /// A connection is proven in both directions. Subscribe again now. If the verdict is a RESET, all streams
    /// are gone, and the messages of the outbox are sent again.
    Connected {
        /// Whether the session continues, or why a new session starts.
        verdict: Verdict,
    },
    /// A side was put back to an earlier state: it was restored from a backup, or copied while both copies
    /// ran. What only that side had of the lost time is lost, so tell the user.
    PutBack {
        /// The side that was put back.
        who: DeviceRole,
    },
    /// This side ended the connection because the peer broke a rule, or a check failed.
    Failed(ErrorCode),
    /// The peer closed the connection.
    Closed(ErrorCode),
    /// The relay refused or ended the attachment with this code; or it sent what is no frame of a relay, or not
    /// one for this moment, for which this side closed the socket.
    Relay(ErrorCode),
    /// Another socket took this seat. A companion waits for its user (`reclaim_seat`); a phone takes the seat
    /// back by itself later.
    Replaced,
    /// On a companion: the phone could not be woken. The next WAKE follows by itself, later each time.
    WakeFailed(WakeFailure),
    /// The peer's seat changed sockets this many times although its earlier socket was alive.
    Contended(u64),
    /// Two devices have the companion's keys, because its store was copied, restored or damaged. The link is
    /// suspended; only linking again or revoking helps.
    Diverged,
    /// The phone has suspended the link.
    Suspended,
    /// On a companion: the account revoked the link, as its signature proves. A commit that follows deletes
    /// the link's keys.
    Revoked,
    /// The link was OFFERED or PENDING for too long. A commit that follows deletes its rows.
    Lapsed,
    /// On a phone: a revoked companion was sent the account's REVOKED.
    RevokedTold,
    /// The peer set a slot of the ephemeral lane (NOW).
    Ephemeral {
        /// The slot's number.
        slot: u64,
        /// The slot's value, at most 1,024 bytes.
        body: Bytes,
    },
    /// An event of the sync lane.
    Sync(SyncEvent),
    /// An event of a stream.
    Stream(StreamEvent),
}

/// An event of the sync lane: the rows of a collection are wanted, or compared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncEvent {
    /// On a phone: call `provide_delta` with rows of the collection above revision `after`, about `budget` bytes of
    /// them.
    DeltaWanted {
        /// The collection.
        collection: Collection,
        /// The revision after which rows are wanted.
        after: u64,
        /// The most bytes that may be sent now.
        budget: usize,
    },
    /// On a phone: call `provide_page` with a page of a snapshot, or `reject_page_cursor`.
    PageWanted {
        /// The collection.
        collection: Collection,
        /// The cursor of the page, empty for the first.
        page: PageCursor,
        /// The most bytes of rows that the page may contain.
        budget: usize,
    },
    /// Call `provide_digest` with the digest of the collection's rows as they are stored now. On a companion,
    /// no further rows come until then.
    DigestWanted {
        /// The collection.
        collection: Collection,
    },
    /// On a companion: the digest shows that the rows of the collection equal the phone's.
    InSync {
        /// The collection.
        collection: Collection,
    },
    /// On a companion: the digest shows that the rows of the collection differ from the phone's. A snapshot
    /// replaces them.
    OutOfSync {
        /// The collection.
        collection: Collection,
    },
    /// On a companion: the rows of the collection still differ from the phone's after three snapshots in a
    /// row. No further snapshot is fetched; changes keep coming.
    ResyncFailed {
        /// The collection.
        collection: Collection,
    },
    /// On a companion: a subscription that the application left has ended, so another one may be opened.
    Unsubscribed {
        /// The collection.
        collection: Collection,
    },
}

/// An event of a stream.
///
/// A receiver of bytes that have no checks of their own; the crate `handfast-media` has those for files:
///
/// ```
/// use std::fs::File;
/// use std::io::{Seek, SeekFrom, Write};
///
/// use handfast_codec::Timestamp;
/// use handfast_session::{Commit, CompanionEndpoint, StreamEvent};
///
/// /// Writes what comes. Returns the commit to store, after which the sender may forget the bytes.
/// fn receive(
///     endpoint: &mut CompanionEndpoint,
///     now: Timestamp,
///     event: &StreamEvent,
///     file: &mut File,
///     last: &mut u64,
/// ) -> Result<Option<Commit>, Box<dyn std::error::Error>> {
///     match event {
///         StreamEvent::Data { id, offset, bytes } => {
///             let _ = file.seek(SeekFrom::Start(*offset))?;
///             file.write_all(bytes)?;
///             *last = offset + u64::try_from(bytes.len())?;
///             file.sync_data()?;
///             // All but the last byte: that one is the answer to the end of the stream.
///             Ok(Some(endpoint.stream_durable(now, *id, *last - 1)?))
///         }
///         // .. compare the hash ..
///         StreamEvent::Fin { id, .. } => Ok(Some(endpoint.stream_durable(now, *id, *last)?)),
///         StreamEvent::Resumed { offset, .. } => {
///             *last = *offset;
///             Ok(None)
///         }
///         _ => Ok(None),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// Call `stream_supply` with bytes of an outgoing stream.
    DataWanted {
        /// The stream's id.
        id: u64,
        /// The offset of the first byte wanted.
        offset: u64,
        /// The most bytes to supply.
        max: usize,
    },
    /// Bytes of an incoming stream arrived: write them, and call `stream_durable` once they are on disk.
    Data {
        /// The stream's id.
        id: u64,
        /// The offset of the first byte.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// All bytes of an incoming stream arrived: check them, then call `stream_durable` with its size, or
    /// `reset_stream`.
    Fin {
        /// The stream's id.
        id: u64,
        /// The hash of the content, as the peer claims it.
        hash: [u8; 32],
    },
    /// An open stream continues after a reconnect at `offset`. Of an incoming stream, discard bytes beyond
    /// `offset`.
    Resumed {
        /// The stream's id.
        id: u64,
        /// The offset from which the stream continues.
        offset: u64,
    },
    /// The peer has stored bytes of an outgoing stream on its disk.
    Durable {
        /// The stream's id.
        id: u64,
        /// The offset up to which the peer has stored them.
        offset: u64,
    },
    /// A stream has ended on both sides.
    Ended {
        /// The stream's id.
        id: u64,
        /// The way in which the stream ended.
        end: StreamEnd,
    },
}
