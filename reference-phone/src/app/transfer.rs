//! Media streams: content that is sent to a companion or received from one.

use handfast::codec::frame::OpenKind;
use handfast::codec::ids::{ContentId, MailboxId};
use handfast::codec::limits::MEDIA_LEN_MAX;
use handfast::codec::stream_meta::{GetMeta, PutMeta};
use handfast::content_files::{ContentFile, PartFile, SyncPace, file_code};
use handfast::media::{ChunkList, Incoming, MediaReceiver, Outgoing, Progress, check_offset};
use handfast::session::StreamInfo;
use handfast::{ErrorCode, Timestamp};
use handfast_programs::PartCheck;

use crate::store::{MediaRow, Store, StoreError};
use handfast_programs::MediaDir;

/// Checks the size and offset that a put names.
pub(super) fn check_put(offered: &PutMeta) -> Result<(), ErrorCode> {
    // A put that is too large is refused before any byte is received.
    // req: STR-011
    if offered.size > MEDIA_LEN_MAX {
        return Err(ErrorCode::TOO_LARGE);
    }
    check_offset(offered.offset, offered.size)
}

/// Returns the number of content bytes that the stream of a put contains.
pub(super) fn rest_of(offered: &PutMeta) -> u64 {
    offered.size.saturating_sub(offered.offset)
}

/// A stream of media, with its file.
#[derive(Debug)]
pub(super) enum Transfer {
    Upload(Box<Upload>),
    Download(Outgoing<ContentFile>),
}

/// Content that is received.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) incoming: Incoming<PartFile>,
    /// Whether the content's chunk list is stored in the database.
    list_stored: bool,
    offered: PutMeta,
    /// The check of what earlier streams have received of this content. While it runs, nothing is reported as
    /// durable.
    check: Option<PartCheck>,
}

/// The answer to a put.
#[derive(Debug)]
pub(super) enum PutAnswer {
    /// The content is wanted, and received by this transfer.
    Take(Transfer),
    /// The content is already here. The stream would have this length in bytes.
    Have(u64),
}

