//! The receiver of content for a caller that stores in the background, such as a page, whose files only
//! another thread can write.

use alloc::vec::Vec;

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::ContentId;
use handfast_codec::limits::{DATA_LEN_MAX, MEDIA_CHUNK_LEN};

use crate::{ChunkList, Incoming, MediaReceiver, Progress, Storage, Synced};

/// The most content that is handed out at once, in bytes. While a sync is under way, less waits for more: each
/// write costs the caller a message to its thread.
pub const WRITE_LEN: u64 = MEDIA_CHUNK_LEN.saturating_mul(4);

/// The memory that is reserved at once: the bytes that complete a write also bring the beginning of the next.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a constant below 2^32")]
const WRITE_ROOM: usize = (WRITE_LEN as usize).saturating_add(DATA_LEN_MAX);

/// Content that has arrived and was not handed to the caller yet.
#[derive(Debug)]
struct Arrived {
    /// The content offset of the first of the bytes.
    at: u64,
    bytes: Vec<u8>,
}

impl Storage for Arrived {
    const KEEPS_LIST: bool = false;

    fn write_list(&mut self, _: &[u8]) -> Result<(), ErrorCode> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        if self.bytes.capacity() == 0 && !bytes.is_empty() {
            self.bytes.reserve(WRITE_ROOM);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<Synced, ErrorCode> {
        // The caller is asked for this by `StoreStep::Sync`, and the report waits for its answer.
        Ok(Synced::Yes)
    }
}

/// What the caller of a [`QueuedIncoming`] must do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each must be dealt with")]
pub enum StoreStep {
    /// Request more of the stream with `stream_buffered`: what came before this stream offset is written, or will be.
    Buffered(u64),
    /// Write this content, which is checked, at the content offset `at`.
    Write {
        /// The content offset of the first byte.
        at: u64,
        /// The content.
        bytes: Vec<u8>,
    },
    /// Make durable what was written, then report [`QueuedIncoming::report`] and call
    /// [`QueuedIncoming::synced`].
    Sync(SyncStep),
}

/// What is to be made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "each field must be dealt with")]
pub struct SyncStep {
    /// The content offset up to which content was written.
    pub offset: u64,
    /// The content's size, in bytes.
    pub size: u64,
    /// The chunk list, unless it is stored already. It must become durable together with the report.
    pub list: Option<ChunkList>,
    /// Whether this is the whole content, and the end of its stream.
    pub is_whole: bool,
}

/// Where the only sync that is under way stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncing {
    No,
    /// The stream offset `report` may be reported when it is done.
    Until {
        report: u64,
        /// Whether this is the end of the stream.
        is_whole: bool,
    },
    /// The stream was resumed meanwhile, from before what is being synced. Nothing is reported.
    Outdated,
}

/// The state of one stream over which content comes, for a caller that stores in the background. It hands out
/// only content that is checked, in order, and asks for one sync at a time.
#[derive(Debug)]
pub struct QueuedIncoming {
    incoming: Incoming<Arrived>,
    /// The content offset at which the stream begins.
    from: u64,
    /// The stored chunk list of a stream that an earlier run of the program has opened.
    stored_list: Option<ChunkList>,
    is_list_stored: bool,
    /// The stream offset up to which bytes have arrived, if the caller must still request more.
    buffered: Option<u64>,
    syncing: Syncing,
}

impl QueuedIncoming {
    /// Creates the state of a stream that leaves out the first `from` bytes of the content. `list` is the
    /// stored chunk list if an earlier run of the program has opened the stream; then
    /// [`QueuedIncoming::resume`] follows.
    ///
    /// # Errors
    ///
    /// `OFFSET` when `from` is not a multiple of the chunk length.
    pub fn new(content: ContentId, from: u64, list: Option<ChunkList>) -> Result<Self, ErrorCode> {
        Ok(Self {
            incoming: incoming_from(content, from, None)?,
            from,
            is_list_stored: list.is_some(),
            stored_list: list,
            buffered: None,
            syncing: Syncing::No,
        })
    }

    /// Continues the stream after a new connection, from the stream offset `durable` on.
    ///
    /// # Errors
    ///
    /// `IO` when the stored chunk list is missing, is not that of the content, or does not fit `durable`.
    pub fn resume(&mut self, durable: u64) -> Result<(), ErrorCode> {
        let mut list = self.incoming.take_list().or_else(|| self.stored_list.take());
        let known = if durable == 0 { None } else { Some((list.take().ok_or(ErrorCode::IO)?, durable)) };
        let resumed = incoming_from(self.incoming.content(), self.from, known);
        self.incoming = resumed.map_err(|_| ErrorCode::IO)?;
        self.stored_list = list;
        self.buffered = None;
        if self.syncing != Syncing::No {
            self.syncing = Syncing::Outdated;
        }
        Ok(())
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    ///
    /// As [`Incoming::take`].
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        self.incoming.take(bytes)?;
        self.buffered = Some(self.incoming.arrived());
        Ok(())
    }

