//! The streams of a link: media that companions fetch and send, between the machine and the disk.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use handfast::ErrorCode;
use handfast::codec::frame::OpenKind;
use handfast::codec::ids::{ContentId, MailboxId};
use handfast::codec::limits::{DISK_RESERVE, UPLOAD_KEPT_MS, UPLOADS_COUNT_MAX, UPLOADS_LEN_MAX};
use handfast::codec::stream_meta::{GetMeta, PutMeta};
use handfast::media::Progress;
use handfast::session::{SendError, StreamEnd, StreamEvent};
use handfast_messages::grants;

use super::link::Link;
use super::transfer::{PutAnswer, Transfer, Upload, check_put, rest_of};
use super::{App, Now};
use crate::store::{Claimed, StoreError};

/// How many incomplete uploads of one link are kept while no stream continues them.
pub(super) const PARTS_KEPT_MAX: usize = 16;
/// How long a check of partly received content pauses after each step, so that other work is done.
const CHECK_PAUSE: Duration = Duration::from_millis(1);
/// If the difference between wall clock and monotonic clock changes by this much, in milliseconds, the wall
/// clock counts as set by hand.
const CLOCK_SET_MS: u64 = 1_000;

impl App {
    pub(super) fn open_transfer(
        &mut self,
        now: Now,
        link: &mut Link,
        stream: u64,
        kind: OpenKind,
        meta: &[u8],
    ) -> Result<Result<(), ErrorCode>, StoreError> {
        // Media are part of messages, so a get needs the right to read, too.
        // req: MSG-057
        let needed = if kind == OpenKind::Get { grants::READ | grants::MEDIA } else { grants::MEDIA };
        if link.data.grants & needed != needed {
            return Ok(Err(ErrorCode::REFUSED));
        }
        let id = link.id();
        if kind == OpenKind::Get {
            let GetMeta { content, offset: from } = match GetMeta::decode(meta) {
                Ok(wanted) => wanted,
                Err(error) => return Ok(Err(error.code())),
            };
            // Content that another companion uploaded is private until a message refers to it.
            // req: STR-033
            let row = if self.store.may_have(id, content)? { self.store.media(content)? } else { None };
            return Ok(Transfer::open_download(content, from, row, &self.media)
                .map(|transfer| drop(link.data.transfers.insert(stream, transfer))));
        }
        let offered = match PutMeta::decode(meta) {
            Ok(offered) => offered,
            Err(error) => return Ok(Err(error.code())),
        };
        // Two streams cannot write the same file.
        // req: STR-022
        if link.data.transfers.values().any(|other| other.upload_content() == Some(offered.content)) {
            return Ok(Err(ErrorCode::TOO_MANY_STREAMS));
        }
        if let Err(code) = check_put(&offered) {
            return Ok(Err(code));
        }
        let row = self.store.media(offered.content)?;
        if row.is_some() {
            // Content that no message refers to belongs to every link over which it was uploaded or offered.
            self.store.claim(id, offered.content, now.wall_ms)?;
        } else if !self.has_room(link, &offered)? {
            return Ok(Err(ErrorCode::FULL));
        }
        let list = self.store.part(id, offered.content)?;
        Ok(Transfer::open_upload(id, offered, row, list, &self.media).map(|answer| match answer {
            PutAnswer::Take(transfer) => {
                drop(link.data.transfers.insert(stream, transfer));
                link.data.accepts.push_back(stream);
            }
            PutAnswer::Have(len) => link.data.haves.push_back((stream, len)),
        }))
    }

    /// Answers the streams of which nothing was reported as durable before the process ended. Their OPENs may
    /// be stored without an answer, so they are handled as if they came now. All links must be loaded before,
    /// because uploads over other links need space on the disk too.
    pub(super) fn answer_opens(&mut self, now: Now, link: &mut Link) -> Result<(), StoreError> {
        for stream in link.endpoint.streams().into_iter().filter(|stream| stream.durable == 0) {
            if let Err(code) = self.open_transfer(now, link, stream.id, stream.kind, &stream.meta)? {
                link.data.stops.push_back((stream.id, code));
            }
        }
        Ok(())
    }

