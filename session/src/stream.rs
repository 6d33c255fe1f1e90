//! Streams: bytes in one direction, with flow control by credit, that continue from the receiver's durable
//! offset (spec, streams).
//!
//! The content stays with the application, which supplies bytes of outgoing streams on request, and reports
//! which bytes of incoming ones are on its disk. Only supplied bytes that are not sealed yet are buffered.
//! Nothing here does I/O.
//!
//! The parts: `one` is a stream and its row, `sending` and `receiving` are the two halves of its state,
//! `flow` is the connection's credit, `window` how much of it is given.

mod flow;
mod one;
mod receiving;
mod sending;
#[cfg(test)]
mod tests;
mod window;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Frame, OpenKind};
use handfast_codec::limits::{OWED_FRAMES_MAX, STREAMS_OPEN_MAX, SUPPLIED_LEN_MAX};
use handfast_codec::record::RecordBuilder;

use crate::commit::Op;
use crate::error::{ApiMisuse, LoadError, SendError};
use crate::keys;
use crate::output::{Event, StreamEnd, StreamEvent};
use crate::queue::pop_front_if;
use flow::Flow;
use one::{Half, Open};
use receiving::{Fin, Receiving};
use sending::Sending;
use window::Window;

pub(crate) use one::Stream;
pub(crate) use sending::Durable;

/// A final frame about a stream that is closed on this side.
#[derive(Debug)]
struct Word {
    id: u64,
    frame: Frame,
    /// The receiving state of a stream that is complete here, in case its sender continues from before the
    /// end.
    over: Option<Receiving>,
}

/// The open streams of a session, with their flow control and the frames that wait to be sent.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: BTreeMap<u64, Stream>,
    /// Final frames about streams that are closed on this side.
    words: VecDeque<Word>,
    /// Incoming streams that are complete here, but whose FIN the sender will send again after a RESUME.
    over: BTreeMap<u64, Receiving>,
    flow: Flow,
    window: Window,
    /// The id at which the next turn begins: the one after the stream that sent last.
    turn: u64,
}

impl Streams {
    /// Inserts a row from the store.
    pub(crate) fn load(&mut self, id: u64, row: &[u8]) -> Result<(), LoadError> {
        let _ = self.open.insert(id, Stream::from_row(row)?);
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Stream)> {
        self.open.iter().map(|(id, stream)| (*id, stream))
    }

    /// Returns the streams that the peer can know, with their durable offsets, for a resume block.
    pub(crate) fn block(&self) -> Vec<(u64, u64)> {
        let known = self.open.iter().filter(|(_, stream)| stream.open == Open::Known);
        known.map(|(id, stream)| (*id, stream.offset())).collect()
    }

    /// Opens a stream; its OPEN is sent after [`Streams::release`]. Returns the operation that stores it.
    pub(crate) fn open(&mut self, id: u64, kind: OpenKind, meta: Bytes) -> Result<Op, SendError> {
        if self.open.len() >= STREAMS_OPEN_MAX {
            return Err(SendError::TooMany);
        }
        let stream = Stream::new(kind, true, meta);
        let op = stream.put(id);
        let _ = self.open.insert(id, stream);
        Ok(op)
    }

    /// Allows the OPEN of a stream to be sent, because its commit is durable.
    pub(crate) fn release(&mut self, id: u64) {
        if let Some(stream) = self.open.get_mut(&id) {
            stream.open = Open::Due;
        }
    }

    /// Records a stream that the peer opened. An error is the code of the STOP to answer with.
    pub(crate) fn opened(&mut self, id: u64, kind: OpenKind, meta: Bytes) -> Result<Op, ErrorCode> {
        // Each open stream costs memory and a row in the store.
        // req: STR-002
        if self.open.len() >= STREAMS_OPEN_MAX {
            return Err(ErrorCode::TOO_MANY_STREAMS);
        }
        let stream = Stream::new(kind, false, meta);
        let op = stream.put(id);
        let _ = self.open.insert(id, stream);
        Ok(op)
    }

    /// Returns whether as many final frames are queued as the peer may cause.
    pub(crate) fn owes_too_much(&self) -> bool {
        self.words.len() >= OWED_FRAMES_MAX
    }

    /// Queues a final frame about a stream.
    pub(crate) fn say(&mut self, id: u64, frame: Frame) {
        self.words.push_back(Word { id, frame, over: None });
    }

