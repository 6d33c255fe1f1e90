//! The phone's store under the suite that every store passes. An effect is a message of chat 1.

use handfast::store_suite::files::{DatabaseHarness, DatabaseStore};

use super::*;

impl DatabaseStore for Store {
    const DATABASE: &'static str = DATABASE;
    type Error = StoreError;

    fn create(dir: &Path) -> Result<(), StoreError> {
        Self::open_or_create(dir, "Ada", |store| store.add_chat(1, "Bo", "Bo")).map(drop)
    }

    fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open(dir).map(|(store, _)| store)
    }

    fn apply(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.apply(commit)
    }

    fn put_effect(&mut self, effect: u64) -> Result<(), StoreError> {
        self.add_message(&new(1, &effect.to_string())).map(drop)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.commit()
    }

    fn roll_back(&mut self) -> Result<(), StoreError> {
        self.roll_back()
    }

    fn is_conflict(error: &StoreError) -> bool {
        *error == StoreError::Conflict
    }

    fn effects(&self) -> Vec<u64> {
        let stored = self.history(1, 0, 1_000).unwrap();
        stored.iter().rev().map(|stored| stored.message.text.parse().unwrap()).collect()
    }

    fn database(&mut self) -> &mut Database {
        &mut self.conn
    }
}

handfast::store_suite!(DatabaseHarness<Store>);
handfast::store_file_suite!(DatabaseHarness<Store>);
