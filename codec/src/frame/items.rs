//! Lists of items in DELTA and PAGE frames.

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::DecodeError;
use crate::limits::{ITEM_LEN_MAX, ITEMS_LEN_MAX};
use crate::parse::Cursor;
use crate::varint::{len_u64, put_varint, varint_len};

/// A list of the application's items, `(len varint | item)*`: each 1 to 15,000 bytes, 16,000 bytes in all.
/// Every value of this type is a well-formed list (spec, frames).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Items(Bytes);

impl Items {
    /// Returns the list of these items; `None` if an item is empty or longer than 15,000 bytes, or the
    /// encoded list is longer than 16,000.
    #[must_use]
    pub fn build<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut writer = ItemsWriter::new();
        items.into_iter().all(|item| writer.push(item.as_ref())).then(|| writer.finish())
    }

    /// Decodes a list.
    ///
    /// # Errors
    /// `FIELD_LENGTH` for a list or an item that is too long or an item that is empty, `TRUNCATED` or
    /// `VARINT_NOT_MINIMAL` for a malformed one.
    #[expect(clippy::needless_pass_by_value, reason = "the list is given away: the value owns it")]
    pub fn decode(input: Bytes) -> Result<Self, DecodeError> {
        Self::read(&mut Cursor::new(&input), &input)
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>, input: &Bytes) -> Result<Self, DecodeError> {
        let mut check = cursor.clone();
        let list = cursor.rest(0, ITEMS_LEN_MAX, "items")?;
        while !check.is_empty() {
            let _ = check.long(1, ITEM_LEN_MAX, "item")?;
        }
        Ok(Self(input.slice_ref(list)))
    }

    /// Returns the items. Each is a slice of the frame's bytes.
    pub fn iter(&self) -> impl Iterator<Item = Bytes> + '_ {
        let mut cursor = Cursor::new(&self.0);
        core::iter::from_fn(move || {
            cursor.long(1, ITEM_LEN_MAX, "item").ok().map(|item| self.0.slice_ref(item))
        })
    }

    /// Returns the encoded list.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Returns the length of the encoded list, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the list has no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Builds [`Items`] one item at a time.
#[derive(Clone, Debug, Default)]
pub struct ItemsWriter(BytesMut);

impl ItemsWriter {
    /// Creates an empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an item if it fits. Returns whether it did.
    #[must_use]
    pub fn push(&mut self, item: &[u8]) -> bool {
        let len = len_u64(item.len());
        let after = self.0.len().saturating_add(varint_len(len)).saturating_add(item.len());
        if item.is_empty() || item.len() > ITEM_LEN_MAX || after > ITEMS_LEN_MAX {
            return false;
        }
        put_varint(&mut self.0, len);
        self.0.put_slice(item);
        true
    }

    /// Returns the length of the encoded list so far, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether no item was added yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the finished list.
    #[must_use]
    pub fn finish(self) -> Items {
        Items(self.0.freeze())
    }
}

impl TryFrom<Bytes> for Items {
    type Error = DecodeError;

    fn try_from(input: Bytes) -> Result<Self, DecodeError> {
        Self::decode(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn items_come_out_as_they_went_in() {
        let items = Items::build([&b"a"[..], b"bcd"]).unwrap();
        assert_eq!(items.as_bytes().as_ref(), b"\x01a\x03bcd");
        assert_eq!(items.iter().collect::<Vec<_>>(), [&b"a"[..], b"bcd"]);
        assert_eq!(Items::decode(items.as_bytes().clone()), Ok(items));
    }

    #[test]
    fn items_and_lists_have_a_maximum() {
        // req: FRM-024
        assert!(Items::build([vec![1; ITEM_LEN_MAX]]).is_some());
        assert!(Items::build([vec![1; ITEM_LEN_MAX + 1]]).is_none());
        assert!(Items::build([vec![]]).is_none());
        let full = [vec![1; ITEM_LEN_MAX], vec![1; ITEMS_LEN_MAX - ITEM_LEN_MAX - 2 - 2]];
        assert_eq!(Items::build(&full).unwrap().len(), ITEMS_LEN_MAX);
        assert!(Items::build(full.iter().map(Vec::as_slice).chain([&[1][..]])).is_none());
        let refused = |bytes: Vec<u8>| Items::decode(Bytes::from(bytes)).unwrap_err();
        assert_eq!(
            refused(vec![1; ITEMS_LEN_MAX + 2]),
            DecodeError::new(ErrorCode::FIELD_LENGTH, 0, "items")
        );
        assert_eq!(refused(vec![1, 9, 0]), DecodeError::new(ErrorCode::FIELD_LENGTH, 2, "item"));
        assert_eq!(refused(vec![2, 9]), DecodeError::new(ErrorCode::TRUNCATED, 1, "item"));
        let mut long = vec![0x7a, 0x99]; // 15,001
        long.resize(2 + ITEM_LEN_MAX + 1, 1);
        assert_eq!(refused(long), DecodeError::new(ErrorCode::FIELD_LENGTH, 0, "item"));
    }
}
