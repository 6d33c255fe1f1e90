//! Content on disk: `DIR/media/<content id>`, and what of it is under way beside it.
//!
//! A file gets its final name only when it is whole, checked and synced. Names come from ids alone, never from a peer or
//! a user.

pub(crate) mod copy;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use handfast::codec::ids::{ContentId, MailboxId};
use handfast::hex::parse_hex;
use handfast::media_type::media_type;
use handfast::sqlite::{SqliteError, file};

/// The directory of content in the data directory.
pub const MEDIA_DIR: &str = "media";
/// What the name of content under way ends with.
const PART: &str = ".part";
/// What the name of a copy begins and ends with that has no name of its own yet.
const COPY: (&str, &str) = ("import-", ".tmp");
/// How many of its first bytes say the type of content.
const MEDIA_HEAD_LEN: usize = 16;

/// How much room a directory's disk has, in bytes; none when that cannot be known.
pub type FreeSpace = fn(&Path) -> Option<u64>;

/// The directory of content.
#[derive(Clone, Debug)]
pub struct MediaDir {
    dir: PathBuf,
    free: FreeSpace,
}

/// The room that the file system gives this user.
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
    /// Opens the directory of content, and creates it if it is not there (mode 0700).
    ///
    /// # Errors
    ///
    /// [`SqliteError::NotAFile`], also when a symbolic link stands in its place; [`SqliteError::File`].
    pub fn open(data: &Path) -> Result<Self, SqliteError> {
        let dir = data.join(MEDIA_DIR);
        file::require_dir(&dir)?;
        Ok(Self { dir, free: free_space })
    }

    /// The same directory on a disk whose room another function tells.
    #[must_use]
    pub fn with_free_space(self, free: FreeSpace) -> Self {
        Self { free, ..self }
    }

    /// How much room there is on its disk, in bytes; none when that cannot be known.
    #[must_use]
    pub fn free_space(&self) -> Option<u64> {
        (self.free)(&self.dir)
    }

    /// Where a file of this name lies.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where whole content lies.
    #[must_use]
    pub fn path(&self, content: ContentId) -> PathBuf {
        self.file(&content.to_string())
    }

    /// Whether whole content is here.
    #[must_use]
    pub fn has(&self, content: ContentId) -> bool {
        self.path(content).is_file()
    }

    /// The length of whole content that is here.
    #[must_use]
    pub fn len_of(&self, content: ContentId) -> Option<u64> {
        fs::symlink_metadata(self.path(content)).ok().filter(fs::Metadata::is_file).map(|found| found.len())
    }

    /// Opens whole content for reading.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn open_content(&self, content: ContentId) -> Result<File, SqliteError> {
        file::open(&self.path(content), false)
    }

    /// The media type of whole content, from its first bytes: what its sender says of it counts for nothing.
    #[must_use]
    pub fn type_of(&self, content: ContentId) -> &'static str {
        let mut head = [0; MEDIA_HEAD_LEN];
        // What cannot be read has no type.
        let len = self.open_content(content).map_or(0, |mut file| file.read(&mut head).unwrap_or(0));
        media_type(head.get(..len).unwrap_or_default())
    }

    /// Removes whole content.
    pub fn remove(&self, content: ContentId) {
        // It may never have been here.
        let _ = fs::remove_file(self.path(content));
    }

    /// The name of content under way: that of a link, or, with `None`, of the one link that there is.
    #[must_use]
    pub fn part_name(link: Option<MailboxId>, content: ContentId) -> String {
        link.map_or_else(|| format!("{content}{PART}"), |link| format!("{link}-{content}{PART}"))
    }

    fn part(&self, link: Option<MailboxId>, content: ContentId) -> PathBuf {
        self.file(&Self::part_name(link, content))
    }

    /// Begins content from its start: what was under way of it is dropped.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
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

    /// Opens content under way, cut to the `len` bytes that are durable, to be written behind them.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], also when the file is shorter than `len`, or is being written.
    pub fn resume_part(
        &self,
        link: Option<MailboxId>,
        content: ContentId,
        len: u64,
    ) -> Result<File, SqliteError> {
        self.open_cut(&Self::part_name(link, content), len)
    }

    /// Content that has its final name is under way again: the process ended before it was noted.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn take_back(&self, link: Option<MailboxId>, content: ContentId) -> Result<(), SqliteError> {
        let path = self.part(link, content);
        if !path.exists() && self.has(content) {
            fs::rename(self.path(content), &path).map_err(|error| file::error(&path, &error))?;
            file::sync_dir(&self.dir)?;
        }
        Ok(())
    }

    /// Opens a file, or creates it where nothing of it is durable, cut to `len` bytes, at its end, for this process alone:
    /// one that got past the directory's lock must not cut what another one writes.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], also when the file is shorter than `len`, or is being written.
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

    /// Opens content under way, to be looked through.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn read_part(&self, link: Option<MailboxId>, content: ContentId) -> Result<File, SqliteError> {
        file::open(&self.part(link, content), false)
    }

    /// Renames content that is whole, checked and synced to its final name, and makes that durable.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn finish_part(&self, link: Option<MailboxId>, content: ContentId) -> Result<(), SqliteError> {
        self.publish(&self.part(link, content), content)
    }

    /// Forgets content under way.
    pub fn drop_part(&self, link: Option<MailboxId>, content: ContentId) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_file(self.part(link, content));
    }

    fn publish(&self, from: &Path, content: ContentId) -> Result<(), SqliteError> {
        let path = self.path(content);
        file::require_plain_or_absent(&path)?;
        fs::rename(from, &path).map_err(|error| file::error(from, &error))?;
        file::sync_dir(&self.dir)
    }

    /// Removes what belongs to nothing, and leaves files alone whose names are not those of content. `keep` has the names
    /// of the files that stay.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`].
    pub fn sweep(&self, keep: &BTreeSet<String>) -> Result<(), SqliteError> {
        for path in self.files()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if is_ours(&name) && !keep.contains(name.as_ref()) {
                fs::remove_file(&path).map_err(|error| file::error(&path, &error))?;
            }
        }
        Ok(())
    }

    /// Removes everything.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`].
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

/// Whether a name is one that this directory gives: of content, of what of it is under way, or of a copy, today or by an
/// earlier release.
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
        // A list whose writing was cut.
        other => other.starts_with("sent.") && is_content(stem),
    }
}

#[cfg(test)]
mod tests;
