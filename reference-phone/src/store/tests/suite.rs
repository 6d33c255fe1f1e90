//! The phone's store under the suite that every store passes. An effect is a message of chat 1.

use std::path::PathBuf;

use handfast::store_suite::files::FileHarness;
use handfast::store_suite::{Fault, StoreHarness, Write, WriteError, interrupt};

use super::*;

struct Harness {
    dir: PathBuf,
    _dir: Option<tempfile::TempDir>,
}

fn failed(error: &StoreError) -> WriteError {
    match error {
        StoreError::Conflict => WriteError::Conflict,
        other => WriteError::Store(other.to_string()),
    }
}

/// Everything of a transaction but its end.
fn put(store: &mut Store, write: &Write<'_>) -> Result<(), StoreError> {
    for commit in write.commits {
        store.apply(commit)?;
    }
    if let Some(effect) = write.effect {
        let _ = store.add_message(&new(1, &effect.to_string()))?;
    }
    Ok(())
}

impl StoreHarness for Harness {
    type Holder = Store;

    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open_or_create(dir.path(), "Ada", |store| store.add_chat(1, "Bo", "Bo")).unwrap());
        Self { dir: dir.path().to_path_buf(), _dir: Some(dir) }
    }

    async fn open(&mut self) -> Store {
        Store::open(&self.dir).unwrap().0
    }

    async fn write(&mut self, store: &mut Store, write: &Write<'_>) -> Result<(), WriteError> {
        put(store, write).and_then(|()| store.commit()).map_err(|error| {
            // Where this fails, `recover` does it.
            let _ = store.roll_back();
            failed(&error)
        })
    }

    async fn recover(&mut self, store: &mut Store) {
        store.roll_back().unwrap();
    }

    async fn die_within(&mut self, mut store: Store, write: &Write<'_>) {
        put(&mut store, write).unwrap();
    }

    async fn pairs(&mut self, store: &mut Store, link: MailboxId) -> Pairs {
        store.pairs(link).unwrap()
    }

    async fn links(&mut self, store: &mut Store) -> Vec<MailboxId> {
        store.links().unwrap()
    }

    async fn effects(&mut self, store: &mut Store) -> Vec<u64> {
        let stored = store.history(1, 0, 1_000).unwrap();
        stored.iter().rev().map(|stored| stored.message.text.parse().unwrap()).collect()
    }

    fn set_fault(&mut self, store: &mut Store, fault: Option<Fault>) {
        interrupt(&mut store.conn, fault);
    }
}

impl FileHarness for Harness {
    const DATABASE: &'static str = DATABASE;

    fn at(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), _dir: None }
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn try_open(&mut self) -> Result<Store, String> {
        Store::open(&self.dir).map(|(store, _)| store).map_err(|error| error.to_string())
    }

    fn conn(store: &mut Store) -> &mut Connection {
        &mut store.conn
    }
}

handfast::store_suite!(Harness);
handfast::store_file_suite!(Harness);
