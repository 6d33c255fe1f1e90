//! The receiver of content that comes over a stream.

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::ContentId;

use crate::{ChunkList, MediaReceiver};

/// A place in which content is stored while it is received. All bytes come in order.
pub trait Storage {
    /// Whether the bytes of the chunk list are stored as they arrive, so that they count as durable once they
    /// are synced. If not, the caller must store [`Incoming::list`] once the list is complete.
    const KEEPS_LIST: bool;

    /// Appends bytes of the chunk list. It is never called for a stream that continues after its list.
    ///
    /// # Errors
    ///
    /// The code with which the stream must be stopped: `FULL` or `IO`.
    fn write_list(&mut self, bytes: &[u8]) -> Result<(), ErrorCode>;

    /// Appends bytes of the content.
    ///
    /// # Errors
    ///
    /// As [`Storage::write_list`].
    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode>;

    /// Makes all written bytes durable, or begins to: then it is called again, until it returns [`Synced::Yes`] for
    /// what was written before the first of these calls.
    ///
    /// # Errors
    ///
    /// As [`Storage::write_list`].
    fn sync(&mut self) -> Result<Synced, ErrorCode>;
}

/// Whether written bytes are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Synced {
    /// They are.
    Yes,
    /// They will be: something else makes them durable meanwhile.
    NotYet,
}

/// The result of [`Incoming::sync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each must be dealt with")]
pub enum Progress {
    /// Nothing new is durable.
    Nothing,
    /// The stream is durable up to this offset. Report the offset with `stream_durable`.
    Durable(u64),
    /// The content is complete and durable. Move it to its final name, then report this offset; it is the end
    /// of the stream.
    Whole(u64),
}

/// The state of one stream over which content comes.
#[derive(Debug)]
pub struct Incoming<S> {
    content: ContentId,
    /// The content's size, if the sender has stated it.
    size: Option<u64>,
    receiver: MediaReceiver,
    storage: S,
    /// How many bytes of the stream have arrived.
    arrived: u64,
    /// How many of them belong to the chunk list.
    list_came: u64,
    /// How many bytes of the stream may be reported as durable once they are synced.
    checked: u64,
    /// How many bytes of the stream were reported as durable.
    reported: u64,
    /// The content's hash as the sender claims it. It comes once the sender has sent everything.
    fin: Option<[u8; 32]>,
    /// What will be reported when the sync that is under way has ended.
    syncing: Option<Progress>,
}

impl<S: Storage> Incoming<S> {
    /// Creates the state of a stream of which `durable` bytes were reported as durable. `receiver` must have
    /// taken exactly these bytes. `size` is the content's size as the sender states it.
    #[must_use]
    pub fn new(
        content: ContentId,
        size: Option<u64>,
        receiver: MediaReceiver,
        durable: u64,
        storage: S,
    ) -> Self {
        let (checked, reported) = (durable, durable);
        let list_came = receiver.list().map_or(durable, ChunkList::encoded_len);
        Self {
            content,
            size,
            receiver,
            storage,
            arrived: durable,
            list_came,
            checked,
            reported,
            fin: None,
            syncing: None,
        }
    }

    /// Returns the content's id.
    #[must_use]
    pub const fn content(&self) -> ContentId {
        self.content
    }

    /// Returns the content's size, if the sender has stated it.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Returns the chunk list, once it is complete and matches the content id.
    #[must_use]
    pub fn list(&self) -> Option<&ChunkList> {
        self.receiver.list()
    }

    /// Returns how many bytes of the stream have arrived.
    #[must_use]
    pub const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Returns how many bytes of the stream are checked. They are durable after the next sync.
    #[must_use]
    pub const fn checked(&self) -> u64 {
        self.checked
    }

    /// Takes out the chunk list, as [`Incoming::list`]. Nothing can be received without it.
    pub(crate) const fn take_list(&mut self) -> Option<ChunkList> {
        self.receiver.take_out_list()
    }

