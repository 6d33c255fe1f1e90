//! The store of a tether: one transaction for all that one input causes, and a directory for content.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use handfast_codec::ids::{ContentId, MailboxId};
use handfast_session::pairing::{KeysInUse, peer_keys};
use handfast_session::{Commit, CommitError, LinkRows, StoreTxn, VERSION_KEY, is_secret};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::backend::{Backend, Buffered, TABLE};
use super::{TetherError, keys};
use crate::DeviceRole;
use crate::content_files::SyncIn;
use crate::sqlite::{self, Database, DeviceKey, SqliteError};

/// The account's own values are wrapped like those of a link that nobody has.
const ACCOUNT: MailboxId = MailboxId::from_bytes([0; 16]);
/// The number of entries that are read at once.
const SCAN_STEP: usize = 256;

/// The directory of one side, used by this process alone: a backend, the device key, content.
pub struct Store {
    pub(super) entries: Buffered,
    key: Arc<DeviceKey>,
    pub(super) dir: PathBuf,
    /// Where content that comes is made durable.
    pub(super) sync_in: SyncIn,
    /// Content that was forgotten in the open transaction, whose files are to be removed.
    pub(super) removed: Vec<ContentId>,
    /// Locked for as long as this process uses the directory.
    _lock: File,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the directory, with SQLite as its backend (`handfast.db`), and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// [`TetherError`] if the directory is in use or cannot be read.
    pub fn open(dir: &Path) -> Result<Self, TetherError> {
        Self::open_over(dir, |key| {
            let (conn, reserve) = sqlite::open_reserved(&dir.join("handfast.db"))?;
            conn.execute_batch(TABLE)?;
            Ok(Box::new(Database::new(conn, key, Some(reserve))))
        })
    }

    /// Opens the directory, and creates it if it does not exist, with the backend that `backend` opens, once no
    /// other process can.
    ///
    /// # Errors
    ///
    /// [`TetherError`] if the directory is in use or cannot be read; the error of `backend`.
    pub fn open_with<B: Backend>(
        dir: &Path,
        backend: impl FnOnce() -> Result<B, TetherError>,
    ) -> Result<Self, TetherError> {
        Self::open_over(dir, |_| Ok(Box::new(backend()?)))
    }

    fn open_over(
        dir: &Path,
        backend: impl FnOnce(Arc<DeviceKey>) -> Result<Box<dyn Backend>, TetherError>,
    ) -> Result<Self, TetherError> {
        let failed = |error: std::io::Error| sqlite::file::error(dir, &error);
        std::fs::create_dir_all(dir).map_err(failed)?;
        let lock = File::create(dir.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|_| TetherError::InUse(dir.to_owned()))?;
        sqlite::file::require_dir(&dir.join("content"))?;
        let key = Arc::new(DeviceKey::load_or_create(&dir.join("device.key"))?);
        let entries = Buffered::new(backend(Arc::clone(&key))?);
        let mut store = Self {
            entries,
            key,
            dir: dir.to_owned(),
            sync_in: SyncIn::Caller,
            removed: Vec::new(),
            _lock: lock,
        };
        store.forget_ages()?;
        Ok(store)
    }

    /// Calls `each` with every entry whose key begins with `prefix`, and with the rest of its key.
    pub(super) fn for_each(
        &self,
        prefix: &[u8],
        mut each: impl FnMut(&[u8], Vec<u8>) -> Result<(), TetherError>,
    ) -> Result<(), TetherError> {
        let rest = |key: Vec<u8>, value| each(key.get(prefix.len()..).unwrap_or_default(), value);
        self.for_each_between(prefix, &keys::end_of(prefix), rest)
    }

    /// Calls `each` with the key and value of every entry with `from <= key < to`.
    fn for_each_between(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(Vec<u8>, Vec<u8>) -> Result<(), TetherError>,
    ) -> Result<(), TetherError> {
        let mut from = from.to_vec();
        loop {
            let entries = self.entries.scan(&from, to, SCAN_STEP)?;
            let Some((last, _)) = entries.last() else { return Ok(()) };
            from = keys::after(last.clone());
            for (key, value) in entries {
                each(key, value)?;
            }
        }
    }

    /// Returns a number, 0 if there is none under this key.
    pub(super) fn number(&self, key: &[u8]) -> Result<u64, TetherError> {
        Ok(self.entries.get(key)?.map_or(Ok(0), |value| number_of(&value))?)
    }

    /// Applies a commit of a machine.
    pub(super) fn apply(&mut self, commit: &Commit) -> Result<(), TetherError> {
        commit.apply(self).map_err(|error| match error {
            CommitError::Conflict { expected, found } => TetherError::Conflict { expected, found },
            CommitError::Store(error) => error,
            error => TetherError::Backend(Box::new(error)),
        })
    }

    /// Returns the rows of each stored link, with secrets unwrapped.
    pub(super) fn links(&self) -> Result<Vec<(MailboxId, LinkRows)>, TetherError> {
        let mut links = Vec::<(MailboxId, LinkRows)>::new();
        self.for_each(&keys::links(), |key, value| {
            let (link, key) = key.split_first_chunk().ok_or(SqliteError::Damaged)?;
            let link = MailboxId::from_bytes(*link);
            if links.last().is_none_or(|(last, _)| *last != link) {
                links.push((link, LinkRows::new()));
            }
            let value = self.unwrap(link, key, Zeroizing::new(value))?;
            if let Some((_, rows)) = links.last_mut() {
                drop(rows.insert(key.to_vec(), value));
            }
            Ok(())
        })?;
        // Of a revoked or wiped link only the version is left, which keeps an old machine from writing again.
        links.retain(|(_, rows)| rows.keys().any(|key| key != VERSION_KEY));
        Ok(links)
    }

