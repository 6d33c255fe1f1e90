//! The transfers of content over a link's streams, for an application that stores in its own time and language. The bytes
//! of a stream stay in here: what comes out is checked content to be stored, and what goes in is content to be sent.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::frame::OpenKind;
use handfast_codec::ids::ContentId;
use handfast_codec::limits::MEDIA_CHUNK_LEN;
use handfast_codec::stream_meta::{GetMeta, PutMeta};
use handfast_codec::{ErrorCode, Timestamp};
use handfast_media::{ChunkList, QueuedIncoming, QueuedOutgoing, StoreStep, SupplyStep, SyncStep, list_len};
use handfast_session::role::Role;
use handfast_session::{ApiMisuse, Commit, Endpoint, Opened, SendError, StreamEnd, StreamEvent, StreamInfo};

/// What the application must do for a transfer, or show.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each must be dealt with")]
pub enum TransferEvent {
    /// Write this content, which is checked, at the content offset `at`.
    Write {
        /// The stream's id.
        id: u64,
        /// The content offset of the first byte.
        at: u64,
        /// The content.
        bytes: Vec<u8>,
    },
    /// Make durable what was written, then call [`Transfers::durable`].
    Sync {
        /// The stream's id.
        id: u64,
        /// What is to be made durable.
        step: SyncStep,
    },
    /// Read at most `len` bytes of the content from the offset `at` on, and pass them to [`Transfers::supply`].
    Read {
        /// The stream's id.
        id: u64,
        /// The content offset of the first byte.
        at: u64,
        /// The most bytes to read.
        len: u64,
    },
    /// The peer has stored this many bytes of the content.
    Progress {
        /// The stream's id.
        id: u64,
        /// The number of bytes.
        offset: u64,
    },
    /// A stream has ended. Content that came is whole only if this side had reported all of it.
    Ended {
        /// The stream's id.
        id: u64,
        /// The way in which it ended.
        end: StreamEnd,
    },
}

/// What a stream transfers.
#[derive(Debug)]
enum Transfer {
    /// The peer has opened the stream, or it is of an earlier run, and the application has not said what to do. Its
    /// events are held back.
    Held(StreamInfo),
    Incoming(Box<QueuedIncoming>),
    Outgoing(QueuedOutgoing),
    /// The stream must be stopped, for this reason.
    Failed(ErrorCode),
    /// The stream was stopped; only its end is awaited.
    Stopped,
}

#[derive(Debug)]
struct Stream {
    id: u64,
    transfer: Transfer,
    /// The events that are not handled yet, which are few.
    events: Vec<StreamEvent>,
    is_over: bool,
}

/// All transfers of a link.
#[derive(Debug)]
pub struct Transfers {
    /// The streams, which are few.
    streams: Vec<Stream>,
}

impl Transfers {
    /// Creates the transfers of a link that has these streams. Each waits for [`Transfers::resume`], or as one that
    /// the peer has just opened.
    #[must_use]
    pub fn new(streams: Vec<StreamInfo>) -> Self {
        let mut transfers = Self { streams: Vec::new() };
        for info in streams {
            transfers.hold(info);
        }
        transfers
    }

    /// Takes note of a stream that the peer has opened. It waits for [`Transfers::accept`], [`Transfers::complete`],
    /// [`Transfers::serve`] or [`Transfers::stop`].
    pub fn hold(&mut self, info: StreamInfo) {
        self.add(info.id, Transfer::Held(info));
    }

    fn add(&mut self, id: u64, transfer: Transfer) {
        self.streams.push(Stream { id, transfer, events: Vec::new(), is_over: false });
    }

    /// Opens a stream that fetches content of which the first `stored` bytes are stored and checked.
    ///
    /// # Errors
    ///
    /// [`SendError`], such as when too many streams are open.
    pub fn get<R: Role>(
        &mut self,
        now: Timestamp,
        endpoint: &mut Endpoint<R>,
        content: ContentId,
        stored: u64,
    ) -> Result<Opened, SendError> {
        // Content is checked by whole chunks.
        let from = stored.saturating_sub(stored % MEDIA_CHUNK_LEN);
        let get = Transfer::Incoming(Box::new(incoming(content, from)?));
        self.open(now, endpoint, OpenKind::Get, GetMeta { content, offset: from }.encode(), get)
    }

