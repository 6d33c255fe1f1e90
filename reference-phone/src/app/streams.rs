//! The streams of a link: media that companions fetch and send, in the machine and on the disk.

use handfast::ErrorCode;
use handfast::codec::frame::OpenKind;
use handfast::codec::ids::MailboxId;
use handfast::codec::message::grants;
use handfast::session::{Event, SendRefused};

use super::link::Link;
use super::transfer::{PutAnswer, Transfer, UploadStep};
use super::{App, Now};
use crate::store::StoreError;

/// Commits of one link in a transaction, after which its files wait for the next one.
const COMMITS_FULL: usize = 16;

impl App {
    pub(super) fn open_transfer(
        &mut self,
        id: MailboxId,
        link: &mut Link,
        stream: u64,
        kind: OpenKind,
        meta: &[u8],
    ) -> Result<Result<(), ErrorCode>, StoreError> {
        if link.grants & grants::MEDIA == 0 {
            return Ok(Err(ErrorCode::REFUSED));
        }
        if kind == OpenKind::Get {
            let (content, from) = match super::transfer::read_get_meta(meta) {
                Ok(wanted) => wanted,
                Err(error) => return Ok(Err(error.code())),
            };
            let row = self.store.media(content)?;
            return Ok(Transfer::open_download(content, from, row, &self.media)
                .map(|transfer| drop(link.transfers.insert(stream, transfer))));
        }
        let (content, _) = match super::transfer::read_put_meta(meta) {
            Ok(offered) => offered,
            Err(error) => return Ok(Err(error.code())),
        };
        let row = self.store.media(content)?;
        Ok(Transfer::open_upload(id, stream, meta, row, &self.media).map(|answer| match answer {
            PutAnswer::Take(transfer) => {
                drop(link.transfers.insert(stream, transfer));
                link.accepts.push_back(stream);
            }
            PutAnswer::Have(len) => link.haves.push_back((stream, len)),
        }))
    }

    pub(super) fn on_stream_event(
        &mut self,
        now: Now,
        id: MailboxId,
        link: &mut Link,
        event: Event,
    ) -> Result<(), StoreError> {
        match event {
            Event::Data { id: stream, offset, bytes } => {
                let Some(upload) = link.transfers.get_mut(&stream).and_then(Transfer::as_upload) else {
                    return Ok(());
                };
                match upload.write(&bytes) {
                    // The chunk list may be longer than the first credit, and is stored when it is whole.
                    Ok(()) if upload.list().is_none() => {
                        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
                        let _ = link.endpoint.stream_hold(now.mono, stream, end);
                    }
                    Ok(()) => {}
                    Err(code) => self.stop(id, link, stream, code)?,
                }
            }
            Event::Fin { id: stream, hash } => {
                if let Some(upload) = link.transfers.get_mut(&stream).and_then(Transfer::as_upload) {
                    upload.fin(hash);
                }
            }
            Event::DataWanted { id: stream, offset, max } => {
                let Some(download) = link.transfers.get_mut(&stream).and_then(Transfer::as_download) else {
                    link.stops.push_back((stream, ErrorCode::GONE));
                    return Ok(());
                };
                match download.read(offset, max) {
                    // What is not wanted any more is not missed.
                    Ok((bytes, fin)) => {
                        let _ = link.endpoint.stream_supply(now.mono, stream, offset, bytes, fin);
                    }
                    Err(code) => self.stop(id, link, stream, code)?,
                }
            }
            Event::StreamResumed { id: stream, .. } => {
                let Some(info) = link.endpoint.streams().into_iter().find(|info| info.id == stream) else {
                    return Ok(());
                };
                drop(link.transfers.remove(&stream));
                match Transfer::reopen(id, &info, &self.store, &self.media)? {
                    Ok(transfer) => drop(link.transfers.insert(stream, transfer)),
                    Err(code) => self.stop(id, link, stream, code)?,
                }
            }
            Event::StreamEnded { id: stream, .. } => self.forget_transfer(id, link, stream)?,
            _ => {}
        }
        Ok(())
    }

    fn stop(
        &mut self,
        id: MailboxId,
        link: &mut Link,
        stream: u64,
        code: ErrorCode,
    ) -> Result<(), StoreError> {
        link.stops.push_back((stream, code));
        self.forget_transfer(id, link, stream)
    }

    fn forget_transfer(&mut self, id: MailboxId, link: &mut Link, stream: u64) -> Result<(), StoreError> {
        link.accepts.retain(|accepted| *accepted != stream);
        link.haves.retain(|(had, _)| *had != stream);
        if let Some(Transfer::Upload(_)) = link.transfers.remove(&stream) {
            self.media.drop_part(id, stream);
            self.store.forget_upload(id, stream)?;
        }
        Ok(())
    }

    /// Does what takes a commit of the machine; what it has no room for waits for the next transaction.
    pub(super) fn pump_streams(
        &mut self,
        now: Now,
        id: MailboxId,
        link: &mut Link,
    ) -> Result<bool, StoreError> {
        let mut moved = false;
        while let Some((stream, code)) = link.stops.pop_front() {
            if link.endpoint.stream_stop(now.mono, stream, code) == Err(SendRefused::Busy) {
                link.stops.push_front((stream, code));
                break;
            }
            moved = true;
        }
        while let Some(stream) = link.accepts.pop_front() {
            match link.endpoint.stream_durable(now.mono, stream, 0) {
                Ok(commit) => link.commits.push(commit),
                Err(SendRefused::Busy) => {
                    link.accepts.push_front(stream);
                    break;
                }
                Err(_) => {}
            }
            moved = true;
        }
        while let Some((stream, len)) = link.haves.pop_front() {
            match link.endpoint.stream_have(now.mono, stream, len) {
                Ok(commit) => link.commits.push(commit),
                Err(SendRefused::Busy) => {
                    link.haves.push_front((stream, len));
                    break;
                }
                Err(_) => {}
            }
            moved = true;
        }
        Ok(moved | self.pump_uploads(now, id, link)?)
    }

    /// Makes what arrived durable, and reports it.
    fn pump_uploads(&mut self, now: Now, id: MailboxId, link: &mut Link) -> Result<bool, StoreError> {
        let behind: Vec<u64> = link
            .transfers
            .iter_mut()
            .filter_map(|(stream, transfer)| transfer.as_upload().filter(|u| u.is_behind()).map(|_| *stream))
            .collect();
        let mut moved = false;
        for stream in behind {
            // The machine must have room for the report before anything is renamed.
            if link.commits.len() >= COMMITS_FULL {
                return Ok(true);
            }
            let Some(upload) = link.transfers.get_mut(&stream).and_then(Transfer::as_upload) else {
                continue;
            };
            if let Some(list) = upload.list_to_store() {
                self.store.put_upload(id, stream, upload.content(), list)?;
                upload.list_is_stored();
            }
            match upload.sync(id, stream, &self.media) {
                Ok(UploadStep::Nothing) => continue,
                Ok(UploadStep::Durable(offset)) => {
                    link.commits.extend(link.endpoint.stream_durable(now.mono, stream, offset));
                }
                Ok(UploadStep::Whole(len)) => {
                    if let Some(list) = upload.list() {
                        self.store.put_media(upload.content(), list)?;
                    }
                    drop(link.transfers.remove(&stream));
                    self.store.forget_upload(id, stream)?;
                    link.commits.extend(link.endpoint.stream_durable(now.mono, stream, len));
                }
                Err(code) => self.stop(id, link, stream, code)?,
            }
            moved = true;
        }
        Ok(moved)
    }
}
