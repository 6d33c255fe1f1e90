//! The sender of content for a caller that reads in the background, such as a page, whose files only another
//! thread can read.

use bytes::Bytes;
use handfast_codec::error::ErrorCode;

use crate::{ChunkList, Outgoing, Source};

/// The number of bytes that are read at once.
const BLOCK_LEN: u64 = 256 * 1024;

/// The part of the content that was read last.
#[derive(Debug)]
struct Block {
    /// The content offset of the first byte.
    at: u64,
    bytes: Bytes,
}

impl Block {
    /// Returns how many bytes from this content offset on are here.
    fn len_from(&self, offset: u64) -> usize {
        self.index(offset).map_or(0, |index| self.bytes.len().saturating_sub(index))
    }

    fn index(&self, offset: u64) -> Option<usize> {
        usize::try_from(offset.checked_sub(self.at)?).ok()
    }
}

impl Source for Block {
    fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, ErrorCode> {
        // At the end of the content nothing is left to be read.
        if len == 0 {
            return Ok(Bytes::new());
        }
        let from = self.index(offset).ok_or(ErrorCode::IO)?;
        let to = from.checked_add(len).filter(|to| *to <= self.bytes.len()).ok_or(ErrorCode::IO)?;
        Ok(self.bytes.slice(from..to))
    }
}

/// What the caller of a [`QueuedOutgoing`] must do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each must be dealt with")]
pub enum SupplyStep {
    /// Read at most `len` bytes of the content from the offset `at` on, and pass them to
    /// [`QueuedOutgoing::provide`].
    Read {
        /// The content offset of the first byte.
        at: u64,
        /// The most bytes to read.
        len: u64,
    },
    /// Pass this to `stream_supply`.
    Supply {
        /// The stream offset of the first byte.
        offset: u64,
        /// The bytes of the stream.
        bytes: Bytes,
        /// The content's hash, with the last bytes.
        fin: Option<[u8; 32]>,
    },
}

/// The state of one stream over which content is sent, for a caller that reads in the background.
#[derive(Debug)]
pub struct QueuedOutgoing {
    outgoing: Outgoing<Block>,
    /// The stream offset from which bytes are wanted, and the most that are.
    wanted: Option<(u64, usize)>,
    /// The content offset from which the caller is reading.
    reading: Option<u64>,
    is_paused: bool,
}

impl QueuedOutgoing {
    /// Creates the stream of the content that has this chunk list. The stream leaves out the first `from`
    /// bytes of the content.
    ///
    /// # Errors
    ///
    /// As [`Outgoing::new`].
    pub fn new(list: &ChunkList, from: u64) -> Result<Self, ErrorCode> {
        let nothing = Block { at: 0, bytes: Bytes::new() };
        let outgoing = Outgoing::new(list, from, nothing)?;
        Ok(Self { outgoing, wanted: None, reading: None, is_paused: false })
    }

    /// Notes that the stream wants at most `max` bytes from `offset` on.
    pub const fn want(&mut self, offset: u64, max: usize) {
        self.wanted = Some((offset, max));
    }

    /// Continues the stream after a new connection. What was wanted before is wanted again.
    pub const fn resume(&mut self) {
        self.wanted = None;
    }

    /// Pauses the stream, or continues it. A paused stream supplies nothing.
    pub const fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Returns how many bytes of the content the receiver has, if it has the stream up to `durable`.
    #[must_use]
    pub fn progress(&self, durable: u64) -> u64 {
        self.outgoing.content_offset(durable).unwrap_or(0)
    }

    /// Takes the bytes that were read for [`SupplyStep::Read`].
    ///
    /// # Errors
    ///
    /// `IO` when nothing was read, because the content has become shorter.
    pub fn provide(&mut self, bytes: Bytes) -> Result<(), ErrorCode> {
        let Some(at) = self.reading.take() else { return Ok(()) };
        if bytes.is_empty() {
            return Err(ErrorCode::IO);
        }
        *self.outgoing.source_mut() = Block { at, bytes };
        Ok(())
    }

    /// Returns the next thing to do, until there is nothing.
    ///
    /// # Errors
    ///
    /// As [`Outgoing::read`].
    pub fn next_step(&mut self) -> Result<Option<SupplyStep>, ErrorCode> {
        let Some((offset, max)) = self.wanted.filter(|_| !self.is_paused) else { return Ok(None) };
        let size = self.outgoing.size();
        let mut max = max;
        if let Some(at) = self.outgoing.content_offset(offset).filter(|at| *at < size) {
            let here = self.outgoing.source_mut().len_from(at);
            if here == 0 {
                return Ok(self.read_from(at, size));
            }
            max = max.min(here);
        }
        let (bytes, fin) = self.outgoing.read(offset, max)?;
        self.wanted = None;
        Ok(Some(SupplyStep::Supply { offset, bytes, fin }))
    }

    fn read_from(&mut self, at: u64, size: u64) -> Option<SupplyStep> {
        if self.reading.is_some() {
            return None;
        }
        self.reading = Some(at);
        Some(SupplyStep::Read { at, len: size.saturating_sub(at).min(BLOCK_LEN) })
    }
}