    /// Closes a stream on this side, and queues a final frame if the peer can know the stream. Returns the
    /// operation that deletes its row.
    pub(crate) fn close(&mut self, id: u64, word: Option<Frame>) -> Option<Op> {
        let _ = self.over.remove(&id);
        let stream = self.open.remove(&id)?;
        if let Some(word) = word.filter(|_| stream.open == Open::Known) {
            self.say(id, word);
        }
        Some(Op::Delete { key: keys::numbered(keys::STREAM, id) })
    }

    /// Drops all streams, because a RESET ends them. Returns their ids.
    pub(crate) fn reset(&mut self) -> Vec<u64> {
        let open = core::mem::take(&mut self.open);
        *self = Self::default();
        open.into_keys().collect()
    }

    /// Continues the streams that both resume blocks list, and ends those that only one lists.
    pub(crate) fn resume(
        &mut self,
        own: &[(u64, u64)],
        peer: &[(u64, u64)],
        events: &mut Vec<Event>,
    ) -> Vec<Op> {
        let own: BTreeMap<u64, u64> = own.iter().copied().collect();
        let peer: BTreeMap<u64, u64> = peer.iter().copied().collect();
        let (mut ops, mut lost) = (Vec::new(), Vec::new());
        (self.flow, self.window) = (Flow::default(), Window::default());
        self.resume_words(&own, &peer);
        for (id, stream) in &mut self.open {
            let goes_on = match (own.get(id), peer.get(id), &mut stream.half) {
                // The stream was opened after the resume blocks were made.
                (None, None, _) if stream.open != Open::Known => continue,
                (Some(_), Some(offset), Half::Sending(s)) => s.resume(*offset).then_some(*offset),
                (Some(block), Some(_), Half::Receiving(r)) => match r.resume(*block) {
                    Some(offset) => Some(offset),
                    None => continue,
                },
                // The peer has forgotten the stream, so it would not answer.
                // req: STR-013
                _ => None,
            };
            match goes_on {
                Some(offset) => events.push(Event::Stream(StreamEvent::Resumed { id: *id, offset })),
                None => lost.push(*id),
            }
        }
        for id in lost {
            let word = peer.contains_key(&id).then_some(Frame::Stop { id, code: ErrorCode::OFFSET });
            ops.extend(self.close(id, word));
            events.push(Event::Stream(StreamEvent::Ended { id, end: StreamEnd::Lost }));
        }
        ops
    }

    /// Sends final frames again for streams that were closed here after the resume block was made, because
    /// the peer still counts them as open.
    fn resume_words(&mut self, own: &BTreeMap<u64, u64>, peer: &BTreeMap<u64, u64>) {
        // A final frame that was queued or sent on the old connection is lost with it.
        // req: STR-086
        self.over.clear();
        for mut word in core::mem::take(&mut self.words) {
            let (Some(block), true) = (own.get(&word.id), peer.contains_key(&word.id)) else { continue };
            match word.over.take() {
                // The sender continues from the block's offset, and would not understand an answer to a FIN
                // that it has not sent yet.
                Some(mut received) => {
                    let _ = received.resume(*block);
                    let _ = self.over.insert(word.id, received);
                }
                None => self.words.push_back(word),
            }
        }
    }

    fn sending(&mut self, id: u64) -> Result<Option<(OpenKind, &mut Sending)>, ErrorCode> {
        match self.open.get_mut(&id) {
            None => Ok(None),
            Some(Stream { kind, half: Half::Sending(s), .. }) => Ok(Some((*kind, s))),
            Some(_) => Err(ErrorCode::FRAME_NOT_ALLOWED),
        }
    }

    fn receiving(&mut self, id: u64) -> Result<Option<&mut Receiving>, ErrorCode> {
        match self.open.get_mut(&id) {
            None => Ok(None),
            Some(Stream { half: Half::Receiving(r), .. }) => Ok(Some(r)),
            Some(_) => Err(ErrorCode::FRAME_NOT_ALLOWED),
        }
    }

    /// Returns the receiving half of a stream, even if the stream is complete here.
    fn incoming(&mut self, id: u64) -> Result<Option<&mut Receiving>, ErrorCode> {
        if self.over.contains_key(&id) { Ok(self.over.get_mut(&id)) } else { self.receiving(id) }
    }

