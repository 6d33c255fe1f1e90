//! The store below a tether: an ordered map of bytes. SQLite is one; an application may bring another.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use rusqlite::{OptionalExtension as _, params};

use super::TetherError;
use crate::sqlite::Database;

/// What a round writes: the value of each key, or `None` for one that is removed.
pub type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// The longest key that a backend is given, in bytes.
pub const KEY_LEN_MAX: usize = 129;

/// A store for a tether: an ordered map of bytes. Keys have 1 to [`KEY_LEN_MAX`] bytes and are compared byte by byte;
/// a value has at most 2 MiB. Secrets are encrypted before they come here.
///
/// Everything a tether promises rests on [`Backend::write`]. The last four functions are for a store in whose
/// own transaction the application writes, too; without them there is none.
pub trait Backend: Any + fmt::Debug + Send {
    /// Returns the value of a key.
    ///
    /// # Errors
    ///
    /// [`TetherError::Backend`].
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, TetherError>;

    /// Returns the first `max` entries with `from <= key < to`, in ascending order.
    ///
    /// # Errors
    ///
    /// [`TetherError::Backend`].
    fn scan(&self, from: &[u8], to: &[u8], max: usize) -> Result<Vec<Entry>, TetherError>;

    /// Writes a batch as a whole or not at all. It must be on the disk when this returns, and outlive a failure of
    /// power.
    ///
    /// # Errors
    ///
    /// [`TetherError::Backend`]; nothing was written then.
    fn write(&mut self, batch: Batch) -> Result<(), TetherError>;

    /// Opens the store's own transaction, unless it is open. [`Backend::write`] ends it.
    ///
    /// # Errors
    ///
    /// [`TetherError::Backend`].
    fn begin(&mut self) -> Result<(), TetherError> {
        Ok(())
    }

    /// Returns whether the store's own transaction is open.
    fn is_open(&self) -> bool {
        false
    }

    /// Begins a part of the store's own transaction, or ends it: with its writes, or with all of them undone.
    ///
    /// # Errors
    ///
    /// [`TetherError::Backend`].
    fn part(&mut self, part: Part) -> Result<(), TetherError> {
        let _ = part;
        Ok(())
    }

    /// Undoes the store's own transaction, if it is open.
    ///
    /// # Errors
    ///
    /// [`TetherError::Backend`]; it is called again before anything else.
    fn roll_back(&mut self) -> Result<(), TetherError> {
        Ok(())
    }
}

/// What happens to a part of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a part begins and ends in one of two ways")]
pub enum Part {
    /// It begins.
    Begin,
    /// It ends, and its writes stay.
    Keep,
    /// It ends, and its writes are undone.
    Undo,
}

/// The tables of a tether in SQLite, beside those of the application.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS handfast_tether(
    key BLOB PRIMARY KEY, value BLOB NOT NULL
) STRICT, WITHOUT ROWID";

impl Backend for Database {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, TetherError> {
        let mut query = self.prepare_cached("SELECT value FROM handfast_tether WHERE key = ?1")?;
        Ok(query.query_row([key], |row| row.get(0)).optional()?)
    }

