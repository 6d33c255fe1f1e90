//! The sticky values of link mailboxes: two slots each. The number of mailboxes with a value is limited; the
//! least recently used are forgotten first.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use handfast_codec::ids::MailboxId;
use handfast_codec::role::DeviceRole;

use super::network::Network;

/// The sticky values of one mailbox: at most one for each role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    pub(crate) phone: Option<Bytes>,
    pub(crate) web: Option<Bytes>,
}

impl Slots {
    fn is_empty(&self) -> bool {
        self.phone.is_none() && self.web.is_none()
    }
}

#[derive(Debug)]
struct Entry {
    slots: Slots,
    /// When the mailbox was last used, as a number that counts the uses of all mailboxes.
    used: u64,
    /// The network that wrote a slot last. The mailbox counts for this network's limit.
    writer: Network,
}

/// All mailboxes with a value.
#[derive(Debug, Default)]
pub(crate) struct StickyStore {
    entries: BTreeMap<MailboxId, Entry>,
    /// An index of the mailboxes by their last use.
    by_use: BTreeSet<(u64, MailboxId)>,
    /// An index of the mailboxes by writer and last use.
    by_writer: BTreeMap<Network, BTreeSet<(u64, MailboxId)>>,
    uses: u64,
}

impl StickyStore {
    /// Returns the number of mailboxes with a value.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns both slots of a mailbox. This counts as a use of the mailbox.
    pub(crate) fn read(&mut self, mailbox: MailboxId) -> Slots {
        let Some(entry) = self.unlink(mailbox) else {
            return Slots::default();
        };
        let slots = entry.slots.clone();
        self.link(mailbox, entry);
        slots
    }

    /// Writes one slot of a mailbox; an empty value clears it. The value is copied, so that it keeps no
    /// receive buffer in memory. If there are then more than `max` mailboxes, or more than `max_of_writer` of
    /// this network, the least recently used one is forgotten.
    pub(crate) fn write(
        &mut self,
        mailbox: MailboxId,
        role: DeviceRole,
        value: &[u8],
        writer: Network,
        max: usize,
        max_of_writer: usize,
    ) {
        let mut slots = self.unlink(mailbox).map(|entry| entry.slots).unwrap_or_default();
        let slot = match role {
            DeviceRole::Phone => &mut slots.phone,
            DeviceRole::Web => &mut slots.web,
        };
        *slot = (!value.is_empty()).then(|| Bytes::copy_from_slice(value));
        if slots.is_empty() {
            return;
        }
        self.link(mailbox, Entry { slots, used: 0, writer });
        while self.by_writer.get(&writer).is_some_and(|own| own.len() > max_of_writer) {
            let oldest = self.by_writer.get(&writer).and_then(BTreeSet::first).copied();
            let _ = oldest.and_then(|(_, oldest)| self.unlink(oldest));
        }
        while self.entries.len() > max {
            let oldest = self.by_use.first().copied();
            let _ = oldest.and_then(|(_, oldest)| self.unlink(oldest));
        }
    }

    fn link(&mut self, mailbox: MailboxId, mut entry: Entry) {
        self.uses = self.uses.saturating_add(1);
        entry.used = self.uses;
        let _ = self.by_use.insert((entry.used, mailbox));
        let _ = self.by_writer.entry(entry.writer).or_default().insert((entry.used, mailbox));
        let _ = self.entries.insert(mailbox, entry);
    }

    fn unlink(&mut self, mailbox: MailboxId) -> Option<Entry> {
        let entry = self.entries.remove(&mailbox)?;
        let _ = self.by_use.remove(&(entry.used, mailbox));
        if let Some(own) = self.by_writer.get_mut(&entry.writer) {
            let _ = own.remove(&(entry.used, mailbox));
            if own.is_empty() {
                let _ = self.by_writer.remove(&entry.writer);
            }
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Network = Network::V4([192, 0, 2, 1]);
    const AWAY: Network = Network::V4([192, 0, 2, 2]);

    fn mailbox(n: u8) -> MailboxId {
        MailboxId::from_bytes([n; 16])
    }

    fn put(store: &mut StickyStore, n: u8, writer: Network) {
        store.write(mailbox(n), DeviceRole::Phone, &[n], writer, 4, 3);
    }

    fn held(store: &StickyStore) -> Vec<u8> {
        store.entries.keys().map(|id| id.as_bytes()[0]).collect()
    }

    #[test]
    fn the_least_recently_used_is_forgotten_past_the_cap() {
        let mut store = StickyStore::default();
        put(&mut store, 1, HOME);
        put(&mut store, 2, HOME);
        put(&mut store, 3, AWAY);
        put(&mut store, 4, AWAY);
        assert_eq!(held(&store), [1, 2, 3, 4], "exactly the cap fits");
        assert!(store.read(mailbox(1)).phone.is_some(), "a read is a use");
        put(&mut store, 5, AWAY);
        assert_eq!(held(&store), [1, 3, 4, 5]);
    }

    #[test]
    fn a_network_past_its_quota_loses_its_own() {
        let mut store = StickyStore::default();
        put(&mut store, 9, AWAY);
        for n in 1..=4 {
            put(&mut store, n, HOME);
        }
        assert_eq!(held(&store), [2, 3, 4, 9]);
    }

    #[test]
    fn an_emptied_mailbox_is_freed() {
        let mut store = StickyStore::default();
        store.write(mailbox(1), DeviceRole::Phone, b"p", HOME, 4, 3);
        store.write(mailbox(1), DeviceRole::Web, b"w", AWAY, 4, 3);
        store.write(mailbox(1), DeviceRole::Phone, b"", HOME, 4, 3);
        assert_eq!(store.read(mailbox(1)), Slots { phone: None, web: Some(Bytes::from_static(b"w")) });
        store.write(mailbox(1), DeviceRole::Web, b"", AWAY, 4, 3);
        assert_eq!(store.len(), 0);
        assert!(store.by_use.is_empty() && store.by_writer.is_empty(), "no index outlives its entry");
    }
}
