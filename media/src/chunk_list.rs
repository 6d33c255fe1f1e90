//! Chunk lists: the size and the chunk hashes of some content. The hash of the list is the content's id
//! (spec, streams, *Media*).

use alloc::vec::Vec;

use handfast_codec::error::ErrorCode;
use handfast_codec::ids::ContentId;
use handfast_codec::limits::{MEDIA_CHUNK_LEN, MEDIA_LEN_MAX};
use sha2::{Digest, Sha256};

/// The length of a chunk's hash, in bytes.
pub(crate) const HASH_LEN: usize = 32;
/// The length of the size field at the start of a list, in bytes.
pub(crate) const SIZE_LEN: usize = 8;

/// The size and chunk hashes of some content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkList {
    pub(crate) size: u64,
    pub(crate) hashes: Vec<[u8; HASH_LEN]>,
}

/// Returns the number of chunks of content of `size` bytes.
fn chunk_count(size: u64) -> u64 {
    size.div_ceil(MEDIA_CHUNK_LEN)
}

impl ChunkList {
    /// Returns the content's length, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the content id: `SHA-256(size u64 || hashes)`.
    #[must_use]
    pub fn content_id(&self) -> ContentId {
        // Both sides must name the same content by the same id.
        // req: STR-082
        ContentId::from_bytes(Sha256::digest(self.encode()).into())
    }

    /// Returns the encoded list, `size u64 | hashes`. A media stream begins with it, and an application
    /// stores it beside the content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // The list comes first, because only with it can a receiver check each chunk on arrival.
        // req: STR-083
        let mut out = Vec::with_capacity(self.hashes.len().saturating_mul(HASH_LEN).saturating_add(SIZE_LEN));
        out.extend_from_slice(&self.size.to_be_bytes());
        for hash in &self.hashes {
            out.extend_from_slice(hash);
        }
        out
    }

    /// Decodes the bytes that [`ChunkList::encode`] returns.
    ///
    /// # Errors
    ///
    /// `TOO_LARGE` for a size over 2 GiB, `FIELD_LENGTH` when the hashes do not fit the size.
    pub fn decode(bytes: &[u8]) -> Result<Self, ErrorCode> {
        let (size, hashes) = bytes.split_first_chunk::<SIZE_LEN>().ok_or(ErrorCode::TRUNCATED)?;
        let size = u64::from_be_bytes(*size);
        if size > MEDIA_LEN_MAX {
            return Err(ErrorCode::TOO_LARGE);
        }
        let (hashes, rest) = hashes.as_chunks::<HASH_LEN>();
        if !rest.is_empty() || u64::try_from(hashes.len()) != Ok(chunk_count(size)) {
            return Err(ErrorCode::FIELD_LENGTH);
        }
        Ok(Self { size, hashes: hashes.to_vec() })
    }

    /// Returns how many bytes of content on a disk match this list: the chunks before the first that differs.
    /// `found` is the chunk list of the bytes on the disk, which may be incomplete. A stream can continue
    /// from there.
    #[must_use]
    pub fn good_len(&self, found: &Self) -> u64 {
        let same = self.hashes.iter().zip(&found.hashes).take_while(|(wanted, is)| wanted == is).count();
        u64::try_from(same).unwrap_or(u64::MAX).saturating_mul(MEDIA_CHUNK_LEN).min(self.size)
    }

    /// Returns the length of the encoded list, in bytes. It is the stream offset where the content begins.
    #[must_use]
    pub fn encoded_len(&self) -> u64 {
        list_len(self.size)
    }

    /// Returns the length of a complete stream of this content, in bytes.
    #[must_use]
    pub fn stream_len(&self) -> u64 {
        self.encoded_len().saturating_add(self.size)
    }
}

/// Returns the length of the encoded list of content of `size` bytes. It is the stream offset where the
/// content begins.
#[must_use]
pub fn list_len(size: u64) -> u64 {
    chunk_count(size).saturating_mul(32).saturating_add(8)
}

/// Builds the chunk list of content. The content is read once, in order.
#[derive(Debug, Default)]
pub struct ContentHasher {
    size: u64,
    in_chunk: u64,
    chunk: Sha256,
    hashes: Vec<[u8; HASH_LEN]>,
}

impl ContentHasher {
    /// Creates a hasher that has seen no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes of the content.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = MEDIA_CHUNK_LEN.saturating_sub(self.in_chunk);
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let (head, rest) = bytes.split_at_checked(take).unwrap_or((bytes, &[]));
            self.chunk.update(head);
            let taken = u64::try_from(head.len()).unwrap_or(u64::MAX);
            self.size = self.size.saturating_add(taken);
            self.in_chunk = self.in_chunk.saturating_add(taken);
            if self.in_chunk == MEDIA_CHUNK_LEN {
                self.end_chunk();
            }
            bytes = rest;
        }
    }

    fn end_chunk(&mut self) {
        self.hashes.push(core::mem::take(&mut self.chunk).finalize().into());
        self.in_chunk = 0;
    }

    /// Returns the chunk list of all bytes that were added.
    #[must_use]
    pub fn finish(mut self) -> ChunkList {
        if self.in_chunk > 0 {
            self.end_chunk();
        }
        ChunkList { size: self.size, hashes: self.hashes }
    }
}
