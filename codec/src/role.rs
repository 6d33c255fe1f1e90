//! The roles of the two devices in a link.

use core::ops::Not;

/// The role of a device in a link. It is independent of the handshake roles *initiator* and *responder*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a link has two sides")]
pub enum DeviceRole {
    /// The phone, which has the account, the messages and the media.
    Phone,
    /// The companion: a web page or a native program.
    Web,
}

impl DeviceRole {
    /// Returns the role's number on the wire: 1 for the phone, 2 for the companion (spec, relay).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Phone => 1,
            Self::Web => 2,
        }
    }

    /// Returns the role that has this number on the wire, if there is one.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Phone),
            2 => Some(Self::Web),
            _ => None,
        }
    }
}

impl Not for DeviceRole {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Phone => Self::Web,
            Self::Web => Self::Phone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_not_are_inverse() {
        for role in [DeviceRole::Phone, DeviceRole::Web] {
            assert_eq!(DeviceRole::from_number(role.number()), Some(role));
            assert_eq!(!!role, role);
            assert_ne!(!role, role);
        }
        assert_eq!(DeviceRole::from_number(0), None);
        assert_eq!(DeviceRole::from_number(3), None);
    }
}
