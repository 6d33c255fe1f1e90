//! Transfers: content to the phone and from it, over streams that outlive connections and processes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use bytes::Bytes;
use handfast::codec::frame::OpenKind;
use handfast::codec::ids::ContentId;
use handfast::codec::message::{Command, MediaDescriptor};
use handfast::codec::tlv::TlvWriter;
use handfast::session::media::{ChunkList, MediaReceiver};
use handfast::session::{Event, StreamEnd};
use handfast::sqlite::{SqliteError, file};
use handfast::{ErrorCode, Timestamp};

use super::link::Link;
use super::{App, AppEvent, Leftover};
use crate::store::{CommandState, Direction, StoreError, Transfer, TransferState};

/// Transfers whose streams are open at once.
const RUNNING_MAX: usize = 4;

/// A transfer whose stream is open.
#[derive(Debug)]
pub(super) struct Running {
    row: Transfer,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Put { list: Vec<u8>, content: File },
    Get(Box<Get>),
}

/// Content that comes in.
#[derive(Debug)]
struct Get {
    part: File,
    list: File,
    receiver: MediaReceiver,
    /// Bytes of the chunk list that are written.
    list_len: u64,
    /// Stream bytes that may be reported once they are synced, and those that were reported. While the chunk list is
    /// not whole these are its bytes: a list may be longer than the credit, and more comes only for what is durable.
    checked: u64,
    reported: u64,
    fin: Option<[u8; 32]>,
}

impl Get {
    /// Whether there is anything to sync and report.
    fn is_behind(&self) -> bool {
        self.receiver.is_behind(self.checked, self.reported, self.fin.is_some())
    }
}

fn io_failed(_: std::io::Error) -> ErrorCode {
    ErrorCode::IO
}

fn file_failed(_: SqliteError) -> ErrorCode {
    ErrorCode::IO
}

impl Way {
    fn put(store: &crate::store::Store, content: ContentId) -> Result<Self, ErrorCode> {
        let path = store.media().path(content);
        let file = file::open(&path, false).map_err(|_| ErrorCode::GONE)?;
        let list = store.media().read_sent_list(content).map_err(|_| ErrorCode::GONE)?;
        let parsed = ChunkList::decode(&list)?;
        if parsed.content_id() != content {
            return Err(ErrorCode::HASH);
        }
        Ok(Self::Put { list, content: file })
    }

    /// Content that comes in, from this durable offset of its stream on. A file that is missing, or shorter than what
    /// was durable, is an error of this transfer alone.
    fn get(store: &crate::store::Store, content: ContentId, durable: u64) -> Result<Self, ErrorCode> {
        let media = store.media();
        let (receiver, list_len) = if durable == 0 {
            (MediaReceiver::new(content), 0)
        } else {
            receiver_at(content, &media.read_list(content, durable).map_err(file_failed)?, durable)?
        };
        let content_len = durable.saturating_sub(list_len);
        let (part, list) = media.open_part(content, content_len, list_len).map_err(file_failed)?;
        let (checked, reported) = (durable, durable);
        Ok(Self::Get(Box::new(Get { part, list, receiver, list_len, checked, reported, fin: None })))
    }
}

/// A receiver that goes on behind `durable` bytes, and how many of them are the chunk list's; `head` is the stored list
/// or the beginning of it.
fn receiver_at(content: ContentId, head: &[u8], durable: u64) -> Result<(MediaReceiver, u64), ErrorCode> {
    if let Ok(list) = ChunkList::decode(head) {
        let len = list.encoded_len();
        return Ok((MediaReceiver::resume(content, list, durable)?, len));
    }
    let mut receiver = MediaReceiver::new(content);
    if u64::try_from(head.len()) != Ok(durable) {
        return Err(ErrorCode::IO);
    }
    let _ = receiver.take(head)?;
    Ok((receiver, durable))
}

impl Get {
    fn take(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        let taken = self.receiver.take(bytes)?;
        let (list, content) =
            bytes.split_at_checked(bytes.len().saturating_sub(taken.content)).unwrap_or((bytes, &[]));
        self.list.write_all(list).map_err(io_failed)?;
        self.part.write_all(content).map_err(io_failed)?;
        self.list_len = self.list_len.saturating_add(u64::try_from(list.len()).unwrap_or(0));
        self.checked = if self.receiver.list().is_some() { taken.checked } else { self.list_len };
        Ok(())
    }
}

