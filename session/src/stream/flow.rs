//! The flow control of a connection: how much DATA each side may send over all its streams.
//!
//! Nothing here does I/O.

use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{CONN_CREDIT_START, CONN_WINDOW_MAX};
use handfast_codec::record::RecordBuilder;

/// The credit in both directions, as absolute counts of bytes that start at 0 on each connection.
#[derive(Debug)]
pub(super) struct Flow {
    /// The credit that the peer gave, and how many bytes of it this side has sent.
    credit: u64,
    sent: u64,
    received: u64,
    granted: u64,
    /// The value of `granted` that was last sent to the peer.
    said: u64,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            credit: CONN_CREDIT_START,
            sent: 0,
            received: 0,
            granted: CONN_CREDIT_START,
            said: CONN_CREDIT_START,
        }
    }
}

impl Flow {
    /// Returns how many bytes may be sent now.
    pub(super) fn room(&self) -> u64 {
        self.credit.saturating_sub(self.sent)
    }

    pub(super) fn sent(&mut self, len: u64) {
        self.sent = self.sent.saturating_add(len);
    }

    pub(super) fn received(&mut self, len: u64) -> Result<(), ErrorCode> {
        self.received = self.received.saturating_add(len);
        // Without this limit a peer could fill the memory.
        // req: STR-004
        if self.received > self.said { Err(ErrorCode::CREDIT_EXCEEDED) } else { Ok(()) }
    }

    /// Handles `CONN_CREDIT`.
    pub(super) fn credit(&mut self, offset: u64) -> Result<(), ErrorCode> {
        // No honest receiver has a larger window.
        // req: STR-017
        if offset > self.sent.saturating_add(CONN_WINDOW_MAX) {
            return Err(ErrorCode::LIMIT);
        }
        // Absolute counts make a repeated or late frame harmless.
        // req: STR-005
        self.credit = self.credit.max(offset);
        Ok(())
    }

    /// Returns how many bytes have come.
    pub(super) const fn came(&self) -> u64 {
        self.received
    }

    /// Raises the credit to `window` beyond what the application has taken, once a quarter of that can be added.
    /// `waiting` bytes have come and are not taken, `unwritten` are not durable: both count as used.
    pub(super) fn grant(&mut self, window: u64, waiting: u64, unwritten: u64) {
        let window = window.max(CONN_CREDIT_START);
        let of_path = self.received.saturating_sub(waiting).saturating_add(window);
        // What is not durable may fill memory, however quick the path is.
        // req: STR-028
        let of_disk = self.received.saturating_sub(unwritten).saturating_add(CONN_WINDOW_MAX);
        let target = of_path.min(of_disk);
        let is_used = self.received >= self.granted && target > self.granted;
        if is_used || target >= self.granted.saturating_add(window / 4) {
            self.granted = target;
        }
    }

    pub(super) fn has_news(&self) -> bool {
        self.granted > self.said
    }

    pub(super) fn fill(&mut self, record: &mut RecordBuilder) {
        if self.has_news() && record.push(&Frame::ConnCredit { offset: self.granted }) {
            self.said = self.granted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credit_goes_further_beyond_what_is_durable_than_the_limit() {
        // req: STR-028
        let mut flow = Flow::default();
        let window = CONN_WINDOW_MAX / 4;
        for _ in 0..10 {
            let came = flow.granted - flow.received;
            flow.said = flow.granted;
            flow.received(came).unwrap();
            flow.grant(window, 0, flow.received);
        }
        assert_eq!((flow.received, flow.granted), (CONN_WINDOW_MAX, CONN_WINDOW_MAX));
        flow.grant(window, 0, CONN_WINDOW_MAX - 1);
        assert_eq!(flow.granted, CONN_WINDOW_MAX + 1);
    }
}
