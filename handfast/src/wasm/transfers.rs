//! The transfers of content over a link's streams. The bytes of a stream stay in this module; what crosses to
//! the page is checked content to be stored, and what crosses from it is content to be sent.

use handfast_codec::frame::OpenKind;
use handfast_codec::stream_meta::GetMeta;
use handfast_codec::{ErrorCode, Timestamp};
use handfast_media::{ChunkList, QueuedIncoming, QueuedOutgoing, StoreStep, SupplyStep, SyncStep, WRITE_LEN};
use handfast_session::{CompanionEndpoint, SendError, StreamEnd, StreamEvent, StreamInfo};
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;

use super::js_object::{bytes, typed};
use super::media::length;

/// The size of the page's buffers that hold checked content, in bytes.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a constant below 2^32")]
const BLOCK_LEN: u32 = WRITE_LEN as u32;
/// The most of these buffers that are kept for reuse.
const BLOCKS_MAX: usize = 8;

/// What a stream transfers.
#[derive(Debug)]
pub(super) enum Transfer {
    /// The stream was opened before the page was loaded, and the page has not continued it yet. Its events are
    /// held back.
    Held(StreamInfo),
    Get(Box<QueuedIncoming>),
    Put(QueuedOutgoing),
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
pub(super) struct Transfers {
    /// The streams, which are few.
    streams: Vec<Stream>,
    blocks: Vec<Uint8Array>,
}

impl Transfers {
    /// Creates the transfers of a link that has these streams.
    pub(super) fn new(streams: Vec<StreamInfo>) -> Self {
        let mut transfers = Self { streams: Vec::new(), blocks: Vec::new() };
        for info in streams {
            transfers.add(info.id, Transfer::Held(info));
        }
        transfers
    }

    /// Adds the transfer of a stream that is new.
    pub(super) fn add(&mut self, id: u64, transfer: Transfer) {
        self.streams.push(Stream::new(id, transfer));
    }

    /// Continues a stream from before the page was loaded, with its stored chunk list. Returns whether there is
    /// such a stream.
    pub(super) fn resume(&mut self, id: u64, list: Option<Vec<u8>>) -> bool {
        let Some(transfer) = self.transfer(id) else { return false };
        if let Transfer::Held(info) = transfer {
            *transfer = resumed(info, list).unwrap_or(Transfer::Failed(ErrorCode::IO));
        }
        true
    }

    fn stream(&mut self, id: u64) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|stream| stream.id == id)
    }

    /// Returns what a stream transfers.
    pub(super) fn transfer(&mut self, id: u64) -> Option<&mut Transfer> {
        self.stream(id).map(|stream| &mut stream.transfer)
    }

    /// Drops a stream that has reported the whole content, after which it has no event.
    pub(super) fn finish(&mut self, id: u64) {
        if let Some(stream) = self.stream(id) {
            stream.is_over = true;
        }
    }

    /// Takes back a buffer whose content was written. Without this, each buffer would use memory until the
    /// browser's next garbage collection.
    pub(super) fn reuse(&mut self, buffer: &ArrayBuffer) {
        if buffer.byte_length() == BLOCK_LEN && self.blocks.len() < BLOCKS_MAX {
            self.blocks.push(Uint8Array::new(buffer));
        }
    }

    /// Handles an event of a stream.
    pub(super) fn handle(&mut self, event: StreamEvent) {
        let Some(id) = id_of(&event) else { return };
        if let Some(stream) = self.stream(id) {
            stream.events.push(event);
        } else if !matches!(event, StreamEvent::Ended { .. }) {
            // The phone has opened it, and a page takes no content that it did not ask for.
            self.add(id, Transfer::Failed(ErrorCode::GONE));
        }
    }

    /// Does what the transfers need of the endpoint. Returns the next event for the page.
    pub(super) fn poll(&mut self, now: Timestamp, endpoint: &mut CompanionEndpoint) -> Option<JsValue> {
        let blocks = &mut self.blocks;
        let event = self.streams.iter_mut().find_map(|stream| stream.poll(now, endpoint, blocks));
        self.streams.retain(|stream| !stream.is_over);
        event
    }
}

impl Stream {
    const fn new(id: u64, transfer: Transfer) -> Self {
        Self { id, transfer, events: Vec::new(), is_over: false }
    }

