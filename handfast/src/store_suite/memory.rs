//! The suite's harness for the store that is in memory.

extern crate alloc;

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use handfast_codec::ids::MailboxId;
use handfast_session::{CommitError, LinkRows, MemoryStore, MemoryTxn, StoreTxn};

use super::harness::{Fault, StoreHarness, Write, WriteError};

/// A [`MemoryStore`] with a list of effects.
#[derive(Debug, Default)]
pub struct MemoryHarness(Rc<RefCell<Disk>>);

/// The state that all holders (simulated processes) of one store in memory share.
#[derive(Debug, Default)]
struct Disk {
    store: MemoryStore,
    effects: Vec<u64>,
}

/// A simulated process that has the store of a [`MemoryHarness`] open.
#[derive(Debug)]
pub struct MemoryHolder {
    disk: Rc<RefCell<Disk>>,
    fault: Option<Fault>,
}

/// A transaction whose calls are counted, so that a chosen one can fail.
struct FailingTxn<'a> {
    txn: MemoryTxn<'a>,
    fault: Option<Fault>,
    calls: u64,
}

impl<'a> FailingTxn<'a> {
    /// Counts a call of the transaction. Returns the transaction, or the call's number if the call must fail.
    fn call(&mut self) -> Result<&mut MemoryTxn<'a>, u64> {
        self.calls += 1;
        match self.fault {
            Some(Fault::Once(nth)) if self.calls == nth => Err(nth),
            Some(Fault::From(nth)) if self.calls >= nth => Err(nth),
            _ => Ok(&mut self.txn),
        }
    }
}

impl StoreTxn for FailingTxn<'_> {
    type Error = u64;

    fn read(&mut self, link: MailboxId, key: &[u8]) -> Result<Option<Vec<u8>>, u64> {
        self.call()?.read(link, key).map_err(|never| match never {})
    }

    fn put(&mut self, link: MailboxId, key: &[u8], value: &[u8]) -> Result<(), u64> {
        self.call()?.put(link, key, value).map_err(|never| match never {})
    }

    fn delete(&mut self, link: MailboxId, key: &[u8]) -> Result<(), u64> {
        self.call()?.delete(link, key).map_err(|never| match never {})
    }

    fn delete_range(&mut self, link: MailboxId, from: &[u8], to: &[u8]) -> Result<(), u64> {
        self.call()?.delete_range(link, from, to).map_err(|never| match never {})
    }
}

fn apply(txn: &mut FailingTxn<'_>, write: &Write<'_>) -> Result<(), WriteError> {
    for commit in write.commits {
        commit.apply(txn).map_err(|error| match error {
            CommitError::Store(call) => WriteError::Store(format!("call {call} failed")),
            _ => WriteError::Conflict,
        })?;
    }
    Ok(())
}

impl StoreHarness for MemoryHarness {
    type Holder = MemoryHolder;

    async fn new() -> Self {
        Self::default()
    }

    async fn open(&mut self) -> MemoryHolder {
        MemoryHolder { disk: Rc::clone(&self.0), fault: None }
    }

    async fn write(&mut self, holder: &mut MemoryHolder, write: &Write<'_>) -> Result<(), WriteError> {
        let Disk { store, effects } = &mut *holder.disk.borrow_mut();
        let mut txn = FailingTxn { txn: store.begin(), fault: holder.fault, calls: 0 };
        apply(&mut txn, write)?;
        txn.txn.commit();
        effects.extend(write.effect);
        Ok(())
    }

    async fn recover(&mut self, _: &mut MemoryHolder) {}

    async fn die_within(&mut self, holder: MemoryHolder, write: &Write<'_>) {
        let Disk { store, .. } = &mut *holder.disk.borrow_mut();
        let mut txn = FailingTxn { txn: store.begin(), fault: None, calls: 0 };
        apply(&mut txn, write).expect("nothing speaks against it");
    }

    async fn pairs(&mut self, holder: &mut MemoryHolder, link: MailboxId) -> LinkRows {
        holder.disk.borrow().store.link_rows(link)
    }

    async fn links(&mut self, holder: &mut MemoryHolder) -> Vec<MailboxId> {
        holder.disk.borrow().store.links()
    }

    async fn effects(&mut self, holder: &mut MemoryHolder) -> Vec<u64> {
        holder.disk.borrow().effects.clone()
    }

    fn set_fault(&mut self, holder: &mut MemoryHolder, fault: Option<Fault>) {
        holder.fault = fault;
    }
}

#[cfg(test)]
mod tests {
    crate::store_suite!(super::MemoryHarness);
}