    /// Opens a stream that sends the content of this chunk list.
    ///
    /// # Errors
    ///
    /// As [`Transfers::get`].
    pub fn put<R: Role>(
        &mut self,
        now: Timestamp,
        endpoint: &mut Endpoint<R>,
        list: &ChunkList,
    ) -> Result<Opened, SendError> {
        let put = QueuedOutgoing::new(list, 0).map_err(|_| ApiMisuse::WrongOffset)?;
        let meta = PutMeta { content: list.content_id(), offset: 0, size: list.size() }.encode();
        self.open(now, endpoint, OpenKind::Put, meta, Transfer::Outgoing(put))
    }

    fn open<R: Role>(
        &mut self,
        now: Timestamp,
        endpoint: &mut Endpoint<R>,
        kind: OpenKind,
        meta: Vec<u8>,
        transfer: Transfer,
    ) -> Result<Opened, SendError> {
        let opened = endpoint.stream_open(now, kind, meta.into())?;
        self.add(opened.id, transfer);
        Ok(opened)
    }

    /// Takes the content of a put that the peer has opened. Whether its size is the stated one shows at the first
    /// [`TransferEvent::Sync`]. A stream whose meta cannot be used is stopped instead:
    /// then there is no commit.
    ///
    /// # Errors
    ///
    /// [`SendError`], also if no such stream waits for this.
    pub fn accept<R: Role>(
        &mut self,
        now: Timestamp,
        endpoint: &mut Endpoint<R>,
        id: u64,
    ) -> Result<Option<Commit>, SendError> {
        let Some(put) = self.offered(id)? else { return Ok(None) };
        // Nothing is kept of a stream that has ended, so each begins at 0.
        if put.offset > 0 {
            self.stop(id, ErrorCode::OFFSET);
            return Ok(None);
        }
        let incoming = incoming(put.content, 0)?;
        let commit = endpoint.stream_durable(now, id, 0)?;
        self.set(id, Transfer::Incoming(Box::new(incoming)));
        Ok(Some(commit))
    }

    /// Answers a put whose content is here already.
    ///
    /// # Errors
    ///
    /// As [`Transfers::accept`].
    pub fn complete<R: Role>(
        &mut self,
        now: Timestamp,
        endpoint: &mut Endpoint<R>,
        id: u64,
    ) -> Result<Option<Commit>, SendError> {
        let Some(put) = self.offered(id)? else { return Ok(None) };
        let len = list_len(put.size).saturating_add(put.size).saturating_sub(put.offset);
        let commit = endpoint.stream_complete(now, id, len)?;
        self.finish(id);
        Ok(Some(commit))
    }

    /// Sends the content of this chunk list over a get that the peer has opened.
    ///
    /// # Errors
    ///
    /// [`SendError`] if no such stream waits for this.
    pub fn serve(&mut self, id: u64, list: &ChunkList) -> Result<(), SendError> {
        let info = self.held(id, OpenKind::Get, "a get of the peer that waits for its answer")?;
        let transfer = served(info, list).unwrap_or_else(Transfer::Failed);
        self.set(id, transfer);
        Ok(())
    }

    /// Continues a stream of an earlier run, with its encoded chunk list if that is stored. Returns false if there is
    /// no such stream any more. A stream that cannot continue is stopped.
    pub fn resume(&mut self, id: u64, list: Option<&[u8]>) -> bool {
        let Some(stream) = self.stream(id) else { return false };
        if let Transfer::Held(info) = &stream.transfer {
            let resumed = if info.local { resumed } else { resumed_of_peer };
            let list = list.map(ChunkList::decode).transpose();
            stream.transfer =
                list.and_then(|list| resumed(info, list)).unwrap_or(Transfer::Failed(ErrorCode::IO));
        }
        true
    }

    /// Supplies the bytes that [`TransferEvent::Read`] asked for. Fewer may be supplied, but not none.
    pub fn supply(&mut self, id: u64, bytes: Bytes) {
        if let Some(stream) = self.stream(id)
            && let Transfer::Outgoing(outgoing) = &mut stream.transfer
            && let Err(code) = outgoing.provide(bytes)
        {
            stream.transfer = Transfer::Failed(code);
        }
    }

    /// Pauses a stream that sends, or continues it.
    pub fn set_paused(&mut self, id: u64, is_paused: bool) {
        if let Some(Stream { transfer: Transfer::Outgoing(outgoing), .. }) = self.stream(id) {
            outgoing.set_paused(is_paused);
        }
    }

