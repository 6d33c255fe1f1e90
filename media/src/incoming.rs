//! Content that comes in over a stream.

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::ContentId;

use crate::{ChunkList, MediaReceiver};

/// Where content is kept while it comes. Its bytes come in order.
pub trait Storage {
    /// Whether the chunk list is kept as it comes, so that its bytes count as durable once they are synced. Where it is not,
    /// [`Incoming::list`] is to be stored once it is whole.
    const KEEPS_LIST: bool;

    /// Appends bytes of the chunk list. Not called for a stream that goes on behind the list.
    ///
    /// # Errors
    ///
    /// The code that the sender is to hear: `FULL`, `IO`.
    fn write_list(&mut self, bytes: &[u8]) -> Result<(), ErrorCode>;

    /// Appends bytes of the content.
    ///
    /// # Errors
    ///
    /// As [`Storage::write_list`].
    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode>;

    /// Makes durable what was written.
    ///
    /// # Errors
    ///
    /// As [`Storage::write_list`].
    fn sync(&mut self) -> Result<(), ErrorCode>;
}

/// What [`Incoming::sync`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each must be dealt with")]
pub enum Progress {
    /// Nothing new is durable.
    Nothing,
    /// The stream is durable up to this offset, to be reported with `stream_durable`.
    Durable(u64),
    /// The content is whole and durable. Give it its name, then report this offset, the stream's end.
    Whole(u64),
}

/// Content that comes in over one stream.
#[derive(Debug)]
pub struct Incoming<S> {
    content: ContentId,
    /// How much of the content there is, if the sender has said so.
    size: Option<u64>,
    receiver: MediaReceiver,
    storage: S,
    /// Bytes of the chunk list that came.
    list_came: u64,
    /// Stream bytes that may be reported once they are synced.
    checked: u64,
    /// Stream bytes that were reported.
    reported: u64,
    /// The sender has sent all, and claims this hash.
    fin: Option<[u8; 32]>,
}

impl<S: Storage> Incoming<S> {
    /// A stream behind `durable` bytes that were reported, as `receiver` stands after them; `size` is what the sender says
    /// that the content has.
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
        Self { content, size, receiver, storage, list_came, checked, reported, fin: None }
    }

    /// The content.
    #[must_use]
    pub const fn content(&self) -> ContentId {
        self.content
    }

    /// The chunk list, once it is whole and that of the content.
    #[must_use]
    pub fn list(&self) -> Option<&ChunkList> {
        self.receiver.list()
    }

    /// Bytes of the stream that are checked, and durable after the next sync.
    #[must_use]
    pub const fn checked(&self) -> u64 {
        self.checked
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    ///
    /// The code with which the stream is to be stopped: `HASH` when a chunk, the list or the size is not the content's,
    /// `TOO_LARGE`, `OFFSET` past the end, or the storage's.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        let taken = self.receiver.take(bytes)?;
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

    /// The sender has sent all, and says that the content has this hash.
    pub const fn fin(&mut self, hash: [u8; 32]) {
        self.fin = Some(hash);
    }

    /// Whether [`Incoming::sync`] has anything to do.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.receiver.is_behind(self.checked, self.reported, self.fin.is_some())
    }

    /// Makes durable what came since the last call, and says how far the stream is. It counts as reported.
    ///
    /// # Errors
    ///
    /// The code with which the stream is to be stopped: `HASH` when the sender is done and the content is not, or the
    /// storage's.
    pub fn sync(&mut self) -> Result<Progress, ErrorCode> {
        if let Some(hash) = self.fin {
            // req: STR-008, STR-080
            if !self.receiver.is_complete() || hash != *self.content.as_bytes() {
                return Err(ErrorCode::HASH);
            }
        }
        if !self.is_behind() {
            return Ok(Progress::Nothing);
        }
        // req: STR-006
        self.storage.sync()?;
        self.reported = self.checked;
        Ok(if self.fin.is_some() { Progress::Whole(self.checked) } else { Progress::Durable(self.checked) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContentHasher;
    use alloc::vec;
    use alloc::vec::Vec;

    /// A storage in memory, and what of it is durable.
    #[derive(Debug, Default)]
    struct Memory<const KEEPS_LIST: bool> {
        list: Vec<u8>,
        content: Vec<u8>,
        synced: usize,
        fails: Option<ErrorCode>,
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

        fn sync(&mut self) -> Result<(), ErrorCode> {
            self.synced = self.list.len() + self.content.len();
            self.fails.map_or(Ok(()), Err)
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
    fn the_bytes_of_a_list_count_where_it_is_kept_as_it_comes() {
        let (list, bytes) = stream(200_000);
        let (mut kept, mut whole) = (incoming::<true>(&list, 200_000), incoming::<false>(&list, 200_000));
        kept.take(&bytes[..50]).unwrap();
        whole.take(&bytes[..50]).unwrap();
        assert_eq!((kept.sync(), whole.sync()), (Ok(Progress::Durable(50)), Ok(Progress::Nothing)));
        // A stream that goes on there.
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
