//! The relay frames with more than one field: their types, encoding and decoding.

use alloc::string::String;

use bytes::Bytes;

use crate::error::{DecodeError, ErrorCode};
use crate::ids::{AttachKey, AttachmentId, BootId, MailboxId, Salt, Signature};
use crate::limits::{ORIGIN_LEN_MAX, STICKY_LEN_MAX, WAKE_HANDLE_LEN_MAX};
use crate::name::RelayName;
use crate::parse::Cursor;
use crate::role::DeviceRole;
use crate::tlv::{Field, TlvReader, TlvWriter};
use crate::versions::Versions;

pub(super) const UP: u8 = 1;
pub(super) const DOWN: u8 = 2;
pub(super) const CONTENDED: u8 = 3;

const ASK: u8 = 1;
const SENT: u8 = 2;
const FAILED: u8 = 3;
const PEER_UP: u8 = 4;

/// The body of HELLO, the relay's greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The versions of the relay protocol that the relay speaks.
    pub versions: Versions,
    /// The relay's own name.
    pub name: RelayName,
    /// The id of this run of the relay.
    pub boot: BootId,
    /// The longest relay frame that the relay accepts, in bytes.
    pub frame_len_max: u64,
    /// The interval at which the relay sends PINGs, in milliseconds.
    pub ping_interval_ms: u64,
}

/// The kind of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "version 1 has two kinds")]
pub enum MailboxKind {
    /// A mailbox for one QR code.
    Pairing,
    /// A mailbox for one link.
    Link,
}

impl MailboxKind {
    /// Returns the number on the wire: 1 for pairing, 2 for link.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Pairing => 1,
            Self::Link => 2,
        }
    }
}

/// The keys that prove a client's right to a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "version 1 has two kinds")]
pub enum MailboxProof {
    /// A seat in a pairing mailbox, under a fresh key.
    Pairing {
        /// The public key of this seat.
        key: AttachKey,
    },
    /// A seat in a link mailbox. The mailbox's id is a hash of these two keys and the salt.
    Link {
        /// The phone's attach key.
        phone_key: AttachKey,
        /// The companion's attach key.
        web_key: AttachKey,
        /// The salt of the mailbox.
        salt: Salt,
    },
}

impl MailboxProof {
    /// Returns the kind of the mailbox that the keys are for.
    #[must_use]
    pub const fn kind(&self) -> MailboxKind {
        match self {
            Self::Pairing { .. } => MailboxKind::Pairing,
            Self::Link { .. } => MailboxKind::Link,
        }
    }

    /// Returns the key under which a client of this role must have signed its ATTACH.
    #[must_use]
    pub const fn own_key(&self, role: DeviceRole) -> &AttachKey {
        match (self, role) {
            (Self::Pairing { key }, _) => key,
            (Self::Link { phone_key, .. }, DeviceRole::Phone) => phone_key,
            (Self::Link { web_key, .. }, DeviceRole::Web) => web_key,
        }
    }
}

/// The body of ATTACH, by which a client claims a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attach {
    /// The version of the relay protocol that the client chose.
    pub version: u8,
    /// The client's device role.
    pub role: DeviceRole,
    /// The id of the mailbox.
    pub mailbox: MailboxId,
    /// The keys that prove the client's right to the seat.
    pub proof: MailboxProof,
    /// The client's signature over [`crate::signed::attach_tbs`].
    pub signature: Signature,
}

/// What the relay claims about the peer, without proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The peer's attachment id.
    pub id: AttachmentId,
    /// Whether both sockets come from one network; `None` if the relay does not know both real addresses.
    pub same_net: Option<bool>,
    /// The origin of the page, if the peer is a browser.
    pub origin: Option<String>,
}

/// The body of ATTACHED, by which the relay grants a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The attachment id of this socket.
    pub own: AttachmentId,
    /// The peer, if its seat is taken.
    pub peer: Option<PeerInfo>,
    /// The phone's sticky value, 1 to 512 bytes.
    pub phone_sticky: Option<Bytes>,
    /// The companion's sticky value, 1 to 512 bytes.
    pub web_sticky: Option<Bytes>,
}

/// The body of PEER: a change of the peer's seat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the states of version 1; others are refused")]
pub enum Peer {
    /// The peer attached.
    Up(PeerInfo),
    /// The peer detached.
    Down,
    /// The peer's seat changed sockets this many times although its earlier socket was alive.
    Contended(u64),
}

/// The body of WAKE: a request of the companion, or the relay's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the words of version 1; others are refused")]
pub enum Wake {
    /// From the companion: wake the phone by this handle. The phone has encrypted the handle for the wake
    /// service.
    Ask(Bytes),
    /// From the relay: the wake service has accepted the request.
    Sent,
    /// From the relay: the request failed.
    Failed(WakeFailure),
    /// From the relay: the phone is attached already.
    PeerUp,
}