    /// Reports that what [`TransferEvent::Sync`] asked for is durable. Returns a commit, or nothing if the stream has
    /// ended or was resumed meanwhile; then the event comes again if it is needed.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn durable<R: Role>(
        &mut self,
        now: Timestamp,
        endpoint: &mut Endpoint<R>,
        id: u64,
    ) -> Result<Option<Commit>, SendError> {
        let Some(Stream { transfer: Transfer::Incoming(incoming), .. }) = self.stream(id) else {
            return Ok(None);
        };
        let Some(report) = incoming.report() else {
            let _ = incoming.synced();
            return Ok(None);
        };
        let commit = endpoint.stream_durable(now, id, report)?;
        if incoming.synced() {
            self.finish(id);
        }
        Ok(Some(commit))
    }

    /// Stops a stream for both sides. If there is such a stream, [`TransferEvent::Ended`] follows.
    pub fn stop(&mut self, id: u64, code: ErrorCode) {
        self.set(id, Transfer::Failed(code));
    }

    /// Handles an event of a stream.
    pub fn handle(&mut self, event: StreamEvent) {
        let Some(id) = id_of(&event) else { return };
        if let Some(stream) = self.stream(id) {
            stream.events.push(event);
        } else if !matches!(event, StreamEvent::Ended { .. }) {
            // The peer has opened it, and the application took no note of it.
            self.add(id, Transfer::Failed(ErrorCode::GONE));
        }
    }

    /// Does what the transfers need of the endpoint. Returns the next event for the application.
    pub fn poll<R: Role>(&mut self, now: Timestamp, endpoint: &mut Endpoint<R>) -> Option<TransferEvent> {
        let event = self.streams.iter_mut().find_map(|stream| stream.poll(now, endpoint));
        self.streams.retain(|stream| !stream.is_over);
        event
    }

    fn stream(&mut self, id: u64) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|stream| stream.id == id)
    }

    fn set(&mut self, id: u64, transfer: Transfer) {
        if let Some(stream) = self.stream(id) {
            stream.transfer = transfer;
        }
    }

    /// Drops a stream of which this side has reported the end, after which it has no event.
    fn finish(&mut self, id: u64) {
        if let Some(stream) = self.stream(id) {
            stream.is_over = true;
        }
    }

    fn held(&mut self, id: u64, kind: OpenKind, needs: &'static str) -> Result<&StreamInfo, ApiMisuse> {
        match self.stream(id).map(|stream| &stream.transfer) {
            Some(Transfer::Held(info)) if info.kind == kind && !info.local => Ok(info),
            _ => Err(ApiMisuse::WrongState { is: "none of this id", needs }),
        }
    }

    /// Returns what the meta of a put says that waits for its answer. A put whose meta cannot be read is stopped.
    fn offered(&mut self, id: u64) -> Result<Option<PutMeta>, ApiMisuse> {
        let info = self.held(id, OpenKind::Put, "a put of the peer that waits for its answer")?;
        let offered = PutMeta::decode(&info.meta);
        if let Err(error) = &offered {
            self.stop(id, error.code());
        }
        Ok(offered.ok())
    }
}

impl Stream {
    /// Takes the events and steps of this stream, up to the next one that is the application's.
    fn poll<R: Role>(&mut self, now: Timestamp, endpoint: &mut Endpoint<R>) -> Option<TransferEvent> {
        if matches!(self.transfer, Transfer::Held(_)) {
            return None;
        }
        let step = match self.handle_events() {
            Ok(None) => match &mut self.transfer {
                Transfer::Incoming(incoming) => store(self.id, incoming, now, endpoint),
                Transfer::Outgoing(outgoing) => supply(self.id, outgoing, now, endpoint),
                Transfer::Failed(code) => Err(*code),
                Transfer::Held(_) | Transfer::Stopped => Ok(None),
            },
            done => done,
        };
        step.unwrap_or_else(|code| {
            // A stop that finds too many commits open is tried again when some are durable.
            let is_busy = endpoint.reset_stream(now, self.id, code) == Err(SendError::Busy);
            self.transfer = if is_busy { Transfer::Failed(code) } else { Transfer::Stopped };
            None
        })
    }

