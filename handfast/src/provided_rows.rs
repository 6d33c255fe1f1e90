//! The rows with which a phone answers its companions: as many of the stored ones as fit into one answer.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::frame::{Collection, PageCursor, Row, RowId};
use handfast_session::{PhoneEndpoint, RowList, SendError};

/// Rows that were read for one answer.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each field must be filled in")]
pub struct Answer<'a> {
    /// The first of the rows that are asked for, in the order in which they are.
    pub rows: &'a [Row],
    /// Whether these are all of them. If not, there must be one at least.
    pub is_all: bool,
    /// The budget of the question, in bytes.
    pub budget: usize,
}

/// Returns what the cursor of a page says: the newest revision at the first page of the snapshot, and the id of the
/// row after which the page begins. The cursor of the first page says nothing.
#[must_use]
pub fn page_of(cursor: &PageCursor) -> Option<(u64, RowId)> {
    let (rev, id) = cursor.as_bytes().split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*rev), RowId::new(Bytes::copy_from_slice(id))?))
}

impl<'a> Answer<'a> {
    /// Returns the rows that fit into the budget, encoded, and the last of them if more may follow it.
    fn fill(self) -> (Vec<Bytes>, Option<&'a Row>) {
        let mut list = RowList::new(self.budget);
        let fit = self.rows.iter().take_while(|row| list.push(row)).count();
        let has_more = fit < self.rows.len() || !self.is_all;
        (list.into_items(), self.rows.get(..fit).and_then(<[Row]>::last).filter(|_| has_more))
    }

    /// Answers [`SyncEvent::DeltaWanted`](handfast_session::SyncEvent::DeltaWanted). The rows are those above the
    /// revision that was asked from, in the order of their revisions, with markers of removed ones: rows without a body.
    /// `newest` is the newest revision of all collections.
    ///
    /// # Errors
    ///
    /// As [`PhoneEndpoint::provide_delta`].
    pub fn delta(
        self,
        now: Timestamp,
        endpoint: &mut PhoneEndpoint,
        collection: &Collection,
        newest: u64,
    ) -> Result<(), SendError> {
        let (items, last) = self.fill();
        endpoint.provide_delta(now, collection, last.map_or(newest, |last| last.rev), &items)
    }

    /// Answers [`SyncEvent::PageWanted`](handfast_session::SyncEvent::PageWanted). The rows are those after the id of
    /// [`page_of`], in the order of their ids, without markers. `rev` is the revision of [`page_of`], or the newest
    /// one at the first page.
    ///
    /// # Errors
    ///
    /// As [`PhoneEndpoint::provide_page`].
    pub fn page(
        self,
        now: Timestamp,
        endpoint: &mut PhoneEndpoint,
        collection: &Collection,
        rev: u64,
    ) -> Result<(), SendError> {
        let (items, last) = self.fill();
        let next = last.map(|last| [&rev.to_be_bytes(), last.id.as_bytes()].concat().into());
        let next = next.and_then(PageCursor::new).unwrap_or_default();
        endpoint.provide_page(now, collection, rev, next, &items)
    }
}
