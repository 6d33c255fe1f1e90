//! The outputs of a link.

use handfast::codec::frame::Collection;
use handfast::provided_rows::page_of;
use handfast::session::resume::Verdict;
use handfast::session::{Event, Message as Delivered, Output as Step, StreamInfo, SyncEvent};
use handfast::transfers::TransferEvent;
use handfast::{DeviceRole, ErrorCode, Timestamp};

use super::{Link, OfRole};
use crate::commit::Journal;
use crate::content::Stream;
use crate::rows::rows;
use crate::time::at_ms;
use crate::{Message, Output};

impl<R: OfRole> Link<R> {
    /// Takes all outputs of the link.
    pub(crate) fn drain(&mut self, now: Timestamp, journal: &mut Journal, out: &mut Vec<Output>) {
        loop {
            while let Some(event) = self.transfers.poll(now, &mut self.endpoint) {
                match event {
                    TransferEvent::Sync { id, ref step }
                        if self.stated(id).is_some_and(|is| is != step.size) =>
                    {
                        self.transfers.stop(id, ErrorCode::HASH);
                    }
                    event => out.push(transfer(event)),
                }
            }
            out.push(match self.endpoint.poll_output() {
                Step::Persist(commit) => Output::Persist { commit: journal.write(commit) },
                Step::Deliver { message, commit } => {
                    Output::Deliver { message: self.delivered(message), commit: journal.write(commit) }
                }
                Step::Transmit(bytes) => Output::Transmit { bytes: bytes.to_vec() },
                Step::Event(Event::Connect) => Output::Connect { url: self.endpoint.relay().url() },
                Step::Event(Event::Stream(event)) => {
                    self.transfers.handle(event);
                    continue;
                }
                Step::Event(event) => said(event),
                Step::Wait(at) => return out.push(Output::SetTimer { at_ms: at.map(at_ms) }),
                _ => Output::Other,
            });
        }
    }

    /// Returns the size of content that the peer puts, as it has stated it and the program has agreed to.
    fn stated(&self, id: u64) -> Option<u64> {
        let info = self.endpoint.streams().into_iter().find(|info| info.id == id && !info.local)?;
        Stream::new(&info).size
    }

    fn delivered(&mut self, message: Delivered) -> Message {
        match message {
            Delivered::Command { key, body } => {
                Message::Command { key: key.as_bytes().to_vec(), body: body.to_vec() }
            }
            Delivered::Result { key, body } => {
                Message::Result { key: key.as_bytes().to_vec(), body: body.map(|body| body.to_vec()) }
            }
            Delivered::Delta { collection, items, .. } => {
                Message::Delta { collection: name(&collection), rows: rows(&items) }
            }
            Delivered::Page { collection, first, last, items, .. } => Message::Page {
                collection: name(&collection),
                is_first: first,
                is_last: last,
                rows: rows(core::slice::from_ref(&items)),
            },
            Delivered::Opened { id, .. } => match self.hold(id) {
                Some(info) => Message::Opened { stream: Stream::new(&info) },
                None => Message::Other,
            },
            _ => Message::Other,
        }
    }

    /// Holds the stream that the peer has opened, until the program says what to do with it.
    fn hold(&mut self, id: u64) -> Option<StreamInfo> {
        let info = self.endpoint.streams().into_iter().find(|info| info.id == id)?;
        self.transfers.hold(info.clone());
        Some(info)
    }
}

fn name(collection: &Collection) -> Vec<u8> {
    collection.as_bytes().to_vec()
}

fn budget(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn said(event: Event) -> Output {
    match event {
        Event::Disconnect => Output::Disconnect,
        Event::State(state) => Output::State { state: state.name().to_owned() },
        Event::Connected { verdict } => Output::Connected { is_resumed: verdict == Verdict::Resume },
        Event::PutBack { who } => Output::PutBack { is_phone: who == DeviceRole::Phone },
        Event::Failed(code) => Output::Failed { code: code.to_string() },
        Event::Closed(code) => Output::Closed { code: code.to_string() },
        Event::Relay(code) => Output::RelayRefused { code: code.to_string() },
        Event::Replaced => Output::Replaced,
        Event::WakeFailed(_) => Output::WakeFailed,
        Event::Contended(times) => Output::Contended { times },
        Event::Diverged => Output::Diverged,
        Event::Suspended => Output::Suspended,
        Event::Revoked => Output::Revoked,
        Event::Lapsed => Output::Lapsed,
        Event::RevokedTold => Output::RevokedTold,
        Event::Ephemeral { slot, body } => Output::Ephemeral { slot, body: body.to_vec() },
        Event::Sync(event) => sync(&event),
        _ => Output::Other,
    }
}

fn sync(event: &SyncEvent) -> Output {
    match event {
        SyncEvent::DeltaWanted { collection, after, budget: bytes } => {
            Output::DeltaWanted { collection: name(collection), after: *after, budget: budget(*bytes) }
        }
        SyncEvent::PageWanted { collection, page, budget: bytes } => {
            let (revision, after) = page_of(page).unzip();
            let after = after.map(|id| id.as_bytes().to_vec());
            Output::PageWanted { collection: name(collection), revision, after, budget: budget(*bytes) }
        }
        SyncEvent::DigestWanted { collection } => Output::DigestWanted { collection: name(collection) },
        SyncEvent::InSync { collection } => Output::InSync { collection: name(collection) },
        SyncEvent::OutOfSync { collection } => Output::OutOfSync { collection: name(collection) },
        SyncEvent::ResyncFailed { collection } => Output::ResyncFailed { collection: name(collection) },
        SyncEvent::Unsubscribed { collection } => Output::Unsubscribed { collection: name(collection) },
        _ => Output::Other,
    }
}

fn transfer(event: TransferEvent) -> Output {
    match event {
        TransferEvent::Write { id, at, bytes } => Output::WriteContent { stream: id, at, bytes },
        TransferEvent::Sync { id, step } => Output::SyncContent {
            stream: id,
            offset: step.offset,
            size: step.size,
            list: step.list.map(|list| list.encode()),
            is_whole: step.is_whole,
        },
        TransferEvent::Read { id, at, len } => Output::ReadContent { stream: id, at, len },
        TransferEvent::Progress { id, offset } => Output::ContentProgress { stream: id, offset },
        TransferEvent::Ended { id, end } => Output::StreamEnded { stream: id, end: end.to_string() },
    }
}