impl Transfer {
    /// Answers a companion that offers content. `known` is the content's row if the content is complete here.
    /// `list` is its chunk list if a part of the content is here.
    pub(super) fn open_upload(
        link: MailboxId,
        offered: PutMeta,
        known: Option<MediaRow>,
        list: Option<ChunkList>,
        media: &MediaDir,
    ) -> Result<PutAnswer, ErrorCode> {
        // Complete content is not received again.
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

    /// Opens the file of a stream that continues after a restart or a reconnection.
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
                    // Nothing of this stream was reported as durable, so the stream starts again.
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

    /// Opens content that a companion asks for.
    pub(super) fn open_download(
        content: ContentId,
        from: u64,
        row: Option<MediaRow>,
        media: &MediaDir,
    ) -> Result<Self, ErrorCode> {
        // If this companion may not have the content, the caller passes no row.
        // req: STR-011
        let row = row.ok_or(ErrorCode::GONE)?;
        check_offset(from, row.size)?;
        let file = media.open_content(content).map_err(|_| ErrorCode::GONE)?;
        Outgoing::new(&row.list, from, ContentFile(file)).map(Self::Download)
    }

    /// Returns the content of an upload, its size, and the number of bytes still to come.
    pub(super) fn upload_size(&self) -> Option<(ContentId, u64, u64)> {
        match self {
            Self::Upload(upload) => {
                let PutMeta { content, size, .. } = upload.offered;
                let head = upload.incoming.list().map_or(0, ChunkList::encoded_len);
                let came = upload.incoming.checked().saturating_sub(head);
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

    pub(super) fn as_download(&mut self) -> Option<&mut Outgoing<ContentFile>> {
        match self {
            Self::Download(download) => Some(download),
            Self::Upload(_) => None,
        }
    }
}

impl Upload {
    fn new(offered: PutMeta, file: PartFile, receiver: MediaReceiver, durable: u64) -> Self {
        let PutMeta { content, size, .. } = offered;
        let incoming = Incoming::new(content, Some(size), receiver, durable, file);
        Self { incoming, list_stored: durable > 0, offered, check: None }
    }

    /// Begins the upload of a stream. The content before the stream's offset must be here already. It is
    /// checked before anything is reported as durable.
    fn begin(
        link: MailboxId,
        offered: PutMeta,
        list: Option<ChunkList>,
        media: &MediaDir,
    ) -> Result<Self, ErrorCode> {
        let PutMeta { content, offset: from, .. } = offered;
        let receiver = MediaReceiver::new(content, from)?;
        if from == 0 {
            let file = media.create_part(Some(link), content).map_err(file_code)?;
            return Ok(Self::new(offered, PartFile::new(file, media.sync_in()), receiver, 0));
        }
        // Without the chunk list, the content before the offset cannot be checked.
        // req: STR-020
        let list = list.ok_or(ErrorCode::OFFSET)?;
        let file = media.resume_part(Some(link), content, from).map_err(|_| ErrorCode::OFFSET)?;
        let part = media.read_part(Some(link), content).map_err(|_| ErrorCode::OFFSET)?;
        let check = Some(PartCheck::new(part, list, from));
        Ok(Self {
            check,
            list_stored: true,
            ..Self::new(offered, PartFile::new(file, media.sync_in()), receiver, 0)
        })
    }

    /// Continues the upload of a stream, after the bytes that were reported as durable.
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
            media.take_back(Some(link), content).map_err(file_code)?;
        }
        let file = media.resume_part(Some(link), content, len).map_err(file_code)?;
        Ok(Self::new(offered, PartFile::new(file, media.sync_in()), receiver, durable))
    }

    /// Returns whether what earlier streams have received is still being checked.
    pub(super) fn is_checking(&self) -> bool {
        self.check.is_some()
    }

    /// Checks the next piece of what earlier streams have received.
    pub(super) fn check(&mut self) -> Result<(), ErrorCode> {
        let Some(check) = &mut self.check else { return Ok(()) };
        // What was received may have been damaged on the disk since then.
        // req: STR-023
        match check.step() {
            Ok(None) => return Ok(()),
            Ok(Some(good)) if good >= self.offered.offset => {}
            // A chunk before the offset is bad. The error makes the companion start a stream without an
            // offset.
            // req: STR-020
            Ok(Some(_)) | Err(_) => return Err(ErrorCode::OFFSET),
        }
        self.check = None;
        Ok(())
    }

    /// Returns the chunk list, if it is complete and not stored in the database yet.
    pub(super) fn list_to_store(&self) -> Option<&ChunkList> {
        self.incoming.list().filter(|_| !self.list_stored && self.incoming.checked() > 0)
    }

    /// Returns whether the chunk list is stored in the database, so that a new stream can continue the
    /// upload.
    pub(super) fn is_list_stored(&self) -> bool {
        self.list_stored
    }

    pub(super) fn list_is_stored(&mut self) {
        self.list_stored = true;
    }

    pub(super) fn content(&self) -> ContentId {
        self.offered.content
    }

    /// Returns whether [`Upload::sync`] is to be called now.
    pub(super) fn is_due(&self, now: Timestamp, pace: &SyncPace) -> bool {
        !self.is_checking() && pace.is_due(now, &self.incoming)
    }

    /// Makes all bytes durable that arrived since the last call. If the content is complete, its file gets
    /// its final name.
    pub(super) fn sync(&mut self, link: MailboxId, media: &MediaDir) -> Result<Progress, ErrorCode> {
        let progress = self.incoming.sync()?;
        match progress {
            Progress::Nothing => {}
            Progress::Durable(_) => {
                handfast_programs::kill_point!("phone.chunk_synced");
            }
            Progress::Whole(_) => {
                media.finish_part(Some(link), self.content()).map_err(file_code)?;
                handfast_programs::kill_point!("phone.upload_done");
            }
        }
        Ok(progress)
    }
}
