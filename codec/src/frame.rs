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

/// The type of a frame. An unknown one survives to its error or to being ignored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameType(u64);

/// Who may send a frame.
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

            /// Every known type, ascending.
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
    /// The number on the wire.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The name in the registry, or `UNKNOWN`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.row() {
            Some((name, _)) => name,
            None => "UNKNOWN",
        }
    }

    /// Whether a device of this role may send the type. Unknown types are not judged here.
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

/// Which way a stream carries bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a stream goes one way or the other; other kinds are refused")]
pub enum OpenKind {
    /// From the phone.
    Get,
    /// To the phone.
    Put,
}

/// One frame of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// Asks for a PONG; `rev` is the highest revision sent or skipped in this connection's subscriptions.
    Ping {
        /// Comes back in the PONG.
        id: u64,
        /// The revision; 0 from a web.
        rev: u64,
    },
    /// Answers a PING.
    Pong {
        /// The id of the PING.
        id: u64,
    },
    /// One part of a message.
    Msg {
        /// The message's number in its epoch, from 1.
        seq: u64,
        /// The part's number, from 0.
        part: u8,
        /// The number of the last part.
        last: u8,
        /// 0 to 16,000 bytes.
        body: Bytes,
    },
    /// Subscribes to a collection.
    Since {
        /// The collection.
        collection: Collection,
        /// The revision up to which the web has it.
        cursor: u64,
    },
    /// One part of a change: the rows with revisions above `from` up to `to`.
    Delta {
        /// The collection.
        collection: Collection,
        /// The cursor before.
        from: u64,
        /// The cursor after.
        to: u64,
        /// The part's number, from 0.
        part: u8,
        /// The number of the last part.
        last: u8,
        /// The rows.
        items: Items,
    },
    /// The cursor is older than the phone's change log.
    SnapshotRequired {
        /// The collection.
        collection: Collection,
        /// The revision of the snapshot.
        rev: u64,
    },
    /// Asks for a page of a snapshot.
    PageGet {
        /// The collection.
        collection: Collection,
        /// The page; empty for the first.
        page: PageCursor,
    },
    /// A page of a snapshot.
    Page {
        /// The collection.
        collection: Collection,
        /// The page that was asked for.
        page: PageCursor,
        /// The next page; empty if this is the last.
        next: PageCursor,
        /// The revision of the snapshot.
        rev: u64,
        /// The rows.
        items: Items,
    },
    /// Asks for the digest of a collection.
    DigestGet {
        /// The collection.
        collection: Collection,
        /// The cursor at which it is wanted.
        cursor: u64,
    },
    /// The digest of a collection.
    Digest {
        /// The collection.
        collection: Collection,
        /// The cursor at which it holds.
        cursor: u64,
        /// The digest.
        digest: [u8; 32],
    },
    /// What is durable at the sender.
    Ack {
        /// The highest durable message.
        durable: u64,
        /// The durable cursors of collections, 64 at most.
        cursors: Vec<(Collection, u64)>,
    },
    /// The latest value of a slot.
    Now {
        /// The slot.
        slot: u64,
        /// 0 to 1,024 bytes.
        body: Bytes,
    },
    /// Opens a stream.
    Open {
        /// The stream.
        id: u64,
        /// Its direction.
        kind: OpenKind,
        /// 0 to 1,024 bytes for the application.
        meta: Bytes,
    },
    /// Bytes of a stream.
    Data {
        /// The stream.
        id: u64,
        /// The offset of the first byte.
        offset: u64,
        /// 1 to 16,000 bytes.
        body: Bytes,
    },
    /// The sender of the stream may send up to this offset.
    Credit {
        /// The stream.
        id: u64,
        /// The absolute offset.
        offset: u64,
    },
    /// The stream is on the receiver's disk up to this offset.
    Durable {
        /// The stream.
        id: u64,
        /// The absolute offset.
        offset: u64,
    },
    /// Ends a stream for both sides.
    Stop {
        /// The stream.
        id: u64,
        /// The reason.
        code: ErrorCode,
    },
    /// All bytes of the stream were sent.
    Fin {
        /// The stream.
        id: u64,
        /// The hash of the content.
        hash: [u8; 32],
    },
    /// The peer may send this many bytes of DATA in this connection.
    ConnCredit {
        /// Bytes from the connection's start.
        offset: u64,
    },
    /// Ends the connection.
    Close {
        /// The reason.
        code: ErrorCode,
        /// When to try again, in milliseconds.
        retry_ms: u64,
    },
    /// Revokes the link.
    Revoked {
        /// The account's signature over [`crate::signed::revoked_tbs`].
        signature: Signature,
    },
    /// Ends a subscription; the phone's answer says that nothing more of it follows.
    Leave {
        /// The collection.
        collection: Collection,
    },
    /// The web was put back to an earlier state: the first frame of a confirm, or none.
    WebBack,
}

impl Frame {
    /// The frame's type.
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

    /// The length of type, length and body, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let body = self.body_len();
        varint_len(self.frame_type().0).saturating_add(varint_len(len_u64(body))).saturating_add(body)
    }

    /// Appends the frame's bytes. A frame over a limit of its fields is written as it is, and every receiver refuses
    /// it; [`Frame::is_within_limits`] tells.
    pub fn encode(&self, out: &mut impl BufMut) {
        put_varint(out, self.frame_type().0);
        put_varint(out, len_u64(self.body_len()));
        self.write_body(out);
    }

    /// Reads one frame that fills the whole input; an unknown even one gives none.
    ///
    /// # Errors
    /// `UNKNOWN_CRITICAL` for an unknown odd type, and the faults of the frame's own body.
    pub fn decode(input: &Bytes) -> Result<Option<Self>, DecodeError> {
        let mut cursor = Cursor::new(input);
        let frame = Self::read(&mut cursor, input, None)?;
        cursor.finish("frame")?;
        Ok(frame)
    }

    /// Reads the next frame, of a sender of this role if one is given; none if it is to be ignored.
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
