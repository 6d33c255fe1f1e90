//! The frames of a record: `type varint | length varint | body` (spec, frames).

mod body;
mod collection;
mod items;
mod page_state;
mod row;

use alloc::vec::Vec;
use core::fmt;

use bytes::{BufMut, Bytes};

pub use self::collection::{Collection, PageCursor};
pub use self::items::{Items, ItemsWriter};
pub use self::page_state::PageState;
pub use self::row::{Row, RowId};
use crate::error::{DecodeError, ErrorCode};
use crate::ids::Signature;
use crate::parse::Cursor;
use crate::role::DeviceRole;
use crate::varint::{len_u64, put_varint, varint_len};

/// The type number of a frame, whether it is in the registry or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameType(u64);

/// The roles that may send a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Both,
    Only(DeviceRole),
}

macro_rules! frame_types {
    ($($number:literal $name:ident $from:expr, $doc:literal;)*) => {
        impl FrameType {
            $(
                #[doc = $doc]
                pub const $name: Self = Self($number);
            )*

            /// Every known type, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            const fn row(self) -> Option<(&'static str, From)> {
                match self.0 {
                    $($number => Some((stringify!($name), $from)),)*
                    _ => None,
                }
            }
        }
    };
}

frame_types! {
    1 PING From::Both, "Asks for a PONG.";
    3 PONG From::Both, "Answers a PING.";
    5 MSG From::Both, "A part of a message of the reliable lane.";
    7 SINCE From::Only(DeviceRole::Web), "Subscribes to a collection.";
    9 DELTA From::Only(DeviceRole::Phone), "Changed rows of a collection.";
    11 SNAPSHOT_REQUIRED From::Only(DeviceRole::Phone), "The cursor is too old.";
    13 PAGE_GET From::Only(DeviceRole::Web), "Asks for a page of a snapshot.";
    15 PAGE From::Only(DeviceRole::Phone), "A page of a snapshot.";
    17 DIGEST_GET From::Only(DeviceRole::Web), "Asks for a digest.";
    19 DIGEST From::Only(DeviceRole::Phone), "A digest of a collection.";
    21 ACK From::Both, "What is durable.";
    23 NOW From::Both, "The latest value of a slot.";
    25 OPEN From::Both, "Opens a stream.";
    27 DATA From::Both, "Bytes of a stream.";
    29 CREDIT From::Both, "How far a stream may be sent.";
    31 DURABLE From::Both, "How far a stream is on disk.";
    33 STOP From::Both, "Ends a stream.";
    35 FIN From::Both, "All of a stream was sent.";
    37 CONN_CREDIT From::Both, "How many bytes of DATA may be sent.";
    39 CLOSE From::Both, "Ends the connection.";
    41 REVOKED From::Only(DeviceRole::Phone), "Revokes the link.";
    43 LEAVE From::Both, "Ends a subscription.";
    45 WEB_BACK From::Only(DeviceRole::Web), "The web was put back to an earlier state.";
}

impl FrameType {
    /// Returns the type's number on the wire.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns the type's name in the registry, or `UNKNOWN`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.row() {
            Some((name, _)) => name,
            None => "UNKNOWN",
        }
    }

    /// Returns whether a device of this role may send the type. Unknown types count as allowed.
    #[must_use]
    pub fn is_allowed_from(self, role: DeviceRole) -> bool {
        self.row().is_none_or(|(_, from)| from == From::Both || from == From::Only(role))
    }
}

impl fmt::Debug for FrameType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "UNKNOWN({})", self.0),
        }
    }
}

/// The direction of a stream's bytes, as seen from its opener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a stream goes one way or the other; other kinds are refused")]
pub enum OpenKind {
    /// The opener asks the peer for bytes.
    Get,
    /// The opener sends bytes to the peer.
    Put,
}

