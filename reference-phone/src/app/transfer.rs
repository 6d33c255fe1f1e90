//! Media streams: content that goes to a companion, and content that comes from one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use handfast::ErrorCode;
use handfast::codec::frame::OpenKind;
use handfast::codec::ids::{ContentId, MailboxId};
use handfast::codec::limits::{MEDIA_CHUNK_LEN, MEDIA_LEN_MAX};
use handfast::codec::stream_meta::{GetMeta, PutMeta};
use handfast::session::StreamInfo;
use handfast::session::media::{ChunkList, MediaReceiver};
use handfast::sqlite::{SqliteError, file};
use handfast_programs::PartCheck;

use crate::store::{MediaRow, Store, StoreError};
use handfast_programs::MediaDir;

/// Whether a put may be taken at all.
pub(super) fn check_put(offered: &PutMeta) -> Result<(), ErrorCode> {
    // req: STR-011
    if offered.size > MEDIA_LEN_MAX {
        return Err(ErrorCode::TOO_LARGE);
    }
    check_offset(offered.offset, offered.size)
}

/// How much of the content the stream of a put brings.
pub(super) fn rest_of(offered: &PutMeta) -> u64 {
    offered.size.saturating_sub(offered.offset)
}

/// Whether a stream may leave out this much of content.
fn check_offset(from: u64, size: u64) -> Result<(), ErrorCode> {
    // req: STR-021
    if from > size || !from.is_multiple_of(MEDIA_CHUNK_LEN) {
        return Err(ErrorCode::FIELD_VALUE);
    }
    Ok(())
}

/// A stream with its file.
#[derive(Debug)]
pub(super) enum Transfer {
    Upload(Box<Upload>),
    Download(Download),
}

/// Content that comes in.
#[derive(Debug)]
pub(super) struct Upload {
    file: File,
    receiver: MediaReceiver,
    /// Stream bytes that are checked and written.
    checked: u64,
    /// Stream bytes that were reported as durable.
    reported: u64,
    /// Whether the chunk list is in the database.
    list_stored: bool,
    /// The companion has sent all, and claims this hash.
    fin: Option<[u8; 32]>,
    offered: PutMeta,
    /// While what an earlier stream left is looked at: nothing is reported before.
    check: Option<PartCheck>,
}

/// Content that goes out.
#[derive(Debug)]
pub(super) struct Download {
    content: ContentId,
    file: File,
    /// The list, which is the beginning of the stream.
    head: Bytes,
    /// Where in the content the stream begins.
    from: u64,
    size: u64,
}

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UploadStep {
    /// Nothing new is durable.
    Nothing,
    /// The stream is durable up to here.
    Durable(u64),
    /// The content is whole, and the stream at its end.
    Whole(u64),
}

/// The answer to a put.
#[derive(Debug)]
pub(super) enum PutAnswer {
    /// Take it.
    Take(Transfer),
    /// It is here already; the stream has this length.
    Have(u64),
}

/// A disk without room is for the user to mend; anything else may be over by itself.
fn full_or_io(error: &std::io::Error) -> ErrorCode {
    use std::io::ErrorKind;
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        ErrorCode::FULL
    } else {
        ErrorCode::IO
    }
}

fn io(_: SqliteError) -> ErrorCode {
    ErrorCode::IO
}

impl Transfer {
    /// A companion offers content, which is `known` if it is whole here; `list` is there if a part of it is.
    pub(super) fn open_upload(
        link: MailboxId,
        offered: PutMeta,
        known: Option<MediaRow>,
        list: Option<ChunkList>,
        media: &MediaDir,
    ) -> Result<PutAnswer, ErrorCode> {
        // req: STR-012
        if let Some(row) = known {
            return if row.size == offered.size {
                Ok(PutAnswer::Have(row.list.stream_len().saturating_sub(offered.offset)))
            } else {
                Err(ErrorCode::HASH)
            };
        }
        Upload::begin(link, offered, list, media)
            .map(|upload| PutAnswer::Take(Self::Upload(Box::new(upload))))
    }

