//! Content on disk: `DIR/media/<content id>`, and files of uploads under way beside it.
//!
//! A file gets its final name only when it is whole, checked and synced. Names come from ids alone, never from a peer.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use handfast::codec::ids::{ContentId, MailboxId};
use handfast::codec::limits::{MEDIA_CHUNK_LEN, MEDIA_LEN_MAX};
use handfast::session::media::{ChunkList, ContentHasher};
use handfast::sqlite::{SqliteError, file};
use handfast_programs::{Progress, UserFile, UserFileError, media_type};

/// The directory of content in the data directory.
pub const MEDIA_DIR: &str = "media";
/// What the name of an unfinished file ends with.
const PART: &str = ".part";
/// How much of content says its type.
const MEDIA_HEAD_LEN: u64 = 16;
/// The same, as a length.
const MEDIA_HEAD_LEN_MAX: usize = 16;

/// How much room a directory's disk has, in bytes; none when that cannot be known.
pub type FreeSpace = fn(&Path) -> Option<u64>;

/// The directory of content.
#[derive(Clone, Debug)]
pub struct MediaDir(PathBuf, FreeSpace);

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

/// Content that was brought in from elsewhere on this machine; its file is synced and has its final name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Its id.
    pub content: ContentId,
    /// Its chunk list.
    pub list: ChunkList,
    /// Its media type, from its first bytes.
    pub media_type: &'static str,
    /// Its file name without any directory, cut to what a descriptor holds.
    pub name: String,
}