/// The reason why a phone could not be woken, a number of the registry (spec, relay).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WakeFailure(pub u8);

impl WakeFailure {
    /// The relay has no wake service.
    pub const NO_SERVICE: Self = Self(1);
    /// The wake service refuses the handle.
    pub const REFUSED: Self = Self(2);
    /// The wake service cannot be reached.
    pub const UNREACHABLE: Self = Self(3);
    /// The wake was requested too often.
    pub const TOO_OFTEN: Self = Self(4);
}

impl Wake {
    pub(super) fn write(&self, put: impl FnOnce(&[u8], &[u8])) {
        match self {
            Self::Ask(handle) => put(&[ASK], handle),
            Self::Sent => put(&[SENT], &[]),
            Self::Failed(class) => put(&[FAILED, class.0], &[]),
            Self::PeerUp => put(&[PEER_UP], &[]),
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>, input: &Bytes) -> Result<Self, DecodeError> {
        let at = cursor.clone();
        Ok(match cursor.u8("wake word")? {
            // req: FRM-024
            ASK => Self::Ask(input.slice_ref(cursor.rest(0, WAKE_HANDLE_LEN_MAX, "wake handle")?)),
            SENT => Self::Sent,
            FAILED => Self::Failed(WakeFailure(cursor.u8("wake failure")?)),
            PEER_UP => Self::PeerUp,
            // req: FRM-011
            _ => return Err(at.error(ErrorCode::FIELD_VALUE, "wake word")),
        })
    }
}

/// Reads all bytes that are left of the frame as a TLV list.
fn list<'a>(cursor: &mut Cursor<'a>, known: &[u64]) -> Result<TlvReader<'a>, DecodeError> {
    let base = cursor.offset();
    TlvReader::at(cursor.rest(0, usize::MAX, "relay frame")?, base, known)
}

impl Hello {
    pub(super) fn write(&self, w: &mut TlvWriter) {
        let _ = w
            .bytes(1, self.versions.as_slice())
            .bytes(3, self.name.as_str().as_bytes())
            .bytes(5, self.boot.as_bytes())
            .varint(7, self.frame_len_max)
            .varint(9, self.ping_interval_ms);
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut r = list(cursor, &[1, 3, 5, 7, 9])?;
        let versions = Versions::decode(&r.required(1, "hello versions")?)?;
        let name = r.required(3, "relay name")?;
        Ok(Self {
            versions,
            name: RelayName::from_slice(name.as_slice(), name.at())?,
            boot: BootId::from_bytes(r.required(5, "boot id")?.array()?),
            frame_len_max: r.required(7, "frame length max")?.varint()?,
            ping_interval_ms: r.required(9, "ping interval")?.varint()?,
        })
    }
}

impl Attach {
    pub(super) fn write(&self, w: &mut TlvWriter) {
        let _ = w
            .u8(1, self.version)
            .u8(3, self.proof.kind().number())
            .u8(5, self.role.number())
            .bytes(7, self.mailbox.as_bytes());
        let _ = match (&self.proof, self.role) {
            (MailboxProof::Pairing { key }, DeviceRole::Phone) => w.bytes(9, key.as_bytes()),
            (MailboxProof::Pairing { key }, DeviceRole::Web) => w.bytes(11, key.as_bytes()),
            (MailboxProof::Link { phone_key, web_key, salt }, _) => {
                w.bytes(9, phone_key.as_bytes()).bytes(11, web_key.as_bytes()).bytes(13, salt.as_bytes())
            }
        };
        let _ = w.bytes(15, self.signature.as_bytes());
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut r = list(cursor, &[1, 3, 5, 7, 9, 11, 13, 15])?;
        let version = r.required(1, "attach version")?.u8()?;
        let kind = r.required(3, "mailbox kind")?;
        let is_link = match kind.u8()? {
            1 => false,
            2 => true,
            _ => return Err(kind.error(ErrorCode::FIELD_VALUE)),
        };
        let role = r.required(5, "attach role")?;
        let role = DeviceRole::from_number(role.u8()?).ok_or(role.error(ErrorCode::FIELD_VALUE))?;
        let mailbox = MailboxId::from_bytes(r.required(7, "mailbox")?.array()?);
        let proof = if is_link {
            MailboxProof::Link {
                phone_key: AttachKey::from_bytes(r.required(9, "phone attach key")?.array()?),
                web_key: AttachKey::from_bytes(r.required(11, "web attach key")?.array()?),
                salt: Salt::from_bytes(r.required(13, "salt")?.array()?),
            }
        } else {
            let phone = seat_key(&mut r, 9, "phone attach key", role == DeviceRole::Phone)?;
            let web = seat_key(&mut r, 11, "web attach key", role == DeviceRole::Web)?;
            // req: RLY-009
            forbidden(r.optional(13, "salt")?)?;
            MailboxProof::Pairing { key: phone.or(web).ok_or_else(|| r.missing("attach key"))? }
        };
        let signature = Signature::from_bytes(r.required(15, "attach signature")?.array()?);
        Ok(Self { version, role, mailbox, proof, signature })
    }
}

