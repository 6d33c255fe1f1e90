//! The ephemeral lane (NOW): a few slots whose last value wins.

use alloc::collections::BTreeMap;

use bytes::Bytes;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{NOW_LEN_MAX, NOW_SLOTS_MAX};
use handfast_codec::record::RecordBuilder;

use crate::error::SendRefused;

/// Values that have not left.
#[derive(Debug, Default)]
pub(crate) struct Slots(BTreeMap<u64, Bytes>);

impl Slots {
    /// Sets a slot; a value that has not left is replaced.
    pub(crate) fn set(&mut self, slot: u64, body: Bytes) -> Result<(), SendRefused> {
        if body.len() > NOW_LEN_MAX {
            return Err(SendRefused::TooLarge);
        }
        if !self.0.contains_key(&slot) && self.0.len() >= NOW_SLOTS_MAX {
            return Err(SendRefused::TooMany);
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