    /// A stream goes on after a start, or after a reconnect: its file is opened again.
    pub(super) fn reopen(
        link: MailboxId,
        stream: &StreamInfo,
        store: &Store,
        media: &MediaDir,
    ) -> Result<Result<Self, ErrorCode>, StoreError> {
        Ok(match (stream.kind, PutMeta::decode(&stream.meta), GetMeta::decode(&stream.meta)) {
            (OpenKind::Put, Ok(offered), _) => {
                let is_noted = store.media(offered.content)?.is_some();
                let list = store.part(link, offered.content)?;
                let upload = match list {
                    Some(list) if stream.durable > 0 => {
                        Upload::resume(link, offered, list, stream.durable, is_noted, media)
                    }
                    // Nothing of this stream was ever reported.
                    list => Upload::begin(link, offered, list, media),
                };
                upload.map(|upload| Self::Upload(Box::new(upload)))
            }
            (OpenKind::Get, _, Ok(GetMeta { content, offset: from })) => {
                Self::open_download(content, from, store.media(content)?, media)
            }
            (OpenKind::Put, Err(error), _) | (_, _, Err(error)) => Err(error.code()),
        })
    }

    /// A companion asks for content.
    pub(super) fn open_download(
        content: ContentId,
        from: u64,
        row: Option<MediaRow>,
        media: &MediaDir,
    ) -> Result<Self, ErrorCode> {
        // req: STR-011
        let row = row.ok_or(ErrorCode::GONE)?;
        check_offset(from, row.size)?;
        let file = media.open_content(content).map_err(|_| ErrorCode::GONE)?;
        Ok(Self::Download(Download { content, file, head: row.list.encode().into(), from, size: row.size }))
    }

    /// The content of an upload, its size, and how much of it is still to come.
    pub(super) fn upload_size(&self) -> Option<(ContentId, u64, u64)> {
        match self {
            Self::Upload(upload) => {
                let PutMeta { content, size, .. } = upload.offered;
                let head = upload.list().map_or(0, ChunkList::encoded_len);
                let came = upload.checked.saturating_sub(head);
                Some((content, size, rest_of(&upload.offered).saturating_sub(came)))
            }
            Self::Download(_) => None,
        }
    }

    pub(super) fn upload_content(&self) -> Option<ContentId> {
        match self {
            Self::Upload(upload) => Some(upload.content()),
            Self::Download(_) => None,
        }
    }

    pub(super) fn as_upload(&mut self) -> Option<&mut Upload> {
        match self {
            Self::Upload(upload) => Some(upload),
            Self::Download(_) => None,
        }
    }

    pub(super) fn as_download(&mut self) -> Option<&mut Download> {
        match self {
            Self::Download(download) => Some(download),
            Self::Upload(_) => None,
        }
    }
}

impl Upload {
    fn new(offered: PutMeta, file: File, receiver: MediaReceiver, checked: u64) -> Self {
        let (reported, list_stored) = (checked, checked > 0);
        Self { offered, file, receiver, checked, reported, list_stored, fin: None, check: None }
    }

    /// A stream at its start. What it leaves out must be here, and is looked at before anything is reported.
    fn begin(
        link: MailboxId,
        offered: PutMeta,
        list: Option<ChunkList>,
        media: &MediaDir,
    ) -> Result<Self, ErrorCode> {
        let PutMeta { content, offset: from, .. } = offered;
        let receiver = MediaReceiver::new(content, from)?;
        if from == 0 {
            let file = media.create_part(Some(link), content).map_err(io)?;
            return Ok(Self::new(offered, file, receiver, 0));
        }
        // req: STR-020
        let list = list.ok_or(ErrorCode::OFFSET)?;
        let file = media.resume_part(Some(link), content, from).map_err(|_| ErrorCode::OFFSET)?;
        let part = media.read_part(Some(link), content).map_err(|_| ErrorCode::OFFSET)?;
        let check = Some(PartCheck::new(part, list, from));
        Ok(Self { check, list_stored: true, ..Self::new(offered, file, receiver, 0) })
    }

    /// A stream that goes on behind what was reported.
    fn resume(
        link: MailboxId,
        offered: PutMeta,
        list: ChunkList,
        durable: u64,
        is_noted: bool,
        media: &MediaDir,
    ) -> Result<Self, ErrorCode> {
        let PutMeta { content, offset: from, .. } = offered;
        let len = durable.checked_sub(list.encoded_len()).ok_or(ErrorCode::OFFSET)?.saturating_add(from);
        let receiver = MediaReceiver::resume(content, list, from, durable)?;
        if !is_noted {
            media.take_back(Some(link), content).map_err(io)?;
        }
        let file = media.resume_part(Some(link), content, len).map_err(io)?;
        Ok(Self::new(offered, file, receiver, durable))
    }