    /// Returns whether an upload may be accepted. It must fit the quota of its link, for which the oldest
    /// incomplete uploads of other content are deleted, and there must be enough space on the disk.
    fn has_room(&mut self, link: &Link, offered: &PutMeta) -> Result<bool, StoreError> {
        let id = link.id();
        let Claimed { mut count, mut len } = self.store.claimed(id)?;
        let (mut coming, mut running) = (rest_of(offered), BTreeSet::from([offered.content]));
        for (content, size, rest) in link.data.transfers.values().filter_map(Transfer::upload_size) {
            if running.insert(content) {
                (count, len) = (count.saturating_add(1), len.saturating_add(size));
            }
            coming = coming.saturating_add(rest);
        }
        let others = self.host.links().flat_map(|other| other.data.transfers.values());
        coming =
            others.filter_map(Transfer::upload_size).fold(coming, |sum, (.., rest)| sum.saturating_add(rest));
        let mut waiting: VecDeque<(ContentId, u64)> = self
            .store
            .part_sizes(id)?
            .into_iter()
            .filter(|(content, _)| !running.contains(content))
            .collect();
        // Without this quota, a companion could fill the disk with content that no message refers to.
        // req: STR-031
        let fits = |waiting: &VecDeque<(ContentId, u64)>| {
            let parts = waiting.iter().fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
            let number = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
            count.saturating_add(number) < UPLOADS_COUNT_MAX
                && len.saturating_add(parts).saturating_add(offered.size) <= UPLOADS_LEN_MAX
        };
        while !fits(&waiting) {
            let Some((oldest, _)) = waiting.pop_front() else { return Ok(false) };
            self.forget_part(id, oldest)?;
        }
        // The disk's reserve must still be free when all running uploads are complete.
        // req: STR-032
        let free = self.media.free_space().unwrap_or(u64::MAX);
        Ok(free >= coming.saturating_add(DISK_RESERVE))
    }

    /// If the wall clock was set while the phone ran, changes the stored times of uploads so that the uploads
    /// keep their age.
    pub(super) fn follow_clock(&mut self, now: Now) -> Result<(), StoreError> {
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let passed = now.mono.since(self.clocks.mono).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let shown = signed(now.wall_ms).saturating_sub(signed(self.clocks.wall_ms));
        let set = shown.saturating_sub(passed);
        if set.unsigned_abs() < CLOCK_SET_MS || self.store.oldest_claim()?.is_none() {
            return Ok(());
        }
        // An upload that no message refers to lasts a day by the monotonic clock, whatever the wall clock
        // shows.
        // req: STR-030
        self.store.shift_claims(set)
    }

    /// Drops the uploads to which no message has referred in time. Returns whether there were any.
    pub(super) fn forget_old_uploads(&mut self, now: Now) -> Result<bool, StoreError> {
        // After a restart the deadline must be the same, so it is computed from the stored wall-clock time.
        // req: STR-030
        let due =
            self.store.oldest_claim()?.filter(|since| since.saturating_add(UPLOAD_KEPT_MS) <= now.wall_ms);
        if due.is_none() {
            return Ok(false);
        }
        let gone = self.store.drop_claims_before(now.wall_ms.saturating_sub(UPLOAD_KEPT_MS))?;
        self.unused.extend(gone);
        Ok(true)
    }

    /// Sets the timer for the next upload that expires.
    pub(super) fn time_uploads(&mut self, now: Now) -> Result<(), StoreError> {
        let left = |since: u64| since.saturating_add(UPLOAD_KEPT_MS).saturating_sub(now.wall_ms);
        let due = self.store.oldest_claim()?.map(left);
        self.uploads_due = due.map(|left| now.mono.plus(Duration::from_millis(left)));
        Ok(())
    }