/// Up to `max` bytes of a put's stream from `offset`, and the hash with the last of them.
fn read(
    list: &[u8],
    content: &mut File,
    id: ContentId,
    offset: u64,
    max: usize,
) -> Result<(Bytes, Option<[u8; 32]>), ErrorCode> {
    let list_len = u64::try_from(list.len()).map_err(|_| ErrorCode::TOO_LARGE)?;
    let size = ChunkList::decode(list)?.size();
    let mut bytes = Vec::new();
    if let Some(rest) = usize::try_from(offset).ok().and_then(|from| list.get(from..)) {
        bytes.extend_from_slice(rest.get(..max).unwrap_or(rest));
    }
    let room = u64::try_from(max.saturating_sub(bytes.len())).unwrap_or(0);
    let from = offset.saturating_sub(list_len);
    let _ = content.seek(SeekFrom::Start(from)).map_err(io_failed)?;
    let _ = content.take(room).read_to_end(&mut bytes).map_err(io_failed)?;
    let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
    let whole = list_len.saturating_add(size);
    let fin = (end >= whole).then_some(*id.as_bytes());
    if bytes.is_empty() && fin.is_none() {
        return Err(ErrorCode::IO);
    }
    Ok((Bytes::from(bytes), fin))
}

impl App {
    /// A stream that was open when the process ended goes on.
    pub(super) fn reopen(
        &mut self,
        link: &mut Link,
        id: u64,
        mut row: Transfer,
        durable: u64,
    ) -> Result<(), StoreError> {
        let way = match row.direction {
            Direction::Put => Way::put(&self.store, row.content),
            // The process ended between the rename and its transaction.
            Direction::Get if self.store.media().has(row.content) => Err(ErrorCode::CANCELLED),
            // Its files are not what the database says (a copy, a restored directory): it begins anew.
            Direction::Get => Way::get(&self.store, row.content, durable).map_err(|_| ErrorCode::IO),
        };
        match way {
            Ok(way) => drop(link.running.insert(id, Running { row, way })),
            Err(ErrorCode::CANCELLED) => {
                link.stops.push((id, ErrorCode::CANCELLED));
                row.state = TransferState::Done;
                row.stream = None;
                self.store.update_transfer(&row)?;
            }
            Err(ErrorCode::IO) => {
                link.stops.push((id, ErrorCode::IO));
                row.state = TransferState::Queued;
                row.stream = None;
                row.offset = 0;
                self.store.update_transfer(&row)?;
            }
            Err(code) => {
                link.stops.push((id, code));
                self.fail(row, code)?;
            }
        }
        Ok(())
    }

    /// Whether a transfer that is not over sends this content.
    pub(super) fn is_being_sent(&self, content: ContentId) -> Result<bool, StoreError> {
        let sends = |row: &Transfer| row.direction == Direction::Put && row.content == content;
        Ok(self.store.transfers_open()?.iter().any(sends))
    }

    fn tell(&mut self, row: &Transfer) {
        self.event(AppEvent::Transfer {
            direction: row.direction,
            content: row.content,
            offset: row.offset,
            size: row.size,
            done: row.state == TransferState::Done,
            error: row.error,
        });
    }

    fn fail(&mut self, mut row: Transfer, code: ErrorCode) -> Result<(), StoreError> {
        row.state = TransferState::Failed;
        row.error = Some(code);
        row.stream = None;
        self.store.update_transfer(&row)?;
        if row.direction == Direction::Get {
            self.leftovers.push(Leftover::Part(row.content));
        }
        self.tell(&row);
        Ok(())
    }

