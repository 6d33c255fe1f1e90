//! The sending half of a stream: what was supplied, what may be sent, what the receiver has on disk.
//!
//! Nothing here does I/O.

use alloc::collections::VecDeque;

use bytes::{Buf, Bytes};
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{DATA_LEN_MAX, STREAM_CREDIT_START, STREAM_WINDOW_MAX};
use handfast_codec::record::RecordBuilder;

use crate::error::ApiMisuse;

/// The most bytes that the application is asked for at once.
const WANT_MAX: u64 = 65_536;
/// The most bytes that a DATA frame adds to its content: type, length, id, offset.
const DATA_OVERHEAD_MAX: usize = 1 + 4 + 8 + 8;

#[derive(Debug, Default)]
pub(crate) struct Sending {
    /// The offset of the next byte to seal.
    offset: u64,
    /// The offset after the last byte supplied.
    supplied: u64,
    credit: u64,
    /// The offset up to which the receiver has everything on its disk.
    durable: u64,
    queue: VecDeque<Bytes>,
    /// The number of bytes that the application was asked for and has not supplied yet.
    asked: Option<u64>,
    end: End,
    /// Whether `offset` is known. It is not stored, so after a restart only the peer knows it.
    offset_known: bool,
    /// Whether a CREDIT or DURABLE has come on this connection.
    heard: bool,
    /// Whether this stream is sent before others.
    pub(super) urgent: bool,
}

/// Whether the application has supplied everything.
#[derive(Clone, Copy, Debug, Default)]
enum End {
    #[default]
    Open,
    /// Everything is supplied, and the content has this hash.
    Supplied([u8; 32]),
    /// FIN was sent.
    Sent,
}

/// The result of a DURABLE frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durable {
    /// Some bytes more are on the receiver's disk.
    Progress,
    /// The whole stream is on the receiver's disk.
    Done,
}

impl Sending {
    pub(super) fn new(credit: u64) -> Self {
        Self { credit, offset_known: true, ..Self::default() }
    }

    /// Creates the sending half of a stored stream. Only the peer's next resume block tells how far the peer
    /// has received it.
    pub(super) fn loaded() -> Self {
        Self::default()
    }

    /// Prepares for a new connection. The receiver has everything up to `offset`. Returns false if that is
    /// impossible.
    pub(super) fn resume(&mut self, offset: u64) -> bool {
        if self.offset_known && offset > self.offset {
            return false;
        }
        // The receiver may have lost bytes that it had not reported as durable.
        // req: STR-007
        *self = Self {
            offset,
            supplied: offset,
            durable: offset,
            credit: offset.saturating_add(STREAM_CREDIT_START),
            urgent: self.urgent,
            ..Self::new(0)
        };
        true
    }

    pub(super) fn credit(&mut self, offset: u64) -> Result<(), ErrorCode> {
        // No honest receiver has a larger window.
        // req: STR-017
        if offset > self.offset.saturating_add(STREAM_WINDOW_MAX) {
            return Err(ErrorCode::LIMIT);
        }
        // Absolute offsets make a repeated or late frame harmless.
        // req: STR-005
        self.credit = self.credit.max(offset);
        self.heard = true;
        Ok(())
    }

    pub(super) fn durable(&mut self, offset: u64, is_put: bool) -> Result<Durable, ErrorCode> {
        // A receiver that already has the content answers a put with the whole size, before it sends any
        // other frame.
        let untouched = (self.offset == 0 || !self.heard) && self.durable == 0 && is_put;
        // If DURABLE named more bytes than were sent, this side would delete content that the receiver lacks.
        // req: STR-085
        if offset > self.offset && !untouched {
            return Err(ErrorCode::ACK_FUTURE);
        }
        // Durable bytes cannot be lost again, so a lower offset is a fault of the peer.
        // req: STR-019
        if offset < self.durable {
            return Err(ErrorCode::OFFSET);
        }
        self.durable = offset;
        self.heard = true;
        // The sender may forget the content only when the receiver has everything.
        // req: STR-008
        let done = (matches!(self.end, End::Sent) && offset == self.offset) || offset > self.offset;
        Ok(if done { Durable::Done } else { Durable::Progress })
    }

    pub(super) fn supply(
        &mut self,
        offset: u64,
        bytes: Bytes,
        fin: Option<[u8; 32]>,
    ) -> Result<(), ApiMisuse> {
        let asked = self.asked.ok_or(ApiMisuse::WrongOffset)?;
        if offset != self.supplied {
            return Err(ApiMisuse::WrongOffset);
        }
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if len > asked || (len == 0 && fin.is_none()) {
            return Err(ApiMisuse::TooLarge);
        }
        self.asked = None;
        self.supplied = self.supplied.saturating_add(len);
        self.end = fin.map_or(End::Open, End::Supplied);
        if len > 0 {
            self.queue.push_back(bytes);
        }
        Ok(())
    }

    /// Returns the number of bytes that are queued here or requested from the application.
    pub(super) fn held(&self) -> u64 {
        self.supplied.saturating_sub(self.offset).saturating_add(self.asked.unwrap_or(0))
    }

    /// Requests bytes from the application, at most `room`. Returns the offset and the number of bytes.
    pub(super) fn want(&mut self, room: u64) -> Option<(u64, usize)> {
        let room = self.credit.saturating_sub(self.supplied).min(WANT_MAX).min(room);
        // More is requested before the queue is empty, so that the stream does not miss its turn.
        let enough = self.queue.iter().map(Bytes::len).sum::<usize>() >= DATA_LEN_MAX;
        if room == 0 || enough || self.asked.is_some() || !matches!(self.end, End::Open) {
            return None;
        }
        self.asked = Some(room);
        Some((self.supplied, usize::try_from(room).ok()?))
    }

    /// Returns the hash for a FIN that may be sent now.
    fn fin_due(&self) -> Option<[u8; 32]> {
        match self.end {
            End::Supplied(hash) if self.queue.is_empty() => Some(hash),
            End::Open | End::Supplied(_) | End::Sent => None,
        }
    }

    /// Returns whether something could be sent; `room` tells whether the connection's credit allows content.
    pub(super) fn is_ready(&self, room: bool) -> bool {
        (room && !self.queue.is_empty()) || self.fin_due().is_some()
    }

    /// Writes one DATA frame of at most `room` content bytes, or the FIN, into the record. Returns the number
    /// of content bytes written.
    pub(super) fn fill(&mut self, id: u64, room: u64, record: &mut RecordBuilder) -> Option<u64> {
        if let Some(hash) = self.fin_due() {
            if record.push(&Frame::Fin { id, hash }) {
                self.end = End::Sent;
            }
            return None;
        }
        let front = self.queue.front_mut()?;
        let fits = record
            .room()
            .saturating_sub(DATA_OVERHEAD_MAX)
            .min(DATA_LEN_MAX)
            .min(usize::try_from(room).unwrap_or(usize::MAX));
        let take = front.len().min(fits);
        if take == 0 {
            return None;
        }
        let body = front.slice(..take);
        if !record.push(&Frame::Data { id, offset: self.offset, body }) {
            return None;
        }
        front.advance(take);
        if front.is_empty() {
            let _ = self.queue.pop_front();
        }
        let sent = u64::try_from(take).ok()?;
        self.offset = self.offset.saturating_add(sent);
        Some(sent)
    }
}
