//! The receiving half of a stream: what arrived, what is on disk, and what the sender was told of both.
//!
//! The frames for the sender are not queued but computed from the state when a record has room. So a sender
//! that reads nothing costs no memory. Nothing here does I/O.

use bytes::{Buf, Bytes};
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{STREAM_CREDIT_START, STREAM_WINDOW_MAX};
use handfast_codec::record::RecordBuilder;

use crate::error::ApiMisuse;

#[derive(Debug, Default)]
pub(crate) struct Receiving {
    /// The offset of the next byte to arrive on this connection.
    received: u64,
    /// The offset up to which the application has written. The commit for it may still be open.
    written: u64,
    /// The offset up to which everything is durable.
    durable: u64,
    /// The offset up to which the application has taken bytes, durable or not.
    taken: u64,
    /// Whether the sender may be given credit. A put has none before the application accepts it.
    accepted: bool,
    /// The offset up to which bytes are durable, and the credit, that the sender was last told.
    durable_said: u64,
    credit_said: u64,
    end: End,
    /// Whether the application has accepted the whole content.
    finished: bool,
}

/// Whether the FIN has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Came,
    /// The application has received the FIN event, and so may finish the stream.
    Told,
}

/// What to do about a FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    /// The application must check the content and finish.
    New,
    /// No action: the application finished the stream on an earlier connection, and the commit of that is not
    /// durable yet.
    Known,
    /// The peer is answered: the application has finished, and all bytes are durable.
    Over,
}

impl Receiving {
    pub(super) fn new(credit: u64, durable: u64) -> Self {
        Self {
            received: durable,
            written: durable,
            durable,
            durable_said: durable,
            accepted: credit > 0,
            credit_said: credit,
            ..Self::default()
        }
    }

    /// Returns the durable offset for a resume block. The commit that stores this offset always precedes the
    /// block.
    pub(super) fn offset(&self) -> u64 {
        self.written
    }

    /// Returns the number of bytes that arrived and that the application has not taken.
    pub(super) fn waiting(&self) -> u64 {
        self.received.saturating_sub(self.written.max(self.taken))
    }

    /// Returns the number of bytes that arrived and that the application has not written.
    pub(super) fn unwritten(&self) -> u64 {
        self.received.saturating_sub(self.written)
    }

    /// Prepares for a new connection, on which the sender continues at `block`, the offset in this side's
    /// resume block. Bytes that became durable after the block was made arrive again, and are dropped.
    ///
    /// Returns the offset from which the application continues, unless it has finished.
    pub(super) fn resume(&mut self, block: u64) -> Option<u64> {
        // The sender continues at the offset in the resume block, because bytes beyond it may have been lost
        // in a restart.
        // req: STR-007
        self.received = block;
        self.durable_said = block;
        self.credit_said = block.saturating_add(STREAM_CREDIT_START);
        self.accepted = true;
        self.taken = 0;
        self.end = End::Open;
        (!self.finished).then_some(self.written)
    }

    /// Handles DATA. Returns the bytes in it that are new, and their offset.
    pub(super) fn data(&mut self, offset: u64, mut bytes: Bytes) -> Result<Option<(u64, Bytes)>, ErrorCode> {
        // A gap or overlap would corrupt the content.
        // req: STR-003
        if offset != self.received || self.end != End::Open {
            return Err(ErrorCode::OFFSET);
        }
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let end = offset.checked_add(len).ok_or(ErrorCode::OFFSET)?;
        // Without this limit a peer could fill the memory.
        // req: STR-004
        if end > self.credit_said {
            return Err(ErrorCode::CREDIT_EXCEEDED);
        }
        if self.finished && end > self.written {
            return Err(ErrorCode::OFFSET);
        }
        self.received = end;
        let known = self.written.saturating_sub(offset).min(len);
        bytes.advance(usize::try_from(known).unwrap_or(bytes.len()).min(bytes.len()));
        Ok((!bytes.is_empty()).then_some((offset.saturating_add(known), bytes)))
    }

    /// Handles FIN. Returns what to do about it.
    pub(super) fn fin(&mut self) -> Result<Fin, ErrorCode> {
        if self.end != End::Open || (self.finished && self.received != self.written) {
            return Err(ErrorCode::OFFSET);
        }
        self.end = End::Came;
        Ok(match self.finished {
            false => Fin::New,
            true if self.durable == self.written => Fin::Over,
            true => Fin::Known,
        })
    }

    /// Records that the application has been given the FIN event.
    pub(super) fn fin_told(&mut self) {
        if self.end == End::Came {
            self.end = End::Told;
        }
    }

    /// Records that the application has written up to `offset`. Returns whether that finishes the stream.
    pub(super) fn written(&mut self, offset: u64) -> Result<bool, ApiMisuse> {
        if self.finished {
            return Err(ApiMisuse::NoSuchStream);
        }
        if offset < self.written || offset > self.received.max(self.written) {
            return Err(ApiMisuse::WrongOffset);
        }
        self.written = offset;
        self.finished = self.end == End::Told && offset == self.received;
        Ok(self.finished)
    }