/// Why a file could not be brought in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It cannot be read, or is no file.
    #[error(transparent)]
    Source(#[from] UserFileError),
    /// It cannot be copied.
    #[error(transparent)]
    Store(#[from] SqliteError),
}

/// A copy of a file of the user, in the directory of content and without its name yet. It goes away with this value.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    list: ChunkList,
    media_type: &'static str,
    name: String,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // It has its name, or it is not wanted any more; what cannot be removed now is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

impl MediaDir {
    /// The directory inside a data directory; it is created if it is not there.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], also when a symbolic link stands in its place.
    pub fn open(data: &Path) -> Result<Self, SqliteError> {
        let dir = data.join(MEDIA_DIR);
        file::require_dir(&dir)?;
        Ok(Self(dir, free_space))
    }

    /// The same directory on a disk whose room another function tells.
    #[must_use]
    pub fn with_free_space(self, free: FreeSpace) -> Self {
        Self(self.0, free)
    }

    /// How much room there is on its disk, in bytes; none when that cannot be known.
    #[must_use]
    pub fn free_space(&self) -> Option<u64> {
        (self.1)(&self.0)
    }

    /// The final path of content.
    #[must_use]
    pub fn path(&self, content: ContentId) -> PathBuf {
        self.0.join(content.to_string())
    }

    /// The path of an upload under way.
    fn part(&self, link: MailboxId, content: ContentId) -> PathBuf {
        self.0.join(format!("{link}-{content}{PART}"))
    }

    fn io(path: &Path) -> impl Fn(io::Error) -> SqliteError + '_ {
        move |error| file::error(path, &error)
    }

    /// Begins an upload anew.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn create_part(&self, link: MailboxId, content: ContentId) -> Result<File, SqliteError> {
        let path = self.part(link, content);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file::error(&path, &error)),
            Ok(()) | Err(_) => {}
        }
        let file = file::create_new(&path)?;
        file::sync_dir(&self.0)?;
        Ok(file)
    }

    /// Goes on with an upload: cuts off what lies beyond `len` and writes from there. When the file had its final
    /// name already (the process ended before that was noted), it is taken back.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], also when the file is shorter than `len`.
    pub fn resume_part(
        &self,
        link: MailboxId,
        content: ContentId,
        len: u64,
        is_noted: bool,
    ) -> Result<File, SqliteError> {
        let path = self.part(link, content);
        if !path.exists() && !is_noted && self.path(content).exists() {
            fs::rename(self.path(content), &path).map_err(Self::io(&path))?;
            file::sync_dir(&self.0)?;
        }
        let mut part = file::open(&path, true)?;
        let found = part.metadata().map_err(Self::io(&path))?.len();
        if found < len {
            return Err(file::error(&path, &io::ErrorKind::UnexpectedEof.into()));
        }
        part.set_len(len).and_then(|()| part.seek(SeekFrom::Start(len))).map_err(Self::io(&path))?;
        Ok(part)
    }

    /// Opens what an upload left, to be looked through.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn read_part(&self, link: MailboxId, content: ContentId) -> Result<File, SqliteError> {
        file::open(&self.part(link, content), false)
    }

    /// Gives a whole, checked upload its final name, and makes that durable.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn finish_part(&self, link: MailboxId, part: &File, content: ContentId) -> Result<(), SqliteError> {
        let path = self.part(link, content);
        file::sync(part).map_err(Self::io(&path))?;
        self.publish(&path, content)
    }

    fn publish(&self, from: &Path, content: ContentId) -> Result<(), SqliteError> {
        let path = self.path(content);
        file::require_plain_or_absent(&path)?;
        fs::rename(from, &path).map_err(Self::io(&path))?;
        file::sync_dir(&self.0)
    }

    /// Forgets an upload.
    pub fn drop_part(&self, link: MailboxId, content: ContentId) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_file(self.part(link, content));
    }

    /// Removes content.
    pub fn remove(&self, content: ContentId) {
        let _ = fs::remove_file(self.path(content));
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
        let mut head = Vec::new();
        // What cannot be read has no type.
        let _ = self.open_content(content).map(|file| file.take(MEDIA_HEAD_LEN).read_to_end(&mut head));
        media_type(&head)
    }

    /// Removes what belongs to nothing: content that is not noted, uploads of which nothing is kept, cut imports.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn sweep(&self, noted: &[ContentId], uploads: &[(MailboxId, ContentId)]) -> Result<(), SqliteError> {
        let mut keep: Vec<PathBuf> = noted.iter().map(|content| self.path(*content)).collect();
        for (link, content) in uploads {
            keep.push(self.part(*link, *content));
            keep.push(self.path(*content));
        }
        keep.sort();
        for entry in fs::read_dir(&self.0).map_err(Self::io(&self.0))? {
            let path = entry.map_err(Self::io(&self.0))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_content = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_ours = is_content || name.ends_with(PART);
            if is_ours && keep.binary_search(&path).is_err() {
                fs::remove_file(&path).map_err(Self::io(&path))?;
            }
        }
        Ok(())
    }

    /// Writes small content that the program made itself.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn put(&self, bytes: &[u8]) -> Result<(ContentId, ChunkList), SqliteError> {
        let mut hasher = ContentHasher::new();
        hasher.update(bytes);
        let list = hasher.finish();
        let content = list.content_id();
        let path = self.0.join(format!("made-{content}{PART}"));
        let _ = fs::remove_file(&path);
        let mut made = file::create_new(&path)?;
        made.write_all(bytes).and_then(|()| file::sync(&made)).map_err(Self::io(&path))?;
        self.publish(&path, content)?;
        Ok((content, list))
    }

    /// Writes content that comes in parts, if it is what its id says. Gives whether it was.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], of this directory or of the parts.
    pub fn put_parts(
        &self,
        content: ContentId,
        parts: impl Iterator<Item = Result<Vec<u8>, SqliteError>>,
    ) -> Result<bool, SqliteError> {
        let path = self.0.join(format!("made-{content}{PART}"));
        let _ = fs::remove_file(&path);
        let mut made = file::create_new(&path)?;
        let mut hasher = ContentHasher::new();
        for part in parts {
            let part = part?;
            hasher.update(&part);
            made.write_all(&part).map_err(Self::io(&path))?;
        }
        if hasher.finish().content_id() != content {
            let _ = fs::remove_file(&path);
            return Ok(false);
        }
        made.sync_all().map_err(Self::io(&path))?;
        self.publish(&path, content)?;
        Ok(true)
    }

    /// Copies a file of the user in, with a fixed buffer. It may take a while, or hang: never in the core thread.
    ///
    /// # Errors
    ///
    /// [`ImportError`]; nothing is left then.
    pub fn stage(&self, source: &Path, progress: &Progress) -> Result<Staged, ImportError> {
        let mut from = UserFile::open(source, MEDIA_LEN_MAX)?;
        let path = self.0.join(format!("import-{}{PART}", STAGED.fetch_add(1, Ordering::Relaxed)));
        let _ = fs::remove_file(&path);
        let mut to = file::create_new(&path)?;
        // From here on the copy goes away if anything fails.
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let name = crate::store::cut(&name, handfast::codec::limits::MEDIA_NAME_LEN_MAX).to_owned();
        let mut staged =
            Staged { path, list: ContentHasher::new().finish(), media_type: media_type(&[]), name };
        let mut hasher = ContentHasher::new();
        let mut buffer = vec![0; usize::try_from(MEDIA_CHUNK_LEN).unwrap_or(65_536)];
        let mut head = Vec::new();
        loop {
            let len = from.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..len).filter(|bytes| !bytes.is_empty()) else { break };
            if head.is_empty() {
                head = bytes.get(..MEDIA_HEAD_LEN_MAX).unwrap_or(bytes).to_vec();
            }
            hasher.update(bytes);
            to.write_all(bytes).map_err(Self::io(&staged.path))?;
            progress.moved();
        }
        from.finish()?;
        file::sync(&to).map_err(Self::io(&staged.path))?;
        (staged.list, staged.media_type) = (hasher.finish(), media_type(&head));
        Ok(staged)
    }

    /// Renames a copy to its final name.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn take_in(&self, staged: &Staged) -> Result<Imported, SqliteError> {
        let content = staged.list.content_id();
        self.publish(&staged.path, content)?;
        let (list, name) = (staged.list.clone(), staged.name.clone());
        Ok(Imported { content, list, media_type: staged.media_type, name })
    }

    /// Copies a file in at once.
    ///
    /// # Errors
    ///
    /// [`ImportError`].
    pub fn import(&self, source: &Path) -> Result<Imported, ImportError> {
        Ok(self.take_in(&self.stage(source, &Progress::default())?)?)
    }
}

