//! The calls of [`Endpoint`] by which the application of either role acts on a link.

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Frame, OpenKind, PageState};
use handfast_codec::limits::{STREAM_META_LEN_MAX, VARINT_MAX};

use super::{Connection, Deferred, Endpoint, Role};
use crate::commit::Commit;
use crate::error::{ApiMisuse, SendError};
use crate::output::{Event, StreamEnd, StreamEvent};

/// A newly opened stream.
#[must_use = "the stream opens only when its commit is durable"]
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The stream's id.
    pub id: u64,
    /// The commit that stores the stream: apply it, then report it with `committed`.
    pub commit: Commit,
}

/// The most bytes that the envelope of a command or result adds to its body.
pub(super) const ENVELOPE_LEN_MAX: usize = 32;

impl<R: Role> Endpoint<R> {
    pub(super) fn check_alive(&self) -> Result<(), SendError> {
        if self.dead {
            return Err(SendError::Ended);
        }
        if self.has_room() { Ok(()) } else { Err(SendError::Busy) }
    }

    /// Sets a slot of the ephemeral lane (NOW) to a value of at most 1,024 bytes. Only the latest value is
    /// sent, and only once: it is not repeated if it is lost. Slots are numbers up to 2^62 - 1; slot 1 is the
    /// session's own.
    ///
    /// # Errors
    ///
    /// [`SendError`]; `TooMany` when 64 other slots wait to be sent.
    pub fn set_ephemeral(&mut self, now: Timestamp, slot: u64, body: Bytes) -> Result<(), SendError> {
        self.tick(now);
        if slot == PageState::SLOT {
            return Err(ApiMisuse::ReservedSlot.into());
        }
        if slot > VARINT_MAX {
            return Err(ApiMisuse::TooLarge.into());
        }
        self.lanes.ephemeral.set(slot, body)
    }

    /// Reports a change of network or clock: probes the peer at once, or reconnects if there is no socket.
    pub fn probe(&mut self, now: Timestamp) {
        self.tick(now);
        self.probe_now();
    }

    /// Opens a stream: a get asks the peer for bytes, a put offers some. `meta` describes the content in at
    /// most 1,024 bytes.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn stream_open(&mut self, now: Timestamp, kind: OpenKind, meta: Bytes) -> Result<Opened, SendError> {
        self.tick(now);
        self.check_alive()?;
        if meta.len() > STREAM_META_LEN_MAX {
            return Err(SendError::TooLarge);
        }
        let id = self.counters.next_stream;
        // Within a session, no id may be used for two streams.
        // req: STR-001
        if id > VARINT_MAX {
            return Err(SendError::TooMany);
        }
        let op = self.lanes.streams.open(id, kind, meta)?;
        self.counters.next_stream = id.saturating_add(2);
        let ops = alloc::vec![op];
        Ok(Opened { id, commit: self.return_commit(ops, Deferred::OpenStream(id)) })
    }

    /// Sends the content of an outgoing stream, such as a thumbnail, before that of other streams. This lasts
    /// until the process ends.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse`] when no outgoing stream has this id.
    pub fn set_stream_priority(&mut self, now: Timestamp, id: u64) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.lanes.streams.set_urgent(id)
    }

    /// Supplies bytes of an outgoing stream, in answer to [`crate::StreamEvent::DataWanted`]: at most `max` bytes.
    /// With the stream's last bytes comes the content's hash.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse`] when no bytes were requested.
    pub fn stream_supply(
        &mut self,
        now: Timestamp,
        id: u64,
        offset: u64,
        bytes: Bytes,
        fin: Option<[u8; 32]>,
    ) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.lanes.streams.supply(id, offset, bytes, fin)
    }

    /// Reports that bytes of an incoming stream up to `offset` are on disk. Apply the commit *after* the file
    /// was synced; the peer is told once the commit is durable. After [`crate::StreamEvent::Fin`], reporting the
    /// end's offset finishes the stream.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn stream_durable(&mut self, now: Timestamp, id: u64, offset: u64) -> Result<Commit, SendError> {
        self.tick(now);
        self.check_alive()?;
        let op = self.lanes.streams.written(id, offset)?;
        Ok(self.return_commit(alloc::vec![op], Deferred::StreamDurable(id, offset)))
    }

    /// Requests more of an incoming stream: the application has taken what came of it up to `offset` out of memory, such
    /// as into a file, and will make that durable later. Without this call the stream goes on when something becomes
    /// durable, which is slower, and stops where a content's chunk list is longer than the first credit.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse`] when no incoming stream has this id, or `offset` is beyond what arrived.
    pub fn stream_buffered(&mut self, now: Timestamp, id: u64, offset: u64) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.lanes.streams.take(id, offset)
    }

    /// Answers a put whose content this side already has, so that the peer need not send it. `size` is the
    /// length of the whole stream.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn stream_complete(&mut self, now: Timestamp, id: u64, size: u64) -> Result<Commit, SendError> {
        self.tick(now);
        self.check_alive()?;
        let word = Frame::Durable { id, offset: size };
        let op = self.lanes.streams.close(id, Some(word)).ok_or(ApiMisuse::NoSuchStream)?;
        Ok(self.return_commit(alloc::vec![op], Deferred::Nothing))
    }

    /// Stops a stream for both sides; `code` tells the peer why.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn reset_stream(&mut self, now: Timestamp, id: u64, code: ErrorCode) -> Result<(), SendError> {
        self.tick(now);
        self.check_alive()?;
        let op =
            self.lanes.streams.close(id, Some(Frame::Stop { id, code })).ok_or(ApiMisuse::NoSuchStream)?;
        self.persist(alloc::vec![op], Deferred::Nothing);
        self.event(Event::Stream(StreamEvent::Ended { id, end: StreamEnd::Stopped(code) }));
        Ok(())
    }

    /// Ends the connection with this code, because the application cannot accept what the peer sent, such as
    /// a slot's value that the specification does not allow. Does nothing when there is no connection.
    pub fn refuse(&mut self, now: Timestamp, code: ErrorCode) {
        self.tick(now);
        if matches!(self.conn, Connection::Live(_)) {
            self.fail(code);
        }
    }

    /// Returns the number of messages in the outbox, and their total length in bytes.
    #[must_use]
    pub fn outbox_len(&self) -> (usize, usize) {
        self.lanes.outbox.len()
    }
}
