//! The sender of content that is sent over a stream.

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::ContentId;
use handfast_codec::limits::MEDIA_CHUNK_LEN;

use crate::ChunkList;

/// A place from which content can be read.
pub trait Source {
    /// Returns `len` bytes of the content from `offset` on.
    ///
    /// # Errors
    ///
    /// The code with which the stream must be stopped, such as `GONE` when the content has become shorter.
    fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, ErrorCode>;
}

/// The state of one stream over which content is sent.
#[derive(Debug)]
pub struct Outgoing<S> {
    content: ContentId,
    source: S,
    /// The encoded chunk list. The stream begins with it.
    head: Bytes,
    /// The content offset at which the stream begins.
    from: u64,
    size: u64,
}

impl<S: Source> Outgoing<S> {
    /// Creates the stream of the content that has this chunk list. The stream leaves out the first `from`
    /// bytes of the content.
    ///
    /// # Errors
    ///
    /// `FIELD_VALUE` when no stream can begin at `from`.
    pub fn new(list: &ChunkList, from: u64, source: S) -> Result<Self, ErrorCode> {
        check_offset(from, list.size())?;
        Ok(Self { content: list.content_id(), source, head: list.encode().into(), from, size: list.size() })
    }

    /// Returns the content's id.
    #[must_use]
    pub const fn content(&self) -> ContentId {
        self.content
    }

    /// Returns the content offset of the byte at this offset of the stream, or `None` within the chunk list.
    pub(crate) fn content_offset(&self, offset: u64) -> Option<u64> {
        let past = offset.checked_sub(u64::try_from(self.head.len()).unwrap_or(u64::MAX))?;
        Some(self.from.saturating_add(past))
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) const fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// Returns at most `max` bytes of the stream from `offset` on. With the last bytes it also returns the
    /// content's hash. Pass both to `stream_supply`.
    ///
    /// # Errors
    ///
    /// `OFFSET` after the end of the stream, or the source's error.
    pub fn read(&mut self, offset: u64, max: usize) -> Result<(Bytes, Option<[u8; 32]>), ErrorCode> {
        let head_len = u64::try_from(self.head.len()).unwrap_or(u64::MAX);
        let end = head_len.saturating_add(self.size.saturating_sub(self.from));
        let bytes = if let Some(at) = self.content_offset(offset) {
            if at > self.size {
                return Err(ErrorCode::OFFSET);
            }
            let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
            self.source.read_at(at, max.min(left))?
        } else {
            let at = usize::try_from(offset).map_err(|_| ErrorCode::OFFSET)?;
            self.head.slice(at..self.head.len().min(at.saturating_add(max)))
        };
        let reached = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok((bytes, (reached == end).then_some(*self.content.as_bytes())))
    }
}

/// Checks that a stream may leave out the first `from` bytes of content of `size` bytes.
///
/// # Errors
///
/// `FIELD_VALUE` when it may not, because `from` is not a multiple of the chunk length, or beyond the
/// content.
pub fn check_offset(from: u64, size: u64) -> Result<(), ErrorCode> {
    // The peer chooses the offset. By the chunk hashes, content can only be checked from the start of a
    // chunk.
    // req: STR-021
    if from > size || !from.is_multiple_of(MEDIA_CHUNK_LEN) {
        return Err(ErrorCode::FIELD_VALUE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ContentHasher, MediaReceiver};
    use alloc::vec::Vec;

    struct Memory(Vec<u8>);

    impl Source for Memory {
        fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, ErrorCode> {
            let at = usize::try_from(offset).unwrap();
            self.0.get(at..at + len).map(Bytes::copy_from_slice).ok_or(ErrorCode::GONE)
        }
    }

    fn content(len: usize) -> (ChunkList, Vec<u8>) {
        let content: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut hasher = ContentHasher::new();
        hasher.update(&content);
        (hasher.finish(), content)
    }

    #[test]
    fn what_goes_out_is_what_a_receiver_takes_whatever_the_pieces() {
        for (len, from) in [(0, 0), (1, 0), (65_536, 0), (65_536, 65_536), (200_000, 0), (200_000, 131_072)] {
            let (list, bytes) = content(len);
            for max in [1_000, 16_000, 1_000_000] {
                let mut outgoing = Outgoing::new(&list, from, Memory(bytes.clone())).unwrap();
                let mut receiver = MediaReceiver::new(list.content_id(), from).unwrap();
                let (mut offset, mut fin) = (0, None);
                while fin.is_none() {
                    let (part, hash) = outgoing.read(offset, max).unwrap();
                    let _ = receiver.take(&part).unwrap();
                    (offset, fin) = (offset + u64::try_from(part.len()).unwrap(), hash);
                }
                assert!(receiver.is_complete(), "{len} from {from} by {max}");
                assert_eq!(fin, Some(*list.content_id().as_bytes()));
                assert_eq!(outgoing.read(offset + 1, max), Err(ErrorCode::OFFSET));
            }
        }
    }

    #[test]
    fn a_stream_begins_at_a_chunk_within_the_content() {
        // req: STR-021
        let (list, bytes) = content(70_000);
        for from in [1, 65_535, 65_537, 131_072, u64::MAX] {
            let refused = Outgoing::new(&list, from, Memory(bytes.clone())).err();
            assert_eq!(refused, Some(ErrorCode::FIELD_VALUE), "{from}");
        }
    }

    #[test]
    fn content_that_became_shorter_stops_the_stream() {
        let (list, bytes) = content(70_000);
        let mut outgoing = Outgoing::new(&list, 0, Memory(bytes[..60_000].to_vec())).unwrap();
        assert_eq!(outgoing.read(list.encoded_len(), 70_000), Err(ErrorCode::GONE));
    }
}