    pub(crate) const fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    ///
    /// The code with which the stream must be stopped: `HASH` when a chunk, the list or the size does not
    /// match the content, `TOO_LARGE`, `OFFSET` for bytes after the end, or the storage's error.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        let taken = self.receiver.take(bytes)?;
        self.arrived = self.arrived.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let at = bytes.len().saturating_sub(taken.content);
        let (list, content) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
        if !list.is_empty() {
            self.storage.write_list(list)?;
            self.list_came = self.list_came.saturating_add(u64::try_from(list.len()).unwrap_or(u64::MAX));
        }
        self.storage.write(content)?;
        if let (Some(list), Some(size)) = (self.receiver.list(), self.size)
            && list.size() != size
        {
            return Err(ErrorCode::HASH);
        }
        let is_part_kept = S::KEEPS_LIST && self.receiver.list().is_none();
        self.checked = self.checked.max(if is_part_kept { self.list_came } else { taken.checked });
        Ok(())
    }

    /// Notes that the sender has sent everything. `hash` is the content's hash as the sender claims it.
    pub const fn fin(&mut self, hash: [u8; 32]) {
        self.fin = Some(hash);
    }

    /// Returns whether a call of [`Incoming::sync`] would do anything.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.is_syncing() || self.receiver.is_behind(self.checked, self.reported, self.fin.is_some())
    }

    /// Returns how many bytes of the stream are checked and not reported.
    #[must_use]
    pub const fn unreported(&self) -> u64 {
        self.checked.saturating_sub(self.reported)
    }

    /// Returns whether the sender has sent everything.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.fin.is_some()
    }

    /// Returns whether the storage has begun to make bytes durable, so that [`Incoming::sync`] must be called again.
    #[must_use]
    pub const fn is_syncing(&self) -> bool {
        self.syncing.is_some()
    }

    /// Makes all bytes durable that arrived since the last call, or lets the storage begin with that. The returned offset
    /// counts as reported, so the caller must report it as durable.
    ///
    /// # Errors
    ///
    /// The code with which the stream must be stopped: `HASH` when the sender has finished but the content is
    /// incomplete or has another hash, or the storage's error.
    pub fn sync(&mut self) -> Result<Progress, ErrorCode> {
        if let Some(hash) = self.fin {
            // A sender may send FIN too early, or claim the hash of other content.
            // req: STR-008, STR-080
            if !self.receiver.is_complete() || hash != *self.content.as_bytes() {
                return Err(ErrorCode::HASH);
            }
        }
        if !self.is_behind() {
            return Ok(Progress::Nothing);
        }
        let all = if self.fin.is_some() { Progress::Whole } else { Progress::Durable };
        let progress = *self.syncing.get_or_insert(all(self.checked));
        // The sync comes before the report: bytes are reported as durable only when they are.
        // req: STR-006
        if self.storage.sync()? == Synced::NotYet {
            return Ok(Progress::Nothing);
        }
        self.syncing = None;
        if let Progress::Durable(to) | Progress::Whole(to) = progress {
            self.reported = to;
        }
        Ok(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContentHasher;
    use alloc::vec;
    use alloc::vec::Vec;

    /// A storage in memory. `synced` is the number of bytes that are durable.
    #[derive(Debug, Default)]
    struct Memory<const KEEPS_LIST: bool> {
        list: Vec<u8>,
        content: Vec<u8>,
        synced: usize,
        fails: Option<ErrorCode>,
        /// How many calls of `sync` each sync takes, and what the one that is under way will have made durable.
        calls: usize,
        syncing: Option<(usize, usize)>,
    }

    impl<const KEEPS_LIST: bool> Storage for Memory<KEEPS_LIST> {
        const KEEPS_LIST: bool = KEEPS_LIST;

        fn write_list(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
            self.list.extend_from_slice(bytes);
            self.fails.map_or(Ok(()), Err)
        }

        fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
            self.content.extend_from_slice(bytes);
            self.fails.map_or(Ok(()), Err)
        }

        fn sync(&mut self) -> Result<Synced, ErrorCode> {
            let (left, synced) =
                self.syncing.take().unwrap_or((self.calls, self.list.len() + self.content.len()));
            if left > 0 {
                self.syncing = Some((left - 1, synced));
                return Ok(Synced::NotYet);
            }
            self.synced = synced;
            self.fails.map_or(Ok(Synced::Yes), Err)
        }
    }

    fn stream(len: usize) -> (ChunkList, Vec<u8>) {
        let content = vec![7; len];
        let mut hasher = ContentHasher::new();
        hasher.update(&content);
        let list = hasher.finish();
        let bytes = [list.encode(), content].concat();
        (list, bytes)
    }

    fn incoming<const KEEPS_LIST: bool>(list: &ChunkList, size: u64) -> Incoming<Memory<KEEPS_LIST>> {
        let receiver = MediaReceiver::new(list.content_id(), 0).unwrap();
        Incoming::new(list.content_id(), Some(size), receiver, 0, Memory::default())
    }

    #[test]
    fn every_cut_is_reported_chunk_by_chunk_and_its_end_with_fin_alone() {
        // req: STR-006, STR-018
        let (list, bytes) = stream(200_000);
        let ends: Vec<u64> = (0..=3).map(|chunk| list.encoded_len() + chunk * 65_536).collect();
        for step in [1_000, 16_000, 70_000, 1_000_000] {
            let mut incoming = incoming::<false>(&list, 200_000);
            for part in bytes.chunks(step) {
                incoming.take(part).unwrap();
                match incoming.sync().unwrap() {
                    Progress::Durable(to) => assert!(ends.contains(&to), "{to}"),
                    Progress::Nothing => {}
                    Progress::Whole(_) => panic!("nobody said that it ends"),
                }
            }
            assert!(!incoming.is_behind());
            incoming.fin(*list.content_id().as_bytes());
            assert_eq!(incoming.sync(), Ok(Progress::Whole(list.stream_len())));
            assert_eq!(incoming.storage.synced, bytes.len());
        }
    }

    #[test]
    fn a_sync_that_takes_long_reports_what_was_there_when_it_began() {
        // req: STR-006, STR-018
        let (list, bytes) = stream(200_000);
        let mut incoming = incoming::<false>(&list, 200_000);
        incoming.storage.calls = 2;
        let chunk = usize::try_from(list.encoded_len()).unwrap() + 65_536;
        incoming.take(&bytes[..chunk]).unwrap();
        assert_eq!((incoming.sync(), incoming.is_syncing()), (Ok(Progress::Nothing), true));
        // All the rest comes meanwhile, and the end.
        incoming.take(&bytes[chunk..]).unwrap();
        assert!(incoming.is_behind());
        incoming.fin(*list.content_id().as_bytes());
        assert_eq!(incoming.sync(), Ok(Progress::Nothing));
        assert_eq!(incoming.sync(), Ok(Progress::Durable(u64::try_from(chunk).unwrap())));
        assert!(!incoming.is_syncing() && incoming.is_behind());
        assert_eq!((incoming.sync(), incoming.sync()), (Ok(Progress::Nothing), Ok(Progress::Nothing)));
        assert_eq!(incoming.sync(), Ok(Progress::Whole(list.stream_len())));
        assert_eq!(incoming.storage.synced, bytes.len());
    }

    #[test]
    fn the_bytes_of_a_list_count_where_it_is_kept_as_it_comes() {
        let (list, bytes) = stream(200_000);
        let (mut kept, mut whole) = (incoming::<true>(&list, 200_000), incoming::<false>(&list, 200_000));
        kept.take(&bytes[..50]).unwrap();
        whole.take(&bytes[..50]).unwrap();
        assert_eq!((kept.sync(), whole.sync()), (Ok(Progress::Durable(50)), Ok(Progress::Nothing)));
        // A second stream continues after these 50 bytes.
        let mut receiver = MediaReceiver::new(list.content_id(), 0).unwrap();
        let _ = receiver.take(&bytes[..50]).unwrap();
        let memory = Memory::<true> { list: bytes[..50].to_vec(), ..Memory::default() };
        let mut kept = Incoming::new(list.content_id(), None, receiver, 50, memory);
        kept.take(&bytes[50..]).unwrap();
        kept.fin(*list.content_id().as_bytes());
        assert_eq!(kept.sync(), Ok(Progress::Whole(list.stream_len())));
        assert_eq!(kept.storage.list, list.encode());
    }

    #[test]
    fn content_of_another_size_or_hash_and_a_disk_that_fails_stop_the_stream() {
        // req: STR-008, STR-080
        let (list, bytes) = stream(70_000);
        assert_eq!(incoming::<false>(&list, 70_001).take(&bytes), Err(ErrorCode::HASH));
        for (len, hash) in [(bytes.len() - 1, *list.content_id().as_bytes()), (bytes.len(), [7; 32])] {
            let mut incoming = incoming::<false>(&list, 70_000);
            incoming.take(&bytes[..len]).unwrap();
            incoming.fin(hash);
            assert_eq!(incoming.sync(), Err(ErrorCode::HASH));
        }
        for code in [ErrorCode::FULL, ErrorCode::IO] {
            let mut full = incoming::<false>(&list, 70_000);
            full.storage.fails = Some(code);
            assert_eq!(full.take(&bytes), Err(code));
            let mut full = incoming::<false>(&list, 70_000);
            full.take(&bytes[..69_000]).unwrap();
            full.storage.fails = Some(code);
            assert_eq!(full.sync(), Err(code));
        }
    }
}
