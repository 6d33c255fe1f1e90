//! Checks content as it arrives. A stream is `size u64 | chunk hashes | content`, and its bytes come in
//! order.

use alloc::vec::Vec;

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::ContentId;
use handfast_codec::limits::{MEDIA_CHUNK_LEN, MEDIA_LEN_MAX};
use sha2::{Digest, Sha256};

use crate::chunk_list::{ChunkList, HASH_LEN, SIZE_LEN, list_len};

/// Checks the bytes of an incoming media stream.
///
/// It keeps in memory the chunk list (at most 1 MiB) and the hash state of the current chunk, but no content.
#[derive(Debug)]
pub struct MediaReceiver {
    content_id: ContentId,
    /// The bytes of the chunk list that have arrived; unused once the list is complete.
    head: Vec<u8>,
    list: Option<ChunkList>,
    chunk: Sha256,
    in_chunk: u64,
    /// The content offset at which the stream begins.
    from: u64,
    /// How many bytes of the content are here, including those before `from`, which the stream leaves out.
    taken: u64,
}

/// The result of one call of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// How many of the bytes are content to be written: the last ones. The bytes before them belong to the
    /// chunk list.
    pub content: usize,
    /// The stream offset up to which everything is checked. It may be reported as durable once the bytes are
    /// on disk.
    pub checked: u64,
}

impl MediaReceiver {
    /// Creates a receiver for a stream that leaves out the first `from` bytes of the content, because they
    /// are already here.
    ///
    /// # Errors
    ///
    /// `OFFSET` when `from` is not a multiple of the chunk length.
    pub fn new(content_id: ContentId, from: u64) -> Result<Self, ErrorCode> {
        if !from.is_multiple_of(MEDIA_CHUNK_LEN) {
            return Err(ErrorCode::OFFSET);
        }
        let (head, chunk) = (Vec::new(), Sha256::new());
        Ok(Self { content_id, head, list: None, chunk, in_chunk: 0, from, taken: from })
    }

    /// Creates a receiver that continues a stream. The stream's chunk list is known, and the first `checked`
    /// bytes of the stream are on disk.
    ///
    /// # Errors
    ///
    /// `HASH` when the list does not match the content id, `OFFSET` when `checked` is not a chunk boundary.
    pub fn resume(
        content_id: ContentId,
        list: ChunkList,
        from: u64,
        checked: u64,
    ) -> Result<Self, ErrorCode> {
        if list.content_id() != content_id {
            return Err(ErrorCode::HASH);
        }
        let past = checked.checked_sub(list.encoded_len()).ok_or(ErrorCode::OFFSET)?;
        let taken = past.saturating_add(from);
        if taken > list.size || (taken < list.size && taken.checked_rem(MEDIA_CHUNK_LEN) != Some(0)) {
            return Err(ErrorCode::OFFSET);
        }
        Ok(Self { taken, list: Some(list), ..Self::new(content_id, from)? })
    }

    /// Returns the chunk list, once it is complete and matches the content id.
    #[must_use]
    pub fn list(&self) -> Option<&ChunkList> {
        self.list.as_ref()
    }

    pub(crate) const fn take_out_list(&mut self) -> Option<ChunkList> {
        self.list.take()
    }

