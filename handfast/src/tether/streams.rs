//! The streams of a link: content that comes, and content that is sent, between the machine and the files.

use std::collections::BTreeMap;

use bytes::Bytes;
use handfast_codec::frame::OpenKind;
use handfast_codec::ids::ContentId;
use handfast_codec::stream_meta::PutMeta;
use handfast_codec::{ErrorCode, Timestamp};
use handfast_media::{Incoming, Outgoing, Progress};
use handfast_session::role::Role;
use handfast_session::{Endpoint, SendError, StreamEnd, StreamEvent, StreamInfo};

use super::TetherError;
use super::content::StreamMeta;
use super::store::Store;
use crate::content_files::{ContentFile, PartFile, SyncPace};
use crate::host::Link;

/// The most streams over which content comes or is sent at the same time, of those that this side opens.
const OWN_STREAMS_MAX: usize = 4;

/// What has become of content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// All of it came, now or before, and is here under its final name.
    Came(ContentId),
    /// The peer has stored all of it.
    Sent(ContentId),
    /// It will not come, for this reason.
    NotCome(ContentId, ErrorCode),
    /// The peer will not take it, for this reason.
    NotSent(ContentId, ErrorCode),
}

/// What this side says of a stream, once the machine has a commit for it.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Stop(ErrorCode),
    /// The put is taken.
    Accept,
    /// The content of the put is here already. The stream would have this length in bytes.
    Have(u64),
}

/// The streams of one link.
#[derive(Debug, Default)]
pub(super) struct Streams {
    incoming: BTreeMap<u64, Incoming<PartFile>>,
    outgoing: BTreeMap<u64, Outgoing<ContentFile>>,
    /// What is still to be said of streams, by their ids.
    replies: Vec<(u64, Reply)>,
    pace: SyncPace,
    moved: Vec<Moved>,
}

impl Streams {
    /// Opens the file of a stream that goes on from an earlier run.
    pub(super) fn load(&mut self, store: &Store, stream: &StreamInfo) -> Result<(), TetherError> {
        let StreamInfo { id, kind, local, ref meta, durable, .. } = *stream;
        if local == (kind == OpenKind::Put) {
            return self.send(store, id, kind, meta);
        }
        match StreamMeta::decode(kind, meta) {
            Ok(StreamMeta { content, size, .. }) => self.reopen(store, id, content, size, durable),
            Err(code) => {
                self.stop(id, code);
                Ok(())
            }
        }
    }

    /// Opens the file of content that comes and goes on at `durable`. If that cannot be, the stream ends, and
    /// the content comes over another one from its beginning.
    fn reopen(
        &mut self,
        store: &Store,
        id: u64,
        content: ContentId,
        size: Option<u64>,
        durable: u64,
    ) -> Result<(), TetherError> {
        match store.incoming(content, size, durable)? {
            Ok(incoming) => self.insert_incoming(id, incoming),
            Err(_) => self.stop(id, ErrorCode::CANCELLED),
        }
        Ok(())
    }

    /// Sends content over this stream, as its meta says.
    pub(super) fn send(
        &mut self,
        store: &Store,
        id: u64,
        kind: OpenKind,
        meta: &[u8],
    ) -> Result<(), TetherError> {
        match store.outgoing(kind, meta)? {
            Ok(outgoing) => drop(self.outgoing.insert(id, outgoing)),
            Err(code) => self.stop(id, code),
        }
        Ok(())
    }

    /// Takes the content of a put, unless it is here already.
    pub(super) fn receive(&mut self, store: &Store, id: u64, put: PutMeta) -> Result<(), TetherError> {
        let PutMeta { content, offset, size } = put;
        if let Some(len) = store.stream_len(content)? {
            self.replies.push((id, Reply::Have(len.saturating_sub(offset))));
            // The application waits for it, whoever brought it.
            self.moved.push(Moved::Came(content));
            return Ok(());
        }
        // Nothing is kept of a stream that has ended, so each begins at 0.
        if offset > 0 {
            self.stop(id, ErrorCode::OFFSET);
            return Ok(());
        }
        match store.incoming(content, Some(size), 0)? {
            Ok(incoming) => {
                self.insert_incoming(id, incoming);
                self.replies.push((id, Reply::Accept));
            }
            Err(code) => self.stop(id, code),
        }
        Ok(())
    }

    pub(super) fn stop(&mut self, id: u64, code: ErrorCode) {
        self.replies.push((id, Reply::Stop(code)));
    }

    /// Returns whether this content comes over one of the streams.
    pub(super) fn is_coming(&self, content: ContentId) -> bool {
        self.incoming.values().any(|incoming| incoming.content() == content)
    }

    /// Returns whether this content is sent over one of the streams.
    pub(super) fn is_sent(&self, content: ContentId) -> bool {
        self.outgoing.values().any(|outgoing| outgoing.content() == content)
    }

    /// Returns whether this side should open no further stream for now.
    pub(super) fn is_full(&self) -> bool {
        self.incoming.len().saturating_add(self.outgoing.len()) >= OWN_STREAMS_MAX
    }

    /// Begins to receive content over a stream that this side opened.
    pub(super) fn insert_incoming(&mut self, id: u64, incoming: Incoming<PartFile>) {
        drop(self.incoming.insert(id, incoming));
    }

    /// Returns what has become of content since the last call.
    pub(super) fn take_moved(&mut self) -> Vec<Moved> {
        std::mem::take(&mut self.moved)
    }