    fn scan(&self, from: &[u8], to: &[u8], max: usize) -> Result<Vec<Entry>, TetherError> {
        let query =
            "SELECT key, value FROM handfast_tether WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
        let mut query = self.prepare_cached(query)?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = query.query_map(params![from, to, max], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn write(&mut self, batch: Batch) -> Result<(), TetherError> {
        let conn = Self::write(self)?;
        let put =
            "INSERT INTO handfast_tether VALUES(?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        let mut put = conn.prepare_cached(put)?;
        let mut delete = conn.prepare_cached("DELETE FROM handfast_tether WHERE key = ?1")?;
        for (key, value) in batch {
            let _ = match value {
                Some(value) => put.execute(params![key, value])?,
                None => delete.execute([key])?,
            };
        }
        drop((put, delete));
        Ok(self.commit()?)
    }

    fn begin(&mut self) -> Result<(), TetherError> {
        let _ = Self::write(self)?;
        Ok(())
    }

    fn is_open(&self) -> bool {
        Self::is_open(self)
    }

    fn part(&mut self, part: Part) -> Result<(), TetherError> {
        let sql = match part {
            Part::Begin => "SAVEPOINT part",
            Part::Keep => "RELEASE part",
            Part::Undo => "ROLLBACK TO part; RELEASE part",
        };
        Ok(Self::write(self)?.execute_batch(sql)?)
    }

    fn roll_back(&mut self) -> Result<(), TetherError> {
        Ok(Self::roll_back(self)?)
    }
}

/// A backend, and what the open round has written to it so far.
#[derive(Debug)]
pub(super) struct Buffered {
    pub(super) backend: Box<dyn Backend>,
    batch: Batch,
    /// What stood in the batch before each write of the open part, the last one at the end.
    part: Option<Vec<(Vec<u8>, Before)>>,
}

/// What a batch said of a key.
type Before = Option<Option<Vec<u8>>>;

impl Buffered {
    pub(super) fn new(backend: Box<dyn Backend>) -> Self {
        Self { backend, batch: Batch::new(), part: None }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, TetherError> {
        self.batch.get(key).map_or_else(|| self.backend.get(key), |written| Ok(written.clone()))
    }

    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.set(key, Some(value));
    }

    pub(super) fn delete(&mut self, key: Vec<u8>) {
        self.set(key, None);
    }

    fn set(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        debug_assert!(key.len() <= KEY_LEN_MAX, "a key of {} bytes", key.len());
        let Some(part) = &mut self.part else { return drop(self.batch.insert(key, value)) };
        let before = self.batch.insert(key.clone(), value);
        part.push((key, before));
    }

    /// Returns the first `max` entries with `from <= key < to`, in ascending order.
    pub(super) fn scan(&self, from: &[u8], to: &[u8], max: usize) -> Result<Vec<Entry>, TetherError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let written: Vec<_> =
            self.batch.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to))).collect();
        // Each written entry hides one stored entry at most.
        let stored = self.backend.scan(from, to, max.saturating_add(written.len()))?;
        if written.is_empty() {
            return Ok(stored);
        }
        let mut found: BTreeMap<_, _> = stored.into_iter().collect();
        for (key, value) in written {
            match value {
                Some(value) => drop(found.insert(key.clone(), value.clone())),
                None => drop(found.remove(key)),
            }
        }
        Ok(found.into_iter().take(max).collect())
    }

    pub(super) fn begin_part(&mut self) -> Result<(), TetherError> {
        self.backend.begin()?;
        self.part = Some(Vec::new());
        self.backend.part(Part::Begin)
    }

    pub(super) fn end_part(&mut self, is_kept: bool) -> Result<(), TetherError> {
        let written = self.part.take().filter(|_| !is_kept).unwrap_or_default();
        for (key, before) in written.into_iter().rev() {
            match before {
                Some(before) => drop(self.batch.insert(key, before)),
                None => drop(self.batch.remove(&key)),
            }
        }
        self.backend.part(if is_kept { Part::Keep } else { Part::Undo })
    }

    /// Makes durable what was written. Returns whether there was anything.
    pub(super) fn commit(&mut self) -> Result<bool, TetherError> {
        let is_open = !self.batch.is_empty() || self.backend.is_open();
        if is_open {
            self.backend.write(std::mem::take(&mut self.batch))?;
        }
        Ok(is_open)
    }

    pub(super) fn roll_back(&mut self) -> Result<(), TetherError> {
        self.batch.clear();
        self.part = None;
        self.backend.roll_back()
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

    use super::*;

    /// A backend in memory, without a transaction of its own.
    #[derive(Debug, Default)]
    struct Memory(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Backend for Memory {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, TetherError> {
            Ok(self.0.get(key).cloned())
        }

        fn scan(&self, from: &[u8], to: &[u8], max: usize) -> Result<Vec<Entry>, TetherError> {
            let entries = self.0.range(from.to_vec()..to.to_vec()).take(max);
            Ok(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
        }

        fn write(&mut self, batch: Batch) -> Result<(), TetherError> {
            for (key, value) in batch {
                match value {
                    Some(value) => drop(self.0.insert(key, value)),
                    None => drop(self.0.remove(&key)),
                }
            }
            Ok(())
        }
    }

    fn sqlite() -> Database {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        conn.execute_batch(TABLE).unwrap();
        Database::new(conn, crate::sqlite::DeviceKey::generate().unwrap(), None)
    }

    /// Does the same to the buffer and to a map, and compares what both return.
    fn compare(backend: Box<dyn Backend>, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut buffered = Buffered::new(backend);
        let (mut now, mut stored) = (BTreeMap::new(), BTreeMap::new());
        let mut part = None;
        for step in 0..400_u32 {
            let key = vec![1, rng.next_u32().to_be_bytes()[0] % 16];
            match rng.next_u32() % 12 {
                0..5 => {
                    buffered.put(key.clone(), step.to_be_bytes().to_vec());
                    let _ = now.insert(key, step.to_be_bytes().to_vec());
                }
                5..8 => {
                    buffered.delete(key.clone());
                    drop(now.remove(&key));
                }
                8 if part.is_none() => {
                    buffered.begin_part().unwrap();
                    part = Some(now.clone());
                }
                8 => {
                    let is_kept = rng.next_u32() % 2 == 0;
                    buffered.end_part(is_kept).unwrap();
                    now = part.take().filter(|_| !is_kept).unwrap_or(now);
                }
                9 if part.is_none() => {
                    let _ = buffered.commit().unwrap();
                    stored.clone_from(&now);
                }
                10 if part.is_none() => {
                    buffered.roll_back().unwrap();
                    now.clone_from(&stored);
                }
                _ => {
                    let max = 1 + rng.next_u32() as usize % 18;
                    let expected: Vec<Entry> =
                        now.range(key.clone()..).take(max).map(|(k, v)| (k.clone(), v.clone())).collect();
                    assert_eq!(buffered.scan(&key, &[2], max).unwrap(), expected, "seed {seed}, step {step}");
                    assert_eq!(buffered.get(&key).unwrap().as_ref(), now.get(&key));
                }
            }
        }
    }

    #[test]
    fn what_a_round_wrote_is_read_in_its_place_and_undone_as_a_whole() {
        for seed in 0..40 {
            compare(Box::new(Memory::default()), seed);
            compare(Box::new(sqlite()), seed);
        }
        assert!(Buffered::new(Box::new(Memory::default())).scan(&[2], &[1], 9).unwrap().is_empty());
    }
}
