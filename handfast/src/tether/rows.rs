//! The rows of the collections: at a phone the originals, at a companion its copy.
//!
//! A removed row stays at the phone as a marker: a row without a body. A companion deletes it.

use bytes::Bytes;
use handfast_codec::frame::{Collection, Row, RowId};
use handfast_session::RowDigest;

use super::store::{Store, number_of};
use super::{TetherError, keys};
use crate::sqlite::SqliteError;

/// The number of rows that are read at once to compute a digest.
const DIGEST_STEP: usize = 1_000;

/// A row as it is stored.
struct Stored {
    /// The number of the collection's snapshots that had begun when it came.
    snapshot: u64,
    row: Row,
}

impl Stored {
    fn decode(id: &[u8], value: &[u8]) -> Result<Self, SqliteError> {
        let (snapshot, rest) = value.split_at_checked(8).ok_or(SqliteError::Damaged)?;
        let (rev, body) = rest.split_at_checked(8).ok_or(SqliteError::Damaged)?;
        let id = RowId::new(Bytes::copy_from_slice(id)).ok_or(SqliteError::Damaged)?;
        let row = Row { id, rev: number_of(rev)?, body: Bytes::copy_from_slice(body) };
        Ok(Self { snapshot: number_of(snapshot)?, row })
    }
}

impl Store {
    fn stored(&self, collection: &Collection, id: &RowId) -> Result<Option<Stored>, TetherError> {
        let value = self.entries.get(&keys::row(collection, id.as_bytes()))?;
        Ok(value.map(|value| Stored::decode(id.as_bytes(), &value)).transpose()?)
    }

    pub(super) fn row(&self, collection: &Collection, id: &RowId) -> Result<Option<Row>, TetherError> {
        let row = self.stored(collection, id)?.map(|stored| stored.row);
        Ok(row.filter(|row| !row.body.is_empty()))
    }

    /// Returns at most `max` rows with ids after `after`, in the order of their ids, without markers.
    pub(super) fn rows_by_id(
        &self,
        collection: &Collection,
        after: Option<&RowId>,
        max: usize,
    ) -> Result<Vec<Row>, TetherError> {
        let all = keys::row(collection, &[]);
        let end = keys::end_of(&all);
        let mut from =
            after.map_or_else(|| all.clone(), |id| keys::after(keys::row(collection, id.as_bytes())));
        let mut rows = Vec::new();
        while rows.len() < max {
            let found = self.entries.scan(&from, &end, max.saturating_sub(rows.len()))?;
            let Some((last, _)) = found.last() else { break };
            from = keys::after(last.clone());
            for (key, value) in found {
                let Stored { row, .. } = Stored::decode(key.get(all.len()..).unwrap_or_default(), &value)?;
                rows.extend(Some(row).filter(|row| !row.body.is_empty()));
            }
        }
        Ok(rows)
    }

    /// Returns at most `max` rows of later revisions than `after`, in the order of their revisions, with
    /// markers.
    pub(super) fn rows_by_rev(
        &self,
        collection: &Collection,
        after: u64,
        max: usize,
    ) -> Result<Vec<Row>, TetherError> {
        let from = keys::revision(collection, after.saturating_add(1));
        let found = self.entries.scan(&from, &keys::end_of(&keys::revisions(collection)), max)?;
        let row = |(_, id): (Vec<u8>, Vec<u8>)| -> Result<Row, TetherError> {
            let id = RowId::new(id.into()).ok_or(SqliteError::Damaged)?;
            Ok(self.stored(collection, &id)?.ok_or(SqliteError::Damaged)?.row)
        };
        found.into_iter().map(row).collect()
    }

    /// Returns the newest revision of all collections.
    pub(super) fn newest(&self) -> Result<u64, TetherError> {
        self.number(&keys::newest())
    }

    /// Returns the digest of a collection, over its rows without markers.
    pub(super) fn digest(&self, collection: &Collection) -> Result<[u8; 32], TetherError> {
        let (mut digest, mut after) = (RowDigest::default(), None);
        loop {
            let rows = self.rows_by_id(collection, after.as_ref(), DIGEST_STEP)?;
            for row in &rows {
                digest.add(&row.id, row.rev);
            }
            match rows.into_iter().next_back() {
                Some(last) => after = Some(last.id),
                None => return Ok(digest.value()),
            }
        }
    }

    /// Writes a row unless a newer revision of it is stored. Returns whether it was written.
    pub(super) fn put_row(&mut self, collection: &Collection, row: &Row) -> Result<bool, TetherError> {
        let snapshot = self.number(&keys::snapshots(collection))?;
        if let Some(stored) = self.stored(collection, &row.id)? {
            if stored.row.rev > row.rev && stored.snapshot == snapshot {
                return Ok(false);
            }
            self.entries.delete(keys::revision(collection, stored.row.rev));
        }
        let value = [&snapshot.to_be_bytes(), &row.rev.to_be_bytes(), row.body.as_ref()].concat();
        self.entries.put(keys::row(collection, row.id.as_bytes()), value);
        self.entries.put(keys::revision(collection, row.rev), row.id.as_bytes().to_vec());
        let newest = self.newest()?.max(row.rev);
        self.entries.put(keys::newest(), newest.to_be_bytes().to_vec());
        Ok(true)
    }

    /// Deletes a row unless a newer revision of it is stored. Returns whether there was one to delete.
    pub(super) fn delete_row(
        &mut self,
        collection: &Collection,
        id: &RowId,
        rev: u64,
    ) -> Result<bool, TetherError> {
        let Some(stored) = self.stored(collection, id)?.filter(|stored| stored.row.rev <= rev) else {
            return Ok(false);
        };
        self.entries.delete(keys::row(collection, id.as_bytes()));
        self.entries.delete(keys::revision(collection, stored.row.rev));
        Ok(true)
    }

    /// Notes that a snapshot of a collection begins: the rows that are stored have to come again.
    pub(super) fn begin_snapshot(&mut self, collection: &Collection) -> Result<(), TetherError> {
        let begun = self.number(&keys::snapshots(collection))?.saturating_add(1);
        self.entries.put(keys::snapshots(collection), begun.to_be_bytes().to_vec());
        Ok(())
    }

    /// Deletes the rows that the snapshot did not contain, and returns their ids.
    pub(super) fn end_snapshot(&mut self, collection: &Collection) -> Result<Vec<RowId>, TetherError> {
        let (snapshot, mut gone) = (self.number(&keys::snapshots(collection))?, Vec::new());
        self.for_each(&keys::row(collection, &[]), |id, value| {
            let stored = Stored::decode(id, &value)?;
            gone.extend(Some(stored.row.id).filter(|_| stored.snapshot != snapshot));
            Ok(())
        })?;
        for id in &gone {
            let _ = self.delete_row(collection, id, u64::MAX)?;
        }
        Ok(gone)
    }
}
