//! The content of a tether: files in `DIR/content`, and their chunk lists in the store.
//!
//! A file gets its final name, which is the content id, only when it is complete and synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use handfast_codec::ErrorCode;
use handfast_codec::frame::OpenKind;
use handfast_codec::ids::ContentId;
use handfast_codec::stream_meta::{GetMeta, PutMeta};
use handfast_media::{ChunkList, ContentHasher, Incoming, MediaReceiver, Outgoing};

use super::store::{Store, number_of};
use super::{TetherError, keys};
use crate::content_files::{ContentFile, PartFile};
use crate::sqlite::{SqliteError, file};

/// The number of bytes that are copied at once.
const COPY_LEN: usize = 65_536;

/// What the meta of a stream says, of a put or of a get.
pub(super) struct StreamMeta {
    pub(super) content: ContentId,
    /// The content offset at which the stream begins, in bytes.
    offset: u64,
    /// The content's size in bytes, which a put states.
    pub(super) size: Option<u64>,
}

impl StreamMeta {
    /// Decodes a meta. The error is the code with which the stream is stopped.
    pub(super) fn decode(kind: OpenKind, meta: &[u8]) -> Result<Self, ErrorCode> {
        let decoded = match kind {
            OpenKind::Put => PutMeta::decode(meta).map(|PutMeta { content, offset, size }| Self {
                content,
                offset,
                size: Some(size),
            }),
            OpenKind::Get => {
                GetMeta::decode(meta).map(|GetMeta { content, offset }| Self { content, offset, size: None })
            }
        };
        decoded.map_err(|error| error.code())
    }
}

impl Store {
    fn content_dir(&self) -> PathBuf {
        self.dir.join("content")
    }

    pub(super) fn content_path(&self, content: ContentId) -> PathBuf {
        self.content_dir().join(content.to_string())
    }

    fn part_path(&self, content: ContentId) -> PathBuf {
        self.content_dir().join(format!("{content}.part"))
    }

    /// Copies a file into the directory of content.
    pub(super) fn import(&mut self, from: &Path) -> Result<ContentId, TetherError> {
        let unreadable = |error: io::Error| TetherError::Input(format!("{}: {error}", from.display()));
        let mut input = File::open(from).map_err(unreadable)?;
        let copy = self.content_dir().join("import.tmp");
        let failed = |error: io::Error| file::error(&copy, &error);
        let mut output = File::create(&copy).map_err(failed)?;
        let (mut hasher, mut block) = (ContentHasher::new(), vec![0; COPY_LEN]);
        loop {
            let len = input.read(&mut block).map_err(unreadable)?;
            let Some(bytes) = block.get(..len).filter(|bytes| !bytes.is_empty()) else { break };
            hasher.update(bytes);
            output.write_all(bytes).map_err(failed)?;
        }
        file::sync(&output).map_err(failed)?;
        let list = hasher.finish();
        self.publish(&copy, list.content_id())?;
        self.put_list(&list, true)?;
        Ok(list.content_id())
    }

    fn publish(&self, from: &Path, content: ContentId) -> Result<(), SqliteError> {
        fs::rename(from, self.content_path(content)).map_err(|error| file::error(from, &error))?;
        file::sync_dir(&self.content_dir())
    }

    fn put_list(&mut self, list: &ChunkList, whole: bool) -> Result<(), TetherError> {
        let content = list.content_id();
        let whole = whole || self.is_whole(content)? == Some(true);
        let mut value = vec![u8::from(whole)];
        value.extend_from_slice(&list.encode());
        self.entries.put(keys::content(content), value);
        Ok(())
    }

    /// Returns the chunk list of content of which at least the list is here, and whether all of it is.
    fn list(&self, content: ContentId) -> Result<Option<(ChunkList, bool)>, TetherError> {
        let Some(stored) = self.entries.get(&keys::content(content))? else { return Ok(None) };
        let (whole, list) = stored.split_first().ok_or(SqliteError::Damaged)?;
        Ok(Some((ChunkList::decode(list).map_err(|_| SqliteError::Damaged)?, *whole == 1)))
    }