    pub(super) fn on_stream_event(
        &mut self,
        now: Now,
        link: &mut Link,
        event: StreamEvent,
    ) -> Result<(), StoreError> {
        match event {
            StreamEvent::Data { id: stream, bytes, .. } => {
                let Some(upload) = link.data.transfers.get_mut(&stream).and_then(Transfer::as_upload) else {
                    return Ok(());
                };
                match upload.incoming.take(&bytes) {
                    // A stream that has just ended wants nothing more.
                    Ok(()) => {
                        let _ = link.endpoint.stream_buffered(now.mono, stream, upload.incoming.arrived());
                    }
                    Err(code) => self.stop(link, stream, code)?,
                }
            }
            StreamEvent::Fin { id: stream, hash } => {
                if let Some(upload) = link.data.transfers.get_mut(&stream).and_then(Transfer::as_upload) {
                    upload.incoming.fin(hash);
                }
            }
            StreamEvent::DataWanted { id: stream, offset, max } => {
                let Some(download) = link.data.transfers.get_mut(&stream).and_then(Transfer::as_download)
                else {
                    link.data.stops.push_back((stream, ErrorCode::GONE));
                    return Ok(());
                };
                match download.read(offset, max) {
                    // If the stream has just ended the machine refuses its bytes. They can be dropped.
                    Ok((bytes, fin)) => {
                        let _ = link.endpoint.stream_supply(now.mono, stream, offset, bytes, fin);
                    }
                    Err(code) => self.stop(link, stream, code)?,
                }
            }
            StreamEvent::Resumed { id: stream, .. } => {
                let Some(info) = link.endpoint.streams().into_iter().find(|info| info.id == stream) else {
                    return Ok(());
                };
                drop(link.data.transfers.remove(&stream));
                match Transfer::reopen(link.id(), &info, &self.store, &self.media)? {
                    Ok(transfer) => drop(link.data.transfers.insert(stream, transfer)),
                    Err(code) => self.stop(link, stream, code)?,
                }
            }
            // The received part of the content is kept, so that a new stream can continue it.
            StreamEvent::Ended { id: stream, end: StreamEnd::Lost } => {
                if let Some(Transfer::Upload(upload)) = link.data.take_transfer(stream) {
                    self.leave_part(link, &upload)?;
                }
            }
            StreamEvent::Ended { id: stream, .. } => self.forget_transfer(link, stream)?,
            _ => {}
        }
        Ok(())
    }

    fn stop(&mut self, link: &mut Link, stream: u64, code: ErrorCode) -> Result<(), StoreError> {
        link.data.stops.push_back((stream, code));
        self.forget_transfer(link, stream)
    }

    fn forget_transfer(&mut self, link: &mut Link, stream: u64) -> Result<(), StoreError> {
        if let Some(Transfer::Upload(upload)) = link.data.take_transfer(stream) {
            self.forget_part(link.id(), upload.content())?;
        }
        Ok(())
    }

    fn forget_part(&mut self, id: MailboxId, content: ContentId) -> Result<(), StoreError> {
        self.media.drop_part(Some(id), content);
        self.store.forget_part(id, content)
    }

    /// Keeps what was received of an upload, so that a new stream can continue it. Of all such incomplete
    /// uploads only the newest are kept.
    fn leave_part(&mut self, link: &Link, upload: &Upload) -> Result<(), StoreError> {
        let id = link.id();
        if !upload.is_list_stored() {
            return self.forget_part(id, upload.content());
        }
        let is_running = |content: &ContentId| {
            link.data.transfers.values().any(|other| other.upload_content() == Some(*content))
        };
        let waiting: Vec<ContentId> =
            self.store.parts(id)?.into_iter().filter(|content| !is_running(content)).collect();
        let old = waiting.len().saturating_sub(PARTS_KEPT_MAX);
        waiting.into_iter().take(old).try_for_each(|content| self.forget_part(id, content))
    }

    /// Drops all uploads of a link that has ended.
    pub(super) fn forget_parts(&mut self, id: MailboxId) -> Result<(), StoreError> {
        // The link's claims on content that no message refers to end with the link.
        // req: STR-030
        let gone = self.store.drop_claims(id)?;
        self.unused.extend(gone);
        self.store.parts(id)?.into_iter().try_for_each(|content| self.forget_part(id, content))
    }

