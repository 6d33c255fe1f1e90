//! The digest of a collection, which shows without sending rows whether both sides have stored the same rows
//! (spec, delivery).
//!
//! Nothing here does I/O.

use handfast_codec::frame::RowId;
use sha2::{Digest as _, Sha256};

/// The sum, modulo 2^256, of SHA-256(id || rev as 8 bytes) over the rows of a collection. The order of
/// additions and removals does not matter, so it can be updated along with the rows or computed from them.
///
/// ```
/// use handfast_codec::frame::RowId;
/// use handfast_session::RowDigest;
///
/// let (one, two) = (RowId::from_number(1), RowId::from_number(2));
/// let (mut here, mut there) = (RowDigest::default(), RowDigest::default());
/// here.add(&one, 5);
/// here.add(&two, 6);
/// there.add(&two, 6);
/// there.add(&one, 4);
/// assert_ne!(here.value(), there.value());
/// there.remove(&one, 4);
/// there.add(&one, 5);
/// assert_eq!(here.value(), there.value());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowDigest([u8; 32]);

impl RowDigest {
    /// Adds a row to the sum.
    pub fn add(&mut self, id: &RowId, rev: u64) {
        let mut carry = 0_u16;
        for (sum, byte) in self.0.iter_mut().zip(entry(id, rev)).rev() {
            let total = u16::from(*sum).saturating_add(u16::from(byte)).saturating_add(carry);
            [_, *sum] = total.to_be_bytes();
            carry = total >> 8;
        }
    }

    /// Subtracts a row that was added before.
    pub fn remove(&mut self, id: &RowId, rev: u64) {
        let mut borrow = false;
        for (sum, byte) in self.0.iter_mut().zip(entry(id, rev)).rev() {
            let (less, under) = sum.overflowing_sub(byte);
            let (less, under_again) = less.overflowing_sub(u8::from(borrow));
            *sum = less;
            borrow = under || under_again;
        }
    }

    /// Returns the digest, 32 bytes big-endian, as it stands in a DIGEST frame.
    #[must_use]
    pub const fn value(&self) -> [u8; 32] {
        self.0
    }
}

impl<'a> FromIterator<(&'a RowId, u64)> for RowDigest {
    fn from_iter<T: IntoIterator<Item = (&'a RowId, u64)>>(rows: T) -> Self {
        let mut digest = Self::default();
        for (id, rev) in rows {
            digest.add(id, rev);
        }
        digest
    }
}

/// Returns the summand of a row. The id's length is not hashed, because exactly 8 bytes follow the id.
fn entry(id: &RowId, rev: u64) -> [u8; 32] {
    // Both sides must hash the same bytes, or equal collections would look different.
    // req: SYN-015, SYN-083
    let mut hash = Sha256::new();
    hash.update(id.as_bytes());
    hash.update(rev.to_be_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn one_row_is_its_hash() {
        // req: SYN-015, SYN-083
        let mut digest = RowDigest::default();
        digest.add(&RowId::from_number(1), 2);
        let mut bytes = [0; 16];
        (bytes[7], bytes[15]) = (1, 2);
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        assert_eq!(digest.value(), hash);
        assert_eq!(RowDigest::default().value(), [0; 32]);
    }

    #[test]
    fn the_sum_wraps_at_2_to_the_256() {
        // req: SYN-015
        let mut digest = RowDigest([0xff; 32]);
        let id = RowId::from_number(9);
        digest.add(&id, 1);
        let mut less_one = RowDigest(entry(&id, 1));
        let last = less_one.0.iter().rposition(|byte| *byte != 0).unwrap();
        less_one.0[last] -= 1;
        less_one.0[last + 1..].fill(0xff);
        assert_eq!(digest, less_one);
        digest.remove(&id, 1);
        assert_eq!(digest.value(), [0xff; 32]);
    }

    proptest! {
        #[test]
        fn rows_count_in_any_order_and_out_again(rows in prop::collection::vec((0_u64..9, 0_u64..9), 0..20), at: prop::sample::Index) {
            let ids: Vec<(RowId, u64)> = rows.iter().map(|(id, rev)| (RowId::from_number(*id), *rev)).collect();
            let forth: RowDigest = ids.iter().map(|(id, rev)| (id, *rev)).collect();
            let mut back: RowDigest = ids.iter().rev().map(|(id, rev)| (id, *rev)).collect();
            prop_assert_eq!(forth, back);
            if !ids.is_empty() {
                let (id, rev) = &ids[at.index(ids.len())];
                back.remove(id, *rev);
                prop_assert_ne!(forth, back);
                back.add(id, *rev);
                prop_assert_eq!(forth, back);
            }
        }
    }
}
