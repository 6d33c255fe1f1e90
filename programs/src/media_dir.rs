//! Media content on disk: complete content in `DIR/media/<content id>`, incomplete content in files beside
//! it.
//!
//! A file gets its final name only when it is complete, checked and synced. File names are made of ids only,
//! never of text from a peer or a user.

pub(crate) mod copy;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use handfast::codec::ids::{ContentId, MailboxId};
use handfast::content_files::SyncIn;
use handfast::hex::parse_hex;
use handfast::media_type::media_type;
use handfast::sqlite::{SqliteError, file};

/// The name of the directory of content in the data directory.
pub const MEDIA_DIR: &str = "media";
/// The suffix of files with incomplete content.
const PART: &str = ".part";
/// The prefix and suffix of files that are being copied into the directory. Their content id is not known
/// yet.
const COPY: (&str, &str) = ("import-", ".tmp");
/// How many bytes at the start of content determine its media type.
const MEDIA_HEAD_LEN: usize = 16;

/// A function that returns the free space on a directory's disk in bytes, or `None` if it is unknown.
pub type FreeSpace = fn(&Path) -> Option<u64>;

/// The directory of content.
#[derive(Clone, Debug)]
pub struct MediaDir {
    dir: PathBuf,
    free: FreeSpace,
    sync_in: SyncIn,
}

/// Returns how much space the file system has free for this user, in bytes.
fn free_space(dir: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(dir).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = dir;
        None
    }
}

impl MediaDir {
    /// Opens the directory of content. Creates it if it does not exist (mode 0700).
    ///
    /// # Errors
    ///
    /// [`SqliteError::NotAFile`] if something else is in its place, such as a symbolic link;
    /// [`SqliteError::File`].
    pub fn open(data: &Path) -> Result<Self, SqliteError> {
        let dir = data.join(MEDIA_DIR);
        file::require_dir(&dir)?;
        Ok(Self { dir, free: free_space, sync_in: SyncIn::Caller })
    }

    /// Replaces the function that returns the free space, for tests.
    #[must_use]
    pub fn with_free_space(self, free: FreeSpace) -> Self {
        Self { free, ..self }
    }

    /// Sets where files of content that comes are made durable from now on.
    pub const fn set_sync_in(&mut self, sync_in: SyncIn) {
        self.sync_in = sync_in;
    }

    /// Returns where files of content that comes are made durable.
    #[must_use]
    pub const fn sync_in(&self) -> SyncIn {
        self.sync_in
    }

    /// Returns the free space on the directory's disk in bytes, or `None` if it is unknown.
    #[must_use]
    pub fn free_space(&self) -> Option<u64> {
        (self.free)(&self.dir)
    }

    /// Returns the path of the file with this name in the directory.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Returns the path of complete content.
    #[must_use]
    pub fn path(&self, content: ContentId) -> PathBuf {
        self.file(&content.to_string())
    }

    /// Returns whether the complete content is here.
    #[must_use]
    pub fn has(&self, content: ContentId) -> bool {
        self.path(content).is_file()
    }

    /// Returns the length of complete content in bytes, if it is here.
    #[must_use]
    pub fn len_of(&self, content: ContentId) -> Option<u64> {
        fs::symlink_metadata(self.path(content)).ok().filter(fs::Metadata::is_file).map(|found| found.len())
    }

    /// Opens complete content for reading.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if it is not here or cannot be read.
    pub fn open_content(&self, content: ContentId) -> Result<File, SqliteError> {
        file::open(&self.path(content), false)
    }

