//! Names of collections, and cursors of snapshot pages.

use core::fmt;

use bytes::{BufMut, Bytes};

use crate::error::DecodeError;
use crate::limits::COLLECTION_LEN_MAX;
use crate::parse::Cursor;

/// The name of a collection: 1 to 32 bytes chosen by the application (spec, delivery).
///
/// Names are ordered by their bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Collection {
    /// The name's bytes, followed by zeros, so that the derived order equals the order of the names.
    bytes: [u8; COLLECTION_LEN_MAX],
    len: u8,
}

impl Collection {
    /// Returns the collection with this name; `None` if it is empty or longer than 32 bytes.
    #[must_use]
    pub fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; COLLECTION_LEN_MAX];
        if name.is_empty() {
            return None;
        }
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self { bytes, len: u8::try_from(name.len()).ok()? })
    }

    /// Returns the name's bytes, 1 to 32.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Returns the length of the encoded name, in bytes: one length byte and the name.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        usize::from(self.len).saturating_add(1)
    }

    pub(crate) fn write(&self, out: &mut impl BufMut) {
        out.put_u8(self.len);
        out.put_slice(self.as_bytes());
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let at = cursor.offset();
        let name = cursor.short(1, COLLECTION_LEN_MAX, "collection")?;
        Self::new(name).ok_or(DecodeError::new(crate::error::ErrorCode::FIELD_LENGTH, at, "collection"))
    }
}

impl fmt::Debug for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collection(")?;
        crate::ids::write_hex(f, self.as_bytes())?;
        f.write_str(")")
    }
}

/// A place in a snapshot: 0 to 64 bytes whose meaning only the phone knows (spec, frames).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageCursor(Bytes);

impl PageCursor {
    /// Returns a cursor of these bytes; `None` if there are more than 64. An empty cursor means the first
    /// page, or that there is no next page.
    #[must_use]
    pub fn new(bytes: Bytes) -> Option<Self> {
        (bytes.len() <= crate::limits::PAGE_CURSOR_LEN_MAX).then_some(Self(bytes))
    }

    /// Returns the cursor's bytes, 0 to 64.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    pub(crate) fn encoded_len(&self) -> usize {
        self.0.len().saturating_add(1)
    }

    pub(crate) fn write(&self, out: &mut impl BufMut) {
        out.put_u8(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        out.put_slice(&self.0);
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>, input: &Bytes) -> Result<Self, DecodeError> {
        let bytes = cursor.short(0, crate::limits::PAGE_CURSOR_LEN_MAX, "page cursor")?;
        Ok(Self(input.slice_ref(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_1_to_32_bytes() {
        assert_eq!(Collection::new(b""), None);
        assert_eq!(Collection::new(&[7; COLLECTION_LEN_MAX]).unwrap().as_bytes(), [7; COLLECTION_LEN_MAX]);
        assert_eq!(Collection::new(&[7; COLLECTION_LEN_MAX + 1]), None);
        assert!(PageCursor::new(Bytes::from_static(&[0; 64])).is_some());
        assert!(PageCursor::new(Bytes::from_static(&[0; 65])).is_none());
    }

    #[test]
    fn the_order_is_that_of_the_names() {
        let names: [&[u8]; 6] = [&[0], &[0, 0], &[0, 1], &[1], &[1, 0, 5], &[2]];
        for window in names.windows(2) {
            assert!(Collection::new(window[0]).unwrap() < Collection::new(window[1]).unwrap());
        }
    }
}