    fn handle_events(&mut self) -> Result<Option<TransferEvent>, ErrorCode> {
        while !self.events.is_empty() {
            match (&mut self.transfer, self.events.remove(0)) {
                (_, StreamEvent::Ended { id, end }) => {
                    self.is_over = true;
                    return Ok(Some(TransferEvent::Ended { id, end }));
                }
                (Transfer::Incoming(incoming), StreamEvent::Data { bytes, .. }) => incoming.take(&bytes)?,
                (Transfer::Incoming(incoming), StreamEvent::Fin { hash, .. }) => incoming.fin(hash),
                (Transfer::Incoming(incoming), StreamEvent::Resumed { offset, .. }) => {
                    incoming.resume(offset)?;
                }
                (Transfer::Outgoing(outgoing), StreamEvent::DataWanted { offset, max, .. }) => {
                    outgoing.want(offset, max);
                }
                (Transfer::Outgoing(outgoing), StreamEvent::Resumed { .. }) => outgoing.resume(),
                (Transfer::Outgoing(outgoing), StreamEvent::Durable { id, offset }) => {
                    return Ok(Some(TransferEvent::Progress { id, offset: outgoing.progress(offset) }));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// Returns the state of a stream that begins at this offset, which must be that of a chunk.
fn incoming(content: ContentId, from: u64) -> Result<QueuedIncoming, ApiMisuse> {
    QueuedIncoming::new(content, from, None).map_err(|_| ApiMisuse::WrongOffset)
}

/// Returns the transfer of a stream of an earlier run that this side has opened.
fn resumed(info: &StreamInfo, list: Option<ChunkList>) -> Result<Transfer, ErrorCode> {
    Ok(match info.kind {
        OpenKind::Get => {
            let GetMeta { content, offset } = GetMeta::decode(&info.meta).map_err(|error| error.code())?;
            Transfer::Incoming(Box::new(QueuedIncoming::new(content, offset, list)?))
        }
        OpenKind::Put => Transfer::Outgoing(QueuedOutgoing::new(&list.ok_or(ErrorCode::IO)?, 0)?),
    })
}

/// Returns the transfer of a stream of an earlier run that the peer has opened.
fn resumed_of_peer(info: &StreamInfo, list: Option<ChunkList>) -> Result<Transfer, ErrorCode> {
    match info.kind {
        OpenKind::Get => served(info, &list.ok_or(ErrorCode::GONE)?),
        OpenKind::Put => {
            let put = PutMeta::decode(&info.meta).map_err(|error| error.code())?;
            Ok(Transfer::Incoming(Box::new(QueuedIncoming::new(put.content, put.offset, list)?)))
        }
    }
}

/// Returns the transfer that answers a get of the peer.
fn served(info: &StreamInfo, list: &ChunkList) -> Result<Transfer, ErrorCode> {
    let GetMeta { content, offset } = GetMeta::decode(&info.meta).map_err(|error| error.code())?;
    if content != list.content_id() {
        return Err(ErrorCode::GONE);
    }
    Ok(Transfer::Outgoing(QueuedOutgoing::new(list, offset)?))
}

fn id_of(event: &StreamEvent) -> Option<u64> {
    match event {
        StreamEvent::DataWanted { id, .. }
        | StreamEvent::Data { id, .. }
        | StreamEvent::Fin { id, .. }
        | StreamEvent::Resumed { id, .. }
        | StreamEvent::Durable { id, .. }
        | StreamEvent::Ended { id, .. } => Some(*id),
        _ => None,
    }
}

/// Takes the steps of content that comes, up to the next one that is the application's.
fn store<R: Role>(
    id: u64,
    incoming: &mut QueuedIncoming,
    now: Timestamp,
    endpoint: &mut Endpoint<R>,
) -> Result<Option<TransferEvent>, ErrorCode> {
    while let Some(step) = incoming.next_step()? {
        match step {
            // A stream that has ended meanwhile needs no more.
            StoreStep::Buffered(offset) => {
                let _ = endpoint.stream_buffered(now, id, offset);
            }
            StoreStep::Write { at, bytes } => return Ok(Some(TransferEvent::Write { id, at, bytes })),
            StoreStep::Sync(step) => return Ok(Some(TransferEvent::Sync { id, step })),
        }
    }
    Ok(None)
}

/// Takes the steps of content that is sent, up to the next one that is the application's.
fn supply<R: Role>(
    id: u64,
    outgoing: &mut QueuedOutgoing,
    now: Timestamp,
    endpoint: &mut Endpoint<R>,
) -> Result<Option<TransferEvent>, ErrorCode> {
    while let Some(step) = outgoing.next_step()? {
        match step {
            // A stream that has ended meanwhile needs no bytes.
            SupplyStep::Supply { offset, bytes, fin } => {
                let _ = endpoint.stream_supply(now, id, offset, bytes, fin);
            }
            SupplyStep::Read { at, len } => return Ok(Some(TransferEvent::Read { id, at, len })),
        }
    }
    Ok(None)
}
