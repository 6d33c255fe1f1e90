//! The rows of one answer to a companion, as many as fit.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::frame::Row;

/// Bytes that a list adds to an item, at most.
const ITEM_OVERHEAD: usize = 4;

/// Rows for [`crate::Endpoint::delta`] or [`crate::Endpoint::page`], within the budget that was asked for. At least one row
/// of 15,000 bytes, the longest there is, fits each budget.
#[derive(Debug)]
pub struct RowList {
    items: Vec<Bytes>,
    left: usize,
}

impl RowList {
    /// An empty list for so many bytes.
    #[must_use]
    pub const fn new(budget: usize) -> Self {
        Self { items: Vec::new(), left: budget }
    }

    /// Adds a row if it fits. Returns whether it did; the answer ends before the first that does not.
    #[must_use]
    pub fn push(&mut self, row: &Row) -> bool {
        let item = row.encode();
        let Some(left) = self.left.checked_sub(item.len().saturating_add(ITEM_OVERHEAD)) else {
            return false;
        };
        self.left = left;
        self.items.push(item);
        true
    }

    /// The rows, encoded.
    #[must_use]
    pub fn into_items(self) -> Vec<Bytes> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use handfast_codec::frame::RowId;

    use super::*;

    #[test]
    fn a_list_ends_before_the_row_that_does_not_fit() {
        let row = |len| Row { id: RowId::from_number(1), rev: 1, body: Bytes::from(alloc::vec![7; len]) };
        let len = row(10).encode().len() + ITEM_OVERHEAD;
        let mut list = RowList::new(2 * len);
        assert!(list.push(&row(10)) && !list.push(&row(11)) && list.push(&row(10)) && !list.push(&row(0)));
        assert_eq!(list.into_items(), [row(10).encode(), row(10).encode()]);
    }
}
