//! What stands behind an open stream: the files that it fills or reads, and how far it has come.
//!
//! May touch: the files of the directory of content.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use handfast::ErrorCode;
use handfast::codec::ids::ContentId;
use handfast::session::media::{ChunkList, MediaReceiver};
use handfast::sqlite::{SqliteError, file};

use crate::store::{Store, Transfer};

#[derive(Debug)]
pub(super) enum Way {
    Put(Put),
    Get(Box<Get>),
}

/// Content that goes out.
#[derive(Debug)]
pub(super) struct Put {
    list: Vec<u8>,
    content: File,
    /// The content's size.
    size: u64,
    /// Where in the content the stream begins.
    base: u64,
}

/// Content that comes in.
#[derive(Debug)]
pub(super) struct Get {
    pub(super) part: File,
    /// Where the chunk list goes; `None` when it is here since an earlier stream.
    pub(super) list: Option<File>,
    pub(super) receiver: MediaReceiver,
    /// Bytes of the chunk list that came.
    list_len: u64,
    /// Stream bytes that may be reported once they are synced, and those that were reported. While the chunk list is
    /// not whole these are its bytes: a list may be longer than the credit, and more comes only for what is durable.
    pub(super) checked: u64,
    pub(super) reported: u64,
    pub(super) fin: Option<[u8; 32]>,
}

impl Get {
    /// Whether there is anything to sync and report.
    pub(super) fn is_behind(&self) -> bool {
        self.receiver.is_behind(self.checked, self.reported, self.fin.is_some())
    }
}

fn io_failed(_: std::io::Error) -> ErrorCode {
    ErrorCode::IO
}

fn file_failed(_: SqliteError) -> ErrorCode {
    ErrorCode::IO
}

impl Way {
    pub(super) fn put(store: &Store, row: &Transfer) -> Result<Self, ErrorCode> {
        let path = store.media().path(row.content);
        let content = file::open(&path, false).map_err(|_| ErrorCode::GONE)?;
        let list = store.media().read_sent_list(row.content).map_err(|_| ErrorCode::GONE)?;
        let parsed = ChunkList::decode(&list)?;
        if parsed.content_id() != row.content {
            return Err(ErrorCode::HASH);
        }
        Ok(Self::Put(Put { list, content, size: parsed.size(), base: row.base }))
    }

    /// Content that comes in, from this durable offset of its stream on. A file that is missing, or shorter than what
    /// was durable, is an error of this transfer alone.
    pub(super) fn get(store: &Store, row: &Transfer, durable: u64) -> Result<Self, ErrorCode> {
        let (media, content, base) = (store.media(), row.content, row.base);
        let head =
            if durable == 0 { Vec::new() } else { media.read_list(content, durable).map_err(file_failed)? };
        let (receiver, list_len) = receiver_at(content, &head, base, durable)?;
        let list = if base == 0 {
            Some(media.open_list(content, list_len).map_err(file_failed)?)
        } else {
            let _ = media.whole_list(content).ok_or(ErrorCode::IO)?;
            None
        };
        let len = base.saturating_add(durable.saturating_sub(list_len));
        let part = media.open_part(content, len).map_err(file_failed)?;
        let (checked, reported) = (durable, durable);
        Ok(Self::Get(Box::new(Get { part, list, receiver, list_len, checked, reported, fin: None })))
    }
}

/// A receiver that goes on behind `durable` bytes, and how many of them are the chunk list's; `head` is the stored list
/// or the beginning of it.
fn receiver_at(
    content: ContentId,
    head: &[u8],
    base: u64,
    durable: u64,
) -> Result<(MediaReceiver, u64), ErrorCode> {
    if let Ok(list) = ChunkList::decode(head) {
        let len = list.encoded_len();
        return Ok((MediaReceiver::resume(content, list, base, durable)?, len));
    }
    let mut receiver = MediaReceiver::new(content, base)?;
    if u64::try_from(head.len()) != Ok(durable) {
        return Err(ErrorCode::IO);
    }
    let _ = receiver.take(head)?;
    Ok((receiver, durable))
}

impl Get {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        let taken = self.receiver.take(bytes)?;
        let (list, content) =
            bytes.split_at_checked(bytes.len().saturating_sub(taken.content)).unwrap_or((bytes, &[]));
        if let Some(file) = &mut self.list {
            file.write_all(list).map_err(io_failed)?;
        }
        self.part.write_all(content).map_err(io_failed)?;
        self.list_len = self.list_len.saturating_add(u64::try_from(list.len()).unwrap_or(0));
        self.checked = if self.receiver.list().is_some() { taken.checked } else { self.list_len };
        Ok(())
    }
}

impl Put {
    /// Up to `max` bytes of the stream from `offset`, and the hash with the last of them.
    pub(super) fn read(
        &mut self,
        id: ContentId,
        offset: u64,
        max: usize,
    ) -> Result<(Bytes, Option<[u8; 32]>), ErrorCode> {
        let list_len = u64::try_from(self.list.len()).map_err(|_| ErrorCode::TOO_LARGE)?;
        let mut bytes = Vec::new();
        if let Some(rest) = usize::try_from(offset).ok().and_then(|from| self.list.get(from..)) {
            bytes.extend_from_slice(rest.get(..max).unwrap_or(rest));
        }
        let room = u64::try_from(max.saturating_sub(bytes.len())).unwrap_or(0);
        let from = self.base.saturating_add(offset.saturating_sub(list_len));
        let _ = self.content.seek(SeekFrom::Start(from)).map_err(io_failed)?;
        let _ = (&mut self.content).take(room).read_to_end(&mut bytes).map_err(io_failed)?;
        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        let whole = list_len.saturating_add(self.size.saturating_sub(self.base));
        let fin = (end >= whole).then_some(*id.as_bytes());
        if bytes.is_empty() && fin.is_none() {
            return Err(ErrorCode::IO);
        }
        Ok((Bytes::from(bytes), fin))
    }
}
