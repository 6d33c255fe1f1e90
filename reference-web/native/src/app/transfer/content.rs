//! The files that an open stream reads or fills, and how far the stream has come.
//!
//! This module reads and writes files in the directory of content.

use handfast::ErrorCode;
use handfast::codec::ids::ContentId;
use handfast::content_files::{ContentFile, PartAndList, file_code};
use handfast::media::{ChunkList, Incoming, MediaReceiver, Outgoing};
use handfast::sqlite::file;

use crate::store::{Store, Transfer};

#[derive(Debug)]
pub(super) enum Way {
    Put(Outgoing<ContentFile>),
    Get(Box<Incoming<PartAndList>>),
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
        Ok(Self::Put(Outgoing::new(&parsed, row.base, ContentFile(content))?))
    }

    /// Opens the files of a fetch, to continue its stream at the offset `durable`. If a file is missing, or
    /// shorter than the durable bytes, this transfer fails and no other.
    pub(super) fn get(store: &Store, row: &Transfer, durable: u64) -> Result<Self, ErrorCode> {
        let (media, content, base) = (store.media(), row.content, row.base);
        let head =
            if durable == 0 { Vec::new() } else { media.read_list(content, durable).map_err(file_code)? };
        let (receiver, list_len) = receiver_at(content, &head, base, durable)?;
        let list = if base == 0 {
            Some(media.open_list(content, list_len).map_err(file_code)?)
        } else {
            let _ = media.whole_list(content).ok_or(ErrorCode::IO)?;
            None
        };
        let len = base.saturating_add(durable.saturating_sub(list_len));
        let part = media.open_part(content, len).map_err(file_code)?;
        let storage = PartAndList::new(part, list, media.sync_in());
        Ok(Self::Get(Box::new(Incoming::new(content, None, receiver, durable, storage))))
    }
}

/// Returns a receiver that continues after `durable` bytes of the stream, and how many of these bytes belong
/// to the chunk list. `head` is the stored chunk list, or its beginning.
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
