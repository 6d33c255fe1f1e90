//! Transfers of content to and from the phone, over streams that continue after a reconnection or a restart.

mod content;
mod exports;
pub(super) mod running;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use handfast::codec::frame::OpenKind;
use handfast::codec::ids::ContentId;
use handfast::codec::stream_meta::{GetMeta, PutMeta};
use handfast::media::{ChunkList, Incoming, Progress};
use handfast::session::{SendError, StreamEnd, StreamEvent};
use handfast::{ErrorCode, Timestamp};
use handfast_messages::{Command, MediaDescriptor};

use self::content::Way;
use self::exports::content_offset;
use self::running::{Check, Running, requeue};
use super::link::{Link, LinkData};
use super::{App, AppEvent, PendingDelete};
use crate::store::{CommandState, Direction, StoreError, Transfer, TransferState};

/// How many transfers may have open streams at once.
const RUNNING_MAX: usize = 4;
/// How long a check of partly fetched content pauses after each step, so that other work is done.
const CHECK_PAUSE: Duration = Duration::from_millis(1);

impl LinkData {
    /// Returns whether the companion may open streams now.
    pub(super) fn opens_streams(&self) -> bool {
        self.live && self.running.len() < RUNNING_MAX
    }

    /// Returns whether an open stream sends this content.
    fn is_sending(&self, content: ContentId) -> bool {
        let sends = |running: &Running| matches!(running.way, Way::Put(_)) && running.row.content == content;
        self.running.values().any(sends)
    }
}

/// Returns the meta with which a transfer opens its stream.
fn meta(row: &Transfer) -> Bytes {
    let (content, offset) = (row.content, row.base);
    Bytes::from(match row.direction {
        Direction::Put => PutMeta { content, offset, size: row.size.unwrap_or(0) }.encode(),
        Direction::Get => GetMeta { content, offset }.encode(),
    })
}

impl App {
    /// Continues an open stream after a restart or a reconnect, by opening the stream's files again.
    pub(super) fn reopen(
        &mut self,
        data: &mut LinkData,
        id: u64,
        mut row: Transfer,
        durable: u64,
    ) -> Result<(), StoreError> {
        let way = match row.direction {
            Direction::Put => Way::put(&self.store, &row),
            // The process ended after the file got its final name, and before that was stored.
            Direction::Get if self.store.media().has(row.content) => Err(ErrorCode::CANCELLED),
            // The files do not match the database, as after a copy or a restore of the directory. The
            // transfer starts again.
            Direction::Get => Way::get(&self.store, &row, durable).map_err(|_| ErrorCode::IO),
        };
        match way {
            Ok(way) => drop(data.running.insert(id, Running { row, way })),
            Err(ErrorCode::CANCELLED) => {
                data.stops.push((id, ErrorCode::CANCELLED));
                row.state = TransferState::Done;
                row.stream = None;
                self.store.update_transfer(&row)?;
            }
            Err(ErrorCode::IO) => {
                data.stops.push((id, ErrorCode::IO));
                requeue(&mut row);
                self.store.update_transfer(&row)?;
            }
            Err(code) => {
                data.stops.push((id, code));
                self.fail(row, code)?;
            }
        }
        Ok(())
    }

    /// Returns whether an unfinished transfer sends this content.
    pub(super) fn is_being_sent(&self, content: ContentId) -> Result<bool, StoreError> {
        let sends = |row: &Transfer| row.direction == Direction::Put && row.content == content;
        Ok(self.store.transfers_open()?.iter().any(sends))
    }

    /// Reports the progress of a transfer. The end of a get is not reported here, but when the content is
    /// copied to the user's path.
    fn tell(&mut self, row: &Transfer) {
        self.event(AppEvent::Transfer {
            direction: row.direction,
            content: row.content,
            offset: content_offset(row),
            size: row.size,
            done: row.state == TransferState::Done && row.direction == Direction::Put,
            error: row.error,
            out: None,
            reason: None,
        });
    }

    fn fail(&mut self, mut row: Transfer, code: ErrorCode) -> Result<(), StoreError> {
        row.state = TransferState::Failed;
        row.error = Some(code);
        row.stream = None;
        self.store.update_transfer(&row)?;
        if row.direction == Direction::Put {
            self.tell(&row);
            return Ok(());
        }
        self.leftovers.push(PendingDelete::Part(row.content));
        for out in self.store.exports(row.content)? {
            let _ = self.store.drop_export(row.content, &out)?;
            self.event(AppEvent::Transfer {
                direction: Direction::Get,
                content: row.content,
                offset: content_offset(&row),
                size: row.size,
                done: false,
                error: Some(code),
                out: Some(out),
                reason: None,
            });
        }
        Ok(())
    }

