//! The sending half of a stream: what was supplied, what may leave, what the receiver has.
//!
//! May touch: nothing outside memory.

use alloc::collections::VecDeque;

use bytes::{Buf, Bytes};
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::limits::{DATA_LEN_MAX, STREAM_CREDIT_START, STREAM_WINDOW_MAX};
use handfast_codec::record::RecordBuilder;

use crate::error::ApiMisuse;

/// The most bytes asked of the application at once.
const WANT_MAX: u64 = 65_536;
/// Bytes that a DATA frame adds around its content, at most: type, length, id, offset.
const DATA_OVERHEAD_MAX: usize = 1 + 4 + 8 + 8;

#[derive(Debug, Default)]
pub(crate) struct Sending {
    /// The offset of the next byte to seal.
    offset: u64,
    /// The offset after what was supplied.
    supplied: u64,
    credit: u64,
    /// What the receiver has on its disk.
    durable: u64,
    queue: VecDeque<Bytes>,
    /// How many bytes the application was asked for and has not given.
    asked: Option<u64>,
    end: End,
    /// Whether how far it was sent is known: not after a start.
    offset_known: bool,
    /// Whether the receiver has said anything on this connection.
    heard: bool,
    /// Whether it goes before other content.
    pub(super) urgent: bool,
}

/// Whether the application has supplied all.
#[derive(Clone, Copy, Debug, Default)]
enum End {
    #[default]
    Open,
    /// It has, and gave this hash.
    Supplied([u8; 32]),
    /// FIN has left.
    Sent,
}

/// What DURABLE meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durable {
    /// The receiver has this much.
    Progress,
    /// It has all.
    Done,
}

impl Sending {
    pub(super) fn new(credit: u64) -> Self {
        Self { credit, offset_known: true, ..Self::default() }
    }

    /// As loaded: only the next resume block says how far it came.
    pub(super) fn loaded() -> Self {
        Self::default()
    }

    /// A connection begins, and the receiver has everything up to `offset`. `false` if it cannot.
    pub(super) fn resume(&mut self, offset: u64) -> bool {
        if self.offset_known && offset > self.offset {
            return false;
        }
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
        // req: STR-017
        if offset > self.offset.saturating_add(STREAM_WINDOW_MAX) {
            return Err(ErrorCode::LIMIT);
        }
        // req: STR-005
        self.credit = self.credit.max(offset);
        self.heard = true;
        Ok(())
    }

    pub(super) fn durable(&mut self, offset: u64, is_put: bool) -> Result<Durable, ErrorCode> {
        // A receiver that has the content already answers a put with the whole size, before anything else.
        let untouched = (self.offset == 0 || !self.heard) && self.durable == 0 && is_put;
        // req: STR-085
        if offset > self.offset && !untouched {
            return Err(ErrorCode::ACK_FUTURE);
        }
        // req: STR-019
        if offset < self.durable {
            return Err(ErrorCode::OFFSET);
        }
        self.durable = offset;
        self.heard = true;
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

    /// How many bytes are held here or were asked for.
    pub(super) fn held(&self) -> u64 {
        self.supplied.saturating_sub(self.offset).saturating_add(self.asked.unwrap_or(0))
    }

    /// Asks for what may be sent, at most `room` bytes: the offset and how many.
    pub(super) fn want(&mut self, room: u64) -> Option<(u64, usize)> {
        let room = self.credit.saturating_sub(self.supplied).min(WANT_MAX).min(room);
        // Asked for a frame before it runs dry, so that its turn is not missed.
        let enough = self.queue.iter().map(Bytes::len).sum::<usize>() >= DATA_LEN_MAX;
        if room == 0 || enough || self.asked.is_some() || !matches!(self.end, End::Open) {
            return None;
        }
        self.asked = Some(room);
        Some((self.supplied, usize::try_from(room).ok()?))
    }

    /// The hash of the FIN that is to leave now.
    fn fin_due(&self) -> Option<[u8; 32]> {
        match self.end {
            End::Supplied(hash) if self.queue.is_empty() => Some(hash),
            End::Open | End::Supplied(_) | End::Sent => None,
        }
    }

    /// Whether something could leave; `room` says whether the connection has credit.
    pub(super) fn is_ready(&self, room: bool) -> bool {
        (room && !self.queue.is_empty()) || self.fin_due().is_some()
    }

    /// Puts one DATA of at most `room` bytes, or the FIN, into the record. Returns the bytes of content sent.
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
