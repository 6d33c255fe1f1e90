//! The frames between a client and its relay: one frame per binary WebSocket message, `type u8 | body` (spec,
//! relay).

mod body;

use bytes::{BufMut, Bytes, BytesMut};

pub use self::body::{Attach, Attached, Hello, MailboxKind, MailboxProof, Peer, PeerInfo, Wake, WakeFailure};
use self::body::{CONTENDED, DOWN, UP};
use crate::error::{DecodeError, ErrorCode};
use crate::limits::{RELAY_FRAME_LEN_MAX, STICKY_LEN_MAX};
use crate::parse::Cursor;
use crate::role::DeviceRole;
use crate::tlv::TlvWriter;

/// The length of the type and the kind, the two bytes before the body of a DATA frame.
pub const DATA_HEADER_LEN: usize = 2;
/// The DATA header of a record. The record is encrypted in place after it.
pub const RECORD_HEADER: [u8; DATA_HEADER_LEN] = [DATA, DataKind::RECORD.0];

const HELLO: u8 = 1;
const CHALLENGE: u8 = 3;
const ATTACH: u8 = 5;
const ATTACHED: u8 = 7;
const DATA: u8 = 9;
const PEER: u8 = 11;
const WAKE: u8 = 13;
const STICKY: u8 = 15;
const PING: u8 = 17;
const PONG: u8 = 19;
const ERROR: u8 = 21;

/// The kind of the bytes in a DATA frame, whether this version knows it or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataKind(u8);

impl DataKind {
    /// A message of the pairing handshake.
    pub const PAIRING: Self = Self(1);
    /// The first message of a reconnect, with its clear head.
    pub const KK1: Self = Self(3);
    /// The second message of a reconnect.
    pub const KK2: Self = Self(5);
    /// A sealed record.
    pub const RECORD: Self = Self(7);
    /// The phone's hint that it does not know the pre-shared key of a message 1. The body is empty.
    pub const UNKNOWN_KEY: Self = Self(9);

    /// Returns the kind that has this number.
    #[must_use]
    pub const fn from_u8(kind: u8) -> Self {
        Self(kind)
    }

    /// Returns the kind's number on the wire.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self.0
    }
}

/// Returns the kind of a DATA frame without decoding it; `None` for any other frame.
#[must_use]
pub fn data_kind(frame: &[u8]) -> Option<DataKind> {
    match frame {
        [DATA, kind, ..] if frame.len() <= RELAY_FRAME_LEN_MAX => Some(DataKind(*kind)),
        _ => None,
    }
}

/// One decoded relay frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayFrame {
    /// HELLO: the relay greets a client.
    Hello(Hello),
    /// CHALLENGE: the relay asks for a signature over this nonce.
    Challenge([u8; 32]),
    /// ATTACH: the client claims a seat.
    Attach(Attach),
    /// ATTACHED: the relay grants the seat.
    Attached(Attached),
    /// DATA: bytes between the two devices.
    Data {
        /// The kind of the bytes.
        kind: DataKind,
        /// The bytes. The relay passes them on unread.
        body: Bytes,
    },
    /// PEER: the relay reports a change of the peer's seat.
    Peer(Peer),
    /// STICKY: a client writes a sticky slot, or the relay reports its value.
    Sticky {
        /// The role to which the slot belongs.
        role: DeviceRole,
        /// The slot's value, at most 512 bytes. An empty value clears the slot.
        value: Bytes,
    },
    /// WAKE: the companion asks the relay to wake the phone, or the relay answers this request.
    Wake(Wake),
    /// PING: asks for a PONG with this token.
    Ping([u8; 8]),
    /// PONG: repeats the token of a PING.
    Pong([u8; 8]),
    /// ERROR: the relay refuses something, or ends the attachment.
    Error {
        /// The reason.
        code: ErrorCode,
        /// How many milliseconds to wait before trying again.
        retry_ms: u32,
    },
    /// A frame of an unknown even type, which must be ignored.
    Ignored(u8),
}

