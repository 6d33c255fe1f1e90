//! The files of content that is received or sent over a stream.
//!
//! May touch: the files that are passed in.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use handfast_codec::{ErrorCode, Timestamp};
use handfast_media::{Incoming, Source, Storage, Synced};

use crate::sqlite::{SqliteError, file};

/// Returns the error code for a file that cannot be written. If the disk is full the user must free space;
/// any other failure may pass by itself.
fn code(error: &io::Error) -> ErrorCode {
    use io::ErrorKind;
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        ErrorCode::FULL
    } else {
        ErrorCode::IO
    }
}

/// Returns the error code for a file that cannot be opened, renamed or removed.
#[must_use]
pub fn file_code(_: SqliteError) -> ErrorCode {
    ErrorCode::IO
}

/// Where files of content that comes are made durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third place")]
pub enum SyncIn {
    /// In the thread that writes them, which waits for the disk.
    #[default]
    Caller,
    /// In a thread of its own for each sync, so that more is received and written meanwhile.
    Thread,
}

/// How long content is received before it is made durable, from the last time on, and how many bytes of it at most: each
/// time costs a sync of its file and a commit of the store.
const SYNC_PAUSE: Duration = Duration::from_millis(20);
const SYNC_LEN: u64 = 2 * 1_048_576;
/// How long to wait before asking whether a sync in a thread has ended.
const SYNC_POLL: Duration = Duration::from_millis(5);

/// When the content that comes over the streams of a link is made durable.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncPace {
    due: Option<Timestamp>,
}

impl SyncPace {
    /// Returns whether [`Incoming::sync`] is to be called now.
    #[must_use]
    pub fn is_due<S: Storage>(&self, now: Timestamp, incoming: &Incoming<S>) -> bool {
        let is_time = self.due.is_none_or(|due| due <= now);
        // A user waits for what has ended.
        let is_time = is_time || incoming.has_ended() || incoming.unreported() >= SYNC_LEN;
        is_time && incoming.is_behind()
    }

    /// Notes that [`Incoming::sync`] was called for all that were due, and whether one of them waits for a thread. Returns
    /// when the others are due.
    pub fn done(&mut self, now: Timestamp, is_syncing: bool) -> Timestamp {
        let due = now.plus(if is_syncing { SYNC_POLL } else { SYNC_PAUSE });
        self.due = Some(due);
        due
    }
}

/// How many bytes are handed to the system at once: whole pages, and many of them, which costs a file system far less than
/// the pieces in which content comes.
const WRITE_LEN: usize = 262_144;

/// A file of content that is received. The content's chunk list is stored elsewhere once that list is
/// complete.
#[derive(Debug)]
pub struct PartFile {
    part: Blocks,
    sync: FileSync,
}

impl PartFile {
    /// Takes a file whose position is at its next byte to write.
    #[must_use]
    pub fn new(part: File, place: SyncIn) -> Self {
        let part = Arc::new(part);
        Self { sync: FileSync::new(vec![Arc::clone(&part)], place), part: Blocks::new(part) }
    }
}

impl Storage for PartFile {
    const KEEPS_LIST: bool = false;

    fn write_list(&mut self, _: &[u8]) -> Result<(), ErrorCode> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        self.part.write(bytes)
    }

    fn sync(&mut self) -> Result<Synced, ErrorCode> {
        if !self.sync.is_running() {
            self.part.flush()?;
        }
        self.sync.poll()
    }
}

/// The file of content that is received, and beside it the file of its chunk list. There is no list file when
/// an earlier stream has stored the list already.
#[derive(Debug)]
pub struct PartAndList {
    part: Blocks,
    list: Option<Blocks>,
    sync: FileSync,
}

impl PartAndList {
    /// Creates the pair of files. The position of each is at its next byte to write.
    #[must_use]
    pub fn new(part: File, list: Option<File>, place: SyncIn) -> Self {
        let (part, list) = (Arc::new(part), list.map(Arc::new));
        // The list comes first: content without its list is of no use.
        let files = list.iter().chain([&part]).map(Arc::clone).collect();
        Self { part: Blocks::new(part), list: list.map(Blocks::new), sync: FileSync::new(files, place) }
    }
}

impl Storage for PartAndList {
    const KEEPS_LIST: bool = true;

    fn write_list(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        self.list.as_mut().map_or(Ok(()), |list| list.write(bytes))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        self.part.write(bytes)
    }

    fn sync(&mut self) -> Result<Synced, ErrorCode> {
        if !self.sync.is_running() {
            self.list.as_mut().map_or(Ok(()), Blocks::flush)?;
            self.part.flush()?;
        }
        self.sync.poll()
    }
}

/// A file that is written in blocks of [`WRITE_LEN`].
#[derive(Debug)]
struct Blocks {
    file: Arc<File>,
    buffer: Vec<u8>,
    /// How much of the current block was written before it was full, to sync it.
    written: usize,
}

impl Blocks {
    const fn new(file: Arc<File>) -> Self {
        Self { file, buffer: Vec::new(), written: 0 }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), ErrorCode> {
        while !bytes.is_empty() {
            let room = WRITE_LEN.saturating_sub(self.written).saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            if self.buffer.capacity() == 0 {
                self.buffer.reserve_exact(WRITE_LEN);
            }
            self.buffer.extend_from_slice(now);
            if now.len() == room {
                self.flush()?;
                self.written = 0;
            }
            bytes = later;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ErrorCode> {
        self.written = self.written.saturating_add(self.buffer.len());
        // The disk may become full during the put.
        // req: STR-032
        let written = self.file.as_ref().write_all(&self.buffer).map_err(|error| code(&error));
        self.buffer.clear();
        written
    }
}

/// The sync of some files, one after another, here or in a thread. Dropping it waits for one that is under way: then
/// nobody has the files open.
#[derive(Debug)]
struct FileSync {
    files: Vec<Arc<File>>,
    place: SyncIn,
    running: Option<JoinHandle<Result<(), ErrorCode>>>,
}

impl FileSync {
    const fn new(files: Vec<Arc<File>>, place: SyncIn) -> Self {
        Self { files, place, running: None }
    }

    const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Syncs all that was written before the first of the calls that return [`Synced::NotYet`].
    fn poll(&mut self) -> Result<Synced, ErrorCode> {
        if self.running.is_none() {
            let files = self.files.clone();
            let all =
                move || files.iter().try_for_each(|file| file::sync(file)).map_err(|error| code(&error));
            if self.place == SyncIn::Caller {
                return all().map(|()| Synced::Yes);
            }
            let thread = Builder::new().name("sync".into()).spawn(all);
            self.running = Some(thread.map_err(|error| code(&error))?);
        }
        match self.running.take_if(|running| running.is_finished()) {
            None => Ok(Synced::NotYet),
            Some(running) => running.join().map_err(|_| ErrorCode::IO)?.map(|()| Synced::Yes),
        }
    }
}

impl Drop for FileSync {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // Nobody asks any more whether it succeeded.
            let _ = running.join();
        }
    }
}

/// A file of content that is sent.
#[derive(Debug)]
pub struct ContentFile(pub File);

impl Source for ContentFile {
    fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, ErrorCode> {
        let mut bytes = vec![0; len];
        let read = self.0.seek(SeekFrom::Start(offset)).and_then(|_| self.0.read_exact(&mut bytes));
        // The file was shortened after it was offered, so it no longer contains the content.
        read.map(|()| bytes.into()).map_err(|_| ErrorCode::GONE)
    }
}