/// One decoded frame of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// PING asks for a PONG. A phone's PING also tells how far the rows of its subscriptions were sent.
    Ping {
        /// The id that the PONG repeats.
        id: u64,
        /// The highest revision up to which the rows of all subscriptions were sent or skipped; 0 from a
        /// companion.
        rev: u64,
    },
    /// PONG answers a PING.
    Pong {
        /// The id of the PING that this answers.
        id: u64,
    },
    /// MSG carries one part of a message of the reliable lane.
    Msg {
        /// The message's sequence number in its epoch, from 1.
        seq: u64,
        /// The part's number, from 0.
        part: u8,
        /// The number of the message's last part, at most 31.
        last: u8,
        /// The part's bytes, 0 to 16,000.
        body: Bytes,
    },
    /// SINCE subscribes to a collection.
    Since {
        /// The collection's name.
        collection: Collection,
        /// The revision up to which the companion has stored the collection.
        cursor: u64,
    },
    /// DELTA carries one part of a change of a collection: rows with revisions above `from` and up to `to`.
    Delta {
        /// The collection's name.
        collection: Collection,
        /// The companion's cursor in the collection before the change.
        from: u64,
        /// The companion's cursor in the collection after the change.
        to: u64,
        /// The part's number, from 0.
        part: u8,
        /// The number of the change's last part, at most 31.
        last: u8,
        /// The rows in this part.
        items: Items,
    },
    /// `SNAPSHOT_REQUIRED` answers that the log does not reach back to the companion's cursor, or that a page
    /// cursor cannot be read.
    SnapshotRequired {
        /// The collection's name.
        collection: Collection,
        /// The phone's newest revision.
        rev: u64,
    },
    /// `PAGE_GET` asks for a page of a snapshot.
    PageGet {
        /// The collection's name.
        collection: Collection,
        /// The cursor of the page; empty for the first page.
        page: PageCursor,
    },
    /// PAGE carries a page of a snapshot.
    Page {
        /// The collection's name.
        collection: Collection,
        /// The cursor of this page, which repeats the one in the request.
        page: PageCursor,
        /// The cursor of the next page; empty after the last page.
        next: PageCursor,
        /// The phone's newest revision when the snapshot's first page was made; the same in all its pages.
        rev: u64,
        /// The rows of the page.
        items: Items,
    },
    /// `DIGEST_GET` asks for the digest of a collection.
    DigestGet {
        /// The collection's name.
        collection: Collection,
        /// The revision up to which the companion has stored the collection.
        cursor: u64,
    },
    /// DIGEST carries the digest of a collection.
    Digest {
        /// The collection's name.
        collection: Collection,
        /// The revision at which the digest was computed.
        cursor: u64,
        /// The sum of the hashes of the collection's rows, big-endian.
        digest: [u8; 32],
    },
    /// ACK reports what is durable at its sender.
    Ack {
        /// The highest sequence number of a message that is durable.
        durable: u64,
        /// The collections with the cursors up to which they are durable, at most 64; from a companion only.
        cursors: Vec<(Collection, u64)>,
    },
    /// NOW carries the latest value of a slot of the ephemeral lane.
    Now {
        /// The slot's number.
        slot: u64,
        /// The value, 0 to 1,024 bytes.
        body: Bytes,
    },
    /// OPEN opens a stream.
    Open {
        /// The stream's id: even from the companion, odd from the phone.
        id: u64,
        /// Whether the opener asks for bytes or sends them.
        kind: OpenKind,
        /// A description of the content for the application, 0 to 1,024 bytes.
        meta: Bytes,
    },
    /// DATA carries bytes of a stream.
    Data {
        /// The stream's id.
        id: u64,
        /// The offset in the stream of the first of these bytes.
        offset: u64,
        /// The bytes, 1 to 16,000.
        body: Bytes,
    },
    /// CREDIT allows the sender of a stream to send up to an offset.
    Credit {
        /// The stream's id.
        id: u64,
        /// The offset in the stream up to which bytes may be sent.
        offset: u64,
    },
    /// DURABLE tells that a stream is on the receiver's disk up to an offset.
    Durable {
        /// The stream's id.
        id: u64,
        /// The offset in the stream up to which it is on the receiver's disk.
        offset: u64,
    },
    /// STOP ends a stream for both sides.
    Stop {
        /// The stream's id.
        id: u64,
        /// The reason why the stream ends.
        code: ErrorCode,
    },
    /// FIN tells that all bytes of a stream were sent.
    Fin {
        /// The stream's id.
        id: u64,
        /// The hash of the stream's content; for media, the content id.
        hash: [u8; 32],
    },
    /// `CONN_CREDIT` allows the peer to send DATA bytes over this connection, up to a total.
    ConnCredit {
        /// The total of DATA bytes allowed, counted from the connection's start.
        offset: u64,
    },
    /// CLOSE ends the connection.
    Close {
        /// The reason why the connection ends.
        code: ErrorCode,
        /// How many milliseconds to wait before trying again; 0 if no time is named.
        retry_ms: u64,
    },
    /// REVOKED ends the link for good.
    Revoked {
        /// The account's signature over [`crate::signed::revoked_tbs`].
        signature: Signature,
    },
    /// LEAVE ends a subscription. The phone answers with LEAVE too; after that answer it sends nothing more
    /// of the collection.
    Leave {
        /// The collection's name.
        collection: Collection,
    },
    /// `WEB_BACK` says that the companion was put back to an earlier state. It is allowed only as the first
    /// frame of a confirm.
    WebBack,
}