    fn unwrap(
        &self,
        link: MailboxId,
        key: &[u8],
        value: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, TetherError> {
        Ok(if is_secret(key) { self.key.unwrap(link, key, &value)? } else { value })
    }

    /// Returns how long ago a link was loaded for the first time, by the clock of the wall: a link that its peer
    /// has not confirmed lapses although the process was restarted.
    pub(super) fn age(&mut self, link: MailboxId) -> Result<Duration, TetherError> {
        // The clock of the wall may have been set back.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let found = self.entries.get(&keys::since(link))?;
        if found.is_none() {
            self.entries.put(keys::since(link), now.to_be_bytes().to_vec());
        }
        let at = found.map_or(Ok(now), |at| number_of(&at))?;
        Ok(Duration::from_secs(now.saturating_sub(at)))
    }

    /// Forgets since when there were links that are gone.
    fn forget_ages(&mut self) -> Result<(), TetherError> {
        let mut gone = Vec::new();
        self.for_each(&keys::all_since(), |link, _| {
            let link = MailboxId::from_bytes(*link.first_chunk().ok_or(SqliteError::Damaged)?);
            let rows = keys::link(link, &[]);
            if self.entries.scan(&rows, &keys::end_of(&rows), 1)?.is_empty() {
                gone.push(link);
            }
            Ok(())
        })?;
        for link in gone {
            self.entries.delete(keys::since(link));
        }
        Ok(())
    }

    /// Returns the peers' keys of all present and former links.
    pub(super) fn keys_in_use(&self) -> Result<KeysInUse, TetherError> {
        // A key of two links would show the relay that they belong together.
        // req: CRT-003, CRT-013
        let mut keys = Vec::<[u8; 32]>::new();
        self.for_each(&keys::all_used_keys(), |key, _| {
            keys.push(key.try_into().map_err(|_| SqliteError::Damaged)?);
            Ok(())
        })?;
        Ok(keys.into_iter().collect())
    }

    /// Notes the keys of a link's peer for good, because no later link may use them.
    pub(super) fn note_keys(&mut self, role: DeviceRole, rows: &LinkRows) -> Result<(), TetherError> {
        for key in peer_keys(role, rows)? {
            let key = keys::used_key(&key);
            if self.entries.get(&key)?.is_none() {
                self.entries.put(key, Vec::new());
            }
        }
        Ok(())
    }

    /// Returns a serial number for a new companion, which no other has had.
    pub(super) fn next_serial(&mut self) -> Result<u64, TetherError> {
        let serial = self.number(&keys::serial())?.saturating_add(1);
        self.entries.put(keys::serial(), serial.to_be_bytes().to_vec());
        Ok(serial)
    }

    /// Returns a secret of the account by its name. It is drawn and stored the first time.
    pub(super) fn identity<const N: usize>(
        &mut self,
        name: &str,
        rng: &mut dyn CryptoRng,
    ) -> Result<Zeroizing<[u8; N]>, TetherError> {
        let mut secret = Zeroizing::new([0; N]);
        if let Some(stored) = self.entries.get(&keys::secret(name))? {
            let value = self.key.unwrap(ACCOUNT, name.as_bytes(), &stored)?;
            *secret = value.as_slice().try_into().map_err(|_| SqliteError::Damaged)?;
        } else {
            rng.fill_bytes(secret.as_mut_slice());
            let wrapped = self.key.wrap(ACCOUNT, name.as_bytes(), secret.as_slice())?;
            self.entries.put(keys::secret(name), wrapped);
        }
        Ok(secret)
    }
}

/// Reads a number of 8 bytes.
pub(super) fn number_of(value: &[u8]) -> Result<u64, SqliteError> {
    Ok(u64::from_be_bytes(value.try_into().map_err(|_| SqliteError::Damaged)?))
}

impl StoreTxn for Store {
    type Error = TetherError;

    fn read(&mut self, link: MailboxId, key: &[u8]) -> Result<Option<Vec<u8>>, TetherError> {
        let Some(stored) = self.entries.get(&keys::link(link, key))? else { return Ok(None) };
        Ok(Some(self.unwrap(link, key, Zeroizing::new(stored))?.to_vec()))
    }

    fn put(&mut self, link: MailboxId, key: &[u8], value: &[u8]) -> Result<(), TetherError> {
        let value = if is_secret(key) { self.key.wrap(link, key, value)? } else { value.to_vec() };
        self.entries.put(keys::link(link, key), value);
        Ok(())
    }

    fn delete(&mut self, link: MailboxId, key: &[u8]) -> Result<(), TetherError> {
        self.entries.delete(keys::link(link, key));
        Ok(())
    }

    fn delete_range(&mut self, link: MailboxId, from: &[u8], to: &[u8]) -> Result<(), TetherError> {
        let mut gone = Vec::new();
        self.for_each_between(&keys::link(link, from), &keys::link(link, to), |key, _| {
            gone.push(key);
            Ok(())
        })?;
        for key in gone {
            self.entries.delete(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_ages_while_the_process_is_not_there_and_never_below_zero() {
        let dir = tempfile::tempdir().unwrap();
        let link = MailboxId::from_bytes([7; 16]);
        for (ago_s, age_s) in [(0, 0), (700, 700), (u64::MAX - 699, 0)] {
            let mut store = Store::open(dir.path()).unwrap();
            let _ = store.age(link).unwrap();
            let at = number_of(&store.entries.get(&keys::since(link)).unwrap().unwrap()).unwrap();
            store.entries.put(keys::since(link), at.wrapping_sub(ago_s).to_be_bytes().to_vec());
            let age = store.age(link).unwrap().as_secs();
            assert!((age_s..age_s + 5).contains(&age), "{ago_s}: {age}");
        }
    }
}