    /// Takes the events and steps of this stream, up to the next one that is the page's.
    fn poll(
        &mut self,
        now: Timestamp,
        endpoint: &mut CompanionEndpoint,
        blocks: &mut Vec<Uint8Array>,
    ) -> Option<JsValue> {
        if matches!(self.transfer, Transfer::Held(_)) {
            return None;
        }
        let step = match self.handle_events() {
            Ok(None) => match &mut self.transfer {
                Transfer::Get(get) => store(self.id, get, now, endpoint, blocks),
                Transfer::Put(put) => supply(self.id, put, now, endpoint),
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

    fn handle_events(&mut self) -> Result<Option<JsValue>, ErrorCode> {
        while !self.events.is_empty() {
            match (&mut self.transfer, self.events.remove(0)) {
                (_, StreamEvent::Ended { id, end }) => {
                    self.is_over = true;
                    return Ok(Some(typed(
                        "streamEnded",
                        &[("id", id.into()), ("end", name_of(end).into())],
                    )));
                }
                (Transfer::Get(get), StreamEvent::Data { bytes, .. }) => get.take(&bytes)?,
                (Transfer::Get(get), StreamEvent::Fin { hash, .. }) => get.fin(hash),
                (Transfer::Get(get), StreamEvent::Resumed { offset, .. }) => get.resume(offset)?,
                (Transfer::Put(put), StreamEvent::DataWanted { offset, max, .. }) => put.want(offset, max),
                (Transfer::Put(put), StreamEvent::Resumed { .. }) => put.resume(),
                (Transfer::Put(put), StreamEvent::Durable { id, offset }) => {
                    let offset = length(put.progress(offset));
                    return Ok(Some(typed(
                        "streamProgress",
                        &[("id", id.into()), ("offset", offset.into())],
                    )));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// Returns the transfer of a stream that was opened before the page was loaded.
fn resumed(info: &StreamInfo, list: Option<Vec<u8>>) -> Result<Transfer, ErrorCode> {
    let list = list.map(|list| ChunkList::decode(&list)).transpose()?;
    Ok(match info.kind {
        OpenKind::Get => {
            let GetMeta { content, offset } = GetMeta::decode(&info.meta).map_err(|error| error.code())?;
            Transfer::Get(Box::new(QueuedIncoming::new(content, offset, list)?))
        }
        OpenKind::Put => Transfer::Put(QueuedOutgoing::new(&list.ok_or(ErrorCode::IO)?, 0)?),
    })
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

fn name_of(end: StreamEnd) -> String {
    match end {
        StreamEnd::Done => "done".to_owned(),
        StreamEnd::Stopped(code) => code.to_string(),
        _ => "lost".to_owned(),
    }
}

/// Takes the steps of content that comes, up to the next one that is the page's.
fn store(
    id: u64,
    get: &mut QueuedIncoming,
    now: Timestamp,
    endpoint: &mut CompanionEndpoint,
    blocks: &mut Vec<Uint8Array>,
) -> Result<Option<JsValue>, ErrorCode> {
    while let Some(step) = get.next_step()? {
        match step {
            // A stream that has ended meanwhile needs no more.
            StoreStep::Buffered(offset) => {
                let _ = endpoint.stream_buffered(now, id, offset);
            }
            StoreStep::Write { at, bytes } => {
                let block = hold(blocks, &bytes);
                let fields = [("id", id.into()), ("at", length(at).into()), ("bytes", block)];
                return Ok(Some(typed("streamWrite", &fields)));
            }
            StoreStep::Sync(step) => return Ok(Some(sync_event(id, &step))),
        }
    }
    Ok(None)
}

/// Returns an array of the page with these bytes, in a buffer that is reused if there is one.
fn hold(blocks: &mut Vec<Uint8Array>, content: &[u8]) -> JsValue {
    let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let block = blocks.pop().unwrap_or_else(|| Uint8Array::new_with_length(BLOCK_LEN));
    let held = block.subarray(0, len);
    held.copy_from(content);
    held.into()
}

fn sync_event(id: u64, step: &SyncStep) -> JsValue {
    let mut fields = vec![
        ("id", id.into()),
        ("offset", length(step.offset).into()),
        ("size", length(step.size).into()),
        ("isWhole", step.is_whole.into()),
    ];
    fields.extend(step.list.as_ref().map(|list| ("list", bytes(&list.encode()))));
    typed("streamSync", &fields)
}

/// Takes the steps of content that is sent, up to the next one that is the page's.
fn supply(
    id: u64,
    put: &mut QueuedOutgoing,
    now: Timestamp,
    endpoint: &mut CompanionEndpoint,
) -> Result<Option<JsValue>, ErrorCode> {
    while let Some(step) = put.next_step()? {
        match step {
            // A stream that has ended meanwhile needs no bytes.
            SupplyStep::Supply { offset, bytes, fin } => {
                let _ = endpoint.stream_supply(now, id, offset, bytes, fin);
            }
            SupplyStep::Read { at, len } => {
                let fields = [("id", id.into()), ("at", length(at).into()), ("length", length(len).into())];
                return Ok(Some(typed("streamRead", &fields)));
            }
        }
    }
    Ok(None)
}
