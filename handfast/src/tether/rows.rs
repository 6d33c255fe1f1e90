//! The rows of the collections: at a phone the originals, at a companion its copy.
//!
//! A removed row stays at the phone as a marker: a row without a body. A companion deletes it.

use bytes::Bytes;
use handfast_codec::frame::{Collection, Row, RowId};
use handfast_session::RowDigest;
use rusqlite::{ToSql, params};

use super::TetherError;
use super::store::Store;
use crate::sqlite::SqliteError;

/// The number of rows that are read at once to compute a digest.
const DIGEST_STEP: usize = 1_000;

fn id_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<RowId> {
    // Every stored id was checked before it was written.
    Ok(RowId::new(row.get::<_, Vec<u8>>(0)?.into()).unwrap_or_else(|| RowId::from_number(0)))
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let rev: i64 = row.get(1)?;
    Ok(Row { id: id_of(row)?, rev: rev.cast_unsigned(), body: Bytes::from(row.get::<_, Vec<u8>>(2)?) })
}

impl Store {
    fn rows(&self, condition: &str, values: &[&dyn ToSql]) -> Result<Vec<Row>, TetherError> {
        let query = format!("SELECT id, rev, body FROM handfast_rows WHERE collection = ?1 AND {condition}");
        Ok(self.db.prepare_cached(&query)?.query_map(values, read)?.collect::<Result<_, _>>()?)
    }

    pub(super) fn row(&self, collection: &Collection, id: &RowId) -> Result<Option<Row>, TetherError> {
        Ok(self.rows("id = ?2 AND body <> x''", &[&collection.as_bytes(), &id.as_bytes()])?.pop())
    }

    /// Returns at most `max` rows with ids after `after`, in the order of their ids, without markers.
    pub(super) fn rows_by_id(
        &self,
        collection: &Collection,
        after: Option<&RowId>,
        max: usize,
    ) -> Result<Vec<Row>, TetherError> {
        let after = after.map(RowId::as_bytes).unwrap_or_default();
        self.rows(
            "id > ?2 AND body <> x'' ORDER BY id LIMIT ?3",
            &[&collection.as_bytes(), &after, &i64::try_from(max).unwrap_or(i64::MAX)],
        )
    }

    /// Returns at most `max` rows of later revisions than `after`, in the order of their revisions, with
    /// markers.
    pub(super) fn rows_by_rev(
        &self,
        collection: &Collection,
        after: u64,
        max: usize,
    ) -> Result<Vec<Row>, TetherError> {
        self.rows(
            "rev > ?2 ORDER BY rev LIMIT ?3",
            &[&collection.as_bytes(), &after.cast_signed(), &i64::try_from(max).unwrap_or(i64::MAX)],
        )
    }

    /// Returns the newest revision of all collections.
    pub(super) fn newest(&self) -> Result<u64, SqliteError> {
        let query = "SELECT ifnull(max(rev), 0) FROM handfast_rows";
        Ok(self.db.prepare_cached(query)?.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
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
        let put = "INSERT INTO handfast_rows(collection, id, rev, body) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET rev = excluded.rev, body = excluded.body, stale = 0
             WHERE excluded.rev >= handfast_rows.rev OR handfast_rows.stale";
        let (id, rev, body) = (row.id.as_bytes(), row.rev.cast_signed(), row.body.as_ref());
        let written =
            self.write()?.prepare_cached(put)?.execute(params![collection.as_bytes(), id, rev, body])?;
        Ok(written > 0)
    }

    /// Deletes a row unless a newer revision of it is stored. Returns whether there was one to delete.
    pub(super) fn delete_row(
        &mut self,
        collection: &Collection,
        id: &RowId,
        rev: u64,
    ) -> Result<bool, TetherError> {
        let delete = "DELETE FROM handfast_rows WHERE collection = ?1 AND id = ?2 AND rev <= ?3";
        let values = params![collection.as_bytes(), id.as_bytes(), rev.cast_signed()];
        Ok(self.write()?.prepare_cached(delete)?.execute(values)? > 0)
    }

    /// Marks all rows of a collection, because a snapshot of it begins.
    pub(super) fn begin_snapshot(&mut self, collection: &Collection) -> Result<(), TetherError> {
        let mark = "UPDATE handfast_rows SET stale = 1 WHERE collection = ?1";
        let _ = self.write()?.execute(mark, [collection.as_bytes()])?;
        Ok(())
    }

    /// Deletes the rows that the snapshot did not contain, and returns their ids.
    pub(super) fn end_snapshot(&mut self, collection: &Collection) -> Result<Vec<RowId>, TetherError> {
        let delete = "DELETE FROM handfast_rows WHERE collection = ?1 AND stale RETURNING id";
        let mut query = self.write()?.prepare_cached(delete)?;
        Ok(query.query_map([collection.as_bytes()], id_of)?.collect::<Result<_, _>>()?)
    }
}
