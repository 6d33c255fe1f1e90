//! Copying content into the directory of content: a user's file, content that comes in parts, or content that
//! the program has made itself.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use handfast::codec::ids::ContentId;
use handfast::codec::limits::{MEDIA_LEN_MAX, MEDIA_NAME_LEN_MAX};
use handfast::media::{ChunkList, ContentHasher};
use handfast::media_type::media_type;
use handfast::sqlite::{SqliteError, file};

use super::{COPY, MEDIA_HEAD_LEN, MediaDir};
use crate::jobs::Progress;
use crate::user_file::{UserFile, UserFileError};

/// The number of bytes of a user's file to copy at once.
const COPY_LEN: usize = 262_144;

/// A file that was copied into the directory of content. The copy is synced and has its final name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The content id.
    pub content: ContentId,
    /// The content's size and chunk hashes.
    pub list: ChunkList,
    /// The content's media type, recognised by its first bytes.
    pub media_type: &'static str,
    /// The file's name without any directory, shortened to what a media descriptor allows.
    pub name: String,
}

/// The reason why a file could not be copied into the directory of content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The source cannot be read, or is not a file.
    #[error(transparent)]
    Source(#[from] UserFileError),
    /// The copy cannot be written.
    #[error("cannot keep a copy in the data directory ({0}); is the disk full?")]
    Write(#[from] SqliteError),
}

/// A copy in the directory of content that has no final name yet. Dropping this removes it.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    list: ChunkList,
    media_type: &'static str,
    name: String,
}

impl Staged {
    /// Returns the content's size and chunk hashes.
    #[must_use]
    pub const fn list(&self) -> &ChunkList {
        &self.list
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // The copy was renamed, or is not wanted. If it cannot be removed now, it is removed at the next
        // start.
        let _ = fs::remove_file(&self.path);
    }
}

impl MediaDir {
    /// Writes content that comes in parts. Keeps it if it matches its content id. Returns whether it does.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] of this directory or of the parts.
    pub fn put_parts(
        &self,
        content: ContentId,
        mut parts: impl Iterator<Item = Result<Vec<u8>, SqliteError>>,
    ) -> Result<bool, SqliteError> {
        let next =
            |buffer: &mut Vec<u8>| parts.next().transpose().map(|part| part.map(|part| *buffer = part));
        let made = self.copy(String::new(), next)?;
        let is_right = made.list.content_id() == content;
        if is_right {
            self.publish(&made.path, content)?;
        }
        Ok(is_right)
    }

    /// Writes small content that the program made itself.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if it cannot be written.
    pub fn put(&self, bytes: &[u8]) -> Result<(ContentId, ChunkList), SqliteError> {
        let mut bytes = Some(bytes);
        let next =
            |buffer: &mut Vec<u8>| Ok::<_, SqliteError>(bytes.take().map(|bytes| *buffer = bytes.to_vec()));
        let Imported { content, list, .. } = self.take_in(&self.copy(String::new(), next)?)?;
        Ok((content, list))
    }

    /// Copies a user's file into the directory, and computes its content id. This may take long or hang, so
    /// never call it in the core thread.
    ///
    /// # Errors
    ///
    /// [`ImportError`]; nothing is left of the copy then.
    pub fn stage(&self, source: &Path, progress: &Progress) -> Result<Staged, ImportError> {
        let mut from = UserFile::open(source, MEDIA_LEN_MAX)?;
        let next = |buffer: &mut Vec<u8>| {
            buffer.resize(COPY_LEN, 0);
            let len = from.read(buffer)?;
            buffer.truncate(len);
            progress.moved();
            Ok::<_, ImportError>((len > 0).then_some(()))
        };
        let staged = self.copy(name(source), next)?;
        from.finish()?;
        Ok(staged)
    }

    /// Renames a copy to its final name, by which it becomes content.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if it cannot be renamed.
    pub fn take_in(&self, staged: &Staged) -> Result<Imported, SqliteError> {
        let (list, content) = (staged.list.clone(), staged.list.content_id());
        self.publish(&staged.path, content)?;
        Ok(Imported { content, list, media_type: staged.media_type, name: staged.name.clone() })
    }

    /// Copies a file into the directory, and gives the copy its final name.
    ///
    /// # Errors
    ///
    /// [`ImportError`] if it cannot be copied.
    pub fn import(&self, source: &Path) -> Result<Imported, ImportError> {
        Ok(self.take_in(&self.stage(source, &Progress::default())?)?)
    }

    /// Calls `next` until it returns `None`, and writes the bytes that it puts into the buffer to a file with a
    /// random name. Then syncs the file.
    fn copy<E: From<SqliteError>>(
        &self,
        name: String,
        mut next: impl FnMut(&mut Vec<u8>) -> Result<Option<()>, E>,
    ) -> Result<Staged, E> {
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(|_| SqliteError::NoRandomness)?;
        let path = self.file(&format!("{}{:016x}{}", COPY.0, u64::from_be_bytes(number), COPY.1));
        let mut to = file::create_new(&path)?;
        // From here on, if anything fails, dropping `staged` removes the copy.
        let mut staged =
            Staged { path, list: ContentHasher::new().finish(), media_type: media_type(&[]), name };
        let failed = |error: io::Error| file::error(&staged.path, &error);
        let (mut hasher, mut buffer, mut head) = (ContentHasher::new(), Vec::new(), Vec::new());
        while next(&mut buffer)?.is_some() {
            if head.is_empty() {
                head = buffer.get(..MEDIA_HEAD_LEN).unwrap_or(&buffer).to_vec();
            }
            hasher.update(&buffer);
            to.write_all(&buffer).map_err(failed)?;
        }
        file::sync(&to).map_err(failed)?;
        (staged.list, staged.media_type) = (hasher.finish(), media_type(&head));
        Ok(staged)
    }
}

/// Returns the file's name, shortened to at most [`MEDIA_NAME_LEN_MAX`] bytes.
fn name(source: &Path) -> String {
    let name = source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let end = name.floor_char_boundary(MEDIA_NAME_LEN_MAX);
    name.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_at_a_character() {
        let long = format!("{}é.png", "x".repeat(MEDIA_NAME_LEN_MAX - 1));
        assert_eq!(name(Path::new(&long)), "x".repeat(MEDIA_NAME_LEN_MAX - 1));
    }
}