impl RelayFrame {
    /// Returns the encoded frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.encode_into(&mut out);
        out.freeze()
    }

    /// Appends the encoded frame to `out`.
    pub fn encode_into(&self, out: &mut BytesMut) {
        match self {
            Self::Hello(hello) => put_tlv(out, &[HELLO], |w| hello.write(w)),
            Self::Challenge(nonce) => put(out, CHALLENGE, &[], nonce),
            Self::Attach(attach) => put_tlv(out, &[ATTACH], |w| attach.write(w)),
            Self::Attached(attached) => put_tlv(out, &[ATTACHED], |w| attached.write(w)),
            Self::Data { kind, body } => put(out, DATA, &[kind.0], body),
            Self::Peer(Peer::Up(info)) => put_tlv(out, &[PEER, UP], |w| info.write(w)),
            Self::Peer(Peer::Down) => put(out, PEER, &[DOWN], &[]),
            Self::Peer(Peer::Contended(count)) => put_tlv(out, &[PEER, CONTENDED], |w| {
                let _ = w.varint(1, *count);
            }),
            Self::Sticky { role, value } => put(out, STICKY, &[role.number()], value),
            Self::Wake(wake) => wake.write(|head, body| put(out, WAKE, head, body)),
            Self::Ping(token) => put(out, PING, &[], token),
            Self::Pong(token) => put(out, PONG, &[], token),
            Self::Error { code, retry_ms } => {
                put(out, ERROR, &code.as_u16().to_be_bytes(), &retry_ms.to_be_bytes());
            }
            Self::Ignored(kind) => put(out, *kind, &[], &[]),
        }
    }

    /// Decodes a whole WebSocket message. The bytes of DATA and STICKY are slices of the message.
    ///
    /// # Errors
    /// `FIELD_LENGTH` for more than 16,512 bytes, `UNKNOWN_CRITICAL` for an unknown odd type, and the faults
    /// of the frame's own body.
    #[expect(clippy::needless_pass_by_value, reason = "the message is given away: its slices own it")]
    pub fn decode(input: Bytes) -> Result<Self, DecodeError> {
        // req: RLY-003
        if input.len() > RELAY_FRAME_LEN_MAX {
            return Err(DecodeError::new(ErrorCode::FIELD_LENGTH, 0, "relay frame"));
        }
        let mut cursor = Cursor::new(&input);
        let kind = cursor.u8("relay frame type")?;
        let frame = match kind {
            // req: RLY-041
            HELLO => Self::Hello(Hello::read(&mut cursor)?),
            // req: RLY-042
            CHALLENGE => Self::Challenge(cursor.array("challenge")?),
            // req: RLY-043
            ATTACH => Self::Attach(Attach::read(&mut cursor)?),
            // req: RLY-044
            ATTACHED => Self::Attached(Attached::read(&mut cursor, &input)?),
            // req: RLY-045
            DATA => {
                let kind = DataKind(cursor.u8("data kind")?);
                Self::Data { kind, body: input.slice_ref(cursor.rest(0, RELAY_FRAME_LEN_MAX, "data")?) }
            }
            // req: RLY-046
            PEER => Self::Peer(Peer::read(&mut cursor)?),
            // req: RLY-048
            STICKY => {
                let at = cursor.offset();
                // req: FRM-011
                let role = DeviceRole::from_number(cursor.u8("sticky role")?).ok_or(DecodeError::new(
                    ErrorCode::FIELD_VALUE,
                    at,
                    "sticky role",
                ))?;
                Self::Sticky { role, value: input.slice_ref(cursor.rest(0, STICKY_LEN_MAX, "sticky value")?) }
            }
            // req: RLY-047
            WAKE => Self::Wake(Wake::read(&mut cursor, &input)?),
            // req: RLY-049
            PING => Self::Ping(cursor.array("ping token")?),
            // req: RLY-050
            PONG => Self::Pong(cursor.array("pong token")?),
            // req: RLY-051
            ERROR => {
                let code = ErrorCode::from_u16(cursor.u16("error code")?);
                Self::Error { code, retry_ms: cursor.u32("error retry")? }
            }
            // req: RLY-001, EXT-002
            even if even.is_multiple_of(2) => return Ok(Self::Ignored(even)),
            _ => return Err(DecodeError::new(ErrorCode::UNKNOWN_CRITICAL, 0, "relay frame type")),
        };
        cursor.finish("relay frame")?;
        Ok(frame)
    }
}

fn put(out: &mut BytesMut, kind: u8, head: &[u8], body: &[u8]) {
    out.reserve(head.len().saturating_add(body.len()).saturating_add(1));
    out.put_u8(kind);
    out.put_slice(head);
    out.put_slice(body);
}

fn put_tlv(out: &mut BytesMut, head: &[u8], write: impl FnOnce(&mut TlvWriter)) {
    let mut list = TlvWriter::new();
    write(&mut list);
    out.put_slice(head);
    out.put_slice(&list.finish());
}