    /// Opens the file of content that is sent over a stream with this meta. The inner error is the code with
    /// which the stream is stopped.
    pub(super) fn outgoing(
        &self,
        kind: OpenKind,
        meta: &[u8],
    ) -> Result<Result<Outgoing<ContentFile>, ErrorCode>, TetherError> {
        let StreamMeta { content, offset, .. } = match StreamMeta::decode(kind, meta) {
            Ok(meta) => meta,
            Err(code) => return Ok(Err(code)),
        };
        let Some((list, true)) = self.list(content)? else { return Ok(Err(ErrorCode::GONE)) };
        let opened = file::open(&self.content_path(content), false).map_err(|_| ErrorCode::GONE);
        Ok(opened.and_then(|file| Outgoing::new(&list, offset, ContentFile(file))))
    }

    /// Opens the file of content that comes over a stream of which `durable` bytes are here. The inner error
    /// means that the file or its list is not: then the stream must begin again. `size` is the content's size,
    /// if the sender has stated it.
    pub(super) fn incoming(
        &self,
        content: ContentId,
        size: Option<u64>,
        durable: u64,
    ) -> Result<Result<Incoming<PartFile>, ErrorCode>, TetherError> {
        let list = if durable == 0 { None } else { self.list(content)? };
        Ok(self.open_part(content, size, list.map(|(list, _)| list), durable))
    }

    fn open_part(
        &self,
        content: ContentId,
        size: Option<u64>,
        list: Option<ChunkList>,
        durable: u64,
    ) -> Result<Incoming<PartFile>, ErrorCode> {
        let (receiver, len) = match list {
            Some(list) => {
                let len = durable.checked_sub(list.encoded_len()).ok_or(ErrorCode::IO)?;
                (MediaReceiver::resume(content, list, 0, durable)?, len)
            }
            None if durable == 0 => (MediaReceiver::new(content, 0)?, 0),
            None => return Err(ErrorCode::IO),
        };
        let open = || {
            let options = OpenOptions::new().write(true).create(true).truncate(false).clone();
            let mut part = options.open(self.part_path(content))?;
            if part.metadata()?.len() < len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            part.set_len(len)?;
            let _ = part.seek(SeekFrom::End(0))?;
            Ok(part)
        };
        let part = open().map_err(|_: io::Error| ErrorCode::IO)?;
        Ok(Incoming::new(content, size, receiver, durable, PartFile::new(part, self.sync_in)))
    }

    /// Stores the chunk list of content of which a part is durable, unless it is stored already.
    pub(super) fn keep_list(&mut self, incoming: &Incoming<PartFile>) -> Result<(), TetherError> {
        match incoming.list() {
            Some(list) if self.is_whole(incoming.content())?.is_none() => self.put_list(list, false),
            _ => Ok(()),
        }
    }

    /// Renames content that is complete and synced to its final name.
    pub(super) fn complete(&mut self, incoming: &Incoming<PartFile>) -> Result<(), TetherError> {
        self.publish(&self.part_path(incoming.content()), incoming.content())?;
        incoming.list().map_or(Ok(()), |list| self.put_list(list, true))
    }

    /// Removes what came of content that is not complete.
    pub(super) fn drop_part(&mut self, content: ContentId) -> Result<(), TetherError> {
        if self.is_whole(content)? == Some(false) {
            self.entries.delete(keys::content(content));
        }
        // A part that is not there is gone; one that stays is written over by the next stream.
        let _ = fs::remove_file(self.part_path(content));
        Ok(())
    }

    /// Forgets content. Its file goes when the transaction is durable.
    pub(super) fn remove_content(&mut self, content: ContentId) -> Result<(), TetherError> {
        if self.is_whole(content)? == Some(true) {
            self.entries.delete(keys::content(content));
            self.removed.push(content);
        }
        Ok(())
    }

