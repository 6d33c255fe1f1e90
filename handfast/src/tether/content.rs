//! The content of a tether: files in `DIR/content`, and their chunk lists in the database.
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
use rusqlite::{OptionalExtension as _, params};

use super::TetherError;
use super::store::Store;
use crate::content_files::{ContentFile, PartFile};
use crate::sqlite::{SqliteError, file};

/// The number of bytes that are copied at once.
const COPY_LEN: usize = 65_536;

/// Content that a user wants, and the path to which it goes.
pub(super) type Wanted = (ContentId, PathBuf);

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

    fn put_list(&mut self, list: &ChunkList, whole: bool) -> Result<(), SqliteError> {
        let put = "INSERT INTO handfast_content VALUES(?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET whole = max(whole, excluded.whole)";
        let content = list.content_id();
        let values = params![content.as_bytes(), list.encode(), whole];
        let _ = self.write()?.prepare_cached(put)?.execute(values)?;
        Ok(())
    }

    /// Returns the chunk list of content of which at least the list is here, and whether all of it is.
    fn list(&self, content: ContentId) -> Result<Option<(ChunkList, bool)>, SqliteError> {
        let mut find =
            self.db.prepare_cached("SELECT list, whole FROM handfast_content WHERE content = ?1")?;
        let found = find.query_row([content.as_bytes()], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)));
        let Some((list, whole)) = found.optional()? else { return Ok(None) };
        Ok(Some((ChunkList::decode(&list).map_err(|_| SqliteError::Damaged)?, whole)))
    }

    /// Opens the file of content that is sent over a stream with this meta. The inner error is the code with
    /// which the stream is stopped.
    pub(super) fn outgoing(
        &self,
        kind: OpenKind,
        meta: &[u8],
    ) -> Result<Result<Outgoing<ContentFile>, ErrorCode>, SqliteError> {
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
    ) -> Result<Result<Incoming<PartFile>, ErrorCode>, SqliteError> {
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
        Ok(Incoming::new(content, size, receiver, durable, PartFile(part)))
    }

    /// Stores the chunk list of content of which a part is durable, unless it is stored already.
    pub(super) fn keep_list(&mut self, incoming: &Incoming<PartFile>) -> Result<(), SqliteError> {
        match incoming.list() {
            Some(list) if self.is_whole(incoming.content())?.is_none() => self.put_list(list, false),
            _ => Ok(()),
        }
    }

    /// Renames content that is complete and synced to its final name.
    pub(super) fn complete(&mut self, incoming: &Incoming<PartFile>) -> Result<(), SqliteError> {
        self.publish(&self.part_path(incoming.content()), incoming.content())?;
        incoming.list().map_or(Ok(()), |list| self.put_list(list, true))
    }

    /// Removes what came of content that is not complete.
    pub(super) fn drop_part(&mut self, content: ContentId) -> Result<(), SqliteError> {
        let delete = "DELETE FROM handfast_content WHERE content = ?1 AND NOT whole";
        let _ = self.write()?.execute(delete, [content.as_bytes()])?;
        // A part that is not there is gone; one that stays is written over by the next stream.
        let _ = fs::remove_file(self.part_path(content));
        Ok(())
    }

    /// Forgets content. Its file goes when the transaction is durable.
    pub(super) fn remove_content(&mut self, content: ContentId) -> Result<(), SqliteError> {
        let delete = "DELETE FROM handfast_content WHERE content = ?1 AND whole";
        if self.write()?.execute(delete, [content.as_bytes()])? > 0 {
            self.removed.push(content);
        }
        Ok(())
    }

    /// Removes the files of content that was forgotten, unless it came again since.
    pub(super) fn remove_files(&mut self) -> Result<(), SqliteError> {
        for content in std::mem::take(&mut self.removed) {
            if self.is_whole(content)? != Some(true) {
                // A file that stays is in nobody's way: the database does not know it.
                let _ = fs::remove_file(self.content_path(content));
            }
        }
        Ok(())
    }

    /// Returns the length of the stream of content that is here, or `None` if it is not.
    pub(super) fn stream_len(&self, content: ContentId) -> Result<Option<u64>, SqliteError> {
        let list = self.list(content)?.filter(|(_, whole)| *whole && self.content_path(content).is_file());
        Ok(list.map(|(list, _)| list.stream_len()))
    }

    /// Returns whether all of the content is here, or `None` if not even its list is.
    fn is_whole(&self, content: ContentId) -> Result<Option<bool>, SqliteError> {
        let mut find = self.db.prepare_cached("SELECT whole FROM handfast_content WHERE content = ?1")?;
        Ok(find.query_row([content.as_bytes()], |row| row.get(0)).optional()?)
    }

    pub(super) fn has_whole(&self, content: ContentId) -> Result<bool, SqliteError> {
        Ok(self.is_whole(content)? == Some(true) && self.content_path(content).is_file())
    }

    pub(super) fn want(&mut self, content: ContentId, path: &str) -> Result<(), SqliteError> {
        let insert = "INSERT OR IGNORE INTO handfast_wanted VALUES(?1, ?2)";
        let _ = self.write()?.execute(insert, params![content.as_bytes(), path])?;
        Ok(())
    }

    pub(super) fn wanted(&self) -> Result<Vec<Wanted>, SqliteError> {
        let mut query = self.db.prepare_cached("SELECT content, path FROM handfast_wanted")?;
        let rows = query.query_map([], |row| {
            Ok((ContentId::from_bytes(row.get(0)?), PathBuf::from(row.get::<_, String>(1)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Deletes the wishes for content, and returns the paths to which it was to go.
    pub(super) fn take_wishes(&mut self, content: ContentId) -> Result<Vec<PathBuf>, SqliteError> {
        let delete = "DELETE FROM handfast_wanted WHERE content = ?1 RETURNING path";
        let mut query = self.write()?.prepare_cached(delete)?;
        let paths =
            query.query_map([content.as_bytes()], |row| row.get::<_, String>(0).map(PathBuf::from))?;
        Ok(paths.collect::<Result<_, _>>()?)
    }

    /// Notes that content of this directory is to be put at the peer.
    pub(super) fn offer(&mut self, content: ContentId) -> Result<(), SqliteError> {
        let insert = "INSERT OR IGNORE INTO handfast_offered VALUES(?1)";
        let _ = self.write()?.execute(insert, [content.as_bytes()])?;
        Ok(())
    }

    /// Returns the content that is to be put at the peer.
    pub(super) fn offered(&self) -> Result<Vec<ContentId>, SqliteError> {
        let mut query = self.db.prepare_cached("SELECT content FROM handfast_offered")?;
        let offered = query.query_map([], |row| Ok(ContentId::from_bytes(row.get(0)?)))?;
        Ok(offered.collect::<Result<_, _>>()?)
    }

    /// Returns the size of content of which at least the list is here, in bytes; 0 for other content.
    pub(super) fn size(&self, content: ContentId) -> Result<u64, SqliteError> {
        Ok(self.list(content)?.map_or(0, |(list, _)| list.size()))
    }

    /// Notes that content is not to be put any more, and forgets it unless it is wanted here.
    pub(super) fn withdraw(&mut self, content: ContentId) -> Result<bool, SqliteError> {
        let delete = "DELETE FROM handfast_offered WHERE content = ?1";
        let was_offered = self.write()?.execute(delete, [content.as_bytes()])? > 0;
        let find = "SELECT 1 FROM handfast_wanted WHERE content = ?1";
        if was_offered && !self.db.prepare_cached(find)?.exists([content.as_bytes()])? {
            self.remove_content(content)?;
        }
        Ok(was_offered)
    }
}