/// Reads the key of a role's seat in a pairing mailbox. The key is required if the client has this role, and
/// forbidden otherwise.
fn seat_key(
    r: &mut TlvReader<'_>,
    number: u64,
    what: &'static str,
    is_own: bool,
) -> Result<Option<AttachKey>, DecodeError> {
    let field = r.optional(number, what)?;
    // req: RLY-009
    if !is_own {
        return forbidden(field).map(|()| None);
    }
    let field = field.ok_or_else(|| r.missing(what))?;
    Ok(Some(AttachKey::from_bytes(field.array()?)))
}

/// Refuses a field that must not appear together with the others of its list.
fn forbidden(field: Option<Field<'_>>) -> Result<(), DecodeError> {
    field.map_or(Ok(()), |field| Err(field.error(ErrorCode::FIELD_VALUE)))
}

impl PeerInfo {
    pub(super) fn write(&self, w: &mut TlvWriter) {
        let _ = w.bytes(3, self.id.as_bytes());
        if let Some(same_net) = self.same_net {
            let _ = w.u8(5, u8::from(same_net));
        }
        if let Some(origin) = &self.origin {
            let _ = w.bytes(7, origin.as_bytes());
        }
    }

    /// Reads what the relay claims about the peer: fields 3, 5 and 7. Returns `None` if none of them is
    /// there.
    pub(super) fn read(r: &mut TlvReader<'_>) -> Result<Option<Self>, DecodeError> {
        let id = r.optional(3, "peer attachment id")?;
        let same_net = r.optional(5, "same network")?;
        let origin = r.optional(7, "peer origin")?;
        let Some(id) = id else {
            return if same_net.is_some() || origin.is_some() {
                Err(r.missing("peer attachment id"))
            } else {
                Ok(None)
            };
        };
        // req: FRM-013
        let id = AttachmentId::from_bytes(id.array()?);
        let same_net = same_net
            .map(|field| match field.u8()? {
                0 => Ok(false),
                1 => Ok(true),
                _ => Err(field.error(ErrorCode::FIELD_VALUE)),
            })
            .transpose()?;
        let origin = origin.map(|origin| origin.text(0, ORIGIN_LEN_MAX)).transpose()?;
        Ok(Some(Self { id, same_net, origin }))
    }
}

impl Attached {
    pub(super) fn write(&self, w: &mut TlvWriter) {
        let _ = w.bytes(1, self.own.as_bytes());
        if let Some(peer) = &self.peer {
            peer.write(w);
        }
        for (kind, sticky) in [(9, &self.phone_sticky), (11, &self.web_sticky)] {
            if let Some(value) = sticky {
                let _ = w.bytes(kind, value);
            }
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>, input: &Bytes) -> Result<Self, DecodeError> {
        let mut r = list(cursor, &[1, 3, 5, 7, 9, 11])?;
        let own = AttachmentId::from_bytes(r.required(1, "own attachment id")?.array()?);
        let peer = PeerInfo::read(&mut r)?;
        let mut sticky = |kind, what| {
            let field = r.optional(kind, what)?;
            field.map(|field| field.bytes(1, STICKY_LEN_MAX).map(|value| input.slice_ref(value))).transpose()
        };
        let phone_sticky = sticky(9, "phone sticky")?;
        let web_sticky = sticky(11, "web sticky")?;
        Ok(Self { own, peer, phone_sticky, web_sticky })
    }
}

impl Peer {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let at = cursor.clone();
        match cursor.u8("peer state")? {
            UP => {
                let mut r = list(cursor, &[3, 5, 7])?;
                PeerInfo::read(&mut r)?.map(Self::Up).ok_or_else(|| r.missing("peer attachment id"))
            }
            DOWN => list(cursor, &[]).map(|_| Self::Down),
            CONTENDED => Ok(Self::Contended(list(cursor, &[1])?.required(1, "contended count")?.varint()?)),
            _ => Err(at.error(ErrorCode::FIELD_VALUE, "peer state")),
        }
    }
}
