//! No key and counter are used twice: `nonce-used-once`.
//!
//! Two records under one key and counter have the same key stream. Records end in zeros nearly always, so their last
//! sixteen bytes before the tag are key stream: if they are the same in two records of one size, a nonce was used
//! twice, or one record was sent twice, which must not be either.

use std::collections::HashSet;

use bytes::Bytes;

const KEY_STREAM: usize = 16;
const TAG: usize = 16;
/// DATA header of a record.
const RECORD: [u8; 2] = handfast::codec::relay::RECORD_HEADER;

/// What was seen of one world.
#[derive(Debug, Default)]
pub struct Nonces {
    seen: HashSet<[u8; KEY_STREAM]>,
}

impl Nonces {
    /// A device sent a frame. Returns what is wrong with it.
    pub fn sent(&mut self, frame: &Bytes) -> Option<String> {
        let body = frame.strip_prefix(&RECORD[..])?;
        let end = body.len().checked_sub(TAG)?;
        let tail: [u8; KEY_STREAM] = body.get(end.checked_sub(KEY_STREAM)?..end)?.try_into().ok()?;
        (!self.seen.insert(tail)).then(|| format!("a record of {} bytes repeats a key stream", body.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_sent_twice_is_seen() {
        let record: Bytes = [&RECORD[..], &[7; 128], &[9; 16]].concat().into();
        let mut nonces = Nonces::default();
        assert_eq!(nonces.sent(&record), None);
        assert!(nonces.sent(&record).is_some());
        let other: Bytes = [&RECORD[..], &[8; 128], &[9; 16]].concat().into();
        assert_eq!(nonces.sent(&other), None);
    }
}
