//! Streams: bytes one way, with credit, that go on at the receiver's durable offset (spec, streams).
//!
//! Content is the application's: it is asked for bytes of outgoing streams, and reports what it has on its disk of
//! incoming ones. Nothing is buffered but what was supplied and not yet sealed.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Frame, OpenKind};
use handfast_codec::limits::{
    CONN_CREDIT_START, CONN_WINDOW_MAX, DATA_LEN_MAX, STREAM_CREDIT_START, STREAM_WINDOW_MAX,
    STREAMS_OPEN_MAX,
};
use handfast_codec::record::RecordBuilder;

use crate::commit::Op;
use crate::error::{ApiMisuse, LoadError, SendRefused};
use crate::keys;
use crate::output::{Event, StreamEnd};
use crate::queue::pop_front_if;

/// The most bytes asked of the application at once.
const WANT_MAX: u64 = 65_536;
/// Bytes that a DATA frame adds around its content, at most: type, length, id, offset.
const DATA_OVERHEAD_MAX: usize = 1 + 4 + 8 + 8;

/// One open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) kind: OpenKind,
    /// Whether this side opened it.
    pub(crate) local: bool,
    pub(crate) meta: Bytes,
    pub(crate) half: Half,
}

/// Which way its bytes go.
#[derive(Debug)]
pub(crate) enum Half {
    Sending(Sending),
    Receiving(Receiving),
}

#[derive(Debug, Default)]
pub(crate) struct Sending {
    /// The offset of the next byte to seal.
    offset: u64,
    /// The offset after what was supplied.
    supplied: u64,
    credit: u64,
    /// What the receiver has on its disk.
    durable: u64,
    queue: VecDeque<Bytes>,
    /// Whether the application was asked and has not answered.
    asked: bool,
    fin: Option<[u8; 32]>,
    fin_sent: bool,
    /// A put waits for its first credit; a get's first question follows the OPEN.
    open_released: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Receiving {
    received: u64,
    durable: u64,
    credit: u64,
    /// Bytes that the application holds, durable or not.
    held: u64,
    window: u64,
    /// FIN has come.
    fin: bool,
    /// The application knows of it, and may finish.
    fin_told: bool,
    /// The application has finished; its commit is open.
    finishing: bool,
}

/// The streams of a session.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: BTreeMap<u64, Stream>,
    /// Control frames about streams, to go before any data.
    control: VecDeque<Frame>,
    /// Credit that the peer gave this connection, and what was used of it.
    conn_credit: u64,
    conn_sent: u64,
    conn_received: u64,
    conn_granted: u64,
    /// Which stream sent last, so that they take turns.
    turn: u64,
}

impl Stream {
    fn is_sending(kind: OpenKind, local: bool) -> bool {
        (kind == OpenKind::Put) == local
    }

    fn new(kind: OpenKind, local: bool, meta: Bytes, durable: u64) -> Self {
        let start = if kind == OpenKind::Get { STREAM_CREDIT_START } else { 0 };
        let half = if Self::is_sending(kind, local) {
            Half::Sending(Sending { credit: start, ..Sending::default() })
        } else {
            Half::Receiving(Receiving {
                received: durable,
                durable,
                credit: start,
                window: STREAM_CREDIT_START,
                ..Receiving::default()
            })
        };
        Self { kind, local, meta, half }
    }

    /// The offset up to which this side has received durably.
    fn durable_in(&self) -> u64 {
        match &self.half {
            Half::Sending(_) => 0,
            Half::Receiving(r) => r.durable,
        }
    }

    fn put(&self, id: u64) -> Op {
        let mut row = Vec::with_capacity(self.meta.len().saturating_add(10));
        row.push(if self.kind == OpenKind::Get { 1 } else { 2 });
        row.push(u8::from(self.local));
        row.extend_from_slice(&self.durable_in().to_be_bytes());
        row.extend_from_slice(&self.meta);
        Op::put(keys::numbered(keys::STREAM, id), row)
    }

