//! The rows of one answer to a companion: as many as fit into the answer's budget.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::frame::Row;

/// The largest overhead of a list for one item, in bytes.
const ITEM_OVERHEAD: usize = 4;

/// The rows for [`crate::Endpoint::provide_delta`] or [`crate::Endpoint::provide_page`], within the budget that the machine
/// asked for. Every budget has space for at least one row of the maximum length, 15,000 bytes.
#[derive(Debug)]
pub struct RowList {
    items: Vec<Bytes>,
    left: usize,
}

impl RowList {
    /// Creates an empty list with a budget in bytes.
    #[must_use]
    pub const fn new(budget: usize) -> Self {
        Self { items: Vec::new(), left: budget }
    }

    /// Adds a row if it fits. Returns whether it did. Stop at the first row that does not fit.
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

    /// Returns the encoded rows.
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
