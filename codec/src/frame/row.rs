//! Rows: the items of DELTA and PAGE. A row has an id and a revision for the sync lane, and a body for the
//! application.

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{DecodeError, ErrorCode};
use crate::limits::ROW_ID_LEN_MAX;
use crate::parse::Cursor;
use crate::varint::put_varint;

/// The id of a row in its collection: 1 to 32 bytes chosen by the application (spec, delivery).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(Bytes);

impl RowId {
    /// Returns the row id of these bytes; `None` if there are none or more than 32.
    #[must_use]
    pub fn new(id: Bytes) -> Option<Self> {
        (1..=ROW_ID_LEN_MAX).contains(&id.len()).then_some(Self(id))
    }

    /// Returns the id made of a number, 8 bytes big-endian, so that ids sort like their numbers.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(Bytes::copy_from_slice(&number.to_be_bytes()))
    }

    /// Returns the number that the id encodes, if the id has 8 bytes.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        <[u8; 8]>::try_from(self.as_bytes()).ok().map(u64::from_be_bytes)
    }

    /// Returns the id made of two numbers, 16 bytes big-endian, so that ids sort by the first number, then
    /// the second.
    #[must_use]
    pub fn from_pair(first: u64, second: u64) -> Self {
        let mut name = BytesMut::with_capacity(16);
        name.put_u64(first);
        name.put_u64(second);
        Self(name.freeze())
    }

    /// Returns the two numbers that the id encodes, if the id has 16 bytes.
    #[must_use]
    pub fn pair(&self) -> Option<(u64, u64)> {
        let (first, rest) = self.as_bytes().split_first_chunk::<8>()?;
        let second = <[u8; 8]>::try_from(rest).ok()?;
        Some((u64::from_be_bytes(*first), u64::from_be_bytes(second)))
    }

    /// Returns the id's bytes, 1 to 32.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl core::fmt::Debug for RowId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RowId(")?;
        crate::ids::write_hex(f, &self.0)?;
        f.write_str(")")
    }
}

/// A row of a collection: `id (len u8) | rev varint | body` (spec, delivery).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of version 1")]
pub struct Row {
    /// The row's id in its collection.
    pub id: RowId,
    /// The revision at which the row was last changed, at most 2^62 - 1.
    pub rev: u64,
    /// The application's bytes of the row.
    pub body: Bytes,
}

impl Row {
    /// Returns the encoded row.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        // An id has at most 32 bytes, so its length fits one byte.
        out.put_u8(u8::try_from(self.id.as_bytes().len()).unwrap_or(u8::MAX));
        out.put_slice(self.id.as_bytes());
        put_varint(&mut out, self.rev);
        out.put_slice(&self.body);
        out.freeze()
    }

    /// Decodes a row. The whole item must be the row.
    ///
    /// # Errors
    /// `FIELD_LENGTH` for an id that is empty or too long, `TRUNCATED`, `VARINT_NOT_MINIMAL`.
    pub fn decode(item: &Bytes) -> Result<Self, DecodeError> {
        // req: SYN-084
        let mut c = Cursor::new(item);
        let id = item.slice_ref(c.short(1, ROW_ID_LEN_MAX, "row id")?);
        let id = RowId::new(id).ok_or(DecodeError::new(ErrorCode::FIELD_LENGTH, 0, "row id"))?;
        let rev = c.varint("row rev")?;
        Ok(Self { id, rev, body: item.slice_ref(c.rest(0, usize::MAX, "row body")?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: &[u8]) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }

    #[test]
    fn a_row_comes_out_as_it_went_in() {
        // req: MSG-004
        let row = Row { id: RowId::from_number(7), rev: 300, body: Bytes::from_static(b"body") };
        let bytes = row.encode();
        assert_eq!(bytes.as_ref(), b"\x08\0\0\0\0\0\0\0\x07\x41\x2cbody");
        assert_eq!(Row::decode(&bytes), Ok(row.clone()));
        assert_eq!(row.id.number(), Some(7));
        assert_eq!(RowId::new(item(b"ab")).unwrap().number(), None);
    }

    #[test]
    fn a_row_of_two_numbers_has_a_name_of_16_bytes() {
        // req: MSG-060
        let id = RowId::from_pair(1, 0x0203);
        assert_eq!(id.as_bytes(), b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x02\x03");
        assert_eq!((id.pair(), id.number()), (Some((1, 0x0203)), None));
        assert_eq!(RowId::from_pair(u64::MAX, 0).pair(), Some((u64::MAX, 0)));
        assert!(RowId::from_pair(1, u64::MAX) < RowId::from_pair(2, 0), "in the order of the first number");
        for len in [8, 15, 17] {
            assert_eq!(RowId::new(item(&[7; 32][..len])).unwrap().pair(), None, "{len} bytes");
        }
    }

    #[test]
    fn a_row_id_has_1_to_32_bytes() {
        // req: FRM-024, SYN-009, SYN-084
        let row = |len: u8| item(&[&[len][..], &[9; 33][..usize::from(len)], &[1]].concat());
        assert!(Row::decode(&row(ROW_ID_LEN_MAX.try_into().unwrap())).is_ok());
        for len in [0, 33] {
            let refused = Row::decode(&row(len)).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::FIELD_LENGTH);
        }
        assert!(RowId::new(item(&[0; 32])).is_some());
        assert!(RowId::new(item(&[0; 33])).is_none());
        assert!(RowId::new(Bytes::new()).is_none());
        let cut = row(32);
        for len in 0..cut.len() {
            assert!(Row::decode(&cut.slice(..len)).is_err(), "{len} bytes");
        }
        assert_eq!(Row::decode(&item(&[1, 9, 0x40, 1])).unwrap_err().code(), ErrorCode::VARINT_NOT_MINIMAL);
    }
}
