//! The store of both sides: redb, a database in one file without SQL. Three functions are all that a tether asks for.

use std::path::Path;

use handfast::tether::{Backend, Batch, Entry, TetherError};
use redb::{Database, Error, ReadableDatabase as _, TableDefinition};

const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");

/// An open database.
#[derive(Debug)]
pub(crate) struct Redb(Database);

impl Redb {
    pub(crate) fn open(path: &Path) -> Result<Self, TetherError> {
        let open = || {
            let database = Database::create(path)?;
            let txn = database.begin_write()?;
            // Creates the table, which readers need.
            let _ = txn.open_table(ENTRIES)?;
            txn.commit()?;
            Ok(Self(database))
        };
        open().map_err(failed)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let table = self.0.begin_read()?.open_table(ENTRIES)?;
        Ok(table.get(key)?.map(|value| value.value().to_vec()))
    }

    fn range(&self, from: &[u8], to: &[u8], max: usize) -> Result<Vec<Entry>, Error> {
        let table = self.0.begin_read()?.open_table(ENTRIES)?;
        let mut entries = Vec::new();
        for entry in table.range(from..to)?.take(max) {
            let (key, value) = entry?;
            entries.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(entries)
    }

    fn store(&self, batch: &Batch) -> Result<(), Error> {
        let txn = self.0.begin_write()?;
        {
            let mut table = txn.open_table(ENTRIES)?;
            for (key, value) in batch {
                let _ = match value {
                    Some(value) => table.insert(key.as_slice(), value.as_slice())?,
                    None => table.remove(key.as_slice())?,
                };
            }
        }
        // Returns when it is on the disk.
        Ok(txn.commit()?)
    }
}

fn failed(error: Error) -> TetherError {
    TetherError::Backend(Box::new(error))
}

impl Backend for Redb {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, TetherError> {
        self.read(key).map_err(failed)
    }

    fn scan(&self, from: &[u8], to: &[u8], max: usize) -> Result<Vec<Entry>, TetherError> {
        self.range(from, to, max).map_err(failed)
    }

    fn write(&mut self, batch: Batch) -> Result<(), TetherError> {
        self.store(&batch).map_err(failed)
    }
}
