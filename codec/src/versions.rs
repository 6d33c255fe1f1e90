//! Lists of protocol versions (spec, handshake and relay).

use core::fmt;
use core::ops::Deref;

use crate::error::ErrorCode;
use crate::limits::VERSIONS_COUNT_MAX;
use crate::tlv::Field;
use crate::{DecodeError, varint};

/// The protocol version of devices that know no command keys. A reconnect with such a device ends in
/// `NO_COMMON_VERSION` (spec, handshake).
pub const OUTDATED: u8 = 1;

/// A list of one to eight versions in order of preference, one byte each.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Versions {
    bytes: [u8; VERSIONS_COUNT_MAX],
    len: u8,
}

impl Versions {
    /// The version of the protocol between phone and companion that the handfast crates speak: 2.
    pub const CURRENT: Self = Self { bytes: [2, 0, 0, 0, 0, 0, 0, 0], len: 1 };

    /// The versions that a reconnect offers. Version 1 is offered only to tell an older device that it needs
    /// an update (spec, handshake).
    pub const RECONNECT: Self = Self { bytes: [2, OUTDATED, 0, 0, 0, 0, 0, 0], len: 2 };

    /// The version of the relay protocol that the handfast crates speak: 1 (spec, relay).
    pub const RELAY: Self = Self { bytes: [1, 0, 0, 0, 0, 0, 0, 0], len: 1 };

    /// Returns the list of these versions; `None` if there is none or more than eight.
    #[must_use]
    pub fn new(versions: &[u8]) -> Option<Self> {
        let mut bytes = [0; VERSIONS_COUNT_MAX];
        if versions.is_empty() {
            return None;
        }
        bytes.get_mut(..versions.len())?.copy_from_slice(versions);
        Some(Self { bytes, len: u8::try_from(versions.len()).ok()? })
    }

    /// Returns the list with a grease version appended, if the list has room for one (spec, conventions).
    #[must_use]
    pub fn with_grease(mut self, n: u8) -> Self {
        let grease = u8::try_from(varint::grease(n % 3)).unwrap_or(58);
        if let Some(slot) = self.bytes.get_mut(usize::from(self.len)) {
            *slot = grease;
            self.len = self.len.saturating_add(1);
        }
        self
    }

    /// Returns the versions in order of preference.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Returns the highest version that both lists contain (spec, handshake).
    #[must_use]
    pub fn highest_common(&self, other: &Self) -> Option<u8> {
        self.iter().copied().filter(|version| other.contains(version)).max()
    }

    pub(crate) fn decode(field: &Field<'_>) -> Result<Self, DecodeError> {
        Self::new(field.as_slice()).ok_or(field.error(ErrorCode::FIELD_LENGTH))
    }
}

impl Deref for Versions {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_to_eight_versions() {
        assert_eq!(Versions::new(&[]), None);
        assert!(Versions::new(&[1; VERSIONS_COUNT_MAX]).is_some());
        assert_eq!(Versions::new(&[1; VERSIONS_COUNT_MAX + 1]), None);
    }

    #[test]
    fn the_highest_common_version_is_chosen_and_grease_is_not_common() {
        let ours = Versions::new(&[1, 3, 2]).unwrap();
        assert_eq!(ours.highest_common(&Versions::new(&[2, 1, 9]).unwrap()), Some(2));
        assert_eq!(ours.highest_common(&Versions::new(&[9]).unwrap()), None);
        let greased = Versions::CURRENT.with_grease(1);
        assert_eq!(greased.as_slice(), [2, 120]);
        assert_eq!(greased.highest_common(&Versions::CURRENT), Some(2));
    }
}
