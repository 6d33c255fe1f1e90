//! The peers' keys of existing links, which a new link must not use again.

use alloc::vec::Vec;

use handfast_codec::role::DeviceRole;
use handfast_handshake::link::{PhoneLink, WebLink};

use crate::endpoint::LinkRows;
use crate::error::LoadError;
use crate::keys;

/// The peers' keys in this device's other links, ended ones included. A pairing refuses a peer that uses one
/// of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysInUse(Vec<[u8; 32]>);

impl KeysInUse {
    /// Creates an empty set, for a device that has never had a link.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds the peer's keys of a stored link.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when the rows are missing or damaged.
    pub fn add_link(&mut self, role: DeviceRole, pairs: &LinkRows) -> Result<(), LoadError> {
        self.0.extend(peer_keys(role, pairs)?);
        Ok(())
    }

    pub(super) fn as_slice(&self) -> &[[u8; 32]] {
        &self.0
    }
}

impl FromIterator<[u8; 32]> for KeysInUse {
    fn from_iter<I: IntoIterator<Item = [u8; 32]>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl Extend<[u8; 32]> for KeysInUse {
    fn extend<I: IntoIterator<Item = [u8; 32]>>(&mut self, keys: I) {
        self.0.extend(keys);
    }
}

/// Returns the peer's keys of a stored link, so that they can be kept after the link has ended.
///
/// # Errors
///
/// [`LoadError`] when the rows are missing or damaged.
pub fn peer_keys(role: DeviceRole, pairs: &LinkRows) -> Result<Vec<[u8; 32]>, LoadError> {
    let row = pairs
        .get(keys::LINK)
        .ok_or_else(|| LoadError::Missing(keys::LINK.first().copied().unwrap_or_default()))?;
    Ok(match role {
        DeviceRole::Phone => PhoneLink::decode(row)?.peer_keys().to_vec(),
        DeviceRole::Web => WebLink::decode(row)?.peer_keys().to_vec(),
    })
}