    /// Records that the application has taken the bytes up to `offset`, and so can take more before these are durable.
    pub(super) fn take(&mut self, offset: u64) -> Result<(), ApiMisuse> {
        if offset > self.received {
            return Err(ApiMisuse::WrongOffset);
        }
        self.taken = self.taken.max(offset);
        Ok(())
    }

    /// Records that bytes up to `offset` are durable. Returns whether the stream is complete on both sides.
    pub(super) fn durable(&mut self, offset: u64) -> bool {
        self.accepted = true;
        self.durable = self.durable.max(offset);
        self.finished && self.end != End::Open && self.durable == self.written
    }

    /// Returns the offset to report by DURABLE. It never exceeds what arrived on this connection. That the
    /// stream is durable to its end is reported in answer to FIN instead.
    fn durable_due(&self) -> Option<u64> {
        let offset = self.durable.min(self.received);
        (offset > self.durable_said && !self.finished).then_some(offset)
    }

    /// Returns the credit to give: `window` beyond what the application has taken, once a quarter of that can be added, the
    /// sender has used all that it has, or a frame about this stream is due anyway.
    fn credit_due(&self, window: u64) -> Option<u64> {
        // Bytes that arrive again do not raise the credit, so it is counted from the durable offset.
        // req: STR-026
        let of_path = self.durable.max(self.taken).saturating_add(window);
        // The sender would end the session because of a larger credit.
        // req: STR-028, STR-017
        let base = self.durable.min(self.received);
        let offset = of_path.min(base.saturating_add(STREAM_WINDOW_MAX));
        let is_free = self.received >= self.credit_said || self.durable_due().is_some();
        let least = if is_free { 1 } else { window / 4 };
        let is_due =
            self.accepted && self.end == End::Open && offset >= self.credit_said.saturating_add(least);
        is_due.then_some(offset)
    }

    pub(super) fn has_news(&self, window: u64) -> bool {
        self.durable_due().is_some() || self.credit_due(window).is_some()
    }

    /// Writes DURABLE and CREDIT into the record, if they are due.
    pub(super) fn fill(&mut self, id: u64, window: u64, record: &mut RecordBuilder) {
        let credit = self.credit_due(window);
        // Once it has read DURABLE, the sender may delete its copy of the bytes.
        // req: STR-006
        if let Some(offset) = self.durable_due()
            && record.push(&Frame::Durable { id, offset })
        {
            self.durable_said = offset;
        }
        if let Some(offset) = credit
            && record.push(&Frame::Credit { id, offset })
        {
            self.credit_said = offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// Lets all come that the sender may send, and be taken at once.
    fn fill_up(r: &mut Receiving, window: u64) {
        loop {
            let len = usize::try_from(r.credit_said - r.received).unwrap();
            if len > 0 {
                let _ = r.data(r.received, vec![0; len].into()).unwrap();
                r.take(r.received).unwrap();
            }
            let Some(credit) = r.credit_due(window) else { return };
            r.credit_said = credit;
        }
    }

    #[test]
    fn no_credit_goes_further_beyond_what_is_durable_than_the_limit() {
        // req: STR-028
        let mut r = Receiving::new(STREAM_CREDIT_START, 0);
        fill_up(&mut r, STREAM_WINDOW_MAX / 3);
        assert_eq!(r.credit_said, STREAM_WINDOW_MAX);
        // One byte more that is durable is one byte more that may come.
        assert_eq!(r.written(1), Ok(false));
        assert!(!r.durable(1));
        assert_eq!(r.credit_due(STREAM_WINDOW_MAX / 3), Some(STREAM_WINDOW_MAX + 1));
    }

    #[test]
    fn credit_is_given_by_quarters_of_the_window_and_always_when_all_is_used() {
        let window = 400_000;
        let mut r = Receiving::new(STREAM_CREDIT_START, 0);
        let _ = r.data(0, vec![0; 1_000].into()).unwrap();
        assert_eq!(r.credit_due(window), Some(window), "the window has grown");
        r.credit_said = window;
        r.take(1_000).unwrap();
        assert_eq!(r.credit_due(window), None, "this is not worth a frame");
        let _ = r.data(1_000, vec![0; 99_000].into()).unwrap();
        r.take(100_000).unwrap();
        assert_eq!(r.credit_due(window), Some(window + 100_000));
        // The sender waits: whatever may come is said.
        let _ = r.data(100_000, vec![0; 300_000].into()).unwrap();
        assert_eq!(r.credit_due(window), Some(window + 100_000));
        // A put that the application has not accepted gets nothing.
        assert_eq!(Receiving::new(0, 0).credit_due(window), None);
    }
}