    /// Returns the media type of complete content, from its first bytes. What the content's sender claims is
    /// not trusted.
    #[must_use]
    pub fn type_of(&self, content: ContentId) -> &'static str {
        let mut head = [0; MEDIA_HEAD_LEN];
        // Content that cannot be read gets the type of an empty file.
        let len = self.open_content(content).map_or(0, |mut file| file.read(&mut head).unwrap_or(0));
        media_type(head.get(..len).unwrap_or_default())
    }

    /// Removes complete content.
    pub fn remove(&self, content: ContentId) {
        // The content may not be here, so a failure does not matter.
        let _ = fs::remove_file(self.path(content));
    }

    /// Returns the name of the file for incomplete content that is transferred over `link`. `None` stands for
    /// the only link of a program that has just one.
    #[must_use]
    pub fn part_name(link: Option<MailboxId>, content: ContentId) -> String {
        link.map_or_else(|| format!("{content}{PART}"), |link| format!("{link}-{content}{PART}"))
    }

    fn part(&self, link: Option<MailboxId>, content: ContentId) -> PathBuf {
        self.file(&Self::part_name(link, content))
    }

    /// Creates a file in which content is stored from its start. An existing file of the incomplete content
    /// is removed.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file cannot be created.
    pub fn create_part(&self, link: Option<MailboxId>, content: ContentId) -> Result<File, SqliteError> {
        let path = self.part(link, content);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file::error(&path, &error)),
            Ok(()) | Err(_) => {}
        }
        let file = file::create_new(&path)?;
        file::sync_dir(&self.dir)?;
        Ok(file)
    }

    /// Opens the file of incomplete content for appending. The file is truncated to the `len` bytes that are
    /// durable.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], also when the file is shorter than `len`, or another process writes it.
    pub fn resume_part(
        &self,
        link: Option<MailboxId>,
        content: ContentId,
        len: u64,
    ) -> Result<File, SqliteError> {
        self.open_cut(&Self::part_name(link, content), len)
    }

    /// Renames complete content to incomplete content again, because the process ended after the renaming and
    /// before that was recorded.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if it cannot be renamed.
    pub fn take_back(&self, link: Option<MailboxId>, content: ContentId) -> Result<(), SqliteError> {
        let path = self.part(link, content);
        if !path.exists() && self.has(content) {
            fs::rename(self.path(content), &path).map_err(|error| file::error(&path, &error))?;
            file::sync_dir(&self.dir)?;
        }
        Ok(())
    }

    /// Opens a file for appending, truncated to `len` bytes, or creates it if `len` is 0. The file is locked
    /// for this process: if two processes use the directory in spite of its lock, neither must truncate what
    /// the other writes.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], also when the file is shorter than `len`, or another process writes it.
    pub fn open_cut(&self, name: &str, len: u64) -> Result<File, SqliteError> {
        let path = self.file(name);
        let failed = |error: io::Error| file::error(&path, &error);
        file::require_plain_or_absent(&path)?;
        let is_new = len == 0 && !path.exists();
        let mut opened = if is_new { file::create_new(&path)? } else { file::open(&path, true)? };
        opened.try_lock().map_err(|error| failed(error.into()))?;
        let found = opened.metadata().map_err(failed)?.len();
        if found < len {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        opened.set_len(len).map_err(failed)?;
        let _ = opened.seek(SeekFrom::End(0)).map_err(failed)?;
        file::sync_dir(&self.dir)?;
        Ok(opened)
    }

    /// Opens the file of incomplete content for reading.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if it is not here or cannot be read.
    pub fn read_part(&self, link: Option<MailboxId>, content: ContentId) -> Result<File, SqliteError> {
        file::open(&self.part(link, content), false)
    }

    /// Renames content to its final name, durably. The content must be complete, checked and synced.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if it cannot be renamed.
    pub fn finish_part(&self, link: Option<MailboxId>, content: ContentId) -> Result<(), SqliteError> {
        self.publish(&self.part(link, content), content)
    }

    /// Removes incomplete content.
    pub fn drop_part(&self, link: Option<MailboxId>, content: ContentId) {
        // If the file cannot be removed now, it is removed at the next start.
        let _ = fs::remove_file(self.part(link, content));
    }

    fn publish(&self, from: &Path, content: ContentId) -> Result<(), SqliteError> {
        let path = self.path(content);
        file::require_plain_or_absent(&path)?;
        fs::rename(from, &path).map_err(|error| file::error(from, &error))?;
        file::sync_dir(&self.dir)
    }

    /// Removes all files of this directory whose names are not in `keep`. Files with names that this
    /// directory never gives stay.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`] if a file cannot be removed.
    pub fn sweep(&self, keep: &BTreeSet<String>) -> Result<(), SqliteError> {
        for path in self.files()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if is_ours(&name) && !keep.contains(name.as_ref()) {
                fs::remove_file(&path).map_err(|error| file::error(&path, &error))?;
            }
        }
        Ok(())
    }

    /// Removes all files.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`] if a file cannot be removed.
    pub fn wipe(&self) -> Result<(), SqliteError> {
        for path in self.files()? {
            fs::remove_file(&path).map_err(|error| file::error(&path, &error))?;
        }
        file::sync_dir(&self.dir)
    }

    fn files(&self) -> Result<Vec<PathBuf>, SqliteError> {
        let listed =
            fs::read_dir(&self.dir).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        listed.map_err(|error: io::Error| file::error(&self.dir, &error))
    }
}

/// Returns whether this directory gives such a name, or gave it in an earlier release: to content, to
/// incomplete content, or to a copy.
fn is_ours(name: &str) -> bool {
    let (stem, kind) = name.split_once('.').unwrap_or((name, ""));
    let is_content = |id: &str| parse_hex::<32>(id).is_some();
    let is_of_link =
        || stem.split_once('-').is_some_and(|(link, id)| parse_hex::<16>(link).is_some() && is_content(id));
    match kind {
        "part" if stem.starts_with(COPY.0) || stem.starts_with("made-") => true,
        "part" => is_content(stem) || is_of_link(),
        "tmp" => stem.starts_with(COPY.0),
        "" | "list" | "sent" => is_content(stem),
        // A file whose writing was interrupted: the list of content that was being sent.
        other => other.starts_with("sent.") && is_content(stem),
    }
}

#[cfg(test)]
mod tests;