    pub(super) fn on_stream_event(
        &mut self,
        now: Timestamp,
        link: &mut Link,
        event: StreamEvent,
    ) -> Result<(), StoreError> {
        match event {
            StreamEvent::Data { id, bytes, .. } => {
                let Some(Running { way: Way::Get(get), .. }) = link.data.running.get_mut(&id) else {
                    return Ok(());
                };
                match get.take(&bytes) {
                    // A stream that has just ended wants nothing more.
                    Ok(()) => drop(link.endpoint.stream_buffered(now, id, get.arrived())),
                    Err(code) => self.stop(&mut link.data, id, code)?,
                }
            }
            StreamEvent::Fin { id, hash } => {
                if let Some(Running { way: Way::Get(get), .. }) = link.data.running.get_mut(&id) {
                    get.fin(hash);
                }
            }
            StreamEvent::DataWanted { id, offset, max } => {
                let Some(Running { way: Way::Put(put), .. }) = link.data.running.get_mut(&id) else {
                    return Ok(());
                };
                match put.read(offset, max) {
                    // If the stream has just ended the machine refuses its bytes. They can be dropped.
                    Ok((bytes, fin)) => {
                        let _ = link.endpoint.stream_supply(now, id, offset, bytes, fin);
                    }
                    Err(code) => self.stop(&mut link.data, id, code)?,
                }
            }
            StreamEvent::Resumed { id, offset } => {
                let Some(Running { row, way }) = link.data.running.remove(&id) else { return Ok(()) };
                // Open files are locked, so the stream's files are closed before they are opened again.
                drop(way);
                self.reopen(&mut link.data, id, row, offset)?;
            }
            StreamEvent::Durable { id, offset } => {
                if let Some(running) = link.data.running.get_mut(&id) {
                    running.row.offset = offset;
                    let row = running.row.clone();
                    self.store.update_transfer(&row)?;
                    self.tell(&row);
                }
            }
            StreamEvent::Ended { id, end } => self.ended(now, link, id, end)?,
            _ => {}
        }
        Ok(())
    }

    fn stop(&mut self, data: &mut LinkData, id: u64, code: ErrorCode) -> Result<(), StoreError> {
        data.stops.push((id, code));
        match data.running.remove(&id) {
            Some(running) => self.fail(running.row, code),
            None => Ok(()),
        }
    }

    fn ended(&mut self, now: Timestamp, link: &mut Link, id: u64, end: StreamEnd) -> Result<(), StoreError> {
        let Some(Running { mut row, .. }) = link.data.running.remove(&id) else { return Ok(()) };
        match end {
            StreamEnd::Done if row.direction == Direction::Put => self.put_is_done(now, link, row),
            // The phone does not have the content before the put's offset, so the next stream begins at 0.
            // req: STR-020
            StreamEnd::Stopped(ErrorCode::OFFSET) if row.direction == Direction::Put && row.base > 0 => {
                (row.base, row.offset) = (0, 0);
                requeue(&mut row);
                self.store.update_transfer(&row)
            }
            StreamEnd::Stopped(code) if code != ErrorCode::BUSY && code != ErrorCode::TOO_MANY_STREAMS => {
                self.fail(row, code)
            }
            // The transfer gets a new stream when the link is live.
            _ => {
                requeue(&mut row);
                self.store.update_transfer(&row)
            }
        }
    }

    /// Handles the end of a put: sends the message that refers to the content, in the same transaction.
    fn put_is_done(&mut self, now: Timestamp, link: &mut Link, mut row: Transfer) -> Result<(), StoreError> {
        let Some(put) = row.put.clone() else { return Ok(()) };
        let media = MediaDescriptor {
            content: row.content,
            size: row.size.unwrap_or(0),
            media_type: put.media_type,
            name: put.name,
        };
        let body = Command::SendMedia { chat: put.chat, media, caption: put.caption }.encode();
        // The message's key was drawn when the user chose the file, so a message that is repeated has the
        // same key.
        // req: RES-024
        let Some(key) = row.command else { return self.fail(row, ErrorCode::GONE) };
        match link.endpoint.send(now, key, &body) {
            Ok(commit) => {
                let client_id = row.client_id.clone();
                self.store.put_command(key, client_id.as_deref(), "media", &body, CommandState::Sent)?;
                link.store(commit);
            }
            Err(SendError::KnownKey) => {}
            // The outbox is full. The put is offered again later, and the phone answers at once that it has
            // the content.
            Err(_) => {
                requeue(&mut row);
                return self.store.update_transfer(&row);
            }
        }
        row.stream = None;
        row.state = TransferState::Done;
        (row.base, row.offset) = (0, row.size.unwrap_or(row.offset).max(row.offset));
        self.store.update_transfer(&row)?;
        self.leftovers.push(PendingDelete::List(row.content));
        self.tell(&row);
        Ok(())
    }

    /// Stops streams, makes received content durable, and opens streams for waiting transfers.
    pub(super) fn pump_transfers(&mut self, now: Timestamp, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = false;
        while let Some((id, code)) = link.data.stops.pop() {
            if link.endpoint.reset_stream(now, id, code) == Err(SendError::Busy) {
                link.data.stops.push((id, code));
                break;
            }
            moved = true;
        }
        moved |= self.sync_gets(now, link)?;
        if link.data.opens_streams() && self.store.has_queued_transfers()? {
            let mut sending = BTreeSet::new();
            for row in self.store.transfers_open()? {
                // The files for a chat are sent one after another, so that they arrive in the order in which
                // they were chosen.
                let is_behind = row.put.as_ref().is_some_and(|put| !sending.insert(put.chat));
                if !is_behind && row.state == TransferState::Queued && link.data.opens_streams() {
                    moved |= self.open(now, link, row)?;
                }
            }
        }
        Ok(moved)
    }

