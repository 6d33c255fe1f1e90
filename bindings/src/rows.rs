//! Rows of collections, and their digest.

use bytes::Bytes;
use handfast::codec::frame::{Items, Row as Decoded, RowId};
use handfast::session::RowDigest;

use crate::Refusal;

/// A row of a collection.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Row {
    /// The id, 1 to 32 bytes.
    pub id: Vec<u8>,
    /// The revision at which the row was written; no two rows of a phone have the same.
    pub revision: u64,
    /// The body. A row without one was removed.
    pub body: Vec<u8>,
}

impl Row {
    pub(crate) fn decoded(self) -> Result<Decoded, Refusal> {
        Ok(Decoded { id: row_id(self.id)?, rev: self.revision, body: self.body.into() })
    }
}

fn row_id(id: Vec<u8>) -> Result<RowId, Refusal> {
    RowId::new(Bytes::from(id)).ok_or_else(|| Refusal::argument("the id of a row is empty or too long"))
}

/// Returns the rows of what arrived. The machine has checked the list, not the rows in it: one that cannot be read is
/// left out.
pub(crate) fn rows(parts: &[Items]) -> Vec<Row> {
    let items = parts.iter().flat_map(Items::iter);
    let rows = items.filter_map(|item| Decoded::decode(&item).ok());
    rows.map(|row| Row { id: row.id.as_bytes().to_vec(), revision: row.rev, body: row.body.to_vec() })
        .collect()
}

/// Returns the digest of a collection's stored rows, in any order, without the markers of removed ones. Bodies do not count.
///
/// # Errors
/// An id is empty or too long.
#[uniffi::export]
pub fn row_digest(rows: Vec<Row>) -> Result<Vec<u8>, Refusal> {
    let mut digest = RowDigest::default();
    for row in rows {
        digest.add(&row_id(row.id)?, row.revision);
    }
    Ok(digest.value().to_vec())
}