impl Frame {
    /// Returns the frame's type.
    #[must_use]
    pub const fn frame_type(&self) -> FrameType {
        match self {
            Self::Ping { .. } => FrameType::PING,
            Self::Pong { .. } => FrameType::PONG,
            Self::Msg { .. } => FrameType::MSG,
            Self::Since { .. } => FrameType::SINCE,
            Self::Delta { .. } => FrameType::DELTA,
            Self::SnapshotRequired { .. } => FrameType::SNAPSHOT_REQUIRED,
            Self::PageGet { .. } => FrameType::PAGE_GET,
            Self::Page { .. } => FrameType::PAGE,
            Self::DigestGet { .. } => FrameType::DIGEST_GET,
            Self::Digest { .. } => FrameType::DIGEST,
            Self::Ack { .. } => FrameType::ACK,
            Self::Now { .. } => FrameType::NOW,
            Self::Open { .. } => FrameType::OPEN,
            Self::Data { .. } => FrameType::DATA,
            Self::Credit { .. } => FrameType::CREDIT,
            Self::Durable { .. } => FrameType::DURABLE,
            Self::Stop { .. } => FrameType::STOP,
            Self::Fin { .. } => FrameType::FIN,
            Self::ConnCredit { .. } => FrameType::CONN_CREDIT,
            Self::Close { .. } => FrameType::CLOSE,
            Self::Revoked { .. } => FrameType::REVOKED,
            Self::Leave { .. } => FrameType::LEAVE,
            Self::WebBack => FrameType::WEB_BACK,
        }
    }

    /// Returns the length of the whole frame (type, length and body), in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let body = self.body_len();
        varint_len(self.frame_type().0).saturating_add(varint_len(len_u64(body))).saturating_add(body)
    }

    /// Appends the frame's bytes. A frame with a field beyond its limit is written all the same, but every
    /// receiver refuses it; check [`Frame::is_within_limits`] before.
    pub fn encode(&self, out: &mut impl BufMut) {
        put_varint(out, self.frame_type().0);
        put_varint(out, len_u64(self.body_len()));
        self.write_body(out);
    }

    /// Decodes one frame that fills the whole input. Returns `None` for an unknown frame with an even type,
    /// which must be ignored.
    ///
    /// # Errors
    /// `UNKNOWN_CRITICAL` for an unknown odd type, and the faults of the frame's own body.
    pub fn decode(input: &Bytes) -> Result<Option<Self>, DecodeError> {
        let mut cursor = Cursor::new(input);
        let frame = Self::read(&mut cursor, input, None)?;
        cursor.finish("frame")?;
        Ok(frame)
    }

    /// Reads the next frame. If `from` is given, checks that this role may send the frame. Returns `None` for
    /// a frame that must be ignored.
    pub(crate) fn read(
        cursor: &mut Cursor<'_>,
        input: &Bytes,
        from: Option<DeviceRole>,
    ) -> Result<Option<Self>, DecodeError> {
        let start = cursor.clone();
        let kind = FrameType(cursor.varint("frame type")?);
        let value = cursor.long(0, usize::MAX, "frame body")?;
        if kind.row().is_none() {
            // req: FRM-021, EXT-002
            if kind.0 != 0 && kind.0.is_multiple_of(2) {
                return Ok(None);
            }
            // req: FRM-020
            return Err(start.error(ErrorCode::UNKNOWN_CRITICAL, "frame type"));
        }
        // req: FRM-022
        if from.is_some_and(|role| !kind.is_allowed_from(role)) {
            return Err(start.error(ErrorCode::FRAME_NOT_ALLOWED, "frame type"));
        }
        let mut body = Cursor::at(value, cursor.offset().saturating_sub(value.len()));
        let frame = Self::read_body(kind, &mut body, input)?;
        body.finish(kind.name())?;
        Ok(Some(frame))
    }
}