    pub(super) fn handle<R: Role>(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        endpoint: &mut Endpoint<R>,
        event: StreamEvent,
    ) -> Result<(), TetherError> {
        match event {
            StreamEvent::DataWanted { id, offset, max } => self.supply(now, endpoint, id, offset, max),
            StreamEvent::Data { id, bytes, .. } => self.take(now, endpoint, id, &bytes),
            StreamEvent::Fin { id, hash } => {
                if let Some(incoming) = self.incoming.get_mut(&id) {
                    incoming.fin(hash);
                }
            }
            StreamEvent::Resumed { id, offset } => {
                if let Some(incoming) = self.incoming.remove(&id) {
                    self.reopen(store, id, incoming.content(), incoming.size(), offset)?;
                }
            }
            StreamEvent::Ended { id, end } => self.ended(store, id, end)?,
            _ => {}
        }
        Ok(())
    }

    fn supply<R: Role>(
        &mut self,
        now: Timestamp,
        endpoint: &mut Endpoint<R>,
        id: u64,
        offset: u64,
        max: usize,
    ) {
        let read = self.outgoing.get_mut(&id).map(|outgoing| outgoing.read(offset, max));
        match read.unwrap_or(Err(ErrorCode::GONE)) {
            // If the stream has just ended the machine refuses its bytes. They can be dropped.
            Ok((bytes, fin)) => drop(endpoint.stream_supply(now, id, offset, bytes, fin)),
            Err(code) => self.stop(id, code),
        }
    }

    fn take<R: Role>(&mut self, now: Timestamp, endpoint: &mut Endpoint<R>, id: u64, bytes: &Bytes) {
        let Some(incoming) = self.incoming.get_mut(&id) else { return };
        match incoming.take(bytes) {
            // A stream that has just ended wants nothing more.
            Ok(()) => drop(endpoint.stream_buffered(now, id, incoming.arrived())),
            Err(code) => self.stop(id, code),
        }
    }

    /// Ends a stream. One that the peer no longer knows is opened again by whoever still wants its content.
    fn ended(&mut self, store: &mut Store, id: u64, end: StreamEnd) -> Result<(), TetherError> {
        if let Some(incoming) = self.incoming.remove(&id) {
            let content = incoming.content();
            drop(incoming);
            store.drop_part(content)?;
            if let StreamEnd::Stopped(code) = end {
                self.moved.push(Moved::NotCome(content, code));
            }
        }
        let sent = self.outgoing.remove(&id).map(|outgoing| outgoing.content());
        self.moved.extend(match (sent, end) {
            (Some(content), StreamEnd::Stopped(code)) => Some(Moved::NotSent(content, code)),
            (Some(content), StreamEnd::Done) => Some(Moved::Sent(content)),
            _ => None,
        });
        Ok(())
    }

    /// Says what is to be said of streams, and makes durable what came over them, as far as the machine has commits for
    /// it. Returns whether anything was done.
    pub(super) fn pump<R: Role, L>(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        link: &mut Link<R, L>,
    ) -> Result<bool, TetherError> {
        let mut moved = self.reply(now, link);
        let due = self.incoming.iter().filter(|(_, incoming)| self.pace.is_due(now, incoming));
        let due: Vec<u64> = due.map(|(id, _)| *id).collect();
        if due.is_empty() {
            return Ok(moved);
        }
        let replies = self.replies.len();
        for id in due {
            if link.is_full() {
                break;
            }
            if let Some(to) = self.sync(store, id)? {
                let report = link.endpoint.stream_durable(now, id, to)?;
                link.store(report);
                moved = true;
            }
        }
        // One that could not be made durable is stopped in this round.
        moved |= self.replies.len() > replies;
        let is_syncing = self.incoming.values().any(Incoming::is_syncing);
        link.wake_by(self.pace.done(now, is_syncing));
        Ok(moved)
    }

    /// Makes durable what came over a stream. Returns the offset to report, if there is one.
    fn sync(&mut self, store: &mut Store, id: u64) -> Result<Option<u64>, TetherError> {
        let Some(incoming) = self.incoming.get_mut(&id) else { return Ok(None) };
        Ok(match incoming.sync() {
            Ok(Progress::Nothing) => None,
            Ok(Progress::Durable(to)) => {
                store.keep_list(incoming)?;
                Some(to)
            }
            Ok(Progress::Whole(to)) => {
                store.complete(incoming)?;
                self.moved.push(Moved::Came(incoming.content()));
                drop(self.incoming.remove(&id));
                Some(to)
            }
            Err(code) => {
                self.stop(id, code);
                None
            }
        })
    }

    fn reply<R: Role, L>(&mut self, now: Timestamp, link: &mut Link<R, L>) -> bool {
        let mut moved = false;
        while let Some((id, reply)) = self.replies.pop() {
            let said = match reply {
                Reply::Stop(code) => link.endpoint.reset_stream(now, id, code).map(|()| None),
                Reply::Accept => link.endpoint.stream_durable(now, id, 0).map(Some),
                Reply::Have(len) => link.endpoint.stream_complete(now, id, len).map(Some),
            };
            match said {
                Ok(Some(commit)) => link.store(commit),
                Err(SendError::Busy) => {
                    self.replies.push((id, reply));
                    return moved;
                }
                // The machine has queued its commit itself, or the stream has ended since.
                Ok(None) | Err(_) => {}
            }
            moved = true;
        }
        moved
    }
}
