//! The open transaction of a tether, lent to its application.

use std::any::Any;
use std::path::PathBuf;

use handfast_codec::frame::{Collection, Row, RowId};
use handfast_codec::ids::ContentId;
use rusqlite::Connection;

use super::backend::Entry;
use super::store::Store;
use super::{TetherError, keys};
use crate::sqlite::Database;

/// The longest key of an application's entry, in bytes.
pub const ENTRY_KEY_LEN_MAX: usize = 128;
/// The longest value of an application's entry, in bytes.
pub const ENTRY_LEN_MAX: usize = 1_048_576;

/// The open transaction, lent to a function of the application. `E` is the application's event.
///
/// An error that a function called by the tether returns must be one of the store: the transaction is undone,
/// and everything is loaded again after a pause.
#[derive(Debug)]
pub struct Txn<'a, E> {
    pub(super) store: &'a mut Store,
    events: Vec<E>,
}

impl<'a, E> Txn<'a, E> {
    pub(super) const fn new(store: &'a mut Store) -> Self {
        Self { store, events: Vec::new() }
    }

    pub(super) fn into_events(self) -> Vec<E> {
        self.events
    }

    /// Returns the connection on which the transaction is open, for the application's own tables in SQLite. The
    /// names of the tether's tables begin with `handfast`.
    ///
    /// # Errors
    ///
    /// [`TetherError::NoDatabase`] if the tether has a backend of the application.
    pub fn db(&self) -> Result<&Connection, TetherError> {
        let backend: &dyn Any = &*self.store.entries.backend;
        backend.downcast_ref::<Database>().map(|db| &**db).ok_or(TetherError::NoDatabase)
    }

    /// Returns the value of an entry of the application, which every backend keeps.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn entry(&self, key: &[u8]) -> Result<Option<Vec<u8>>, TetherError> {
        self.store.entries.get(&keys::application(key))
    }

    /// Writes an entry of the application, in place of the one that has its key: 1 to [`ENTRY_KEY_LEN_MAX`] bytes
    /// with a value of at most [`ENTRY_LEN_MAX`] bytes, or `None` to remove it.
    ///
    /// # Errors
    ///
    /// [`TetherError::Input`] if key or value are too long.
    pub fn set_entry(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), TetherError> {
        if !(1..=ENTRY_KEY_LEN_MAX).contains(&key.len()) {
            return Err(TetherError::Input(format!("a key has 1 to {ENTRY_KEY_LEN_MAX} bytes")));
        }
        let key = keys::application(key);
        match value {
            Some(value) if value.len() > ENTRY_LEN_MAX => {
                return Err(TetherError::Input(format!("a value has at most {ENTRY_LEN_MAX} bytes")));
            }
            Some(value) => self.store.entries.put(key, value.to_vec()),
            None => self.store.entries.delete(key),
        }
        Ok(())
    }

    /// Returns the first `max` entries of the application whose keys begin with `prefix` and come after `after`, in
    /// the order of their keys.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn entries(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Vec<Entry>, TetherError> {
        let prefix = keys::application(prefix);
        let from = after.map_or_else(|| prefix.clone(), |key| keys::after(keys::application(key)));
        let found =
            self.store.entries.scan(from.max(prefix.clone()).as_slice(), &keys::end_of(&prefix), max)?;
        Ok(found.into_iter().map(|(key, value)| (key.get(1..).unwrap_or_default().to_vec(), value)).collect())
    }

    /// Reports an event to the user once the transaction is durable.
    pub fn event(&mut self, event: E) {
        self.events.push(event);
    }

    /// Returns the newest revision of all collections, 0 if there is no row yet. Every change of a row takes one
    /// more, so the number after it is no row's id yet if ids are made of it; such ids have gaps.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn newest(&self) -> Result<u64, TetherError> {
        self.store.newest()
    }

    /// Returns a row, unless there is none or it was removed.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn row(&self, collection: &Collection, id: &RowId) -> Result<Option<Row>, TetherError> {
        self.store.row(collection, id)
    }

    /// Returns the file of content that is here whole. It must not be changed.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn content(&self, content: ContentId) -> Result<Option<PathBuf>, TetherError> {
        Ok(self.store.has_whole(content)?.then(|| self.store.content_path(content)))
    }

    /// Returns at most `max` rows of a collection in the order of their ids, from the first one after `after`
    /// on. Removed rows are left out.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn rows(
        &self,
        collection: &Collection,
        after: Option<&RowId>,
        max: usize,
    ) -> Result<Vec<Row>, TetherError> {
        self.store.rows_by_id(collection, after, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_has_entries_of_its_own_within_their_limits() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let mut txn = Txn::<()>::new(&mut store);
        txn.set_entry(&[7; ENTRY_KEY_LEN_MAX], Some(&vec![7; ENTRY_LEN_MAX])).unwrap();
        let long = vec![7; ENTRY_LEN_MAX + 1];
        for (key, value) in [(&[7; ENTRY_KEY_LEN_MAX + 1][..], &[][..]), (&[], &[]), (&[1], &long)] {
            assert!(matches!(txn.set_entry(key, Some(value)), Err(TetherError::Input(_))));
        }
        for name in [&b"a"[..], b"b1", b"b2", b"b3", b"b4", b"c"] {
            txn.set_entry(name, Some(name)).unwrap();
        }
        txn.set_entry(b"b3", None).unwrap();
        drop(txn);
        let _ = store.entries.commit().unwrap();
        drop(store);

        let mut store = Store::open(dir.path()).unwrap();
        let txn = Txn::<()>::new(&mut store);
        let entry = |name: &[u8]| (name.to_vec(), name.to_vec());
        assert_eq!(txn.entries(b"b", None, 9).unwrap(), [entry(b"b1"), entry(b"b2"), entry(b"b4")]);
        assert_eq!(txn.entries(b"b", Some(b"b1"), 1).unwrap(), [entry(b"b2")]);
        assert_eq!((txn.entry(b"c").unwrap(), txn.entry(b"b3").unwrap()), (Some(b"c".to_vec()), None));
        assert_eq!(txn.entry(&[7; ENTRY_KEY_LEN_MAX]).unwrap().unwrap().len(), ENTRY_LEN_MAX);
        // The application's own tables are in the same database.
        let _ = txn.db().unwrap().execute("CREATE TABLE own(x)", []).unwrap();
    }
}