    /// Returns whether all content has arrived and been checked.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.list.as_ref().is_some_and(|list| self.taken == list.size)
    }

    /// Returns whether the stream bytes up to `checked` should be synced and reported as durable. `reported`
    /// is the offset that was reported before. The last byte is not reported before FIN has come.
    #[must_use]
    pub fn is_behind(&self, checked: u64, reported: u64, has_fin: bool) -> bool {
        // The sender takes the report of the last byte as the answer to its FIN.
        // req: STR-018
        has_fin || (checked != reported && !self.is_complete())
    }

    /// Checks the next bytes of the stream. They must directly follow the bytes before.
    ///
    /// # Errors
    ///
    /// `HASH` when a chunk or the list does not match, `TOO_LARGE` for a size over 2 GiB, `OFFSET` for bytes
    /// after the end.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Taken, ErrorCode> {
        let content = self.take_list(bytes)?;
        let mut rest = content;
        while !rest.is_empty() {
            rest = self.take_content(rest)?;
        }
        let checked = match &self.list {
            Some(list) => {
                let arrived = self.taken.saturating_sub(self.from).saturating_sub(self.in_chunk);
                list.encoded_len().saturating_add(arrived)
            }
            None => 0,
        };
        Ok(Taken { content: content.len(), checked })
    }

    /// Takes the bytes that belong to the chunk list, and returns the bytes after them.
    fn take_list<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], ErrorCode> {
        if self.list.is_some() {
            return Ok(bytes);
        }
        let mut rest = bytes;
        for wanted in [SIZE_LEN, self.list_len()?] {
            let wanted = if self.head.len() >= SIZE_LEN { self.list_len()?.max(wanted) } else { wanted };
            let take = wanted.saturating_sub(self.head.len()).min(rest.len());
            let (head, tail) = rest.split_at_checked(take).unwrap_or((rest, &[]));
            self.head.extend_from_slice(head);
            rest = tail;
        }
        if self.head.len() >= SIZE_LEN && self.head.len() == self.list_len()? {
            // If the peer sends other content, that must be noticed before a byte of it is stored.
            // req: STR-010
            let list = ChunkList::decode(&self.head)?;
            if list.content_id() != self.content_id {
                return Err(ErrorCode::HASH);
            }
            if self.from > list.size {
                return Err(ErrorCode::OFFSET);
            }
            self.head = Vec::new();
            self.list = Some(list);
        }
        Ok(rest)
    }

    /// Returns the length of the chunk list once the size is known. Before that, returns the length of the
    /// size field.
    fn list_len(&self) -> Result<usize, ErrorCode> {
        let Some((size, _)) = self.head.split_first_chunk::<SIZE_LEN>() else { return Ok(SIZE_LEN) };
        let size = u64::from_be_bytes(*size);
        // The claimed size decides how much memory the chunk list needs, so it is limited.
        // req: STR-024
        if size > MEDIA_LEN_MAX {
            return Err(ErrorCode::TOO_LARGE);
        }
        usize::try_from(list_len(size)).map_err(|_| ErrorCode::TOO_LARGE)
    }

    fn take_content<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], ErrorCode> {
        let list = self.list.as_ref().ok_or(ErrorCode::OFFSET)?;
        let left = list.size.saturating_sub(self.taken);
        let room = MEDIA_CHUNK_LEN.saturating_sub(self.in_chunk).min(left);
        // No hash covers bytes after the end of the content.
        // req: STR-025
        if room == 0 {
            return Err(ErrorCode::OFFSET);
        }
        let take = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        let (head, rest) = bytes.split_at_checked(take).unwrap_or((bytes, &[]));
        self.chunk.update(head);
        let taken = u64::try_from(head.len()).unwrap_or(u64::MAX);
        self.taken = self.taken.saturating_add(taken);
        self.in_chunk = self.in_chunk.saturating_add(taken);
        if self.in_chunk == MEDIA_CHUNK_LEN || self.taken == list.size {
            let index = self.taken.saturating_sub(1).checked_div(MEDIA_CHUNK_LEN).unwrap_or(0);
            let expected = usize::try_from(index).ok().and_then(|i| list.hashes.get(i));
            let found: [u8; HASH_LEN] = core::mem::take(&mut self.chunk).finalize().into();
            // A receiver passes on only content that it has checked.
            // req: STR-010
            if expected != Some(&found) {
                return Err(ErrorCode::HASH);
            }
            self.in_chunk = 0;
        }
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContentHasher;

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
    }

    fn stream(content: &[u8]) -> (ChunkList, Vec<u8>) {
        let mut hasher = ContentHasher::new();
        hasher.update(content);
        let list = hasher.finish();
        let bytes = [list.encode(), content.to_vec()].concat();
        (list, bytes)
    }

    #[test]
    fn the_last_byte_is_reported_with_fin_alone() {
        // req: STR-018
        let (list, bytes) = stream(&content(70_000));
        let mut receiver = MediaReceiver::new(list.content_id(), 0).unwrap();
        let (most, rest) = bytes.split_at(bytes.len() - 1);
        let before = receiver.take(most).unwrap().checked;
        assert!(receiver.is_behind(before, 0, false));
        assert!(!receiver.is_behind(before, before, false));
        let all = receiver.take(rest).unwrap().checked;
        assert_eq!(all, list.stream_len());
        assert!(!receiver.is_behind(all, before, false), "the sender would take it for the answer to FIN");
        assert!(receiver.is_behind(all, before, true));
    }

    #[test]
    fn every_cut_of_a_stream_gives_the_same_content() {
        for len in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            let content = content(len);
            let (list, bytes) = stream(&content);
            for step in [1_000, 7_777, 16_000, 1_000_000] {
                let mut receiver = MediaReceiver::new(list.content_id(), 0).unwrap();
                let mut got = Vec::new();
                for part in bytes.chunks(step) {
                    let taken = receiver.take(part).unwrap();
                    got.extend_from_slice(&part[part.len() - taken.content..]);
                }
                assert!(receiver.is_complete(), "len {len} step {step}");
                assert_eq!(got, content);
            }
        }
    }

    #[test]
    fn a_media_stream_cut_at_any_chunk_is_never_complete() {
        // req: STR-010, STR-082
        let (list, bytes) = stream(&content(200_000));
        let start = usize::try_from(list.encoded_len()).unwrap();
        let chunk = usize::try_from(MEDIA_CHUNK_LEN).unwrap();
        for cut in [0, 8, start - 1, start, start + 1, start + chunk, start + 2 * chunk, bytes.len() - 1] {
            let mut receiver = MediaReceiver::new(list.content_id(), 0).unwrap();
            let _ = receiver.take(&bytes[..cut]).unwrap();
            assert!(!receiver.is_complete(), "cut at {cut}");
        }
        // Chunks that come in another order or twice are refused.
        let chunks: Vec<&[u8]> = bytes[start..].chunks(chunk).collect();
        for order in [[1, 0, 2, 3], [0, 0, 1, 2]] {
            let mut receiver = MediaReceiver::new(list.content_id(), 0).unwrap();
            let _ = receiver.take(&bytes[..start]).unwrap();
            let refused = order.iter().try_for_each(|i| receiver.take(chunks[*i]).map(drop));
            assert_eq!((refused, receiver.is_complete()), (Err(ErrorCode::HASH), false), "{order:?}");
        }
    }

    #[test]
    fn what_lies_on_a_disk_is_good_up_to_the_first_bad_chunk() {
        let whole = content(200_000);
        let (list, _) = stream(&whole);
        let found = |bytes: &[u8]| {
            let mut hasher = ContentHasher::new();
            hasher.update(bytes);
            list.good_len(&hasher.finish())
        };
        assert_eq!(found(&whole), 200_000);
        assert_eq!((found(&[]), found(&whole[..65_535]), found(&whole[..65_536])), (0, 0, 65_536));
        assert_eq!((found(&whole[..150_000]), found(&whole[..199_999])), (131_072, 196_608));
        let mut bad = whole.clone();
        bad[70_000] ^= 1;
        assert_eq!(found(&bad), 65_536);
        bad.push(0);
        assert_eq!(found(&bad), 65_536);
        assert_eq!(found(&[&whole[..], &[0]].concat()), 196_608, "what is too long is not whole");
    }

    #[test]
    fn a_changed_byte_anywhere_is_refused() {
        // req: STR-010
        let (list, bytes) = stream(&content(70_000));
        for at in [8, 39, 71, 72, 60_000, bytes.len() - 1] {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let mut receiver = MediaReceiver::new(list.content_id(), 0).unwrap();
            assert_eq!(receiver.take(&bad), Err(ErrorCode::HASH), "byte {at}");
        }
    }

    #[test]
    fn a_receiver_goes_on_at_a_chunk_and_nowhere_else() {
        let content = content(150_000);
        let (list, bytes) = stream(&content);
        let at = list.encoded_len() + MEDIA_CHUNK_LEN;
        let mut receiver = MediaReceiver::resume(list.content_id(), list.clone(), 0, at).unwrap();
        let _ = receiver.take(&bytes[usize::try_from(at).unwrap()..]).unwrap();
        assert!(receiver.is_complete());
        let off = MediaReceiver::resume(list.content_id(), list.clone(), 0, at + 1);
        assert_eq!(off.err(), Some(ErrorCode::OFFSET));
        let other = MediaReceiver::resume(ContentId::from_bytes([0; 32]), list, 0, at);
        assert_eq!(other.err(), Some(ErrorCode::HASH));
    }

    #[test]
    fn a_stream_that_leaves_chunks_out_is_checked_from_there() {
        let content = content(150_000);
        let (list, bytes) = stream(&content);
        let (id, head) = (list.content_id(), usize::try_from(list.encoded_len()).unwrap());
        let from = MEDIA_CHUNK_LEN;
        let rest = &bytes[head + usize::try_from(from).unwrap()..];
        let mut receiver = MediaReceiver::new(id, from).unwrap();
        assert_eq!(receiver.take(&bytes[..head]).unwrap().checked, list.encoded_len());
        let (first, second) = rest.split_at(70_000);
        assert_eq!(receiver.take(first).unwrap().checked, list.encoded_len() + MEDIA_CHUNK_LEN);
        assert!(!receiver.is_complete());
        assert_eq!(receiver.take(second).unwrap().checked, list.stream_len() - from);
        assert!(receiver.is_complete());
        // The receiver can also resume in the middle of a stream that begins at a later chunk.
        let at = list.encoded_len() + MEDIA_CHUNK_LEN;
        let mut receiver = MediaReceiver::resume(id, list.clone(), from, at).unwrap();
        let _ = receiver.take(&rest[usize::try_from(MEDIA_CHUNK_LEN).unwrap()..]).unwrap();
        assert!(receiver.is_complete());
        // No stream can begin in the middle of a chunk, or after the end of the content.
        assert_eq!(MediaReceiver::new(id, from + 1).err(), Some(ErrorCode::OFFSET));
        let mut receiver = MediaReceiver::new(id, 3 * MEDIA_CHUNK_LEN).unwrap();
        assert_eq!(receiver.take(&bytes[..head]), Err(ErrorCode::OFFSET));
    }

    // req: STR-024 STR-025
    #[test]
    fn sizes_are_refused_past_the_maximum_and_bytes_past_the_end() {
        let mut receiver = MediaReceiver::new(ContentId::from_bytes([0; 32]), 0).unwrap();
        assert_eq!(receiver.take(&(MEDIA_LEN_MAX + 1).to_be_bytes()), Err(ErrorCode::TOO_LARGE));
        let mut receiver = MediaReceiver::new(ContentId::from_bytes([0; 32]), 0).unwrap();
        assert!(receiver.take(&MEDIA_LEN_MAX.to_be_bytes()).is_ok());
        let (list, bytes) = stream(&content(10));
        let mut receiver = MediaReceiver::new(list.content_id(), 0).unwrap();
        let _ = receiver.take(&bytes).unwrap();
        assert_eq!(receiver.take(&[0]), Err(ErrorCode::OFFSET));
    }
}
