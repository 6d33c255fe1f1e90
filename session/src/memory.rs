//! A store in memory: for tests, simulations, and a companion that should keep nothing when its process ends.
//!
//! Nothing here does I/O.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::convert::Infallible;

use handfast_codec::ids::MailboxId;
use zeroize::Zeroizing;

use crate::commit::StoreTxn;
use crate::endpoint::LinkRows;
use crate::keys;

/// The rows of one link as a transaction without rollback. Each write takes effect at once, and the parameter
/// `link` is ignored.
#[derive(Debug)]
pub struct LinkRowsTxn<'a>(&'a mut LinkRows);

impl<'a> LinkRowsTxn<'a> {
    /// Wraps the rows of a link.
    #[must_use]
    pub const fn new(pairs: &'a mut LinkRows) -> Self {
        Self(pairs)
    }
}

impl StoreTxn for LinkRowsTxn<'_> {
    type Error = Infallible;

    fn read(&mut self, _: MailboxId, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(key).map(|value| value.to_vec()))
    }

    fn put(&mut self, _: MailboxId, key: &[u8], value: &[u8]) -> Result<(), Infallible> {
        let _ = self.0.insert(key.to_vec(), Zeroizing::new(value.to_vec()));
        Ok(())
    }

    fn delete(&mut self, _: MailboxId, key: &[u8]) -> Result<(), Infallible> {
        let _ = self.0.remove(key);
        Ok(())
    }

    fn delete_range(&mut self, _: MailboxId, from: &[u8], to: &[u8]) -> Result<(), Infallible> {
        self.0.retain(|key, _| key.as_slice() < from || key.as_slice() >= to);
        Ok(())
    }
}

/// The rows of any number of links, with transactions that can be dropped.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    links: BTreeMap<MailboxId, LinkRows>,
}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub const fn new() -> Self {
        Self { links: BTreeMap::new() }
    }

    /// Returns the links that have rows. A wiped link has only its version left, and does not count.
    #[must_use]
    pub fn links(&self) -> Vec<MailboxId> {
        let has_rows = |pairs: &LinkRows| pairs.keys().any(|key| key != keys::VERSION);
        self.links.iter().filter(|(_, pairs)| has_rows(pairs)).map(|(link, _)| *link).collect()
    }

    /// Returns a copy of the rows of a link, as `Endpoint::load` takes them.
    #[must_use]
    pub fn link_rows(&self, link: MailboxId) -> LinkRows {
        self.links.get(&link).cloned().unwrap_or_default()
    }

    /// Begins a transaction. Dropping it leaves the store unchanged.
    pub const fn begin(&mut self) -> MemoryTxn<'_> {
        MemoryTxn { store: self, changed: BTreeMap::new() }
    }
}

/// A transaction over a [`MemoryStore`].
#[derive(Debug)]
pub struct MemoryTxn<'a> {
    store: &'a mut MemoryStore,
    /// The new rows of the links that this transaction has touched.
    changed: BTreeMap<MailboxId, LinkRows>,
}

impl MemoryTxn<'_> {
    /// Makes all writes of the transaction take effect.
    pub fn commit(self) {
        self.store.links.extend(self.changed);
    }

    fn link(&mut self, link: MailboxId) -> LinkRowsTxn<'_> {
        let store = &*self.store;
        LinkRowsTxn(self.changed.entry(link).or_insert_with(|| store.link_rows(link)))
    }
}

impl StoreTxn for MemoryTxn<'_> {
    type Error = Infallible;

    fn read(&mut self, link: MailboxId, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        self.link(link).read(link, key)
    }

    fn put(&mut self, link: MailboxId, key: &[u8], value: &[u8]) -> Result<(), Infallible> {
        self.link(link).put(link, key, value)
    }

    fn delete(&mut self, link: MailboxId, key: &[u8]) -> Result<(), Infallible> {
        self.link(link).delete(link, key)
    }

    fn delete_range(&mut self, link: MailboxId, from: &[u8], to: &[u8]) -> Result<(), Infallible> {
        self.link(link).delete_range(link, from, to)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::commit::{CommitError, CommitGate};

    const LINK: MailboxId = MailboxId::from_bytes([1; 16]);

    #[test]
    fn a_dropped_transaction_leaves_the_store_as_it_was() {
        let mut store = MemoryStore::new();
        let mut txn = store.begin();
        assert_eq!(txn.put(LINK, &[2], b"lost"), Ok(()));
        assert_eq!(txn.read(LINK, &[2]), Ok(Some(b"lost".to_vec())));
        drop(txn);
        assert!(store.link_rows(LINK).is_empty() && store.links().is_empty());
        let mut txn = store.begin();
        assert_eq!(txn.put(LINK, &[2], b"kept"), Ok(()));
        txn.commit();
        assert_eq!(store.links(), [LINK]);
    }

    #[test]
    fn a_version_of_another_length_fits_no_commit() {
        for bad in [&[][..], &[1], &[0; 7], &[0; 9], &[0xff; 8]] {
            for expects in [0, 1, u64::MAX - 1] {
                let mut pairs = LinkRows::new();
                drop(pairs.insert(keys::VERSION.to_vec(), Zeroizing::new(bad.to_vec())));
                let refused =
                    CommitGate::new(LINK, expects).open(vec![]).apply(&mut LinkRowsTxn::new(&mut pairs));
                assert_eq!(refused, Err(CommitError::Conflict { expected: expects, found: u64::MAX }));
            }
        }
    }
}
