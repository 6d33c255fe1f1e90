//! The check of incomplete content on a disk. It has short steps, so that a core thread can do other work in
//! between.
//!
//! The check only reads the file that was passed to it.

use std::fs::File;
use std::io::{self, Read};

use handfast::media::{ChunkList, ContentHasher};

/// The number of bytes that one step checks, which takes some milliseconds of a processor core.
pub const CHECK_STEP_LEN: usize = 1_048_576;

/// Finds out how much of some content a file contains, up to the first chunk that does not match.
#[derive(Debug)]
pub struct PartCheck {
    file: File,
    list: ChunkList,
    hasher: ContentHasher,
    left: u64,
}

impl PartCheck {
    /// Creates a check of the first `len` bytes of `file` against the content's chunk list. The file must be
    /// at its start.
    #[must_use]
    pub fn new(file: File, list: ChunkList, len: u64) -> Self {
        Self { file, list, hasher: ContentHasher::new(), left: len }
    }

    /// Checks the next [`CHECK_STEP_LEN`] bytes. After the last step, returns how many bytes of the content
    /// match.
    ///
    /// # Errors
    ///
    /// The operating system's error from reading the file.
    pub fn step(&mut self) -> io::Result<Option<u64>> {
        let len = u64::try_from(CHECK_STEP_LEN).unwrap_or(u64::MAX).min(self.left);
        let mut bytes = Vec::new();
        let _ = (&mut self.file).take(len).read_to_end(&mut bytes)?;
        self.hasher.update(&bytes);
        self.left = self.left.saturating_sub(len);
        let is_short = u64::try_from(bytes.len()) != Ok(len);
        if self.left > 0 && !is_short {
            return Ok(None);
        }
        let found = core::mem::take(&mut self.hasher).finish();
        Ok(Some(self.list.good_len(&found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast::codec::limits::MEDIA_CHUNK_LEN;

    /// Checks the first `len` bytes of a file that contains `bytes`. Returns the number of steps, and how
    /// many bytes match.
    fn check(bytes: &[u8], list: &ChunkList, len: u64) -> (usize, u64) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        std::fs::write(&path, bytes).unwrap();
        let mut check = PartCheck::new(File::open(path).unwrap(), list.clone(), len);
        for steps in 1.. {
            if let Some(good) = check.step().unwrap() {
                return (steps, good);
            }
        }
        unreachable!("it ends")
    }

    #[test]
    fn a_part_is_good_up_to_its_first_bad_chunk() {
        let content: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_be_bytes()[2] ^ n.to_be_bytes()[3]).collect();
        let mut hasher = ContentHasher::new();
        hasher.update(&content);
        let list = hasher.finish();
        assert_eq!(check(&content, &list, list.size()), (3, 3_000_000));
        assert_eq!(check(&content, &list, 20 * MEDIA_CHUNK_LEN), (2, 20 * MEDIA_CHUNK_LEN));
        assert_eq!(
            check(&content[..100_000], &list, list.size()),
            (1, MEDIA_CHUNK_LEN),
            "shorter than it was"
        );
        assert_eq!(check(&[], &list, list.size()), (1, 0));
        let mut bad = content;
        bad[1_500_000] ^= 1;
        assert_eq!(check(&bad, &list, list.size()), (3, 22 * MEDIA_CHUNK_LEN));
    }
}