    pub(super) fn on_stream_event(
        &mut self,
        now: Timestamp,
        link: &mut Link,
        event: Event,
    ) -> Result<(), StoreError> {
        match event {
            Event::Data { id, bytes, .. } => {
                if let Some(Running { way: Way::Get(get), .. }) = link.running.get_mut(&id)
                    && let Err(code) = get.take(&bytes)
                {
                    self.stop(link, id, code)?;
                }
            }
            Event::Fin { id, hash } => {
                if let Some(Running { way: Way::Get(get), .. }) = link.running.get_mut(&id) {
                    get.fin = Some(hash);
                }
            }
            Event::DataWanted { id, offset, max } => {
                let Some(Running { row, way: Way::Put { list, content } }) = link.running.get_mut(&id) else {
                    return Ok(());
                };
                match read(list, content, row.content, offset, max) {
                    // What is not wanted any more is not missed.
                    Ok((bytes, fin)) => {
                        let _ = link.endpoint.stream_supply(now, id, offset, bytes, fin);
                    }
                    Err(code) => self.stop(link, id, code)?,
                }
            }
            Event::StreamResumed { id, offset } => {
                let Some(running) = link.running.remove(&id) else { return Ok(()) };
                self.reopen(link, id, running.row, offset)?;
            }
            Event::StreamDurable { id, offset } => {
                if let Some(running) = link.running.get_mut(&id) {
                    running.row.offset = offset;
                    let row = running.row.clone();
                    self.store.update_transfer(&row)?;
                    self.tell(&row);
                }
            }
            Event::StreamEnded { id, end } => self.ended(now, link, id, end)?,
            _ => {}
        }
        Ok(())
    }

    fn stop(&mut self, link: &mut Link, id: u64, code: ErrorCode) -> Result<(), StoreError> {
        link.stops.push((id, code));
        match link.running.remove(&id) {
            Some(running) => self.fail(running.row, code),
            None => Ok(()),
        }
    }

    fn ended(&mut self, now: Timestamp, link: &mut Link, id: u64, end: StreamEnd) -> Result<(), StoreError> {
        let Some(Running { mut row, .. }) = link.running.remove(&id) else { return Ok(()) };
        row.stream = None;
        match end {
            StreamEnd::Done if row.direction == Direction::Put => self.put_is_done(now, link, row),
            StreamEnd::Stopped(code) if code != ErrorCode::BUSY && code != ErrorCode::TOO_MANY_STREAMS => {
                self.fail(row, code)
            }
            // A new stream begins when the link is live.
            _ => {
                row.state = TransferState::Queued;
                row.offset = 0;
                // What is there of content to be fetched is cut when its next stream is opened.
                self.store.update_transfer(&row)
            }
        }
    }

    /// The phone has the content: the message that carries it is sent in the same transaction.
    fn put_is_done(&mut self, now: Timestamp, link: &mut Link, mut row: Transfer) -> Result<(), StoreError> {
        let Some(put) = row.put.clone() else { return Ok(()) };
        let media = MediaDescriptor {
            content: row.content,
            size: row.size.unwrap_or(0),
            media_type: put.media_type,
            name: put.name,
        };
        let body = Command::SendMedia { chat: put.chat, media, caption: put.caption }.encode();
        let Ok(sent) = link.endpoint.send(now, &body) else {
            // No room now: the put is offered again, and the phone says that it has the content.
            row.state = TransferState::Queued;
            return self.store.update_transfer(&row);
        };
        let client_id = row.client_id.clone();
        self.store.put_command(sent.cmd_id, client_id.as_deref(), "media", &body, CommandState::Sent)?;
        link.commits.push(sent.commit);
        row.cmd_id = Some(sent.cmd_id);
        row.state = TransferState::Done;
        row.offset = row.size.unwrap_or(row.offset).max(row.offset);
        self.store.update_transfer(&row)?;
        self.leftovers.push(Leftover::List(row.content));
        self.tell(&row);
        Ok(())
    }

    /// Opens streams for what waits, makes what arrived durable, stops what is to be stopped.
    pub(super) fn pump_transfers(&mut self, now: Timestamp, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = false;
        while let Some((id, code)) = link.stops.pop() {
            if link.endpoint.stream_stop(now, id, code) == Err(handfast::session::SendRefused::Busy) {
                link.stops.push((id, code));
                break;
            }
            moved = true;
        }
        moved |= self.sync_gets(now, link)?;
        if link.live && link.running.len() < RUNNING_MAX {
            for row in self.store.transfers_open()? {
                if row.state == TransferState::Queued && link.running.len() < RUNNING_MAX {
                    moved |= self.open(now, link, row)?;
                }
            }
        }
        Ok(moved)
    }