    /// Sends the queued answers to streams, for which the machine must make commits. Then makes received
    /// uploads durable. Answers for which the machine has no room wait for the next transaction.
    pub(super) fn pump_streams(&mut self, now: Now, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = false;
        while let Some((stream, code)) = link.data.stops.pop_front() {
            if link.endpoint.reset_stream(now.mono, stream, code) == Err(SendError::Busy) {
                link.data.stops.push_front((stream, code));
                break;
            }
            moved = true;
        }
        while let Some(stream) = link.data.accepts.pop_front() {
            match link.endpoint.stream_durable(now.mono, stream, 0) {
                Ok(commit) => link.store(commit),
                Err(SendError::Busy) => {
                    link.data.accepts.push_front(stream);
                    break;
                }
                Err(_) => {}
            }
            moved = true;
        }
        while let Some((stream, len)) = link.data.haves.pop_front() {
            match link.endpoint.stream_complete(now.mono, stream, len) {
                Ok(commit) => link.store(commit),
                Err(SendError::Busy) => {
                    link.data.haves.push_front((stream, len));
                    break;
                }
                Err(_) => {}
            }
            moved = true;
        }
        Ok(moved | self.pump_uploads(now, link)?)
    }

    /// Checks the next piece of each incomplete upload that an earlier stream has left. The piece after that
    /// is checked a little later, so that other work is done in between.
    fn check_parts(&mut self, now: Now, link: &mut Link) -> Result<bool, StoreError> {
        if link.data.check_due.is_some_and(|due| due > now.mono) {
            return Ok(false);
        }
        link.data.check_due = None;
        let checking = |(stream, transfer): (&u64, &mut Transfer)| {
            transfer.as_upload().filter(|upload| upload.is_checking()).map(|upload| (*stream, upload.check()))
        };
        let checked: Vec<_> = link.data.transfers.iter_mut().filter_map(checking).collect();
        if !checked.is_empty() {
            link.data.check_due = Some(now.mono.plus(CHECK_PAUSE));
        }
        let mut moved = false;
        for (stream, result) in checked {
            if let Err(code) = result {
                self.stop(link, stream, code)?;
                moved = true;
            }
        }
        Ok(moved)
    }

    /// Makes received content durable, and reports that to the companion.
    fn pump_uploads(&mut self, now: Now, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = self.check_parts(now, link)?;
        let pace = link.data.pace;
        let is_due =
            |transfer: &mut Transfer| transfer.as_upload().is_some_and(|up| up.is_due(now.mono, &pace));
        let due = link.data.transfers.iter_mut().filter_map(|(id, transfer)| is_due(transfer).then_some(*id));
        let due: Vec<u64> = due.collect();
        if due.is_empty() {
            return Ok(moved);
        }
        for stream in due {
            // A file gets its final name only when the machine has room to report it.
            if link.is_full() {
                moved = true;
                break;
            }
            moved |= self.sync_upload(now, link, stream)?;
        }
        let is_syncing =
            |transfer: &mut Transfer| transfer.as_upload().is_some_and(|u| u.incoming.is_syncing());
        let is_syncing = link.data.transfers.values_mut().any(is_syncing);
        let again = link.data.pace.done(now.mono, is_syncing);
        link.wake_by(again);
        Ok(moved)
    }

    /// Makes durable what came of an upload. Returns whether that happened, and not only began.
    fn sync_upload(&mut self, now: Now, link: &mut Link, stream: u64) -> Result<bool, StoreError> {
        let id = link.id();
        let Some(upload) = link.data.transfers.get_mut(&stream).and_then(Transfer::as_upload) else {
            return Ok(false);
        };
        if let Some(list) = upload.list_to_store() {
            self.store.put_part(id, list)?;
            upload.list_is_stored();
        }
        let offset = match upload.sync(id, &self.media) {
            Ok(Progress::Nothing) => return Ok(false),
            Ok(Progress::Durable(offset)) => offset,
            Ok(Progress::Whole(len)) => {
                if let Some(list) = upload.incoming.list() {
                    self.store.put_media(upload.content(), list)?;
                    self.store.claim(id, upload.content(), now.wall_ms)?;
                }
                self.store.forget_part(id, upload.content())?;
                drop(link.data.transfers.remove(&stream));
                len
            }
            Err(code) => return self.stop(link, stream, code).map(|()| true),
        };
        if let Ok(commit) = link.endpoint.stream_durable(now.mono, stream, offset) {
            link.store(commit);
        }
        Ok(true)
    }
}