    /// Removes the files of content that was forgotten, unless it came again since.
    pub(super) fn remove_files(&mut self) -> Result<(), TetherError> {
        for content in std::mem::take(&mut self.removed) {
            if self.is_whole(content)? != Some(true) {
                // A file that stays is in nobody's way: the store does not know it.
                let _ = fs::remove_file(self.content_path(content));
            }
        }
        Ok(())
    }

    /// Returns the length of the stream of content that is here, or `None` if it is not.
    pub(super) fn stream_len(&self, content: ContentId) -> Result<Option<u64>, TetherError> {
        let list = self.list(content)?.filter(|(_, whole)| *whole && self.content_path(content).is_file());
        Ok(list.map(|(list, _)| list.stream_len()))
    }

    /// Returns whether all of the content is here, or `None` if not even its list is.
    fn is_whole(&self, content: ContentId) -> Result<Option<bool>, TetherError> {
        let stored = self.entries.get(&keys::content(content))?;
        Ok(stored.map(|stored| stored.first() == Some(&1)))
    }

    pub(super) fn has_whole(&self, content: ContentId) -> Result<bool, TetherError> {
        Ok(self.is_whole(content)? == Some(true) && self.content_path(content).is_file())
    }

    pub(super) fn want(&mut self, content: ContentId, path: &str) -> Result<(), TetherError> {
        let wishes = self.wishes(content)?;
        if wishes.iter().all(|(_, wanted)| wanted != path) {
            let number = wishes.last().map_or(0, |(number, _)| number.saturating_add(1));
            self.entries.put(keys::wanted(content, number), path.as_bytes().to_vec());
        }
        Ok(())
    }

    /// Returns the paths to which content is to go, each with its number.
    fn wishes(&self, content: ContentId) -> Result<Vec<(u64, String)>, TetherError> {
        let mut wishes = Vec::new();
        self.for_each(&keys::wishes(content), |number, path| {
            wishes.push((number_of(number)?, String::from_utf8(path).map_err(|_| SqliteError::Damaged)?));
            Ok(())
        })?;
        Ok(wishes)
    }

    /// Returns the content that the user wants, once for each path.
    pub(super) fn wanted(&self) -> Result<Vec<ContentId>, TetherError> {
        self.content_ids(&keys::all_wanted())
    }

    fn content_ids(&self, prefix: &[u8]) -> Result<Vec<ContentId>, TetherError> {
        let mut ids = Vec::new();
        self.for_each(prefix, |key, _| {
            ids.push(ContentId::from_bytes(*key.first_chunk().ok_or(SqliteError::Damaged)?));
            Ok(())
        })?;
        Ok(ids)
    }

    /// Deletes the wishes for content, and returns the paths to which it was to go.
    pub(super) fn take_wishes(&mut self, content: ContentId) -> Result<Vec<PathBuf>, TetherError> {
        let wishes = self.wishes(content)?;
        for (number, _) in &wishes {
            self.entries.delete(keys::wanted(content, *number));
        }
        Ok(wishes.into_iter().map(|(_, path)| path.into()).collect())
    }

    /// Notes that content of this directory is to be put at the peer.
    pub(super) fn offer(&mut self, content: ContentId) {
        self.entries.put(keys::offered(content), Vec::new());
    }

    /// Returns the content that is to be put at the peer.
    pub(super) fn offered(&self) -> Result<Vec<ContentId>, TetherError> {
        self.content_ids(&keys::all_offered())
    }

    /// Returns the size of content of which at least the list is here, in bytes; 0 for other content.
    pub(super) fn size(&self, content: ContentId) -> Result<u64, TetherError> {
        Ok(self.list(content)?.map_or(0, |(list, _)| list.size()))
    }

    /// Notes that content is not to be put any more, and forgets it unless it is wanted here.
    pub(super) fn withdraw(&mut self, content: ContentId) -> Result<bool, TetherError> {
        let offered = keys::offered(content);
        if self.entries.get(&offered)?.is_none() {
            return Ok(false);
        }
        self.entries.delete(offered);
        if self.wishes(content)?.is_empty() {
            self.remove_content(content)?;
        }
        Ok(true)
    }
}