    fn open(&mut self, now: Timestamp, link: &mut Link, mut row: Transfer) -> Result<bool, StoreError> {
        let mut meta = TlvWriter::new();
        let _ = meta.bytes(1, row.content.as_bytes());
        let (kind, way) = match row.direction {
            Direction::Put => {
                let _ = meta.u64(5, row.size.unwrap_or(0));
                (OpenKind::Put, Way::put(&self.store, row.content))
            }
            Direction::Get => {
                // It is taken up again, from its beginning.
                self.leftovers.retain(|leftover| *leftover != Leftover::Part(row.content));
                (OpenKind::Get, Way::get(&self.store, row.content, 0))
            }
        };
        let way = match way {
            Ok(way) => way,
            Err(code) => return self.fail(row, code).map(|()| true),
        };
        let Ok(opened) = link.endpoint.stream_open(now, kind, Bytes::from(meta.finish())) else {
            return Ok(false);
        };
        link.commits.push(opened.commit);
        row.state = TransferState::Open;
        row.stream = Some(opened.id);
        self.store.update_transfer(&row)?;
        drop(link.running.insert(opened.id, Running { row, way }));
        Ok(true)
    }

    /// Syncs the files of content that came in, and reports it.
    fn sync_gets(&mut self, now: Timestamp, link: &mut Link) -> Result<bool, StoreError> {
        let behind: Vec<u64> = link
            .running
            .iter()
            .filter(|(_, running)| match &running.way {
                Way::Get(get) => get.is_behind(),
                Way::Put { .. } => false,
            })
            .map(|(id, _)| *id)
            .collect();
        let mut moved = false;
        for id in behind {
            moved |= self.sync_get(now, link, id)?;
        }
        Ok(moved)
    }

    fn sync_get(&mut self, now: Timestamp, link: &mut Link, id: u64) -> Result<bool, StoreError> {
        let Some(Running { row, way: Way::Get(get) }) = link.running.get_mut(&id) else { return Ok(false) };
        if let Some(hash) = get.fin
            && (hash != *row.content.as_bytes() || !get.receiver.is_complete())
        {
            self.stop(link, id, ErrorCode::HASH)?;
            return Ok(true);
        }
        if !get.is_behind() {
            return Ok(false);
        }
        let whole = get.fin.is_some();
        let synced = file::sync(&get.list).and_then(|()| file::sync(&get.part));
        if synced.is_err() {
            self.stop(link, id, ErrorCode::IO)?;
            return Ok(true);
        }
        let Ok(commit) = link.endpoint.stream_durable(now, id, get.checked) else { return Ok(false) };
        handfast::kill_point!("web.chunk_synced");
        link.commits.push(commit);
        get.reported = get.checked;
        row.offset = get.checked;
        row.size = get.receiver.list().map(ChunkList::size);
        let mut row = row.clone();
        if whole {
            if self.store.media().finish(row.content).is_err() {
                self.stop(link, id, ErrorCode::IO)?;
                return Ok(true);
            }
            handfast::kill_point!("web.fetch_done");
            row.state = TransferState::Done;
            row.stream = None;
            drop(link.running.remove(&id));
        }
        self.store.update_transfer(&row)?;
        self.tell(&row);
        Ok(true)
    }

    /// Copies content that is whole to where its askers want it.
    pub(super) fn export_done(&mut self) -> Result<(), StoreError> {
        for row in self.store.downloads_done()? {
            let outs = self.store.exports(row.content)?;
            if outs.is_empty() {
                continue;
            }
            for out in outs {
                if let Err(error) = self.store.media().export(row.content, Path::new(&out)) {
                    self.export_failed(&row, &error);
                }
            }
            self.store.drop_exports(row.content)?;
            self.store.commit()?;
        }
        Ok(())
    }

    fn export_failed(&mut self, row: &Transfer, _error: &SqliteError) {
        let mut row = row.clone();
        row.error = Some(ErrorCode::IO);
        self.tell(&row);
    }
}