/// Counts copies, so that each has a name of its own.
static STAGED: AtomicU64 = AtomicU64::new(0);

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: MailboxId = MailboxId::from_bytes([1; 16]);

    fn content(bytes: &[u8]) -> (ContentId, ChunkList) {
        let mut hasher = ContentHasher::new();
        hasher.update(bytes);
        let list = hasher.finish();
        (list.content_id(), list)
    }

    fn names(data: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(data.join(MEDIA_DIR))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn st08_a_part_is_cut_at_its_durable_end_and_named_when_it_is_whole() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let (id, _) = content(b"0123456789");
        let mut part = media.create_part(LINK, id).unwrap();
        part.write_all(b"01234XXXX").unwrap();
        drop(part);
        let mut part = media.resume_part(LINK, id, 5, false).unwrap();
        part.write_all(b"56789").unwrap();
        media.finish_part(LINK, &part, id).unwrap();
        assert_eq!(fs::read(media.path(id)).unwrap(), b"0123456789");
        assert_eq!(names(data.path()), [id.to_string()]);
        // The process ended before the content was noted: the file is taken back.
        let part = media.resume_part(LINK, id, 5, false).unwrap();
        assert_eq!(part.metadata().unwrap().len(), 5);
        assert!(!media.path(id).exists());
        drop(part);
        assert!(media.resume_part(LINK, id, 6, false).is_err(), "shorter than what was durable");
    }

    #[test]
    fn a_new_upload_never_begins_in_an_old_file() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let (id, _) = content(b"new");
        media.create_part(LINK, id).unwrap().write_all(b"old").unwrap();
        assert_eq!(media.create_part(LINK, id).unwrap().metadata().unwrap().len(), 0);
    }

    #[test]
    fn the_sweep_removes_what_belongs_to_nothing_and_touches_no_other_file() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let (kept, _) = media.put(b"kept").unwrap();
        let (orphan, _) = media.put(b"orphan").unwrap();
        let (unnoted, _) = media.put(b"renamed, and the commit was cut").unwrap();
        for content in [unnoted, orphan] {
            drop(media.create_part(LINK, content).unwrap());
        }
        fs::write(data.path().join(MEDIA_DIR).join("note.txt"), b"the user's").unwrap();
        media.sweep(&[kept], &[(LINK, unnoted)]).unwrap();
        let mut expected = vec![
            kept.to_string(),
            unnoted.to_string(),
            format!("{LINK}-{unnoted}.part"),
            "note.txt".to_owned(),
        ];
        expected.sort();
        assert_eq!(names(data.path()), expected);
        assert!(!media.path(orphan).exists());
    }

    #[test]
    fn imports_hash_as_the_library_does_and_types_come_from_bytes() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let bytes = [b"\x89PNG\r\n\x1a\n".as_slice(), &vec![7; 150_000]].concat();
        let source = data.path().join("holiday.exe");
        fs::write(&source, &bytes).unwrap();
        let imported = media.import(&source).unwrap();
        let (id, list) = content(&bytes);
        assert_eq!((imported.content, imported.list), (id, list));
        assert_eq!((imported.media_type, imported.name.as_str()), ("image/png", "holiday.exe"));
        assert_eq!(fs::read(media.path(id)).unwrap(), bytes);
        assert!(media.import(&source).is_ok(), "the same again");
        for (path, words) in
            [(data.path().join("none"), "No such file"), (data.path().to_path_buf(), "is a directory")]
        {
            let error = media.import(&path).unwrap_err();
            assert!(matches!(error, ImportError::Source(_)) && error.to_string().contains(words), "{error}");
        }
        // One that is given up leaves nothing.
        drop(media.stage(&source, &Progress::default()).unwrap());
        assert_eq!(names(data.path()), [id.to_string()]);
    }

    #[test]
    fn st10_files_around_2_and_4_gib_are_refused_by_their_length() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let source = data.path().join("sparse");
        for len in [MEDIA_LEN_MAX + 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, (1 << 32) + MEDIA_LEN_MAX] {
            File::create(&source).unwrap().set_len(len).unwrap();
            assert!(
                matches!(media.import(&source), Err(ImportError::Source(UserFileError::TooLarge { .. }))),
                "{len}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn st12_a_name_is_never_a_path_and_content_is_never_executable() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        for name in [".bashrc", "app.desktop", "run.sh", "..%2f..%2fx", "CON"] {
            let source = data.path().join(name);
            fs::write(&source, b"#!/bin/sh").unwrap();
            fs::set_permissions(&source, fs::Permissions::from_mode(0o777)).unwrap();
            let imported = media.import(&source).unwrap();
            assert_eq!((imported.name.as_str(), imported.media_type), (name, "application/octet-stream"));
            assert_eq!(names(data.path()), [imported.content.to_string()]);
            let mode = fs::metadata(media.path(imported.content)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_content_is_not_followed() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let (id, _) = content(b"secret");
        let target = data.path().join("target");
        fs::write(&target, b"secret").unwrap();
        std::os::unix::fs::symlink(&target, media.path(id)).unwrap();
        assert!(media.open_content(id).is_err());
        assert!(media.put(b"secret").is_err());
        let link = data.path().join("elsewhere");
        fs::create_dir(&link).unwrap();
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(&link, other.path().join(MEDIA_DIR)).unwrap();
        assert!(MediaDir::open(other.path()).is_err());
    }
}
