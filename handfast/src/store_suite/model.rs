//! A model of what a store should contain, and the commits that tests apply to store and model.

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;

use handfast_codec::ids::MailboxId;
use handfast_session::VERSION_KEY;
use handfast_session::testing::commit;
use handfast_session::{Commit, LinkRows, MemoryStore, Op};
use zeroize::Zeroizing;

use super::harness::{StoreHarness, Write, WriteError};

/// The link that most cases use.
pub(crate) const LINK: MailboxId = MailboxId::from_bytes([7; 16]);
/// A second link.
pub(crate) const OTHER: MailboxId = MailboxId::from_bytes([8; 16]);
/// A key whose values are key material, which a store may wrap.
pub(crate) const SECRET: &[u8] = &[0x01];
/// A key whose values are not secret.
pub(crate) const PLAIN: &[u8] = &[0x11];

pub(crate) fn put(key: &[u8], value: &[u8]) -> Op {
    Op::Put { key: key.to_vec(), value: Zeroizing::new(value.to_vec()) }
}

pub(crate) fn delete_range(from: &[u8], to: &[u8]) -> Op {
    Op::DeleteRange { from: from.to_vec(), to: to.to_vec() }
}

/// Returns a commit that expects version `expects`, and contains every kind of operation.
pub(crate) fn mixed(link: MailboxId, expects: u64) -> Commit {
    let number = expects.to_be_bytes();
    commit(
        link,
        expects,
        vec![
            put(SECRET, &[b"secret ".as_slice(), &number].concat()),
            put(PLAIN, &number),
            put(&[&[0x20], number.as_slice()].concat(), &vec![0x5a; 3_000]),
            delete_range(&[0x21], &[0x22]),
            put(&[&[0x21], number.as_slice()].concat(), &[]),
            Op::Delete { key: [&[0x20], expects.saturating_sub(3).to_be_bytes().as_slice()].concat() },
        ],
    )
}

/// The content that the store should have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) store: MemoryStore,
    pub(crate) effects: Vec<u64>,
}

impl Model {
    /// Applies to the model a write that the store has accepted.
    pub(crate) fn take(&mut self, write: &Write<'_>) {
        let mut txn = self.store.begin();
        for commit in write.commits {
            commit.apply(&mut txn).expect("the model is at the version that the commit expects");
        }
        txn.commit();
        self.effects.extend(write.effect);
    }

    /// Returns the version of a link; 0 when nothing is stored.
    pub(crate) fn version(&self, link: MailboxId) -> u64 {
        version(&self.store.link_rows(link))
    }
}

/// Returns the version that is stored in the rows of a link.
pub(crate) fn version(pairs: &LinkRows) -> u64 {
    pairs.get(VERSION_KEY).map_or(0, |bytes| {
        u64::from_be_bytes(bytes.as_slice().try_into().expect("a version has eight bytes"))
    })
}

/// A store, and a model of what it should contain.
pub(crate) struct Pair<H: StoreHarness> {
    pub(crate) harness: H,
    pub(crate) model: Model,
}

impl<H: StoreHarness> Pair<H> {
    pub(crate) async fn new() -> Self {
        Self { harness: H::new().await, model: Model::default() }
    }

    /// Writes to store and model. The store must succeed.
    pub(crate) async fn write(&mut self, holder: &mut H::Holder, commits: &[Commit], effect: u64) {
        let write = Write { commits, effect: Some(effect) };
        assert_eq!(self.harness.write(holder, &write).await, Ok(()), "a write that nothing speaks against");
        self.model.take(&write);
    }

    /// Attempts a write that the store must refuse, because a commit expects another version.
    pub(crate) async fn conflict(&mut self, holder: &mut H::Holder, commits: &[Commit], effect: u64) {
        let write = Write { commits, effect: Some(effect) };
        assert_eq!(self.harness.write(holder, &write).await, Err(WriteError::Conflict));
    }

    /// Checks that the store contains what the model contains.
    pub(crate) async fn check(&mut self, holder: &mut H::Holder, when: &str) {
        for link in [LINK, OTHER] {
            let pairs = self.harness.pairs(holder, link).await;
            assert!(pairs == self.model.store.link_rows(link), "{when}: the rows of {link} are others");
        }
        assert_eq!(self.harness.links(holder).await, self.model.store.links(), "{when}");
        assert_eq!(self.harness.effects(holder).await, self.model.effects, "{when}");
    }

    /// Checks, after a restart, that the store contains what the model contains.
    pub(crate) async fn check_reopened(&mut self, when: &str) {
        let mut holder = self.harness.open().await;
        self.check(&mut holder, when).await;
    }
}
