//! The companion's store under the suite that every store passes. An effect is a command that was sent.

use handfast::store_suite::files::FileHarness;
use handfast::store_suite::{Fault, StoreHarness, Write, WriteError, interrupt};

use super::*;

struct Harness {
    dir: PathBuf,
    _dir: Option<tempfile::TempDir>,
}

fn failed(error: &StoreError) -> WriteError {
    match error {
        StoreError::Conflict { .. } => WriteError::Conflict,
        other => WriteError::Store(other.to_string()),
    }
}

/// The key of the command with this number.
fn key_of(number: u64) -> CommandKey {
    CommandKey::from_bytes(u128::from(number).to_be_bytes())
}

/// Everything of a transaction but its end.
fn put(store: &mut Store, write: &Write<'_>) -> Result<(), StoreError> {
    for commit in write.commits {
        store.apply(commit)?;
    }
    if let Some(effect) = write.effect {
        store.put_command(key_of(effect), None, "send_text", b"", CommandState::Queued)?;
    }
    Ok(())
}

impl StoreHarness for Harness {
    type Holder = Store;

    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir: dir.path().to_path_buf(), _dir: Some(dir) }
    }

    async fn open(&mut self) -> Store {
        Store::open(&self.dir).expect("opened")
    }

    async fn write(&mut self, store: &mut Store, write: &Write<'_>) -> Result<(), WriteError> {
        put(store, write).and_then(|()| store.commit()).map_err(|error| {
            // Where this fails, `recover` does it.
            let _ = store.roll_back();
            failed(&error)
        })
    }

    async fn recover(&mut self, store: &mut Store) {
        store.roll_back().expect("it works again");
    }

    async fn die_within(&mut self, mut store: Store, write: &Write<'_>) {
        put(&mut store, write).expect("nothing speaks against it");
    }

    async fn pairs(&mut self, store: &mut Store, link: MailboxId) -> Pairs {
        store.pairs(link).expect("read")
    }

    async fn links(&mut self, store: &mut Store) -> Vec<MailboxId> {
        sqlite::links(&store.conn).expect("read")
    }

    async fn effects(&mut self, store: &mut Store) -> Vec<u64> {
        let mut query = store.conn.prepare("SELECT command FROM commands ORDER BY id").expect("prepared");
        let number = |key: [u8; 16]| key.into_iter().fold(0, |number, byte| (number << 8) | u64::from(byte));
        let rows = query.query_map([], |row| row.get(0).map(number)).expect("read");
        rows.map(|row| row.expect("read")).collect()
    }

    fn set_fault(&mut self, store: &mut Store, fault: Option<Fault>) {
        interrupt(&mut store.conn, fault);
    }
}

impl FileHarness for Harness {
    const DATABASE: &'static str = DB_FILE;

    fn at(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), _dir: None }
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn try_open(&mut self) -> Result<Store, String> {
        Store::open(&self.dir).map_err(|error| error.to_string())
    }

    fn conn(store: &mut Store) -> &mut Connection {
        &mut store.conn
    }
}

handfast::store_suite!(Harness);
handfast::store_file_suite!(Harness);
