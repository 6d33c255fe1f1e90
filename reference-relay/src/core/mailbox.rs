//! Mailboxes: two seats, and the rules by which a pairing mailbox grants them.

use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::AttachKey;
use handfast_codec::role::DeviceRole;

use super::limits::Limits;
use super::network::Network;
use super::socket::SocketId;

/// The two seats of a mailbox.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    phone: Option<SocketId>,
    web: Option<SocketId>,
}

impl Seats {
    fn seat(&mut self, role: DeviceRole) -> &mut Option<SocketId> {
        match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.web,
        }
    }

    pub(crate) fn holder(&self, role: DeviceRole) -> Option<SocketId> {
        match role {
            DeviceRole::Phone => self.phone,
            DeviceRole::Web => self.web,
        }
    }

    /// Assigns the seat of this role to `socket`. Returns the socket that had the seat before.
    pub(crate) fn give(&mut self, role: DeviceRole, socket: SocketId) -> Option<SocketId> {
        self.seat(role).replace(socket)
    }

    /// Empties the seat of this role if `socket` has it. Returns whether it had.
    pub(crate) fn leave(&mut self, role: DeviceRole, socket: SocketId) -> bool {
        let seat = self.seat(role);
        let held = *seat == Some(socket);
        if held {
            *seat = None;
        }
        held
    }

    /// Empties both seats. Returns the sockets that had them.
    pub(crate) fn clear(&mut self) -> [Option<SocketId>; 2] {
        [self.phone.take(), self.web.take()]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.phone.is_none() && self.web.is_none()
    }
}

/// A link mailbox with at least one socket.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) seats: Seats,
    /// How often a new socket replaced another in a seat while the client of the other was alive.
    pub(crate) contended: u64,
}

/// A pairing mailbox, with or without sockets.
#[derive(Debug)]
pub(crate) struct Pairing {
    pub(crate) seats: Seats,
    /// When the mailbox's lifetime ends.
    pub(crate) until: Timestamp,
    /// The network for whose limit the mailbox counts.
    pub(crate) payer: Network,
    /// Whether the mailbox has carried too many bytes, so that no socket may attach to it any more.
    pub(crate) spent: bool,
    /// The key that owns the companion's seat.
    web_key: Option<AttachKey>,
    /// All keys that have had the phone's seat. The last one has it now.
    phone_keys: Vec<AttachKey>,
    len_from_phone: usize,
    len_from_web: usize,
}

impl Pairing {
    pub(crate) fn new(until: Timestamp, payer: Network) -> Self {
        Self {
            seats: Seats::default(),
            until,
            payer,
            spent: false,
            web_key: None,
            phone_keys: Vec::new(),
            len_from_phone: 0,
            len_from_web: 0,
        }
    }

    /// Checks whether a key may take the seat of its role; the client has proven that it has the key. Records
    /// the key if it may.
    pub(crate) fn admit(
        &mut self,
        role: DeviceRole,
        key: AttachKey,
        limits: &Limits,
    ) -> Result<(), ErrorCode> {
        // req: RLY-030
        if self.spent {
            return Err(ErrorCode::PAIRING_BYTES);
        }
        match role {
            // req: RLY-014
            DeviceRole::Web if *self.web_key.get_or_insert(key) == key => Ok(()),
            DeviceRole::Web => Err(ErrorCode::CODE_TAKEN),
            DeviceRole::Phone => self.admit_phone(key, limits),
        }
    }

    fn admit_phone(&mut self, key: AttachKey, limits: &Limits) -> Result<(), ErrorCode> {
        // req: RLY-015
        let occupied = self.seats.holder(DeviceRole::Phone).is_some();
        if occupied && self.phone_keys.last() != Some(&key) {
            return Err(ErrorCode::CODE_TAKEN);
        }
        let before = self.phone_keys.len();
        self.phone_keys.retain(|known| *known != key);
        let known = self.phone_keys.len() < before;
        // req: RLY-122
        let is_used = self.len_from_web > 0;
        if !known && (is_used || before >= limits.pairing_phone_keys_max) {
            return Err(ErrorCode::CODE_TAKEN);
        }
        self.phone_keys.push(key);
        Ok(())
    }

    /// Counts a DATA body. Returns false if the mailbox has carried too many bytes.
    pub(crate) fn carry(&mut self, from: DeviceRole, len: usize, limits: &Limits) -> bool {
        let carried = match from {
            DeviceRole::Phone => &mut self.len_from_phone,
            DeviceRole::Web => &mut self.len_from_web,
        };
        *carried = carried.saturating_add(len);
        *carried <= limits.pairing_len_max
    }

    /// Returns whether the mailbox must stay while it has no sockets. It must from when both a companion and
    /// a phone have attached until its lifetime ends: a moment without sockets must not free its seats or
    /// reset its counts. Before both have attached there is nothing to protect.
    pub(crate) fn is_kept_empty(&self) -> bool {
        // req: RLY-029
        self.web_key.is_some() && (self.spent || !self.phone_keys.is_empty())
    }
}
