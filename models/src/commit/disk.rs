//! A device's store, in memory.

use handfast_codec::ids::{LogId, MailboxId};
use handfast_codec::{DeviceRole, Timestamp};
use handfast_session::{Commit, Endpoint, LinkStatus, Pairs, StoreTxn};
use rand_chacha::rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The rows of the one link that an attempt makes.
#[derive(Clone, Default)]
pub(super) struct Disk(pub(super) Pairs);

impl Disk {
    pub(super) fn apply(&mut self, commit: &Commit) {
        match commit.apply(self) {
            Ok(()) => {}
            Err(error) => panic!("a commit is refused: {error:?}"),
        }
    }

    /// Opens what is stored, as a program does when it starts.
    pub(super) fn load(&self, role: DeviceRole, now: Timestamp, rng: &mut dyn CryptoRng) -> Option<Endpoint> {
        let log = (role == DeviceRole::Phone).then_some(LogId::from_bytes([9; 16]));
        Endpoint::load(role, &self.0, log, now, rng).ok()
    }

    /// What is stored of a link.
    pub(super) fn status(&self, role: DeviceRole, rng: &mut dyn CryptoRng) -> Option<LinkStatus> {
        self.load(role, Timestamp::ZERO, rng).map(|endpoint| endpoint.status())
    }
}

impl StoreTxn for Disk {
    type Error = std::convert::Infallible;

    fn read(&mut self, _: MailboxId, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.0.get(key).map(|value| value.to_vec()))
    }

    fn put(&mut self, _: MailboxId, key: &[u8], value: &[u8]) -> Result<(), Self::Error> {
        let _ = self.0.insert(key.to_vec(), Zeroizing::new(value.to_vec()));
        Ok(())
    }

    fn delete(&mut self, _: MailboxId, key: &[u8]) -> Result<(), Self::Error> {
        let _ = self.0.remove(key);
        Ok(())
    }

    fn delete_range(&mut self, _: MailboxId, from: &[u8], to: &[u8]) -> Result<(), Self::Error> {
        self.0.retain(|key, _| key.as_slice() < from || key.as_slice() >= to);
        Ok(())
    }
}