    fn from_row(row: &[u8]) -> Result<Self, LoadError> {
        let (head, rest) = row.split_first_chunk::<2>().ok_or(LoadError::Damaged)?;
        let (durable, meta) = rest.split_first_chunk::<8>().ok_or(LoadError::Damaged)?;
        let kind = match head {
            [1, _] => OpenKind::Get,
            [2, _] => OpenKind::Put,
            _ => return Err(LoadError::Damaged),
        };
        let durable = u64::from_be_bytes(*durable);
        let mut stream = Self::new(kind, head.last() == Some(&1), Bytes::copy_from_slice(meta), durable);
        if let Half::Sending(s) = &mut stream.half {
            s.open_released = true;
        }
        Ok(stream)
    }
}

impl Streams {
    /// Takes a stored row.
    pub(crate) fn load(&mut self, id: u64, row: &[u8]) -> Result<(), LoadError> {
        let _ = self.open.insert(id, Stream::from_row(row)?);
        Ok(())
    }

    /// The open streams: id, kind, whether this side opened it, meta.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Stream)> {
        self.open.iter().map(|(id, stream)| (*id, stream))
    }

    /// The list for a resume block.
    pub(crate) fn block(&self) -> Vec<(u64, u64)> {
        self.open.iter().map(|(id, stream)| (*id, stream.durable_in())).collect()
    }

    /// Opens a stream. Its OPEN leaves after [`Streams::release`].
    pub(crate) fn open(&mut self, id: u64, kind: OpenKind, meta: Bytes) -> Result<Op, SendRefused> {
        if self.open.len() >= STREAMS_OPEN_MAX {
            return Err(SendRefused::TooMany);
        }
        let stream = Stream::new(kind, true, meta, 0);
        let op = stream.put(id);
        let _ = self.open.insert(id, stream);
        Ok(op)
    }

    /// The OPEN's commit is durable.
    pub(crate) fn release(&mut self, id: u64) {
        if let Some(stream) = self.open.get_mut(&id) {
            if let Half::Sending(s) = &mut stream.half {
                s.open_released = true;
            }
            self.control.push_back(Frame::Open { id, kind: stream.kind, meta: stream.meta.clone() });
        }
    }

    /// The peer opened a stream. `Err` is the code of the STOP to answer.
    pub(crate) fn opened(&mut self, id: u64, kind: OpenKind, meta: Bytes) -> Result<Op, ErrorCode> {
        // req: STR-002
        if self.open.len() >= STREAMS_OPEN_MAX {
            return Err(ErrorCode::TOO_MANY_STREAMS);
        }
        let mut stream = Stream::new(kind, false, meta, 0);
        if let Half::Sending(s) = &mut stream.half {
            s.open_released = true;
        }
        let op = stream.put(id);
        let _ = self.open.insert(id, stream);
        Ok(op)
    }

    pub(crate) fn control(&mut self, frame: Frame) {
        self.control.push_back(frame);
    }

    /// Ends a stream on this side. Gives the operation that forgets it.
    pub(crate) fn close(&mut self, id: u64) -> Option<Op> {
        let _ = self.open.remove(&id)?;
        Some(Op::Delete { key: keys::numbered(keys::STREAM, id) })
    }

    /// A session begins anew: all streams are gone. Gives their ids.
    pub(crate) fn reset(&mut self) -> Vec<u64> {
        let open = core::mem::take(&mut self.open);
        *self = Self::default();
        open.into_keys().collect()
    }

    /// A session goes on: streams that the peer does not list are gone, the others continue.
    pub(crate) fn resume(&mut self, peer: &[(u64, u64)], events: &mut Vec<Event>) -> Vec<Op> {
        let peer: BTreeMap<u64, u64> = peer.iter().copied().collect();
        let lost: Vec<u64> = self.open.keys().filter(|id| !peer.contains_key(id)).copied().collect();
        let ops = lost.iter().filter_map(|id| self.close(*id)).collect();
        events.extend(lost.into_iter().map(|id| Event::StreamEnded { id, end: StreamEnd::Lost }));
        for (id, stream) in &mut self.open {
            let offset = match &mut stream.half {
                // req: STR-007
                Half::Sending(s) => {
                    let offset = peer.get(id).copied().unwrap_or(0);
                    *s = Sending {
                        offset,
                        supplied: offset,
                        durable: offset,
                        credit: offset.saturating_add(STREAM_CREDIT_START),
                        open_released: true,
                        ..Sending::default()
                    };
                    offset
                }
                Half::Receiving(r) => {
                    r.received = r.durable;
                    r.held = r.durable;
                    r.credit = r.durable.saturating_add(STREAM_CREDIT_START);
                    (r.fin, r.fin_told) = (false, false);
                    r.durable
                }
            };
            events.push(Event::StreamResumed { id: *id, offset });
        }
        ops
    }

    /// A connection begins.
    pub(crate) fn restart(&mut self) {
        self.control.clear();
        self.conn_credit = CONN_CREDIT_START;
        self.conn_granted = CONN_CREDIT_START;
        self.conn_sent = 0;
        self.conn_received = 0;
    }

    /// Takes DATA.
    pub(crate) fn data(&mut self, id: u64, offset: u64, bytes: Bytes) -> Result<Option<Event>, ErrorCode> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.conn_received = self.conn_received.saturating_add(len);
        // req: STR-004
        if self.conn_received > self.conn_granted {
            return Err(ErrorCode::CREDIT_EXCEEDED);
        }
        let Some(stream) = self.open.get_mut(&id) else { return Ok(None) };
        let Half::Receiving(r) = &mut stream.half else { return Err(ErrorCode::FRAME_NOT_ALLOWED) };
        // req: STR-003
        if offset != r.received || r.fin {
            return Err(ErrorCode::OFFSET);
        }
        let end = offset.checked_add(len).ok_or(ErrorCode::OFFSET)?;
        if end > r.credit {
            return Err(ErrorCode::CREDIT_EXCEEDED);
        }
        r.received = end;
        Ok(Some(Event::Data { id, offset, bytes }))
    }

    /// Takes FIN.
    pub(crate) fn fin(&mut self, id: u64, hash: [u8; 32]) -> Result<Option<Event>, ErrorCode> {
        let Some(stream) = self.open.get_mut(&id) else { return Ok(None) };
        let Half::Receiving(r) = &mut stream.half else { return Err(ErrorCode::FRAME_NOT_ALLOWED) };
        if r.fin {
            return Err(ErrorCode::OFFSET);
        }
        r.fin = true;
        Ok(Some(Event::Fin { id, hash }))
    }

    /// The application is told of a FIN.
    pub(crate) fn fin_told(&mut self, id: u64) {
        if let Some(Stream { half: Half::Receiving(r), .. }) = self.open.get_mut(&id) {
            r.fin_told = r.fin;
        }
    }

    /// Takes CREDIT.
    pub(crate) fn credit(&mut self, id: u64, offset: u64) -> Result<(), ErrorCode> {
        let Some(stream) = self.open.get_mut(&id) else { return Ok(()) };
        let Half::Sending(s) = &mut stream.half else { return Err(ErrorCode::FRAME_NOT_ALLOWED) };
        // req: STR-005
        s.credit = s.credit.max(offset);
        Ok(())
    }

    pub(crate) fn conn_credit(&mut self, offset: u64) {
        self.conn_credit = self.conn_credit.max(offset);
    }

    /// Takes DURABLE. Gives whether the stream is done with it.
    pub(crate) fn durable(&mut self, id: u64, offset: u64) -> Result<Option<bool>, ErrorCode> {
        let Some(stream) = self.open.get_mut(&id) else { return Ok(None) };
        let Half::Sending(s) = &mut stream.half else { return Err(ErrorCode::FRAME_NOT_ALLOWED) };
        // A receiver that has the content already answers an untouched put with the whole size.
        let untouched = s.offset == 0 && s.durable == 0 && stream.kind == OpenKind::Put;
        if offset > s.offset && !untouched {
            return Err(ErrorCode::ACK_FUTURE);
        }
        // req: STR-006
        if offset < s.durable {
            return Err(ErrorCode::OFFSET);
        }
        s.durable = offset;
        // req: STR-008
        Ok(Some((s.fin_sent && offset == s.offset) || offset > s.offset))
    }

    /// The application supplies bytes, in answer to [`Event::DataWanted`]; `fin` with the last of them.
    pub(crate) fn supply(
        &mut self,
        id: u64,
        offset: u64,
        bytes: Bytes,
        fin: Option<[u8; 32]>,
    ) -> Result<(), ApiMisuse> {
        let stream = self.open.get_mut(&id).ok_or(ApiMisuse::NoSuchStream)?;
        let Half::Sending(s) = &mut stream.half else { return Err(ApiMisuse::WrongRole) };
        if offset != s.supplied || !s.asked || s.fin.is_some() {
            return Err(ApiMisuse::WrongOffset);
        }
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if len > WANT_MAX || (len == 0 && fin.is_none()) {
            return Err(ApiMisuse::TooLarge);
        }
        s.asked = false;
        s.supplied = s.supplied.saturating_add(len);
        s.fin = fin;
        if len > 0 {
            s.queue.push_back(bytes);
        }
        Ok(())
    }

    /// The application has written an incoming stream up to `offset`. Gives the row to commit.
    pub(crate) fn written(&mut self, id: u64, offset: u64) -> Result<Op, ApiMisuse> {
        let stream = self.open.get_mut(&id).ok_or(ApiMisuse::NoSuchStream)?;
        let Half::Receiving(r) = &mut stream.half else { return Err(ApiMisuse::WrongRole) };
        if offset < r.durable || offset > r.received {
            return Err(ApiMisuse::WrongOffset);
        }
        r.durable = offset;
        r.finishing = r.fin_told && offset == r.received;
        Ok(if r.finishing { Op::Delete { key: keys::numbered(keys::STREAM, id) } } else { stream.put(id) })
    }

    /// The application holds what arrived up to `offset`, and wants more although nothing of it is durable.
    pub(crate) fn hold(&mut self, id: u64, offset: u64) -> Result<(), ApiMisuse> {
        let stream = self.open.get_mut(&id).ok_or(ApiMisuse::NoSuchStream)?;
        let Half::Receiving(r) = &mut stream.half else { return Err(ApiMisuse::WrongRole) };
        if offset > r.received {
            return Err(ApiMisuse::WrongOffset);
        }
        r.held = r.held.max(offset);
        let credit = r.held.saturating_add(STREAM_CREDIT_START);
        if credit >= r.credit.saturating_add(STREAM_CREDIT_START / 2) && !r.fin {
            r.credit = credit;
            self.control.push_back(Frame::Credit { id, offset: credit });
        }
        Ok(())
    }

    /// What was written is durable: tell the peer, and give credit. `quick` lets the window grow.
    pub(crate) fn written_durable(&mut self, id: u64, offset: u64, quick: bool) {
        let Some(stream) = self.open.get_mut(&id) else { return };
        let Half::Receiving(r) = &mut stream.half else { return };
        if quick && offset > 0 {
            r.window = r.window.saturating_mul(2).min(STREAM_WINDOW_MAX);
        }
        let credit = offset.saturating_add(r.window);
        if offset > 0 || r.finishing {
            self.control.push_back(Frame::Durable { id, offset });
        }
        if r.finishing {
            // req: STR-008
            let _ = self.open.remove(&id);
            return;
        }
        if credit > r.credit && !r.fin {
            r.credit = credit;
            self.control.push_back(Frame::Credit { id, offset: credit });
        }
    }

    /// The next question to the application: an outgoing stream that could send more.
    pub(crate) fn next_wanted(&mut self) -> Option<Event> {
        let conn_room = self.conn_credit.saturating_sub(self.conn_sent);
        self.open.iter_mut().find_map(|(id, stream)| {
            let Half::Sending(s) = &mut stream.half else { return None };
            let room = s.credit.saturating_sub(s.supplied).min(WANT_MAX).min(conn_room);
            let idle = s.queue.is_empty() && !s.asked && s.fin.is_none() && s.open_released;
            if !idle || room == 0 {
                return None;
            }
            s.asked = true;
            Some(Event::DataWanted { id: *id, offset: s.supplied, max: usize::try_from(room).ok()? })
        })
    }

    /// Gives the connection more credit once half of it is used; what lies undurable counts as used.
    fn grant(&mut self) {
        let pending: u64 = self
            .open
            .values()
            .map(|stream| match &stream.half {
                Half::Receiving(r) => r.received.saturating_sub(r.durable.max(r.held)),
                Half::Sending(_) => 0,
            })
            .sum();
        let target = self.conn_received.saturating_sub(pending).saturating_add(CONN_WINDOW_MAX);
        if target >= self.conn_granted.saturating_add(CONN_CREDIT_START / 2) {
            self.conn_granted = target;
            self.control.push_back(Frame::ConnCredit { offset: target });
        }
    }

    pub(crate) fn wants_control(&mut self) -> bool {
        self.grant();
        !self.control.is_empty()
    }

    pub(crate) fn fill_control(&mut self, record: &mut RecordBuilder) {
        while pop_front_if(&mut self.control, |frame| record.push(frame)).is_some() {}
    }

    pub(crate) fn wants_data(&self) -> bool {
        let room = self.conn_credit > self.conn_sent;
        self.open.values().any(|stream| match &stream.half {
            Half::Sending(s) => (room && !s.queue.is_empty()) || s.fin_due(),
            Half::Receiving(_) => false,
        })
    }

    /// Puts data into the record, a frame of each stream in turn.
    pub(crate) fn fill_data(&mut self, record: &mut RecordBuilder) {
        let ids: Vec<u64> =
            self.open.range(self.turn..).chain(self.open.range(..self.turn)).map(|(i, _)| *i).collect();
        for id in ids {
            let Some(Stream { half: Half::Sending(s), .. }) = self.open.get_mut(&id) else { continue };
            let room = self.conn_credit.saturating_sub(self.conn_sent);
            if let Some(sent) = s.fill(id, room, record) {
                self.conn_sent = self.conn_sent.saturating_add(sent);
                self.turn = id.saturating_add(1);
            }
        }
    }
}

impl Sending {
    fn fin_due(&self) -> bool {
        self.fin.is_some() && !self.fin_sent && self.queue.is_empty()
    }

    /// Puts one DATA, or the FIN, into the record. Gives the bytes of content sent.
    fn fill(&mut self, id: u64, room: u64, record: &mut RecordBuilder) -> Option<u64> {
        if self.fin_due() {
            let hash = self.fin?;
            self.fin_sent = record.push(&Frame::Fin { id, hash });
            return None;
        }
        let front = self.queue.front_mut()?;
        let fits = record
            .room()
            .saturating_sub(DATA_OVERHEAD_MAX)
            .min(DATA_LEN_MAX)
            .min(usize::try_from(room).unwrap_or(usize::MAX));
        let take = front.len().min(fits);
        if take == 0 {
            return None;
        }
        let body = front.slice(..take);
        if !record.push(&Frame::Data { id, offset: self.offset, body }) {
            return None;
        }
        bytes::Buf::advance(front, take);
        if front.is_empty() {
            let _ = self.queue.pop_front();
        }
        let sent = u64::try_from(take).ok()?;
        self.offset = self.offset.saturating_add(sent);
        Some(sent)
    }
}