    /// Opens the stream of a transfer. Returns `false` if the transfer must wait.
    fn open(&mut self, now: Timestamp, link: &mut Link, mut row: Transfer) -> Result<bool, StoreError> {
        let way = match row.direction {
            // The phone refuses a second put of content that is already being put.
            // req: STR-022
            Direction::Put if link.data.is_sending(row.content) => return Ok(false),
            Direction::Put => Way::put(&self.store, &row),
            Direction::Get => {
                let Some(good) = self.check(now, link, &row) else { return Ok(false) };
                row.base = good;
                // The partly fetched content is needed again, so it must not be deleted.
                self.leftovers.retain(|leftover| *leftover != PendingDelete::Part(row.content));
                Way::get(&self.store, &row, 0)
            }
        };
        let way = match way {
            Ok(way) => way,
            Err(code) => return self.fail(row, code).map(|()| true),
        };
        let kind = if row.direction == Direction::Put { OpenKind::Put } else { OpenKind::Get };
        let Ok(opened) = link.endpoint.stream_open(now, kind, meta(&row)) else {
            return Ok(false);
        };
        link.store(opened.commit);
        row.state = TransferState::Open;
        row.stream = Some(opened.id);
        self.store.update_transfer(&row)?;
        drop(link.data.running.insert(opened.id, Running { row, way }));
        Ok(true)
    }

    /// Returns the content offset at which a fetch begins: after the good chunks that are already here.
    /// Returns `None` while these chunks are being checked, one step at a time and one transfer after
    /// another.
    fn check(&self, now: Timestamp, link: &mut Link, row: &Transfer) -> Option<u64> {
        let mut found = match link.data.check.take() {
            Some(other) if other.row != row.id => {
                link.data.check = Some(other);
                return None;
            }
            Some(own) if own.due > now => {
                link.data.check = Some(own);
                return None;
            }
            Some(own) => own,
            None => match self.store.media().check_part(row.content) {
                Some(part) => Check { row: row.id, part, due: now },
                None => return Some(0),
            },
        };
        // What was fetched may have been damaged on the disk since then.
        // req: STR-023
        match found.part.step() {
            Ok(None) => {
                found.due = now.plus(CHECK_PAUSE);
                link.data.check = Some(found);
                None
            }
            Ok(Some(good)) => Some(good),
            // If the partly fetched content cannot be read, all of it is fetched again.
            Err(_) => Some(0),
        }
    }

    /// Makes received content durable, and reports that to the phone.
    fn sync_gets(&mut self, now: Timestamp, link: &mut Link) -> Result<bool, StoreError> {
        let gets = link.data.running.iter().filter_map(|(id, running)| Some((*id, running.as_get()?)));
        let due = gets.filter(|(_, get)| link.data.pace.is_due(now, get));
        let due: Vec<u64> = due.map(|(id, _)| id).collect();
        if due.is_empty() {
            return Ok(false);
        }
        let mut moved = false;
        for id in due {
            // A file gets its final name only when the machine has room to report it.
            if link.is_full() {
                moved = true;
                break;
            }
            moved |= self.sync_get(now, link, id)?;
        }
        let is_syncing = link.data.running.values().filter_map(Running::as_get).any(Incoming::is_syncing);
        let again = link.data.pace.done(now, is_syncing);
        link.wake_by(again);
        Ok(moved)
    }

    fn sync_get(&mut self, now: Timestamp, link: &mut Link, id: u64) -> Result<bool, StoreError> {
        let Some(Running { row, way: Way::Get(get) }) = link.data.running.get_mut(&id) else {
            return Ok(false);
        };
        let synced = get.sync();
        let size = get.list().map(ChunkList::size);
        let (offset, whole) = match synced {
            Ok(Progress::Nothing) => return Ok(false),
            Ok(Progress::Durable(offset)) => (offset, false),
            Ok(Progress::Whole(offset)) => (offset, true),
            Err(code) => {
                self.stop(&mut link.data, id, code)?;
                return Ok(true);
            }
        };
        handfast_programs::kill_point!("web.chunk_synced");
        (row.offset, row.size) = (offset, size);
        let mut row = row.clone();
        if whole {
            if self.store.media().finish(row.content).is_err() {
                self.stop(&mut link.data, id, ErrorCode::IO)?;
                return Ok(true);
            }
            handfast_programs::kill_point!("web.fetch_done");
            row.state = TransferState::Done;
            row.stream = None;
            drop(link.data.running.remove(&id));
        }
        // If the phone has just stopped the stream the machine refuses the report.
        if let Ok(commit) = link.endpoint.stream_durable(now, id, offset) {
            link.store(commit);
        }
        self.store.update_transfer(&row)?;
        self.tell(&row);
        Ok(true)
    }
}