    /// Whether what an earlier stream left is still looked at.
    pub(super) fn is_checking(&self) -> bool {
        self.check.is_some()
    }

    /// Looks at a piece of what an earlier stream left.
    pub(super) fn check(&mut self) -> Result<(), ErrorCode> {
        let Some(check) = &mut self.check else { return Ok(()) };
        // req: STR-023
        match check.step() {
            Ok(None) => return Ok(()),
            Ok(Some(good)) if good >= self.offered.offset => {}
            // req: STR-020
            Ok(Some(_)) | Err(_) => return Err(ErrorCode::OFFSET),
        }
        self.check = None;
        Ok(())
    }

    /// Bytes arrived: they are checked and written.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        let taken = self.receiver.take(bytes)?;
        let content = bytes.len().checked_sub(taken.content).and_then(|at| bytes.get(at..)).unwrap_or(&[]);
        // req: STR-032
        self.file.write_all(content).map_err(|error| full_or_io(&error))?;
        if self.receiver.list().is_some_and(|list| list.size() != self.offered.size) {
            return Err(ErrorCode::HASH);
        }
        self.checked = self.checked.max(taken.checked);
        Ok(())
    }

    /// The companion has sent all.
    pub(super) fn fin(&mut self, hash: [u8; 32]) {
        self.fin = Some(hash);
    }

    /// The list, when it is whole and not in the database yet.
    pub(super) fn list_to_store(&self) -> Option<&ChunkList> {
        self.receiver.list().filter(|_| !self.list_stored && self.checked > 0)
    }

    /// Whether the list is in the database, so that what came can be gone on with.
    pub(super) fn is_list_stored(&self) -> bool {
        self.list_stored
    }

    pub(super) fn list_is_stored(&mut self) {
        self.list_stored = true;
    }

    pub(super) fn content(&self) -> ContentId {
        self.offered.content
    }

    /// The list of whole content.
    pub(super) fn list(&self) -> Option<&ChunkList> {
        self.receiver.list()
    }

    /// Makes durable what was written since, and says how far that is.
    pub(super) fn sync(&mut self, link: MailboxId, media: &MediaDir) -> Result<UploadStep, ErrorCode> {
        if let Some(hash) = self.fin {
            // req: STR-008, STR-080
            if !self.receiver.is_complete() || hash != *self.content().as_bytes() {
                return Err(ErrorCode::HASH);
            }
            file::sync(&self.file).map_err(|error| full_or_io(&error))?;
            media.finish_part(Some(link), self.content()).map_err(io)?;
            handfast_programs::kill_point!("phone.upload_done");
            self.reported = self.checked;
            return Ok(UploadStep::Whole(self.checked));
        }
        if !self.is_behind() {
            return Ok(UploadStep::Nothing);
        }
        // req: STR-006
        file::sync(&self.file).map_err(|error| full_or_io(&error))?;
        handfast_programs::kill_point!("phone.chunk_synced");
        self.reported = self.checked;
        Ok(UploadStep::Durable(self.checked))
    }

    /// Whether there is anything for [`Upload::sync`].
    pub(super) fn is_behind(&self) -> bool {
        !self.is_checking() && self.receiver.is_behind(self.checked, self.reported, self.fin.is_some())
    }
}

impl Download {
    /// The bytes of the stream at an offset, and the hash behind the last of them.
    pub(super) fn read(&mut self, offset: u64, max: usize) -> Result<(Bytes, Option<[u8; 32]>), ErrorCode> {
        let head_len = u64::try_from(self.head.len()).unwrap_or(u64::MAX);
        let end = head_len.saturating_add(self.size.saturating_sub(self.from));
        let bytes = match offset.checked_sub(head_len) {
            None => {
                let at = usize::try_from(offset).map_err(|_| ErrorCode::OFFSET)?;
                let to = self.head.len().min(at.saturating_add(max));
                self.head.slice(at..to)
            }
            Some(past) => {
                let at =
                    self.from.checked_add(past).filter(|at| *at <= self.size).ok_or(ErrorCode::OFFSET)?;
                let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
                let mut buffer = vec![0; max.min(left)];
                let read =
                    self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut buffer));
                // Someone shortened the file: it is not the content any more.
                read.map_err(|_| ErrorCode::GONE)?;
                buffer.into()
            }
        };
        let reached = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok((bytes, (reached == end).then_some(*self.content.as_bytes())))
    }
}
