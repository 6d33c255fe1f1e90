//! The receiving half of a stream: what came, what is on disk, what the sender is told of both.
//!
//! Nothing that is told is queued: it is what the state says beyond what was said last, so a sender that makes us owe
//! much and reads nothing costs no memory. May touch: nothing outside memory.

use bytes::{Buf, Bytes};
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{STREAM_CREDIT_START, STREAM_WINDOW_MAX};
use handfast_codec::record::RecordBuilder;

use crate::error::ApiMisuse;

#[derive(Debug, Default)]
pub(crate) struct Receiving {
    /// The offset of the next byte to come on this connection.
    received: u64,
    /// What the application has written; its commit may be open.
    written: u64,
    /// What is durable.
    durable: u64,
    /// Bytes that the application holds, durable or not.
    held: u64,
    window: u64,
    credit: u64,
    /// What the sender knows of `durable` and `credit`.
    durable_said: u64,
    credit_said: u64,
    /// FIN has come.
    fin: bool,
    /// The application knows of it, and may finish.
    fin_told: bool,
    /// The application has finished.
    finished: bool,
}

/// What a FIN means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    /// The application must check and finish.
    New,
    /// It has finished, on another connection; its commit is open.
    Known,
    /// It has finished, and all is durable.
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

    /// What a resume block says of it. Every block leaves after a commit later than that of what was written.
    pub(super) fn offset(&self) -> u64 {
        self.written
    }

    /// What arrived and is neither durable nor held.
    pub(super) fn pending(&self) -> u64 {
        self.received.saturating_sub(self.written.max(self.held))
    }

    /// A connection begins, and the sender goes on at `block`, the offset in this side's block. More may have become
    /// durable since the block was made: it comes again, and is dropped.
    ///
    /// Returns where the application goes on, if it has not finished.
    pub(super) fn resume(&mut self, block: u64) -> Option<u64> {
        // req: STR-007
        self.received = block;
        self.durable_said = block;
        self.credit_said = block.saturating_add(STREAM_CREDIT_START);
        // req: STR-026
        self.credit = self.durable.max(block).saturating_add(STREAM_CREDIT_START);
        self.held = 0;
        (self.fin, self.fin_told) = (false, false);
        (!self.finished).then_some(self.written)
    }

    /// Takes DATA. Returns what is new of it, and where that begins.
    pub(super) fn data(&mut self, offset: u64, mut bytes: Bytes) -> Result<Option<(u64, Bytes)>, ErrorCode> {
        // req: STR-003
        if offset != self.received || self.fin {
            return Err(ErrorCode::OFFSET);
        }
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let end = offset.checked_add(len).ok_or(ErrorCode::OFFSET)?;
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

    /// Takes FIN.
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

    /// The application is told of a FIN.
    pub(super) fn fin_told(&mut self) {
        self.fin_told = self.fin;
    }

    /// The application has written up to `offset`. Returns whether that finishes the stream.
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

    /// The application holds what arrived up to `offset`, and wants more although nothing of it is durable.
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

    /// What was written is durable: the sender gets credit. `quick` lets the window grow. Returns whether the stream is
    /// over for both.
    pub(super) fn durable(&mut self, offset: u64, quick: bool) -> bool {
        if quick && offset > 0 {
            self.window = self.window.saturating_mul(2).min(STREAM_WINDOW_MAX);
        }
        self.durable = self.durable.max(offset);
        self.credit = self.credit.max(offset.saturating_add(self.window));
        self.finished && self.fin && self.durable == self.written
    }

    /// The offset to report as DURABLE: nothing beyond what came on this connection. The end answers FIN.
    fn durable_due(&self) -> Option<u64> {
        let offset = self.durable.min(self.received);
        (offset > self.durable_said && !self.finished).then_some(offset)
    }

    fn credit_due(&self) -> Option<u64> {
        // req: STR-017
        let offset = self.credit.min(self.received.saturating_add(STREAM_WINDOW_MAX));
        (offset > self.credit_said && !self.fin).then_some(offset)
    }

    pub(super) fn has_news(&self) -> bool {
        self.durable_due().is_some() || self.credit_due().is_some()
    }

    /// Puts DURABLE and CREDIT into the record.
    pub(super) fn fill(&mut self, id: u64, record: &mut RecordBuilder) {
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
