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

    /// Raises the credit once half of the initial window can be added. `pending` bytes arrived but are not
    /// durable yet, and count as used.
    pub(super) fn grant(&mut self, pending: u64) {
        let target = self.received.saturating_sub(pending).saturating_add(CONN_WINDOW_MAX);
        if target >= self.granted.saturating_add(CONN_CREDIT_START / 2) {
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
