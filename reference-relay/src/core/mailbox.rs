//! What a mailbox is: two seats, and the rules by which a pairing mailbox gives them away.

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

    /// Gives the seat to `socket`; returns who held it.
    pub(crate) fn give(&mut self, role: DeviceRole, socket: SocketId) -> Option<SocketId> {
        self.seat(role).replace(socket)
    }

    /// Empties the seat if `socket` holds it.
    pub(crate) fn leave(&mut self, role: DeviceRole, socket: SocketId) -> bool {
        let seat = self.seat(role);
        let held = *seat == Some(socket);
        if held {
            *seat = None;
        }
        held
    }

    /// Empties both seats; returns who held them.
    pub(crate) fn clear(&mut self) -> [Option<SocketId>; 2] {
        [self.phone.take(), self.web.take()]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.phone.is_none() && self.web.is_none()
    }
}

/// A link mailbox while somebody sits in it.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) seats: Seats,
    /// How often a seat was contended.
    pub(crate) contended: u64,
}

/// A pairing mailbox.
#[derive(Debug)]
pub(crate) struct Pairing {
    pub(crate) seats: Seats,
    /// The end of its life.
    pub(crate) until: Timestamp,
    /// Whose quota pays for it.
    pub(crate) payer: Network,
    /// It carried too much: it takes nobody any more.
    pub(crate) spent: bool,
    /// The key that owns the web seat.
    web_key: Option<AttachKey>,
    /// Every key that held the phone seat; the last is the present one.
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

    /// Lets a proven key take the seat of its role, or says why not. On `Ok` the key is noted.
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

    /// Counts a DATA body; false if it is too much.
    pub(crate) fn carry(&mut self, from: DeviceRole, len: usize, limits: &Limits) -> bool {
        let carried = match from {
            DeviceRole::Phone => &mut self.len_from_phone,
            DeviceRole::Web => &mut self.len_from_web,
        };
        *carried = carried.saturating_add(len);
        *carried <= limits.pairing_len_max
    }

    /// Whether it must be remembered while nobody sits in it: once a page and a phone came, until its time is over,
    /// lest an empty moment give its seats and counts away. Without a page there is nothing to give away, and any key
    /// makes one.
    pub(crate) fn is_kept_empty(&self) -> bool {
        // req: RLY-029
        self.web_key.is_some() && (self.spent || !self.phone_keys.is_empty())
    }
}
