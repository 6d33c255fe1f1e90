//! The ephemeral lane (NOW): a few slots, of which only the latest value is sent.

use alloc::collections::BTreeMap;

use bytes::Bytes;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{NOW_LEN_MAX, NOW_SLOTS_MAX};
use handfast_codec::record::RecordBuilder;

use crate::error::SendError;

/// The values that were not sent yet, by slot.
#[derive(Debug, Default)]
pub(crate) struct EphemeralLane(BTreeMap<u64, Bytes>);

impl EphemeralLane {
    /// Sets a slot, replacing a value that was not sent yet.
    pub(crate) fn set(&mut self, slot: u64, body: Bytes) -> Result<(), SendError> {
        if body.len() > NOW_LEN_MAX {
            return Err(SendError::TooLarge);
        }
        // Old values of a slot such as *is typing* are of no use, so a new value replaces the one that waits.
        // req: SYN-085
        if !self.0.contains_key(&slot) && self.0.len() >= NOW_SLOTS_MAX {
            return Err(SendError::TooMany);
        }
        let _ = self.0.insert(slot, body);
        Ok(())
    }

    pub(crate) fn wants_to_send(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn fill(&mut self, record: &mut RecordBuilder) {
        while let Some((slot, body)) = self.0.first_key_value() {
            if !record.push(&Frame::Now { slot: *slot, body: body.clone() }) {
                return;
            }
            let _ = self.0.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(byte: u8) -> Bytes {
        Bytes::copy_from_slice(&[byte])
    }

    /// Writes the waiting values into a record. Returns how many the record contains.
    fn sent(slots: &mut EphemeralLane) -> usize {
        let waiting = slots.0.len();
        slots.fill(&mut RecordBuilder::new());
        waiting - slots.0.len()
    }

    #[test]
    fn the_newest_value_of_each_of_64_slots_leaves_once() {
        // req: SYN-085
        let mut slots = EphemeralLane::default();
        for slot in 0..64 {
            assert_eq!(slots.set(slot, value(1)), Ok(()));
        }
        assert_eq!(slots.set(64, value(1)), Err(SendError::TooMany));
        assert_eq!(slots.set(3, value(2)), Ok(()), "a slot that waits takes another value");
        assert_eq!(slots.0.get(&3), Some(&value(2)));
        assert_eq!(sent(&mut slots), 64);
        assert!(!slots.wants_to_send(), "nothing is sent twice");
        assert_eq!(slots.set(64, value(1)), Ok(()));
        assert_eq!(sent(&mut slots), 1);
    }
}
