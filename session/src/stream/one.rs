//! One stream, and its row in the store: `kind u8 (1 get, 2 put) | local u8 | durable u64 | meta`.
//!
//! Nothing here does I/O.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::frame::{Frame, OpenKind};
use handfast_codec::limits::STREAM_CREDIT_START;
use handfast_codec::record::RecordBuilder;

use super::receiving::Receiving;
use super::sending::Sending;
use crate::commit::Op;
use crate::error::LoadError;
use crate::keys;

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) kind: OpenKind,
    /// Whether this side opened the stream.
    pub(crate) local: bool,
    pub(crate) meta: Bytes,
    pub(super) half: Half,
    pub(super) open: Open,
}

/// The direction of a stream's bytes, with the state for it.
#[derive(Debug)]
pub(super) enum Half {
    Sending(Sending),
    Receiving(Receiving),
}

/// Whether the peer can know a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// The commit that stores the stream is not durable, so OPEN must not be sent yet.
    Withheld,
    /// The stream's OPEN may be sent.
    Due,
    /// The stream's OPEN was sent, or the peer opened the stream.
    Known,
}

impl Stream {
    pub(super) fn new(kind: OpenKind, local: bool, meta: Bytes) -> Self {
        let credit = if kind == OpenKind::Get { STREAM_CREDIT_START } else { 0 };
        let half = if is_sending(kind, local) {
            Half::Sending(Sending::new(credit))
        } else {
            Half::Receiving(Receiving::new(credit, 0))
        };
        Self { kind, local, meta, half, open: if local { Open::Withheld } else { Open::Known } }
    }

    /// Returns the offset up to which this side has received durably, for a resume block.
    pub(super) fn offset(&self) -> u64 {
        match &self.half {
            Half::Sending(_) => 0,
            Half::Receiving(r) => r.offset(),
        }
    }

    /// Writes the OPEN into the record if it is due.
    pub(super) fn fill_open(&mut self, id: u64, record: &mut RecordBuilder) {
        let frame = Frame::Open { id, kind: self.kind, meta: self.meta.clone() };
        if self.open == Open::Due && record.push(&frame) {
            self.open = Open::Known;
        }
    }

    pub(super) fn put(&self, id: u64) -> Op {
        let mut row = Vec::with_capacity(self.meta.len().saturating_add(10));
        row.push(if self.kind == OpenKind::Get { 1 } else { 2 });
        row.push(u8::from(self.local));
        row.extend_from_slice(&self.offset().to_be_bytes());
        row.extend_from_slice(&self.meta);
        Op::put(keys::numbered(keys::STREAM, id), row)
    }

    pub(super) fn from_row(row: &[u8]) -> Result<Self, LoadError> {
        let (head, rest) = row.split_first_chunk::<2>().ok_or(LoadError::Damaged)?;
        let (durable, meta) = rest.split_first_chunk::<8>().ok_or(LoadError::Damaged)?;
        let (kind, local) = match head {
            [1, local @ (0 | 1)] => (OpenKind::Get, *local == 1),
            [2, local @ (0 | 1)] => (OpenKind::Put, *local == 1),
            _ => return Err(LoadError::Damaged),
        };
        let half = if is_sending(kind, local) {
            Half::Sending(Sending::loaded())
        } else {
            Half::Receiving(Receiving::new(0, u64::from_be_bytes(*durable)))
        };
        Ok(Self { kind, local, meta: Bytes::copy_from_slice(meta), half, open: Open::Known })
    }
}

fn is_sending(kind: OpenKind, local: bool) -> bool {
    (kind == OpenKind::Put) == local
}
