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
    /// The offset up to which the application has bytes in memory, durable or not.
    held: u64,
    window: u64,
    credit: u64,
    /// The values of `durable` and `credit` that the sender was last told.
    durable_said: u64,
    credit_said: u64,
    fin: bool,
    /// Whether the application has received the FIN event, and so may finish the stream.
    fin_told: bool,
    /// Whether the application has accepted the whole content.
    finished: bool,
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
            credit,
            credit_said: credit,
            window: STREAM_CREDIT_START,
            ..Self::default()
        }
    }

    /// Returns the durable offset for a resume block. The commit that stores this offset always precedes the
    /// block.
    pub(super) fn offset(&self) -> u64 {
        self.written
    }

    /// Returns the number of bytes that arrived and that the application has neither written nor taken into
    /// memory.
    pub(super) fn pending(&self) -> u64 {
        self.received.saturating_sub(self.written.max(self.held))
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
        // Bytes that arrive again do not raise the credit, so it is counted from the durable offset.
        // req: STR-026
        self.credit = self.durable.max(block).saturating_add(STREAM_CREDIT_START);
        self.held = 0;
        (self.fin, self.fin_told) = (false, false);
        (!self.finished).then_some(self.written)
    }

    /// Handles DATA. Returns the bytes in it that are new, and their offset.
    pub(super) fn data(&mut self, offset: u64, mut bytes: Bytes) -> Result<Option<(u64, Bytes)>, ErrorCode> {
        // A gap or overlap would corrupt the content.
        // req: STR-003
        if offset != self.received || self.fin {
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
        if self.fin || (self.finished && self.received != self.written) {
            return Err(ErrorCode::OFFSET);
        }
        self.fin = true;
        Ok(match self.finished {
            false => Fin::New,
            true if self.durable == self.written => Fin::Over,
            true => Fin::Known,
        })
    }

    /// Records that the application has been given the FIN event.
    pub(super) fn fin_told(&mut self) {
        self.fin_told = self.fin;
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
        self.finished = self.fin_told && offset == self.received;
        Ok(self.finished)
    }

    /// Raises the credit because the application has bytes up to `offset` in memory, and needs more before
    /// any are durable.
    pub(super) fn hold(&mut self, offset: u64) -> Result<(), ApiMisuse> {
        if offset > self.received {
            return Err(ApiMisuse::WrongOffset);
        }
        self.held = self.held.max(offset);
        let credit = self.held.saturating_add(STREAM_CREDIT_START);
        if credit >= self.credit.saturating_add(STREAM_CREDIT_START / 2) {
            self.credit = credit;
        }
        Ok(())
    }

    /// Records that bytes up to `offset` are durable, and raises the credit. If `quick` is true, the window
    /// may grow. Returns whether the stream is complete on both sides.
    pub(super) fn durable(&mut self, offset: u64, quick: bool) -> bool {
        if quick && offset > 0 {
            self.window = self.window.saturating_mul(2).min(STREAM_WINDOW_MAX);
        }
        self.durable = self.durable.max(offset);
        self.credit = self.credit.max(offset.saturating_add(self.window));
        self.finished && self.fin && self.durable == self.written
    }

    /// Returns the offset to report by DURABLE. It never exceeds what arrived on this connection. That the
    /// stream is durable to its end is reported in answer to FIN instead.
    fn durable_due(&self) -> Option<u64> {
        let offset = self.durable.min(self.received);
        (offset > self.durable_said && !self.finished).then_some(offset)
    }

    fn credit_due(&self) -> Option<u64> {
        // The sender would end the session because of a larger credit.
        // req: STR-017
        let offset = self.credit.min(self.received.saturating_add(STREAM_WINDOW_MAX));
        (offset > self.credit_said && !self.fin).then_some(offset)
    }

    pub(super) fn has_news(&self) -> bool {
        self.durable_due().is_some() || self.credit_due().is_some()
    }

    /// Writes DURABLE and CREDIT into the record, if they are due.
    pub(super) fn fill(&mut self, id: u64, record: &mut RecordBuilder) {
        // Once it has read DURABLE, the sender may delete its copy of the bytes.
        // req: STR-006
        if let Some(offset) = self.durable_due()
            && record.push(&Frame::Durable { id, offset })
        {
            self.durable_said = offset;
        }
        if let Some(offset) = self.credit_due()
            && record.push(&Frame::Credit { id, offset })
        {
            self.credit_said = offset;
        }
    }
}