    /// Notes that the sender has sent everything, as [`Incoming::fin`].
    pub const fn fin(&mut self, hash: [u8; 32]) {
        self.incoming.fin(hash);
    }

    /// Returns the next thing to do, until there is nothing.
    ///
    /// # Errors
    ///
    /// As [`Incoming::sync`].
    pub fn next_step(&mut self) -> Result<Option<StoreStep>, ErrorCode> {
        if let Some(offset) = self.buffered.take() {
            return Ok(Some(StoreStep::Buffered(offset)));
        }
        let Some(list) = self.incoming.list() else { return self.next_sync(0, 0, None) };
        let (size, list_len) = (list.size(), list.encoded_len());
        let offset = self.from.saturating_add(self.incoming.checked().saturating_sub(list_len));
        let at = self.incoming.storage_mut().at;
        let is_due = self.syncing == Syncing::No && self.incoming.is_behind();
        if is_due || offset.saturating_sub(at) >= WRITE_LEN {
            let to = offset.min(at.saturating_add(WRITE_LEN));
            if let Some((at, bytes)) = self.incoming.storage_mut().split_to(to) {
                return Ok(Some(StoreStep::Write { at, bytes }));
            }
        }
        let list = if self.is_list_stored { None } else { self.incoming.list().cloned() };
        self.next_sync(offset, size, list)
    }

    fn next_sync(
        &mut self,
        offset: u64,
        size: u64,
        list: Option<ChunkList>,
    ) -> Result<Option<StoreStep>, ErrorCode> {
        if self.syncing != Syncing::No {
            return Ok(None);
        }
        let (report, is_whole) = match self.incoming.sync()? {
            Progress::Nothing => return Ok(None),
            Progress::Durable(report) => (report, false),
            Progress::Whole(report) => (report, true),
        };
        self.syncing = Syncing::Until { report, is_whole };
        Ok(Some(StoreStep::Sync(SyncStep { offset, size, list, is_whole })))
    }

    /// Returns the stream offset to report with `stream_durable` once the sync under way is done, if there is
    /// one. There is none after the stream was resumed.
    #[must_use]
    pub const fn report(&self) -> Option<u64> {
        match self.syncing {
            Syncing::Until { report, .. } => Some(report),
            Syncing::No | Syncing::Outdated => None,
        }
    }

    /// Notes that the sync is done, and was reported if there was something to report. Returns whether the
    /// whole content was reported, with which the stream ends.
    pub fn synced(&mut self) -> bool {
        let is_whole = matches!(self.syncing, Syncing::Until { is_whole: true, .. });
        self.is_list_stored |= self.report().is_some();
        self.syncing = Syncing::No;
        is_whole
    }
}

/// Returns the state of a stream that begins at the content offset `from`. A stream that continues has a
/// chunk list, and a stream offset up to which it is stored.
fn incoming_from(
    content: ContentId,
    from: u64,
    known: Option<(ChunkList, u64)>,
) -> Result<Incoming<Arrived>, ErrorCode> {
    let (receiver, at, durable) = match known {
        None => (MediaReceiver::new(content, from)?, from, 0),
        Some((list, durable)) => {
            let at = from.saturating_add(durable.saturating_sub(list.encoded_len()));
            (MediaReceiver::resume(content, list, from, durable)?, at, durable)
        }
    };
    Ok(Incoming::new(content, None, receiver, durable, Arrived { at, bytes: Vec::new() }))
}

impl Arrived {
    /// Takes out the bytes before the content offset `to`, with their offset, if there are any.
    fn split_to(&mut self, to: u64) -> Option<(u64, Vec<u8>)> {
        let len = usize::try_from(to.checked_sub(self.at)?).ok()?.min(self.bytes.len());
        if len == 0 {
            return None;
        }
        let mut rest = Vec::new();
        if let Some(tail) = self.bytes.get(len..).filter(|tail| !tail.is_empty()) {
            rest.reserve(WRITE_ROOM);
            rest.extend_from_slice(tail);
        }
        self.bytes.truncate(len);
        let at = core::mem::replace(&mut self.at, to);
        Some((at, core::mem::replace(&mut self.bytes, rest)))
    }
}
