//! The companion's store under the suite that every store passes. An effect is a command that was sent.

use handfast::store_suite::files::{DatabaseHarness, DatabaseStore};

use super::*;

impl DatabaseStore for Store {
    const DATABASE: &'static str = DB_FILE;
    type Error = StoreError;

    fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open(dir)
    }

    fn apply(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.apply(commit)
    }

    fn put_effect(&mut self, effect: u64) -> Result<(), StoreError> {
        let key = CommandKey::from_bytes(u128::from(effect).to_be_bytes());
        self.put_command(key, None, "send_text", b"", CommandState::Queued)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.commit()
    }

    fn roll_back(&mut self) -> Result<(), StoreError> {
        self.roll_back()
    }

    fn is_conflict(error: &StoreError) -> bool {
        matches!(error, StoreError::Conflict { .. })
    }

    fn effects(&self) -> Vec<u64> {
        let mut query = self.conn.prepare("SELECT command FROM commands ORDER BY id").expect("prepared");
        let number = |key: [u8; 16]| key.into_iter().fold(0, |number, byte| (number << 8) | u64::from(byte));
        let rows = query.query_map([], |row| row.get(0).map(number)).expect("read");
        rows.map(|row| row.expect("read")).collect()
    }

    fn database(&mut self) -> &mut Database {
        &mut self.conn
    }
}

handfast::store_suite!(DatabaseHarness<Store>);
handfast::store_file_suite!(DatabaseHarness<Store>);
