//! Media streams: content that goes to a companion, and content that comes from one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use handfast::codec::frame::OpenKind;
use handfast::codec::ids::{ContentId, MailboxId};
use handfast::codec::limits::{MEDIA_CHUNK_LEN, MEDIA_LEN_MAX};
use handfast::codec::tlv::TlvReader;
use handfast::session::StreamInfo;
use handfast::session::media::{ChunkList, MediaReceiver};
use handfast::sqlite::{SqliteError, file};
use handfast::{DecodeError, ErrorCode};

use crate::media::MediaDir;
use crate::store::{MediaRow, Store, StoreError};

/// The content and size that a put offers.
pub(super) fn read_put_meta(meta: &[u8]) -> Result<(ContentId, u64), DecodeError> {
    let mut list = TlvReader::new(meta, &[1, 5])?;
    let content = ContentId::from_bytes(list.required(1, "content id")?.array()?);
    Ok((content, list.required(5, "media size")?.u64()?))
}

/// The content that a get asks for, and the offset in it.
pub(super) fn read_get_meta(meta: &[u8]) -> Result<(ContentId, u64), DecodeError> {
    let mut list = TlvReader::new(meta, &[1, 3])?;
    let content = ContentId::from_bytes(list.required(1, "content id")?.array()?);
    let from = list.optional(3, "content offset")?.map(|field| field.u64()).transpose()?;
    Ok((content, from.unwrap_or(0)))
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
    content: ContentId,
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
    /// The size that was offered.
    size: u64,
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

fn io(_: SqliteError) -> ErrorCode {
    ErrorCode::IO
}

impl Transfer {
    /// A companion offers content.
    pub(super) fn open_upload(
        link: MailboxId,
        stream: u64,
        meta: &[u8],
        known: Option<MediaRow>,
        media: &MediaDir,
    ) -> Result<PutAnswer, ErrorCode> {
        let (content, size) = read_put_meta(meta).map_err(|error| error.code())?;
        // req: STR-011
        if size > MEDIA_LEN_MAX {
            return Err(ErrorCode::TOO_LARGE);
        }
        // req: STR-012
        if let Some(row) = known {
            return if row.size == size {
                Ok(PutAnswer::Have(row.list.stream_len()))
            } else {
                Err(ErrorCode::HASH)
            };
        }
        let file = media.create_part(link, stream).map_err(io)?;
        Ok(PutAnswer::Take(Self::upload(content, size, file, MediaReceiver::new(content), 0)))
    }

    fn upload(content: ContentId, size: u64, file: File, receiver: MediaReceiver, checked: u64) -> Self {
        Self::Upload(Box::new(Upload {
            content,
            size,
            file,
            receiver,
            checked,
            reported: checked,
            list_stored: checked > 0,
            fin: None,
        }))
    }

    /// A stream goes on after a start, or after a reconnect: its file is opened again.
    pub(super) fn reopen(
        link: MailboxId,
        stream: &StreamInfo,
        store: &Store,
        media: &MediaDir,
    ) -> Result<Result<Self, ErrorCode>, StoreError> {
        Ok(match (stream.kind, read_put_meta(&stream.meta), read_get_meta(&stream.meta)) {
            (OpenKind::Put, Ok((content, _)), _) => {
                let is_noted = store.media(content)?.is_some();
                Self::reopen_upload(link, stream, store.upload(link, stream.id)?, is_noted, media)
            }
            (OpenKind::Get, _, Ok((content, from))) => {
                Self::open_download(content, from, store.media(content)?, media)
            }
            (OpenKind::Put, Err(error), _) | (_, _, Err(error)) => Err(error.code()),
        })
    }

    fn reopen_upload(
        link: MailboxId,
        stream: &StreamInfo,
        list: Option<ChunkList>,
        is_noted: bool,
        media: &MediaDir,
    ) -> Result<Self, ErrorCode> {
        let (content, size) = read_put_meta(&stream.meta).map_err(|error| error.code())?;
        let (stream, durable) = (stream.id, stream.durable);
        let Some(list) = list.filter(|_| durable > 0) else {
            // Nothing of it was ever reported.
            let file = media.create_part(link, stream).map_err(io)?;
            return Ok(Self::upload(content, size, file, MediaReceiver::new(content), 0));
        };
        let len = durable.checked_sub(list.encoded_len()).ok_or(ErrorCode::OFFSET)?;
        let receiver = MediaReceiver::resume(content, list, durable)?;
        let file = media.resume_part(link, stream, content, len, is_noted).map_err(io)?;
        Ok(Self::upload(content, size, file, receiver, durable))
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
        if from > row.size || !from.is_multiple_of(MEDIA_CHUNK_LEN) {
            return Err(ErrorCode::FIELD_VALUE);
        }
        let file = media.open_content(content).map_err(|_| ErrorCode::GONE)?;
        Ok(Self::Download(Download { content, file, head: row.list.encode().into(), from, size: row.size }))
    }

    pub(super) fn upload_content(&self) -> Option<ContentId> {
        match self {
            Self::Upload(upload) => Some(upload.content),
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
    /// Bytes arrived: they are checked and written.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        let taken = self.receiver.take(bytes)?;
        let content = bytes.len().checked_sub(taken.content).and_then(|at| bytes.get(at..)).unwrap_or(&[]);
        self.file.write_all(content).map_err(|_| ErrorCode::IO)?;
        if self.receiver.list().is_some_and(|list| list.size() != self.size) {
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

    pub(super) fn list_is_stored(&mut self) {
        self.list_stored = true;
    }

    pub(super) fn content(&self) -> ContentId {
        self.content
    }

    /// The list of whole content.
    pub(super) fn list(&self) -> Option<&ChunkList> {
        self.receiver.list()
    }

    /// Makes durable what was written since, and says how far that is.
    pub(super) fn sync(
        &mut self,
        link: MailboxId,
        stream: u64,
        media: &MediaDir,
    ) -> Result<UploadStep, ErrorCode> {
        if let Some(hash) = self.fin {
            // req: STR-008
            if !self.receiver.is_complete() || hash != *self.content.as_bytes() {
                return Err(ErrorCode::HASH);
            }
            media.finish_part(link, stream, &self.file, self.content).map_err(io)?;
            handfast::kill_point!("phone.upload_done");
            self.reported = self.checked;
            return Ok(UploadStep::Whole(self.checked));
        }
        if !self.is_behind() {
            return Ok(UploadStep::Nothing);
        }
        // req: STR-006
        file::sync(&self.file).map_err(|_| ErrorCode::IO)?;
        handfast::kill_point!("phone.chunk_synced");
        self.reported = self.checked;
        Ok(UploadStep::Durable(self.checked))
    }

    /// Whether there is anything for [`Upload::sync`].
    pub(super) fn is_behind(&self) -> bool {
        self.receiver.is_behind(self.checked, self.reported, self.fin.is_some())
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