    /// Handles DATA. Returns the event for the bytes that are new.
    pub(crate) fn data(&mut self, id: u64, offset: u64, bytes: Bytes) -> Result<Option<Event>, ErrorCode> {
        self.flow.received(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
        let Some(r) = self.incoming(id)? else { return Ok(None) };
        let new = r.data(offset, bytes)?;
        Ok(new.map(|(offset, bytes)| Event::Stream(StreamEvent::Data { id, offset, bytes })))
    }

    /// Handles FIN. Returns the event, if the application must still check the content.
    pub(crate) fn fin(&mut self, id: u64, hash: [u8; 32]) -> Result<Option<Event>, ErrorCode> {
        let Some(r) = self.incoming(id)? else { return Ok(None) };
        match r.fin()? {
            Fin::New => return Ok(Some(Event::Stream(StreamEvent::Fin { id, hash }))),
            Fin::Known => {}
            Fin::Over => self.end_received(id),
        }
        Ok(None)
    }

    /// Records that the application has received the FIN event.
    pub(crate) fn fin_told(&mut self, id: u64) {
        if let Ok(Some(r)) = self.receiving(id) {
            r.fin_told();
        }
    }

    /// Handles CREDIT: bytes of a stream may be sent up to an offset.
    pub(crate) fn credit(&mut self, id: u64, offset: u64) -> Result<(), ErrorCode> {
        self.sending(id)?.map_or(Ok(()), |(_, s)| s.credit(offset))
    }

    /// Handles `CONN_CREDIT`: bytes of all streams may be sent up to a total.
    pub(crate) fn conn_credit(&mut self, offset: u64) -> Result<(), ErrorCode> {
        self.flow.credit(offset)
    }

    /// Handles DURABLE. Returns `None` if the stream is closed here.
    pub(crate) fn durable(&mut self, id: u64, offset: u64) -> Result<Option<Durable>, ErrorCode> {
        let Some((kind, s)) = self.sending(id)? else { return Ok(None) };
        s.durable(offset, kind == OpenKind::Put).map(Some)
    }

    /// Queues bytes that the application supplies in answer to [`Event::DataWanted`]. `fin`, the content's
    /// hash, comes with the stream's last bytes.
    pub(crate) fn supply(
        &mut self,
        id: u64,
        offset: u64,
        bytes: Bytes,
        fin: Option<[u8; 32]>,
    ) -> Result<(), ApiMisuse> {
        self.local_sending(id)?.supply(offset, bytes, fin)
    }

    /// Sets the priority of a stream's content above that of others.
    pub(crate) fn set_urgent(&mut self, id: u64) -> Result<(), ApiMisuse> {
        self.local_sending(id)?.urgent = true;
        Ok(())
    }

    fn local_sending(&mut self, id: u64) -> Result<&mut Sending, ApiMisuse> {
        let sending = self.sending(id).map_err(|_| ApiMisuse::WrongDirection)?;
        sending.map(|(_, s)| s).ok_or(ApiMisuse::NoSuchStream)
    }

    fn local_receiving(&mut self, id: u64) -> Result<&mut Receiving, ApiMisuse> {
        self.receiving(id).map_err(|_| ApiMisuse::WrongDirection)?.ok_or(ApiMisuse::NoSuchStream)
    }

    /// Records that the application has written an incoming stream up to `offset`. Returns the operation to
    /// commit.
    pub(crate) fn written(&mut self, id: u64, offset: u64) -> Result<Op, ApiMisuse> {
        if self.local_receiving(id)?.written(offset)? {
            return Ok(Op::Delete { key: keys::numbered(keys::STREAM, id) });
        }
        self.open.get(&id).map(|stream| stream.put(id)).ok_or(ApiMisuse::NoSuchStream)
    }

    /// Requests more of a stream: the application has taken the stream's bytes up to `offset`, and will make them
    /// durable later.
    pub(crate) fn take(&mut self, id: u64, offset: u64) -> Result<(), ApiMisuse> {
        self.local_receiving(id)?.take(offset)
    }

    /// Records that written bytes are durable.
    pub(crate) fn written_durable(&mut self, id: u64, offset: u64) {
        if let Ok(Some(r)) = self.receiving(id)
            && r.durable(offset)
        {
            self.end_received(id);
        }
    }

    /// Ends an incoming stream all of whose bytes are durable, and tells the sender.
    fn end_received(&mut self, id: u64) {
        let open = self.open.remove(&id).and_then(|stream| match stream.half {
            Half::Receiving(r) => Some(r),
            Half::Sending(_) => None,
        });
        // The sender keeps the content until it gets this answer.
        // req: STR-008
        if let Some(r) = open.or_else(|| self.over.remove(&id)) {
            let frame = Frame::Durable { id, offset: r.offset() };
            self.words.push_back(Word { id, frame, over: Some(r) });
        }
    }

    /// Returns the next request to the application for bytes of an outgoing stream that could send more.
    /// Urgent streams come first.
    pub(crate) fn next_wanted(&mut self) -> Option<Event> {
        let held: u64 = self.outgoing().map(|(_, s)| s.held()).sum();
        let room = SUPPLIED_LEN_MAX.min(self.flow.room()).saturating_sub(held);
        self.in_turn().into_iter().find_map(|id| {
            let Some(Stream { half: Half::Sending(s), open: Open::Known, .. }) = self.open.get_mut(&id)
            else {
                return None;
            };
            s.want(room).map(|(offset, max)| Event::Stream(StreamEvent::DataWanted { id, offset, max }))
        })
    }

    fn outgoing(&self) -> impl Iterator<Item = (u64, &Sending)> {
        self.open.iter().filter_map(|(id, stream)| match &stream.half {
            Half::Sending(s) => Some((*id, s)),
            Half::Receiving(_) => None,
        })
    }

    /// Returns the outgoing streams in the order in which they send. Urgent ones come first; in each group
    /// the stream after the last sender comes first.
    fn in_turn(&self) -> Vec<u64> {
        let mut ids: Vec<_> = self.outgoing().map(|(id, s)| (!s.urgent, id < self.turn, id)).collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Returns whether frames other than DATA wait to be sent.
    pub(crate) fn wants_control(&mut self) -> bool {
        let window = self.window.len();
        let (mut waiting, mut unwritten) = (0_u64, 0_u64);
        for stream in self.open.values() {
            if let Half::Receiving(r) = &stream.half {
                waiting = waiting.saturating_add(r.waiting());
                unwritten = unwritten.saturating_add(r.unwritten());
            }
        }
        self.flow.grant(window, waiting, unwritten);
        let of_one = |stream: &Stream| {
            let told = matches!(&stream.half, Half::Receiving(r) if r.has_news(window));
            stream.open == Open::Due || (told && stream.open == Open::Known)
        };
        self.flow.has_news()
            || !self.words.is_empty()
            || self.open.values().any(of_one)
            || self.over.values().any(|r| r.has_news(window))
    }

    /// Writes the frames about streams, other than DATA, into the record.
    pub(crate) fn fill_control(&mut self, record: &mut RecordBuilder) {
        let window = self.window.len();
        while pop_front_if(&mut self.words, |word| record.push(&word.frame)).is_some() {}
        self.flow.fill(record);
        for (id, r) in &mut self.over {
            r.fill(*id, window, record);
        }
        for (id, stream) in &mut self.open {
            stream.fill_open(*id, record);
            if let Half::Receiving(r) = &mut stream.half
                && stream.open == Open::Known
            {
                r.fill(*id, window, record);
            }
        }
    }

    /// Records that DATA is about to be handled. Returns whether a round trip should be measured now.
    pub(crate) fn comes(&mut self, now: Timestamp) -> bool {
        self.window.came(now, self.flow.came())
    }

    /// Records the end of a round trip. `least` is the shortest one that was seen.
    pub(crate) fn round_trip(&mut self, now: Timestamp, least: Duration) {
        self.window.measured(now, self.flow.came(), least);
    }

    /// Returns whether content waits to be sent.
    pub(crate) fn wants_data(&self) -> bool {
        let room = self.flow.room() > 0;
        self.outgoing().any(|(_, s)| s.is_ready(room))
    }

    /// Writes content into the record: as much of urgent streams as fits, then one frame of each other stream
    /// in turn.
    pub(crate) fn fill_data(&mut self, record: &mut RecordBuilder) {
        for id in self.in_turn() {
            let Some(Stream { half: Half::Sending(s), .. }) = self.open.get_mut(&id) else { continue };
            while let Some(sent) = s.fill(id, self.flow.room(), record) {
                self.flow.sent(sent);
                self.turn = id.saturating_add(1);
                if !s.urgent {
                    break;
                }
            }
        }
    }
}
